import type { Card } from '#model/card.ts'

/** What a rule of a case counts, by the name of the fact. Undefined if it counts nothing, or not always the same. */
export type CountedFact = (caseName: string, rule: string) => string | undefined

export const createCountedFact = ({ cases, outcomes = {} }: Card): CountedFact => {
  const facts = new Map(
    cases.map(({ name, lines, multiply = [], minimum = 0 }) => {
      const ofRules = new Map<string, string | undefined>()
      for (const { rule, of } of lines) {
        ofRules.set(rule, ofRules.has(rule) && ofRules.get(rule) !== of ? undefined : of)
      }
      const uncounted = [...multiply.map(({ rule }) => rule), ...Object.keys(outcomes), 'charged-before']
      for (const rule of minimum > 0 ? [...uncounted, 'minimum'] : uncounted) ofRules.delete(rule)
      return [name, ofRules] as const
    }),
  )
  return (caseName, rule) => facts.get(caseName)?.get(rule)
}
