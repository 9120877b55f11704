/** `npm run bench`: everything; `npm run bench -- rating`, `usage [messages…]`, `intake [messages a request…]`, `reads [records…]`, `stream`, `readers [messages]`, `dashboard [messages…]`, `text-scan`, `content-digest`, `json-keys`, `log-line`, `fast-lane`, `request-counts` or `unchanged-charges`: a part. */
import { benchContentDigest } from './content-digest.ts'
import { benchDashboard } from './dashboard.ts'
import { benchFastLane } from './fast-lane.ts'
import { benchJsonKeys } from './json-keys.ts'
import { benchIntake, benchReads, benchStream } from './ledger.ts'
import { benchLogLine } from './log-line.ts'
import { benchRating } from './rating.ts'
import { benchReaders } from './readers.ts'
import { createReport } from './report.ts'
import { benchRequestCounts } from './request-counts.ts'
import { benchTextScan } from './text-scan.ts'
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
if (part === 'all' || part === 'request-counts') await benchRequestCounts(report)
if (part === 'all' || part === 'unchanged-charges') await benchUnchangedCharges(report)
process.exit(0)
