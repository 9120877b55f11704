/** Which Node.js runs the service if the bundled one cannot run or an older one starts it. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'

const root = join(import.meta.dirname, '..')
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  readonly scripts: { readonly prepare: string; readonly prestart: string; readonly pretest: string }
}

const loaderSays = (words: string): string => `#!/bin/sh\necho "${words}" >&2\nexit 127\n`
const WITHOUT_LIBATOMIC = loaderSays(
  'node: error while loading shared libraries: libatomic.so.1: cannot open shared object file: No such file or directory',
)
const LIBATOMIC_REMEDY =
  /cannot run without libatomic\.so\.1\..*apt-get install libatomic1;.*package libatomic.*"npm ci"/

/** Whether the file is a Node.js that is too old, as on a system with Node.js 20. */
const isOlder = (file: string): boolean => {
  if (!existsSync(file)) return false
  const [, major] = /^v(\d+)\./.exec(spawnSync(file, ['--version'], { encoding: 'utf8' }).stdout ?? '') ?? []
  return major !== undefined && Number(major) < 26
}
const older = (process.env['PATH'] ?? '')
  .split(delimiter)
  .map((folder) => join(folder, 'node'))
  .find(isOlder)
const skipWithoutOlder = older === undefined && 'PATH has no Node.js before 26'

/** Shell scripts stand in for the bundled Node.js. In a container, /tmp is often mounted noexec. */
const canRunScripts = (): boolean => {
  const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-node-'))
  const script = join(folder, 'script')
  writeFileSync(script, '#!/bin/sh\n', { mode: 0o755 })
  const { status } = spawnSync(script)
  rmSync(folder, { recursive: true })
  return status === 0
}
const skip = !canRunScripts() && 'the temporary folder does not allow executing scripts'

describe('a checkout', { skip }, () => {
  let folder: string
  let checkout: string
  let bundled: string
  let link: string

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'copilot-credits-node-'))
    checkout = join(folder, 'a checkout')
    bundled = join(checkout, 'node_modules', 'node', 'bin', 'node')
    link = join(checkout, 'node_modules', '.bin', 'node')
    cpSync(join(root, 'bin'), join(checkout, 'bin'), { recursive: true })
    cpSync(join(root, 'package.json'), join(checkout, 'package.json'))
    symlinkSync(join(root, 'src'), join(checkout, 'src'))
  })
  after(() => rmSync(folder, { recursive: true }))

  beforeEach(() => {
    rmSync(join(checkout, 'node_modules'), { recursive: true, force: true })
    mkdirSync(dirname(bundled), { recursive: true })
    mkdirSync(dirname(link))
    symlinkSync(bundled, link)
  })

  const bundle = (content: string | Uint8Array, mode = 0o755): void => writeFileSync(bundled, content, { mode })
  const bundleThisOne = (): void => symlinkSync(process.execPath, bundled)
  const isLinked = (): boolean => lstatSync(link, { throwIfNoEntry: false }) !== undefined

  const launch = (node: string, args: readonly string[]) =>
    spawnSync(node, [join(checkout, 'bin', 'copilot-credits.js'), ...args], { cwd: folder, encoding: 'utf8' })

  /** Runs a script of package.json like an npm that runs on `node`. */
  const npmRun = (script: string, node: string, more: Readonly<Record<string, string>> = {}) => {
    const path = [dirname(link), dirname(node), process.env['PATH']].join(delimiter)
    const env = { PATH: path, npm_node_execpath: node, ...more }
    return spawnSync('/bin/sh', ['-c', script], { cwd: checkout, env, encoding: 'utf8' })
  }

  const whyItCannotRun = async (): Promise<string> => {
    const { whyItCannotRun, refusal } = (await import(join(root, 'bin', 'runtime.js'))) as {
      whyItCannotRun: (executable: string) => { readonly reason: string; readonly remedy: string } | undefined
      refusal: (problem: object) => string
    }
    const problem = whyItCannotRun(bundled)
    return problem === undefined ? '' : refusal(problem)
  }

  const OTHER_MACHINE = Buffer.from(
    '7f454c460201010000000000000000000200f3000100000000000000000000000000000000000000',
    'hex',
  )
  const kinds: readonly (readonly [name: string, place: () => void, says: RegExp])[] = [
    ['lacks libatomic.so.1', () => bundle(WITHOUT_LIBATOMIC), LIBATOMIC_REMEDY],
    [
      'lacks libatomic.so.1 on musl',
      () =>
        bundle(loaderSays('Error loading shared library libatomic.so.1: No such file or directory (needed by node)')),
      LIBATOMIC_REMEDY,
    ],
    [
      'lacks another library',
      () => bundle(loaderSays('node: error while loading shared libraries: libstdc++.so.6: cannot open')),
      /cannot run without libstdc\+\+\.so\.6\. Install the package that provides it/,
    ],
    [
      'is built for another C library',
      () => bundle('#!/lib/no-such-loader.so.2\n'),
      /another C library.*install Node\.js 26/,
    ],
    ['is built for another processor', () => bundle(OTHER_MACHINE), /cannot run on this system \(.+\)\. Run "npm ci"/],
    ['crashes', () => bundle('#!/bin/sh\nkill -ILL $$\n'), /\(SIGILL\)/],
    ['is not executable', () => bundle('#!/bin/sh\n', 0o644), /\(EACCES\)/],
    ['was not installed', () => {}, /is not installed\. Run "npm ci" with install scripts/],
  ]
  for (const [name, place, says] of kinds) {
    test(`explains in one line, with a remedy, that the bundled Node.js ${name}`, async () => {
      place()
      const line = await whyItCannotRun()
      assert.match(line, says)
      assert.match(line, /^copilot-credits: Node\.js 26 or newer is required\. [^\n]+\n$/)
    })

    test(`does not start on an older Node.js if the bundled one ${name}`, { skip: skipWithoutOlder }, () => {
      place()
      const { status, stdout, stderr } = launch(older ?? '', ['rate', 'a'])
      assert.match(stderr, says)
      assert.match(stderr, /^copilot-credits: [^\n]+\n$/)
      assert.deepEqual({ status, stdout }, { status: 2, stdout: '' })
    })
  }

  test('prints nothing if the bundled Node.js runs', async () => {
    bundleThisOne()
    assert.equal(await whyItCannotRun(), '')
  })

  test('runs on the bundled Node.js if an older one starts it', { skip: skipWithoutOlder }, () => {
    bundleThisOne()
    const { status, stdout, stderr } = launch(older ?? '', ['rate', '--json', 'a'])
    assert.deepEqual({ status, stderr }, { status: 0, stderr: '' })
    assert.equal(JSON.parse(stdout).charges[0].credits, 2)
  })

  test('runs on the current Node.js if that is new enough', () => {
    bundle(WITHOUT_LIBATOMIC)
    const { status, stdout } = launch(process.execPath, ['rate', '--json', 'a'])
    assert.equal(status, 0)
    assert.equal(JSON.parse(stdout).charges[0].credits, 2)
  })

  for (const name of ['prepare', 'prestart', 'pretest'] as const) {
    const script = scripts[name]

    test(`${name} keeps the bundled Node.js if it runs`, () => {
      bundleThisOne()
      const { status, stdout, stderr } = npmRun(script, process.execPath)
      assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: '', stderr: '' })
      assert.ok(isLinked())
    })

    test(`${name} uses a new enough Node.js of the system if the bundled one cannot run`, () => {
      bundle(WITHOUT_LIBATOMIC)
      const { status, stderr } = npmRun(script, process.execPath)
      assert.equal(status, 0)
      assert.match(
        stderr,
        /the bundled Node\.js cannot run without libatomic\.so\.1\. Using Node\.js \S+ of this system instead/,
      )
      assert.equal(isLinked(), false)
      const again = npmRun(script, process.execPath)
      assert.deepEqual({ status: again.status, stderr: again.stderr }, { status: 0, stderr: '' })
    })

    test(`${name} fails with one line if the Node.js of the system is older`, { skip: skipWithoutOlder }, () => {
      bundle(WITHOUT_LIBATOMIC)
      const first = npmRun(script, older ?? '')
      assert.equal(first.status, 1)
      const [loader = '', line = '', ...rest] = first.stderr.split('\n')
      assert.match(loader, /error while loading shared libraries/)
      assert.match(line, LIBATOMIC_REMEDY)
      assert.deepEqual(rest, [''])
      const again = npmRun(script, older ?? '')
      assert.deepEqual({ status: again.status, stderr: again.stderr }, { status: 1, stderr: `${line}\n` })
    })
  }

  test('prepare succeeds under npx, which hides its output, and the command explains the problem', {
    skip: skipWithoutOlder,
  }, () => {
    bundle(WITHOUT_LIBATOMIC)
    rmSync(link)
    const { status, stderr } = npmRun(scripts.prepare, older ?? '', { npm_command: 'exec' })
    assert.deepEqual({ status, stderr }, { status: 0, stderr: '' })
    assert.match(launch(older ?? '', ['rate', 'a']).stderr, LIBATOMIC_REMEDY)
  })
})
