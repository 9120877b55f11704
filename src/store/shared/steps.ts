/**
 * Work that both databases do in the same way, written once. A function yields statements and receives their rows; SQLite runs
 * it to its end at once, PostgreSQL waits for each statement. Statements have `$1`, `$2`, … for values.
 */

export type SqlValue = string | number | bigint | Uint8Array | null
export type Row = Readonly<Record<string, unknown>>
export type Step = { readonly sql: string; readonly values: readonly SqlValue[] }
export type Steps<T> = Generator<Step, T, readonly Row[]>

/** One statement, and its rows. */
export function* query(sql: string, ...values: readonly SqlValue[]): Steps<readonly Row[]> {
  return yield { sql, values }
}

/** Runs the steps with a function that performs one. */
export const runSteps = <T>(steps: Steps<T>, perform: (step: Step) => readonly Row[]): T => {
  let next = steps.next()
  while (!next.done) next = steps.next(perform(next.value))
  return next.value
}

export const runStepsAsync = async <T>(
  steps: Steps<T>,
  perform: (step: Step) => Promise<readonly Row[]>,
): Promise<T> => {
  let next = steps.next()
  while (!next.done) next = steps.next(await perform(next.value))
  return next.value
}
