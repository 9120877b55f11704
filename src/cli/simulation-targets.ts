/** Where `simulate` works: the database, or a running service. Answers are JSON in the words of the API. */
import type { RangeQuery } from '#answering/usage-range.ts'
import { type Environment, readConfig } from '#config.ts'
import type { Card } from '#model/card.ts'
import { toChargedAnewAnswer, toSimulationAnswer } from '#simulating/answer.ts'
import { CommandFailed } from './failure.ts'
import { createCaller } from './service-calls.ts'
import { migrationPrinter, type Terminal } from './terminal.ts'

export type SimulationTargetOptions = { readonly organization: string; readonly url?: string; readonly key?: string }

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
  { organization: id }: SimulationTargetOptions,
  request: Request,
  err: Terminal['err'],
): Promise<SimulationTarget> => {
  const { openStore } = await import('#compose/store.ts')
  const { organizations, simulations, close } = await openStore(readConfig(environment), migrationPrinter(err))
  const organization = await organizations.find(id)
  if (organization === undefined) {
    await close()
    throw new CommandFailed(`no such organization: ${id}`)
  }
  return {
    simulate: async (progress) =>
      JSON.stringify(toSimulationAnswer(await simulations.simulate(organization, request, { progress }))),
    apply: async (hash, progress) =>
      JSON.stringify(toChargedAnewAnswer(hash, await simulations.apply(organization, request, hash, { progress }))),
    close,
  }
}

const openRemote = async (
  environment: Environment,
  { organization, url, key }: SimulationTargetOptions & { readonly url: string },
  { rateCard, ...range }: Request,
): Promise<SimulationTarget> => {
  const call = createCaller(url, key ?? environment['COPILOT_CREDITS_KEY'])
  const query = organization === 'default' ? '' : `?organization=${encodeURIComponent(organization)}`
  const post = async (path: string) => (await call('POST', `${path}${query}`, { rate_card: rateCard, ...range })).text
  return {
    simulate: () => post('/v1/simulations'),
    apply: (hash) => post(`/v1/simulations/${hash}/apply`),
    close: async () => {},
  }
}
