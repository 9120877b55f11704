/** Programs that report a first message to this service. */

export type SnippetNeeds = {
  readonly address: string
  readonly organization: string
  /** Whether the service asks for a key. */
  readonly needsKey: boolean
  /** A key to put in. Without it, there is a placeholder. */
  readonly key: string | undefined
  /** The timestamp of the message. */
  readonly now: string
}

const TEXT = 'What is the lease term?'

export const keyOf = ({ key, organization }: SnippetNeeds): string => key ?? `cck_${organization}_…`

/** Without keys, every request is the operator's, who names the organization. */
export const isNamed = ({ needsKey, organization }: SnippetNeeds): boolean => !needsKey && organization !== 'default'

export const curlSnippet = (needs: SnippetNeeds): string => {
  const { address, organization, needsKey, now } = needs
  const query = isNamed(needs) ? `?organization=${organization}` : ''
  const message = { id: 'hello-1', text: TEXT, timestamp: now, user_id: 'ada' }
  return [
    `curl '${address}/v1/messages${query}'`,
    ...(needsKey ? [`-H 'authorization: Bearer ${keyOf(needs)}'`] : []),
    "-H 'content-type: application/json'",
    `-d '${JSON.stringify({ messages: [message] })}'`,
  ].join(' \\\n  ')
}

export const javaScriptSnippet = (needs: SnippetNeeds): string => {
  const { address, organization, needsKey } = needs
  const key = needsKey ? `, key: '${keyOf(needs)}'` : ''
  const named = isNamed(needs) ? `, { organization: '${organization}' }` : ''
  return `import { createClient } from 'copilot-credits-client'

const client = createClient({ baseUrl: '${address}'${key} })
const { results } = await client.reportMessages([
  { id: 'hello-2', text: '${TEXT}', timestamp: new Date().toJSON(), user_id: 'ada' },
]${named})
console.log(results)
`
}
