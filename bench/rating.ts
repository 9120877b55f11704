/** Measures how fast one core measures and prices texts, compared with the naive rules in the same run. */
import { compileCard } from '../src/rating/compile-card.ts'
import { measure } from '../src/rating/measure.ts'
import { parseCard } from '../src/rating/parse-card.ts'
import { chargeOfText, standardCard } from '../src/rating/standard-card.ts'
import { naivePricing } from '../test/naive-card.ts'
import { naivePrice } from '../test/naive-rating.ts'
import { median, type Report } from './report.ts'
import { benchTexts } from './texts.ts'

const ROUNDS = 7

export const benchRating = (report: Report): void => {
  const { source, texts } = benchTexts()
  const megabytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0) / 1e6
  report.heading(
    `Rating: ${texts.length} ${source}, ${megabytes.toFixed(1)} MB, median of ${ROUNDS} alternating rounds`,
  )

  const ours: number[] = []
  const naive: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    report.progress('rating', round, ROUNDS)
    ours.push(secondsOf(texts, rateOne))
    naive.push(secondsOf(texts, naiveOne))
  }
  const row = (name: string, seconds: number) =>
    [name, Math.round(texts.length / seconds).toLocaleString('en'), (megabytes / seconds).toFixed(1)] as const
  report.table(['', 'messages/s', 'MB/s'], [row('measure + price', median(ours)), row('naive', median(naive))])
  report.line(
    `measure + price is ${(median(naive) / median(ours)).toFixed(1)} times as fast as the naive rules (ratio of the medians).`,
  )

  report.heading('A message of 250 code points, by script (min and median of 60 rounds)')
  report.table(
    ['script', 'messages', 'min ns', 'median ns'],
    [...scripts(texts)].map(([name, list]) => {
      const rounds = Array.from({ length: 60 }, () => nanosecondsEach(list)).sort((one, other) => one - other)
      return [name, String(list.length), (rounds[0] ?? 0).toFixed(0), median(rounds).toFixed(0)]
    }),
  )
}

/** Prices what was measured before, by rate cards alone. */
export const benchCards = (report: Report): void => {
  const texts = benchTexts()
    .texts.slice(0, 5000)
    .map((text) => ({ measurement: measure(text) }))
  const parsed = parseCard(TOKEN_CARD)
  const tokenCard = compileCard(parsed)
  const tokens = Array.from({ length: 5000 }, (_, at) => ({
    model: 'm',
    tokens: {
      input: 1000 + at * 17,
      cacheRead: at * 3,
      cacheWrite: 0,
      output: 400 + at,
      reasoning: 100,
      cacheWrite1h: 0,
    },
  }))
  const ways: Readonly<Record<string, () => void>> = {
    'text, with lines': () => texts.forEach(standardCard.price),
    'text, total': () => texts.forEach(standardCard.total),
    'tokens, with lines': () => tokens.forEach(tokenCard.price),
    'tokens, total': () => tokens.forEach(tokenCard.total),
    'tokens, naive': () => {
      for (const facts of tokens) naivePricing(parsed, facts)
    },
  }
  report.heading('A message by its rate card (min and median of 200 alternating rounds of 5,000 messages)')
  const times = new Map(Object.keys(ways).map((name) => [name, [] as number[]]))
  for (let round = 0; round < 220; round++) {
    for (const [name, run] of Object.entries(ways)) {
      const startedAt = performance.now()
      run()
      if (round >= 20) times.get(name)?.push(((performance.now() - startedAt) * 1e6) / 5000)
    }
  }
  report.table(
    ['', 'min ns', 'median ns'],
    [...times].map(([name, own]) => [name, Math.min(...own).toFixed(0), median(own).toFixed(0)]),
  )
}

const TOKEN_CARD = {
  version: 'tokens',
  prices: {
    m: [
      { when: { prompt_tokens: { above: 272_000 } }, input: 500, cache_read: 50, output: 2250 },
      { input: 250, cache_read: 25, output: 1500 },
    ],
  },
  cases: [
    {
      name: 'tokens',
      when: { model: '*' },
      lines: [
        { rule: 'input', of: 'input_tokens', per: 1_000_000, price: 'input' },
        { rule: 'cache-read', of: 'cache_read_tokens', per: 1_000_000, price: 'cache_read' },
        { rule: 'cache-write', of: 'cache_write_tokens', per: 1_000_000, price: 'cache_write' },
        { rule: 'output', of: 'output_tokens', per: 1_000_000, price: 'output' },
      ],
    },
  ],
}

const rateOne = (text: string): number => chargeOfText(measure(text)).credits
const naiveOne = (text: string): number => Number(naivePrice(text))

/** The sum keeps the work from being optimized away, and costs both versions the same. */
const secondsOf = (texts: readonly string[], rate: (text: string) => number): number => {
  const startedAt = performance.now()
  let sum = 0
  for (const text of texts) sum += rate(text)
  if (sum <= 0) throw new Error('nothing was rated')
  return (performance.now() - startedAt) / 1000
}

const nanosecondsEach = (texts: readonly string[]): number => {
  const times = Math.ceil(10_000 / texts.length)
  const startedAt = performance.now()
  let sum = 0
  for (let time = 0; time < times; time++) for (const text of texts) sum += rateOne(text)
  if (sum <= 0) throw new Error('nothing was rated')
  return ((performance.now() - startedAt) * 1e6) / (times * texts.length)
}

const SCRIPTS = {
  ASCII: /^[\x20-\x7e]*$/,
  Cyrillic: /\p{Script=Cyrillic}/u,
  Greek: /\p{Script=Greek}/u,
  Devanagari: /\p{Script=Devanagari}/u,
  Arabic: /\p{Script=Arabic}/u,
  Han: /\p{Script=Han}/u,
  Hangul: /\p{Script=Hangul}/u,
} as const

/** Messages of one script, joined and cut to 250 code points; for ASCII, messages of about that length. */
const scripts = (texts: readonly string[]): ReadonlyMap<string, readonly string[]> => {
  const found = new Map<string, readonly string[]>()
  for (const [name, pattern] of Object.entries(SCRIPTS)) {
    const some = texts.filter((text) => text.length < 2000 && pattern.test(text))
    const exact = name === 'ASCII' ? some.filter((text) => text.length >= 245 && text.length <= 255) : []
    const list = exact.length >= 20 ? exact : cut(some).slice(0, 60)
    if (list.length > 0) found.set(name, list)
  }
  return found
}

const cut = (texts: readonly string[]): readonly string[] => {
  const all = Array.from(texts.slice(0, 1500).join(' '))
  const count = Math.floor(all.length / 250)
  return Array.from({ length: count }, (_, index) => all.slice(index * 250, (index + 1) * 250).join(''))
}
