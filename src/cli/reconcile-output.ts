/** A reconciliation as tables for people, and as CSV. */
import { capitalized } from '#reconciling/capitalized.ts'
import { type VendorName, vendorOf } from '#reconciling/vendors.ts'
import { type Column, grouped, shown, styled, type Terminal, table } from './terminal.ts'

/** Numbers are their digits: a double can lose some of them. */
type Sums = {
  readonly messages: string
  readonly unpriced?: string
  readonly vendor_rows: string
  readonly credits: string
  readonly vendor_credits: string
} & Readonly<Record<Part, string>>

const PARTS = ['missing_here', 'missing_there', 'price', 'rounding', 'unexplained'] as const
type Part = (typeof PARTS)[number] | 'difference'

type Tokens = Readonly<Partial<Record<'input' | 'cache_read' | 'cache_write' | 'output', string>>>

type Compared = Sums & {
  readonly date: string
  readonly user?: string
  readonly model?: string
  readonly vendor_user?: string
  readonly vendor_model?: string
  readonly tokens?: Tokens
  readonly vendor_quantity?: string
  readonly vendor_requests?: string
  readonly vendor_tokens?: Tokens
  readonly explanation?: string
}

type Group = Sums & { readonly date?: string; readonly user?: string; readonly model?: string }

type Reconciled = Sums & {
  readonly organization: string
  readonly vendor: VendorName
  readonly time_zone: string
  readonly from: string
  readonly to: string
  readonly rows: {
    readonly read: string
    readonly repeated: string
    readonly outside: string
    readonly other: readonly { readonly unit: string; readonly rows: string }[]
  }
  readonly unexplained_size: string
  readonly tolerance: string
  readonly is_within_tolerance: boolean
  readonly adjustments: { readonly messages: string; readonly credits: string }
  readonly by_day: readonly Group[]
  readonly by_user: readonly Group[]
  readonly by_model: readonly Group[]
  readonly comparisons: readonly Compared[]
  readonly other_comparisons?: Sums & { readonly groups: string }
}

export const parseExactly = (json: string): Reconciled => {
  type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown
  const revive: Reviver = (_, value, { source }) => (typeof value === 'number' ? source : value)
  return JSON.parse(json, revive as (key: string, value: unknown) => unknown) as Reconciled
}

const MEANINGS = {
  missing_here: 'billed there, and no message is here',
  missing_there: 'charged here, and no row is there',
  price: 'another rate for the same quantity',
  rounding: 'how each side rounds',
  unexplained: 'the rest',
} as const

export const toTables = (out: Terminal['out'], reconciled: Reconciled): string => {
  const { organization, vendor, time_zone: zone, by_user, by_model, by_day, comparisons } = reconciled
  const { title } = vendorOf[vendor]
  const heading = (text: string) => `\n${styled(out, 'cyan', text)}\n`
  const groupTable = (name: string, groups: readonly Group[], nameOf: (group: Group) => string): string =>
    groups.length < 2
      ? ''
      : `${heading(`By ${name}`)}${table(
          out,
          groupColumns(name, title),
          groups
            .slice(0, name === 'day' ? DAYS_SHOWN : GROUPS_SHOWN)
            .map((group) => [shown(nameOf(group)), ...amounts(group)]),
        )}`
  const differing = comparisons.filter(({ explanation }) => explanation !== undefined)
  return [
    `${capitalized(title)} against ${shown(organization)}, ${daysText(reconciled)} (${zone})\n\n`,
    totals(out, reconciled, title),
    remarks(reconciled),
    differing.length === 0 ? '' : `${heading('Largest differences')}${differenceTable(out, differing, title)}`,
    groupTable('user', by_user, ({ user }) => user ?? '(unknown)'),
    groupTable('model', by_model, ({ model }) => model ?? '(unknown)'),
    groupTable('day', by_day, ({ date = '' }) => date),
    `\n${verdict(reconciled)}\n`,
  ].join('')
}

const daysText = ({ from, to }: Pick<Reconciled, 'from' | 'to'>): string => {
  const last = Temporal.PlainDate.from(to).subtract({ days: 1 }).toString()
  return last === from ? from : `${from} to ${last}`
}

const GROUPS_SHOWN = 10
const DAYS_SHOWN = 62

const totals = (out: Terminal['out'], reconciled: Reconciled, title: string): string =>
  table(
    out,
    [
      { title: '', align: 'left' },
      { title: 'credits', align: 'right' },
      { title: '', align: 'left' },
    ],
    [
      [title, amount(reconciled.vendor_credits), count(reconciled.vendor_rows, 'row')],
      ['here', amount(reconciled.credits), count(reconciled.messages, 'message')],
      ['difference', signed(reconciled.difference), ''],
      ...PARTS.map((part) => [`  ${part.replace('_', ' ')}`, signed(reconciled[part]), MEANINGS[part]]),
    ],
  )

const remarks = ({ rows, adjustments, unpriced }: Reconciled): string => {
  const lines = [
    ...(rows.repeated === '0'
      ? []
      : [
          `${count(rows.repeated, 'row')} repeat${rows.repeated === '1' ? 's' : ''} an earlier one and ${isOrAre(rows.repeated)} not counted.`,
        ]),
    ...(rows.outside === '0'
      ? []
      : [`${count(rows.outside, 'row')} of other days ${isOrAre(rows.outside)} not counted.`]),
    ...rows.other.map(
      ({ unit, rows: number }) => `${count(number, 'row')} in ${shown(unit)} ${isOrAre(number)} no usage of a copilot.`,
    ),
    ...(adjustments.messages === '0'
      ? []
      : [
          `${count(adjustments.messages, 'adjustment')} of closed periods, ${amount(adjustments.credits)} credits, ${isOrAre(adjustments.messages)} not compared.`,
        ]),
    ...(unpriced === undefined
      ? []
      : [`${count(unpriced, 'message')} here ${unpriced === '1' ? 'has' : 'have'} no price.`]),
  ]
  return lines.length === 0 ? '' : `\n${lines.join('\n')}\n`
}

const isOrAre = (number: string): string => (number === '1' ? 'is' : 'are')

/** Each row with its sentence below it. */
const differenceTable = (out: Terminal['out'], differing: readonly Compared[], title: string): string => {
  const columns: readonly Column[] = [
    { title: 'day', align: 'left' },
    { title: 'user', align: 'left' },
    { title: 'model', align: 'left' },
    { title, align: 'right' },
    { title: 'here', align: 'right' },
    { title: 'difference', align: 'right' },
  ]
  const rows = differing.map((each) => [
    each.date,
    shown(each.user ?? ''),
    shown(each.model ?? ''),
    amount(each.vendor_credits),
    amount(each.credits),
    signed(each.difference),
  ])
  const [head = '', rule = '', ...lines] = table(out, columns, rows).trimEnd().split('\n')
  const explained = lines.flatMap((line, index) => [
    line,
    `  ${styled(out, 'dim', shown(differing[index]?.explanation ?? ''))}`,
  ])
  return `${[head, rule, ...explained].join('\n')}\n`
}

const groupColumns = (name: string, title: string): readonly Column[] => [
  { title: name, align: 'left' },
  ...[title, 'here', 'difference', 'unexplained'].map((each) => ({ title: each, align: 'right' as const })),
]

const amounts = ({ vendor_credits: theirs, credits, difference, unexplained }: Group): readonly string[] => [
  amount(theirs),
  amount(credits),
  signed(difference),
  signed(unexplained),
]

const verdict = ({ unexplained_size: size, tolerance, is_within_tolerance: isWithin }: Reconciled): string =>
  `Unexplained, each day, user and model by itself: ${amount(size)} credits, ${isWithin ? 'within' : 'above'} the tolerance of ${amount(tolerance)}.`

const count = (number: string, noun: string): string => `${grouped(number)} ${noun}${number === '1' ? '' : 's'}`

/** At least two decimals, so that amounts line up. */
const amount = (decimal: string): string => {
  const [whole = '', fraction = ''] = decimal.split('.')
  return `${grouped(whole)}.${fraction.padEnd(2, '0')}`
}

const signed = (decimal: string): string => `${decimal.startsWith('-') || decimal === '0' ? '' : '+'}${amount(decimal)}`

const CSV_COLUMNS: readonly (readonly [name: string, cell: (each: Compared) => string | undefined])[] = [
  ['date', ({ date }) => date],
  ['user', ({ user }) => inert(user)],
  ['model', ({ model }) => inert(model)],
  ['vendor_user', ({ vendor_user: user }) => inert(user)],
  ['vendor_model', ({ vendor_model: model }) => inert(model)],
  ['messages', ({ messages }) => messages],
  ['unpriced', ({ unpriced }) => unpriced],
  ['vendor_rows', ({ vendor_rows: rows }) => rows],
  ...(['input', 'cache_read', 'cache_write', 'output'] as const).flatMap(
    (kind) =>
      [
        [`${kind}_tokens`, ({ tokens }: Compared) => tokens?.[kind]],
        [`vendor_${kind}_tokens`, ({ vendor_tokens: tokens }: Compared) => tokens?.[kind]],
      ] as const,
  ),
  ['vendor_quantity', ({ vendor_quantity: quantity }) => quantity],
  ['vendor_requests', ({ vendor_requests: requests }) => requests],
  ['credits', ({ credits }) => credits],
  ['vendor_credits', ({ vendor_credits: credits }) => credits],
  ...(['difference', ...PARTS] as const).map((part) => [part, (each: Compared) => each[part]] as const),
  ['explanation', ({ explanation }) => explanation],
]

export const toCsv = ({ comparisons }: Reconciled): string => {
  const rows = comparisons.map((each) => CSV_COLUMNS.map(([, cell]) => cell(each) ?? ''))
  return [CSV_COLUMNS.map(([name]) => name), ...rows].map((cells) => `${cells.map(quoted).join(',')}\r\n`).join('')
}

const quoted = (cell: string): string => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)

/** A spreadsheet would run some texts as formulas, also behind white space and invisible characters, and in full width. */
const inert = (text: string | undefined): string | undefined =>
  text !== undefined && /^(?:[\s\p{Cf}]*[=+\-@＝＋－＠]|[\t\r\n])/u.test(text) ? `'${text}` : text
