/** `copilot-credits serve`: the server, as `npm start` runs it. */
import type { Command } from 'commander'
import type { Environment } from '#config.ts'

export const addServeCommand = (program: Command, environment: () => Environment): void => {
  program
    .command('serve')
    .summary('Run the service')
    .description(
      'Run the service: the API, the dashboard and /docs. Settings come from the environment and from .env; see docs/settings.md.',
    )
    .option('--port <port>', 'Port to listen on; overrides PORT')
    .option('--host <address>', 'Address to listen on; overrides HOST')
    .action(async ({ port, host }: { readonly port?: string; readonly host?: string }) => {
      // Imported here, so that the other commands do not load the HTTP server.
      const { runServer } = await import('#main.ts')
      const base = environment()
      // Exits explicitly: requests still in flight after SHUTDOWN_TIMEOUT would keep the process alive.
      process.exit(await runServer({ ...base, PORT: port ?? base['PORT'], HOST: host ?? base['HOST'] }))
    })
}
