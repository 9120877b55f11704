/** Where `simulate` works: the database, or a running service. Answers are JSON in the words of the API. */
import type { RangeQuery } from '#answering/usage-range.ts'
import { type Environment, readConfig } from '#config.ts'
import type { Card } from '#model/card.ts'
import type { Organization } from '#model/organization.ts'
import { toChargedAnewAnswer, toSimulationAnswer } from '#simulating/answer.ts'
import { CommandFailed } from './failure.ts'
import { createCaller } from './service-calls.ts'
import { migrationPrinter, type Terminal } from './terminal.ts'

/** All organizations, unless some are named. */
export type SimulationTargetOptions = {
  readonly organization?: readonly string[]
  readonly url?: string
  readonly key?: string
}

export type Progress = (done: number, total: number) => void

export type SimulationTarget = {
  readonly simulate: (progress: Progress) => Promise<string>
  readonly apply: (hash: string, progress: Progress) => Promise<string>
  readonly close: () => Promise<void>
}

export const openSimulationTarget = (
  environment: Environment,
  options: SimulationTargetOptions,
  request: RangeQuery & { readonly rateCard: string | Card },
  err: Terminal['err'],
): Promise<SimulationTarget> =>
  options.url === undefined
    ? openDirect(environment, options, request, err)
    : openRemote(environment, { ...options, url: options.url }, request)

type Request = Parameters<typeof openSimulationTarget>[2]

const openDirect = async (
  environment: Environment,
  { organization: ids }: SimulationTargetOptions,
  request: Request,
  err: Terminal['err'],
): Promise<SimulationTarget> => {
  const { openStore } = await import('#compose/store.ts')
  const { organizations, simulations, close } = await openStore(readConfig(environment), migrationPrinter(err))
  const find = async (id: string): Promise<Organization> => {
    const organization = await organizations.find(id)
    if (organization === undefined) throw new CommandFailed(`no such organization: ${id}`)
    return organization
  }
  try {
    const asked = ids === undefined ? await organizations.all() : await Promise.all(ids.map(find))
    const wanted = { ...request, organizations: asked }
    return {
      simulate: async (progress) =>
        JSON.stringify(toSimulationAnswer(await simulations.simulate(wanted, { progress }))),
      apply: async (hash, progress) =>
        JSON.stringify(toChargedAnewAnswer(hash, await simulations.apply(wanted, hash, { progress }))),
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

const openRemote = async (
  environment: Environment,
  { organization: named, url, key }: SimulationTargetOptions & { readonly url: string },
  { rateCard, ...range }: Request,
): Promise<SimulationTarget> => {
  const call = createCaller(url, key ?? environment['COPILOT_CREDITS_KEY'])
  const organizations = named ?? 'all'
  const post = async (path: string) => (await call('POST', path, { rate_card: rateCard, organizations, ...range })).text
  return {
    simulate: () => post('/v1/simulations'),
    apply: (hash) => post(`/v1/simulations/${hash}/apply`),
    close: async () => {},
  }
}
