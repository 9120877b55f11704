/** Where the commands for rate cards work: the database, or a running service. */
import { type Environment, readConfig } from '#config.ts'
import type { RepricingOutcome } from '#intake/background-repricing.ts'
import type { CardUse } from '#ledger/commands.ts'
import type { Card } from '#model/card.ts'
import type { CardInForce } from '#model/cards-in-force.ts'
import { CALENDAR_BEGINS } from '#model/organization.ts'
import { canonicalTimestamp, instantOf } from '#model/timestamp.ts'
import { CommandFailed } from './failure.ts'
import { createCaller } from './service-calls.ts'
import { grouped, migrationPrinter, type Terminal } from './terminal.ts'

export type CardTargetOptions = { readonly url?: string; readonly key?: string }

type Used = { readonly inForce: readonly CardInForce[]; readonly pricedOtherwise: number }

/** Each throws CommandFailed if what it names does not exist. */
export type CardTarget = {
  readonly put: (card: Card) => Promise<'created' | 'same' | 'conflict'>
  readonly find: (version: string) => Promise<Card | undefined>
  readonly list: () => Promise<readonly CardRow[]>
  readonly use: (organizationId: string, use: CardUse) => Promise<Used>
  readonly useByDefault: (use: CardUse) => Promise<Used>
  readonly close: () => Promise<void>
}

/** In the words of the API. */
export type CardRow = {
  readonly version: string
  readonly hash: string
  readonly created_at?: string
  readonly built_in?: { readonly title: string; readonly source: string; readonly as_of: string }
}

export const openCardTarget = (
  environment: Environment,
  options: CardTargetOptions,
  err: Terminal['err'],
): Promise<CardTarget> =>
  options.url === undefined ? openDirect(environment, err) : openRemote(environment, options.url, options.key)

const openDirect = async (environment: Environment, err: Terminal['err']): Promise<CardTarget> => {
  const { openStore } = await import('#compose/store.ts')
  const repriced: RepricingOutcome[] = []
  const { rateCards, cardUses, close } = await openStore(readConfig(environment), migrationPrinter(err), (outcome) =>
    repriced.push(outcome),
  )

  const granted = <T extends object>(
    used: T | 'unknown-card' | { readonly closedUntil: number },
    { version, for: messages }: CardUse,
  ): T => {
    if (used === 'unknown-card') throw new CommandFailed(`no such rate card: ${version}`)
    if (!('closedUntil' in used)) return used as T
    const { closedUntil } = used as { readonly closedUntil: number }
    if (messages !== undefined) {
      const isAnyClosed = closedUntil !== CALENDAR_BEGINS
      throw new CommandFailed(
        `--for unpriced is for closed periods: ${isAnyClosed ? `--from must be before ${canonicalTimestamp(closedUntil)}` : 'no period is closed'}`,
      )
    }
    throw new CommandFailed(`--from must be ${canonicalTimestamp(closedUntil)} or later: everything before is closed`)
  }

  return {
    put: async (card) => {
      const answer = await rateCards.put(card)
      return answer === 'conflict' ? answer : answer.outcome
    },
    find: async (version) => (await rateCards.find(version))?.card,
    list: async () =>
      (await rateCards.list()).map(({ version, hash, createdAt, builtIn }) => ({
        version,
        hash,
        ...(createdAt !== undefined && { created_at: canonicalTimestamp(createdAt) }),
        ...(builtIn !== undefined && {
          built_in: { title: builtIn.title, source: builtIn.source, as_of: builtIn.asOf },
        }),
      })),
    use: async (organizationId, use) => {
      const used = await cardUses.use(organizationId, use)
      if (used === undefined) throw new CommandFailed(`no such organization: ${organizationId}`)
      return granted(used, use)
    },
    useByDefault: async (use) => granted(await cardUses.useByDefault(use), use),
    close: async () => {
      await close()
      err.write(textOf(repriced))
    },
  }
}

/** What was charged, or could not be, now that another card is in force. */
const textOf = (repriced: readonly RepricingOutcome[]): string => {
  const priced = repriced.reduce((sum, outcome) => sum + ('error' in outcome ? 0 : outcome.priced), 0)
  const failed = repriced.some((outcome) => 'error' in outcome)
  return (
    (priced > 0 ? `Messages that had no price and are charged now: ${grouped(priced)}.\n` : '') +
    (failed ? 'Messages without a price could not all be tried again. Run "copilot-credits reprice".\n' : '')
  )
}

type UsedResponse = {
  readonly in_force: readonly {
    readonly version: string
    readonly from?: string
    readonly by_default?: true
    readonly until?: string
  }[]
  readonly priced_otherwise: number
}

const openRemote = async (environment: Environment, url: string, key: string | undefined): Promise<CardTarget> => {
  const call = createCaller(url, key ?? environment['COPILOT_CREDITS_KEY'])

  const use = async (path: string, { version, from, for: messages }: CardUse): Promise<Used> => {
    const body = {
      version,
      ...(from !== undefined && { from: canonicalTimestamp(from) }),
      ...(messages !== undefined && { for: messages }),
    }
    const used = (await call('PUT', path, body)).body as UsedResponse
    return {
      inForce: used.in_force.map((each) => ({
        version: each.version,
        from: each.from === undefined ? CALENDAR_BEGINS : instantOf(each.from),
        isDefault: each.by_default === true,
        ...(each.until !== undefined && { until: instantOf(each.until) }),
      })),
      pricedOtherwise: used.priced_otherwise,
    }
  }

  return {
    put: async (card) => {
      const { status } = await call('POST', '/v1/rate-cards', card, [409])
      return status === 409 ? 'conflict' : status === 201 ? 'created' : 'same'
    },
    find: async (version) => {
      const { status, body } = await call('GET', `/v1/rate-cards/${encodeURIComponent(version)}`, undefined, [404])
      return status === 404 ? undefined : (body as { readonly card: Card }).card
    },
    list: async () =>
      ((await call('GET', '/v1/rate-cards')).body as { readonly rate_cards: readonly CardRow[] }).rate_cards,
    use: (organizationId, wanted) => use(`/v1/organizations/${encodeURIComponent(organizationId)}/rate-card`, wanted),
    useByDefault: (wanted) => use('/v1/default-rate-card', wanted),
    close: async () => {},
  }
}
