/** Says where in a request a field is. Use cases name their fields only. */

export const queryParameter = (name: string): string => `query parameter ${JSON.stringify(name)}`

export const pathParameter = (name: string): string => `path parameter ${JSON.stringify(name)}`

/** The sentence that says what a field must be, such as `The query parameter "to" must be later than "from".` */
export const requirement = (field: string, expected: string): string =>
  `The ${SAYS_WHAT_IT_IS.test(field) ? field : `field ${field}`} must be ${expected}.`

const SAYS_WHAT_IT_IS = /^(?:query parameter |path parameter |header |(?:query|body|event)$)/
