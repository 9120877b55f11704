// Decides which Node.js runs the service: the current one if it is new enough, otherwise the bundled one from the package
// "node". This file must also run on older versions, because one of them may have started the installation.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const MIN_MAJOR = 26

export const root = fileURLToPath(new URL('..', import.meta.url))

export const bundledNode = fileURLToPath(
  new URL(`../node_modules/node/bin/node${process.platform === 'win32' ? '.exe' : ''}`, import.meta.url),
)

export const isNewEnough = (version) => Number.parseInt(version, 10) >= MIN_MAJOR

/** Returns undefined if the executable runs, otherwise the reason and the remedy. */
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

/** The one-line error if no Node.js on this system can run the service. */
export const refusal = (bundledProblem) =>
  `copilot-credits: Node.js ${MIN_MAJOR} or newer is required. This is ${process.versions.node}, and the bundled Node.js ` +
  `${bundledProblem.reason}. ${bundledProblem.remedy}, or install Node.js ${MIN_MAJOR}.\n`

const installing = (library) =>
  library.startsWith('libatomic.')
    ? 'Install it (Debian, Ubuntu: apt-get install libatomic1; elsewhere: the package libatomic) and run "npm ci" again'
    : 'Install the package that provides it and run "npm ci" again'

const causeOf = (error) => {
  // The file exists, so it is the dynamic loader of its C library that is missing.
  if (error?.code === 'ENOENT') return 'it is built for another C library, glibc'
  return error?.code
}
