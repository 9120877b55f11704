/** A minimal `node:http` server, the upper bound for this machine. */
import { createServer } from 'node:http'

const port = Number(process.argv[2])
createServer((_, response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': 17 })
  response.end('{"hello":"world"}')
}).listen(port, '127.0.0.1', () => process.stdout.write('listening\n'))
