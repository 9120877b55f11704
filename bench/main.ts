/** `npm run bench` runs everything, `npm run bench -- NAME [sizes…]` one part; README.md lists them. */
import { benchDashboard } from './dashboard.ts'
import { benchIntake, benchReads, benchStream } from './ledger.ts'
import { benchPostgresArrays } from './postgres-arrays.ts'
import { benchRating } from './rating.ts'
import { benchReaders } from './readers.ts'
import { createReport } from './report.ts'
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
if (part === 'all' || part === 'arrays') await benchPostgresArrays(report)
process.exit(0)
