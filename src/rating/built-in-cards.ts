/**
 * The rate cards that come with the product. Charges name them, so none of them ever changes or goes away: other rates are another
 * card, whose version has the date of its source.
 */
import type { Card } from '#model/card.ts'
import { parseCard } from './parse-card.ts'
import copilotStudio from './rate-cards/copilot-studio-2026-09.json' with { type: 'json' }
import githubCopilot from './rate-cards/github-copilot-2026-06.json' with { type: 'json' }
import githubPremiumRequests from './rate-cards/github-premium-requests-2026-06.json' with { type: 'json' }
import { standardCardSource } from './standard-card.ts'

/** Where its rates are published, and as of which day or month. */
export type CardOrigin = { readonly title: string; readonly source: string; readonly asOf: string }

export type BuiltInCard = CardOrigin & { readonly card: Card }

export const BUILT_IN_CARDS: readonly BuiltInCard[] = [
  {
    title: 'Microsoft Copilot Studio: Copilot Credits',
    source: 'https://learn.microsoft.com/microsoft-copilot-studio/requirements-messages-management',
    asOf: '2026-09-03',
    card: parseCard(copilotStudio),
  },
  {
    title: 'GitHub Copilot: AI credits by tokens',
    source: 'https://github.com/github/docs/blob/024f6b0f/data/tables/copilot/models-and-pricing.yml (CC BY 4.0)',
    asOf: '2026-06-01',
    card: parseCard(githubCopilot),
  },
  {
    title: 'GitHub Copilot: premium requests',
    source:
      'https://github.com/github/docs/blob/0484657f/data/tables/copilot/model-multipliers.yml and ' +
      'https://github.com/github/docs/blob/0b1022e4/data/tables/copilot/annual-subscriber-model-multipliers.yml (CC BY 4.0)',
    asOf: '2026-06-01',
    card: parseCard(githubPremiumRequests),
  },
  {
    title: 'Texts by length and words, reports by their price',
    source: 'Copilot Credits, docs/credits.md',
    asOf: '2024',
    card: standardCardSource,
  },
]
