/** `copilot-credits cards`: the catalogue of rate cards, and which of them is in force. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { Environment } from '#config.ts'
import type { CardUse } from '#ledger/commands.ts'
import type { Card } from '#model/card.ts'
import type { CardInForce } from '#model/cards-in-force.ts'
import { CALENDAR_BEGINS } from '#model/organization.ts'
import { isPlainText, PLAIN_TEXT } from '#model/plain-text.ts'
import { canonicalTimestamp, instantOf, isTimestamp } from '#model/timestamp.ts'
import { cardHash } from '#rating/card-hash.ts'
import { type ExpectedFacts, expectedFacts } from '#rating/expected-facts.ts'
import { InvalidRateCard, parseCard } from '#rating/parse-card.ts'
import { differencesOf } from './card-differences.ts'
import { cardIn, isFile, readCardFile } from './card-files.ts'
import { type CardTarget, type CardTargetOptions, openCardTarget } from './card-targets.ts'
import { addCardsImport } from './cards-import.ts'
import { CommandFailed, WrongFile } from './failure.ts'
import { shown, type Terminal, table } from './terminal.ts'

type UseOptions = CardTargetOptions & {
  readonly organization?: string
  readonly from?: string
  readonly default?: true
  readonly for?: 'unpriced'
}

export const addCardsCommand = (program: Command, terminal: Terminal, environment: () => Environment): void => {
  const { out, err } = terminal
  const cards = program
    .command('cards')
    .summary('Check, store and compare rate cards, and put them in force')
    .description(
      'Check, store and compare rate cards, and put them in force. The cards are in the database that DATABASE_URL names, or ' +
        'in that of the service at --url; a running service takes part at once or within a second.',
    )

  const withTarget = async (options: CardTargetOptions, work: (target: CardTarget) => Promise<void>): Promise<void> => {
    const target = await openCardTarget(environment(), options, err)
    await work(target).finally(target.close)
  }

  const cardNamed = async (target: CardTarget, version: string): Promise<Card> => {
    const found = await target.find(version)
    if (found === undefined) throw new CommandFailed(`no such rate card: ${version}`)
    return found
  }

  cards
    .command('check')
    .summary('Check a rate card without storing it')
    .description(
      'Check a rate card without storing it. Print every fault with its path, and exit with 1 if there are any.',
    )
    .argument('<file>', 'File with the rate card as JSON; - is standard input')
    .action(async (path: string) => {
      const input = await readCardFile(path)
      try {
        const card = parseCard(input)
        out.write(
          `${shown(card.version)} is a valid rate card.\nhash     ${cardHash(card)}\nexpects  ${wordsOf(expectedFacts(card))}\n`,
        )
      } catch (error) {
        if (!(error instanceof InvalidRateCard)) throw error
        for (const { path: at, expected } of error.faults) out.write(`${shown(`${at} must be ${expected}`)}\n`)
        const { length } = error.faults
        throw new WrongFile(path, `: is not a rate card: ${length} ${length === 1 ? 'fault' : 'faults'}`)
      }
    })

  addCardsImport(cards, terminal)

  withService(cards.command('put'))
    .summary('Store a rate card')
    .description('Store a rate card. A stored card never changes: another card needs another version.')
    .argument('<file>', 'File with the rate card as JSON; - is standard input')
    .action(async (path: string, options: CardTargetOptions) => {
      const card = cardIn(path, await readCardFile(path))
      await withTarget(options, async (target) => {
        const outcome = await target.put(card)
        if (outcome === 'conflict')
          throw new CommandFailed(`there is another rate card with the version ${card.version}, and it stays`)
        out.write(`${shown(card.version)} ${outcome === 'created' ? 'is stored' : 'was stored before'}.\n`)
      })
    })

  withService(cards.command('list'))
    .summary('List the rate cards')
    .description(
      'List the rate cards: those that were stored, and those that come with the product. Each can be put in force.',
    )
    .option('--json', 'Print JSON')
    .action(async ({ json, ...options }: CardTargetOptions & { readonly json?: true }) => {
      await withTarget(options, async (target) => {
        const rows = await target.list()
        if (json === true) {
          out.write(`${JSON.stringify({ rate_cards: rows }, null, 2)}\n`)
          return
        }
        const columns = ['version', 'hash', 'created', ''].map((title) => ({ title, align: 'left' }) as const)
        const cells = rows.map(({ version, hash, created_at: created = 'built in', built_in: origin }) => [
          shown(version),
          hash.slice(0, HASH_SHOWN),
          created,
          origin === undefined ? '' : shown(`${origin.title}, as of ${origin.as_of}`),
        ])
        out.write(table(out, columns, cells))
      })
    })

  withService(cards.command('show'))
    .summary('Print a rate card')
    .description('Print a rate card as JSON, as it was stored or comes with the product.')
    .argument('<version>', 'Version of the card', plain)
    .action(async (version: string, options: CardTargetOptions) => {
      await withTarget(options, async (target) => {
        out.write(`${JSON.stringify(await cardNamed(target, version), null, 2)}\n`)
      })
    })

  withService(cards.command('diff'))
    .summary('Show how two rate cards differ')
    .description(
      'Show how two rate cards differ, path by path. Each is the version of a stored card, or a file if the name has a slash or ends with .json.',
    )
    .argument('<a>', 'Version or file', plain)
    .argument('<b>', 'Version or file', plain)
    .action(async (one: string, other: string, options: CardTargetOptions) => {
      const load = async (target: CardTarget | undefined, name: string): Promise<Card> => {
        if (isFile(name) || target === undefined) return cardIn(name, await readCardFile(name))
        return cardNamed(target, name)
      }
      const show = async (target?: CardTarget): Promise<void> => {
        const differences = differencesOf(await load(target, one), await load(target, other))
        if (differences.length === 0) out.write('No differences.\n')
        for (const { path, before, after } of differences) out.write(`${shown(`${path}: ${before} → ${after}`)}\n`)
      }
      if (isFile(one) && isFile(other)) await show()
      else await withTarget(options, show)
    })

  withService(cards.command('use'))
    .summary('Put a rate card in force')
    .description(
      'Put a rate card in force for an organization, or with --default for those that use none of their own. Messages that are ' +
        'already charged stay as they are.',
    )
    .argument('<version>', 'Version of the card', plain)
    .option('--organization <id>', 'Organization that uses the card (default: "default")', plain)
    .option(
      '--from <timestamp>',
      'From when on, such as 2026-06-01T00:00:00Z; not in a closed period unless --for is given (default: now)',
      timestamp,
    )
    .addOption(
      new Option(
        '--for <messages>',
        'Only for messages without a price in what is closed from --from on: they are charged in the open period',
      ).choices(['unpriced']),
    )
    .option('--default', 'Use the card for organizations that use none of their own')
    .action(
      async (version: string, { organization, from, for: messages, default: isDefault, ...options }: UseOptions) => {
        if (isDefault === true && organization !== undefined)
          throw new CommandFailed('--default is for all organizations; leave out --organization', 'usage')
        const use = useOf(version, from, messages)
        await withTarget(options, async (target) => {
          const { inForce, pricedOtherwise } =
            isDefault === true ? await target.useByDefault(use) : await target.use(organization ?? 'default', use)
          for (const each of inForce) out.write(`${shown(each.version)}  ${stretchOf(each)}\n`)
          if (pricedOtherwise > 0)
            err.write(`Messages that another card charged before, and that stay as they are: ${pricedOtherwise}.\n`)
        })
      },
    )
}

/** Throws CommandFailed. */
const useOf = (version: string, from: string | undefined, messages: 'unpriced' | undefined): CardUse => {
  if (messages === undefined) return { version, ...(from !== undefined && { from: instantOf(from) }) }
  if (from === undefined) throw new CommandFailed('--for needs --from, an instant in a closed period', 'usage')
  return { version, from: instantOf(from), for: messages }
}

const HASH_SHOWN = 12

const withService = (command: Command): Command =>
  command
    .option('--url <url>', 'Use a running service instead of the database')
    .option('--key <key>', 'API key for --url (default: COPILOT_CREDITS_KEY)')

const stretchOf = ({ from, until, isDefault }: CardInForce): string => {
  const start = from === CALENDAR_BEGINS ? 'since ever' : `from ${canonicalTimestamp(from)}`
  const end = until === undefined ? '' : ` until ${canonicalTimestamp(until)}, only for messages without a price`
  return `${start}${end}${isDefault ? ', by default' : ''}`
}

const wordsOf = (expects: ExpectedFacts): string => {
  const words = Object.entries(expects).map(([field, names]) =>
    names === true ? field : `${field} (${names.join(', ')})`,
  )
  return words.length === 0 ? 'nothing' : shown(words.join(', '))
}

const plain = (value: string): string => {
  if (!isPlainText(value)) throw new InvalidArgumentError(`Must be ${PLAIN_TEXT}.`)
  return value
}

const timestamp = (value: string): string => {
  if (!isTimestamp(value))
    throw new InvalidArgumentError('Must be an RFC 3339 date-time, such as 2026-06-01T00:00:00Z.')
  return value
}
