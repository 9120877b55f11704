/** Every error is one of these: application/problem+json (RFC 9457). */
import Type, { type Static } from 'typebox'

export const PROBLEM_JSON = 'application/problem+json'

export const ProblemSchema = Type.Object(
  {
    type: Type.String({
      format: 'uri',
      description: 'Names the kind of problem; stable, may be matched on.',
      examples: ['urn:copilot-credits:problem:upstream-failed'],
    }),
    title: Type.String({
      description: 'The kind of problem in words; the same for every problem of the type.',
      examples: ['The Copilot service failed'],
    }),
    status: Type.Integer({ description: 'The HTTP status code.', examples: [502] }),
    detail: Type.String({
      description: 'What went wrong this time, for people.',
      examples: ['GET /reports/5392 failed after 3 attempts: the response status was 503'],
    }),
    request_id: Type.String({
      description: 'Finds this request in the logs; also sent as the header `X-Request-Id`.',
      examples: ['4f8a3c1e-9d0b-4d5e-8a77-0d8f6f1f2c11'],
    }),
    upstream: Type.Optional(
      Type.Object(
        {
          call: Type.String({ description: 'The call that failed.', examples: ['GET /reports/5392'] }),
          failure: Type.Union(
            [Type.Literal('connection'), Type.Literal('timeout'), Type.Literal('status'), Type.Literal('bad-answer')],
            {
              description:
                'How: no connection or a broken one, no complete answer in time, an error status, or an answer that cannot be billed.',
              examples: ['status'],
            },
          ),
          reason: Type.String({
            description: 'How, in words; names the field that was wrong, never its content.',
            examples: ['the response status was 503'],
          }),
          attempts: Type.Integer({
            minimum: 0,
            description: 'How often it was tried; 0 where no time was left to.',
            examples: [3],
          }),
          status: Type.Optional(Type.Integer({ description: 'The status that was answered last.', examples: [503] })),
        },
        { description: 'Only with 502 and 504: which call to the Copilot service failed, and how.' },
      ),
    ),
    errors: Type.Optional(
      Type.Array(
        Type.Object({
          field: Type.String({ description: 'What was wrong in the request.', examples: ['query parameter "period"'] }),
          expected: Type.String({
            description: 'What was expected instead.',
            examples: ['absent: /usage takes no parameters'],
          }),
        }),
        { description: 'Only with 400: each thing that was wrong.' },
      ),
    ),
  },
  { $id: 'Problem', description: 'An error, in the manner of RFC 9457.' },
)

export type Problem = Static<typeof ProblemSchema>
