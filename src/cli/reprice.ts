/** `copilot-credits reprice`: charges messages that had no price, in the database or through a running service. */
import type { Command } from 'commander'
import type { Environment } from '#config.ts'
import { EXIT_CODES } from '#exit-codes.ts'
import { openTarget, type Repriced, type TargetOptions } from './import-targets.ts'
import { grouped, shown, styled, type Terminal, table } from './terminal.ts'

type Options = TargetOptions & { readonly json?: true }

export const addRepriceCommand = (
  program: Command,
  { out, err }: Terminal,
  environment: () => Environment,
  exit: (code: number) => void,
): void => {
  program
    .command('reprice')
    .summary('Charge messages that had no price when they were reported')
    .description(
      'Price every message without a price by the rate card in force at its timestamp, and with its report if the catalogue has ' +
        'it now. Each message that has a price is charged once, so the command can be repeated. The exit code is 1 if any ' +
        'message still has no price.',
    )
    .option('--organization <id>', 'Organization to charge', 'default')
    .option('--url <url>', 'Use a running service instead of the database')
    .option('--key <key>', 'API key for --url (default: COPILOT_CREDITS_KEY)')
    .option('--json', 'Print JSON')
    .action(async (options: Options) => {
      const target = await openTarget(environment(), options, NEVER)
      try {
        const repriced = await target.reprice()
        out.write(options.json === true ? `${JSON.stringify(repriced)}\n` : summary(out, repriced))
        if (repriced.unpriced === 0) return
        for (const { reason, messages } of repriced.reasons) {
          err.write(`${styled(err, 'yellow', shown(`${grouped(messages)}: ${reason}`))}\n`)
        }
        exit(EXIT_CODES.failed)
      } finally {
        await target.close()
      }
    })
}

/** If a signal ends the process, what was charged stays. */
const NEVER = new AbortController().signal

const summary = (out: Terminal['out'], { tried, priced, credits, unpriced }: Repriced): string =>
  table(
    out,
    [
      { title: 'result', align: 'left' },
      { title: 'messages', align: 'right' },
      { title: 'credits', align: 'right' },
    ],
    [
      ['priced', grouped(priced), credits],
      ['unpriced', grouped(unpriced), ''],
    ],
    [['tried', grouped(tried), '']],
  )
