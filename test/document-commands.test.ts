/**
 * Runs every command in the documents as a reader would: the commands of each document in order, in an empty folder, with a
 * service and a database of its own. If the document shows what a command prints, the output must match.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { type CodeBlock, codeBlocks, DOCUMENTS, readDocument } from './markdown.ts'
import { freePort, type PostgresServer, startPostgres } from './postgres-server.ts'

/** Commands that cannot run here, and why. */
const NOT_RUN: readonly { readonly pattern: RegExp; readonly reason: string }[] = [
  { pattern: /^npm ci && npm test$/, reason: 'would run this test again' },
  {
    pattern: /^(?:IMAGE_TARGET=\w+ )?docker compose /,
    reason: 'needs Docker; test/docker-image.test.ts reads the Dockerfile',
  },
  { pattern: /^pg_(?:dump|restore) /, reason: 'is not in the package from which the tests run PostgreSQL' },
  { pattern: /^npx copilot-credits db distribute$/, reason: 'needs the extension Citus' },
  { pattern: /^npm (?:pack|install) /, reason: 'test/client.test.ts packs the client and installs it' },
  { pattern: /^export [A-Z_]+=/, reason: 'sets up a sender of OpenTelemetry' },
]

/** Commands that run here. */
const RUN = /^(?:[A-Z_]+=\S+ )?(?:npx copilot-credits|npm ci && npm start|npm start|curl|echo|printf)(?= |$)/

/** Commands that only work in the checkout: each runs a script of package.json. */
const SCRIPT = /^npm (?:run ([\w:]+)(?: -w (\w+))?|(ci|test))(?= |$)/

/** Commands that, as the document says, exit with a code other than 0. */
const ENDS_WITH: readonly { readonly pattern: RegExp; readonly code: number }[] = [
  { pattern: /^npx copilot-credits import messages\.csv /, code: 1 },
  { pattern: /^npx copilot-credits cards import --litellm /, code: 1 },
]

const root = join(import.meta.dirname, '..')
const POSTGRES_URL = 'postgres://credits:secret@127.0.0.1/credits'
const KEY = /cck_default_[\w-]{20,}/
const READY_WITHIN_MS = 60_000
/** A document starts up to a dozen processes one after another, while other documents and other tests run. */
const TIMEOUT_MS = 300_000

type Command = { readonly text: string; readonly printed: string | undefined; readonly line: number }

/** A block is a list of commands, or a transcript: `$ ` and a command, and below it what the command prints. */
const commandsOf = ({ text, line: begin }: CodeBlock): readonly Command[] => {
  const isTranscript = /^\$ /m.test(text)
  const commands: { text: string; printed: string | undefined; line: number }[] = []
  for (const [index, full] of text.split('\n').entries()) {
    const last = commands.at(-1)
    const line = full.replace(/ +# .*$/, '')
    if (last !== undefined && !isComplete(last.text)) last.text += `\n${line}`
    else if (line.startsWith('$ ')) commands.push({ text: line.slice(2), printed: '', line: begin + index + 1 })
    else if (isTranscript && last !== undefined) last.printed += `${full}\n`
    else if (line !== '') commands.push({ text: line, printed: undefined, line: begin + index + 1 })
  }
  return commands
}

const QUOTED = /'[^']*'|"(?:[^"\\]|\\.)*"/g
const isComplete = (text: string): boolean => !/['"]|\\$/.test(text.replace(QUOTED, ''))

/** Whether the output matches what the document shows: … stands for anything, and only JSON may be wrapped. */
const isAsShown = (shown: string, printed: string): boolean => {
  const normal = (text: string): string => text.trim().replace(/\s+/g, /^\s*[{[]/.test(shown) ? '' : ' ')
  const parts = normal(shown)
    .split(/\s*…\s*/)
    .map(RegExp.escape)
  return new RegExp(`^${parts.join('[\\s\\S]*?')}$`).test(normal(printed))
}

let postgres: Promise<PostgresServer> | undefined
const databaseUrl = async (): Promise<string> => {
  postgres ??= startPostgres()
  return (await postgres).createDatabase()
}

/** Runs the commands of one document. */
class Reader implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'copilot-credits-document-'))
  readonly #ports = new Map<string, number>()
  readonly #running = new Map<string, ChildProcess>()
  #key = ''
  #databaseUrl = ''

  constructor(files: readonly CodeBlock[]) {
    for (const { name, text } of files) writeFileSync(join(this.#folder, name), text)
    writeFileSync(join(this.#folder, '.curlrc'), 'silent\nshow-error\n')
  }

  async run({ text, printed, line }: Command): Promise<void> {
    // The documents say to stop the service before restoring a backup.
    if (text.includes(' db restore ')) await this.#endAll()
    const command = await this.#here(text)
    const port = await this.#portServedBy(text)
    if (port !== undefined) return this.#serve(command, port)
    const { output, code } = await this.#shell(command)
    this.#key = KEY.exec(output)?.[0] ?? this.#key
    const expected = ENDS_WITH.find(({ pattern }) => pattern.test(text))?.code ?? 0
    assert.equal(code, expected, `line ${line}: ${text}\n${output}`)
    if (printed === undefined) return
    const shown = this.#back(output)
    assert.ok(isAsShown(printed, shown), `line ${line}: ${text}\nprints\n${shown}\nbut the document shows\n${printed}`)
  }

  /** The command as it runs here: with ports that are free, a database and a key that exist. */
  async #here(text: string): Promise<string> {
    if (text.includes(POSTGRES_URL)) this.#databaseUrl = await databaseUrl()
    for (const [, port = ''] of text.matchAll(/(?:127\.0\.0\.1:|--port )(\d{4})\b/g)) await this.#portFor(port)
    const node = `'${process.execPath}'`
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      readonly scripts: { readonly start: string }
    }
    const start = scripts.start.replace(' bin/', ` ${root}/bin/`).replace(/^node /, `${node} `)
    let here = text
      .replace(/^npm ci && /, '')
      .replace(/\bnpm start\b(?: --(?= ))?/, start)
      .replace(/\bnpx copilot-credits\b/g, `${node} '${join(root, 'bin', 'copilot-credits.js')}'`)
      .replace(/cck_default_…/g, this.#key)
      .replace(POSTGRES_URL, this.#databaseUrl)
    for (const [port, ours] of this.#ports) {
      here = here.replace(new RegExp(`(127\\.0\\.0\\.1:|--port )${port}\\b`, 'g'), `$1${ours}`)
    }
    if (/ sandbox\b/.test(here) && !here.includes('--port')) here += ` --port ${await this.#portFor('8080')}`
    return here
  }

  #back(output: string): string {
    let text = output
    for (const [port, ours] of this.#ports) text = text.replaceAll(`127.0.0.1:${ours}`, `127.0.0.1:${port}`)
    return text
  }

  async #portFor(port: string): Promise<number> {
    const ours = this.#ports.get(port) ?? (await freePort())
    this.#ports.set(port, ours)
    return ours
  }

  /** The port on which the command serves; undefined if the command ends by itself. */
  async #portServedBy(text: string): Promise<number | undefined> {
    const [, port] = /--port (\d+)/.exec(text) ?? []
    if (/\bnpm start\b|\bcopilot-credits serve\b/.test(text)) return this.#portFor(port ?? '8000')
    return /\bcopilot-credits sandbox\b/.test(text) ? this.#portFor(port ?? '8080') : undefined
  }

  async #serve(command: string, port: number): Promise<void> {
    await this.#end(String(port))
    const child = this.#spawn(command, { PORT: String(port) })
    this.#running.set(String(port), child)
    let output = ''
    child.stdout?.on('data', (chunk: Buffer) => {
      output += chunk
    })
    const endsAt = performance.now() + READY_WITHIN_MS
    while (!(await answers(port))) {
      if (child.exitCode !== null || performance.now() > endsAt) assert.fail(`${command} does not serve\n${output}`)
      await setTimeout(20)
    }
  }

  async #shell(command: string): Promise<{ readonly output: string; readonly code: number | null }> {
    const child = this.#spawn(command, {})
    let output = ''
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk
    })
    const [code] = (await once(child, 'close')) as [number | null]
    return { output, code }
  }

  /** Drops the environment of whoever runs the tests. Merges both output streams, as a terminal does. */
  #spawn(command: string, environment: Readonly<Record<string, string>>): ChildProcess {
    return spawn('sh', ['-c', `{ ${command}\n} 2>&1`], {
      cwd: this.#folder,
      env: { PATH: process.env['PATH'], HOME: this.#folder, ...environment },
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    })
  }

  async #end(port: string): Promise<void> {
    const child = this.#running.get(port)
    if (child?.pid === undefined || child.exitCode !== null) return
    const closed = once(child, 'close')
    process.kill(-child.pid, 'SIGTERM')
    await closed
    this.#running.delete(port)
  }

  async #endAll(): Promise<void> {
    await Promise.all([...this.#running.keys()].map((port) => this.#end(port)))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#endAll()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

const answers = async (port: number): Promise<boolean> => {
  try {
    await (await fetch(`http://127.0.0.1:${port}/healthz`)).arrayBuffer()
    return true
  } catch {
    return false
  }
}

const documents = DOCUMENTS.map((path) => {
  const blocks = codeBlocks(readDocument(path))
  const commands = blocks.filter(({ language }) => language === 'sh').flatMap(commandsOf)
  return { path, files: blocks.filter(({ name }) => name !== ''), commands }
})
const isListed = ({ text }: Command): boolean => NOT_RUN.some(({ pattern }) => pattern.test(text))
const isScript = ({ text }: Command): boolean => SCRIPT.test(text) && !text.includes('&&')
const isRun = (command: Command): boolean => RUN.test(command.text) && !isListed(command)

describe('documents', () => {
  test('contain only commands that run here or are listed with a reason, and every listed command occurs', () => {
    for (const path of DOCUMENTS) {
      for (const { language, line } of codeBlocks(readDocument(path))) {
        assert.ok(!['shell', 'bash', 'console'].includes(language), `${path}:${line} must be marked sh`)
      }
    }
    const all = documents.flatMap(({ commands }) => commands)
    assert.ok(all.length > 40, 'commands are found')
    for (const { path, commands } of documents) {
      for (const command of commands) {
        const isKnown = isRun(command) || isScript(command) || isListed(command)
        assert.ok(isKnown, `${path}:${command.line}: ${command.text}\nis neither run nor listed with a reason`)
      }
    }
    for (const { pattern } of [...NOT_RUN, ...ENDS_WITH]) {
      assert.ok(
        all.some(({ text }) => pattern.test(text)),
        `${pattern} is in a document`,
      )
    }
  })

  test('name only scripts that package.json has', () => {
    for (const { path, commands } of documents) {
      for (const { text, line } of commands.filter(isScript)) {
        const [, name = 'test', workspace = '.'] = SCRIPT.exec(text) ?? []
        const { scripts } = JSON.parse(readFileSync(join(root, workspace, 'package.json'), 'utf8')) as {
          readonly scripts: Readonly<Record<string, string>>
        }
        assert.ok(scripts[name] !== undefined, `${path}:${line}: ${text}`)
      }
    }
  })

  const lacking = ['sh', 'curl'].find((name) => spawnSync(name, ['--version']).error !== undefined)
  const skip = lacking === undefined ? false : `${lacking} is not installed`
  describe('keep their promises', { concurrency: true, skip }, () => {
    after(async () => {
      await (await postgres)?.[Symbol.asyncDispose]()
    })
    for (const { path, files, commands } of documents) {
      const run = commands.filter(isRun)
      if (run.length === 0) continue
      test(`every command of ${path} runs (${run.length}) and prints what the document shows`, {
        timeout: TIMEOUT_MS,
      }, async () => {
        await using reader = new Reader(files)
        for (const command of run) await reader.run(command)
      })
    }
  })
})
