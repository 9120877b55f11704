import { QueryCache, QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { ApiError, ConnectionError } from 'copilot-credits-client'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { App, loadMessages } from './app.tsx'
import { Boundary, Reload } from './boundary.tsx'
import { prefetchView } from './data.ts'
import './fonts.css'
import './styles.css'
import './print.css'
import { applyTheme } from './theme.tsx'
import { readView } from './view.ts'

applyTheme()
// The client already retries.
const queries = new QueryClient({
  defaultOptions: { queries: { retry: false, staleTime: 10_000 } },
  queryCache: new QueryCache({
    // A session can end between two requests, or become another organization's, and the service can go away. Fetching the
    // overview again finds out, and the page says so once.
    onError: (error, { queryKey: [name] }) => {
      const isGone = error instanceof ApiError && (error.status === 401 || (error.status === 404 && name === 'charges'))
      if ((isGone || error instanceof ConnectionError) && name !== 'overview') {
        queries.invalidateQueries({ queryKey: ['overview'] })
      }
    },
  }),
})
const view = readView(location)
prefetchView(queries, view)
// Loaded beside the data if it is the first area, and else when there is time, so that opening it waits for nothing.
if (view.area === 'messages') loadMessages()
else globalThis.requestIdleCallback?.(() => loadMessages())
const root = document.getElementById('root')
if (root === null) throw new Error('index.html has an element with the id root')
const Failed = () => (
  <main>
    <Reload>
      <strong>This page stopped working.</strong>
      <p>Your usage data is safe. If reloading does not help, tell your operator.</p>
    </Reload>
  </main>
)
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <Boundary fallback={<Failed />}>
        <App />
      </Boundary>
    </QueryClientProvider>
  </StrictMode>,
)
