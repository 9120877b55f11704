// Which Node.js can run the service: the one that runs this, if it is new enough, or the bundled one, which the package "node"
// brings. Everything here also runs on the older Node.js that may have started the installation.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const LEAST_MAJOR = 26

export const root = fileURLToPath(new URL('..', import.meta.url))

export const bundledNode = fileURLToPath(
  new URL(`../node_modules/node/bin/node${process.platform === 'win32' ? '.exe' : ''}`, import.meta.url),
)

export const isNewEnough = (version) => Number.parseInt(version, 10) >= LEAST_MAJOR

/** Undefined if the executable runs; otherwise why not, and what to do about it. */
export const whyItCannotRun = (executable) => {
  if (!existsSync(executable)) {
    return { reason: 'is not installed', remedy: `Run "npm ci" with install scripts in ${root}` }
  }
  const { status, signal, stderr, error } = spawnSync(executable, ['--version'], { encoding: 'utf8' })
  if (status === 0) return undefined
  const [library] = /\blib[\w+-]+\.so[.\d]*/.exec(stderr ?? '') ?? []
  if (library !== undefined) return { reason: `cannot run without ${library}`, remedy: installing(library) }
  const [line = ''] = (stderr ?? '').trim().split('\n')
  return {
    reason: `cannot run on this system (${causeOf(error) ?? (line || (signal ?? `exit code ${status}`))})`,
    remedy: `Run "npm ci" on this system`,
  }
}

/** The one line for anyone whose system has no Node.js that can run this. */
export const refusal = (bundledProblem) =>
  `copilot-credits: needs Node.js ${LEAST_MAJOR} or newer. This is ${process.versions.node}, and the bundled Node.js ` +
  `${bundledProblem.reason}. ${bundledProblem.remedy}, or install Node.js ${LEAST_MAJOR}.\n`

const installing = (library) =>
  library.startsWith('libatomic.')
    ? 'Install it (Debian, Ubuntu: apt-get install libatomic1; elsewhere: the package libatomic) and run "npm ci" again'
    : 'Install the package that has it and run "npm ci" again'

const causeOf = (error) => {
  // The file is there: what is missing is the loader that it names.
  if (error?.code === 'ENOENT') return 'it is built for another C library, glibc'
  return error?.code
}
