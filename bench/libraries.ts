/**
 * How much JavaScript does the dashboard import from each library? Each is bundled separately, so code that two libraries share
 * counts twice.
 */
import { join } from 'node:path'
import { brotliCompressSync } from 'node:zlib'
import { build } from 'vite'
import type { Report } from './report.ts'

/** What the dashboard imports. React is left out of the other libraries, which import it. */
const IMPORTS: Readonly<Record<string, string>> = {
  'react-dom': "export { createRoot } from 'react-dom/client'",
  '@tanstack/react-query':
    "export { hashKey, keepPreviousData, QueryCache, QueryClient, QueryClientProvider, queryOptions, useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query'",
  '@tanstack/react-table':
    "export { createColumnHelper, FlexRender, rowSortingFeature, tableFeatures, useTable } from '@tanstack/react-table'",
  '@tanstack/react-virtual': "export { useVirtualizer, defaultRangeExtractor } from '@tanstack/react-virtual'",
  'd3-scale': "export { scaleBand, scaleLinear } from 'd3-scale'",
}

export const benchLibraries = async (report: Report): Promise<void> => {
  report.heading('Libraries of the dashboard')
  const rows: string[][] = []
  for (const [name, code] of Object.entries(IMPORTS)) {
    const bytes = await bundle(name, code)
    rows.push([name, String(bytes.length), String(brotliCompressSync(bytes).length)])
  }
  report.table(['library', 'minified, bytes', 'compressed with Brotli, bytes'], rows)
}

const ENTRY = 'virtual:entry'

const bundle = async (name: string, code: string): Promise<Buffer> => {
  const outputs = await build({
    root: join(import.meta.dirname, '../dashboard'),
    configFile: false,
    logLevel: 'silent',
    plugins: [
      {
        name: 'entry',
        resolveId: (id) => (id === ENTRY ? id : undefined),
        load: (id) => (id === ENTRY ? code : undefined),
      },
    ],
    define: { 'process.env.NODE_ENV': '"production"' },
    build: {
      write: false,
      minify: true,
      rolldownOptions: {
        input: ENTRY,
        preserveEntrySignatures: 'strict',
        external: name === 'react-dom' ? [] : [/^react(-dom)?($|\/)/],
        output: { format: 'es' },
      },
    },
  })
  const [first] = [outputs].flat()
  if (first === undefined || !('output' in first)) throw new Error(`${name} was not bundled`)
  return Buffer.from(first.output.map((file) => (file.type === 'chunk' ? file.code : '')).join(''))
}
