import { useState } from 'react'
import type { Overview } from './data.ts'
import { Field } from './field.tsx'
import { BUCKET_NAMES, barName } from './format.ts'
import { compareNames } from './lines.ts'
import type { Bar } from './usage.ts'
import { changeView, isAmount, type View } from './view.ts'

type Props = { readonly view: View; readonly overview: Overview; readonly chosen: Bar | undefined }

export const NO_FILTERS = {
  bar: undefined,
  report: undefined,
  member: undefined,
  minCredits: undefined,
  unpriced: false,
  search: undefined,
}

export const Filters = ({ view, overview, chosen }: Props) => {
  const { bars, bucket, timeZone } = overview
  const reports = new Set(bars.flatMap(({ parts }) => parts.flatMap(({ report }) => report ?? [])))
  const days = bars
    .filter((bar) => bar.messages > 0 || bar === chosen)
    .map((bar) => ({ value: new Date(bar.from).toJSON(), name: barName(bar.from, bar.to, bucket, timeZone) }))
  const minCredits = useMinCredits(view.minCredits)
  const isFiltered =
    view.unpriced ||
    minCredits.typed !== '' ||
    [view.bar, view.report, view.member, view.search].some((each) => each !== undefined)
  return (
    <search className="filters" aria-label="Filters">
      <Field name="Message ID contains">
        {(input) => (
          <input
            {...input}
            type="search"
            placeholder="Any"
            value={view.search ?? ''}
            onChange={({ target }) => changeView({ search: target.value || undefined }, 'typing')}
          />
        )}
      </Field>
      <Choice
        name={BUCKET_NAMES[bucket]}
        options={days}
        value={chosen && new Date(chosen.from).toJSON()}
        choose={(bar) => changeView({ bar })}
      />
      <Choice
        name="Report"
        options={[{ value: '', name: 'No report' }, ...named(reports)]}
        value={view.report}
        choose={(report) => changeView({ report })}
      />
      {overview.members.length > 0 && (
        <Choice
          name="Member"
          options={[{ value: '', name: 'No member' }, ...named(overview.members)]}
          value={view.member}
          choose={(member) => changeView({ member })}
        />
      )}
      {(overview.unpriced > 0 || view.unpriced) && (
        <Choice
          name="Price"
          options={[{ value: 'none', name: 'No price' }]}
          value={view.unpriced ? 'none' : undefined}
          choose={(price) => changeView({ unpriced: price !== undefined })}
        />
      )}
      <Field name="Minimum credits" problem={minCredits.isInvalid ? 'Enter a number such as 2.5' : undefined}>
        {(input) => (
          <input
            {...input}
            inputMode="decimal"
            placeholder="0.00"
            value={minCredits.typed}
            onChange={({ target: { value } }) => {
              minCredits.setTyped(value)
              changeView({ minCredits: isAmount(value) ? value : undefined }, 'typing')
            }}
          />
        )}
      </Field>
      <button
        type="button"
        className="quiet"
        aria-disabled={!isFiltered}
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

/** Keeps the text as it is being typed. Text that is not an amount filters nothing. */
const useMinCredits = (minCredits: string | undefined) => {
  const [typed, setTyped] = useState(minCredits ?? '')
  const [seen, setSeen] = useState(minCredits)
  const amount = isAmount(typed) ? typed : undefined
  if (seen !== minCredits) {
    setSeen(minCredits)
    if (minCredits !== amount) setTyped(minCredits ?? '')
  }
  return { typed, setTyped, isInvalid: typed !== '' && typed !== '.' && amount === undefined }
}

type Option = { readonly value: string; readonly name: string }

const named = (names: Iterable<string>): readonly Option[] =>
  [...names].sort(compareNames).map((name) => ({ value: name, name }))

type ChoiceProps = {
  readonly name: string
  readonly options: readonly Option[]
  readonly value: string | undefined
  readonly choose: (value: string | undefined) => void
}

/** Values are prefixed with `=`, so that no name can be mistaken for `all`. */
const Choice = ({ name, options, value, choose }: ChoiceProps) => (
  <Field name={name} isSet={value !== undefined}>
    {(input) => (
      <select
        {...input}
        value={value === undefined ? 'all' : `=${value}`}
        onChange={({ target }) => choose(target.value === 'all' ? undefined : target.value.slice(1))}
      >
        <option value="all">All</option>
        {options.map((option) => (
          <option key={option.value} value={`=${option.value}`}>
            {option.name}
          </option>
        ))}
        {value !== undefined && !options.some((option) => option.value === value) && (
          <option value={`=${value}`}>{value}</option>
        )}
      </select>
    )}
  </Field>
)
