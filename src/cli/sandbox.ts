/** `copilot-credits sandbox`: a stand-in for the Copilot service. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { type Command, InvalidArgumentError } from 'commander'
import { CommandFailed } from './failure.ts'
import { shown, styled, type Terminal } from './terminal.ts'

type Options = {
  readonly port: number
  readonly latency: number
  readonly errorRate: number
  readonly brokenRate: number
  readonly missing: readonly string[]
  readonly quiet?: true
}

export const addSandboxCommand = (program: Command, { out, err }: Terminal): void => {
  program
    .command('sandbox')
    .summary('a stand-in for the Copilot service, which can be slow, fail and lie')
    .description(
      'Serves a period on 127.0.0.1 as the Copilot service does: /messages/current-period and /reports/:id. ' +
        'The files are read again at every request, so that they may be edited meanwhile. Ends with Ctrl-C.',
    )
    .argument('[messages]', 'a file {"messages":[…]}; without it the bundled sample')
    .argument('[reports]', 'a file {"reports":[…]}')
    .option('--port <port>', 'port to listen on; 0 takes a free one', wholeNumber, 8080)
    .option('--latency <ms>', 'milliseconds that every answer waits', wholeNumber, 0)
    .option('--error-rate <share>', 'share of answers that are a 503 instead, 0 to 1', share, 0)
    .option('--broken-rate <share>', 'share of answers that break off or are not JSON, 0 to 1', share, 0)
    .option('--missing <ids>', 'ids of reports that do not exist, with commas between them', list, [])
    .option('--quiet', 'do not print a line for each request')
    .action(async (messages: string | undefined, reports: string | undefined, options: Options) => {
      const { createSandbox, samplePeriod } = await import('#service.ts')
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
      err.write(`the sandbox listens; start the service with ${styled(err, 'bold', `UPSTREAM_URL=${url}`)}\n`)
      await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
      server.closeAllConnections()
      server.close()
    })
}

const wholeNumber = (value: string): number => {
  if (!/^\d{1,7}$/.test(value)) throw new InvalidArgumentError('It must be a whole number.')
  return Number(value)
}

const share = (value: string): number => {
  const number = /^\d(\.\d+)?$/.test(value) ? Number(value) : Number.NaN
  if (!(number >= 0 && number <= 1)) throw new InvalidArgumentError('It must be a number from 0 to 1.')
  return number
}

const list = (value: string): readonly string[] => value.split(',').map((each) => each.trim())
