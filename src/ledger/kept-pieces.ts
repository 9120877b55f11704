import type { EpochMs } from '#model/organization.ts'
import type { KeptCharges } from './kept-charges.ts'
import type { LedgerView, Range } from './ledger.ts'

/** A piece is read in a few milliseconds. */
const PIECE_CHARGES = 2000

/** All that is kept of a range as of the moment of the view, in order of time. The next piece is read while one is used. */
export async function* keptPieces(view: LedgerView, range: Range): AsyncGenerator<KeptCharges> {
  let next: Promise<KeptCharges> | undefined = view.keptCharges({ ...range, limit: PIECE_CHARGES })
  try {
    while (next !== undefined) {
      const piece: KeptCharges = await next
      next =
        piece.count < PIECE_CHARGES
          ? undefined
          : view.keptCharges({ ...range, after: lastOf(piece), limit: PIECE_CHARGES })
      // Handled once it is awaited.
      next?.catch(() => {})
      yield piece
    }
  } finally {
    // The view must not be used once its reading has ended.
    await next?.catch(() => {})
  }
}

export const lastOf = ({ at, messageIds, count }: KeptCharges) => {
  const messageId = messageIds[count - 1]
  if (messageId === undefined) throw new Error('an empty piece has no last charge')
  return { at: at[count - 1] as EpochMs, messageId }
}
