/** The schemas that openapi.json names. They get into the document, and `ref` can refer to them. */
import { CardsInForceSchema, DefaultCardsSchema } from './routes/card-uses.ts'
import { IntakeSchema } from './routes/intake.ts'
import { ApiKeySchema } from './routes/keys.ts'
import { ChargeSchema, ChargesSchema } from './routes/message-charges.ts'
import { ListedOrganizationSchema, OrganizationSchema } from './routes/organizations.ts'
import { CurrentPeriodSchema, PeriodSchema } from './routes/periods.ts'
import { RateCardEntrySchema, StoredRateCardSchema, WholeRateCardSchema } from './routes/rate-cards.ts'
import { ReportSchema } from './routes/reports.ts'
import { RepricedSchema } from './routes/repricing.ts'
import { SessionSchema } from './routes/session.ts'
import { DetailedUsageLineSchema, UsagePageSchema } from './routes/usage-lines.ts'
import { CaseUsageSchema, UsageByRuleSchema } from './routes/usage-rules.ts'
import { BucketSchema, TotalsSchema } from './routes/usage-totals.ts'
import {
  CloudEventSchema,
  MessageResultSchema,
  MessageSchema,
  ReportedMessagesSchema,
  StreamEndSchema,
  StreamedResultSchema,
} from './schemas/intake.ts'
import { ProblemSchema } from './schemas/problem.ts'
import { QuoteSchema, QuotesSchema } from './schemas/quotes.ts'
import { RateCardSchema } from './schemas/rate-card.ts'
import { ReconciliationSchema } from './schemas/reconciliations.ts'
import { ChargedAnewSchema, SimulationSchema } from './schemas/simulations.ts'
import { UsageLineSchema, UsageResponseSchema } from './schemas/usage.ts'

export const SHARED_SCHEMAS = [
  ProblemSchema,
  UsageLineSchema,
  UsageResponseSchema,
  DetailedUsageLineSchema,
  UsagePageSchema,
  BucketSchema,
  TotalsSchema,
  CaseUsageSchema,
  UsageByRuleSchema,
  PeriodSchema,
  CurrentPeriodSchema,
  ChargeSchema,
  ChargesSchema,
  MessageSchema,
  MessageResultSchema,
  ReportedMessagesSchema,
  StreamedResultSchema,
  StreamEndSchema,
  CloudEventSchema,
  IntakeSchema,
  OrganizationSchema,
  ListedOrganizationSchema,
  RepricedSchema,
  ReportSchema,
  RateCardSchema,
  RateCardEntrySchema,
  StoredRateCardSchema,
  WholeRateCardSchema,
  CardsInForceSchema,
  DefaultCardsSchema,
  QuoteSchema,
  QuotesSchema,
  SimulationSchema,
  ChargedAnewSchema,
  ReconciliationSchema,
  ApiKeySchema,
  SessionSchema,
]
