import { once } from 'node:events'
import { createServer } from 'node:http'
import { pathToFileURL } from 'node:url'

// listen serves requests on this machine alone. Port 0 is any that is free.
export async function listen(handler, port = 0) {
  const server = createServer(handler).listen(port, '127.0.0.1')
  await once(server, 'listening')
  return server
}

// addressOf is where a browser finds the server.
export const addressOf = (server, host = 'localhost') => `http://${host}:${server.address().port}`

// isProgram tells a file that was started from one that was imported.
export const isProgram = url => url === pathToFileURL(process.argv[1]).href
