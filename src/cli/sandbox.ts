/** `copilot-credits sandbox`: a stand-in for the Copilot service. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { type Command, InvalidArgumentError } from 'commander'
import { samplePeriod } from '#upstream/sample/sample.ts'
import { CommandFailed } from './failure.ts'
import { shown, styled, type Terminal } from './terminal.ts'

type Options = {
  readonly port: number
  readonly latency: number
  readonly errorRate: number
  readonly brokenRate: number
  readonly missing?: readonly string[]
  readonly quiet?: true
}

export const addSandboxCommand = (program: Command, { out, err }: Terminal): void => {
  program
    .command('sandbox')
    .summary('Run a mock of the Copilot service that can be slow, fail or send bad data')
    .description(
      'Run a mock of the Copilot service on 127.0.0.1, with /messages/current-period and /reports/:id. Every request ' +
        'reads the files again, so you can edit them while it runs. Stop it with Ctrl-C.',
    )
    .argument('[messages]', 'File with {"messages":[…]} (default: the bundled sample)')
    .argument('[reports]', 'File with {"reports":[…]} (default: the bundled sample)')
    .option('--port <port>', 'Port to listen on; 0 picks a free port', wholeNumber, 8080)
    .option('--latency <ms>', 'Delay of every response in milliseconds', wholeNumber, 0)
    .option('--error-rate <share>', 'Share of responses that are 503, from 0 to 1', share, 0)
    .option('--broken-rate <share>', 'Share of responses that break off or are not JSON, from 0 to 1', share, 0)
    .option('--missing <ids>', 'Comma-separated ids of reports to answer with 404', list)
    .option('--quiet', 'Do not print a line per request')
    .action(async (messages: string | undefined, reports: string | undefined, options: Options) => {
      const { createSandbox } = await import('#sandbox/sandbox.ts')
      const server = createSandbox({
        messages: messages ?? samplePeriod.messages,
        reports: reports ?? samplePeriod.reports,
        latencyMs: options.latency,
        errorRate: options.errorRate,
        brokenRate: options.brokenRate,
        missingReports: new Set(options.missing),
        log: (line) => {
          if (options.quiet !== true) out.write(`${shown(line)}\n`)
        },
      })
      server.listen(options.port, '127.0.0.1')
      try {
        await once(server, 'listening')
      } catch (error) {
        throw new CommandFailed(
          `cannot listen on port ${options.port}: ${error instanceof Error ? error.message : error}`,
        )
      }
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      err.write(`Sandbox listening. Start the service with ${styled(err, 'bold', `UPSTREAM_URL=${url}`)}\n`)
      await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
      server.closeAllConnections()
      server.close()
    })
}

const wholeNumber = (value: string): number => {
  if (!/^\d{1,7}$/.test(value)) throw new InvalidArgumentError('Must be a whole number.')
  return Number(value)
}

const share = (value: string): number => {
  const number = /^\d(\.\d+)?$/.test(value) ? Number(value) : Number.NaN
  if (!(number >= 0 && number <= 1)) throw new InvalidArgumentError('Must be a number from 0 to 1.')
  return number
}

const list = (value: string): readonly string[] => value.split(',').map((each) => each.trim())
