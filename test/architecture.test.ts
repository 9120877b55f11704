/** Which room may import which. A room is a folder of src, or a file next to these folders. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { test } from 'node:test'

/** The rooms, single files of rooms, and packages that each room may import. */
const MAY_IMPORT: Readonly<
  Record<string, { readonly rooms: readonly string[]; readonly packages: readonly string[] }>
> = {
  model: { rooms: [], packages: [] },
  // Node only for the hash of a card; the page, which imports the rest, is built without it.
  rating: { rooms: ['model'], packages: ['node'] },
  reporting: { rooms: ['model'], packages: [] },
  formats: { rooms: [], packages: ['node'] },
  calendar: { rooms: ['model'], packages: [] },
  ledger: { rooms: ['model'], packages: [] },
  deciding: { rooms: ['model', 'calendar', 'ledger'], packages: [] },
  intake: { rooms: ['model', 'rating', 'calendar', 'ledger'], packages: ['node'] },
  'current-period': {
    rooms: ['model', 'rating/amounts', 'rating/charged-facts', 'calendar', 'ledger', 'intake'],
    packages: ['node'],
  },
  identity: { rooms: ['model', 'ledger'], packages: ['node'] },
  answering: { rooms: ['model', 'rating', 'calendar', 'ledger', 'current-period'], packages: ['node'] },
  simulating: {
    rooms: ['model', 'rating', 'calendar', 'ledger', 'intake', 'answering/usage-range'],
    packages: ['node'],
  },
  reconciling: {
    rooms: [
      'model',
      'rating/charged-facts',
      'calendar',
      'ledger',
      'answering/usage-range',
      'simulating/one-moment',
      'formats/csv',
      'formats/json-values',
    ],
    packages: ['node'],
  },
  store: { rooms: ['model', 'ledger', 'deciding', 'calendar'], packages: ['node', 'pg'] },
  upstream: {
    rooms: ['model', 'current-period/copilot-service', 'formats', 'intake/bad-field', 'intake/message-fields'],
    packages: ['node', 'undici', 'typebox'],
  },
  otlp: { rooms: ['model', 'formats/json', 'formats/json-values', 'intake'], packages: ['node', '@bufbuild/protobuf'] },
  litellm: { rooms: ['model', 'formats', 'intake'], packages: ['node'] },
  sandbox: { rooms: [], packages: ['node'] },
  http: {
    rooms: [
      'model',
      'rating/rules',
      'calendar',
      'ledger',
      'intake',
      'current-period',
      'answering',
      'simulating',
      'reconciling',
      'identity',
      'formats',
      'otlp',
      'litellm',
    ],
    packages: [
      'node',
      'fastify',
      '@fastify/accept-negotiator',
      '@fastify/compress',
      '@fastify/cookie',
      '@fastify/static',
      '@fastify/swagger',
      '@fastify/type-provider-typebox',
      'prom-client',
      'typebox',
    ],
  },
  'env-file.ts': { rooms: [], packages: ['node'] },
  'config.ts': {
    rooms: ['model', 'calendar/zones', 'intake/content-digest', 'otlp/attribute-names', 'env-file.ts'],
    packages: [],
  },
  'log.ts': {
    rooms: ['config.ts', 'model', 'ledger', 'intake', 'current-period', 'http/app'],
    packages: ['pino', 'pino-pretty'],
  },
  'exit-codes.ts': { rooms: [], packages: [] },
  compose: {
    rooms: [
      'model',
      'ledger',
      'intake',
      'current-period',
      'answering',
      'simulating',
      'reconciling',
      'identity',
      'store',
      'upstream',
      'config.ts',
    ],
    packages: ['node'],
  },
  'main.ts': {
    rooms: ['model', 'compose/service', 'config.ts', 'exit-codes.ts', 'log.ts', 'http'],
    packages: ['node'],
  },
  cli: {
    rooms: [
      'compose/listing',
      'compose/store',
      'store/sqlite/backup',
      'upstream/file-source',
      'upstream/sample/sample',
      'sandbox',
      'config.ts',
      'exit-codes.ts',
      'main.ts',
      'model',
      'rating',
      'calendar/zones',
      'reporting',
      'ledger',
      'intake',
      'answering/usage-range',
      'simulating',
      'reconciling',
      'formats',
    ],
    packages: ['node', 'commander', '@pydantic/genai-prices'],
  },
}

type Import = { readonly from: string; readonly to: string }

const src = join(import.meta.dirname, '..', 'src')
const files = globSync('**/*.ts', { cwd: src }).filter((file) => !file.endsWith('.test.ts'))

const importsOf = (file: string, folder = src): readonly Import[] => {
  const text = readFileSync(join(folder, file), 'utf8')
  const found = text.matchAll(
    /^(?:import|export)\s[^'"]*?from\s+'([^']+)'|^import\s+'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/gm,
  )
  return [...found].map(([, ...names]) => ({ from: file, to: names.find((name) => name !== undefined) ?? '' }))
}

/** The path within src that an import names, or undefined if it names a package. */
const pathOf = ({ from, to }: Import): string | undefined => {
  if (to.startsWith('#')) return to.slice(1)
  return to.startsWith('.') ? normalize(join(dirname(from), to)) : undefined
}

const roomOf = (path: string): string => path.split('/', 1)[0] ?? path

const packageOf = (name: string): string => {
  if (name.startsWith('node:')) return 'node'
  return name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/')
}

const isAllowed = (each: Import): boolean => {
  const room = roomOf(each.from)
  const allowed = MAY_IMPORT[room]
  const path = pathOf(each)
  if (path === undefined) {
    return allowed?.packages.includes(packageOf(each.to)) === true
  }
  if (path === '../package.json') return true
  if (roomOf(path) === room) return each.to.startsWith('.')
  const crossing = allowed?.rooms.some(
    (other) => path === other || path === `${other}.ts` || path.startsWith(`${other}/`),
  )
  // Files next to the rooms import by relative paths; every import out of a room starts with "#".
  return crossing === true && (each.to.startsWith('#') || !each.from.includes('/'))
}

test('every room imports only what the table allows', () => {
  const imports = files.flatMap((file) => importsOf(file))
  assert.ok(imports.length > 80, 'no imports found')
  assert.deepEqual(
    imports.filter((each) => !isAllowed(each)).map(({ from, to }) => `${from} imports ${to}`),
    [],
  )
})

test('the table allows no import that no room needs', () => {
  const unused = Object.entries(MAY_IMPORT).flatMap(([room, { rooms, packages }]) => {
    const imports = files.filter((file) => roomOf(file) === room).flatMap((file) => importsOf(file))
    const isUsed = (allowed: string): boolean =>
      imports.some((each) => {
        const path = pathOf(each)
        if (path === undefined) return packageOf(each.to) === allowed
        return path === allowed || path === `${allowed}.ts` || path.startsWith(`${allowed}/`)
      })
    return [...rooms, ...packages].filter((allowed) => !isUsed(allowed)).map((allowed) => `${room}: ${allowed}`)
  })
  assert.deepEqual(unused, [])
})

test('no imports are circular', () => {
  const importsOfEach = new Map(files.map((file) => [file, importsOf(file).flatMap((each) => pathOf(each) ?? [])]))
  const done = new Set<string>()
  const circles: string[] = []
  const visit = (file: string, way: readonly string[]): void => {
    if (way.includes(file)) circles.push([...way.slice(way.indexOf(file)), file].join(' → '))
    if (way.includes(file) || done.has(file)) return
    for (const next of importsOfEach.get(file) ?? []) visit(next, [...way, file])
    done.add(file)
  }
  for (const file of files) visit(file, [])
  assert.deepEqual(circles, [])
})

test('the table lists exactly the rooms that exist', () => {
  assert.deepEqual([...new Set(files.map(roomOf))].sort(), Object.keys(MAY_IMPORT).sort())
})

/** The rooms and packages that the built workspaces may import. */
const BUILT_MAY_IMPORT = {
  client: { rooms: [], packages: [] },
  // From the service only the pricing rules: the page prices typed text without sending it anywhere.
  dashboard: {
    rooms: ['rating'],
    packages: [
      'react',
      'react-dom',
      '@tanstack/react-query',
      '@tanstack/react-table',
      '@tanstack/react-virtual',
      'copilot-credits-client',
      'd3-scale',
    ],
  },
} as const

for (const [name, allowed] of Object.entries(BUILT_MAY_IMPORT)) {
  test(`${name} imports only what the table allows`, () => {
    const folder = join(src, '..', name, 'src')
    const found = globSync('**/*.{ts,tsx}', { cwd: folder })
      .filter((file) => !/\.test\.ts$/.test(file))
      .flatMap((file) => importsOf(file, folder))
    assert.ok(found.length > 5, 'no imports found')
    const isOwn = ({ from, to }: Import): boolean => to.startsWith('.') && !join(dirname(from), to).startsWith('..')
    const isAllowedHere = (each: Import): boolean => {
      const [, room] = /^#([^/]+)/.exec(each.to) ?? []
      return room === undefined
        ? isOwn(each) || includes(allowed.packages, packageOf(each.to))
        : includes(allowed.rooms, room)
    }
    assert.deepEqual(
      found.filter((each) => !isAllowedHere(each)).map(({ from, to }) => `${from} imports ${to}`),
      [],
    )
  })
}

const includes = (names: readonly string[], name: string): boolean => names.includes(name)

test('only config.ts, main.ts and the command line read the environment or end the process', () => {
  const offenders = files.filter(
    (file) =>
      !/^(config\.ts|main\.ts|cli\/)/.test(file) &&
      /\bprocess\.(env|exit)\b/.test(readFileSync(join(src, file), 'utf8')),
  )
  assert.deepEqual(offenders, [])
})

/** The rooms that serve the command line as well as HTTP. They name fields; `http` says where in a request a field was. */
const WITHOUT_HTTP = /^(?:calendar|rating|ledger|intake|current-period|answering|simulating|reconciling|identity)\//
const HTTP_WORDS =
  /\b(?:query|path) parameter|\bheaders?\b|\bcookies?\b|\bAuthorization\b|\bBearer\b|\bHTTP\b|\b(?:GET|POST|PUT|PATCH|DELETE) \/|\/v1\//

test('use cases do not speak of HTTP', () => {
  const found = files
    .filter((file) => WITHOUT_HTTP.test(file))
    .flatMap((file) => {
      const [word] = HTTP_WORDS.exec(readFileSync(join(src, file), 'utf8')) ?? []
      return word === undefined ? [] : [`${file}: ${word}`]
    })
  assert.deepEqual(found, [])
})
