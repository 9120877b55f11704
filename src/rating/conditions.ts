/** Conditions of a rate card on the slots. Data and not closures, because the compiler inlines few different functions. */
import type { Condition, Conditions } from '#model/card.ts'
import { ABSENT, FLAGS, isFlag, type SlotNames, type Slots } from './slots.ts'

/** All hold: flags that must be set, flags that must not, and checks of other facts. */
export type When = { readonly set: number; readonly unset: number; readonly checks: readonly Check[] }

/** The value in the slot equals `equal`, is above `above` up to `upto`, or is one of `among`; the others hold for no value. */
export type Check = {
  readonly slot: number
  readonly equal: number
  readonly above: number
  readonly upto: number
  readonly among: readonly number[] | undefined
}

export const hold = ({ set, unset, checks }: When, slots: Slots): boolean => {
  const { flags } = slots
  if ((flags & set) !== set || (flags & unset) !== 0) return false
  for (let index = 0; index < checks.length; index++) {
    const check = checks[index] as Check
    const value = slots.values[check.slot] as number
    if (value === check.equal || (value > check.above && value <= check.upto)) continue
    if (check.among === undefined || !check.among.includes(value)) return false
  }
  return true
}

export const compileConditions = (conditions: Conditions | undefined, names: SlotNames): When => {
  const checks: Check[] = []
  let set = 0
  let unset = 0
  for (const [name, condition] of Object.entries(conditions ?? {})) {
    if (isFlag(name)) {
      const { flag, present } = FLAGS[name]
      const [canBeTrue, canBeFalse] = [true, false].map((value) => allows(condition, value))
      set |= present | (canBeFalse ? 0 : flag)
      unset |= canBeTrue ? 0 : flag
    } else {
      checks.push({
        slot: names.slotOf(name),
        equal: Number.NaN,
        above: Number.POSITIVE_INFINITY,
        upto: Number.POSITIVE_INFINITY,
        among: undefined,
        ...checkOf(condition, names),
      })
    }
  }
  return { set, unset, checks }
}

const allows = (condition: Condition, value: boolean): boolean =>
  condition === '*' || condition === value || (Array.isArray(condition) && condition.includes(value))

const checkOf = (condition: Condition, names: SlotNames): Partial<Check> => {
  if (condition === '*') return { above: ABSENT }
  if (typeof condition !== 'object') return { equal: names.codeOf(condition) }
  if (Array.isArray(condition)) return { among: condition.map((value) => names.codeOf(value)) }
  const { above, upto } = condition as { readonly above?: number; readonly upto?: number }
  // Numbers start at 0, and codes of other values are below.
  return { above: above ?? -0.5, upto: upto ?? Number.POSITIVE_INFINITY }
}
