/** The command line: `npx copilot-credits …` */
import { Command, CommanderError } from 'commander'
import { environmentWithFile, InvalidConfig } from '#config.ts'
import { EXIT_CODES } from '#exit-codes.ts'
import { ServiceError } from '#model/errors.ts'
import packageJson from '../../package.json' with { type: 'json' }
import { addDatabaseCommand } from './database.ts'
import { CommandFailed } from './failure.ts'
import { addImportCommand } from './import.ts'
import { addKeysCommand } from './keys.ts'
import { addRateCommand } from './rate.ts'
import { addSandboxCommand } from './sandbox.ts'
import { addServeCommand } from './serve.ts'
import { shown, styled } from './terminal.ts'
import { addUsageCommand } from './usage.ts'

/** Runs a command and resolves to its exit code. */
export const main = async (args: readonly string[]): Promise<number> => {
  const terminal = { out: process.stdout, err: process.stderr }
  let exitCode: number = EXIT_CODES.ok
  const program = new Command('copilot-credits')
    .description('What every AI-copilot message cost, in credits, exactly, and why.')
    .version(packageJson.version)
    .exitOverride()
    .showHelpAfterError('(--help says more)')
    .addHelpText('after', '\nExit codes: 0 done, 1 failed, 2 called wrongly or a wrong setting.')
  addServeCommand(program, environmentWithFile)
  addRateCommand(program, terminal)
  addUsageCommand(program, terminal, environmentWithFile)
  addSandboxCommand(program, terminal)
  addKeysCommand(program, terminal, environmentWithFile)
  addImportCommand(program, terminal, environmentWithFile, (code) => {
    exitCode = code
  })
  addDatabaseCommand(program, terminal, environmentWithFile)
  for (const command of program.commands.flatMap((each) => [each, ...each.commands])) {
    command.exitOverride().showHelpAfterError('(--help says more)')
  }

  // A reader that has had enough (`… | head`) is no failure.
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
    process.stderr.write(`${styled(process.stderr, 'red', 'copilot-credits:')} ${shown(error.message)}\n`)
    const isTheCallers = error instanceof InvalidConfig || (error instanceof CommandFailed && error.kind === 'usage')
    return isTheCallers ? EXIT_CODES.usage : EXIT_CODES.failed
  }
}
