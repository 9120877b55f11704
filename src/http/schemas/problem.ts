/** The body of every error response: application/problem+json (RFC 9457). */
import Type, { type Static } from 'typebox'

export const PROBLEM_JSON = 'application/problem+json'

export const ProblemSchema = Type.Object(
  {
    type: Type.String({
      format: 'uri',
      description: 'Identifies the kind of problem. Stable, so clients can match on it.',
      examples: ['urn:copilot-credits:problem:upstream-failed'],
    }),
    title: Type.String({
      description: 'Name of the problem, the same for every problem of this type.',
      examples: ['The Copilot service failed'],
    }),
    status: Type.Integer({ description: 'The HTTP status code.', examples: [502] }),
    detail: Type.String({
      description: 'What went wrong with this request, in sentences for people. The wording may change.',
      examples: ['GET /reports/5392 failed after 3 attempts: the response status was 503.'],
    }),
    request_id: Type.String({
      description: 'Identifies this request in the service log. Also sent in the `X-Request-Id` header.',
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
                '`connection`: no connection, or it broke. `timeout`: no complete response in time. `status`: an error status. ' +
                '`bad-answer`: a response that cannot be billed.',
              examples: ['status'],
            },
          ),
          reason: Type.String({
            description: 'Explanation of the failure. May name an invalid field, but never quotes its value.',
            examples: ['the response status was 503'],
          }),
          attempts: Type.Integer({
            minimum: 0,
            description: 'Number of attempts; 0 if no time was left for one.',
            examples: [3],
          }),
          status: Type.Optional(
            Type.Integer({ description: 'Status of the last response, if there was one.', examples: [503] }),
          ),
        },
        { description: 'Only for 502 and 504: the call to the Copilot service that failed.' },
      ),
    ),
    errors: Type.Optional(
      Type.Array(
        Type.Object({
          field: Type.String({
            description:
              'The invalid part of the request, such as a query parameter, a header, or a place in the body.',
            examples: ['query parameter "color"'],
          }),
          expected: Type.String({
            description: 'What the field must be.',
            examples: ['absent: /usage does not accept it'],
          }),
        }),
        { description: 'Only for 400: the first invalid field that was found. There may be others.' },
      ),
    ),
  },
  { $id: 'Problem', description: 'An error, as RFC 9457 defines it.' },
)

export type Problem = Static<typeof ProblemSchema>
