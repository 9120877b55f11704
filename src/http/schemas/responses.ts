/** Answers that many routes share. */
import Type, { type TRef } from 'typebox'
import { PROBLEM_JSON } from './problem.ts'

const DESCRIPTIONS = {
  400: 'The request is not valid: `errors` names each thing that was wrong.',
  404: 'There is nothing at this path.',
  405: 'The path does not take this method; `Allow` says which it takes.',
  500: 'Something went wrong in the service; its logs say more.',
  502: 'The Copilot service could not be reached, answered with an error, or with something that cannot be billed; and no good answer is recent enough.',
  503: 'Not ready: the Copilot service fails and no good answer is at hand.',
  504: 'The Copilot service did not answer in time, and no good answer is recent enough.',
} as const

type ProblemStatus = keyof typeof DESCRIPTIONS

type ProblemResponse = {
  readonly description: string
  readonly content: { readonly [PROBLEM_JSON]: { readonly schema: TRef<'Problem#'> } }
}

/** The responses of a route, by status. */
export const problemResponses = (...statuses: readonly ProblemStatus[]): Readonly<Record<string, ProblemResponse>> =>
  Object.fromEntries(
    statuses.map((status) => [
      String(status),
      { description: DESCRIPTIONS[status], content: { [PROBLEM_JSON]: { schema: Type.Ref('Problem#') } } },
    ]),
  )
