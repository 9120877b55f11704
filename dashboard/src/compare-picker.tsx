import { type Overview, PERIODS_SHOWN, usePeriods } from './data.ts'
import { Field } from './field.tsx'
import { spanName } from './format.ts'
import { changeView, type View } from './view.ts'

type Props = { readonly view: View; readonly overview: Overview }

const BEFORE = 'before'

/** Picks what the usage is compared with. A listing is no period, so there is nothing to choose. */
export const ComparePicker = ({ view, overview }: Props) => {
  const periods = usePeriods(view.organization).data ?? []
  const { from, to, timeZone, isListing } = overview
  if (isListing) return null
  const others = periods
    .slice(0, PERIODS_SHOWN)
    .filter(({ start, end }) => Date.parse(start) !== from || Date.parse(end) !== to)
    .map(({ name, start, end }) => ({ value: name, name: spanName(Date.parse(start), Date.parse(end), timeZone) }))
  const { compare = BEFORE, range } = view
  const isKnown = [BEFORE, 'year', 'none'].includes(compare) || others.some(({ value }) => value === compare)
  return (
    <Field name="Compare with" isInline isNameHidden>
      {(input) => (
        <select
          {...input}
          className="compare-picker"
          value={compare}
          onChange={({ target: { value } }) => changeView({ compare: value === BEFORE ? undefined : value })}
        >
          <option value={BEFORE}>{range === undefined ? 'vs previous period' : 'vs previous days'}</option>
          <option value="year">vs a year before</option>
          <option value="none">no comparison</option>
          {range === undefined && others.length > 0 && (
            <optgroup label="Another period">
              {others.map(({ value, name }) => (
                <option key={value} value={value}>
                  vs {name}
                </option>
              ))}
            </optgroup>
          )}
          {!isKnown && <option value={compare}>vs {compare}</option>}
        </select>
      )}
    </Field>
  )
}
