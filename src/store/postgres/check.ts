/**
 * Checks whether the totals equal the sums of the records, whether every record has its cell and the names that this lacks, and
 * whether the revisions of each message follow each other.
 */
import pg from 'pg'
import { StoreError } from '#model/errors.ts'
import { LIMITED, OTHER, otherColumn } from '../shared/others.ts'

/** Returns the findings, one sentence each; none if all is well. Throws StoreError if the database cannot be reached. */
export const checkPostgres = async (url: string): Promise<readonly string[]> => {
  const client = new pg.Client({ connectionString: url })
  try {
    await client.connect()
    // One snapshot, so that the records and totals are from the same moment.
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    const { rows } = await client.query("SELECT to_regclass('usage_record') IS NOT NULL AS is_version_1")
    return rows[0]?.is_version_1
      ? await findingsOfVersion1(client)
      : await findingsOf(client, [DAYS, DAY_CELLS, PERIOD_CELLS, CELLS, REVISIONS])
  } catch (error) {
    throw new StoreError(`cannot check the database: ${(error as Error).message}`, { cause: error })
  } finally {
    await client.end()
  }
}

const findingsOf = async (client: pg.ClientBase, queries: readonly string[]): Promise<readonly string[]> => {
  const findings: string[] = []
  for (const sql of queries) {
    const { rows } = await client.query<{ finding: string }>(sql)
    findings.push(...rows.map(({ finding }) => finding))
  }
  return findings
}

/** A database that has not been migrated yet has totals by report and member instead of cells. */
export const findingsOfVersion1 = (client: pg.ClientBase): Promise<readonly string[]> =>
  findingsOf(client, [OLD_DAYS, OLD_GROUPS, revisions('usage_record', 'NULL::bigint')])

const instant = (column: string): string =>
  `to_char(to_timestamp(${column} / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')`

const sumsText = (of: string): string =>
  `coalesce(${of}.messages, 0) || ' messages' || coalesce(', ' || nullif(${of}.unpriced, 0) || ' of them unpriced,', '') || ' and ' || coalesce(${of}.credits, 0) || ' micro-credits'`

/** Compares stored totals with what they should be, both with the columns `keys`, `messages` and `credits`. */
const differences = (keys: string, of: string, kept: string, counted: string, addUp: string): string => `
  SELECT 'organization ' || organization_id || ', ' || ${of} || ': the total says ' || ${sumsText('kept')} || ', ${addUp} '
    || ${sumsText('counted')} AS finding
  FROM (${kept}) AS kept FULL JOIN (${counted}) AS counted USING (${keys})
    ${keys.includes('cell_id') ? 'LEFT JOIN cell USING (organization_id, cell_id)' : ''}
  WHERE (coalesce(kept.messages, 0), coalesce(kept.unpriced, 0), coalesce(kept.credits, 0))
    IS DISTINCT FROM (coalesce(counted.messages, 0), coalesce(counted.unpriced, 0), coalesce(counted.credits, 0))
  ORDER BY ${keys} LIMIT 100`

const OLD_CELL = `', report ' || coalesce(nullif(report_id, ''), 'none') || ', member ' || coalesce(nullif(member, ''), 'none')`

const CELL = [
  OLD_CELL,
  ...['team', 'model', 'feature', 'outcome'].map((column) => `coalesce(', ${column} ' || nullif(${column}, ''), '')`),
].join(' || ')

const ofRecords = (keys: string, records = 'record'): string => `
  SELECT ${keys}, count(*) AS messages, count(*) - count(credits_micros) AS unpriced,
    coalesce(sum(credits_micros), 0) AS credits FROM ${records} WHERE superseded_by IS NULL
  GROUP BY ${keys}`

const OLD_DAYS = differences(
  'organization_id, day_start',
  `'day starting ' || ${instant('day_start')}`,
  'SELECT organization_id, day_start, messages, 0 AS unpriced, credits_micros AS credits FROM daily_total',
  ofRecords('organization_id, day_start', 'usage_record'),
  'the records add up to',
)

const OLD_GROUPS = differences(
  'organization_id, day_start, report_id, member',
  `'day starting ' || ${instant('day_start')} || ${OLD_CELL}`,
  'SELECT organization_id, day_start, report_id, member, messages, 0 AS unpriced, credits_micros AS credits FROM daily_group_total',
  ofRecords(
    'organization_id, day_start, report_id, member',
    `(SELECT organization_id, day_start, coalesce(report_id, '') AS report_id, coalesce(member, '') AS member, credits_micros,
        superseded_by FROM usage_record) AS record`,
  ),
  'the records add up to',
)

const DAYS = differences(
  'organization_id, day_start',
  `'day starting ' || ${instant('day_start')}`,
  'SELECT organization_id, day_start, messages, unpriced, credits_micros AS credits FROM day',
  ofRecords('organization_id, day_start'),
  'the records add up to',
)

const DAY_CELLS = differences(
  'organization_id, day_start, cell_id',
  `'day starting ' || ${instant('day_start')} || ${CELL}`,
  'SELECT organization_id, day_start, cell_id, messages, unpriced, credits_micros AS credits FROM day_cell',
  ofRecords('organization_id, day_start, cell_id'),
  'the records add up to',
)

const PERIOD_CELLS = differences(
  'organization_id, period_start, cell_id',
  `'period starting ' || ${instant('period_start')} || ${CELL}`,
  'SELECT organization_id, period_start, cell_id, messages, unpriced, credits_micros AS credits FROM period_cell',
  `SELECT organization_id, period_start, cell_id, sum(day_cell.messages) AS messages, sum(day_cell.unpriced) AS unpriced,
     sum(day_cell.credits_micros) AS credits
   FROM day_cell JOIN day USING (organization_id, day_start) GROUP BY 1, 2, 3`,
  'its days add up to',
)

const MESSAGE = `'message ' || CASE WHEN message_name = '' THEN message_number::text ELSE to_json(message_name)::text END
  || ' of organization ' || organization_id`

const CELLS = `
  SELECT ${MESSAGE} || CASE WHEN cell.member IS NULL THEN ': its cell does not exist'
    ELSE ': revision ' || revision || ' keeps a model or feature that does not count to "${OTHER}", or lacks one that does' END AS finding
  FROM record LEFT JOIN cell USING (organization_id, cell_id)
  WHERE cell.member IS NULL
    OR ${LIMITED.map((by) => `(cell.${by} = '${OTHER}') <> (${otherColumn(by)} IS NOT NULL)`).join(' OR ')}
  LIMIT 100`

/** Every later revision supersedes the one before it, or adjusts it, if that is in a closed period. */
const revisions = (records: string, ownAt: string): string => `
  SELECT ${MESSAGE} || ': its revisions are not consecutive' AS finding
  FROM (
    SELECT *, lead(revision) OVER revisions AS next, lead(${ownAt}) OVER revisions AS next_own_at,
      row_number() OVER revisions - 1 AS place
    FROM ${records} WINDOW revisions AS (PARTITION BY organization_id, message_number, message_name ORDER BY revision)
  ) AS charge
  WHERE revision <> place OR superseded_by IS DISTINCT FROM next AND (superseded_by IS NOT NULL OR next_own_at IS NULL)
  LIMIT 100`

const REVISIONS = revisions('record', 'own_at_ms')
