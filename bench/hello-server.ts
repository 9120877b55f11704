/** The least a Node.js server can do: a bare `node:http` hello, as a measure for the machine. */
import { createServer } from 'node:http'

const port = Number(process.argv[2])
createServer((_, response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': 17 })
  response.end('{"hello":"world"}')
}).listen(port, '127.0.0.1', () => process.stdout.write('listening\n'))
