/** The time zone in which the times of messages are shown. */
import type { Overview } from './data.ts'
import { Field } from './field.tsx'
import { changeView, type View } from './view.ts'

type Props = { readonly view: View; readonly overview: Overview }

/** Days and periods are the organization's in any case, and with them all figures. */
export const zoneOf = ({ zone }: Pick<View, 'zone'>, { timeZone }: Pick<Overview, 'timeZone'>): string =>
  zone ?? timeZone

const ownZone = new Intl.DateTimeFormat().resolvedOptions().timeZone

export const ZonePicker = ({ view, overview }: Props) => {
  const { timeZone } = overview
  const shown = zoneOf(view, overview)
  const others = new Set([ownZone, 'UTC', shown])
  others.delete(timeZone)
  return (
    <Field name="Times of messages in" isInline isNameHidden>
      {(input) => (
        <select
          {...input}
          className="zone-picker"
          title={`Times of messages are in ${shown}. Days and billing periods are those of ${timeZone}.`}
          value={shown}
          onChange={({ target: { value } }) => changeView({ zone: value === timeZone ? undefined : value })}
        >
          <optgroup label={`Times of messages (days stay in ${timeZone})`}>
            <option value={timeZone}>{timeZone}</option>
            {[...others].map((zone) => (
              <option key={zone} value={zone}>
                {zone === ownZone && zone !== 'UTC' ? `${zone} (yours)` : zone}
              </option>
            ))}
          </optgroup>
        </select>
      )}
    </Field>
  )
}

/** Beside times that are not the organization's. */
export const ZoneNote = ({ view, overview }: Props) =>
  zoneOf(view, overview) !== overview.timeZone && (
    <span className="note zone-note" title={`Days and billing periods are those of ${overview.timeZone}.`}>
      Times in {view.zone}
    </span>
  )
