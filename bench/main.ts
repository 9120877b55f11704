/** `npm run bench`: everything; `npm run bench -- rating`, `npm run bench -- usage [messages…]`: a part. */
import { benchRating } from './rating.ts'
import { createReport } from './report.ts'
import { benchUsage } from './usage.ts'

const [part = 'all', ...sizes] = process.argv.slice(2)
const report = createReport()
if (part === 'all' || part === 'rating') benchRating(report)
if (part === 'all' || part === 'usage') {
  await benchUsage(report, sizes.length > 0 ? sizes.map(Number) : [110, 10_000, 1_000_000])
}
process.exit(0)
