/** When an organization uses which rate card. */
import type { CardsInForce } from 'copilot-credits-client'
import { dateTime } from './format.ts'

export type Use = CardsInForce['in_force'][number]

/** From when up to when a card prices messages; undefined is ever. */
export type Stretch = {
  readonly version: string
  readonly from: number | undefined
  readonly to: number | undefined
  readonly isDefault: boolean
  /** Only messages that the card in force beside it does not price. */
  readonly isForUnpriced: boolean
}

/** `uses` are in order of time: one that prices all messages ends where the next such one begins. */
export const stretchesOf = (uses: readonly Use[]): readonly Stretch[] =>
  uses.map(({ version, from, until, by_default: isDefault, for: messages }, index) => {
    const next = uses.slice(index + 1).find((other) => other.for === undefined)?.from
    const end = messages === undefined ? next : until
    return {
      version,
      from: instantOf(from),
      to: instantOf(end),
      isDefault: isDefault === true,
      isForUnpriced: messages !== undefined,
    }
  })

const instantOf = (text: string | undefined): number | undefined => (text === undefined ? undefined : Date.parse(text))

const holds = ({ from, to }: Stretch, at: number): boolean =>
  (from === undefined || from <= at) && (to === undefined || at < to)

/** The card that prices a message sent at an instant. */
export const inForceAt = (uses: readonly Use[], at: number): string | undefined =>
  stretchesOf(uses).find((stretch) => !stretch.isForUnpriced && holds(stretch, at))?.version

/** Whether no other card prices any message of a range. */
export const isInForceFor = (uses: readonly Use[], version: string, from: number, to: number): boolean =>
  stretchesOf(uses)
    .filter((stretch) => !stretch.isForUnpriced)
    .every(
      (stretch) =>
        stretch.version === version ||
        (stretch.from !== undefined && stretch.from >= to) ||
        (stretch.to !== undefined && stretch.to <= from),
    )

/** `In force since 01-06-2026 00:00`. */
export const stretchName = (stretch: Stretch, now: number, timeZone: string): string => {
  const { from, to, isDefault, isForUnpriced } = stretch
  const at = (instant: number): string => dateTime(instant, timeZone)
  const until = to === undefined ? '' : `up to ${at(to)}`
  const by = isDefault ? ', by default' : ''
  if (isForUnpriced)
    return `Only for messages without another price${from === undefined ? '' : `, from ${at(from)}`} ${until}`.trim()
  if (from !== undefined && now < from) return `In force from ${at(from)} on${until === '' ? '' : `, ${until}`}${by}`
  const since = from === undefined ? '' : to === undefined ? `since ${at(from)}` : `from ${at(from)}`
  const span = [since, until].filter((text) => text !== '').join(' ') || 'since ever'
  return `${holds(stretch, now) ? 'In force' : 'Was in force'} ${span}${by}`
}
