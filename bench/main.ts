/** `npm run bench` runs everything, `npm run bench -- NAME [sizes…]` one part; README.md lists the parts. */
import { benchContentDigest } from './content-digest.ts'
import { benchDashboard } from './dashboard.ts'
import { benchFastLane } from './fast-lane.ts'
import { benchHeap } from './heap.ts'
import { benchJsonKeys } from './json-keys.ts'
import { benchIntake, benchReads, benchStream } from './ledger.ts'
import { benchLibraries } from './libraries.ts'
import { benchLogLine } from './log-line.ts'
import { benchPostgresArrays } from './postgres-arrays.ts'
import { benchPostgresQueue } from './postgres-queue.ts'
import { benchRating } from './rating.ts'
import { benchReaders } from './readers.ts'
import { createReport } from './report.ts'
import { benchSizes } from './sizes.ts'
import { benchSqliteCheck } from './sqlite-check.ts'
import { benchSqliteReadings } from './sqlite-readings.ts'
import { benchStart } from './start.ts'
import { benchTextScan } from './text-scan.ts'
import { benchThreadTransfer } from './thread-transfer.ts'
import { benchUnchangedCharges } from './unchanged-charges.ts'
import { benchUsage } from './usage.ts'

const [part = 'all', ...sizes] = process.argv.slice(2)
const report = createReport()
if (part === 'all' || part === 'rating') benchRating(report)
if (part === 'all' || part === 'usage') {
  await benchUsage(report, sizes.length > 0 ? sizes.map(Number) : [110, 10_000, 1_000_000])
}
if (part === 'all' || part === 'intake') await benchIntake(report, sizes.length > 0 ? sizes.map(Number) : undefined)
if (part === 'all' || part === 'stream') await benchStream(report, 1_000_000)
if (part === 'all' || part === 'reads') {
  await benchReads(report, sizes.length > 0 ? sizes.map(Number) : [1_000_000, 10_000_000])
}
if (part === 'all' || part === 'readers') await benchReaders(report, Number(sizes[0] ?? 300_000))
if (part === 'all' || part === 'dashboard') {
  await benchDashboard(report, sizes.length > 0 ? sizes.map(Number) : [110, 100_000])
}
if (part === 'all' || part === 'text-scan') await benchTextScan(report)
if (part === 'all' || part === 'content-digest') await benchContentDigest(report)
if (part === 'all' || part === 'json-keys') await benchJsonKeys(report)
if (part === 'all' || part === 'log-line') await benchLogLine(report)
if (part === 'all' || part === 'fast-lane') await benchFastLane(report)
if (part === 'all' || part === 'unchanged-charges') await benchUnchangedCharges(report)
if (part === 'all' || part === 'arrays') await benchPostgresArrays(report)
if (part === 'all' || part === 'queue') {
  await benchPostgresQueue(report, sizes.length > 0 ? sizes.map(Number) : undefined)
}
if (part === 'all' || part === 'transfer') await benchThreadTransfer(report)
if (part === 'all' || part === 'sizes') benchSizes(report)
if (part === 'all' || part === 'readings') await benchSqliteReadings(report, Number(sizes[0] ?? 1_000_000))
if (part === 'all' || part === 'check') {
  await benchSqliteCheck(report, sizes.length > 0 ? sizes.map(Number) : [290_000, 1_000_000])
}
if (part === 'all' || part === 'libraries') await benchLibraries(report)
if (part === 'all' || part === 'start') await benchStart(report)
if (part === 'all' || part === 'heap') await benchHeap(report, sizes.length > 0 ? Number(sizes[0]) : undefined)
process.exit(0)
