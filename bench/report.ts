/** Writes results as Markdown to standard output, and progress to standard error. */
import { cpus } from 'node:os'
import { progressBar } from '../src/cli/terminal.ts'

export type Report = {
  readonly heading: (text: string) => void
  readonly line: (text: string) => void
  readonly table: (head: readonly string[], rows: readonly (readonly string[])[]) => void
  readonly progress: (label: string, done: number, total: number) => void
}

export const createReport = (): Report => {
  const write = (text: string) => process.stdout.write(`${text}\n`)
  const bars = new Map<string, ReturnType<typeof progressBar>>()
  const clear = () => {
    for (const bar of bars.values()) bar.clear()
  }
  write(
    `${new Date().toISOString().slice(0, 10)}, Node.js ${process.version}, ${cpus().length} × ${cpus()[0]?.model.trim()}`,
  )
  return {
    heading: (text) => {
      clear()
      write(`\n### ${text}\n`)
    },
    line: (text) => write(`\n${text}`),
    table: (head, rows) => {
      clear()
      const lineOf = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
      write([lineOf(head), lineOf(head.map(() => '---')), ...rows.map(lineOf)].join('\n'))
    },
    progress: (label, done, total) => {
      const bar = bars.get(label) ?? progressBar(process.stderr, label, (count) => `${count} of ${total}`)
      bars.set(label, bar)
      bar.show(done, total)
    },
  }
}

export const median = (numbers: readonly number[]): number => {
  const sorted = [...numbers].sort((one, other) => one - other)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}
