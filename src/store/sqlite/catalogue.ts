/** Organizations, API keys, reports and installation data. Writes run inside the caller's transaction. */
import { randomBytes } from 'node:crypto'
import type { DatabaseSync } from 'node:sqlite'
import type { ApiKey } from '#ledger/ledger.ts'
import type { Organization } from '#model/organization.ts'
import type { Id, Report } from '#model/report.ts'
import { type Row, toApiKey, toOrganization, toReport } from './rows.ts'

export class Catalogue {
  readonly #database: DatabaseSync

  constructor(database: DatabaseSync) {
    this.#database = database
  }

  organization(id: string): Organization | undefined {
    return toOrganization(this.#calendarRows('organization.organization_id = ?', id))
  }

  organizations({ after = '', limit }: { readonly after?: string; readonly limit: number }): readonly Organization[] {
    const rows = this.#calendarRows(
      `organization.organization_id IN (
        SELECT organization_id FROM organization WHERE organization_id > ? ORDER BY organization_id LIMIT ?)`,
      after,
      limit,
    )
    const byId = Map.groupBy(rows, (row) => row['organization_id'])
    return [...byId.values()].flatMap((each) => toOrganization(each) ?? [])
  }

  #calendarRows(where: string, ...values: readonly (string | number)[]): readonly Row[] {
    return this.#database
      .prepare(`
        SELECT organization.organization_id, name, created_at, effective_from, time_zone, anchor_day
        FROM organization JOIN billing_calendar USING (organization_id)
        WHERE ${where} ORDER BY organization.organization_id, effective_from`)
      .all(...values)
  }

  createOrganization(organization: Organization): boolean {
    const { id, name, createdAt } = organization
    const { changes } = this.#database
      .prepare('INSERT INTO organization (organization_id, name, created_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING')
      .run(id, name, createdAt)
    if (changes === 1) this.#writeCalendar(organization)
    return changes === 1
  }

  /** False if the organization has changed since `before` was read. */
  replaceOrganization(before: Organization, after: Organization): boolean {
    const current = this.organization(before.id)
    if (JSON.stringify(current) !== JSON.stringify(before)) return false
    this.#database
      .prepare('UPDATE organization SET name = ?, created_at = ? WHERE organization_id = ?')
      .run(after.name, after.createdAt, before.id)
    this.#database.prepare('DELETE FROM billing_calendar WHERE organization_id = ?').run(before.id)
    this.#writeCalendar(after)
    return true
  }

  #writeCalendar({ id, calendar }: Organization): void {
    const insert = this.#database.prepare(
      'INSERT INTO billing_calendar (organization_id, effective_from, time_zone, anchor_day) VALUES (?, ?, ?, ?)',
    )
    for (const { effectiveFrom, timeZone, anchorDay } of calendar) insert.run(id, effectiveFrom, timeZone, anchorDay)
  }

  createKey({ id, organizationId, name, scopes, createdAt, hash }: ApiKey): void {
    this.#database
      .prepare(`
        INSERT INTO api_key (organization_id, key_hash, key_id, name, scopes, created_at) VALUES (?, ?, ?, ?, ?, ?)`)
      .run(organizationId, hash, id, name, scopes.join(' '), createdAt)
  }

  findKey(organizationId: string, hash: Uint8Array): ApiKey | undefined {
    const row = this.#database
      .prepare(`SELECT ${KEY_COLUMNS} FROM api_key WHERE organization_id = ? AND key_hash = ?`)
      .get(organizationId, hash)
    return row && toApiKey(row)
  }

  keys(organizationId: string): readonly ApiKey[] {
    return this.#database
      .prepare(`SELECT ${KEY_COLUMNS} FROM api_key WHERE organization_id = ? ORDER BY created_at, key_id`)
      .all(organizationId)
      .map(toApiKey)
  }

  revokeKey(organizationId: string, id: string, at: number): ApiKey | undefined {
    const row = this.#database
      .prepare(`
        UPDATE api_key SET revoked_at = coalesce(revoked_at, ?) WHERE organization_id = ? AND key_id = ?
        RETURNING ${KEY_COLUMNS}`)
      .get(at, organizationId, id)
    return row && toApiKey(row)
  }

  anyKey(): boolean {
    return this.#database.prepare('SELECT 1 FROM api_key LIMIT 1').get() !== undefined
  }

  report(id: Id): Report | undefined {
    const row = this.#database
      .prepare('SELECT report_id, name, credit_cost_micros FROM report WHERE report_id = ?')
      .get(String(id))
    return row && toReport(row)
  }

  putReport({ id, name, creditCost }: Report): 'created' | 'replaced' {
    const isKnown = this.report(id) !== undefined
    this.#database
      .prepare(`
        INSERT INTO report (report_id, name, credit_cost_micros) VALUES (?, ?, ?)
        ON CONFLICT DO UPDATE SET name = excluded.name, credit_cost_micros = excluded.credit_cost_micros`)
      .run(String(id), name, creditCost)
    return isKnown ? 'replaced' : 'created'
  }

  removeReport(id: Id): boolean {
    return this.#database.prepare('DELETE FROM report WHERE report_id = ?').run(String(id)).changes === 1
  }

  isEmpty(): boolean {
    return this.#database.prepare('SELECT 1 FROM daily_total LIMIT 1').get() === undefined
  }

  latestInstant(now: number): number {
    const row = this.#database
      .prepare(`
        INSERT INTO installation (name, value) VALUES ('latest_instant', ?)
        ON CONFLICT DO UPDATE SET value = max(CAST(value AS INTEGER), CAST(excluded.value AS INTEGER)) RETURNING value`)
      .get(String(now))
    return Number(row?.['value'])
  }

  contentKey(): string {
    this.#database
      .prepare('INSERT INTO installation (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING')
      .run('content_key', randomBytes(32).toString('hex'))
    return this.#database.prepare('SELECT value FROM installation WHERE name = ?').get('content_key')?.[
      'value'
    ] as string
  }
}

const KEY_COLUMNS = 'organization_id, key_hash, key_id, name, scopes, created_at, revoked_at'
