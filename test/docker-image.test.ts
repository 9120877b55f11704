/**
 * `npm test` must also pass inside the Docker image. These tests do not run Docker: they read the Dockerfile and detect a file or
 * package that it fails to copy. The code and the lock file tell which files and packages the tests need.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join, matchesGlob, posix } from 'node:path'
import { describe, test } from 'node:test'

const root = join(import.meta.dirname, '..')
const read = (file: string): string => readFileSync(join(root, file), 'utf8')
const patternsOf = (file: string): readonly string[] =>
  read(file)
    .split('\n')
    .map((line) => line.trim().replace(/\/$/, ''))
    .filter((line) => line !== '' && !line.startsWith('#'))

const dockerfile = read('Dockerfile')

describe('the Docker image', () => {
  test('has every file and package that tests need, in the target test', () => {
    assert.ok(neededFiles().length > 150, 'no files found')
    assert.ok(packages({ dev: true }).length > 150, 'no packages found')
    assert.deepEqual(missingFrom('test', dockerfile), [])
  })

  test('lacks a file or package if any COPY line of the target test is removed', () => {
    const [, stage = ''] = /^FROM \S+ AS test$(.*?)(?=^FROM )/ms.exec(dockerfile) ?? []
    const lines = stage.match(/^COPY .*$/gm) ?? []
    assert.ok(lines.length > 0, 'no lines found')
    for (const line of lines) assert.notDeepEqual(missingFrom('test', dockerfile.replace(`${line}\n`, '')), [], line)
  })

  test('has every package that production needs, in the target runtime', () => {
    assert.ok(packages({ dev: false }).length > 100, 'no packages found')
    assert.deepEqual(missingFrom('runtime', dockerfile), [])
  })
})

test('compose.yaml overrides only HOST and PORT of .env', () => {
  const [, block = ''] = /^ {4}environment:\n((?: {6}.*\n)+)/m.exec(read('compose.yaml')) ?? []
  const settings = [...block.matchAll(/^ {6}(\w+): (.*)$/gm)]
  assert.ok(settings.length > 0, 'no settings found')
  const overridden = settings.filter(([, name = '', value = '']) => !value.startsWith(`\${${name}:-`))
  assert.deepEqual(
    overridden.map(([, name]) => name),
    ['HOST', 'PORT'],
  )
})

const missingFrom = (target: 'test' | 'runtime', text: string): readonly string[] => {
  const paths = contentsOf(target, stagesOf(text))
  const needed = target === 'test' ? [...neededFiles(), ...packages({ dev: true })] : packages({ dev: false })
  return [...needed, DASHBOARD].filter((path) => !paths.has(path))
}

/** Must be in the image already, because a container's file system is read-only. */
const DASHBOARD = 'dashboard/dist/index.html'

/**
 * Code files, plus files whose name, or whose top-level folder, appears in the code. The image does not need others, such as
 * pictures.
 */
const neededFiles = (): readonly string[] => {
  const isCode = (path: string): boolean => /\.(ts|tsx|js|json)$/.test(path)
  const code = repository.filter(isCode).map(read).join('\n')
  const isNamed = (entry: string): boolean =>
    new RegExp(`['"\`](\\.{1,2}/)*${RegExp.escape(entry)}(/[^'"\`]*)?['"\`]`).test(code)
  return repository.filter((path) => isCode(path) || isNamed(topOf(path)))
}

const topOf = (path: string): string => path.split('/', 1)[0] ?? path

/** The folders of the packages that npm installs on every system. */
const packages = ({ dev }: { readonly dev: boolean }): readonly string[] => {
  const { packages: all } = JSON.parse(read('package-lock.json')) as {
    readonly packages: Readonly<Record<string, Readonly<Record<'dev' | 'optional' | 'devOptional' | 'link', unknown>>>>
  }
  return Object.entries(all)
    .filter(
      ([path, { link, optional, devOptional }]) =>
        /(^|\/)node_modules\//.test(path) && !(link || optional || devOptional),
    )
    .filter(([, entry]) => dev || !entry.dev)
    .map(([path]) => path)
}

const isNamedBy = (patterns: readonly string[], path: string): boolean => {
  const ancestors = path.split('/').map((_, index, names) => names.slice(0, index + 1).join('/'))
  return patterns.some((pattern) => ancestors.some((each) => matchesGlob(each, pattern)))
}

/** The files that are not ignored by .gitignore, whose patterns apply in every folder. */
const gitIgnored = ['.git', ...patternsOf('.gitignore').flatMap((pattern) => [pattern, `**/${pattern}`])]
const filesIn = (folder: string): readonly string[] =>
  readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = posix.join(folder, entry.name)
    if (isNamedBy(gitIgnored, path)) return []
    return entry.isDirectory() ? filesIn(path) : [path]
  })
const repository = filesIn('')
const context = repository.filter((path) => !isNamedBy(patternsOf('.dockerignore'), path))

type Instruction = { readonly name: string; readonly text: string }
type Stage = { readonly from: string; readonly instructions: readonly Instruction[] }

const stagesOf = (text: string): ReadonlyMap<string, Stage> => {
  const lines = text
    .replace(/^#.*\n/gm, '')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => /^(\w+)\s+(.*)$/.exec(line) ?? assert.fail(`not an instruction: ${line}`))
    .map(([, name = '', rest = '']): Instruction => ({ name: name.toUpperCase(), text: rest.trim() }))
  const begins = lines.flatMap(({ name }, index) => (name === 'FROM' ? [index] : []))
  return new Map(
    begins.map((begin, index) => {
      const [, from = '', name = ''] = /^(\S+)\s+AS\s+(\S+)$/i.exec(lines[begin]?.text ?? '') ?? []
      return [name, { from, instructions: lines.slice(begin + 1, begins[index + 1]) }]
    }),
  )
}

/** The paths below /app in the image of a stage: files of the repository and folders of packages. */
const contentsOf = (name: string, stages: ReadonlyMap<string, Stage>): ReadonlySet<string> => {
  const stage = stages.get(name)
  // A base image from a registry has none of these files.
  if (stage === undefined) return new Set()
  const paths = new Set(contentsOf(stage.from, stages))
  for (const { name: instruction, text } of stage.instructions) {
    if (instruction === 'WORKDIR') assert.equal(text, '/app')
    if (instruction === 'COPY') for (const path of copied(text, stages)) paths.add(path)
    if (instruction === 'RUN') run(text, paths)
  }
  return paths
}

const copied = (text: string, stages: ReadonlyMap<string, Stage>): readonly string[] => {
  const words = text.split(/\s+/)
  const [, from] = /--from=(\S+)/.exec(text) ?? []
  const operands = words.filter((word) => !word.startsWith('--'))
  const target = operands.at(-1) ?? ''
  const available = from === undefined ? context : [...contentsOf(from, stages)]
  return operands.slice(0, -1).flatMap((operand) => {
    const source = relative(operand)
    // COPY copies the contents of a folder; a file keeps its name if the target is a folder.
    const below = available.filter((path) => source === '' || path.startsWith(`${source}/`))
    if (below.length > 0) return below.map((path) => posix.join(relative(target), posix.relative(source, path)))
    const isFolder = /(^|\/)\.?$/.test(target)
    return available.includes(source)
      ? [isFolder ? posix.join(relative(target), posix.basename(source)) : relative(target)]
      : []
  })
}

/** A path relative to the working directory, /app. */
const relative = (path: string): string => posix.relative('/app', posix.resolve('/app', path))

/** The two commands with an effect: npm installs the packages of each package.json, and the dashboard is built. */
const run = (text: string, paths: Set<string>): void => {
  if (text.includes('bin/build-dashboard.js')) paths.add(DASHBOARD)
  if (!/\bnpm ci\b/.test(text)) return
  for (const path of packages({ dev: !text.includes('--omit=dev') })) {
    const [owner = ''] = path.split('node_modules/', 1)
    if (paths.has(`${owner}package.json`)) paths.add(path)
  }
}
