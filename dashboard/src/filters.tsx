import { useRef, useState } from 'react'
import { type Overview, useChoices } from './data.ts'
import { DIMENSION_NAMES, DIMENSIONS, type Dimension } from './dimensions.ts'
import { Field } from './field.tsx'
import './filters.css'
import { BUCKET_NAMES, barName } from './format.ts'
import { compareNames } from './lines.ts'
import { amountOf } from './typed-amount.ts'
import type { Bar } from './usage.ts'
import { changeView, type View } from './view.ts'

type Props = { readonly view: View; readonly overview: Overview; readonly chosen: Bar | undefined }

export const NO_FILTERS = {
  bar: undefined,
  report: undefined,
  anyReport: false,
  member: undefined,
  team: undefined,
  model: undefined,
  feature: undefined,
  outcome: undefined,
  minCredits: undefined,
  unpriced: false,
  search: undefined,
}

export const isFiltered = (view: View): boolean =>
  view.unpriced ||
  view.anyReport ||
  [view.bar, view.minCredits, view.search, ...DIMENSIONS.map((dimension) => view[dimension])].some(
    (each) => each !== undefined,
  )

const KNOWN_FIRST: readonly Dimension[] = ['report', 'member']
/** After all others, so that nothing moves when they come. */
const KNOWN_LATER = DIMENSIONS.filter((dimension) => !KNOWN_FIRST.includes(dimension))

/** One chip for each filter that the period has values for, and for each that is set. */
export const Filters = ({ view, overview, chosen }: Props) => {
  const choices = useChoices(overview)
  const minCredits = useMinCredits(view.minCredits)
  const isClearable = isFiltered(view) || minCredits.typed !== ''
  const [areAllShown, setAreAllShown] = useState(false)
  return (
    <search className={areAllShown ? 'filters all-shown' : 'filters'} aria-label="Filters">
      {/* Where the page is narrow, only the filters that are set are shown until it is pressed. */}
      <button
        type="button"
        className="filters-button"
        aria-expanded={areAllShown}
        onClick={() => setAreAllShown(!areAllShown)}
      >
        Filters
      </button>
      <DayChip overview={overview} chosen={chosen} />
      {KNOWN_FIRST.map((dimension) => (
        <DimensionChip key={dimension} view={view} dimension={dimension} values={choices[dimension]} />
      ))}
      <MinCredits {...minCredits} />
      {(overview.unpriced > 0 || view.unpriced) && (
        <Chip
          name="Price"
          options={[{ value: 'none', name: 'No price' }]}
          value={view.unpriced ? 'none' : undefined}
          choose={(price) => changeView({ unpriced: price !== undefined })}
        />
      )}
      {KNOWN_LATER.map((dimension) => (
        <DimensionChip key={dimension} view={view} dimension={dimension} values={choices[dimension]} />
      ))}
      <button
        type="button"
        className="quiet clear"
        aria-disabled={!isClearable}
        onClick={() => {
          minCredits.setTyped('')
          changeView(NO_FILTERS)
        }}
      >
        Clear filters
      </button>
    </search>
  )
}

const DayChip = ({ overview: { bars, bucket, timeZone }, chosen }: Pick<Props, 'overview' | 'chosen'>) => (
  <Chip
    name={BUCKET_NAMES[bucket]}
    options={bars
      .filter((bar) => bar.messages > 0 || bar === chosen)
      .map((bar) => ({ value: new Date(bar.from).toJSON(), name: barName(bar.from, bar.to, bucket, timeZone) }))}
    value={chosen && new Date(chosen.from).toJSON()}
    choose={(bar) => changeView({ bar })}
  />
)

/** Names are prefixed with `=`, so that none can be mistaken for this or for `all`. */
const ANY_REPORT = 'any'

type DimensionChipProps = {
  readonly view: View
  readonly dimension: Dimension
  readonly values: readonly string[]
}

const DimensionChip = ({ view, dimension, values }: DimensionChipProps) => {
  const isAnyReport = dimension === 'report' && view.anyReport
  const wanted = view[dimension]
  if (values.length === 0 && wanted === undefined && !isAnyReport) return undefined
  const { one, none } = DIMENSION_NAMES[dimension]
  const options = [
    ...(dimension === 'report' ? [{ value: ANY_REPORT, name: 'Any report' }] : []),
    // Every message has an outcome.
    ...(dimension === 'outcome' ? [] : [{ value: '=', name: none }]),
    ...[...values].sort(compareNames).map((name) => ({ value: `=${name}`, name })),
  ]
  return (
    <Chip
      name={one}
      options={options}
      value={isAnyReport ? ANY_REPORT : wanted === undefined ? undefined : `=${wanted}`}
      choose={(value) =>
        changeView({
          [dimension]: value === undefined || value === ANY_REPORT ? undefined : value.slice(1),
          ...(dimension === 'report' && { anyReport: value === ANY_REPORT }),
        })
      }
    />
  )
}

type Option = { readonly value: string; readonly name: string }

type ChipProps = {
  readonly name: string
  readonly options: readonly Option[]
  readonly value: string | undefined
  readonly choose: (value: string | undefined) => void
}

/** The select lies invisibly over its text: on its own it would be as wide as its longest option. */
const Chip = ({ name, options, value, choose }: ChipProps) => {
  const select = useRef<HTMLSelectElement>(null)
  const known = options.find((option) => option.value === value)
  const shown = known?.name ?? value?.replace(/^=/, '')
  return (
    <span className={value === undefined ? 'chip' : 'chip set'}>
      <span className="chip-choice">
        <span className="chip-text" aria-hidden="true">
          {value === undefined ? `+ ${name}` : `${name}: `}
          {value !== undefined && <strong>{shown}</strong>}
        </span>
        <select
          ref={select}
          aria-label={name}
          title={shown}
          value={value ?? 'all'}
          onChange={({ target }) => choose(target.value === 'all' ? undefined : target.value)}
        >
          <option value="all">All</option>
          {options.map((option) => (
            <option key={option.value} value={option.value}>
              {option.name}
            </option>
          ))}
          {value !== undefined && known === undefined && <option value={value}>{shown}</option>}
        </select>
      </span>
      {value !== undefined && (
        <button
          type="button"
          aria-label={`Remove the filter ${name}`}
          onClick={() => {
            select.current?.focus()
            choose(undefined)
          }}
        >
          ×
        </button>
      )}
    </span>
  )
}

type MinCreditsProps = ReturnType<typeof useMinCredits>

const MinCredits = ({ typed, setTyped, isInvalid }: MinCreditsProps) => (
  <span className={typed === '' ? 'chip amount' : 'chip amount set'}>
    <span aria-hidden="true">At least</span>
    <Field name="Minimum credits" isNameHidden problem={isInvalid ? 'Enter a number such as 2.5' : undefined}>
      {(input) => (
        <input
          {...input}
          inputMode="decimal"
          placeholder="0.00"
          value={typed}
          onChange={({ target: { value } }) => {
            setTyped(value)
            changeView({ minCredits: amountOf(value) }, 'typing')
          }}
        />
      )}
    </Field>
    <span aria-hidden="true">credits</span>
  </span>
)

/** Keeps the text as it is being typed. Text that is not an amount filters nothing. */
const useMinCredits = (minCredits: string | undefined) => {
  const [typed, setTyped] = useState(minCredits ?? '')
  const [seen, setSeen] = useState(minCredits)
  const amount = amountOf(typed)
  if (seen !== minCredits) {
    setSeen(minCredits)
    if (minCredits !== amount) setTyped(minCredits ?? '')
  }
  return { typed, setTyped, isInvalid: typed !== '' && typed !== '.' && amount === undefined }
}
