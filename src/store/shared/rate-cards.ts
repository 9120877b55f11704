/** Rate cards, and which of them are in force, in both databases. */
import { randomInt } from 'node:crypto'
import { useCard } from '#deciding/card-use.ts'
import type { CardUse, UsedCards } from '#ledger/commands.ts'
import type { StoredCard } from '#ledger/ledger.ts'
import { type CardAssignment, type CardsInForce, compareAssignments } from '#model/cards-in-force.ts'
import { CALENDAR_BEGINS } from '#model/organization.ts'
import { toCardAssignment, toStoredCard, wholeNumber } from './rows.ts'
import { query, type Steps } from './steps.ts'

/**
 * The version of the cards in force for an organization, in a query of its row of `account`. Both numbers only grow, so their sum
 * is another one after any change.
 */
export const CARDS_VERSION = `account.cards_version
  + coalesce((SELECT CAST(value AS bigint) FROM installation WHERE name = 'default_cards_version'), 0)`

export function* putCard({ version, hash, body, createdAt }: StoredCard): Steps<'created' | 'same' | 'conflict'> {
  const created = yield* query(
    `INSERT INTO rate_card (version, hash, body, created_at) VALUES ($1, $2, $3, $4)
     ON CONFLICT (version) DO NOTHING RETURNING version`,
    version,
    hash,
    body,
    createdAt,
  )
  if (created.length > 0) return 'created'
  const [row] = yield* query('SELECT hash FROM rate_card WHERE version = $1', version)
  return row?.['hash'] === hash ? 'same' : 'conflict'
}

export function* findCard(version: string): Steps<StoredCard | undefined> {
  const [row] = yield* query('SELECT version, hash, body, created_at FROM rate_card WHERE version = $1', version)
  return row && { ...toStoredCard(row), body: row['body'] as string }
}

export function* listCards(): Steps<readonly Omit<StoredCard, 'body'>[]> {
  const rows = yield* query('SELECT version, hash, created_at FROM rate_card ORDER BY version')
  return rows.map(toStoredCard)
}

/** The version is read first. If the cards change after that, it is too old, and `append` refuses it. */
export function* findCardsInForce(organizationId: string): Steps<CardsInForce> {
  const [row] = yield* query(
    `SELECT ${CARDS_VERSION} AS cards_version FROM account WHERE organization_id = $1`,
    organizationId,
  )
  const own = yield* findOwnCards(organizationId)
  const byDefault = yield* findDefaultCards()
  return { own, byDefault, version: wholeNumber(row?.['cards_version'] ?? 0) }
}

export function* findOwnCards(organizationId: string): Steps<readonly CardAssignment[]> {
  const rows = yield* query(
    'SELECT from_ms, version, until_ms FROM used_card WHERE organization_id = $1',
    organizationId,
  )
  return rows.map(toCardAssignment).sort(compareAssignments)
}

function* findDefaultCards(): Steps<readonly CardAssignment[]> {
  const rows = yield* query('SELECT from_ms, version, until_ms FROM default_card')
  return rows.map(toCardAssignment).sort(compareAssignments)
}

export function* writeOwnCard(organizationId: string, assignment: CardAssignment): Steps<void> {
  yield* query(
    `INSERT INTO used_card (organization_id, for_messages, from_ms, version, until_ms) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (organization_id, for_messages, from_ms)
     DO UPDATE SET version = excluded.version, until_ms = excluded.until_ms`,
    organizationId,
    ...assignmentValues(assignment),
  )
  yield* query(
    'UPDATE account SET cards_version = cards_version + $2 WHERE organization_id = $1',
    organizationId,
    randomStep(),
  )
}

/** Runs in a transaction. */
export function* useCardByDefault(use: CardUse): Steps<UsedCards> {
  const [account] = yield* query('SELECT max(closed_until) AS closed_until FROM account')
  const closedUntil = wholeNumber(account?.['closed_until'] ?? CALENDAR_BEGINS)
  const { outcome, added } = useCard(use, yield* findDefaultCards(), closedUntil)
  if (added === undefined) return outcome
  yield* query(
    `INSERT INTO installation (name, value) VALUES ('default_cards_version', $1)
     ON CONFLICT (name) DO UPDATE
       SET value = CAST(CAST(installation.value AS bigint) + CAST(excluded.value AS bigint) AS text)`,
    String(randomStep()),
  )
  yield* query(
    `INSERT INTO default_card (for_messages, from_ms, version, until_ms) VALUES ($1, $2, $3, $4)
     ON CONFLICT (for_messages, from_ms) DO UPDATE SET version = excluded.version, until_ms = excluded.until_ms`,
    ...assignmentValues(added),
  )
  // What another process has changed meanwhile is in force as well.
  return { inForce: yield* findDefaultCards() }
}

/** The columns for_messages, from_ms, version and until_ms. */
const assignmentValues = ({ from, version, until }: CardAssignment) =>
  [until === undefined ? 'all' : 'unpriced', from, version, until ?? null] as const

/** Like the versions of days: after a backup is restored, other changes do not arrive at a version that a process has read. */
const randomStep = (): number => randomInt(1, 2 ** 20)
