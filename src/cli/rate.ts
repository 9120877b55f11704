/** `copilot-credits rate`: the price of a text, with a line for each rule. */
import { text as readAll } from 'node:stream/consumers'
import type { Command } from 'commander'
import type { Charge, ChargeLine } from '#model/charge.ts'
import { plainNumber } from '#model/credits.ts'
import { type Measurement, toMeasurementResponse } from '#model/measurement.ts'
import { measure } from '#rating/measure.ts'
import { ruleText } from '#rating/rules.ts'
import { chargeOfText, standardCard } from '#rating/standard-card.ts'
import { grouped, shown, shownAmount, styled, type Terminal, table } from './terminal.ts'

export const addRateCommand = (program: Command, { out }: Terminal): void => {
  program
    .command('rate')
    .summary('Price a text and show each rule that applied')
    .description(
      'Price texts with the standard rate card and show each rule that applied. Texts never leave this process.',
    )
    .argument('<text...>', 'Texts to price; - reads one from standard input, without a final line break')
    .option('--json', 'Print JSON')
    .action(async (texts: readonly string[], { json }: { readonly json?: true }) => {
      const rated: Rated[] = []
      for (const text of texts) rated.push(rate(text === '-' ? await textFromInput() : text))
      out.write(json === true ? toJson(rated) : rated.map((each) => toTable(out, each)).join('\n'))
    })
}

type Rated = { readonly text: string; readonly measurement: Measurement; readonly charge: Charge }

const rate = (text: string): Rated => {
  const measurement = measure(text)
  return { text, measurement, charge: chargeOfText(measurement) }
}

const textFromInput = async (): Promise<string> => (await readAll(process.stdin)).replace(/\r?\n$/, '')

const toTable = (out: Terminal['out'], { text, charge }: Rated): string => {
  const title = shown(text).length > 72 ? `${shown(text).slice(0, 71)}…` : shown(text)
  const rows = charge.lines.map((line) => [
    nameOf(line),
    grouped(line.quantity),
    shownAmount(line.rate),
    shownAmount(line.credits),
  ])
  const columns = [
    { title: 'rule', align: 'left' },
    { title: 'quantity', align: 'right' },
    { title: 'rate', align: 'right' },
    { title: 'credits', align: 'right' },
  ] as const
  const total = ['total', '', '', shownAmount(charge.credits)]
  return `${styled(out, 'cyan', `“${title}”`)}\n${table(out, columns, rows, [total])}`
}

const nameOf = ({ rule, band }: ChargeLine): string => {
  const name = ruleText(rule, standardCard.version).name.toLowerCase()
  if (band === undefined) return name
  const { from, to } = band
  return `${name} of ${to === undefined ? `${from} or more` : `${from} to ${to}`}`
}

const toJson = (rated: readonly Rated[]): string => {
  const charges = rated.map(({ measurement, charge }) => ({
    credits: plainNumber(charge.credits),
    lines: charge.lines.map((line) => ({ ...line, rate: plainNumber(line.rate), credits: plainNumber(line.credits) })),
    measurement: toMeasurementResponse(measurement),
  }))
  return `${JSON.stringify({ rate_card: standardCard.version, charges }, null, 2)}\n`
}
