/** How many bytes does the measurement of a text take, and how many would the lines of its charge take as JSON? */

import { measure } from '../src/rating/measure.ts'
import { packMeasurement } from '../src/rating/packed-measurement.ts'
import { chargeOfText } from '../src/rating/standard-card.ts'
import type { Report } from './report.ts'
import { benchTexts } from './texts.ts'

export const benchSizes = (report: Report): void => {
  const { source, texts } = benchTexts()
  report.heading(`Bytes kept of a text: ${texts.length.toLocaleString('en')} ${source}`)
  const packed: number[] = []
  const lines: number[] = []
  for (const text of texts) {
    const measurement = measure(text)
    packed.push(packMeasurement(measurement).length)
    lines.push(Buffer.byteLength(JSON.stringify(chargeOfText(measurement).lines)))
  }
  report.table(
    ['', 'mean, bytes', 'min', 'p5', 'p95', 'max'],
    [
      ['the measurement, packed', ...distribution(packed)],
      ['the lines of the charge, as JSON', ...distribution(lines)],
    ],
  )
}

const distribution = (sizes: readonly number[]): readonly string[] => {
  const sorted = sizes.toSorted((one, other) => one - other)
  const at = (part: number): string => String(sorted[Math.min(Math.floor(sorted.length * part), sorted.length - 1)])
  return [(sizes.reduce((sum, size) => sum + size, 0) / sizes.length).toFixed(1), at(0), at(0.05), at(0.95), at(1)]
}
