/** What another rate card would do, and what it has done. */
import Type, { type TProperties } from 'typebox'
import { CreditsSchema, creditsSchema, OrganizationIdSchema, rangeQuery, ref, TimestampSchema } from './common.ts'
import { RateCardSchema } from './rate-card.ts'
import { MessageIdSchema } from './usage.ts'
import { count, groupDimensions, messageCount, receivedTimestamp } from './usage-fields.ts'

export const ORGANIZATIONS_MAX = 100

export const SimulationRequestSchema = Type.Object(
  {
    rate_card: Type.Union([Type.String(), ref(RateCardSchema)], {
      description: 'The card to price by: the version of a stored card, or a whole card, which is not stored.',
      examples: ['standard-2024'],
    }),
    organizations: Type.Optional(
      Type.Union(
        [Type.Literal('all'), Type.Array(OrganizationIdSchema, { minItems: 1, maxItems: ORGANIZATIONS_MAX })],
        {
          description:
            'The organizations to price again: their ids, or `all`. Without it, the one that `organization` in the query names, or ' +
            "the key's own. Each is asked for its own billing period of the name that `period` gives.",
          examples: [['default', 'acme']],
        },
      ),
    ),
    ...rangeQuery,
  },
  { additionalProperties: false },
)

const unpriced = (description: string) => Type.Optional(Type.Integer({ minimum: 1, description, examples: [1] }))

const sums = {
  messages: messageCount,
  credits_before: creditsSchema(
    'What the messages cost, in credits: an exact decimal with at most six decimal places.',
  ),
  credits_after: creditsSchema('What they cost by the other card.'),
  difference: creditsSchema('`credits_after` less `credits_before`.'),
  costlier: count('How many of the messages cost more by the other card.'),
  cheaper: count('How many cost less.'),
  unpriced_before: unpriced('How many of the messages have no price. Absent if none.'),
  unpriced_after: unpriced('How many have no price by the other card. Absent if none.'),
}

const organization = Type.String({ description: 'Id of the organization.', examples: ['acme'] })

const groups = (of: string, names: TProperties, order = 'At most 100, those that change most first.') =>
  Type.Object(
    {
      groups: Type.Array(Type.Object({ ...names, ...sums }), { description: order }),
      others: Type.Optional(Type.Object(sums, { description: 'All others together. Absent if there are none.' })),
    },
    { description: `The same by ${of}. The groups and \`others\` add up to the whole, exactly.` },
  )

const { report_id, report_name, user_id, team_id, model } = groupDimensions

const reasons = Type.Array(
  Type.Object({
    reason: Type.String({
      description: 'Why the messages have no price.',
      examples: ['the model "gpt-9" has no price in the card copilot-2026-06'],
    }),
    messages: count('Messages without a price for this reason.'),
  }),
  { description: 'Why messages have no price by the other card, the most frequent reason first.' },
)

const hash = Type.String({
  description:
    'Identifies the card, the range of each organization, and every charge by another card together with what the message would ' +
    'cost. Messages that this card has charged already do not change it.',
  examples: ['1f0c2d7b9a4e4c6f8d3b5a7e9c1d0f2b1f0c2d7b9a4e4c6f8d3b5a7e9c1d0f2b'],
})

export const SimulationSchema = Type.Object(
  {
    hash,
    organization: Type.Optional(
      Type.String({
        description: 'Id of the organization. Absent if several were asked for.',
        examples: ['acme'],
      }),
    ),
    rate_card: Type.Object(
      {
        version: Type.String({ description: 'Version of the card.', examples: ['copilot-2026-06'] }),
        hash: Type.String({
          description: 'Identifies the content of the card.',
          examples: ['5b0c3e0a6a5d4c0f8a1f0e2d9b7c6a5f4e3d2c1b0a998877665544332211ffee'],
        }),
      },
      { description: 'The card that was asked.' },
    ),
    from: TimestampSchema('Start of the range, inclusive: of several organizations, the earliest.'),
    to: TimestampSchema(
      'End of the range, exclusive: of several organizations, the latest.',
      '2024-06-01T00:00:00.000Z',
    ),
    ...sums,
    charged_otherwise: count(
      'Messages that another card has charged. These are what applying the simulation charges anew.',
    ),
    by_organization: groups('organization', {
      organization,
      from: TimestampSchema('Start of its range, inclusive.'),
      to: TimestampSchema('End of its range, exclusive.', '2024-06-01T00:00:00.000Z'),
    }),
    by_report: groups('report', { report_id, report_name }),
    by_member: groups('member of each organization', { organization, user_id }),
    by_team: groups('team of each organization', { organization, team_id }),
    by_model: groups('model', { model }),
    by_day: groups(
      'day',
      {
        date: Type.String({
          format: 'date',
          description: 'The day, in the time zone of each organization.',
          examples: ['2024-05-01'],
        }),
        start: TimestampSchema('Start of the day: of several time zones, the earliest.'),
      },
      'At most 366, in order of time.',
    ),
    largest_changes: Type.Array(
      Type.Object({
        organization,
        message_id: MessageIdSchema,
        timestamp: receivedTimestamp,
        report_id,
        report_name,
        user_id,
        team_id,
        model,
        credits_before: Type.Optional(CreditsSchema),
        credits_after: Type.Optional(CreditsSchema),
      }),
      { description: 'The ten messages that change most. An amount is absent if there is no price.' },
    ),
    unpriced: reasons,
  },
  {
    $id: 'Simulation',
    description: 'What the messages of a range cost, and what they would cost by another rate card.',
  },
)

export const ChargedAnewSchema = Type.Object(
  {
    hash,
    ...sums,
    changed_meanwhile: count('Messages that were changed by something else while this ran, and stay as they are.'),
    unpriced: reasons,
  },
  {
    $id: 'ChargedAnew',
    description: 'The messages that were charged anew: what they cost before, and what they cost now.',
  },
)
