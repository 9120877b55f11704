/** Conditions of a rate card as functions of slots. Four functions, because the compiler inlines few different ones. */
import type { Condition, Conditions } from '#model/card.ts'
import { ABSENT, type SlotNames } from './slots.ts'

export type Test = (values: Float64Array) => boolean

/** Undefined if there are no conditions, which always holds. */
export const compileConditions = (conditions: Conditions | undefined, names: SlotNames): Test | undefined => {
  const tests = Object.entries(conditions ?? {}).map(([name, condition]) => compileOne(name, condition, names))
  return tests.length <= 1 ? tests[0] : (values) => tests.every((test) => test(values))
}

const compileOne = (name: string, condition: Condition, names: SlotNames): Test => {
  const slot = names.slotOf(name)
  if (condition === '*') return (values) => values[slot] !== ABSENT
  if (typeof condition !== 'object') {
    const code = names.codeOf(condition)
    return (values) => values[slot] === code
  }
  if (Array.isArray(condition)) {
    const codes: readonly number[] = condition.map((value) => names.codeOf(value))
    return (values) => codes.includes(values[slot] as number)
  }
  // Numbers start at 0, and codes of other values are below.
  const { above = -0.5, upto = Number.POSITIVE_INFINITY } = condition as {
    readonly above?: number
    readonly upto?: number
  }
  return (values) => (values[slot] as number) > above && (values[slot] as number) <= upto
}
