/**
 * A worker thread, so that nothing in it uses the thread of the service. It runs a Copilot service that lists a given number of
 * messages, each with its own report, and is slow to return reports, and a client that measures the latency of /healthz.
 */
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'

const { messages, answerAfterMs } = workerData as { readonly messages: number; readonly answerAfterMs: number }
const MESSAGES_A_PIECE = 1000

const pieceFrom = (first: number): string =>
  Array.from({ length: Math.min(MESSAGES_A_PIECE, messages - first) }, (_, index) => {
    const id = first + index
    return `${id === 0 ? '' : ','}{"id":${id},"text":"Lease?","timestamp":"2024-04-29T02:08:29.375Z","report_id":${id}}`
  }).join('')

const sendListing = async (response: ServerResponse): Promise<void> => {
  response.write('{"messages":[')
  for (let first = 0; first < messages && !response.destroyed; first += MESSAGES_A_PIECE) {
    if (!response.write(pieceFrom(first))) await drained(response)
  }
  response.end(']}')
}

/** Also resolves if the connection is closed. */
const drained = (response: ServerResponse): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done)
      response.off('close', done)
      resolve()
    }
    response.on('drain', done)
    response.on('close', done)
  })

let asked = 0
const server = createServer(async ({ url = '' }, response) => {
  if (url === '/messages/current-period') return sendListing(response)
  asked++
  await wait(answerAfterMs)
  const id = Number(url.split('/').at(-1))
  response.end(JSON.stringify({ id, name: 'Lease Report', credit_cost: 79 }))
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
parentPort?.postMessage(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)

/** Gets the address of the service and sends requests until told to stop. */
parentPort?.once('message', async (service: string) => {
  let isOver = false
  parentPort?.once('message', () => {
    isOver = true
  })
  let longestMs = 0
  while (!isOver) {
    const startedAt = performance.now()
    const response = await fetch(`${service}/healthz`)
    await response.text()
    if (response.status !== 200) longestMs = Number.POSITIVE_INFINITY
    longestMs = Math.max(longestMs, performance.now() - startedAt)
  }
  parentPort?.postMessage({ longestMs, asked })
})
