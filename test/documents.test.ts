/** The documents agree with the code. */
import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { describe, test } from 'node:test'
import { environmentExample, settingsPage, ungroupedSettings } from '../bin/documents.ts'
import { SETTINGS } from '../src/config.ts'
import { createMetrics } from '../src/http/metrics.ts'
import { KINDS } from '../src/http/schemas/problem.ts'
import { isRejection, parseIncoming } from '../src/intake/incoming-message.ts'
import { MESSAGE_FIELDS } from '../src/intake/message-fields.ts'
import { USAGE_FORMATS } from '../src/intake/usage-formats.ts'
import { BUILT_IN_CARDS } from '../src/rating/built-in-cards.ts'
import { damaged } from '../src/store/sqlite/integrity.ts'
import { startService } from './harness.ts'
import { anchorsOf, codeBlocks, DOCUMENTS, prose, readDocument, tableRows } from './markdown.ts'

const root = join(import.meta.dirname, '..')
const sources = globSync('src/**/*.ts', { cwd: root })
  .filter((path) => !path.endsWith('.test.ts'))
  .map((path) => readFileSync(join(root, path), 'utf8'))

describe('the settings', () => {
  test('in docs/settings.md and .env.example are up to date with the code (to update: npm run documents)', () => {
    assert.deepEqual(ungroupedSettings(), [], 'each setting is in one group of bin/documents.ts')
    assert.equal(readDocument('docs/settings.md'), settingsPage())
    assert.equal(readDocument('.env.example'), environmentExample())
  })

  test('that a document names exist', () => {
    const known = new Set([...Object.values(SETTINGS).map(({ name }) => name), ...OTHER_VARIABLES])
    for (const path of WRITTEN) {
      const named = [...prose(readDocument(path)).matchAll(/`([A-Z]+(?:_[A-Z]+)+)(?:=[^`]*)?`/g)]
      for (const [, name = ''] of named) assert.ok(known.has(name), `${path} names ${name}`)
    }
  })
})

/** The documents that describe only the present. The others also describe the past. */
const WRITTEN = DOCUMENTS.filter((path) => !/CHANGELOG|DECISIONS/.test(path))
const OTHER_VARIABLES = [
  'IMAGE_TARGET',
  'COPILOT_CREDITS_KEY',
  'TEST_DATABASE_URL',
  'CITUS_DATABASE_URL',
  'MESSAGE_DATA',
  // Of OpenTelemetry's exporters.
  'OTEL_EXPORTER_OTLP_ENDPOINT',
  'OTEL_EXPORTER_OTLP_HEADERS',
  'OTEL_EXPORTER_OTLP_PROTOCOL',
]

test('every link in a document leads to an existing file and, if it has an anchor, to a heading of that file', () => {
  for (const path of DOCUMENTS) {
    for (const [, link = ''] of prose(readDocument(path)).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(link)) continue
      const [file = '', anchor] = link.split('#')
      const target = file === '' ? path : posix.join(posix.dirname(path), file)
      assert.ok(existsSync(join(root, target)), `${path} links to ${link}`)
      if (anchor === undefined) continue
      assert.ok(anchorsOf(readDocument(target)).has(anchor), `${path} links to ${link}, which is not a heading`)
    }
  }
})

describe('problems', () => {
  const internal = KINDS['internal-error']
  /** Those that a client can get. */
  const kinds = new Map(
    Object.entries(KINDS)
      .filter(([kind, row]) => kind === 'internal-error' || (row !== internal && row.status !== 499))
      .map(([kind, { status }]) => [kind, String(status)]),
  )

  test('are all in docs/api.md, with their status', () => {
    assert.ok(kinds.size > 10, 'kinds are found')
    const rows = tableRows(readDocument('docs/api.md'), 'Errors').map(([type = '', status]) => [unquoted(type), status])
    assert.deepEqual(new Map(rows as [string, string][]), kinds)
  })

  test('that a document shows have the status of their type', () => {
    for (const path of DOCUMENTS) {
      for (const { language, text, line } of codeBlocks(readDocument(path))) {
        if (language !== 'json' || !text.includes('urn:copilot-credits:problem:')) continue
        const { type, status } = JSON.parse(text) as { readonly type: string; readonly status: number }
        assert.equal(kinds.get(type.replace('urn:copilot-credits:problem:', '')), String(status), `${path}:${line}`)
      }
    }
  })
})

test('every message that docs/api.md shows as JSON is valid, and each usage format is explained', () => {
  const page = readDocument('docs/api.md')
  const shown = codeBlocks(page).filter(({ language, text }) => language === 'json' && text.startsWith('{"id":'))
  assert.ok(shown.length > 2, 'messages are found')
  for (const { text, line } of shown) {
    const parsed = parseIncoming(JSON.parse(text), { textBytesMax: 1000, aheadMaxMs: 0 }, Date.now())
    assert.ok(!isRejection(parsed), `docs/api.md:${line}: ${JSON.stringify(parsed)}`)
  }
  const first = (rows: readonly (readonly string[])[]) => rows.map(([name = '']) => unquoted(name))
  const named = new Set(first(tableRows(page, 'Models, tokens and quantities')))
  for (const name of [...MESSAGE_FIELDS.map((field) => field.name), ...USAGE_FORMATS]) assert.ok(named.has(name), name)
})

test('docs/operating.md names every metric of the service, and none that does not exist', async () => {
  const text = await createMetrics().text()
  const own = new Set([...text.matchAll(/^# HELP (\S+)/gm)].map(([, name = '']) => name))
  const section = readDocument('docs/operating.md')
  const named = new Set(
    [...section.matchAll(/`((?:copilot_credits|http|nodejs|process)_\w+)`/g)].map(([, name = '']) => name),
  )
  for (const name of named) assert.ok(own.has(name), `${name} is a metric`)
  for (const name of own) assert.ok(!/^(copilot_credits|http)_/.test(name) || named.has(name), `${name} is documented`)
})

describe('the log', () => {
  /** The messages that the code logs at warn or above, with … for each part that varies. */
  const messages = new Map<string, string>()
  const add = (level: string, message: string): void => {
    assert.notEqual(message, '', 'a message is found in each call')
    messages.set(shortened(message), level)
  }
  for (const source of sources) {
    for (const { index, 1: level = '' } of source.matchAll(/\b(?:logger|log)\.(warn|error|fatal)\(/g)) {
      add(level, literalsIn(argumentsFrom(source, index)))
    }
    for (const { index, 1: severity = '' } of source.matchAll(/\bseverity: '(warn|error)',/g)) {
      add(severity, literalsIn(/message: *([\s\S]*?)\n *\}/.exec(source.slice(index))?.[1] ?? ''))
    }
  }
  // The check in the background logs this error's message, so no call in the code contains it.
  add('error', damaged('…', ['…']).message)

  test('has exactly the messages at warn or above that docs/operating.md explains', () => {
    assert.ok(messages.size > 10, 'messages are found')
    const rows = tableRows(readDocument('docs/operating.md'), 'The log')
    const explained = new Map(rows.map(([message = '', level = '']) => [shortened(unquoted(message)), level]))
    assert.deepEqual(sorted(explained), sorted(messages))
    for (const [message, , action = ''] of rows) assert.ok(action.length > 3, `${message} says what to do`)
  })
})

const sorted = (map: ReadonlyMap<string, string>) =>
  [...map].map(([message, level]) => `${level}: ${message}`).toSorted()

const unquoted = (cell: string): string => cell.replace(/^`|`$/g, '').replaceAll('\\|', '|')

/** Merges parts that vary and have no letter between them into one …. */
function shortened(message: string): string {
  return message.replace(/…(?:[^\p{L}…]*…)+/gu, '…').trim()
}

/** The text between the parentheses of the call at `index`. */
function argumentsFrom(source: string, index: number): string {
  const begin = source.indexOf('(', index)
  let depth = 0
  let quote: string | undefined
  for (let at = begin; at < source.length; at++) {
    const character = source[at] ?? ''
    if (quote !== undefined) {
      if (character === '\\') at++
      else if (character === quote) quote = undefined
    } else if (/['"`]/.test(character)) quote = character
    else if (character === '(') depth++
    else if (character === ')' && --depth === 0) return source.slice(begin + 1, at)
  }
  throw new Error('a call has no closing parenthesis')
}

/** The string and template literals, joined, with … for each substitution. */
function literalsIn(text: string): string {
  const literals = text.matchAll(/'((?:[^'\\]|\\.)*)'|`((?:[^`\\]|\\.)*)`/g)
  return [...literals].map(([, plain, template]) => plain ?? template?.replace(/\$\{[^}]*\}/g, '…') ?? '').join('')
}

test('every figure in the section "Figures" of README.md is in bench/README.md', () => {
  const [, section = ''] = readDocument('README.md').split(/^## Figures$/m)
  const [figures = ''] = prose(section).split(/^## /m)
  const stand = new Set(readDocument('bench/README.md').match(/\d[\d,.]*\d/g))
  const found = (figures.match(/\d[\d,.]*\d/g) ?? []).filter((figure) => figure !== '100')
  assert.ok(found.length > 3, 'figures are found')
  for (const figure of found) assert.ok(stand.has(figure), `${figure} is measured`)
})

test('docs/cli.md has every command', () => {
  const commands = globSync('src/cli/*.ts', { cwd: root })
    .map((path) => readFileSync(join(root, path), 'utf8'))
    .flatMap((source) => {
      const names = [...source.matchAll(/\.command\('([\w-]+)/g)].map(([, name = '']) => name)
      const [group, ...others] = names
      return others.length === 0 ? names : others.map((name) => `${group} ${name}`)
    })
  assert.ok(commands.length > 8, 'commands are found')
  const text = readDocument('docs/cli.md')
  for (const command of commands)
    assert.ok(text.includes(`\`${command}\``) || text.includes(`copilot-credits ${command}`), command)
})

test('the cards that docs/rate-cards.md lists are those that come with the product, and charge what it says', async () => {
  const rows = tableRows(readDocument('docs/rate-cards.md'), 'Cards that come with the product')
  const isCharge = ([, message = '']: readonly string[]): boolean => message.startsWith('`{')
  const charges = rows.filter(isCharge)
  // All but the head of the second table.
  const listed = rows.filter((row) => !isCharge(row) && row[0] !== 'card').map(([version = '']) => unquoted(version))
  assert.deepEqual(listed.sort(), BUILT_IN_CARDS.map(({ card }) => card.version).sort())
  assert.ok(charges.length > 10, 'messages are found')
  await using service = await startService({})
  for (const [version = '', message = '', credits] of charges) {
    const response = await fetch(`${service.url}/v1/quotes`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ rate_card: unquoted(version), messages: [JSON.parse(unquoted(message))] }),
    })
    const { quotes } = (await response.json()) as { readonly quotes: readonly { readonly credits?: number }[] }
    assert.equal(`${quotes[0]?.credits ?? 'no price'}`, credits, message)
  }
})

test('each worked card in docs/rate-cards.md charges what the table below it says', async () => {
  const [, section = ''] = readDocument('docs/rate-cards.md').split(/^## Worked cards$/m)
  const examples = (section.split(/^## /m)[0] ?? '').split(/^### /m).slice(1)
  assert.equal(examples.length, 9)
  await using service = await startService({})
  const send = async (method: string, path: string, body: unknown): Promise<unknown> => {
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(`${service.url}${path}`, { method, headers, body: JSON.stringify(body) })
    assert.ok(response.ok, `${response.status}`)
    return response.json()
  }
  await send('PUT', '/v1/reports/5392', { name: 'Lease Summary Report', credit_cost: 79 })
  for (const example of examples) {
    const [title = ''] = example.split('\n')
    const rows = tableRows(`## ${example}`, title).map(([message = '', credits]) => [unquoted(message), credits])
    assert.ok(rows.length > 1, title)
    const { quotes } = (await send('POST', '/v1/quotes', {
      rate_card: JSON.parse(codeBlocks(example)[0]?.text ?? ''),
      messages: rows.map(([message = '']) => JSON.parse(message)),
    })) as { readonly quotes: readonly { readonly status: string; readonly credits?: number }[] }
    assert.deepEqual(
      quotes.map(({ status, credits }, index) => [rows[index]?.[0], status === 'unpriced' ? 'no price' : `${credits}`]),
      rows,
      title,
    )
  }
})
