/** Which rate cards are in force: of an organization, and of the installation. */
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import Type, { type Static } from 'typebox'
import type { Organizations } from '#identity/organizations.ts'
import type { CardUses, UsedCards, UseRefused } from '#intake/card-uses.ts'
import type { CardUse } from '#ledger/commands.ts'
import type { CardInForce } from '#model/cards-in-force.ts'
import { Conflict, InvalidRequest } from '#model/errors.ts'
import { CALENDAR_BEGINS } from '#model/organization.ts'
import { canonicalTimestamp, instantOf, isTimestamp } from '#model/timestamp.ts'
import type { Callers } from '../caller.ts'
import { DATE_TIME } from '../expectations.ts'
import { organizationQuery, ref, TimestampSchema } from '../schemas/common.ts'
import { problemResponses } from '../schemas/responses.ts'
import { count } from '../schemas/usage-fields.ts'
import { unknownOrganization } from './organizations.ts'
import { unknownCard } from './rate-cards.ts'

export type CardUseRoutesOptions = {
  readonly cardUses: CardUses
  readonly organizations: Pick<Organizations, 'findNow'>
  readonly callers: Callers
}

const inForce = Type.Array(
  Type.Object({
    version: Type.String({ description: 'Version of the rate card.', examples: ['copilot-2026-06'] }),
    from: Type.Optional(
      TimestampSchema('From when on, up to the next one. Absent: since ever.', '2026-06-01T00:00:00.000Z'),
    ),
    by_default: Type.Optional(
      Type.Literal(true, { description: "It is the installation's choice, not the organization's.", examples: [true] }),
    ),
    for: Type.Optional(
      Type.Literal('unpriced', {
        description: 'It prices only messages that the card in force beside it does not price. Absent: it prices all.',
        examples: ['unpriced'],
      }),
    ),
    until: Type.Optional(
      TimestampSchema('Only with `for`: up to when, exclusive. What was not closed then is not affected.'),
    ),
  }),
  {
    description:
      'The cards in order of time. A message is priced by the one that is in force at its timestamp; if that has no price, by the ' +
      'one with `for` that is in force then.',
  },
)

const pricedOtherwise = count(
  'Messages of periods that are not closed, charged by another card than the one in force at their timestamp. They were ' +
    'charged before it was put in force, and stay as they are.',
)

export const CardsInForceSchema = Type.Object(
  { in_force: inForce, priced_otherwise: pricedOtherwise },
  { $id: 'CardsInForce', description: 'The rate cards that an organization uses, and from when on.' },
)

export const DefaultCardsSchema = Type.Object(
  { in_force: inForce, priced_otherwise: pricedOtherwise },
  {
    $id: 'DefaultCards',
    description:
      'The rate cards of organizations that have not chosen one. `priced_otherwise` counts in all of them, one after the other.',
  },
)

const UseSchema = Type.Object(
  {
    version: Type.String({
      minLength: 1,
      maxLength: 64,
      description: 'Version of a stored or a built-in rate card.',
      examples: ['copilot-2026-06'],
    }),
    from: Type.Optional(
      TimestampSchema(
        'From when on: an RFC 3339 date-time, which may be in the past of a period that is not closed. Now, if absent. With `for`, ' +
          'it must be in a closed period.',
        '2026-06-01T00:00:00.000Z',
      ),
    ),
    for: Type.Optional(
      Type.Literal('unpriced', {
        description:
          'Use the card only for messages that the card in force does not price, from the instant up to the end of what is closed ' +
          'now. They are charged as adjustments in the open period. Absent: for all messages.',
        examples: ['unpriced'],
      }),
    ),
  },
  { additionalProperties: false },
)

const organizationPath = Type.Object({
  id: Type.String({ description: 'Id of the organization.', examples: ['acme'] }),
})
const query = Type.Object({ ...organizationQuery }, { additionalProperties: false })

export const cardUseRoutes: FastifyPluginCallbackTypebox<CardUseRoutesOptions> = (app, options, done) => {
  const { cardUses, organizations, callers } = options
  const tags = ['Rate cards']

  app.put(
    '/v1/organizations/:id/rate-card',
    {
      onRequest: callers.mayOperate,
      schema: {
        operationId: 'useRateCard',
        tags,
        summary: 'Put a rate card in force for an organization',
        description:
          'From the instant on, the card prices the messages of the organization, by their timestamps; a card that is already ' +
          'used from exactly then is replaced, and later ones stay. No request that begins after the response is priced by ' +
          'an earlier choice. Messages that are already charged stay as they are. An instant in a closed period is a 409, unless ' +
          'the card is only for unpriced messages: `"for": "unpriced"`, for which any other instant is a 409. Requires an operator key (scope `admin` on the organization `default`).',
        params: organizationPath,
        body: UseSchema,
        response: {
          200: {
            description: 'What is in force now.',
            content: { 'application/json': { schema: ref(CardsInForceSchema) } },
          },
          ...problemResponses(400, 401, 403, 404, 409, 413, 415, 500, 503),
        },
      },
    },
    async (request) => {
      await callers.identify(request)
      const { id } = request.params
      const used = await cardUses.use(id, useIn(request.body))
      if (used === undefined) throw unknownOrganization(id)
      return toResponse(granted(used, request.body))
    },
  )

  app.get(
    '/v1/organizations/:id/rate-card',
    {
      onRequest: callers.may('usage:read'),
      schema: {
        operationId: 'getRateCardInForce',
        tags,
        summary: 'Get the rate cards in force for an organization',
        description:
          'Returns every card that the organization uses, used or will use, in order of time. Requires the scope `usage:read`.',
        params: organizationPath,
        response: {
          200: {
            description: 'What is in force.',
            content: { 'application/json': { schema: ref(CardsInForceSchema) } },
          },
          ...problemResponses(400, 401, 403, 404, 500, 503),
        },
      },
    },
    async (request) => {
      const { principal } = await callers.identify(request)
      const { id } = request.params
      const isAllowed = principal.isOperator || id === principal.organizationId
      const organization = isAllowed ? await organizations.findNow(id) : undefined
      if (organization === undefined) throw unknownOrganization(id)
      return toResponse(await cardUses.of(id))
    },
  )

  app.put(
    '/v1/default-rate-card',
    {
      onRequest: callers.mayOperate,
      schema: {
        operationId: 'useRateCardByDefault',
        tags,
        summary: 'Put a rate card in force by default',
        description:
          'From the instant on, the card prices the messages of every organization that uses none of its own then. An instant in ' +
          'a period that any organization has closed is a 409, unless the card is only for unpriced messages: `"for": "unpriced"`, ' +
          'for which any other instant is a 409. Requires an operator key (scope `admin` on the organization `default`).',
        querystring: query,
        body: UseSchema,
        response: {
          200: {
            description: 'What is in force by default now.',
            content: { 'application/json': { schema: ref(DefaultCardsSchema) } },
          },
          ...problemResponses(400, 401, 403, 404, 409, 413, 415, 500, 503),
        },
      },
    },
    async (request) => {
      await callers.identify(request)
      const used = await cardUses.useByDefault(useIn(request.body))
      return toResponse(granted(used, request.body))
    },
  )

  app.get(
    '/v1/default-rate-card',
    {
      onRequest: callers.mayOperate,
      schema: {
        operationId: 'getDefaultRateCard',
        tags,
        summary: 'Get the rate cards in force by default',
        description:
          'Returns the cards of organizations that use none of their own, in order of time. Requires an operator key (scope ' +
          '`admin` on the organization `default`).',
        querystring: query,
        response: {
          200: {
            description: 'What is in force by default.',
            content: { 'application/json': { schema: ref(DefaultCardsSchema) } },
          },
          ...problemResponses(400, 401, 403, 404, 500, 503),
        },
      },
    },
    async (request) => {
      await callers.identify(request)
      return toResponse(await cardUses.byDefault())
    },
  )

  done()
}

/** Throws InvalidRequest. */
const useIn = ({ version, from, for: messages }: Static<typeof UseSchema>): CardUse => {
  if (from === undefined) {
    if (messages === undefined) return { version }
    throw new InvalidRequest('body/from', `${DATE_TIME} in a closed period, because "for" is given`)
  }
  // What the validator takes for a date-time includes a few that are none, such as those with a space in place of T.
  if (from.length > TIMESTAMP_CHARACTERS_MAX || !isTimestamp(from)) throw new InvalidRequest('body/from', DATE_TIME)
  return { version, from: instantOf(from), ...(messages !== undefined && { for: messages }) }
}

const TIMESTAMP_CHARACTERS_MAX = 64

/** Throws NotFound or Conflict. */
const granted = <T extends object>(used: T | UseRefused, { version, for: messages }: Static<typeof UseSchema>): T => {
  if (used === 'unknown-card') throw unknownCard(version)
  if (!('closedUntil' in used)) return used as T
  const { closedUntil } = used as Exclude<UseRefused, string>
  const until = canonicalTimestamp(closedUntil)
  if (messages !== undefined) {
    const isAnyClosed = closedUntil !== CALENDAR_BEGINS
    const closed = isAnyClosed
      ? `Only what is before ${until} is closed: "from" must be earlier`
      : 'No period is closed'
    throw new Conflict(
      `A rate card for unpriced messages only can be put in force only in a closed period. ${closed}. In the open period, put one ` +
        'in force for all messages: without "for".',
    )
  }
  throw new Conflict(
    `A rate card cannot be put in force in a closed period. Everything before ${until} is closed: "from" must be ${until} or later. ` +
      'Only for unpriced messages, "for": "unpriced", it can be.',
  )
}

const toResponse = ({ inForce: cards, pricedOtherwise: otherwise }: UsedCards) => ({
  in_force: cards.map(toInForce),
  priced_otherwise: otherwise,
})

const toInForce = ({ version, from, until, isDefault }: CardInForce) => ({
  version,
  ...(from !== CALENDAR_BEGINS && { from: canonicalTimestamp(from) }),
  ...(isDefault && { by_default: true as const }),
  ...(until !== undefined && { for: 'unpriced' as const, until: canonicalTimestamp(until) }),
})
