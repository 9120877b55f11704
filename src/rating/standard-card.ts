import { compileCard } from './compile-card.ts'
import { parseCard } from './parse-card.ts'
import standard from './rate-cards/standard.json' with { type: 'json' }

/** The rate card described in the README and in DECISIONS.md. */
export const standardCard = compileCard(parseCard(standard))
