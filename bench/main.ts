/** `npm run bench` runs everything, `npm run bench -- NAME [sizes…]` one part; README.md lists the parts. */
import { benchCells } from './cells.ts'
import { benchContentDigest } from './content-digest.ts'
import { benchDashboard } from './dashboard.ts'
import { benchFastLane } from './fast-lane.ts'
import { benchHeap } from './heap.ts'
import { benchJsonKeys } from './json-keys.ts'
import { benchIntake, benchReads, benchStream } from './ledger.ts'
import { benchLibraries } from './libraries.ts'
import { benchLogLine } from './log-line.ts'
import { benchMigration } from './migration.ts'
import { benchOtlp } from './otlp.ts'
import { benchPostgresArrays } from './postgres-arrays.ts'
import { benchPostgresQueue } from './postgres-queue.ts'
import { benchCards, benchRating } from './rating.ts'
import { benchReaders } from './readers.ts'
import { createReport } from './report.ts'
import { benchRequestCounts } from './request-counts.ts'
import { benchRules } from './rules.ts'
import { benchSimulations } from './simulations.ts'
import { benchSizes } from './sizes.ts'
import { benchSqliteCheck } from './sqlite-check.ts'
import { benchSqliteReadings } from './sqlite-readings.ts'
import { benchStart } from './start.ts'
import { benchTextScan } from './text-scan.ts'
import { benchThreadTransfer } from './thread-transfer.ts'
import { benchTokens } from './tokens.ts'
import { benchUnchangedCharges } from './unchanged-charges.ts'
import { benchUsage } from './usage.ts'

const [part, ...sizes] = process.argv.slice(2)
const report = createReport()
const first = sizes[0] === undefined ? undefined : Number(sizes[0])
const sizesOr = (...byDefault: readonly number[]): readonly number[] =>
  sizes.length > 0 ? sizes.map(Number) : byDefault

const PARTS: Readonly<Record<string, () => void | Promise<void>>> = {
  rating: () => benchRating(report),
  cards: () => benchCards(report),
  usage: () => benchUsage(report, sizesOr(110, 10_000, 1_000_000)),
  intake: () => benchIntake(report, sizes.length > 0 ? sizes.map(Number) : undefined),
  tokens: () => benchTokens(report),
  otlp: () => benchOtlp(report, first),
  stream: () => benchStream(report, 1_000_000),
  reads: () => benchReads(report, sizesOr(1_000_000, 10_000_000)),
  cells: () => benchCells(report, first ?? 1_000_000),
  readers: () => benchReaders(report, first ?? 300_000),
  dashboard: () => benchDashboard(report, sizesOr(110, 100_000, 1_000_000)),
  'text-scan': () => benchTextScan(report),
  'content-digest': () => benchContentDigest(report),
  'json-keys': () => benchJsonKeys(report),
  'log-line': () => benchLogLine(report),
  'fast-lane': () => benchFastLane(report),
  'request-counts': () => benchRequestCounts(report),
  'unchanged-charges': () => benchUnchangedCharges(report),
  arrays: () => benchPostgresArrays(report),
  queue: () => benchPostgresQueue(report, sizes.length > 0 ? sizes.map(Number) : undefined),
  transfer: () => benchThreadTransfer(report),
  sizes: () => benchSizes(report),
  readings: () => benchSqliteReadings(report, first ?? 1_000_000),
  rules: () => benchRules(report, first ?? 1_000_000),
  simulations: () => benchSimulations(report, first ?? 1_000_000),
  migration: () => benchMigration(report, sizesOr(100_000, 1_000_000)),
  check: () => benchSqliteCheck(report, sizesOr(290_000, 1_000_000)),
  libraries: () => benchLibraries(report),
  start: () => benchStart(report),
  heap: () => benchHeap(report, first),
}

const chosen = part === undefined ? Object.values(PARTS) : [PARTS[part]]
for (const run of chosen) {
  if (run === undefined) {
    process.stderr.write(`There is no benchmark ${part}. There are: ${Object.keys(PARTS).join(', ')}.\n`)
    process.exit(2)
  }
  await run()
}
process.exit(0)
