/** Terminal output: styles, tables and a progress bar. */
import { styleText } from 'node:util'
import { type Credits, toDecimal } from '#model/credits.ts'
import { occasionally } from '#model/occasionally.ts'

export type Terminal = {
  readonly out: NodeJS.WriteStream | NodeJS.WritableStream
  readonly err: NodeJS.WriteStream | NodeJS.WritableStream
}

type Style = Parameters<typeof styleText>[0]

/** Styles the text if the stream is a terminal with colors; respects `NO_COLOR`. */
export const styled = (stream: Terminal['out'], style: Style, text: string): string =>
  styleText(style, text, { stream: stream as NodeJS.WriteStream, validateStream: true })

/** Prints how far a migration has come: a command waits for it. */
export const migrationPrinter = (err: Terminal['err']): ((progress: string) => void) =>
  occasionally(MIGRATION_PRINTED_EVERY_MS, (progress: string) => err.write(`${progress}\n`))

const MIGRATION_PRINTED_EVERY_MS = 2000

export type Column = { readonly title: string; readonly align: 'left' | 'right' }

/** `foot` rows follow the others, below a rule. */
export const table = (
  out: Terminal['out'],
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  foot: readonly (readonly string[])[] = [],
): string => {
  const widths = columns.map(({ title }, index) =>
    [...rows, ...foot].reduce((most, row) => Math.max(most, widthOf(row[index] ?? '')), widthOf(title)),
  )
  const lineOf = (cells: readonly string[]): string =>
    cells
      .map((cell, index) => pad(cell, widths[index] ?? 0, columns[index]?.align ?? 'left'))
      .join('  ')
      .trimEnd()
  const rule = styled(out, 'dim', widths.map((width) => '─'.repeat(width)).join('──'))
  const head = styled(out, 'bold', lineOf(columns.map(({ title }) => title)))
  const parts = [head, rule, ...rows.map(lineOf)]
  if (foot.length > 0) parts.push(rule, ...foot.map((row) => styled(out, 'bold', lineOf(row))))
  return `${parts.join('\n')}\n`
}

const segmenter = new Intl.Segmenter()

/** The approximate width on a terminal: wide East Asian characters and emoji take two columns, combining marks none. */
const widthOf = (text: string): number => {
  let width = 0
  for (const { segment } of segmenter.segment(text))
    width +=
      /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u.test(
        segment,
      )
        ? 2
        : 1
  return width
}

const pad = (cell: string, width: number, align: Column['align']): string => {
  const space = ' '.repeat(Math.max(0, width - widthOf(cell)))
  return align === 'left' ? cell + space : space + cell
}

/** Makes untrusted text safe to print: a control character can move the cursor, a direction mark can reverse a line. */
export const shown = (text: string): string => text.replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, '\ufffd')

/** 12345.6789 → 12,345.6789. */
export const grouped = (number: number | string): string =>
  String(number).replace(/\B(?<!\.\d*)(?=(\d{3})+(?!\d))/g, ',')

/** Two decimals, so that amounts line up, or more if the amount has more. */
export const shownAmount = (amount: Credits): string => {
  const [whole = '', fraction = ''] = toDecimal(amount).split('.')
  return `${grouped(whole)}.${fraction.padEnd(2, '0')}`
}

export type ProgressBar = {
  readonly show: (done: number, total: number | undefined) => void
  readonly clear: () => void
}

/** Redraws one line on standard error, if that is a terminal. Appears only after a moment, so short work shows none. */
export const progressBar = (err: Terminal['err'], label: string, unit: (done: number) => string): ProgressBar => {
  const isTerminal = 'isTTY' in err && err.isTTY === true
  const startedAt = performance.now()
  let drawnAt = startedAt + QUIET_MS - REDRAW_MS
  let isDrawn = false
  return {
    show: (done, total) => {
      const now = performance.now()
      if (!isTerminal || now - drawnAt < REDRAW_MS) return
      drawnAt = now
      isDrawn = true
      err.write(`\r\u001b[2K${label} ${drawBar(done, total)} ${unit(done)}${timeLeft(done, total, now - startedAt)}`)
    },
    clear: () => {
      if (isDrawn) err.write('\r\u001b[2K')
    },
  }
}

const QUIET_MS = 300
const REDRAW_MS = 80
const BAR_CELLS = 30

const drawBar = (done: number, total: number | undefined): string => {
  if (total === undefined || total === 0) return '…'
  const share = Math.min(1, done / total)
  const cells = Math.round(share * BAR_CELLS)
  return `${'█'.repeat(cells)}${'░'.repeat(BAR_CELLS - cells)} ${String(Math.floor(share * 100)).padStart(3)} %`
}

const timeLeft = (done: number, total: number | undefined, elapsedMs: number): string => {
  if (total === undefined || done === 0 || done >= total) return ''
  const seconds = Math.ceil(((elapsedMs / done) * (total - done)) / 1000)
  return `, ${seconds} s left`
}
