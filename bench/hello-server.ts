/**
 * A minimal `node:http` server that sends the same JSON for every request: the upper bound for this machine. Arguments: port,
 * bytes of the response.
 */
import { createServer } from 'node:http'

const [port, bytes = 17] = process.argv.slice(2).map(Number)
const text = `{"hello":"${'x'.repeat(bytes - 12)}"}`
/** Node.js sends a short text in one string with the head. A longer one is kept as bytes, as the service keeps its responses. */
const body = bytes < 1000 ? text : Buffer.from(text)
const headers = { 'content-type': 'application/json', 'content-length': bytes }
createServer((_, response) => {
  response.writeHead(200, headers)
  response.end(body)
}).listen(port, '127.0.0.1', () => process.stdout.write('listening\n'))
