/**
 * Brings a file of version 1 to the present version: builds a new file beside it, compares the two, and exchanges them. The old
 * file is kept under another name. If the process is killed, the next start begins again, or finishes the exchange.
 *
 * Older programs may have the file open. The write lock keeps them from committing until the exchange. After it, their file guard
 * finds another file at the path, so they acknowledge nothing and answer nothing from the old one.
 */
import {
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  lstatSync,
  openSync,
  readlinkSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
} from 'node:fs'
import { dirname, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { periodAt } from '#calendar/periods.ts'
import type { MigrationObserver, StoreNotice } from '#ledger/notices.ts'
import { StoreError } from '#model/errors.ts'
import type { EpochMs, Organization } from '#model/organization.ts'
import { findOrganization } from '../shared/catalogue.ts'
import { toCell } from '../shared/rows.ts'
import { Cells } from './cells.ts'
import { advanceMark, type DatabaseMark, expectMark, readMark, writeMarker } from './database-mark.ts'
import { createFile, syncFolder } from './file-modes.ts'
import { checkRevisions, checkTotals, damaged, FINDINGS_MAX } from './integrity.ts'
import { createRun } from './lookups.ts'
import { migrate, versionOf } from './migrate.ts'
import { lockMigration } from './migration-lock.ts'
import { readAsCells } from './version-1.ts'

const OLD_VERSION = 1
/** How many records are copied at a time. */
const PIECE_ROWS = 50_000
const END_OF_TIME = Number.MAX_SAFE_INTEGER
const MIB = 1024 * 1024
/** The new file in relation to the old one (bench/README.md), with some room. */
const SPACE_FACTOR = 1.3
const SPACE_LEAST_BYTES = 16 * MIB
const CACHE_KIB = 32 * 1024
const BUSY_TIMEOUT_MS = 30_000

/** Does nothing unless the file is old, or was being exchanged when a process died. Throws StoreError, and changes nothing then. */
export const rebuildIfOld = (
  path: string,
  marker: DatabaseMark | undefined,
  observe: MigrationObserver,
): readonly StoreNotice[] => {
  const target = targetOf(path)
  if (!isOld(target) && !isHalfExchanged(target)) return []
  using _ = lockMigration(target, () => observe('Another process is migrating the database.'))
  if (isHalfExchanged(target)) finishExchange(target, keptNames(target).present)
  // Otherwise another process has done it meanwhile.
  else if (isOld(target)) rebuild(path, target, marker, observe)
  const kept = keptNames(target).present
  closeLog(kept)
  return [
    {
      severity: 'info',
      message:
        `${path} was migrated. The file of the previous version is kept as ${kept} ` +
        `(${inMib(sizeOf(kept))}): delete it once you are sure that you will not go back`,
    },
  ]
}

/** The path of the file itself: SQLite keeps the log beside that, not beside a symbolic link. */
const targetOf = (path: string): string =>
  lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()
    ? targetOf(resolve(dirname(path), readlinkSync(path)))
    : path

const isOld = (target: string): boolean => {
  if (sizeOf(target) === 0) return false
  try {
    using database = openOld(target)
    return versionOf(database) === OLD_VERSION
  } catch {
    // Whoever opens it says what is wrong with it.
    return false
  }
}

/** The file has left its name, and the complete new one has not got it yet. */
const isHalfExchanged = (target: string): boolean => !existsSync(target) && existsSync(completeNameOf(target))

const unfinishedNameOf = (target: string): string => `${target}.unfinished`
const completeNameOf = (target: string): string => `${target}.complete`

/** The name of the old file that was kept last, and the next one that is free. A restored backup can be migrated once more. */
const keptNames = (target: string): { readonly present: string; readonly free: string } => {
  let present = `${target}.v${OLD_VERSION}`
  let free = present
  for (let number = 2; existsSync(free); number++) {
    present = free
    free = `${target}.v${OLD_VERSION}-${number}`
  }
  return { present, free }
}

const rebuild = (path: string, target: string, marker: DatabaseMark | undefined, observe: MigrationObserver): void => {
  const unfinished = unfinishedNameOf(target)
  remove(unfinished)
  remove(completeNameOf(target))
  using old = openOld(target)
  // From here on, nobody else can commit. Readers of older programs go on.
  old.exec('BEGIN IMMEDIATE')
  expectMark(old, path, marker)
  const before = readMark(old)
  // Without a marker, an older program that starts during the exchange would create an empty database.
  if (marker === undefined && before !== undefined) writeMarker(path, before)
  requireSpace(path, target)
  try {
    createLike(target, unfinished)
    build(path, target, unfinished, marker, observe)
  } catch (error) {
    remove(unfinished)
    throw error
  }
  syncFile(unfinished)
  renameSync(unfinished, completeNameOf(target))
  syncFolder(dirname(target))
  // Windows does not rename an open file. Nor does it if an older program has the file open, and then the exchange fails.
  if (process.platform === 'win32') old.close()
  const kept = keptNames(target).free
  renameSync(target, kept)
  syncFolder(dirname(target))
  // A process that had just opened the file under its name now opens the log: give it the time to find the right one.
  pause(EXCHANGE_PAUSE_MS)
  finishExchange(target, kept)
  old.close()
}

/** Moves the old log away before the new file gets the name: SQLite would apply the log to it. */
const finishExchange = (target: string, kept: string): void => {
  for (const suffix of ['-wal', '-shm']) {
    if (existsSync(`${target}${suffix}`)) renameSync(`${target}${suffix}`, `${kept}${suffix}`)
  }
  syncFolder(dirname(target))
  renameSync(completeNameOf(target), target)
  syncFolder(dirname(target))
}

const openOld = (target: string): DatabaseSync =>
  new DatabaseSync(`${pathToFileURL(target).href}?mode=rw`, { timeout: BUSY_TIMEOUT_MS })

/** Removes the log of the kept file, unless an older program still has it open. */
const closeLog = (kept: string): void => {
  using database = openOld(kept)
  database.exec('PRAGMA busy_timeout = 0; PRAGMA wal_checkpoint(TRUNCATE)')
}

const requireSpace = (path: string, target: string): void => {
  const { bavail, bsize } = statfsSync(dirname(target))
  const needed = SPACE_LEAST_BYTES + Math.ceil(SPACE_FACTOR * (sizeOf(target) + sizeOf(`${target}-wal`)))
  if (bavail * bsize >= needed) return
  throw new StoreError(
    `${path} must be migrated, which needs ${inMib(needed)} of free space in ${dirname(target)}, but there are only ` +
      `${inMib(bavail * bsize)}. Nothing was changed. Free some space and start again`,
  )
}

/** With the owner of the other file, who may be another user than the one who runs this command. */
const createLike = (target: string, created: string): void => {
  createFile(created)
  const { uid, gid } = statSync(target)
  if (process.platform !== 'win32') chownSync(created, uid, gid)
}

const build = (
  path: string,
  target: string,
  unfinished: string,
  marker: DatabaseMark | undefined,
  observe: MigrationObserver,
): void => {
  using database = new DatabaseSync(unfinished)
  // Nothing is synced before the end, because a file that is not complete is thrown away.
  database.exec(`
    PRAGMA main.synchronous = OFF; PRAGMA main.cache_size = -${CACHE_KIB};
    PRAGMA temp_store_directory = '${dirname(unfinished).replaceAll("'", "''")}'`)
  migrate(database, unfinished)
  database.prepare('ATTACH ? AS old').run(`${pathToFileURL(target).href}?mode=rw`)
  database.exec('BEGIN')
  copyCatalogue(database)
  const identity = database.prepare("SELECT sql FROM sqlite_schema WHERE name = 'record_identity'").get()?.['sql']
  // Built at the end, in order: ids in random order would touch pages all over a large index.
  database.exec('DROP INDEX record_identity')
  new RecordCopy(database, observe).copyAll()
  database.exec(String(identity))
  compare(path, target, database)
  advanceMark(database, (marker?.generation ?? 0) + 1)
  database.exec('COMMIT; DETACH old')
}

const copyCatalogue = (database: DatabaseSync): void =>
  database.exec(`
    DELETE FROM account; DELETE FROM billing_calendar; DELETE FROM organization;
    INSERT INTO organization (organization_id, name, created_at)
    SELECT organization_id, name, created_at FROM old.organization;
    INSERT INTO account (organization_id) SELECT organization_id FROM old.organization;
    INSERT INTO billing_calendar (organization_id, effective_from, time_zone, anchor_day)
    SELECT organization_id, effective_from, time_zone, anchor_day FROM old.billing_calendar;
    INSERT INTO api_key (organization_id, key_hash, key_id, name, scopes, created_at, revoked_at)
    SELECT organization_id, key_hash, key_id, name, scopes, created_at, revoked_at FROM old.api_key;
    INSERT INTO report (report_id, name, credit_cost_micros) SELECT report_id, name, credit_cost_micros FROM old.report;
    INSERT INTO installation (name, value) SELECT name, value FROM old.installation;`)

/** Copies records by day, and adds up their totals. The totals of the old file are only compared. */
class RecordCopy {
  readonly #database: DatabaseSync
  readonly #observe: MigrationObserver
  readonly #cells: Cells
  readonly #total: number
  readonly #cut
  readonly #cellsOf
  readonly #copy
  readonly #addUp
  #copied = 0

  constructor(database: DatabaseSync, observe: MigrationObserver) {
    this.#database = database
    this.#observe = observe
    this.#cells = new Cells(database)
    this.#total = numberOf(database, 'SELECT count(*) AS number FROM old.usage_record')
    this.#cut = database.prepare(`
      SELECT at_ms FROM old.usage_record WHERE organization_id = ? AND at_ms >= ? AND at_ms < ?
      ORDER BY at_ms LIMIT 1 OFFSET ${PIECE_ROWS}`)
    this.#cellsOf = database.prepare(`
      SELECT DISTINCT coalesce(report_id, '') AS report_id, coalesce(report_name, '') AS report_name,
        coalesce(member, '') AS member, version AS rate_card
      FROM old.usage_record JOIN old.rate_card USING (rate_card_id)
      WHERE organization_id = ? AND at_ms >= ? AND at_ms < ?`)
    this.#copy = database.prepare(`
      INSERT INTO record (organization_id, at_ms, message_id, revision, day_start, cell_id, credits_micros, facts,
        digest, recorded_at, timestamp, superseded_by)
      SELECT usage_record.organization_id, at_ms, message_id, revision, ?4, cell_id, credits_micros, measurement,
        digest, recorded_at, timestamp, superseded_by
      FROM old.usage_record CROSS JOIN old.rate_card USING (rate_card_id)
        CROSS JOIN cell ON cell.organization_id = usage_record.organization_id AND cell.member = coalesce(usage_record.member, '')
          AND cell.report_id = coalesce(usage_record.report_id, '')
          AND cell.report_name = coalesce(usage_record.report_name, '') AND cell.rate_card = rate_card.version
      WHERE usage_record.organization_id = ?1 AND at_ms >= ?2 AND at_ms < ?3
      ORDER BY at_ms, message_id, revision`)
    this.#addUp = database.prepare(`
      INSERT INTO day_cell (organization_id, day_start, cell_id, messages, unpriced, credits_micros)
      SELECT organization_id, ?4, cell_id, count(*), 0, sum(credits_micros) FROM record
      WHERE organization_id = ?1 AND at_ms >= ?2 AND at_ms < ?3 AND superseded_by IS NULL GROUP BY cell_id
      ON CONFLICT DO UPDATE SET messages = messages + excluded.messages,
        credits_micros = credits_micros + excluded.credits_micros`)
  }

  copyAll(): void {
    this.#tell()
    const run = createRun(this.#database)
    const ids = this.#database.prepare('SELECT DISTINCT organization_id AS id FROM old.daily_total ORDER BY 1').all()
    for (const { id } of ids) {
      const organization = run(findOrganization(String(id)))
      if (organization === undefined) throw new StoreError(`there are records of an unknown organization, ${id}`)
      this.#copyOrganization(organization)
    }
  }

  #copyOrganization({ id, calendar }: Organization): void {
    const days = this.#database
      .prepare('SELECT day_start, version FROM old.daily_total WHERE organization_id = ? ORDER BY day_start')
      .all(id)
    const addDay = this.#database.prepare(`
      INSERT INTO day (organization_id, day_start, period_start, messages, unpriced, credits_micros, version)
      SELECT ?1, ?2, ?3, coalesce(sum(messages), 0), 0, coalesce(sum(credits_micros), 0), ?4
      FROM day_cell WHERE organization_id = ?1 AND day_start = ?2`)
    // A record does not say its day: it is the latest that starts at or before it. Days have no gaps, and a day with records has a
    // total.
    days.forEach(({ day_start, version }, index) => {
      const start = day_start as EpochMs
      this.#copyDay(id, start, (days[index + 1]?.['day_start'] as EpochMs | undefined) ?? END_OF_TIME)
      addDay.run(id, start, periodAt(calendar, start).start, version as number)
    })
    this.#database
      .prepare(`
        INSERT INTO period_cell (organization_id, period_start, cell_id, messages, unpriced, credits_micros)
        SELECT organization_id, period_start, cell_id, sum(day_cell.messages), 0, sum(day_cell.credits_micros)
        FROM day JOIN day_cell USING (organization_id, day_start)
        WHERE organization_id = ? GROUP BY period_start, cell_id`)
      .run(id)
  }

  #copyDay(id: string, day: EpochMs, end: EpochMs): void {
    for (let from = day; from < end; ) {
      const cut = this.#cut.get(id, from, end)?.['at_ms'] as EpochMs | undefined
      // Records of the same instant stay together.
      const to = cut === undefined ? end : Math.max(cut, from + 1)
      for (const row of this.#cellsOf.all(id, from, to)) this.#cells.idOf(id, toCell(row))
      this.#copied += Number(this.#copy.run(id, from, to, day).changes)
      this.#addUp.run(id, from, to, day)
      this.#tell()
      from = to
    }
  }

  #tell(): void {
    const text = (count: number): string => count.toLocaleString('en-US')
    this.#observe(`The database is being migrated: ${text(this.#copied)} of ${text(this.#total)} records.`)
  }
}

/**
 * Throws StoreError unless everything has come over, and the new totals are the old ones. Old totals that contradict the records
 * are not mended, because nobody knows which of the two is right.
 */
const compare = (path: string, target: string, database: DatabaseSync): void => {
  const differing = DIFFERENCES.filter((sql) => numberOf(database, `SELECT ${sql} AS number`) !== 0)
  const findings = differing.length === 0 ? checkRevisions(database) : findingsIn(target)
  if (findings.length > 0) throw damaged(path, findings)
  if (differing.length > 0)
    throw new StoreError(
      `${path} was not migrated: the new file would differ from it. Nothing was changed: stay with the previous release, and report this`,
    )
}

const DIFFERENCES = [
  '(SELECT count(*) FROM old.usage_record) - (SELECT count(*) FROM record)',
  `(SELECT count(*) FROM (
    SELECT 1 FROM (
      SELECT organization_id, day_start, messages, credits_micros FROM old.daily_total
      UNION ALL SELECT organization_id, day_start, -messages, -credits_micros FROM day)
    GROUP BY organization_id, day_start HAVING sum(messages) <> 0 OR sum(credits_micros) <> 0))`,
  `(SELECT count(*) FROM (
    SELECT 1 FROM (
      SELECT organization_id, day_start, report_id, member, messages, credits_micros FROM old.daily_group_total
      UNION ALL SELECT organization_id, day_start, report_id, member, -messages, -credits_micros
      FROM day_cell JOIN cell USING (organization_id, cell_id))
    GROUP BY organization_id, day_start, report_id, member HAVING sum(messages) <> 0 OR sum(credits_micros) <> 0))`,
]

const findingsIn = (target: string): readonly string[] => {
  using database = openOld(target)
  readAsCells(database)
  const findings: string[] = []
  for (const finding of checkTotals(database)) {
    findings.push(finding)
    if (findings.length === FINDINGS_MAX) break
  }
  return findings
}

const numberOf = (database: DatabaseSync, sql: string): number => Number(database.prepare(sql).get()?.['number'])

const syncFile = (path: string): void => {
  const descriptor = openSync(path, 'r+')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

const remove = (path: string): void => {
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(`${path}${suffix}`, { force: true })
}

const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0

const inMib = (bytes: number): string => `${Math.ceil(bytes / MIB).toLocaleString('en-US')} MiB`

const EXCHANGE_PAUSE_MS = 250

const pause = (ms: number): void => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}
