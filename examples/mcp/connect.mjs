// An MCP client that knows nothing of a server but its address: it finds out who
// authorizes, registers there, has the user log in and approve, calls a tool, refreshes
// its token, and calls again.
//
// Usage: node connect.mjs SERVER
import { randomUUID } from 'node:crypto'
import { auth, UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { addressOf, isProgram, listen } from './listen.mjs'

// Authorization is the provider that the SDK's auth() works with, for a client on the
// user's own machine. It keeps everything in memory; one for use keeps it on disk.
export class Authorization {
  #client
  #tokens
  #verifier
  #state
  #discovery
  #callback

  // open gets the address that the user is to open in a browser. metadata is what the
  // client registers beside and in place of the rest. clientMetadataUrl is where the client
  // has a metadata document, if it has one: then it need not register.
  constructor({ open, metadata = {}, clientMetadataUrl }) {
    this.redirectToAuthorization = open
    this.clientMetadataUrl = clientMetadataUrl
    this.metadata = metadata
    this.answer = new Promise(resolve => { this.answered = resolve })
  }

  // listen waits on this machine for the browser to come back (RFC 8252 §7.3).
  async listen() {
    this.#callback = await listen((request, response) => {
      const { pathname, searchParams } = new URL(request.url, this.redirectUrl)
      const found = pathname === '/callback'
      response.writeHead(found ? 200 : 404, { 'Content-Type': 'text/plain' })
      response.end(found ? 'You can close this page and go back to the client.' : 'Not here')
      if (found) {
        this.answered(searchParams)
      }
    })
    return this
  }

  close() {
    this.#callback.close()
    this.#callback.closeAllConnections()
  }

  // code returns the authorization code, once the browser is back with it.
  async code() {
    const answer = await this.answer
    const server = this.#discovery.authorizationServerMetadata
    if (answer.get('state') !== this.#state) {
      throw new Error('The answer is not to this request')
    }
    // RFC 9207 §2.4: an answer of another server could be one that was meant for it.
    if (server.authorization_response_iss_parameter_supported && answer.get('iss') !== server.issuer) {
      throw new Error(`The answer is not of ${server.issuer}`)
    }
    if (answer.has('error')) {
      throw new Error(`Not authorized: ${answer.get('error')}, ${answer.get('error_description')}`)
    }
    return answer.get('code')
  }

  get redirectUrl() { return `${addressOf(this.#callback, '127.0.0.1')}/callback` }

  get clientMetadata() {
    return {
      client_name: 'Example client',
      redirect_uris: [this.redirectUrl],
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      ...this.metadata,
    }
  }

  state() { return (this.#state = randomUUID()) }
  clientInformation() { return this.#client }
  saveClientInformation(client) { this.#client = client }
  tokens() { return this.#tokens }
  saveTokens(tokens) { this.#tokens = tokens }
  codeVerifier() { return this.#verifier }
  saveCodeVerifier(verifier) { this.#verifier = verifier }
  discoveryState() { return this.#discovery }
  saveDiscoveryState(state) { this.#discovery = state }

  // invalidateCredentials forgets what the server no longer takes, so that the SDK
  // registers anew when the client is gone.
  invalidateCredentials(scope) {
    this.#tokens = undefined
    if (scope === 'all' || scope === 'client') {
      this.#client = undefined
    }
  }
}

// connect returns a connection, for which the user may have to approve the client first.
export async function connect(server, authorization) {
  const transport = () => new StreamableHTTPClientTransport(new URL(server), { authProvider: authorization })
  const first = transport()
  const client = new Client({ name: 'registrar-example', version: '1.0.0' })
  try {
    await client.connect(first)
  } catch (error) {
    if (!(error instanceof UnauthorizedError)) {
      throw error
    }
    await first.finishAuth(await authorization.code())
    await client.connect(transport())
  }
  return client
}

// refresh replaces the tokens, with nobody asked.
export async function refresh(server, authorization) {
  const result = await auth(authorization, { serverUrl: server })
  if (result !== 'AUTHORIZED') {
    throw new Error('The token could not be refreshed')
  }
}

// whoami calls the tool of server.mjs.
export async function whoami(client) {
  const { content, isError } = await client.callTool({ name: 'whoami' })
  if (isError) {
    throw new Error(content[0].text)
  }
  return content[0].text
}

async function main(server) {
  const open = address => console.log(`\nOpen this in your browser:\n\n  ${address}\n`)
  const authorization = await new Authorization({ open }).listen()
  const client = await connect(server, authorization)
  console.log(`The tool says: ${await whoami(client)}`)
  await refresh(server, authorization)
  console.log(`With a fresh token: ${await whoami(client)}`)
  await client.close()
  authorization.close()
}

if (isProgram(import.meta.url)) {
  await main(process.argv[2]).catch(error => {
    console.error(error.message)
    process.exit(1)
  })
}
