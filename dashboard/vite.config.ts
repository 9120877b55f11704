import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import react from '@vitejs/plugin-react'
import { defineConfig, type Plugin } from 'vite'

/** Compresses each file once, at build time, not for every request. */
const compressed = (): Plugin => ({
  name: 'compressed',
  apply: 'build',
  writeBundle: ({ dir = '' }) => {
    for (const name of readdirSync(dir, { recursive: true, encoding: 'utf8' })) {
      if (!/\.(js|css|html|svg)$/.test(name)) continue
      const path = join(dir, name)
      const bytes = readFileSync(path)
      writeFileSync(`${path}.br`, brotliCompressSync(bytes))
      writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }))
    }
  },
})

/** Fetches the letters of the first view beside the scripts, so that they are there when it is drawn. */
const preloadedFont = (): Plugin => ({
  name: 'preloaded-font',
  apply: 'build',
  transformIndexHtml: {
    order: 'post',
    handler: (_, { bundle = {} }) => {
      const font = Object.keys(bundle).find((name) => /inter-latin-wght-normal.*\.woff2$/.test(name))
      if (font === undefined) throw new Error('the font is not in the bundle')
      const attrs = { rel: 'preload', href: `/${font}`, as: 'font', type: 'font/woff2', crossorigin: true }
      return [{ tag: 'link', attrs, injectTo: 'head-prepend' }]
    },
  },
})

const SERVICE = `http://127.0.0.1:${process.env['PORT'] ?? 8000}`

export default defineConfig({
  root: import.meta.dirname,
  plugins: [react(), preloadedFont(), compressed()],
  resolve: {
    alias: [
      { find: /^#(.*)$/, replacement: `${join(import.meta.dirname, '..', 'src')}/$1` },
      { find: 'copilot-credits-client', replacement: join(import.meta.dirname, '..', 'client', 'src', 'index.ts') },
    ],
  },
  // The service's content security policy allows no inline scripts or styles.
  build: {
    target: 'baseline-widely-available',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // Compression takes longer than bundling, which is expected here.
    rolldownOptions: { checks: { pluginTimings: false } },
  },
  server: {
    port: 5173,
    proxy: Object.fromEntries(['/usage', '/v1', '/docs', '/openapi.json'].map((path) => [path, SERVICE])),
  },
})
