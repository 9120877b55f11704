/** What does the compile cache save? Measures the time until the service first answers, and its CPU and memory until then. */
import { setTimeout as wait } from 'node:timers/promises'
import { type Running, startService } from './processes.ts'
import { median, type Report } from './report.ts'
import { cpuOf, ratio, takeTurns } from './turns.ts'

const ROUNDS = 11

type Figures = { readonly ms: number; readonly cpu: number; readonly resident: number }

export const benchStart = async (report: Report): Promise<void> => {
  report.heading('The start, with and without the compile cache')
  const start = (environment: Readonly<Record<string, string>>) => async (): Promise<Figures> => {
    const startedAt = performance.now()
    await using service = await startService(environment)
    const ms = performance.now() - startedAt
    return { ms, cpu: cpuOf(service.pid) / 1000, resident: service.residentBytes() / 1e6 }
  }
  const variants = { 'from the cache': start({}), 'compiled anew': start({ NODE_DISABLE_COMPILE_CACHE: '1' }) }
  await keepCompiledCode()
  const figures = await takeTurns(report, 'starts', ROUNDS, variants)
  const of = (each: readonly Figures[], name: keyof Figures) => each.map((one) => one[name])
  const columns = ['ms', 'cpu', 'resident'] as const
  report.table(
    ['compiled code', 'time, ms', 'ratio', 'CPU, ms', 'ratio', 'resident memory, MB', 'ratio'],
    Object.entries(figures).map(([name, each]) => [
      name,
      ...columns.flatMap((column) => [
        median(of(each, column)).toFixed(0),
        ratio(of(each, column), of(figures['from the cache'], column)),
      ]),
    ]),
  )
}

/** Fills the cache. Node.js writes it when a process exits normally, and the services of the benchmark are killed. */
const keepCompiledCode = async (): Promise<void> => {
  await using service = await startService({})
  process.kill(service.pid, 'SIGTERM')
  while (isAlive(service)) await wait(50)
}

const isAlive = ({ pid }: Running): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
