/**
 * Whether a store can keep a name, an id or any other text unchanged. PostgreSQL text cannot contain U+0000, and UTF-8 cannot
 * encode a lone surrogate, which would come back as a different character.
 */
export const isPlainText = (text: string): boolean => text.isWellFormed() && !text.includes('\u0000')

/** Completes "must be". */
export const PLAIN_TEXT = 'free of U+0000 and lone surrogates'
