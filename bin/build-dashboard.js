#!/usr/bin/env node
// Builds the dashboard where it has not been built yet, or from other files than the ones that are there now.
import { createHash } from 'node:crypto'
import { accessSync, constants, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const stamp = join(root, 'dashboard', 'dist', '.built-from')
/** All that can change what is built. */
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

/** The dashboard is written there, and what Vite makes of its configuration. */
const whyNotWritable = () => {
  try {
    for (const folder of ['dashboard', 'node_modules']) accessSync(join(root, folder), constants.W_OK)
  } catch (error) {
    return error.message
  }
}

const main = async () => {
  // A production install has nothing to build with: it brings the built dashboard, or goes without.
  if (!isInstalled('vite') || !existsSync(join(root, 'dashboard', 'index.html'))) return
  const digest = digestOfSources()
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return
  const refused = whyNotWritable()
  if (refused !== undefined) {
    process.stderr.write(
      `copilot-credits: cannot build the dashboard (${refused}). Run "npm run build" as its owner.\n`,
    )
    process.exitCode = 1
    return
  }
  const { build } = await import('vite')
  process.stderr.write('building the dashboard…\n')
  await build({ configFile: join(root, 'dashboard', 'vite.config.ts'), logLevel: 'warn' })
  writeFileSync(stamp, digest)
}

await main()
