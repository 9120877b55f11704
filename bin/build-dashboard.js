#!/usr/bin/env node
// Builds the dashboard if it has not been built yet or its sources have changed.
import { createHash } from 'node:crypto'
import { accessSync, constants, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const stamp = join(root, 'dashboard', 'dist', '.built-from')
/** Everything that affects the build. */
const SOURCES = [
  ...['index.html', 'package.json', 'vite.config.ts', 'src'].map((name) => join('dashboard', name)),
  ...[join('client', 'src'), join('src', 'model'), join('src', 'rating'), 'package-lock.json'],
]

const filesIn = (name) =>
  statSync(join(root, name)).isFile()
    ? [name]
    : readdirSync(join(root, name))
        .sort()
        .flatMap((each) => filesIn(join(name, each)))

const digestOfSources = () => {
  const digest = createHash('sha256')
  for (const file of SOURCES.flatMap(filesIn)) {
    digest.update(`${file}\0`)
    digest.update(readFileSync(join(root, file)))
  }
  return digest.digest('hex')
}

const isInstalled = (name) => existsSync(join(root, 'node_modules', name))

/** The build writes to both folders: Vite bundles its configuration into node_modules. */
const whyNotWritable = () => {
  try {
    for (const folder of ['dashboard', 'node_modules']) accessSync(join(root, folder), constants.W_OK)
  } catch (error) {
    return error.message
  }
}

const main = async () => {
  // A production install has no build tools. It comes with a built dashboard or runs without one.
  if (!isInstalled('vite') || !existsSync(join(root, 'dashboard', 'index.html'))) return
  const digest = digestOfSources()
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return
  const refused = whyNotWritable()
  if (refused !== undefined) {
    process.stderr.write(
      `copilot-credits: cannot build the dashboard (${refused}). Run "npm run build" as the owner of these files.\n`,
    )
    process.exitCode = 1
    return
  }
  const { build } = await import('vite')
  process.stderr.write('Building the dashboard…\n')
  await build({ configFile: join(root, 'dashboard', 'vite.config.ts'), logLevel: 'warn' })
  writeFileSync(stamp, digest)
}

await main()
