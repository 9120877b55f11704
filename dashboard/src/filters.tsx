import { useState } from 'react'
import type { Overview } from './data.ts'
import { Field } from './field.tsx'
import { barName } from './format.ts'
import { compareNames } from './lines.ts'
import type { Bar } from './usage.ts'
import { changeView, isAmount, type View } from './view.ts'

type Props = { readonly view: View; readonly overview: Overview; readonly chosen: Bar | undefined }

const NONE = { bar: undefined, report: undefined, member: undefined, least: undefined, search: undefined }

export const Filters = ({ view, overview, chosen }: Props) => {
  const { bars, width, timeZone } = overview
  const reports = new Set(bars.flatMap(({ parts }) => parts.flatMap(({ report }) => report ?? [])))
  const days = bars
    .filter((bar) => bar.messages > 0 || bar === chosen)
    .map((bar) => ({ value: new Date(bar.from).toJSON(), name: barName(bar.from, bar.to, width, timeZone) }))
  const least = useLeast(view.least)
  const isFiltered =
    least.typed !== '' || [view.bar, view.report, view.member, view.search].some((each) => each !== undefined)
  return (
    <search className="filters" aria-label="Filters">
      <Field name="Message ID has">
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
        name={{ hour: 'Hour', day: 'Day', week: 'Week', month: 'Month' }[width]}
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
      <Field name="Credits at least" problem={least.isWrong ? 'A number such as 2.5.' : undefined}>
        {(input) => (
          <input
            {...input}
            inputMode="decimal"
            placeholder="0.00"
            value={least.typed}
            onChange={({ target: { value } }) => {
              least.setTyped(value)
              changeView({ least: isAmount(value) ? value : undefined }, 'typing')
            }}
          />
        )}
      </Field>
      <button
        type="button"
        className="quiet"
        aria-disabled={!isFiltered}
        onClick={() => {
          least.setTyped('')
          changeView(NONE)
        }}
      >
        Clear filters
      </button>
    </search>
  )
}

/** What is typed for the least credits stays as it is; where it is no amount it narrows nothing. */
const useLeast = (least: string | undefined) => {
  const [typed, setTyped] = useState(least ?? '')
  const [known, setKnown] = useState(least)
  const amount = isAmount(typed) ? typed : undefined
  if (known !== least) {
    setKnown(least)
    if (least !== amount) setTyped(least ?? '')
  }
  return { typed, setTyped, isWrong: typed !== '' && typed !== '.' && amount === undefined }
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

/** An option's value is written with `=` before it, so that none is taken for all. */
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
