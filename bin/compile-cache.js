// Keeps the stripped and compiled code for later starts: without it a start takes a third more CPU and 39 MB more
// (`npm run bench -- start`), and each of the hundreds of threads and processes that the tests start compiles it anew.
// Without write access there is no cache. It is not in the temporary folder, where other users could replace it.
// A default import: a named import of enableCompileCache would fail on an older Node.js.
import module from 'node:module'
import { fileURLToPath } from 'node:url'

const { directory } = module.enableCompileCache(
  fileURLToPath(new URL('../node_modules/.cache/copilot-credits', import.meta.url)),
)
// For worker threads and child processes, which load their own modules.
if (directory !== undefined) process.env.NODE_COMPILE_CACHE = directory
