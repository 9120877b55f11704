/** The view, and how it is written in the address: anyone who opens the address sees the same view. */
import { useSyncExternalStore } from 'react'
import { AREAS, type Area } from './areas.ts'
import { DIMENSIONS, type Dimension, type DimensionFilters, isOutcome } from './dimensions.ts'

export type Grouping = 'kind' | Dimension
/** What the ranking ranks: the values of a dimension, or the rules of the rate cards. */
export type Ranking = Dimension | 'rule'
/** Named as the service's orders, which lack the model. */
export const SORT_COLUMNS = ['id', 'time', 'report', 'credits', 'member', 'model'] as const
export type SortColumn = (typeof SORT_COLUMNS)[number]
export type SortEntry = { readonly id: SortColumn; readonly desc: boolean }

export type View = DimensionFilters & {
  /** Undefined if there is nothing at the path. */
  readonly area: Area | undefined
  /** `current`, `previous`, or the month or day on which the period starts. */
  readonly period: string
  /** First and last day, inclusive. Takes the place of the period. */
  readonly range: { readonly from: string; readonly to: string } | undefined
  /** What it is compared with: `year`, `none` or the name of a period. Undefined for the period, or the days, before. */
  readonly compare: string | undefined
  /** In which the times of messages are shown. Undefined for that of the organization, by which days and periods always go. */
  readonly zone: string | undefined
  readonly group: Grouping
  /** Each bar is the sum up to there. */
  readonly isRunningTotal: boolean
  /** Undefined for the first that the period has. */
  readonly ranking: Ranking | undefined
  /** Of the messages on the usage, those that cost most in place of the newest. */
  readonly isDearestFirst: boolean
  /** In the order in which the columns were selected. None for the newest first. */
  readonly sort: readonly SortEntry[]
  /** Start of the bar that filters the table. */
  readonly bar: string | undefined
  /** As it was typed. */
  readonly minCredits: string | undefined
  /** Only messages without a price. */
  readonly unpriced: boolean
  /** Part of an id. */
  readonly search: string | undefined
  /** The message whose charge is open. */
  readonly message: number | string | undefined
  readonly isTrying: boolean
  /** Version of the rate card that is read. */
  readonly card: string | undefined
  /** As the address has it: the service answers a wrong one with an error. */
  readonly organization: string | undefined
  /** Parameters of the address that are not valid and have no effect. */
  readonly ignored: readonly string[]
}

/** Years 1000 to 2999. While a year is being typed it starts with zeros, and the day after 9999-12-31 is not a valid date. */
const DAY = /^[12]\d{3}-\d\d-\d\d$/

export const isDay = (text: string): boolean =>
  DAY.test(text) && new Date(`${text}T00:00Z`).toJSON()?.startsWith(text) === true

const isPeriod = (text: string): boolean => text === 'previous' || isDay(text) || isDay(`${text}-01`)

/** A range of days has no counterpart among the periods. */
const readCompare = (text: string | undefined, range: View['range']): string | undefined => {
  if (text === 'year' || text === 'none') return text
  return text !== undefined && text !== 'previous' && isPeriod(text) && range === undefined ? text : undefined
}

/** As the browser writes it; undefined if it knows no such zone. */
const readZone = (text: string | undefined): string | undefined => {
  if (text === undefined || text === '') return undefined
  try {
    return new Intl.DateTimeFormat('en', { timeZone: text }).resolvedOptions().timeZone
  } catch {
    return undefined
  }
}

/** Whether the text is an amount of credits. */
export const isAmount = (text: string): boolean => /^(\d{1,9}(\.\d{0,6})?|\.\d{1,6})$/.test(text)

const isSort = (entry: { readonly id: string; readonly desc: boolean }): entry is SortEntry =>
  SORT_COLUMNS.some((column) => column === entry.id)

/** What is known of a sort, with each column once. The newest first is what no sort gives, so it has one address. */
export const toSort = (entries: readonly { readonly id: string; readonly desc: boolean }[]): readonly SortEntry[] => {
  const known = entries.filter(isSort)
  const sort = known.filter(({ id }, index) => known.findIndex((other) => other.id === id) === index)
  return sort.length === 1 && sort[0]?.id === 'time' && sort[0].desc ? [] : sort
}

type Address = Pick<Location, 'pathname' | 'search'>

/** Ignores whatever is unknown in the query, and names what is invalid. */
export const readView = ({ pathname, search: query }: Address): View => {
  const parameters = new URLSearchParams(query)
  const get = (name: string): string | undefined => parameters.get(name) ?? undefined
  const period = get('period') ?? 'current'
  const [from, to] = [get('from'), get('to')]
  const range = from !== undefined && to !== undefined && isRange({ from, to }) ? { from, to } : undefined
  const group = get('group')
  const bar = get('at')
  const ranking = get('ranking')
  const minCredits = get('min')
  const sort = readSort(get('sort') ?? '')
  const search = parameters.get('search') || undefined
  const area = AREAS.find(({ path }) => path === pathname)?.id
  const view: View = {
    // The messages were at `/` once: an address that sorts or searches them there still does.
    area: area === 'usage' && (sort.length > 0 || search !== undefined) ? 'messages' : area,
    period: isPeriod(period) ? period : 'current',
    range,
    compare: readCompare(get('compare'), range),
    zone: readZone(get('zone')),
    group: group !== undefined && isDimension(group) ? group : 'kind',
    isRunningTotal: parameters.has('running'),
    ranking: ranking !== undefined && (isDimension(ranking) || ranking === 'rule') ? ranking : undefined,
    isDearestFirst: parameters.has('dearest'),
    sort,
    bar: bar !== undefined && !Number.isNaN(Date.parse(bar)) ? bar : undefined,
    ...readDimensions(get),
    anyReport: get('report') === undefined && parameters.has('any-report'),
    minCredits: minCredits !== undefined && isAmount(minCredits) ? minCredits : undefined,
    unpriced: parameters.has('unpriced'),
    search,
    message: readMessage(get('message')),
    isTrying: parameters.has('try'),
    card: area === 'rate-cards' ? get('card') || undefined : undefined,
    organization: get('organization'),
    ignored: [],
  }
  return { ...view, ignored: ignoredIn(parameters, view) }
}

const KNOWN = ['period', 'from', 'to', 'compare', 'zone', 'group', 'ranking', 'sort', 'at', 'outcome', 'min', 'message']
const IGNORED_LENGTH_MAX = 60

/** Known parameters with a value that the view does not have. */
const ignoredIn = (given: URLSearchParams, view: View): readonly string[] => {
  const kept = new URLSearchParams(addressOf(view).split('?')[1])
  const isDefault = (name: string, value: string): boolean =>
    value === '' ||
    (name === 'period' && (value === 'current' || view.range !== undefined)) ||
    (name === 'group' && value === 'kind')
  return KNOWN.flatMap((name) => {
    const value = given.get(name)
    if (value === null || kept.has(name) || isDefault(name, value)) return []
    return `${name}=${value}`.slice(0, IGNORED_LENGTH_MAX)
  })
}

const isDimension = (text: string): text is Dimension => DIMENSIONS.some((dimension) => dimension === text)

/** The service has no longer names. */
const VALUE_LENGTH_MAX = 200

const readDimensions = (get: (name: string) => string | undefined): Omit<DimensionFilters, 'anyReport'> => {
  const read = (dimension: Dimension): string | undefined => {
    const value = get(dimension)
    return value !== undefined && value.length <= VALUE_LENGTH_MAX ? value : undefined
  }
  const outcome = get('outcome')
  return {
    report: get('report'),
    member: read('member'),
    team: read('team'),
    model: read('model'),
    feature: read('feature'),
    outcome: outcome !== undefined && isOutcome(outcome) ? outcome : undefined,
  }
}

const readSort = (text: string): readonly SortEntry[] =>
  toSort(text.split(',').map((part) => ({ id: part.replace(/^-/, ''), desc: part.startsWith('-') })))

/** The number 1 and the string "1" are different ids. The string is written in quotes. */
export const readMessage = (text: string | undefined): number | string | undefined => {
  if (text === undefined || text === '') return undefined
  if (/^".*"$/s.test(text)) return text.slice(1, -1)
  const number = Number(text)
  return Number.isSafeInteger(number) && String(number) === text ? number : text
}

const writeMessage = (id: number | string): string =>
  typeof id === 'string' && (readMessage(id) !== id || id.startsWith('"')) ? `"${id}"` : String(id)

export const addressOf = (view: View): string => {
  const path = AREAS.find(({ id }) => id === view.area)?.path ?? '/'
  const isTable = view.area === 'messages'
  const parameters = new URLSearchParams()
  const put = (name: string, value: string | undefined): void => {
    if (value !== undefined) parameters.set(name, value)
  }
  put('organization', view.organization)
  if (view.range === undefined) put('period', view.period === 'current' ? undefined : view.period)
  put('from', view.range?.from)
  put('to', view.range?.to)
  put('compare', readCompare(view.compare, view.range))
  put('zone', view.zone)
  put('group', view.group === 'kind' ? undefined : view.group)
  put('running', view.isRunningTotal ? '' : undefined)
  put('ranking', view.ranking)
  put('dearest', view.isDearestFirst ? '' : undefined)
  if (isTable) put('sort', view.sort.map(({ id, desc }) => (desc ? `-${id}` : id)).join(',') || undefined)
  put('at', view.bar)
  for (const dimension of DIMENSIONS) put(dimension, view[dimension])
  put('any-report', view.anyReport && view.report === undefined ? '' : undefined)
  put('min', view.minCredits)
  put('unpriced', view.unpriced ? '' : undefined)
  if (isTable) put('search', view.search)
  put('message', view.message === undefined ? undefined : writeMessage(view.message))
  if (view.area === 'rate-cards') put('card', view.card)
  put('try', view.isTrying ? '' : undefined)
  const query = parameters.toString()
  return query === '' ? path : `${path}?${query}`
}

const RANGE_DAYS_MAX = 366 * 30

/** Whether the days, inclusive, are valid, in order, and not too many to show. */
export const isRange = ({ from, to }: { readonly from: string; readonly to: string }): boolean =>
  isDay(from) && isDay(to) && from <= to && Date.parse(to) - Date.parse(from) < RANGE_DAYS_MAX * 86_400_000

const CHANGED = 'viewchange'
const subscribe = (changed: () => void): (() => void) => {
  addEventListener('popstate', changed)
  addEventListener(CHANGED, changed)
  return () => {
    removeEventListener('popstate', changed)
    removeEventListener(CHANGED, changed)
  }
}

let latest = { address: '', view: readView({ pathname: '/', search: '' }) }
const current = (): View => {
  const address = location.pathname + location.search
  if (latest.address !== address) latest = { address, view: readView(location) }
  return latest.view
}

export const useView = (): View => useSyncExternalStore(subscribe, current)

/** `typing` replaces the history entry, so that Back does not go letter by letter. */
export const changeView = (change: Partial<View>, how: 'step' | 'typing' = 'step'): void => {
  const address = addressOf({ ...current(), ...change })
  if (how === 'typing') history.replaceState(null, '', address)
  else if (address !== location.pathname + location.search) history.pushState(null, '', address)
  dispatchEvent(new Event(CHANGED))
}
