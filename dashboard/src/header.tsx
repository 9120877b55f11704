import { useState } from 'react'
import { client, type Overview, usePeriods } from './data.ts'
import { Field } from './field.tsx'
import { clockTime, dayOf, spanName } from './format.ts'
import { Logo } from './logo.tsx'
import { ThemeSwitch } from './theme.tsx'
import { changeView, isRange, type View } from './view.ts'

type Props = {
  readonly view: View
  readonly overview: Overview | undefined
  readonly isFetching: boolean
  readonly refresh: () => void
  /** There is no session any more. */
  readonly leave: () => void
}

export const Header = ({ view, overview, isFetching, refresh, leave }: Props) => {
  const [failure, setFailure] = useState<string>()
  const signOut = async (): Promise<void> => {
    setFailure(undefined)
    try {
      await client.signOut()
      leave()
    } catch (error) {
      setFailure(error instanceof Error ? error.message : String(error))
    }
  }
  return (
    <header>
      <div className="bar">
        <p className="brand">
          <Logo />
          <strong>Copilot Credits</strong>
          {overview && <span className="organization">{overview.session.organization.name}</span>}
        </p>
        <div className="actions">
          <button type="button" onClick={() => changeView({ isTrying: true })}>
            Try it
          </button>
          <ThemeSwitch />
          {overview?.session.signed_in_by === 'session' && (
            <button type="button" onClick={signOut}>
              Sign out
            </button>
          )}
        </div>
      </div>
      <div className="page-head">
        <h1 className="visually-hidden">Usage of {overview?.session.organization.name ?? 'your organization'}</h1>
        <PeriodPicker view={view} overview={overview} />
        {overview && (
          <div className="state">
            {failure !== undefined && (
              <p role="alert" className="badge">
                You are still signed in. {failure}
              </p>
            )}
            {overview.isStale && (
              <p role="status" className="badge">
                The source of the messages fails: this is the last good answer
              </p>
            )}
            <p>
              Time zone {overview.timeZone}, {overview.isStale ? 'as of' : 'refreshed at'}{' '}
              <time dateTime={new Date(overview.asOf).toJSON()}>{clockTime(overview.asOf, overview.timeZone)}</time>
            </p>
            <button type="button" className="quiet" onClick={refresh} aria-busy={isFetching}>
              Refresh
            </button>
          </div>
        )}
      </div>
    </header>
  )
}

const NARROWED = { bar: undefined, message: undefined }

/** Current, earlier ones, or any days. */
const PeriodPicker = ({ view, overview: current }: Pick<Props, 'view' | 'overview'>) => {
  // Where a period cannot be fetched, another one can still be picked.
  const [latest, setLatest] = useState(current)
  if (current !== undefined && current !== latest) setLatest(current)
  const overview = current ?? latest
  const periods = usePeriods(view.organization).data ?? []
  if (overview === undefined) return <div className="picker" />
  const zone = overview.timeZone
  const from = view.range?.from ?? dayOf(overview.from, zone)
  const to = view.range?.to ?? dayOf(overview.to - 1, zone)
  const options = periods.map(({ start, end }, index) => ({
    value: index === 0 ? 'current' : dayOf(Date.parse(start), zone).slice(0, 7),
    name: `${spanName(Date.parse(start), Date.parse(end), zone)}${index === 0 ? ' (current)' : ''}`,
  }))
  const isListed = overview.isListing && view.period === 'current' && view.range === undefined
  const [running, ...earlier] = options
  const first = isListed
    ? { value: 'current', name: `${spanName(overview.from, overview.to, zone)} (current, as listed)` }
    : (running ?? { value: 'current', name: 'Current period' })
  const previous = earlier[0]?.value ?? 'previous'
  const chosen = view.range !== undefined ? 'range' : view.period === 'previous' ? previous : view.period
  const isKnown = chosen === 'range' || [first, ...earlier].some(({ value }) => value === chosen)
  const setRange = (range: { readonly from: string; readonly to: string }): void => {
    if (isRange(range.from, range.to)) changeView({ ...NARROWED, range })
  }
  return (
    <div className="picker">
      <Field name="Period" isInline>
        {(id) => (
          <select
            id={id}
            value={chosen}
            onChange={({ target }) => {
              if (target.value === 'range') setRange({ from, to })
              else changeView({ ...NARROWED, period: target.value, range: undefined })
            }}
          >
            {[first, ...earlier].map(({ value, name }) => (
              <option key={value} value={value}>
                {name}
              </option>
            ))}
            {!isKnown && (
              <option value={chosen}>
                {current === undefined ? chosen : spanName(current.from, current.to, zone)}
              </option>
            )}
            <option value="range">Free range…</option>
          </select>
        )}
      </Field>
      {view.range !== undefined && (
        <>
          <Field name="From" isInline>
            {(id) => <DayInput id={id} day={from} max={to} choose={(day) => setRange({ from: day, to })} />}
          </Field>
          <Field name="To" isInline>
            {(id) => <DayInput id={id} day={to} min={from} choose={(day) => setRange({ from, to: day })} />}
          </Field>
        </>
      )}
    </div>
  )
}

type DayInputProps = {
  readonly id: string
  readonly day: string
  readonly min?: string
  readonly max?: string
  /** Is told of every day, also of those that are only on the way to the one that is meant: the year 2 before 2024. */
  readonly choose: (day: string) => void
}

/** Keeps what is being typed until it is left. */
const DayInput = ({ id, day, min, max, choose }: DayInputProps) => {
  const [typed, setTyped] = useState(day)
  const [known, setKnown] = useState(day)
  if (known !== day) {
    setKnown(day)
    setTyped(day)
  }
  return (
    <input
      id={id}
      type="date"
      value={typed}
      min={min}
      max={max}
      onChange={({ target }) => {
        setTyped(target.value)
        choose(target.value)
      }}
      onBlur={() => setTyped(day)}
      required
    />
  )
}
