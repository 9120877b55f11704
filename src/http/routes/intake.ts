/** `GET /v1/intake`: what came from whom, and what became of it. */
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import type { Senders } from '#intake/senders.ts'
import { IGNORED as IGNORED_OF_LITELLM } from '#litellm/calls.ts'
import { canonicalTimestamp } from '#model/timestamp.ts'
import { IGNORED } from '#otlp/calls.ts'
import type { Callers } from '../caller.ts'
import { organizationQuery, ref } from '../schemas/common.ts'
import { problemResponses } from '../schemas/responses.ts'
import { MessageIdSchema } from '../schemas/usage.ts'
import { count } from '../schemas/usage-fields.ts'

export type IntakeRoutesOptions = { readonly senders: Pick<Senders, 'of'>; readonly callers: Callers }

const REASONS = Object.entries({ ...IGNORED_OF_LITELLM, ...IGNORED })
  .map(([reason, meaning]) => `\`${reason}\`: ${meaning}`)
  .join(' ')

const time = (description: string) =>
  Type.String({ format: 'date-time', description, examples: ['2026-11-26T16:00:00.000Z'] })

const source = Type.String({
  description:
    'Who sent it: `messages`, `events` and `litellm` for those endpoints, and for OpenTelemetry the sender, such as ' +
    '`github-copilot`, `ai-sdk`, `litellm-otel`, `claude-code`, or `other` if it is not known.',
  examples: ['github-copilot'],
})

export const IntakeSchema = Type.Object(
  {
    since: time('Since when this process counts. Each process counts for itself.'),
    sources: Type.Array(
      Type.Object({
        source,
        accepted: count('Messages that were charged.'),
        unpriced: count('Messages that were kept without a price.'),
        duplicate: count('Messages that had already been charged with the same content.'),
        conflict: count('Messages that had already been charged with other content.'),
        rejected: count('Messages, spans or log records that are invalid.'),
        ignored: count('Spans and log records that are no calls of a model.'),
        last_seen: time('When something came last.'),
        reasons: Type.Array(
          Type.Object({
            outcome: Type.Union([Type.Literal('rejected'), Type.Literal('ignored')], {
              description: 'What became of the records.',
              examples: ['ignored'],
            }),
            field: Type.Optional(
              Type.String({
                description: 'Only if rejected: the field or attribute.',
                examples: ['gen_ai.usage.input_tokens'],
              }),
            ),
            reason: Type.String({
              description: `What is wrong, or why it was ignored: ${REASONS}`,
              examples: ['agent'],
            }),
            records: count('How many.'),
            latest_id: Type.Optional(MessageIdSchema),
          }),
          { description: 'Why records were rejected or ignored, the most frequent reason first; at most 100.' },
        ),
      }),
      { description: 'What came, by source, in order of name.' },
    ),
    overlaps: Type.Array(
      Type.Object({
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
          'Counts what each source reported since this process started: accepted, duplicate, rejected and why, ignored and why. ' +
          'Ids and fields only, no content. Requires the scope `usage:read` or `messages:write`.',
        querystring: Type.Object({ ...organizationQuery }, { additionalProperties: false }),
        response: {
          200: { description: 'The counts.', content: { 'application/json': { schema: ref(IntakeSchema) } } },
          ...problemResponses(400, 401, 403, 404, 500, 503),
        },
      },
    },
    async (request, reply) => {
      const { organization } = await callers.identify(request)
      const view = senders.of(organization.id)
      reply.header('cache-control', 'no-store')
      return {
        since: canonicalTimestamp(view.since),
        sources: view.senders.map(({ source, counts, lastSeen, reasons }) => ({
          source,
          ...counts,
          last_seen: canonicalTimestamp(lastSeen),
          reasons: reasons.map(({ outcome, field, reason, count: records, latestId }) => ({
            outcome,
            ...(field !== undefined && { field }),
            reason,
            records,
            ...(latestId !== undefined && { latest_id: latestId }),
          })),
        })),
        overlaps: view.overlaps.map(({ sources, calls, lastSeen }) => ({
          sources: [...sources],
          calls,
          last_seen: canonicalTimestamp(lastSeen),
        })),
      }
    },
  )
  done()
}
