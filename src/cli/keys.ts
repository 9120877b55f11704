/** `copilot-credits keys`: the API keys of an organization. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { Store } from '#compose/store.ts'
import { type Environment, readConfig } from '#config.ts'
import { SCOPES, type Scope } from '#ledger/commands.ts'
import { isPlainText, PLAIN_TEXT } from '#model/plain-text.ts'
import { canonicalTimestamp } from '#model/timestamp.ts'
import { CommandFailed } from './failure.ts'
import { migrationPrinter, shown, styled, type Terminal, table } from './terminal.ts'

type Options = {
  readonly organization: string
  readonly name?: string
  readonly scope?: readonly Scope[]
  readonly json?: true
}

export const addKeysCommand = (program: Command, { out, err }: Terminal, environment: () => Environment): void => {
  const keys = program
    .command('keys')
    .summary('Create, list and revoke API keys')
    .description(
      'Create, list and revoke the API keys of an organization. The keys are in the database that ' +
        'DATABASE_URL names; the service can keep running.',
    )

  const organization = () =>
    new Option('--organization <id>', 'Organization that owns the keys').default('default').argParser(plain)

  const withStore = async (id: string, work: (store: Store) => Promise<void>): Promise<void> => {
    const { openStore } = await import('#compose/store.ts')
    const store = await openStore(readConfig(environment()), migrationPrinter(err))
    try {
      if ((await store.organizations.find(id)) === undefined) throw new CommandFailed(`no such organization: ${id}`)
      await work(store)
    } finally {
      await store.close()
    }
  }

  keys
    .command('create')
    .summary('Create a key and print it once')
    .description('Create a key and print it to standard output. The key cannot be shown again.')
    .requiredOption('--scope <scope>', `Permission: ${SCOPES.join(', ')}; repeat for several`, collectScope)
    .option('--name <name>', `Label, at most ${NAME_CHARACTERS_MAX} characters`, plainName)
    .addOption(organization())
    .option('--json', 'Print JSON')
    .action(async ({ organization: id, name = '', scope = [], json }: Options) => {
      await withStore(id, async ({ access }) => {
        const { key, entry } = await access.createKey({ organizationId: id, name, scopes: [...new Set(scope)] })
        if (json === true)
          out.write(`${JSON.stringify({ id: entry.id, organization: id, scopes: entry.scopes, key })}\n`)
        else {
          out.write(`${key}\n`)
          err.write(
            `Created ${styled(err, 'bold', entry.id)}. Store the key now: it is not shown again. Send it as "Authorization: Bearer <key>".\n`,
          )
        }
      })
    })

  keys
    .command('list')
    .summary('List the keys of an organization')
    .description('List the keys of an organization with their scopes. The keys themselves are not stored.')
    .addOption(organization())
    .option('--json', 'Print JSON')
    .action(async ({ organization: id, json }: Options) => {
      await withStore(id, async ({ access }) => {
        const rows = (await access.listKeys(id)).map(({ id: keyId, name, scopes, createdAt, revokedAt }) => ({
          id: keyId,
          name,
          scopes,
          created: canonicalTimestamp(createdAt),
          ...(revokedAt !== undefined && { revoked: canonicalTimestamp(revokedAt) }),
        }))
        if (json === true) {
          out.write(`${JSON.stringify({ keys: rows }, null, 2)}\n`)
          return
        }
        if (rows.length === 0) {
          out.write('No API keys.\n')
          return
        }
        const columns = ['id', 'name', 'scopes', 'created', 'revoked'].map(
          (title) => ({ title, align: 'left' }) as const,
        )
        out.write(
          table(
            out,
            columns,
            rows.map((row) => [row.id, shown(row.name), row.scopes.join(', '), row.created, row.revoked ?? '']),
          ),
        )
      })
    })

  keys
    .command('revoke')
    .summary('Revoke a key')
    .description('Revoke a key. A running service can accept the key for up to 5 more seconds.')
    .argument('<id>', 'Id of the key, from "keys list"', plain)
    .addOption(organization())
    .action(async (keyId: string, { organization: id }: Options) => {
      await withStore(id, async ({ access }) => {
        const revoked = await access.revokeKey(id, keyId)
        if (revoked === undefined) throw new CommandFailed(`no such key: ${keyId}`)
        err.write(`Revoked ${keyId}.\n`)
      })
    })
}

/** The API's rule for every string that is stored. */
const plain = (value: string): string => {
  if (!isPlainText(value)) throw new InvalidArgumentError(`Must be ${PLAIN_TEXT}.`)
  return value
}

const plainName = (value: string): string => {
  if (value.length > NAME_CHARACTERS_MAX)
    throw new InvalidArgumentError(`Must have at most ${NAME_CHARACTERS_MAX} characters.`)
  return plain(value)
}

const NAME_CHARACTERS_MAX = 200

const collectScope = (value: string, before: readonly Scope[] = []): readonly Scope[] => {
  const scope = SCOPES.find((each) => each === value)
  if (scope === undefined) throw new InvalidArgumentError(`Must be one of ${SCOPES.join(', ')}.`)
  return [...before, scope]
}
