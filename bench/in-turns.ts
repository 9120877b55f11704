/**
 * Runs several ways to do one thing in turns. Whatever slows one way slows the next one too, so the ratio of a pair holds even
 * if the figures themselves do not. The cost is CPU time, which other processes disturb less than elapsed time.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { median, type Report } from './report.ts'

/** Runs once and returns the CPU time per operation, in microseconds. */
export type Way = () => number | Promise<number>

/** Rounds that are run but not counted, because code is still being compiled. */
const WARM_UP_ROUNDS = 3

/** Runs each way once per round. Prints its cost and the ratio to the first way. */
export const compareInTurns = async (
  report: Report,
  label: string,
  rounds: number,
  ways: Readonly<Record<string, Way>>,
): Promise<void> => {
  const entries = Object.entries(ways)
  const costs = new Map<string, number[]>(entries.map(([name]) => [name, []]))
  for (let round = -WARM_UP_ROUNDS; round < rounds; round++) {
    report.progress(label, Math.max(0, round), rounds)
    // In the opposite order every other round, so that no way always comes first.
    for (const [name, run] of round % 2 === 0 ? entries : entries.toReversed()) {
      const cost = await run()
      if (round >= 0) costs.get(name)?.push(cost)
    }
  }
  const [firstName = ''] = Object.keys(ways)
  const first = costs.get(firstName) ?? []
  report.table(
    ['', 'CPU, µs (median)', 'ratio (95 % interval)'],
    [...costs].map(([name, own]) => [name, median(own).toPrecision(3), ratioText(own, first)]),
  )
}

/** The median of the ratios, pair by pair, with its 95 % interval, taken from the ordered ratios. */
const ratioText = (ones: readonly number[], others: readonly number[]): string => {
  const ratios = ones.map((one, index) => one / (others[index] ?? Number.NaN)).sort((one, other) => one - other)
  const outside = Math.max(0, Math.floor(ratios.length / 2 - 0.98 * Math.sqrt(ratios.length)))
  const [least = Number.NaN, most = Number.NaN] = [ratios[outside], ratios[ratios.length - 1 - outside]]
  return `${median(ratios).toFixed(2)} (${least.toFixed(2)} to ${most.toFixed(2)})`
}

/** The CPU time of each of `times` runs on this thread, in microseconds. */
export const cpuOfRuns = (times: number, run: (time: number) => void): number => {
  const before = process.threadCpuUsage()
  for (let time = 0; time < times; time++) run(time)
  const { user, system } = process.threadCpuUsage(before)
  return (user + system) / times
}

/** The CPU time of all threads of a process so far, in microseconds, from Linux's /proc. */
export const cpuOfProcess = (pid: number): number =>
  readdirSync(`/proc/${pid}/task`).reduce((sum, thread) => {
    const [nanoseconds] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')
    return sum + Number(nanoseconds) / 1000
  }, 0)
