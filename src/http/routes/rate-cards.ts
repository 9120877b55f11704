/** `/v1/rate-cards`: the catalogue of rate cards. Which of them are in force is said in `card-uses.ts`. */
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import type { CardEntry } from '#intake/card-catalogue.ts'
import { CARD_BYTES_MAX, readCard } from '#intake/incoming-card.ts'
import type { KnownCard, StoredCards } from '#intake/stored-cards.ts'
import { Conflict, NotFound } from '#model/errors.ts'
import { canonicalTimestamp } from '#model/timestamp.ts'
import type { Callers } from '../caller.ts'
import { checkQueryOnly } from '../large-bodies.ts'
import { organizationQuery, ref, TimestampSchema } from '../schemas/common.ts'
import { ExpectedFactsSchema, RateCardSchema } from '../schemas/rate-card.ts'
import { problemResponses } from '../schemas/responses.ts'

export type RateCardRoutesOptions = { readonly rateCards: StoredCards; readonly callers: Callers }

const entryProperties = {
  version: Type.String({ description: 'Name of the card.', examples: ['copilot-2026-06'] }),
  hash: Type.String({
    description: 'Identifies the content of the card: SHA-256 of its canonical JSON (RFC 8785), in hexadecimal.',
    examples: ['5b0c3e0a6a5d4c0f8a1f0e2d9b7c6a5f4e3d2c1b0a998877665544332211ffee'],
  }),
  created_at: Type.Optional(
    TimestampSchema('When the card was stored. Absent if it is built in.', '2026-06-01T00:00:00.000Z'),
  ),
  built_in: Type.Optional(
    Type.Object(
      {
        title: Type.String({
          description: 'What the card prices.',
          examples: ['GitHub Copilot: AI credits by tokens'],
        }),
        source: Type.String({
          description: 'Where its rates are published.',
          examples: ['https://learn.microsoft.com/microsoft-copilot-studio/requirements-messages-management'],
        }),
        as_of: Type.String({
          description: 'The day, month or year as of which they are published.',
          examples: ['2026-06-01'],
        }),
      },
      { description: 'Only if the card comes with the product. It can be put in force like a stored one.' },
    ),
  ),
}

export const RateCardEntrySchema = Type.Object(entryProperties, {
  $id: 'RateCardEntry',
  description: 'A rate card of the catalogue.',
})

export const StoredRateCardSchema = Type.Object(
  { ...entryProperties, expects: ExpectedFactsSchema },
  { $id: 'StoredRateCard', description: 'A rate card of the catalogue, and what senders must bring.' },
)

export const WholeRateCardSchema = Type.Object(
  { ...entryProperties, expects: ExpectedFactsSchema, card: ref(RateCardSchema) },
  { $id: 'WholeRateCard', description: 'A rate card of the catalogue, with its content.' },
)

const query = Type.Object({ ...organizationQuery }, { additionalProperties: false })

export const rateCardRoutes: FastifyPluginCallbackTypebox<RateCardRoutesOptions> = (app, options, done) => {
  const { rateCards, callers } = options
  const tags = ['Rate cards']

  app.post(
    '/v1/rate-cards',
    {
      onRequest: callers.mayOperate,
      bodyLimit: CARD_BYTES_MAX,
      schema: {
        operationId: 'storeRateCard',
        tags,
        summary: 'Store a rate card',
        description:
          'Checks the card and stores it under its version, for all organizations. A stored card never changes: the same card ' +
          'again is a 200, another one of the same version a 409. Nothing is priced by it until it is put in force. An ' +
          'invalid card is a 400 that names every fault. At most 4 MiB. Requires an operator key (scope `admin` on the ' +
          'organization `default`).',
        querystring: query,
        body: ref(RateCardSchema),
        response: {
          200: {
            description: 'The card was stored before.',
            content: { 'application/json': { schema: ref(StoredRateCardSchema) } },
          },
          201: {
            description: 'The card was stored.',
            content: { 'application/json': { schema: ref(StoredRateCardSchema) } },
          },
          ...problemResponses(400, 401, 403, 404, 409, 413, 415, 500, 503),
        },
      },
      validatorCompiler: checkQueryOnly,
    },
    async (request, reply) => {
      await callers.identify(request)
      const card = readCard(request.body)
      const answer = await rateCards.put(card)
      if (answer === 'conflict')
        throw new Conflict(
          `There is another rate card with the version "${card.version}", and a rate card never changes. Choose another version.`,
        )
      const { outcome, stored } = answer
      const { card: _, ...rest } = toCardResponse(stored)
      return reply.code(outcome === 'created' ? 201 : 200).send(rest)
    },
  )

  app.get(
    '/v1/rate-cards',
    {
      onRequest: callers.may('usage:read'),
      schema: {
        operationId: 'listRateCards',
        tags,
        summary: 'List rate cards',
        description:
          'Returns every rate card, stored or built in, ordered by version. Requires the scope `usage:read`.',
        querystring: query,
        response: {
          200: {
            description: 'The rate cards.',
            content: {
              'application/json': {
                schema: Type.Object({
                  rate_cards: Type.Array(ref(RateCardEntrySchema), { description: 'Rate cards, ordered by version.' }),
                }),
              },
            },
          },
          ...problemResponses(400, 401, 403, 404, 500, 503),
        },
      },
    },
    async (request) => {
      await callers.identify(request)
      return { rate_cards: (await rateCards.list()).map(toEntryResponse) }
    },
  )

  app.get(
    '/v1/rate-cards/:version',
    {
      onRequest: callers.may('usage:read'),
      schema: {
        operationId: 'getRateCard',
        tags,
        summary: 'Get a rate card',
        description: 'Returns a stored card as it was stored, or a built-in one. Requires the scope `usage:read`.',
        params: Type.Object({
          version: Type.String({ description: 'Version of the rate card.', examples: ['standard-2024'] }),
        }),
        querystring: query,
        response: {
          200: {
            description: 'The rate card.',
            content: { 'application/json': { schema: ref(WholeRateCardSchema) } },
          },
          ...problemResponses(400, 401, 403, 404, 500, 503),
        },
      },
    },
    async (request) => {
      await callers.identify(request)
      const found = await rateCards.find(request.params.version)
      if (found === undefined) throw unknownCard(request.params.version)
      return toCardResponse(found)
    },
  )

  done()
}

export const unknownCard = (version: string): NotFound =>
  new NotFound(`There is no rate card ${JSON.stringify(version.slice(0, 100))}.`)

const toEntryResponse = ({ version, hash, createdAt, builtIn }: CardEntry) => ({
  version,
  hash,
  ...(createdAt !== undefined && { created_at: canonicalTimestamp(createdAt) }),
  ...(builtIn !== undefined && {
    built_in: { title: builtIn.title, source: builtIn.source, as_of: builtIn.asOf },
  }),
})

const toCardResponse = ({ card, expects, ...entry }: KnownCard) => ({ ...toEntryResponse(entry), expects, card })
