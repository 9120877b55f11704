/** `GET /v1/intake`: what came from whom, and what became of it. */
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import type { Senders, SendersView } from '#intake/senders.ts'
import { IGNORED as IGNORED_OF_LITELLM } from '#litellm/calls.ts'
import { Forbidden, InvalidRequest } from '#model/errors.ts'
import type { EpochMs } from '#model/organization.ts'
import { canonicalTimestamp } from '#model/timestamp.ts'
import { IGNORED } from '#otlp/calls.ts'
import type { Callers } from '../caller.ts'
import { queryParameter } from '../fields.ts'
import { organizationQuery, ref } from '../schemas/common.ts'
import { problemResponses } from '../schemas/responses.ts'
import { MessageIdSchema } from '../schemas/usage.ts'
import { count } from '../schemas/usage-fields.ts'

export type IntakeRoutesOptions = {
  readonly senders: Pick<Senders, 'of' | 'organizations' | 'since'>
  readonly callers: Callers
}

/** A reason of both can mean something else for each. */
const MEANINGS = Object.groupBy(
  [...Object.entries(IGNORED), ...Object.entries(IGNORED_OF_LITELLM)],
  ([reason]) => reason,
)
const REASONS = Object.entries(MEANINGS)
  .map(
    ([reason, meanings = []]) => `\`${reason}\`: ${[...new Set(meanings.map(([, meaning]) => meaning))].join(' Or: ')}`,
  )
  .join(' ')

const time = (description: string) =>
  Type.String({ format: 'date-time', description, examples: ['2026-11-26T16:00:00.000Z'] })

const source = Type.String({
  description:
    'Who sent it: `messages`, `events` and `litellm` for those endpoints, and for OpenTelemetry the sender, such as ' +
    '`github-copilot`, `ai-sdk`, `litellm-otel`, `claude-code`, or `other` if it is not known.',
  examples: ['github-copilot'],
})

const key = Type.Optional(
  Type.Object(
    {
      id: Type.String({ description: 'Id of the key. Not the secret.', examples: ['key_Zk3vJ0aP9xQ1'] }),
      name: Type.String({ description: 'Display name.', examples: ['gateway'] }),
    },
    { description: 'The key with which it was sent. Absent if none was required.' },
  ),
)

const reason = Type.Object({
  outcome: Type.Union(
    [Type.Literal('rejected'), Type.Literal('conflict'), Type.Literal('unpriced'), Type.Literal('ignored')],
    { description: 'What became of the records.', examples: ['ignored'] },
  ),
  field: Type.Optional(
    Type.String({
      description: 'Only if rejected: the field or attribute; empty if it is the record as a whole.',
      examples: ['gen_ai.usage.input_tokens'],
    }),
  ),
  reason: Type.String({
    description: `What is wrong, why there is no price, or why it was ignored: ${REASONS}`,
    examples: ['agent'],
  }),
  records: count('How many.'),
  latest_id: Type.Optional(MessageIdSchema),
})

const organizationOf = Type.String({ description: 'Id of the organization.', examples: ['default'] })

export const IntakeSchema = Type.Object(
  {
    since: time('Since when this process counts. Each process counts for itself, in memory.'),
    sources: Type.Array(
      Type.Object({
        organization: organizationOf,
        source,
        key,
        accepted: count('Messages that were charged.'),
        unpriced: count('Messages that were kept without a price.'),
        duplicate: count('Messages that had already been charged with the same content.'),
        conflict: count('Messages that had already been charged with other content.'),
        rejected: count('Messages, spans, log records or entries that are invalid.'),
        ignored: count('Spans, log records and entries that are no calls of a model.'),
        last_seen: time('When something came last.'),
        reasons: Type.Array(reason, {
          description:
            'Why records were rejected, in conflict, unpriced or ignored, the most frequent reason first; at most 100.',
        }),
      }),
      { description: 'What came, by organization, source and key.' },
    ),
    overlaps: Type.Array(
      Type.Object({
        organization: organizationOf,
        sources: Type.Array(source, { description: 'Two sources.' }),
        calls: count('Calls that both seem to have reported.'),
        last_seen: time('When the last one came.'),
      }),
      {
        description:
          'Present if two sources reported calls of one member with the same model and tokens within a minute. Both are charged: ' +
          'report each call through one door.',
      },
    ),
  },
  { $id: 'Intake', description: 'What was reported to this process, and what became of it.' },
)

const query = Type.Object(
  {
    ...organizationQuery,
    organizations: Type.Optional(
      Type.Literal('all', {
        description: 'All organizations in place of one. Only with an operator key (scope `admin` on `default`).',
        examples: ['all'],
      }),
    ),
  },
  { additionalProperties: false },
)

export const intakeRoutes: FastifyPluginCallbackTypebox<IntakeRoutesOptions> = (app, { senders, callers }, done) => {
  app.get(
    '/v1/intake',
    {
      onRequest: callers.may('usage:read', 'messages:write'),
      schema: {
        operationId: 'getIntake',
        tags: ['Messages'],
        summary: 'See what arrives',
        description:
          'Counts what came from each source and with each key since this process started: accepted, duplicate, rejected and why, ' +
          'ignored and why. Ids and fields only, no content. Requires the scope `usage:read` or `messages:write`.',
        querystring: query,
        response: {
          200: { description: 'The counts.', content: { 'application/json': { schema: ref(IntakeSchema) } } },
          ...problemResponses(400, 401, 403, 404, 500, 503),
        },
      },
    },
    async (request, reply) => {
      const { organization, principal } = await callers.identify(request)
      const isOfAll = request.query.organizations === 'all'
      if (isOfAll && request.query.organization !== undefined)
        throw new InvalidRequest(queryParameter('organizations'), 'absent if the query has "organization"')
      if (isOfAll && !principal.isOperator) throw new Forbidden(NOT_OPERATOR)
      reply.header('cache-control', 'no-store')
      const ids = isOfAll ? senders.organizations() : [organization.id]
      return toIntake(
        ids.map((id) => [id, senders.of(id)] as const),
        senders.since,
      )
    },
  )
  done()
}

const NOT_OPERATOR = 'Only an operator key (the scope admin on the organization "default") sees all organizations.'

const toIntake = (views: readonly (readonly [string, SendersView])[], since: EpochMs) => ({
  since: canonicalTimestamp(since),
  sources: views.flatMap(([organization, view]) =>
    view.senders.map(({ source: from, key: used, counts, lastSeen, reasons }) => ({
      organization,
      source: from,
      ...(used !== undefined && { key: { ...used } }),
      ...counts,
      last_seen: canonicalTimestamp(lastSeen),
      reasons: reasons.map(({ outcome, field, reason: why, count: records, latestId }) => ({
        outcome,
        ...(field !== undefined && { field }),
        reason: why,
        records,
        ...(latestId !== undefined && { latest_id: latestId }),
      })),
    })),
  ),
  overlaps: views.flatMap(([organization, { overlaps }]) =>
    overlaps.map(({ sources, calls, lastSeen }) => ({
      organization,
      sources: [...sources],
      calls,
      last_seen: canonicalTimestamp(lastSeen),
    })),
  ),
})
