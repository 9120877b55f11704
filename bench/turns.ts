/**
 * Measures variants in turns. Whatever slows one variant slows the next one too, so on a busy machine the ratio of neighboring
 * runs holds even if the figures themselves do not.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { median, type Report } from './report.ts'

/** Runs every variant once per round, in the opposite order every other round. */
export const takeTurns = async <Name extends string, Figures>(
  { progress }: Report,
  label: string,
  rounds: number,
  variants: Readonly<Record<Name, () => Promise<Figures>>>,
): Promise<Readonly<Record<Name, readonly Figures[]>>> => {
  const names = Object.keys(variants) as Name[]
  const all = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, Figures[]>
  for (let round = 0; round < rounds; round++) {
    progress(label, round, rounds)
    for (const name of round % 2 === 0 ? names : names.toReversed()) all[name].push(await variants[name]())
  }
  return all
}

/** Does one thing and returns the CPU time it took, in microseconds per operation. */
export type Way = () => number | Promise<number>

/** Rounds that run first and do not count, because code is still being compiled. */
const WARM_UP_ROUNDS = 3

/** Prints what each way costs, and its ratio to the first one. */
export const compareInTurns = async (
  report: Report,
  label: string,
  rounds: number,
  ways: Readonly<Record<string, Way>>,
): Promise<void> => {
  const variants = Object.fromEntries(Object.entries(ways).map(([name, run]) => [name, async () => run()]))
  const all = await takeTurns(report, label, WARM_UP_ROUNDS + rounds, variants)
  const costs = Object.entries(all).map(([name, own]) => [name, own.slice(WARM_UP_ROUNDS)] as const)
  const [[firstName, first] = ['', []]] = costs
  report.table(
    ['', 'CPU, µs (median)', `ratio to ${firstName} (95 % interval)`],
    costs.map(([name, own]) => [name, median(own).toPrecision(3), ratio(own, first)]),
  )
}

/** The median of the ratios of neighbors, with the interval that contains the true median in at least 95 of 100 cases. */
export const ratio = (ones: readonly number[], others: readonly number[]): string => {
  const ratios = ones.map((one, index) => one / (others[index] ?? Number.NaN)).sort((one, other) => one - other)
  const outside = ranksOutside(ratios.length)
  const [least = Number.NaN, most = Number.NaN] = [ratios[outside], ratios[ratios.length - 1 - outside]]
  return `${median(ratios).toFixed(2)} (${least.toFixed(2)} to ${most.toFixed(2)})`
}

/** How many of `count` ordered values lie outside the 95 % interval on each side. Five or fewer are too few: then none do. */
const ranksOutside = (count: number): number => {
  let probability = 0.5 ** count
  let sum = 0
  for (let rank = 0; ; rank++) {
    sum += probability
    if (sum > 0.025) return Math.max(rank - 1, 0)
    probability *= (count - rank) / (rank + 1)
  }
}

/** The CPU time of one of `times` runs on this thread, in microseconds. */
export const cpuOfRuns = (times: number, run: (time: number) => void): number => {
  const before = process.threadCpuUsage()
  for (let time = 0; time < times; time++) run(time)
  const { user, system } = process.threadCpuUsage(before)
  return (user + system) / times
}

/** The CPU time that all threads of a process have used, in microseconds, from Linux's /proc. NaN on other systems. */
export const cpuOf = (pid: number): number => {
  try {
    return readdirSync(`/proc/${pid}/task`).reduce((sum, thread) => sum + threadCpu(pid, thread), 0) / 1000
  } catch {
    return Number.NaN
  }
}

/** In nanoseconds; 0 if the thread has just ended. */
const threadCpu = (pid: number, thread: string): number => {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0])
  } catch {
    return 0
  }
}
