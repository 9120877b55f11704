/** GET requests on a keep-alive connection. Only the length of a response is parsed, so that the server is the bottleneck. */
import { connect } from 'node:net'

export type Reader = {
  readonly port: number
  readonly path: string
  /** Called before each request. Once it returns false, the connection is closed. */
  readonly hasNext: () => boolean
  readonly answered: (answer: { readonly ms: number; readonly isOk: boolean }) => void
  readonly received?: (bytes: number) => void
}

/** Sends the next request as soon as a response is complete. Resolves when the connection is closed; rejects if it breaks. */
export const keepAsking = ({ port, path, hasNext, answered, received = () => {} }: Reader): Promise<void> =>
  new Promise((resolve, reject) => {
    const request = Buffer.from(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`)
    const socket = connect(port, '127.0.0.1')
    let sentAt = 0
    let head = ''
    let left = -1
    const send = (): void => {
      if (!hasNext()) {
        socket.destroy()
        resolve()
        return
      }
      head = ''
      left = -1
      sentAt = performance.now()
      socket.write(request)
    }
    socket.setNoDelay(true)
    socket.on('connect', send)
    socket.on('error', reject)
    socket.on('data', (chunk) => {
      received(chunk.length)
      if (left < 0) {
        head += chunk.toString('latin1')
        const end = head.indexOf('\r\n\r\n')
        if (end < 0) return
        left = Number(/content-length: (\d+)/i.exec(head)?.[1]) - (head.length - end - 4)
      } else {
        left -= chunk.length
      }
      if (left > 0) return
      answered({ ms: performance.now() - sentAt, isOk: head.startsWith('HTTP/1.1 200') })
      send()
    })
  })

/** Sends `count` requests in total over 16 connections. Throws unless every response has status 200. */
export const sendRequests = async (port: number, path: string, count: number): Promise<void> => {
  let sent = 0
  let failures = 0
  const hasNext = (): boolean => sent++ < count
  const answered = ({ isOk }: { readonly isOk: boolean }): void => {
    if (!isOk) failures++
  }
  await Promise.all(Array.from({ length: 16 }, () => keepAsking({ port, path, hasNext, answered })))
  if (failures > 0) throw new Error(`${failures} of ${count} requests to ${path} failed`)
}
