/** `copilot-credits serve`: the server, as `npm start` runs it. */
import type { Command } from 'commander'
import type { Environment } from '#config.ts'

export const addServeCommand = (program: Command, environment: () => Environment): void => {
  program
    .command('serve')
    .summary('the service')
    .description(
      'Serves GET /usage, /docs and the rest. Settings come from the environment and from .env; see README.md.',
    )
    .option('--port <port>', 'port to listen on (PORT)')
    .option('--host <address>', 'address to listen on (HOST)')
    .action(async ({ port, host }: { readonly port?: string; readonly host?: string }) => {
      // Loaded here, as the other commands need no HTTP server and should not wait for it.
      const { runServer } = await import('#main.ts')
      const base = environment()
      // At once: requests that were still in flight when the time was up would keep the process.
      process.exit(await runServer({ ...base, PORT: port ?? base['PORT'], HOST: host ?? base['HOST'] }))
    })
}
