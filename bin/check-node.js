// Runs before the scripts in package.json. In these, `node` is the bundled Node.js, because npm puts node_modules/.bin first on
// the PATH. If it cannot run, npm's own Node.js runs this file again with --bundled-failed and removes the link, so that `node`
// is the system's from then on.
import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { bundledNode, isNewEnough, refusal, root, whyItCannotRun } from './runtime.js'

const UNLINKED = { reason: 'is not in node_modules/.bin', remedy: `Run "npm ci" in ${root}` }

const isNew = isNewEnough(process.versions.node)
const isSecondRun = process.argv.includes('--bundled-failed')

const check = () => {
  if (isNew && !isSecondRun) return 0
  // The first run has already printed the problem.
  if (isSecondRun && spawnSync('node', ['--version']).status === 0) return 1
  const problem = whyItCannotRun(bundledNode) ?? UNLINKED
  if (isSecondRun) for (const ending of ['', '.cmd', '.ps1']) rmSync(`${LINK}${ending}`, { force: true })
  // npx hides this output. The command that it starts next prints the same.
  if (process.env.npm_command === 'exec') return 0
  process.stderr.write(isNew ? replacement(problem) : refusal(problem))
  return isNew ? 0 : 1
}

const LINK = join(root, 'node_modules', '.bin', 'node')

const replacement = ({ reason }) =>
  `copilot-credits: the bundled Node.js ${reason}. Using Node.js ${process.versions.node} of this system instead.\n`

process.exitCode = check()
