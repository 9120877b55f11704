/**
 * The one statement that adds to the ledger, which is one transaction: new records, what they supersede, and the totals.
 *
 * All writers lock in the same order, or they could deadlock: if one transaction wrote message 1 and then 2, and another 2 and
 * then 1, each would wait for the other. The order is: records by id and revision, day_cell by day and cell, day by day, and
 * period_cell by period and cell. Records that are superseded need no place in it: only the writer of the next revision changes
 * them, and that revision is a unique key. PostgreSQL runs the INSERT of the records first, because it is the statement itself,
 * and then the parts above it from last to first. Commands lock the organization's row of `account` before anything else.
 *
 * If the mark of the organization or the version of its rate cards is not the one that was passed, nothing is written. There is no ON CONFLICT on records: with it,
 * writing a record takes a third longer. If a key is taken, the whole statement fails and nothing is written.
 *
 * Versions grow by random steps: after a backup is restored, other records do not arrive at a version that a client has seen.
 */
import { compareIds } from '#model/line-order.ts'
import type { EpochMs } from '#model/organization.ts'
import type { Id } from '#model/report.ts'
import { LIMITED, type Names, OTHER_COLUMNS } from '../shared/others.ts'
import { CARDS_VERSION } from '../shared/rate-cards.ts'
import { addTo, emptySum, negated, type Sum, sumOfOne } from '../shared/sums.ts'
import { bigints, byteStrings, integers, texts } from './binary-arrays.ts'
import { numberAndName } from './rows.ts'

/** The day to which a record counts. The billing period matters only for the first record of the day. */
type Day = { readonly start: EpochMs; readonly periodStart: EpochMs }

export type NewRecord = {
  readonly messageId: Id
  readonly revision: number
  readonly at: EpochMs
  readonly day: Day
  readonly cellId: bigint
  /** Undefined if the message is unpriced. */
  readonly credits: number | undefined
  readonly recordedAt: EpochMs
  readonly supersededBy: number | undefined
  readonly ownAt: EpochMs | undefined
  readonly timestamp: string | undefined
  readonly facts: Uint8Array
  readonly digest: Uint8Array
  /** The names that it keeps because its cell lacks them. */
  readonly others: Names | undefined
}

/** A record that no longer counts. */
export type Superseded = Pick<NewRecord, 'messageId' | 'revision' | 'cellId' | 'credits'> & {
  readonly by: number
  readonly dayStart: EpochMs
}

export type Writing = { readonly records: readonly NewRecord[]; readonly superseded: readonly Superseded[] }

/** The statement's values. The last ones are about superseded records and names, which most statements do without. */
export const writeValues = (
  organizationId: string,
  closedUntil: EpochMs,
  { records: unordered, superseded }: Writing,
): readonly (string | number | Buffer)[] => {
  const records = inOrder(unordered)
  const { days, cells } = totalsOf(records, superseded)
  return [
    organizationId,
    closedUntil,
    ...idColumns(records.map(({ messageId }) => messageId)),
    integers(records.map(({ revision }) => revision)),
    bigints(records.map(({ at }) => at)),
    bigints(records.map(({ day }) => day.start)),
    bigints(records.map(({ cellId }) => cellId)),
    bigints(records.map(({ credits }) => credits)),
    bigints(records.map(({ recordedAt }) => recordedAt)),
    integers(records.map(({ supersededBy }) => supersededBy)),
    bigints(records.map(({ ownAt }) => ownAt)),
    texts(records.map(({ timestamp }) => timestamp)),
    byteStrings(records.map(({ facts }) => facts)),
    byteStrings(records.map(({ digest }) => digest)),
    bigints(days.map(({ day }) => day.start)),
    bigints(days.map(({ day }) => day.periodStart)),
    bigints(days.map(({ messages }) => messages)),
    bigints(days.map(({ unpriced }) => unpriced)),
    bigints(days.map(({ credits }) => credits)),
    bigints(cells.map(({ dayStart }) => dayStart)),
    bigints(cells.map(({ cellId }) => cellId)),
    bigints(cells.map(({ messages }) => messages)),
    bigints(cells.map(({ unpriced }) => unpriced)),
    bigints(cells.map(({ credits }) => credits)),
    ...idColumns(superseded.map(({ messageId }) => messageId)),
    integers(superseded.map(({ revision }) => revision)),
    integers(superseded.map(({ by }) => by)),
    ...LIMITED.map((dimension) =>
      hasNames(records) ? texts(records.map(({ others }) => others?.[dimension])) : NO_TEXTS,
    ),
  ]
}

export const idColumns = (ids: readonly Id[]): readonly [Buffer, Buffer] => {
  const pairs = ids.map(numberAndName)
  return [bigints(pairs.map(([number]) => number)), texts(pairs.map(([, name]) => name))]
}

/** Of most batches, no record keeps any. */
const hasNames = (records: readonly NewRecord[]): boolean => records.some(({ others }) => others !== undefined)

/** `unnest` fills the column with nulls. */
const NO_TEXTS = texts([])

const comesBefore = (one: NewRecord, other: NewRecord): number =>
  compareIds(one.messageId, other.messageId) || one.revision - other.revision

/** Most batches are in order already. */
const inOrder = (records: readonly NewRecord[]): readonly NewRecord[] =>
  records.every((record, index) => index === 0 || comesBefore(records[index - 1] as NewRecord, record) < 0)
    ? records
    : records.toSorted(comesBefore)

type DaySum = Sum & { readonly day: Day; readonly cells: Map<bigint, CellSum> }
type CellSum = Sum & { readonly dayStart: EpochMs; readonly cellId: bigint }

/** What changes in each total, in the order in which totals are locked. */
const totalsOf = (
  records: readonly NewRecord[],
  superseded: readonly Superseded[],
): { readonly days: readonly DaySum[]; readonly cells: readonly CellSum[] } => {
  const byDay = new Map<EpochMs, DaySum>()
  const add = (day: Day, cellId: bigint, added: Readonly<Sum>): void => {
    let sum = byDay.get(day.start)
    if (sum === undefined) {
      sum = { day, ...emptySum(), cells: new Map() }
      byDay.set(day.start, sum)
    }
    addTo(sum, added)
    let cell = sum.cells.get(cellId)
    if (cell === undefined) {
      cell = { dayStart: day.start, cellId, ...emptySum() }
      sum.cells.set(cellId, cell)
    }
    addTo(cell, added)
  }
  for (const { day, cellId, credits, supersededBy } of records) {
    if (supersededBy === undefined) add(day, cellId, sumOfOne(credits))
  }
  for (const { dayStart, cellId, credits } of superseded) {
    // The day is there already, so its period is not used.
    add({ start: dayStart, periodStart: dayStart }, cellId, negated(sumOfOne(credits)))
  }
  const days = [...byDay.values()].sort((one, other) => one.day.start - other.day.start)
  const cells = days.flatMap((day) =>
    [...day.cells.values()].sort((one, other) => (one.cellId < other.cellId ? -1 : 1)),
  )
  return { days, cells }
}

type WriteParts = { readonly cardsVersion: string; readonly supersede?: string; readonly names?: string }

/** Parts read only what an earlier part returned, never a table that the statement changes. */
const write = ({ cardsVersion, supersede = '', names }: WriteParts): string => `
  WITH open AS (
    SELECT 1 FROM account WHERE organization_id = $1 AND closed_until = $2
      AND (${cardsVersion}::bigint IS NULL OR ${cardsVersion} = ${CARDS_VERSION})
  ), days AS (
    INSERT INTO day (organization_id, day_start, period_start, messages, unpriced, credits_micros, version)
    SELECT $1, day_start, period_start, messages, unpriced, credits_micros, 1 + floor(random() * 1048576)::bigint
    FROM open, unnest($16::bigint[], $17::bigint[], $18::bigint[], $19::bigint[], $20::bigint[])
      AS input (day_start, period_start, messages, unpriced, credits_micros)
    ON CONFLICT (organization_id, day_start) DO UPDATE SET
      messages = day.messages + excluded.messages,
      unpriced = day.unpriced + excluded.unpriced,
      credits_micros = day.credits_micros + excluded.credits_micros,
      version = day.version + excluded.version
    RETURNING day_start, period_start
  ), period_cells AS (
    INSERT INTO period_cell (organization_id, period_start, cell_id, messages, unpriced, credits_micros)
    SELECT $1, days.period_start, input.cell_id, sum(input.messages)::bigint, sum(input.unpriced)::bigint,
      sum(input.credits_micros)::bigint
    FROM days JOIN unnest($21::bigint[], $22::bigint[], $23::bigint[], $24::bigint[], $25::bigint[])
      AS input (day_start, cell_id, messages, unpriced, credits_micros) USING (day_start)
    GROUP BY 2, 3 ORDER BY 2, 3
    ON CONFLICT (organization_id, period_start, cell_id) DO UPDATE SET
      messages = period_cell.messages + excluded.messages,
      unpriced = period_cell.unpriced + excluded.unpriced,
      credits_micros = period_cell.credits_micros + excluded.credits_micros
  ), day_cells AS (
    INSERT INTO day_cell (organization_id, day_start, cell_id, messages, unpriced, credits_micros)
    SELECT $1, day_start, cell_id, messages, unpriced, credits_micros
    FROM open, unnest($21::bigint[], $22::bigint[], $23::bigint[], $24::bigint[], $25::bigint[])
      AS input (day_start, cell_id, messages, unpriced, credits_micros)
    ON CONFLICT (organization_id, day_start, cell_id) DO UPDATE SET
      messages = day_cell.messages + excluded.messages,
      unpriced = day_cell.unpriced + excluded.unpriced,
      credits_micros = day_cell.credits_micros + excluded.credits_micros
  )${supersede}
  INSERT INTO record (organization_id, message_number, message_name, revision, at_ms, day_start, cell_id, credits_micros,
    recorded_at, superseded_by, own_at_ms, timestamp, facts, digest${names ? `, ${OTHER_COLUMNS}` : ''})
  SELECT $1, message_number, message_name, revision, at_ms, day_start, cell_id, credits_micros, recorded_at, superseded_by,
    own_at_ms, timestamp, facts, digest${names ? `, ${OTHER_COLUMNS}` : ''}
  FROM open, unnest($3::bigint[], $4::text[], $5::integer[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[],
    $10::bigint[], $11::integer[], $12::bigint[], $13::text[], $14::bytea[], $15::bytea[]${names ? `, ${names}` : ''})
    AS input (message_number, message_name, revision, at_ms, day_start, cell_id, credits_micros, recorded_at, superseded_by,
      own_at_ms, timestamp, facts, digest${names ? `, ${OTHER_COLUMNS}` : ''})`

/** `values`: how many of `writeValues` it has. After them comes the version of the rate cards, or null. */
type WriteStatement = { readonly name: string; readonly text: string; readonly values: number }

export const WRITE: WriteStatement = { name: 'write', text: write({ cardsVersion: '$26' }), values: 25 }

// Found by its key and then changed by its place: joined with the input, all records of the organization could be read.
const SUPERSEDE = `, superseded AS (
    UPDATE record SET superseded_by = input.superseded_by
    FROM open, unnest($26::bigint[], $27::text[], $28::integer[], $29::integer[])
      AS input (message_number, message_name, revision, superseded_by)
    CROSS JOIN LATERAL (
      SELECT ctid AS place FROM record
      WHERE organization_id = $1 AND message_number = input.message_number AND message_name = input.message_name
        AND revision = input.revision
      OFFSET 0
    ) AS old
    WHERE record.organization_id = $1 AND record.ctid = old.place
  )`

const WRITE_AND_SUPERSEDE: WriteStatement = {
  name: 'write-and-supersede',
  text: write({ cardsVersion: '$30', supersede: SUPERSEDE }),
  values: 29,
}

const WRITE_WITH_NAMES: WriteStatement = {
  name: 'write-with-names',
  text: write({ cardsVersion: '$32', supersede: SUPERSEDE, names: '$30::text[], $31::text[]' }),
  values: 31,
}

/** The shortest that writes everything: what is null in all rows would still cost something for each. */
export const statementFor = ({ records, superseded }: Writing): WriteStatement => {
  if (hasNames(records)) return WRITE_WITH_NAMES
  return superseded.length === 0 ? WRITE : WRITE_AND_SUPERSEDE
}

/** The same, as one call that a node of a Citus cluster runs as a whole. Returns whether it was written. */
export const CALL: WriteStatement = {
  name: 'call',
  values: 31,
  text: `SELECT append_usage($1, ${Array.from({ length: 31 }, (_, index) => `$${index + 2}`).join(', ')}) AS is_written`,
}
