/** The documents of the repository, and the parts of Markdown that tests read. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'

const root = join(import.meta.dirname, '..')

export const readDocument = (path: string): string => readFileSync(join(root, path), 'utf8')

const markdownIn = (folder: string): readonly string[] =>
  readdirSync(join(root, folder))
    .filter((file) => file.endsWith('.md'))
    .map((file) => posix.join(folder, file))

/** The paths of the documents that are written for readers. */
export const DOCUMENTS: readonly string[] = [...markdownIn('.'), ...markdownIn('docs'), 'client/README.md']

export type CodeBlock = {
  readonly language: string
  /** The text after the language: a file name, if the block shows the content of a file. */
  readonly name: string
  readonly text: string
  /** The line of the document that opens the block. */
  readonly line: number
}

/** The fenced blocks, without their indentation inside a list. */
export const codeBlocks = (markdown: string): readonly CodeBlock[] => {
  const blocks: CodeBlock[] = []
  let open: { readonly indent: string; readonly block: Omit<CodeBlock, 'text'>; readonly lines: string[] } | undefined
  for (const [index, line] of markdown.split('\n').entries()) {
    const [, indent = '', language = '', name = ''] = /^( *)```(\w*) ?(.*)$/.exec(line) ?? []
    const isFence = line.trimStart().startsWith('```')
    if (open === undefined) {
      if (isFence) open = { indent, block: { language, name, line: index + 1 }, lines: [] }
    } else if (isFence) {
      blocks.push({ ...open.block, text: open.lines.map((each) => `${each}\n`).join('') })
      open = undefined
    } else open.lines.push(line.startsWith(open.indent) ? line.slice(open.indent.length) : line)
  }
  return blocks
}

/** Everything outside of fenced blocks. */
export const prose = (markdown: string): string => markdown.replace(/^( *)```[\s\S]*?^ *```$/gm, '')

/** The cells of each row of a section's tables. `\|` does not end a cell. */
export const tableRows = (markdown: string, heading: string): readonly (readonly string[])[] => {
  const [, section = ''] = markdown.split(new RegExp(`^#+ ${RegExp.escape(heading)}$`, 'm'))
  const [own = ''] = section.split(/^#{1,6} /m)
  const rows = own.split('\n').filter((line) => /^\| (?!---)/.test(line))
  return rows.slice(1).map((row) =>
    row
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

/** The anchors that GitHub gives to headings. */
export const anchorsOf = (markdown: string): ReadonlySet<string> => {
  const headings = [...prose(markdown).matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = '']) => heading)
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .replace(/\s/g, '-'),
    ),
  )
}
