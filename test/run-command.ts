/** Runs a command in this process. */
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { Command, CommanderError } from 'commander'
import { CommandFailed } from '../src/cli/failure.ts'
import type { Terminal } from '../src/cli/terminal.ts'

export type Outcome = { readonly out: string; readonly err: string; readonly failure: string }

/** `add` adds the command to a program. `failure` is what the command says that is wrong; '' if it succeeds. */
export const runCommand = async (
  add: (program: Command, terminal: Terminal) => void,
  args: readonly string[],
): Promise<Outcome> => {
  const [out, err] = [new PassThrough(), new PassThrough()]
  const program = new Command()
  add(program, { out, err })
  for (const each of program.commands.flatMap((group) => [group, ...group.commands]))
    each.exitOverride().configureOutput({ writeErr: () => {} })
  const failure = await program.parseAsync(args, { from: 'user' }).then(
    () => '',
    (error: Error) => {
      if (error instanceof CommandFailed || error instanceof CommanderError) return error.message
      throw error
    },
  )
  out.end()
  err.end()
  return { out: await text(out), err: await text(err), failure }
}
