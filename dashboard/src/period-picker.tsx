import { useState } from 'react'
import { type Overview, PERIODS_SHOWN, usePeriods } from './data.ts'
import { Field } from './field.tsx'
import { dayOf, spanName } from './format.ts'
import { type Chosen, presetsFor, stepFrom } from './period-steps.ts'
import { changeView, isDay, isRange, type View } from './view.ts'

const NARROWED = { bar: undefined, message: undefined }

type Props = {
  readonly view: View
  /** While another period loads, the one before. */
  readonly overview: Overview | undefined
  readonly isLoading: boolean
}

/** Picks the current period, an earlier one, or a range of days. */
export const PeriodPicker = ({ view, overview, isLoading }: Props) => {
  const periods = usePeriods(view.organization).data ?? []
  if (overview === undefined) return <div className="picker" />
  const { timeZone: zone, session } = overview
  const now = Date.parse(session.time)
  const isListed = overview.isListing && view.period === 'current' && view.range === undefined
  const running = periods.findIndex(({ start, end }) => Date.parse(start) <= now && now < Date.parse(end))
  const options = periods.slice(0, PERIODS_SHOWN).map(({ name, start, end }, index) => {
    const span = spanName(Date.parse(start), Date.parse(end), zone)
    if (index !== running) return { value: name, name: span }
    return isListed
      ? { value: 'current', name: `${spanName(overview.from, overview.to, zone)} (current, as listed)` }
      : { value: 'current', name: `${span} (current)` }
  })
  if (running < 0) options.unshift({ value: 'current', name: 'Current period' })
  // With an upstream, the listing can cover other days than the calendar's current period.
  const isCurrent = view.period === periods[running]?.name && session.source !== 'upstream'
  const named = view.period === 'previous' && running >= 0 ? (periods[running + 1]?.name ?? 'previous') : view.period
  const chosen = view.range !== undefined ? 'range' : isCurrent ? 'current' : named
  const isKnown = chosen === 'range' || options.some(({ value }) => value === chosen)
  const range = view.range ?? { from: dayOf(overview.from, zone), to: dayOf(overview.to - 1, zone) }
  const index = chosen === 'current' ? running : periods.findIndex(({ name }) => name === chosen)
  const presets = presetsFor(dayOf(now, zone))
  const choose = (value: string): void => {
    const preset = presets.find(({ name }) => name === value)
    if (value === 'range') changeView({ ...NARROWED, range: isRange(range) ? range : undefined })
    else changeView({ ...NARROWED, period: preset ? view.period : value, range: preset?.range })
  }
  return (
    <div className="picker">
      <Step by="earlier" to={stepFrom(view, 'earlier', periods.slice(0, PERIODS_SHOWN), index, now)} />
      <Field name="Period" isInline isNameHidden>
        {(input) => (
          <select {...input} value={chosen} onChange={({ target: { value } }) => choose(value)}>
            <optgroup label="Billing periods">
              {options.map(({ value, name }) => (
                <option key={value} value={value}>
                  {name}
                </option>
              ))}
              {!isKnown && (
                <option value={chosen}>{isLoading ? chosen : spanName(overview.from, overview.to, zone)}</option>
              )}
            </optgroup>
            <optgroup label="Ranges of days">
              {presets.map(({ name }) => (
                <option key={name} value={name}>
                  {name}
                </option>
              ))}
              <option value="range">{view.range === undefined ? 'Custom range…' : 'Custom range'}</option>
            </optgroup>
          </select>
        )}
      </Field>
      <Step by="later" to={stepFrom(view, 'later', periods.slice(0, PERIODS_SHOWN), index, now)} />
      {view.range !== undefined && <RangeFields range={view.range} />}
    </div>
  )
}

type StepProps = { readonly by: 'earlier' | 'later'; readonly to: Chosen | undefined }

/** `aria-disabled`, because a button that becomes `disabled` loses the focus. */
const Step = ({ by, to }: StepProps) => (
  <button
    type="button"
    className="step"
    aria-label={by === 'earlier' ? 'Earlier' : 'Later'}
    aria-disabled={to === undefined}
    onClick={() => to !== undefined && changeView({ ...NARROWED, ...to })}
  >
    <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
      <path d={by === 'earlier' ? 'M10 3.5 5.5 8l4.5 4.5' : 'M6 3.5 10.5 8 6 12.5'} />
    </svg>
  </button>
)

type Range = NonNullable<View['range']>

/** Keeps what is typed. The page shows the previous range until the two dates form a valid one. */
const RangeFields = ({ range }: { readonly range: Range }) => {
  const [typed, setTyped] = useState(range)
  const [seen, setSeen] = useState(range)
  if (seen.from !== range.from || seen.to !== range.to) {
    setSeen(range)
    setTyped(range)
  }
  const isInvalid = isDay(typed.from) && isDay(typed.to) && !isRange(typed)
  const problem = typed.from > typed.to ? 'Choose a day that is not after “To”' : 'Choose a range of at most 30 years'
  const type = (change: Partial<Range>): void => {
    const next = { ...typed, ...change }
    setTyped(next)
    // Typing a date passes through other dates, which do not belong in the history.
    if (isRange(next)) changeView({ ...NARROWED, range: next }, 'typing')
  }
  const leave = (): void =>
    setTyped({ from: isDay(typed.from) ? typed.from : range.from, to: isDay(typed.to) ? typed.to : range.to })
  return (
    <>
      {(['from', 'to'] as const).map((end) => (
        <Field
          key={end}
          name={end === 'from' ? 'From' : 'To'}
          isInline
          problem={isInvalid && end === 'from' ? problem : undefined}
        >
          {(input) => (
            <input
              {...input}
              type="date"
              value={typed[end]}
              onChange={({ target }) => type({ [end]: target.value })}
              onBlur={leave}
              required
            />
          )}
        </Field>
      ))}
    </>
  )
}
