/** Checks whether the stored totals equal the sums of the records, and whether every superseded charge has a successor. */
import pg from 'pg'
import { StoreError } from '#model/errors.ts'

/** Returns the findings, one sentence each; none if all is well. Throws StoreError if the database cannot be reached. */
export const checkPostgres = async (url: string): Promise<readonly string[]> => {
  const client = new pg.Client({ connectionString: url })
  try {
    await client.connect()
    // One snapshot, so that the records and totals are from the same moment.
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    const findings: string[] = []
    for (const sql of [DAYS, GROUPS, REVISIONS]) {
      const { rows } = await client.query<{ finding: string }>(sql)
      findings.push(...rows.map(({ finding }) => finding))
    }
    return findings
  } catch (error) {
    throw new StoreError(`cannot check the database: ${(error as Error).message}`, { cause: error })
  } finally {
    await client.end()
  }
}

const DAY = `to_char(to_timestamp(day_start / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')`

const DIFFERENCE = `'the total says ' || coalesce(kept.messages, 0) || ' messages and ' || coalesce(kept.credits, 0)
  || ' micro-credits, the records add up to ' || coalesce(counted.messages, 0) || ' messages and '
  || coalesce(counted.credits, 0) || ' micro-credits'`

const DIFFERS = `(coalesce(kept.messages, 0), coalesce(kept.credits, 0))
  IS DISTINCT FROM (coalesce(counted.messages, 0), coalesce(counted.credits, 0))`

const DAYS = `
  SELECT 'organization ' || organization_id || ', day starting ' || ${DAY} || ': ' || ${DIFFERENCE} AS finding
  FROM (SELECT organization_id, day_start, messages, credits_micros AS credits FROM daily_total) AS kept
  FULL JOIN (
    SELECT organization_id, day_start, count(*) AS messages, sum(credits_micros) AS credits
    FROM usage_record WHERE superseded_by IS NULL GROUP BY organization_id, day_start
  ) AS counted USING (organization_id, day_start)
  WHERE ${DIFFERS} ORDER BY organization_id, day_start LIMIT 100`

const GROUPS = `
  SELECT 'organization ' || organization_id || ', day starting ' || ${DAY} || ', report ' || report_id || ', member '
    || member || ': ' || ${DIFFERENCE} AS finding
  FROM (
    SELECT organization_id, day_start, report_id, member, messages, credits_micros AS credits FROM daily_group_total
  ) AS kept
  FULL JOIN (
    SELECT organization_id, day_start, coalesce(report_id, '') AS report_id, coalesce(member, '') AS member,
      count(*) AS messages, sum(credits_micros) AS credits
    FROM usage_record WHERE superseded_by IS NULL GROUP BY 1, 2, 3, 4
  ) AS counted USING (organization_id, day_start, report_id, member)
  WHERE ${DIFFERS} ORDER BY organization_id, day_start LIMIT 100`

const REVISIONS = `
  SELECT 'message ' || CASE WHEN message_name = '' THEN message_number::text ELSE to_json(message_name)::text END
    || ' of organization ' || organization_id || ': its revisions are not consecutive' AS finding
  FROM usage_record
  GROUP BY organization_id, message_number, message_name
  HAVING count(*) <> max(revision) + 1 OR count(superseded_by) <> count(*) - 1
    OR count(*) FILTER (WHERE superseded_by <> revision + 1) > 0
    OR max(revision) FILTER (WHERE superseded_by IS NULL) <> max(revision)
  LIMIT 100`
