/** An upstream that lists synthetic messages, in the benchmark's own process. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { madeUpText } from './texts.ts'

const REPORTS = [5392, 8806, 1124, 5447, 3952]

/** The body of a listing. Each version has different texts. */
export const listingOf = (size: number, version: number): Buffer => {
  const start = Date.parse('2024-05-01T00:00:00Z')
  const messages: string[] = []
  for (let index = 0; index < size; index++) {
    const timestamp = new Date(start + index * 2).toISOString()
    const report = index % 4 === 0 ? `,"report_id":${REPORTS[(index / 4) % REPORTS.length]}` : ''
    messages.push(
      `{"id":${1000 + index},"text":${JSON.stringify(madeUpText(index + version))},"timestamp":"${timestamp}"${report}}`,
    )
  }
  return Buffer.from(`{"messages":[${messages.join(',')}]}`)
}

type UpstreamOptions = { readonly etag?: string | undefined; readonly answered?: () => void }

/** Without an `etag`, every refresh reads and prices the whole listing. */
export const startUpstream = async (listing: () => Buffer, { etag, answered = () => {} }: UpstreamOptions = {}) => {
  const server = createServer((incoming, response) => {
    const [, id] = /^\/reports\/(\d+)$/.exec(incoming.url ?? '') ?? []
    const body =
      id === undefined
        ? listing()
        : Buffer.from(JSON.stringify({ id: Number(id), name: `Report ${id}`, credit_cost: 79 }))
    if (id === undefined) response.on('finish', answered)
    if (id === undefined && etag !== undefined) {
      if (incoming.headers['if-none-match'] === etag) {
        response.writeHead(304).end()
        return
      }
      response.setHeader('etag', etag)
    }
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length }).end(body)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
    },
  }
}
