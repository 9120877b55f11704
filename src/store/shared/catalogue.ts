/** Organizations, API keys, reports and data of the installation, in both databases. */
import { randomBytes } from 'node:crypto'
import { decide, needsOf, type State, type Write } from '#deciding/deciders.ts'
import type { ApiKey, Command, CommandKind, Outcome } from '#ledger/commands.ts'
import type { DayTotal, OrganizationActivity, OrganizationRange } from '#ledger/ledger.ts'
import type { EpochMs, Organization } from '#model/organization.ts'
import type { Id, Report } from '#model/report.ts'
import { findOwnCards, writeOwnCard } from './rate-cards.ts'
import { toActivity, toApiKey, toDayTotal, toOrganization, toReport, wholeNumber } from './rows.ts'
import { query, type Steps } from './steps.ts'

const ORGANIZATIONS = `
  SELECT organization.organization_id, name, created_at, effective_from, time_zone, anchor_day
  FROM organization JOIN billing_calendar ON billing_calendar.organization_id = organization.organization_id`

const KEY_COLUMNS = 'organization_id, key_hash, key_id, name, scopes, created_at, revoked_at, used_at'

export function* findOrganization(id: string): Steps<Organization | undefined> {
  const rows = yield* query(`${ORGANIZATIONS} WHERE organization.organization_id = $1 ORDER BY effective_from`, id)
  return toOrganization(rows)
}

export function* listOrganizations({
  after = '',
  limit,
}: {
  readonly after?: string
  readonly limit: number
}): Steps<readonly Organization[]> {
  const rows = yield* query(
    `${ORGANIZATIONS} WHERE organization.organization_id IN (
       SELECT organization_id FROM organization WHERE organization_id > $1 ORDER BY organization_id LIMIT $2)
     ORDER BY organization.organization_id, effective_from`,
    after,
    limit,
  )
  const byId = Map.groupBy(rows, (row) => row['organization_id'])
  return [...byId.values()].flatMap((each) => toOrganization(each) ?? [])
}

/** One statement for each organization: on Citus, its rows are on one node. */
export function* daysOf(ranges: readonly OrganizationRange[]): Steps<readonly (readonly DayTotal[])[]> {
  const found: (readonly DayTotal[])[] = []
  for (const { organizationId, from, to } of ranges) {
    // As a text, because SQLite refuses a sum that a double cannot hold.
    const rows = yield* query(
      `SELECT day_start, messages, unpriced, CAST(credits_micros AS text) AS credits_micros FROM day
       WHERE organization_id = $1 AND day_start >= $2 AND day_start < $3 ORDER BY day_start`,
      organizationId,
      from,
      to,
    )
    found.push(rows.map(toDayTotal))
  }
  return found
}

/** One statement for each organization, too. The latest message is found through the index of time. */
export function* activityOf(ids: readonly string[]): Steps<readonly OrganizationActivity[]> {
  const found: OrganizationActivity[] = []
  for (const id of ids) {
    const [row] = yield* query(
      `SELECT (SELECT count(*) FROM api_key WHERE organization_id = $1 AND revoked_at IS NULL) AS keys,
         (SELECT at_ms FROM record WHERE organization_id = $1 AND superseded_by IS NULL ORDER BY at_ms DESC LIMIT 1) AS latest_at`,
      id,
    )
    found.push(toActivity(row ?? {}))
  }
  return found
}

export function* findKey(organizationId: string, hash: Uint8Array): Steps<ApiKey | undefined> {
  const [row] = yield* query(
    `SELECT ${KEY_COLUMNS} FROM api_key WHERE organization_id = $1 AND key_hash = $2`,
    organizationId,
    hash,
  )
  return row && toApiKey(row)
}

export function* listKeys(organizationId: string): Steps<readonly ApiKey[]> {
  const rows = yield* query(
    `SELECT ${KEY_COLUMNS} FROM api_key WHERE organization_id = $1 ORDER BY created_at, key_id`,
    organizationId,
  )
  return rows.map(toApiKey)
}

export function* anyKey(): Steps<boolean> {
  return (yield* query('SELECT 1 FROM api_key LIMIT 1')).length > 0
}

export function* keyUsed(organizationId: string, hash: Uint8Array, at: EpochMs): Steps<void> {
  yield* query(
    `UPDATE api_key SET used_at = $3
     WHERE organization_id = $1 AND key_hash = $2 AND coalesce(used_at, 0) < $3`,
    organizationId,
    hash,
    at,
  )
}

export function* isEmpty(): Steps<boolean> {
  return (yield* query('SELECT 1 FROM day LIMIT 1')).length === 0
}

export function* findReport(id: Id): Steps<Report | undefined> {
  const [row] = yield* query('SELECT report_id, name, credit_cost_micros FROM report WHERE report_id = $1', String(id))
  return row && toReport(row)
}

export function* listReports({
  after = '',
  limit,
}: {
  readonly after?: string
  readonly limit: number
}): Steps<readonly Report[]> {
  const rows = yield* query(
    'SELECT report_id, name, credit_cost_micros FROM report WHERE report_id > $1 ORDER BY report_id LIMIT $2',
    after,
    limit,
  )
  return rows.map(toReport)
}

export function* putReport({ id, name, creditCost }: Report): Steps<'created' | 'replaced'> {
  const isKnown = (yield* findReport(id)) !== undefined
  yield* query(
    `INSERT INTO report (report_id, name, credit_cost_micros) VALUES ($1, $2, $3)
     ON CONFLICT (report_id) DO UPDATE SET name = excluded.name, credit_cost_micros = excluded.credit_cost_micros`,
    String(id),
    name,
    creditCost,
  )
  return isKnown ? 'replaced' : 'created'
}

export function* removeReport(id: Id): Steps<boolean> {
  return (yield* query('DELETE FROM report WHERE report_id = $1 RETURNING report_id', String(id))).length > 0
}

export function* contentKey(): Steps<string> {
  const find = () => query("SELECT value FROM installation WHERE name = 'content_key'")
  const [known] = yield* find()
  if (known !== undefined) return known['value'] as string
  yield* query(
    "INSERT INTO installation (name, value) VALUES ('content_key', $1) ON CONFLICT (name) DO NOTHING",
    randomBytes(32).toString('hex'),
  )
  const [row] = yield* find()
  return row?.['value'] as string
}

export function* latestInstant(time: EpochMs): Steps<EpochMs> {
  const [row] = yield* query(
    `INSERT INTO installation (name, value) VALUES ('latest_instant', $1)
     ON CONFLICT (name) DO UPDATE SET value = CASE
       WHEN CAST(installation.value AS bigint) < CAST(excluded.value AS bigint) THEN excluded.value ELSE installation.value END
     RETURNING value`,
    String(time),
  )
  return wholeNumber(row?.['value'])
}

/** Writes something that is visible to nobody. */
export function* heartbeat(time: EpochMs): Steps<void> {
  yield* query(
    `INSERT INTO installation (name, value) VALUES ('checked_at', $1)
     ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
    String(time),
  )
}

/** Loads, decides and writes. Runs in a transaction that no other command of the organization overlaps. */
export function* carryOut<K extends CommandKind>(organizationId: string, command: Command<K>): Steps<Outcome<K>> {
  const state = yield* load(organizationId, needsOf(command))
  const { outcome, writes } = decide(state, command)
  for (const write of writes) yield* apply(organizationId, write)
  return outcome
}

function* load(organizationId: string, needs: ReturnType<typeof needsOf>): Steps<State> {
  const organization = needs.organization && (yield* findOrganization(organizationId))
  const key = needs.key && (yield* keyLike(organizationId, needs.key))
  const latestDay = needs.latestDay && (yield* findLatestDay(organizationId))
  const closedUntil = needs.closedUntil && (yield* findClosedUntil(organizationId))
  const cards = needs.cards && (yield* findOwnCards(organizationId))
  return {
    ...(organization && { organization }),
    ...(key && { key }),
    ...(latestDay !== undefined && { latestDay }),
    ...(closedUntil !== undefined && { closedUntil }),
    ...(cards && { cards }),
  }
}

function* keyLike(
  organizationId: string,
  { id, hash }: { readonly id: string; readonly hash?: Uint8Array },
): Steps<ApiKey | undefined> {
  const [row] = yield* query(
    `SELECT ${KEY_COLUMNS} FROM api_key WHERE organization_id = $1 AND key_id = $2`,
    organizationId,
    id,
  )
  if (row !== undefined) return toApiKey(row)
  return hash && (yield* findKey(organizationId, hash))
}

function* findLatestDay(organizationId: string): Steps<EpochMs | undefined> {
  const [row] = yield* query(
    'SELECT max(day_start) AS latest FROM day WHERE organization_id = $1 AND messages > 0',
    organizationId,
  )
  return typeof (row?.['latest'] ?? undefined) === 'undefined' ? undefined : wholeNumber(row?.['latest'])
}

function* findClosedUntil(organizationId: string): Steps<EpochMs | undefined> {
  const [row] = yield* query('SELECT closed_until FROM account WHERE organization_id = $1', organizationId)
  return row && wholeNumber(row['closed_until'])
}

function* apply(organizationId: string, write: Write): Steps<void> {
  switch (write.kind) {
    case 'new-organization': {
      const { id, name, createdAt } = write.organization
      yield* query(
        'INSERT INTO organization (organization_id, name, created_at) VALUES ($1, $2, $3)',
        id,
        name,
        createdAt,
      )
      yield* query('INSERT INTO account (organization_id) VALUES ($1)', id)
      return yield* writeCalendar(write.organization)
    }
    case 'organization': {
      const { id, name, createdAt } = write.organization
      yield* query('UPDATE organization SET name = $2, created_at = $3 WHERE organization_id = $1', id, name, createdAt)
      yield* query('DELETE FROM billing_calendar WHERE organization_id = $1', id)
      return yield* writeCalendar(write.organization)
    }
    case 'new-key': {
      const { id, name, scopes, createdAt, revokedAt = null, hash } = write.key
      yield* query(
        `INSERT INTO api_key (organization_id, key_hash, key_id, name, scopes, created_at, revoked_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)`,
        organizationId,
        hash,
        id,
        name,
        scopes.join(' '),
        createdAt,
        revokedAt,
      )
      return
    }
    case 'revoked-key':
      yield* query(
        'UPDATE api_key SET revoked_at = $3 WHERE organization_id = $1 AND key_id = $2',
        organizationId,
        write.keyId,
        write.at,
      )
      return
    case 'closed-until':
      yield* query('UPDATE account SET closed_until = $2 WHERE organization_id = $1', organizationId, write.at)
      return
    case 'used-card':
      yield* writeOwnCard(organizationId, write.assignment)
  }
}

function* writeCalendar({ id, calendar }: Organization): Steps<void> {
  for (const { effectiveFrom, timeZone, anchorDay } of calendar) {
    yield* query(
      'INSERT INTO billing_calendar (organization_id, effective_from, time_zone, anchor_day) VALUES ($1, $2, $3, $4)',
      id,
      effectiveFrom,
      timeZone,
      anchorDay,
    )
  }
}
