/** `copilot-credits cards import`: a rate card from a public list of prices. */
import { writeFile } from 'node:fs/promises'
import { type Command, InvalidArgumentError } from 'commander'
import { fileProblem } from '#formats/file-problem.ts'
import { dividedBy, type Fraction, fractionOf, readWrittenJson } from '#formats/written-numbers.ts'
import type { Card } from '#model/card.ts'
import { InvalidRateCard, parseCard } from '#rating/parse-card.ts'
import { CommandFailed, WrongFile } from './failure.ts'
import { genaiPrices, loadGenaiPrices } from './genai-prices.ts'
import { readJsonFile } from './json-file.ts'
import { litellmPrices } from './litellm-prices.ts'
import { cardOfPrices, type LeftOut, type PriceList } from './price-list.ts'
import { shown, type Terminal } from './terminal.ts'

type Options = {
  readonly litellm?: string
  readonly genaiPrices?: readonly string[]
  readonly name: string
  readonly usdPerCredit: Fraction
  readonly markup?: Fraction
  readonly models?: readonly string[]
  readonly output?: string
}

export const addCardsImport = (cards: Command, { out, err }: Terminal): void => {
  cards
    .command('import')
    .summary('Make a rate card from a public list of prices')
    .description(
      'Make a rate card from a public list of prices, and print it. Check and store it like any other. What the card cannot ' +
        'say exactly is left out and named, so that it has no price; the exit code is 1 then.',
    )
    .option('--litellm <file>', 'The price file of LiteLLM, model_prices_and_context_window.json; - is standard input')
    .option(
      '--genai-prices <providers>',
      'Providers of the npm package @pydantic/genai-prices, such as openai,anthropic',
      names,
    )
    .requiredOption('--name <version>', 'Version of the card, such as openai-2026-11')
    .requiredOption('--usd-per-credit <dollars>', 'What a credit is worth in US dollars, such as 0.01', dollars)
    .option('--markup <percent>', 'Percent that is added to every price (default: 0)', factor)
    .option('--models <names>', 'Only these models, such as gpt-5.4,claude-*', names)
    .option('--output <file>', 'Write the card to a file instead of standard output')
    .action(async ({ name, usdPerCredit, markup, models, output, ...from }: Options) => {
      const wanted = createSelection(models)
      const list = await listOf(from, wanted.isWanted)
      const { card, leftOut } = cardOfPrices(list, { version: name, usdPerCredit, factor: markup ?? WHOLE })
      const all = [...leftOut, ...wanted.missing()]
      for (const { model, what, why } of all) err.write(`${shown(`${model}: ${what} ${why}`)}\n`)
      await write(checked(card), output, out)
      err.write(`${summaryOf(card, all)}\n`)
      if (all.length > 0) throw new CommandFailed('what is named above is left out of the card, and has no price')
    })
}

const WHOLE: Fraction = { over: 1n, under: 1n }

const listOf = async (
  { litellm, genaiPrices: providers }: Pick<Options, 'litellm' | 'genaiPrices'>,
  isWanted: (model: string) => boolean,
): Promise<PriceList> => {
  if ((litellm === undefined) === (providers === undefined))
    throw new CommandFailed('give either --litellm or --genai-prices', 'usage')
  if (litellm === undefined) return genaiList(providers ?? [], isWanted)
  const list = litellmPrices(await readJsonFile(litellm, readWrittenJson), isWanted)
  if (list === undefined) throw new WrongFile(litellm, ': must be an object with an entry for each model')
  return list
}

const genaiList = async (names: readonly string[], isWanted: (model: string) => boolean): Promise<PriceList> => {
  const known = await loadGenaiPrices()
  const providers = names.map((name) => {
    const found = known.find(({ id }) => id === name)
    if (found !== undefined) return found
    throw new CommandFailed(`no such provider: ${name}; there are ${known.map(({ id }) => id).join(', ')}`, 'usage')
  })
  return genaiPrices(providers, new Date().toISOString().slice(0, 10), isWanted)
}

/** Which models `--models` names, where `*` stands for any characters. */
const createSelection = (patterns: readonly string[] | undefined) => {
  const wanted = patterns?.map((pattern) => ({
    pattern,
    expression: new RegExp(`^${pattern.split('*').map(RegExp.escape).join('.*')}$`, 's'),
    isFound: false,
  }))
  return {
    isWanted: (model: string): boolean => {
      const matching = wanted?.filter(({ expression }) => expression.test(model))
      for (const each of matching ?? []) each.isFound = true
      return matching === undefined || matching.length > 0
    },
    missing: (): readonly LeftOut[] =>
      (wanted ?? [])
        .filter(({ isFound }) => !isFound)
        .map(({ pattern }) => ({ model: pattern, what: 'is', why: 'no model of the list' })),
  }
}

/** Throws CommandFailed. */
const checked = (card: Card): Card => {
  if (Object.keys(card.prices ?? {}).length === 0)
    throw new CommandFailed('none of the models has a price that a card can say')
  try {
    return parseCard(card)
  } catch (error) {
    if (!(error instanceof InvalidRateCard)) throw error
    throw new CommandFailed(`${error.message}; --name and --models decide what is in the card`)
  }
}

const write = async (card: Card, path: string | undefined, out: Terminal['out']): Promise<void> => {
  const text = `${JSON.stringify(card, null, 2)}\n`
  if (path === undefined) out.write(text)
  else
    await writeFile(path, text).catch((error: unknown) => {
      throw new WrongFile(path, `: ${fileProblem(error)}`)
    })
}

/** Says how many models cost nothing, because some lists have a 0 where they know no price. */
const summaryOf = ({ prices = {} }: Card, leftOut: readonly LeftOut[]): string => {
  const models = Object.values(prices)
  const free = models.filter((rows) =>
    rows.every(({ when: _, ...own }) => Object.values(own).every((price) => price === 0)),
  )
  const [taken, without] = [models.length, leftOut.length]
  const freeText = free.length === 0 ? '' : `, ${free.length} of which cost nothing`
  return `${taken} ${taken === 1 ? 'model' : 'models'} in the card${freeText}, ${without} ${without === 1 ? 'price' : 'prices'} left out.`
}

const names = (value: string): readonly string[] => {
  const all = value
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '')
  if (all.length === 0) throw new InvalidArgumentError('Must be names with commas between them.')
  return all
}

const dollars = (value: string): Fraction => {
  const amount = decimalIn(value)
  if (amount === undefined || amount.over === 0n)
    throw new InvalidArgumentError('Must be a decimal number of dollars above 0, such as 0.01.')
  return amount
}

/** 20 percent more are a factor of 1.2. */
const factor = (value: string): Fraction => {
  const percent = decimalIn(value.replace(/%$/, ''))
  if (percent === undefined) throw new InvalidArgumentError('Must be a percentage from 0, such as 20.')
  return dividedBy({ over: percent.over + 100n * percent.under, under: percent.under }, { over: 100n, under: 1n })
}

const decimalIn = (value: string): Fraction | undefined =>
  /^\d+(?:\.\d+)?$/.test(value) ? fractionOf(value) : undefined
