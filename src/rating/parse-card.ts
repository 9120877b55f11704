/** Checks a rate card, and says everything that is wrong with it at once. */
import type { Card } from '#model/card.ts'
import { creditsFromDecimal, DECIMAL_MAX } from '#model/credits.ts'
import { ServiceError } from '#model/errors.ts'
import { OUTCOMES } from '#model/facts.ts'
import { LONGEST_WORD } from '#model/measurement.ts'
import { isPlainText, PLAIN_TEXT } from '#model/plain-text.ts'
import { FACTS, type FactType, isFactName, NAME_PATTERN } from './fact-names.ts'

/** Where, such as `cases[2].lines[0].rate`, and a phrase that completes "must be". */
export type CardFault = { readonly path: string; readonly expected: string }

/** Has all the faults of a card, of which the message names the first. */
export class InvalidRateCard extends ServiceError {
  readonly faults: readonly CardFault[]

  constructor(faults: readonly CardFault[]) {
    const [first] = faults
    const more = faults.length > 1 ? `, and ${faults.length - 1} more` : ''
    super('invalid-request', `rate card: ${first?.path} must be ${first?.expected}${more}`)
    this.faults = faults
  }
}

/** The path of a fault that is not about a field. */
export const WHOLE_CARD = 'the card'
export const CARD_BYTES_MAX = 4 * 1024 * 1024
export const CARD_MODELS_MAX = 20_000
const PER_MAX = 10 ** 12

/** Throws InvalidRateCard. */
export const parseCard = (input: unknown): Card => {
  const faults: CardFault[] = []
  const fail: Fail = (path, expected) => faults.push({ path, expected })
  checkCard(input, fail)
  // Of a card with faults, anything can be in it.
  if (faults.length === 0) {
    const json = JSON.stringify(input)
    if (MAY_BE_ESCAPED.test(json)) checkTexts(input, '', fail)
    // In canonical form, it has the same members in another order.
    if (new TextEncoder().encode(json).length > CARD_BYTES_MAX)
      fail(WHOLE_CARD, `at most ${CARD_BYTES_MAX} bytes of JSON`)
  }
  if (faults.length > 0) throw new InvalidRateCard(faults)
  return input as Card
}

/** How JSON writes U+0000 and lone surrogates. A backslash before it can make it something else. */
const MAY_BE_ESCAPED = /\\u(?:0000|d[89a-f])/

/** Texts that no store could keep. Of a card without other faults, so it is not deep. */
const checkTexts = (input: unknown, path: string, fail: Fail): void => {
  if (typeof input === 'string' && !isPlainText(input)) fail(path, PLAIN_TEXT)
  if (Array.isArray(input)) for (const [index, each] of input.entries()) checkTexts(each, `${path}[${index}]`, fail)
  else if (isFields(input)) {
    for (const [name, each] of Object.entries(input)) {
      const own = member(path, name)
      if (!isPlainText(name)) fail(own, `under a name that is ${PLAIN_TEXT}`)
      checkTexts(each, own, fail)
    }
  }
}

type Fail = (path: string, expected: string) => void
type Fields = Readonly<Record<string, unknown>>

const checkCard = (input: unknown, fail: Fail): void => {
  const card = fieldsAt(input, WHOLE_CARD, fail)
  if (card === undefined) return
  refuseOthers(card, '', ['version', 'prices', 'aliases', 'cases', 'outcomes'], fail)
  checkVersion(card['version'], fail)
  checkPrices(card['prices'], columnsIn(card['cases']), fail)
  checkAliases(card['aliases'], card['prices'], fail)
  checkCases(card['cases'], fail)
  checkOutcomes(card['outcomes'], fail)
}

const checkVersion = (input: unknown, fail: Fail): void => {
  if (typeof input === 'string' && /^[a-z0-9][a-z0-9.-]{0,63}$/.test(input)) return
  fail('version', 'a string of 1 to 64 characters from a-z, 0-9, "." and "-" that starts with a letter or a digit')
}

/** The columns that lines name. What is wrong with the cases is said elsewhere. */
const columnsIn = (cases: unknown): ReadonlySet<unknown> => {
  const fieldOf = (input: unknown, name: string): unknown => (isFields(input) ? input[name] : undefined)
  const listOf = (input: unknown): readonly unknown[] => (Array.isArray(input) ? input : [])
  return new Set(listOf(cases).flatMap((each) => listOf(fieldOf(each, 'lines')).map((line) => fieldOf(line, 'price'))))
}

const checkPrices = (input: unknown, columns: ReadonlySet<unknown>, fail: Fail): void => {
  const prices = optionalFieldsAt(input, 'prices', fail)
  const models = Object.entries(prices)
  if (models.length > CARD_MODELS_MAX) fail('prices', `an object with at most ${CARD_MODELS_MAX} models`)
  for (const [model, rows] of models) {
    const path = `prices[${quoted(model)}]`
    for (const [index, row] of listAt(rows, path, fail, 'a list of at least one row of prices').entries()) {
      if (!hasPricesOnly(row, columns)) checkRow(row, `${path}[${index}]`, columns, fail)
    }
  }
}

/** Whether a row has prices and nothing else, as most have. Found in a fraction of the time, because only a fault needs a path. */
const hasPricesOnly = (row: unknown, columns: ReadonlySet<unknown>): boolean =>
  isFields(row) &&
  Object.keys(row).every((column) => column !== 'when' && columns.has(column) && isAmount(row[column], 0))

const checkRow = (input: unknown, path: string, columns: ReadonlySet<unknown>, fail: Fail): void => {
  const row = fieldsAt(input, path, fail)
  for (const [column, price] of Object.entries(row ?? {})) {
    const own = member(path, column)
    if (column === 'when') checkConditions(price, own, fail)
    else if (!columns.has(column)) fail(own, 'absent, because no line uses this price')
    else checkAmount(price, own, 0, fail)
  }
}

const checkAliases = (input: unknown, prices: unknown, fail: Fail): void => {
  for (const [alias, model] of Object.entries(optionalFieldsAt(input, 'aliases', fail))) {
    const isKey = typeof model === 'string' && isFields(prices) && Object.hasOwn(prices, model)
    if (!isKey) fail(`aliases[${quoted(alias)}]`, 'a model that has prices in this card')
  }
}

const checkCases = (input: unknown, fail: Fail): void => {
  const names = new Set<unknown>()
  for (const [index, each] of listAt(input, 'cases', fail, 'a list of at least one case').entries()) {
    const path = `cases[${index}]`
    const own = fieldsAt(each, path, fail)
    if (own === undefined) continue
    refuseOthers(own, path, ['name', 'when', 'lines', 'minimum', 'multiply'], fail)
    checkName(own['name'], `${path}.name`, fail)
    if (typeof own['name'] === 'string' && names.has(own['name']))
      fail(`${path}.name`, 'different from the names of the cases before')
    names.add(own['name'])
    if (own['when'] !== undefined) checkConditions(own['when'], `${path}.when`, fail)
    for (const [at, line] of listAt(own['lines'], `${path}.lines`, fail).entries()) {
      checkLine(line, `${path}.lines[${at}]`, fail)
    }
    if (own['minimum'] !== undefined) checkAmount(own['minimum'], `${path}.minimum`, 0, fail)
    if (own['multiply'] === undefined) continue
    for (const [at, factor] of listAt(own['multiply'], `${path}.multiply`, fail).entries()) {
      checkFactor(factor, `${path}.multiply[${at}]`, fail)
    }
  }
}

const checkLine = (input: unknown, path: string, fail: Fail): void => {
  const line = fieldsAt(input, path, fail)
  if (line === undefined) return
  refuseOthers(line, path, ['rule', 'of', 'rate', 'price', 'per', 'started', 'from', 'to', 'when'], fail)
  const { rule, of, rate, price, per, started, when } = line
  checkName(rule, `${path}.rule`, fail)
  if (of !== undefined && !isCount(of)) fail(`${path}.of`, 'the name of a fact that is a number')
  if ((rate === undefined) === (price === undefined)) fail(`${path}.rate`, 'there, or else price, and not both')
  else if (rate !== undefined) checkRate(rate, when !== undefined, `${path}.rate`, fail)
  else if (typeof price !== 'string' || price === 'when' || !NAME_PATTERN.test(price)) {
    fail(
      `${path}.price`,
      'the name of a column of prices: 1 to 63 characters from a-z, 0-9 and "_", the first a letter, and not "when"',
    )
  }
  if (per !== undefined && !isWhole(per, 1, PER_MAX)) fail(`${path}.per`, `a whole number from 1 to ${PER_MAX}`)
  if (started !== undefined && typeof started !== 'boolean') fail(`${path}.started`, 'true or false')
  checkBand(line, path, fail)
  if (when !== undefined) checkConditions(when, `${path}.when`, fail)
}

const checkBand = ({ of, from, to }: Fields, path: string, fail: Fail): void => {
  const least = isWhole(from, 1, LONGEST_WORD) ? from : 1
  for (const [name, length] of Object.entries({ from, to })) {
    if (length === undefined) continue
    if (of !== 'words') fail(`${path}.${name}`, 'absent, because only a line of words has a band of lengths')
  }
  if (from !== undefined && !isWhole(from, 1, LONGEST_WORD))
    fail(`${path}.from`, `a whole number from 1 to ${LONGEST_WORD}`)
  if (to === undefined) return
  if (from === undefined) fail(`${path}.from`, 'there, because to is')
  if (!isWhole(to, least, LONGEST_WORD)) fail(`${path}.to`, `a whole number from ${least} to ${LONGEST_WORD}`)
}

const checkFactor = (input: unknown, path: string, fail: Fail): void => {
  const factor = fieldsAt(input, path, fail)
  if (factor === undefined) return
  refuseOthers(factor, path, ['rule', 'by', 'when'], fail)
  checkName(factor['rule'], `${path}.rule`, fail)
  checkAmount(factor['by'], `${path}.by`, 0, fail)
  if (factor['when'] !== undefined) checkConditions(factor['when'], `${path}.when`, fail)
}

const checkOutcomes = (input: unknown, fail: Fail): void => {
  const outcomes = optionalFieldsAt(input, 'outcomes', fail)
  refuseOthers(outcomes, 'outcomes', OUTCOMES, fail)
  for (const outcome of OUTCOMES) {
    if (outcomes[outcome] !== undefined) checkAmount(outcomes[outcome], `outcomes.${outcome}`, 0, fail)
  }
}

const checkConditions = (input: unknown, path: string, fail: Fail): void => {
  const conditions = fieldsAt(input, path, fail)
  if (conditions === undefined) return
  if (Object.keys(conditions).length === 0) fail(path, 'an object with at least one condition')
  for (const [name, condition] of Object.entries(conditions)) {
    const own = member(path, name)
    if (NAME_PATTERN.test(name)) checkCondition(condition, name, own, fail)
    else fail(own, 'absent: names of facts are 1 to 63 characters from a-z, 0-9 and "_", the first a letter')
  }
}

const checkCondition = (input: unknown, name: string, path: string, fail: Fail): void => {
  const type: FactType | undefined = isFactName(name) ? FACTS[name] : undefined
  if (input === '*') return
  if (isFields(input) && (type === 'count' || type === undefined)) {
    checkRange(input, path, fail)
    return
  }
  const values: readonly unknown[] = Array.isArray(input) ? input : [input]
  const isRight = values.length > 0 && values.every((value) => isValue(value, name, type))
  if (!isRight) fail(path, `"*", ${EXPECTED[type ?? 'chosen'](name)}`)
}

const EXPECTED: Readonly<Record<FactType | 'chosen', (name: string) => string>> = {
  flag: () => 'true, false or a list of these',
  count: () => 'a number, a list of numbers, or an object with above, upto or both',
  name: (name) =>
    name === 'outcome' ? `one of ${OUTCOMES.join(', ')}, or a list of these` : 'a string or a list of strings',
  chosen: () => 'a string, a number, true, false, a list of these, or an object with above, upto or both',
}

const isValue = (value: unknown, name: string, type: FactType | undefined): boolean => {
  if (typeof value === 'boolean') return type === 'flag' || type === undefined
  if (typeof value === 'number') return (type === 'count' || type === undefined) && isQuantity(value)
  if (typeof value !== 'string' || value === '*') return false
  return (
    type === undefined || (type === 'name' && (name !== 'outcome' || OUTCOMES.some((outcome) => outcome === value)))
  )
}

const checkRange = (range: Fields, path: string, fail: Fail): void => {
  refuseOthers(range, path, ['above', 'upto'], fail)
  const limits = ['above', 'upto'].filter((name) => range[name] !== undefined)
  if (limits.length === 0) fail(path, 'an object with above, upto or both')
  for (const name of limits) {
    if (!isQuantity(range[name]))
      fail(`${path}.${name}`, 'a number from 0: whole and below 2^53, or below 2^33 with at most six decimals')
  }
}

const checkRate = (input: unknown, isConditional: boolean, path: string, fail: Fail): void => {
  const isNegative = typeof input === 'number' && input < 0
  if (isNegative && !isConditional) fail(path, '0 or more, because the line has no when')
  else checkAmount(input, path, -DECIMAL_MAX, fail)
}

const checkAmount = (input: unknown, path: string, least: number, fail: Fail): void => {
  if (isAmount(input, least)) return
  const range = least === 0 ? 'from 0 to below 2^33' : 'between -2^33 and 2^33'
  fail(path, `a number ${range} with at most six decimals`)
}

const isAmount = (input: unknown, least: number): boolean =>
  typeof input === 'number' && input >= least && creditsFromDecimal(input) !== undefined

const checkName = (input: unknown, path: string, fail: Fail): void => {
  if (typeof input === 'string' && input.length >= 1 && input.length <= 64) return
  fail(path, 'a string of 1 to 64 characters')
}

/** Numbers of this table, or names that senders choose. */
const isCount = (name: unknown): boolean =>
  typeof name === 'string' && (isFactName(name) ? FACTS[name] === 'count' : NAME_PATTERN.test(name))

const isWhole = (input: unknown, least: number, most: number): input is number =>
  typeof input === 'number' && Number.isInteger(input) && input >= least && input <= most

const isQuantity = (input: unknown): boolean =>
  typeof input === 'number' && input >= 0 && (Number.isSafeInteger(input) || creditsFromDecimal(input) !== undefined)

const isFields = (input: unknown): input is Fields =>
  typeof input === 'object' && input !== null && !Array.isArray(input)

const fieldsAt = (input: unknown, path: string, fail: Fail): Fields | undefined => {
  if (isFields(input)) return input
  fail(path, 'an object')
  return undefined
}

const optionalFieldsAt = (input: unknown, path: string, fail: Fail): Fields =>
  input === undefined ? {} : (fieldsAt(input, path, fail) ?? {})

/** A list of at least one element if `expected` says so. */
const listAt = (input: unknown, path: string, fail: Fail, expected?: string): readonly unknown[] => {
  if (Array.isArray(input) && (input.length > 0 || expected === undefined)) return input
  fail(path, expected ?? 'a list')
  return []
}

const refuseOthers = (fields: Fields, path: string, known: readonly string[], fail: Fail): void => {
  for (const name of Object.keys(fields)) {
    if (!known.includes(name)) fail(member(path, name), `absent; the known fields are ${known.join(', ')}`)
  }
}

const member = (path: string, name: string): string => {
  if (!/^[a-z_][a-z0-9_]{0,99}$/i.test(name)) return `${path}[${quoted(name)}]`
  return path === '' ? name : `${path}.${name}`
}

/** Cut off, because a path is repeated in every fault below it, and nothing limits the length of a wrong name. */
const quoted = (name: string): string =>
  JSON.stringify(name.length > NAME_SHOWN_MAX ? `${name.slice(0, NAME_SHOWN_MAX)}…` : name)

const NAME_SHOWN_MAX = 200
