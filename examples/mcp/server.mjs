// An MCP server that takes access tokens of one authorization server, Registrar, and
// checks them on its own: no request of a client costs a request there.
//
// Usage: node server.mjs ISSUER [PORT]
import { createRemoteJWKSet, errors, jwtVerify } from 'jose'
import { discoverAuthorizationServerMetadata } from '@modelcontextprotocol/sdk/client/auth.js'
import { InvalidTokenError } from '@modelcontextprotocol/sdk/server/auth/errors.js'
import { metadataHandler } from '@modelcontextprotocol/sdk/server/auth/handlers/metadata.js'
import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js'
import { getOAuthProtectedResourceMetadataUrl } from '@modelcontextprotocol/sdk/server/auth/router.js'
import { createMcpExpressApp } from '@modelcontextprotocol/sdk/server/express.js'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { addressOf, isProgram, listen } from './listen.mjs'

// The scope that this server asks for.
const scope = 'mcp:tools'

// startServer returns the address of the MCP endpoint, which is its resource identifier
// too (RFC 8707), once it can be reached.
export async function startServer(issuer, port = 0) {
  const app = createMcpExpressApp()
  const resource = new URL('/mcp', addressOf(await listen(app, port)))
  const metadataAddress = getOAuthProtectedResourceMetadataUrl(resource)
  app.use(
    new URL(metadataAddress).pathname,
    metadataHandler({
      resource: resource.href,
      authorization_servers: [issuer],
      scopes_supported: [scope],
      bearer_methods_supported: ['header'],
      resource_name: 'Example server',
    }),
  )
  const authenticate = requireBearerAuth({
    verifier: await verifierOf(issuer, resource),
    requiredScopes: [scope],
    resourceMetadataUrl: metadataAddress,
  })
  app.post('/mcp', authenticate, answer)
  app.all('/mcp', (_, response) => response.set('Allow', 'POST').sendStatus(405))
  return resource.href
}

// verifierOf checks access tokens by the published keys (RFC 9068 §4).
async function verifierOf(issuer, resource) {
  const metadata = await discoverAuthorizationServerMetadata(issuer)
  if (metadata?.issuer !== issuer) {
    throw new Error(`${issuer} says that it is ${metadata?.issuer}`)
  }
  const keys = createRemoteJWKSet(new URL(metadata.jwks_uri))
  const rules = {
    issuer,
    audience: resource.href,
    typ: 'at+jwt',
    algorithms: ['ES256', 'RS256'],
    requiredClaims: ['exp', 'sub', 'client_id', 'scope'],
  }
  return {
    async verifyAccessToken(token) {
      const { payload } = await jwtVerify(token, keys, rules).catch(refuse)
      return {
        token,
        clientId: payload.client_id,
        scopes: payload.scope.split(' '),
        expiresAt: payload.exp,
        extra: { subject: payload.sub },
      }
    },
  }
}

// refuse tells a bad token from keys that cannot be fetched.
function refuse(error) {
  if (error instanceof errors.JWKSTimeout || !(error instanceof errors.JOSEError)) {
    throw error
  }
  throw new InvalidTokenError('The token is not valid here')
}

// answer serves one request. Nothing is kept between requests, so neither is a server.
async function answer(request, response) {
  const server = new McpServer({ name: 'registrar-example', version: '1.0.0' })
  server.registerTool('whoami', { description: 'Says who is calling' }, ({ authInfo }) => ({
    content: [{ type: 'text', text: describe(authInfo) }],
  }))
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined, enableJsonResponse: true })
  response.on('close', () => server.close())
  await server.connect(transport)
  await transport.handleRequest(request, response, request.body)
}

const describe = ({ extra, clientId, scopes }) =>
  `You are ${extra.subject}, through the client ${clientId}, with the scope ${scopes.join(' ')}`

if (isProgram(import.meta.url)) {
  const [issuer, port] = process.argv.slice(2)
  console.log(`The MCP server listens on ${await startServer(issuer, Number(port ?? 0))}`)
}
