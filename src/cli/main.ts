/** The command line: `npx copilot-credits …` */
import { Command, CommanderError } from 'commander'
import { environmentWithFile, InvalidConfig } from '#config.ts'
import { EXIT_CODES } from '#exit-codes.ts'
import { ServiceError } from '#model/errors.ts'
import packageJson from '../../package.json' with { type: 'json' }
import { addCardsCommand } from './cards.ts'
import { addDatabaseCommand } from './database.ts'
import { CommandFailed } from './failure.ts'
import { addImportCommand } from './import.ts'
import { addKeysCommand } from './keys.ts'
import { addRateCommand } from './rate.ts'
import { addReconcileCommand } from './reconcile.ts'
import { addRepriceCommand } from './reprice.ts'
import { addSandboxCommand } from './sandbox.ts'
import { addServeCommand } from './serve.ts'
import { addSimulateCommand } from './simulate.ts'
import { shown, styled } from './terminal.ts'
import { addUsageCommand } from './usage.ts'

/** Resolves to the exit code. */
export const main = async (args: readonly string[]): Promise<number> => {
  const terminal = { out: process.stdout, err: process.stderr }
  let exitCode: number = EXIT_CODES.ok
  const program = new Command('copilot-credits')
    .description('Exact credit metering and billing for AI-copilot messages.')
    .version(packageJson.version, '-V, --version', 'Show the version')
    .helpOption('-h, --help', 'Show help')
    .helpCommand('help [command]', 'Show help for a command')
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(`${name()} ${text.replace(/^error: /, '')}`) })
    .showHelpAfterError('Run with --help for usage.')
    .addHelpText('after', '\nExit codes: 0 success, 1 failure, 2 invalid arguments or settings')
  addServeCommand(program, environmentWithFile)
  addRateCommand(program, terminal)
  addUsageCommand(program, terminal, environmentWithFile)
  addSandboxCommand(program, terminal)
  addKeysCommand(program, terminal, environmentWithFile)
  addCardsCommand(program, terminal, environmentWithFile)
  addSimulateCommand(program, terminal, environmentWithFile, (code) => {
    exitCode = code
  })
  addReconcileCommand(program, terminal, environmentWithFile, (code) => {
    exitCode = code
  })
  addImportCommand(program, terminal, environmentWithFile, (code) => {
    exitCode = code
  })
  addRepriceCommand(program, terminal, environmentWithFile, (code) => {
    exitCode = code
  })
  addDatabaseCommand(program, terminal, environmentWithFile)

  // A reader that closes the pipe early (`… | head`) is not a failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    process.exit(EXIT_CODES.ok)
  })
  try {
    await program.parseAsync(args, { from: 'user' })
    return exitCode
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_CODES.ok : EXIT_CODES.usage
    if (!(error instanceof CommandFailed || error instanceof ServiceError)) throw error
    process.stderr.write(`${name()} ${shown(error.message)}\n`)
    const isUsage = error instanceof InvalidConfig || (error instanceof CommandFailed && error.kind === 'usage')
    return isUsage ? EXIT_CODES.usage : EXIT_CODES.failed
  }
}

const name = (): string => styled(process.stderr, 'red', 'copilot-credits:')
