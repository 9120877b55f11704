/** Adds up a vendor's file by day, user and model, as its rows arrive. */
import { hash } from 'node:crypto'
import { setImmediate as letOthersRun } from 'node:timers/promises'
import { CsvReader, type CsvRecord, CsvTooLong } from '#formats/csv.ts'
import { type Exact, ONE } from './decimals.ts'
import { type Columns, delimiterOf, type Layout, layoutOf } from './layout.ts'
import { createTheirKeys, type NameMaps } from './names.ts'
import {
  createRowReader,
  type RowReader,
  type RowSettings,
  type TheirRow,
  TOKEN_KINDS,
  type TokenKind,
} from './their-rows.ts'
import { WrongFile } from './wrong-file.ts'

/** The text of a CSV file in chunks, or rows by the names of their columns. */
export type TheirFile =
  | { readonly text: AsyncIterable<string> | Iterable<string> }
  | { readonly rows: readonly NamedCells[] }
export type NamedCells = Readonly<Record<string, string>>

export type BillSettings = RowSettings & {
  readonly columns: Columns
  readonly names: NameMaps
  /** The first day, and the one after the last. Without it, every row counts. */
  readonly days?: { readonly from: string; readonly to: string } | undefined
  readonly signal?: AbortSignal | undefined
}

export type TheirGroup = {
  readonly date: string
  readonly user: string
  readonly model: string
  rows: number
  amount: Exact
  /** Of rows that say it in two ways: the amount less quantity × rate. */
  gap: Exact
  /** How much more than a credit their credits cost. */
  surcharge: Exact
  /** How many rows have amounts that only they know to be rounded. */
  rowsByAmount: number
  /** Undefined if a row does not say it. */
  credits: Exact | undefined
  requests: Exact | undefined
  isCount: boolean
  readonly tokens: Record<TokenKind, Exact | undefined>
}

export type TheirBill = {
  /** By the keys of day, user and model. */
  readonly groups: ReadonlyMap<string, TheirGroup>
  /** Whether any row names a user, a model. If none does, nobody can compare by it. */
  readonly hasUsers: boolean
  readonly hasModels: boolean
  /** The first day and the last that have rows, whether they count or not. */
  readonly firstDate: string
  readonly lastDate: string
  readonly rows: RowCounts
  /** The most decimals that an amount has, and a number of credits. */
  readonly amountDecimals: number
  readonly creditDecimals: number
  /** What a unit of the column is in credits that amounts are read from: of a dollar, or of a credit. */
  readonly creditsPerUnit: Exact
}

export type RowCounts = {
  readonly read: number
  /** That repeat an earlier row; not counted. */
  readonly repeated: number
  /** Before the first day or after the last; not counted. */
  readonly outside: number
  /** By unit: of other products; not counted. */
  readonly other: ReadonlyMap<string, number>
}

/** The most that is kept of each side. */
export const GROUPS_MAX = 1_000_000

export const groupKeyOf = (date: string, user: string, model: string): string => `${date}\u0000${user}\u0000${model}`

/** Throws WrongFile. */
export const readTheirBill = async (file: TheirFile, settings: BillSettings): Promise<TheirBill> => {
  const bill = new Folded(settings)
  if ('rows' in file) await bill.takeRows(file.rows)
  else await bill.takeText(file.text)
  return bill.result()
}

class Folded {
  readonly #settings: BillSettings
  readonly #keys: ReturnType<typeof createTheirKeys>
  readonly #groups = new Map<string, TheirGroup>()
  readonly #seen = new Map<string, string>()
  readonly #other = new Map<string, number>()
  #layout: Layout | undefined
  #read: RowReader | undefined
  #firstDate = ''
  #lastDate = ''
  #hasUsers = false
  #hasModels = false
  #rows = 0
  #repeated = 0
  #outside = 0
  #amountDecimals = 0
  #creditDecimals = 0

  constructor(settings: BillSettings) {
    this.#settings = settings
    this.#keys = createTheirKeys(settings.names)
  }

  async takeText(text: AsyncIterable<string> | Iterable<string>): Promise<void> {
    let head = ''
    let reader: CsvReader | undefined
    try {
      for await (const chunk of text) {
        await letOthersRun()
        this.#settings.signal?.throwIfAborted()
        if (reader !== undefined) this.#takeRecords(reader.push(chunk))
        else {
          head += chunk
          if (head.length < HEAD_MAX && !/\n|\r./.test(head.trimStart())) continue
          reader = readerFor(head)
          this.#takeRecords(reader.push(withoutMarks(head)))
        }
      }
      if (reader === undefined) {
        reader = readerFor(head)
        this.#takeRecords(reader.push(withoutMarks(head)))
      }
      this.#takeRecords(reader.end())
      if (this.#layout === undefined) throw new WrongFile('the file', 'one with rows: it is empty')
    } catch (error) {
      if (!(error instanceof CsvTooLong)) throw error
      throw new WrongFile(`line ${error.problem.line}`, `shorter: ${error.problem.reason}`)
    }
  }

  async takeRows(rows: readonly NamedCells[]): Promise<void> {
    if (rows.length === 0) throw new WrongFile('rows', 'an array with at least one row: it is empty')
    const names = new Set<string>()
    for (const row of rows) {
      for (const name of Object.keys(row)) names.add(name)
      if (names.size > COLUMNS_MAX) throw new WrongFile('rows', `objects with at most ${COLUMNS_MAX} different names`)
    }
    const titles = [...names]
    this.#begin(titles)
    for (const [index, row] of rows.entries()) {
      if (index % ROWS_PER_TURN === 0) await letOthersRun()
      this.#settings.signal?.throwIfAborted()
      this.#take(
        titles.map((name) => (Object.hasOwn(row, name) ? (row[name] ?? '') : '')),
        `row ${index + 1}`,
      )
    }
  }

  result(): TheirBill {
    const isInUsd = this.#layout?.at.amount_usd !== undefined || this.#layout?.at.preview_amount_usd !== undefined
    if (this.#rows === 0) throw new WrongFile('the file', 'one with rows: it has none below its first row')
    return {
      groups: this.#groups,
      hasUsers: this.#hasUsers,
      hasModels: this.#hasModels,
      firstDate: this.#firstDate,
      lastDate: this.#lastDate,
      rows: { read: this.#rows, repeated: this.#repeated, outside: this.#outside, other: this.#other },
      amountDecimals: this.#amountDecimals,
      creditDecimals: this.#creditDecimals,
      creditsPerUnit: isInUsd ? this.#settings.creditsPerUsd : ONE,
    }
  }

  #begin(titles: readonly string[]): void {
    const { vendor, columns } = this.#settings
    this.#layout = layoutOf(titles, vendor, columns)
    this.#read = createRowReader(this.#layout, this.#settings)
  }

  #takeRecords(records: readonly CsvRecord[]): void {
    for (const record of records) {
      if ('problem' in record) {
        const { line, column, reason } = record.problem
        throw new WrongFile(`line ${line}, column ${column}`, `valid CSV: ${reason}`)
      }
      if (this.#layout !== undefined) this.#take(record.fields, `line ${record.line}`)
      else if (!isBlank(record.fields)) this.#begin(record.fields)
    }
  }

  #take(cells: readonly string[], place: string): void {
    const { width, at } = this.#layout as Layout
    if (cells.length > width && cells.slice(width).some((cell) => cell !== ''))
      throw new WrongFile(place, `a row of ${width} cells like the first row, not ${cells.length}`)
    if (isBlank(cells)) return
    this.#rows++
    if (this.#isRepeated(cells, at.id, place)) {
      this.#repeated++
      return
    }
    const row = (this.#read as RowReader)(cells, place)
    if ('unit' in row) {
      const unit = row.unit.slice(0, NAME_SHOWN_MAX)
      if (this.#other.has(unit) || this.#other.size < UNITS_MAX) this.#other.set(unit, (this.#other.get(unit) ?? 0) + 1)
      return
    }
    if (this.#firstDate === '' || row.date < this.#firstDate) this.#firstDate = row.date
    if (row.date > this.#lastDate) this.#lastDate = row.date
    const { days } = this.#settings
    if (days !== undefined && (row.date < days.from || row.date >= days.to)) this.#outside++
    else this.#add(row)
  }

  /** Throws WrongFile if an id stands for different rows. */
  #isRepeated(cells: readonly string[], idAt: number | undefined, place: string): boolean {
    const id = idAt === undefined ? '' : (cells[idAt] ?? '').trim()
    if (id === '' && !this.#settings.vendor.hasDistinctRows) return false
    const content = digestOf(cells)
    const key = id === '' ? content : digestOf([id])
    const known = this.#seen.get(key)
    this.#seen.set(key, content)
    if (known !== undefined && known !== content)
      throw new WrongFile(`${place}, id`, 'that of one row: an earlier row with the same id says something else')
    return known !== undefined
  }

  #add(row: TheirRow): void {
    const key = groupKeyOf(row.date, this.#keys.member(row.user), this.#keys.model(row.model))
    this.#hasUsers ||= row.user !== ''
    this.#hasModels ||= row.model !== ''
    this.#amountDecimals = Math.max(this.#amountDecimals, row.decimals)
    this.#creditDecimals = Math.max(this.#creditDecimals, row.credits?.decimals ?? 0)
    let group = this.#groups.get(key)
    if (group === undefined) {
      if (this.#groups.size >= GROUPS_MAX)
        throw new WrongFile(
          'the file',
          `one with at most ${GROUPS_MAX} combinations of day, user and model; take fewer days`,
        )
      group = newGroup(row)
      this.#groups.set(key, group)
    }
    addTo(group, row)
  }
}

const newGroup = ({ date, user, model, isCount }: TheirRow): TheirGroup => ({
  date,
  user,
  model,
  rows: 0,
  amount: 0n,
  gap: 0n,
  surcharge: 0n,
  rowsByAmount: 0,
  credits: 0n,
  requests: 0n,
  isCount,
  tokens: { input: 0n, cacheRead: 0n, cacheWrite: 0n, output: 0n },
})

const addTo = (group: TheirGroup, { amount, computed, credits, requests, tokens, isCount }: TheirRow): void => {
  group.rows++
  group.amount += amount
  if (computed === undefined) group.rowsByAmount++
  else {
    group.gap += amount - computed
    if (credits !== undefined) group.surcharge += computed - credits.value
  }
  group.credits = bothOf(group.credits, credits?.value)
  group.requests = bothOf(group.requests, requests)
  group.isCount &&= isCount
  for (const kind of TOKEN_KINDS) group.tokens[kind] = bothOf(group.tokens[kind], tokens[kind])
}

const isBlank = (cells: readonly string[]): boolean => cells.every((cell) => cell.trim() === '')

const bothOf = (sum: Exact | undefined, value: Exact | undefined): Exact | undefined =>
  sum === undefined || value === undefined ? undefined : sum + value

/** 120 bits. */
const digestOf = (cells: readonly string[]): string => hash('sha256', cells.join('\u0001'), 'base64').slice(0, 20)

/** A spreadsheet may say the delimiter in a line of its own. */
const SEP = /^"?sep=(\\t|[^\r\n"])"?[,;\t]*(?:\r\n?|\n)/i

const withoutMarks = (head: string): string => head.replace(/^\ufeff/, '').replace(SEP, '\n')

const readerFor = (head: string): CsvReader => {
  const [, sep] = SEP.exec(head.replace(/^\ufeff/, '')) ?? []
  return new CsvReader(
    sep === undefined ? delimiterOf(withoutMarks(head).slice(0, HEAD_MAX)) : sep === '\\t' ? '\t' : sep,
  )
}

const HEAD_MAX = 64 * 1024
/** Of rows that name their columns: every row is as wide as all names together. */
const COLUMNS_MAX = 200
const ROWS_PER_TURN = 500
const NAME_SHOWN_MAX = 60
const UNITS_MAX = 20
