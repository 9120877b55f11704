/** Where `reconcile` works: the database, or a running service. Answers are JSON in the words of the API. */
import { type Environment, readConfig } from '#config.ts'
import { toReconciliationAnswer } from '#reconciling/answer.ts'
import { settingsIn } from '#reconciling/incoming.ts'
import { CommandFailed } from './failure.ts'
import { createCaller } from './service-calls.ts'
import { migrationPrinter, type Terminal } from './terminal.ts'

type TargetOptions = { readonly organization: string; readonly url?: string; readonly key?: string }

type Asked = {
  /** All of the request but the file, in the words of the API. */
  readonly fields: Readonly<Record<string, unknown>>
  readonly text: AsyncIterable<string>
  readonly limit: number
}

export const reconcileAt = (
  environment: Environment,
  options: TargetOptions,
  asked: Asked,
  err: Terminal['err'],
): Promise<string> =>
  options.url === undefined
    ? reconcileHere(environment, options, asked, err)
    : reconcileThere(environment, { ...options, url: options.url }, asked)

const reconcileHere = async (
  environment: Environment,
  { organization: id }: TargetOptions,
  { fields, text, limit }: Asked,
  err: Terminal['err'],
): Promise<string> => {
  const settings = settingsIn(fields)
  const { openStore } = await import('#compose/store.ts')
  const { organizations, reconciliations, close } = await openStore(readConfig(environment), migrationPrinter(err))
  try {
    const organization = await organizations.find(id)
    if (organization === undefined) throw new CommandFailed(`no such organization: ${id}`)
    const result = await reconciliations.reconcile({ ...settings, organization, file: { text } })
    return JSON.stringify(toReconciliationAnswer(result, limit))
  } finally {
    await close()
  }
}

const reconcileThere = async (
  environment: Environment,
  { organization, url, key }: TargetOptions & { readonly url: string },
  { fields, text, limit }: Asked,
): Promise<string> => {
  const call = createCaller(url, key ?? environment['COPILOT_CREDITS_KEY'])
  const chunks: string[] = []
  for await (const chunk of text) chunks.push(chunk)
  const path = `/v1/reconciliations${organization === 'default' ? '' : `?organization=${encodeURIComponent(organization)}`}`
  return (await call('POST', path, { ...fields, csv: chunks.join(''), limit })).text
}
