/** What does the cache of compiled code save? Measures the time until the service responds, and its CPU time and memory by then. */
import { setTimeout as wait } from 'node:timers/promises'
import { type Running, startService } from './processes.ts'
import { median, type Report } from './report.ts'
import { cpuOf, ratio, takeTurns } from './turns.ts'

const ROUNDS = 11

type Figures = { readonly ms: number; readonly cpu: number; readonly resident: number }

export const benchStart = async (report: Report): Promise<void> => {
  report.heading('The start, with compiled code kept and without')
  const start = (environment: Readonly<Record<string, string>>) => async (): Promise<Figures> => {
    const startedAt = performance.now()
    await using service = await startService(environment)
    const ms = performance.now() - startedAt
    return { ms, cpu: cpuOf(service.pid) / 1000, resident: service.residentBytes() / 1e6 }
  }
  const variants = { kept: start({}), 'compiled anew': start({ NODE_DISABLE_COMPILE_CACHE: '1' }) }
  await keepCompiledCode()
  const figures = await takeTurns(report, 'starts', ROUNDS, variants)
  const of = (each: readonly Figures[], name: keyof Figures) => each.map((one) => one[name])
  const columns = ['ms', 'cpu', 'resident'] as const
  report.table(
    ['compiled code', 'ms until it answers', 'of kept', 'ms of CPU', 'of kept', 'MB resident', 'of kept'],
    Object.entries(figures).map(([name, each]) => [
      name,
      ...columns.flatMap((column) => [
        median(of(each, column)).toFixed(0),
        ratio(of(each, column), of(figures.kept, column)),
      ]),
    ]),
  )
}

/** Fills the cache. Node.js writes it when a process exits normally, but a bench kills its services. */
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
