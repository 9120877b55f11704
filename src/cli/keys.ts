/** `copilot-credits keys`: who may ask the service. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import { type Environment, readConfig } from '#config.ts'
import { SCOPES, type Scope } from '#metering/ledger.ts'
import { isPlainText, PLAIN_TEXT } from '#model/plain-text.ts'
import { canonicalTimestamp } from '#model/timestamp.ts'
import type { Store } from '#service.ts'
import { CommandFailed } from './failure.ts'
import { shown, styled, type Terminal, table } from './terminal.ts'

type Options = {
  readonly organization: string
  readonly name?: string
  readonly scope?: readonly Scope[]
  readonly json?: true
}

export const addKeysCommand = (program: Command, { out, err }: Terminal, environment: () => Environment): void => {
  const keys = program
    .command('keys')
    .summary('API keys: create, list, revoke')
    .description('API keys of an organization, in the database of DATABASE_URL. The service may run meanwhile.')

  const organization = () => new Option('--organization <id>', 'whose keys').default('default').argParser(plain)

  const withStore = async (id: string, work: (store: Store) => Promise<void>): Promise<void> => {
    const { openStore } = await import('#service.ts')
    const store = await openStore(readConfig(environment()))
    try {
      if ((await store.organizations.find(id)) === undefined) throw new CommandFailed(`there is no organization ${id}`)
      await work(store)
    } finally {
      await store.close()
    }
  }

  keys
    .command('create')
    .summary('make a key and show it, this once')
    .requiredOption('--scope <scope>', `what it allows: ${SCOPES.join(', ')}; may be given again`, collectScope)
    .option('--name <name>', 'for people, at most 200 characters', plainName, '')
    .addOption(organization())
    .option('--json', 'print JSON')
    .action(async ({ organization: id, name = '', scope = [], json }: Options) => {
      await withStore(id, async ({ access }) => {
        const { key, entry } = await access.createKey({ organizationId: id, name, scopes: [...new Set(scope)] })
        if (json === true)
          out.write(`${JSON.stringify({ id: entry.id, organization: id, scopes: entry.scopes, key })}\n`)
        else {
          out.write(`${key}\n`)
          err.write(
            `${styled(err, 'bold', entry.id)}: it is not shown again. Send it as "Authorization: Bearer <key>".\n`,
          )
        }
      })
    })

  keys
    .command('list')
    .summary('the keys of an organization')
    .addOption(organization())
    .option('--json', 'print JSON')
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
    .summary('end a key; a running service takes it for some seconds more')
    .argument('<id>', 'the id, as "keys list" shows it', plain)
    .addOption(organization())
    .action(async (keyId: string, { organization: id }: Options) => {
      await withStore(id, async ({ access }) => {
        const revoked = await access.revokeKey(id, keyId)
        if (revoked === undefined) throw new CommandFailed(`there is no key ${keyId}`)
        err.write(`${keyId} is revoked\n`)
      })
    })
}

/** What reaches the database keeps to the rule of the API. */
const plain = (value: string): string => {
  if (!isPlainText(value)) throw new InvalidArgumentError(`It must be ${PLAIN_TEXT}.`)
  return value
}

const plainName = (value: string): string => {
  if (value.length > NAME_CHARACTERS_MAX)
    throw new InvalidArgumentError(`It must have at most ${NAME_CHARACTERS_MAX} characters.`)
  return plain(value)
}

const NAME_CHARACTERS_MAX = 200

const collectScope = (value: string, before: readonly Scope[] = []): readonly Scope[] => {
  const scope = SCOPES.find((each) => each === value)
  if (scope === undefined) throw new InvalidArgumentError(`It must be one of ${SCOPES.join(', ')}.`)
  return [...before, scope]
}
