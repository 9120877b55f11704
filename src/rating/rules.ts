/** What readers are told about the rules: on the page, in the API and on the command line. */

export type RuleText = {
  readonly name: string
  /** A few words, to stand below the name. */
  readonly reason: string
  /** A sentence of its own. */
  readonly why: string
}

/** A rule of another card than the standard one is shown by its own name: what it counts, only its author knows. */
export const ruleText = (rule: string, rateCard: string): RuleText => {
  const known = rateCard === 'standard-2024' ? STANDARD_RULES : COMMON_RULES
  return known.get(rule) ?? { name: rule, reason: '', why: `Charged by the rule “${rule}” of the rate card.` }
}

const MINIMUM: RuleText = {
  name: 'Up to the minimum',
  reason: 'raises the total to the rate card’s minimum',
  why: 'Raises the total to the minimum cost of a message.',
}

const CHARGED_BEFORE: RuleText = {
  name: 'Charged before',
  reason: 'stays charged in a closed period',
  why: 'Taken off, because this much stays charged for the message in a closed period.',
}

/** Those that the service itself names. */
const COMMON_RULES: ReadonlyMap<string, RuleText> = new Map([
  ['minimum', MINIMUM],
  ['charged-before', CHARGED_BEFORE],
])

/** In the order in which they apply. */
const STANDARD_RULES: ReadonlyMap<string, RuleText> = new Map(
  Object.entries({
    report: {
      name: 'Report',
      reason: 'fixed price in place of all other rules',
      why: 'The message requested a report, whose price replaces all other rules.',
    },
    base: { name: 'Base', reason: 'every message', why: 'Charged for every message.' },
    characters: {
      name: 'Characters',
      reason: 'including whitespace',
      why: 'Charged per character (Unicode code point) of the text.',
    },
    words: { name: 'Words', reason: 'by length', why: 'Charged per word of this length.' },
    'third-vowels': {
      name: 'Third vowels',
      reason: 'each vowel among the 3rd, 6th, 9th, … characters',
      why: 'Charged for each vowel among the 3rd, 6th, 9th, … characters.',
    },
    'length-penalty': {
      name: 'Length penalty',
      reason: 'text longer than the rate card’s limit',
      why: 'Charged because the text is longer than the limit.',
    },
    'unique-words': {
      name: 'Unique words',
      reason: 'discount: no word occurs twice',
      why: 'Discount: no word occurs twice in the text.',
    },
    minimum: MINIMUM,
    palindrome: {
      name: 'Palindrome',
      reason: 'doubles the total: reads the same in both directions',
      why: 'Doubles the total: the text reads the same in both directions.',
    },
    'charged-before': CHARGED_BEFORE,
  }),
)
