/** The numbered migrations, as statements. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const folder = join(import.meta.dirname, 'migrations')

/** A statement ends with a semicolon before an empty line. */
const statementsOf = (sql: string): readonly string[] => sql.trim().split(/(?<=;)\n\n+/)

export const migrations = readdirSync(folder)
  .sort()
  .map((file) => ({
    version: Number.parseInt(file, 10),
    statements: statementsOf(readFileSync(join(folder, file), 'utf8')),
  }))

/** Every table that a migration creates. Others in the same schema are none of ours. */
export const tableNames: readonly string[] = [
  'schema_migration',
  ...migrations.flatMap(({ statements }) =>
    statements.flatMap((statement) => /^CREATE TABLE (?:IF NOT EXISTS )?(\w+)/m.exec(statement)?.[1] ?? []),
  ),
]
