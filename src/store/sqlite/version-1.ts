/** Databases before cells: records name their report and member themselves, and each day has a total for each of the two. */
import type { DatabaseSync } from 'node:sqlite'
import { versionOf } from './migrate.ts'

/** Lets the checks of `integrity.ts` read a database of version 1, as a backup may be. A cell is then a report and member. */
export const readAsCells = (database: DatabaseSync): void => {
  if (versionOf(database) !== 1) return
  database.exec(`
    CREATE TEMP VIEW record AS
    SELECT organization_id, at_ms, message_id, revision, NULL AS day_start, credits_micros, superseded_by, NULL AS own_at_ms,
      coalesce(report_id, '') || char(0) || coalesce(member, '') AS cell_id
    FROM main.usage_record;

    CREATE TEMP VIEW day AS
    SELECT organization_id, day_start, NULL AS period_start, messages, 0 AS unpriced, credits_micros FROM main.daily_total;

    CREATE TEMP VIEW day_cell AS
    SELECT organization_id, day_start, report_id || char(0) || member AS cell_id, messages, 0 AS unpriced,
      credits_micros
    FROM main.daily_group_total;

    CREATE TEMP VIEW period_cell AS
    SELECT '' AS organization_id, 0 AS period_start, 0 AS cell_id, 0 AS messages, 0 AS unpriced, 0 AS credits_micros WHERE false;

    CREATE TEMP VIEW cell AS
    SELECT organization_id, report_id || char(0) || member AS cell_id, report_id, member, '' AS model, '' AS feature
    FROM main.daily_group_total
    UNION ALL SELECT organization_id, coalesce(report_id, '') || char(0) || coalesce(member, ''), coalesce(report_id, ''),
      coalesce(member, ''), '', ''
    FROM main.usage_record;

    CREATE TEMP VIEW other_name AS
    SELECT organization_id, at_ms, message_id, revision, NULL AS other_model, NULL AS other_feature FROM main.usage_record
    WHERE false;`)
}
