import { QueryCache, QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { ApiError } from 'copilot-credits-client'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { App } from './app.tsx'
import { Boundary, Reload } from './boundary.tsx'
import { askAhead } from './data.ts'
import './styles.css'
import { applyTheme } from './theme.tsx'
import { readView } from './view.ts'

applyTheme()
// The client tries again by itself.
const queries = new QueryClient({
  defaultOptions: { queries: { retry: false, staleTime: 10_000 } },
  queryCache: new QueryCache({
    // A session may end between two answers: whatever is refused, the overview's own refusal asks for a key.
    onError: (error, { queryKey }) => {
      if (error instanceof ApiError && error.status === 401 && queryKey[0] !== 'overview') {
        queries.invalidateQueries({ queryKey: ['overview'] })
      }
    },
  }),
})
askAhead(queries, readView(location.search))
const root = document.getElementById('root')
if (root === null) throw new Error('index.html has an element with the id root')
const Failed = () => (
  <main>
    <Reload>
      <strong>This page has failed.</strong>
      <p>It is a fault of the page: the usage is kept as it was.</p>
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
