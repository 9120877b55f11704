/**
 * A minimal `node:http` server, the upper bound for this machine. It sends the same JSON every time. Arguments: port, bytes of
 * the response.
 */
import { createServer } from 'node:http'

const [port, bytes = 17] = process.argv.slice(2).map(Number)
const text = `{"hello":"${'x'.repeat(bytes - 12)}"}`
/** Node.js sends a short string together with the head. A longer response is kept as bytes, as in the service. */
const body = bytes < 1000 ? text : Buffer.from(text)
const headers = { 'content-type': 'application/json', 'content-length': bytes }
createServer((_, response) => {
  response.writeHead(200, headers)
  response.end(body)
}).listen(port, '127.0.0.1', () => process.stdout.write('listening\n'))
