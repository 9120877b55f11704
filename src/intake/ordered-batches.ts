/**
 * Batches that are under way at the same time, and whose results are taken in the order in which they were added: one batch
 * can be priced while another is being synced.
 */
export const createOrderedBatches = (batchesAtOnce: number) => {
  /** Settles once the results of the latest batch have been taken. Chaining keeps the order. */
  let turn: Promise<void> = Promise.resolve()
  const underWay: Promise<void>[] = []
  return {
    /**
     * Passes the results of a batch to `take` after those of all earlier batches, unless one of them failed. Resolves as soon
     * as there is room for another batch, and may throw the first failure.
     */
    add: async <T>(results: Promise<T>, take: (results: T) => void | Promise<void>): Promise<void> => {
      turn = turn.then(async () => take(await results))
      // Failures are reported by `turn`. If an earlier batch fails, nothing awaits these results, and their failure must not
      // end the process.
      results.catch(() => {})
      turn.catch(() => {})
      underWay.push(turn)
      if (underWay.length >= batchesAtOnce) await underWay.shift()
    },
    /** Resolves when the results of every batch have been taken. Throws the first failure, in the order of the batches. */
    settled: (): Promise<void> => turn,
  }
}
