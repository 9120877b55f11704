/**
 * What a name, an id or any other value must be that reaches a store: PostgreSQL has no U+0000 in a text, and a lone surrogate
 * has no UTF-8, so that it would be kept as another character than it was answered.
 */
export const isPlainText = (text: string): boolean => text.isWellFormed() && !text.includes('\u0000')

/** Completes "must be". */
export const PLAIN_TEXT = 'without U+0000 and lone surrogates'
