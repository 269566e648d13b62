// Connects as an MCP client in a browser page does, through the MCP TypeScript SDK:
// discovers the server, registers, then reads, updates and deletes its registration
// (RFC 7592). Prints one line of JSON; exits non-zero at the first surprise.
//
// Usage: node register.mjs BASE_URL
import assert from 'node:assert/strict'
import {
  auth,
  discoverAuthorizationServerMetadata,
  discoverOAuthMetadata,
  parseErrorResponse,
  registerClient,
} from '@modelcontextprotocol/sdk/client/auth.js'
import { InvalidClientMetadataError, InvalidTokenError } from '@modelcontextprotocol/sdk/server/auth/errors.js'
import {
  OAuthClientInformationFullSchema,
  OpenIdProviderDiscoveryMetadataSchema,
} from '@modelcontextprotocol/sdk/shared/auth.js'
import { LATEST_PROTOCOL_VERSION } from '@modelcontextprotocol/sdk/types.js'

const [base] = process.argv.slice(2)
assert.ok(base, 'usage: node register.mjs BASE_URL')

const page = 'http://localhost:6274'
const safeMethods = ['GET', 'HEAD', 'POST']
const safeHeaders = ['accept', 'accept-language', 'content-language']

// What the page sent last, and what came back: the SDK drops the members of RFC 7592.
const last = { url: '', headers: new Headers(), body: undefined }

// browserFetch is fetch under the CORS protocol of the Fetch Standard. A refusal is not
// the TypeError of a browser, because the SDK would answer that one by trying again
// without its headers.
async function browserFetch(url, init = {}) {
  const method = init.method ?? 'GET'
  const headers = new Headers(init.headers)
  const unsafe = [...headers.keys()].filter(name => !safeHeaders.includes(name))
  if (unsafe.length > 0 || !safeMethods.includes(method)) {
    await preflight(url, method, unsafe)
  }
  Object.assign(last, { url: String(url), headers: new Headers(headers), body: undefined })
  headers.set('Origin', page)
  const response = await fetch(url, { ...init, headers })
  assertAllowsPage(response, `${method} ${url}`)
  last.body = await response.clone().json().catch(() => undefined)
  return response
}

async function preflight(url, method, unsafe) {
  const headers = { Origin: page, 'Access-Control-Request-Method': method }
  if (unsafe.length > 0) {
    headers['Access-Control-Request-Headers'] = unsafe.join(',')
  }
  const response = await fetch(url, { method: 'OPTIONS', headers })
  assert.ok(response.ok, `preflight of ${method} ${url}: ${response.status}`)
  assertAllowsPage(response, `preflight of ${method} ${url}`)
  const allowed = listOf(response, 'Access-Control-Allow-Methods')
  assert.ok(
    safeMethods.includes(method) || allowed.includes(method.toLowerCase()),
    `preflight of ${url} does not allow ${method}`,
  )
  const allowedHeaders = listOf(response, 'Access-Control-Allow-Headers')
  for (const name of unsafe) {
    // The wildcard does not cover Authorization.
    const covered = allowedHeaders.includes(name) || (allowedHeaders.includes('*') && name !== 'authorization')
    assert.ok(covered, `preflight of ${method} ${url} does not allow the header ${name}`)
  }
}

function assertAllowsPage(response, what) {
  assert.ok(['*', page].includes(response.headers.get('Access-Control-Allow-Origin')), `${what}: not for other origins`)
}

function listOf(response, header) {
  return (response.headers.get(header) ?? '').toLowerCase().split(',').map(item => item.trim())
}

async function discover() {
  const metadata = await discoverAuthorizationServerMetadata(base, { fetchFn: browserFetch })
  assert.equal(last.url, `${base}/.well-known/oauth-authorization-server`, 'found at the first place tried')
  assert.equal(last.headers.get('MCP-Protocol-Version'), LATEST_PROTOCOL_VERSION)
  assert.equal(metadata.issuer, base)
  assert.deepEqual(metadata.code_challenge_methods_supported, ['S256'])
  assert.ok(metadata.token_endpoint_auth_methods_supported.includes('none'))
  assert.ok(metadata.scopes_supported.includes('offline_access'))
  assert.deepEqual(await discoverOAuthMetadata(base, {}, browserFetch), metadata)
  const openid = await browserFetch(`${base}/.well-known/openid-configuration`)
  assert.equal(OpenIdProviderDiscoveryMetadataSchema.parse(await openid.json()).issuer, base)
  return metadata
}

// manage sends one request of RFC 7592 with what the registration answered.
function manage({ registration_client_uri: uri, registration_access_token: token }, method, body) {
  const headers = { Authorization: `Bearer ${token}` }
  if (body) {
    headers['Content-Type'] = 'application/json'
  }
  return browserFetch(uri, { method, headers, body: body && JSON.stringify(body) })
}

async function information(response) {
  assert.equal(response.status, 200)
  assert.equal(response.headers.get('Cache-Control'), 'no-store')
  const body = await response.json()
  OAuthClientInformationFullSchema.parse(body)
  return body
}

const without = (object, ...names) =>
  Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)))

async function register(metadata, clientMetadata) {
  const parsed = await registerClient(base, { metadata, clientMetadata, fetchFn: browserFetch })
  const registered = last.body
  for (const [name, value] of Object.entries(clientMetadata)) {
    assert.deepEqual(registered[name], value, name)
  }
  assert.equal(parsed.client_id, registered.client_id)
  assert.equal(parsed.client_secret !== undefined, clientMetadata.token_endpoint_auth_method !== 'none')
  assert.equal(registered.client_secret_expires_at, 0)
  assert.ok(Math.abs(registered.client_id_issued_at - Date.now() / 1000) < 60)
  assert.ok(registered.registration_client_uri.startsWith(`${base}/`))
  assert.ok(registered.registration_client_uri.includes(registered.client_id))
  return registered
}

async function read(registered) {
  const found = await information(await manage(registered, 'GET'))
  assert.deepEqual(found, without(registered, 'client_secret'))
}

// update renames the client and gives up its home page: a PUT replaces (RFC 7592 §2.2).
async function update(registered) {
  const answerOnly = [
    'registration_access_token',
    'registration_client_uri',
    'client_id_issued_at',
    'client_secret_expires_at',
  ]
  const wanted = { ...without(registered, ...answerOnly, 'client_uri'), client_name: 'Renamed' }
  const updated = await information(await manage(registered, 'PUT', wanted))
  assert.deepEqual(without(updated, ...answerOnly), without(wanted, 'client_secret'))
  assert.equal(updated.client_id_issued_at, registered.client_id_issued_at)
  return updated
}

async function remove(registered) {
  const gone = await manage(registered, 'DELETE')
  assert.equal(gone.status, 204)
  assert.equal(await gone.text(), '')
  const refused = await manage(registered, 'GET')
  assert.equal(refused.status, 401)
  assert.ok(listOf(refused, 'Access-Control-Expose-Headers').includes('www-authenticate'))
  assert.match(refused.headers.get('WWW-Authenticate'), /^Bearer .*error="invalid_token"/)
  assert.ok((await parseErrorResponse(refused)) instanceof InvalidTokenError)
}

async function lifecycle(metadata, clientMetadata) {
  const registered = await register(metadata, clientMetadata)
  await read(registered)
  const updated = await update(registered)
  await read(updated)
  await remove(updated)
  return registered.client_id
}

async function refusal(metadata) {
  const clientMetadata = { ...clients.public, token_endpoint_auth_method: 'client_secret_jwt' }
  await assert.rejects(
    registerClient(base, { metadata, clientMetadata, fetchFn: browserFetch }),
    error => error instanceof InvalidClientMetadataError && error.message.includes('token_endpoint_auth_method'),
  )
}

// connect runs the SDK's whole flow from nothing but an address, up to the point where
// a person takes over.
async function connect(metadata) {
  const kept = {}
  const provider = {
    redirectUrl: clients.public.redirect_uris[0],
    clientMetadata: clients.public,
    clientInformation: () => kept.client,
    saveClientInformation: client => { kept.client = client },
    tokens: () => undefined,
    saveCodeVerifier: verifier => { kept.verifier = verifier },
    redirectToAuthorization: url => {
      kept.authorize = url
      kept.registration = last.body
    },
  }
  assert.equal(await auth(provider, { serverUrl: `${base}/mcp`, fetchFn: browserFetch }), 'REDIRECT')
  assert.equal(kept.authorize.origin + kept.authorize.pathname, metadata.authorization_endpoint)
  assert.equal(kept.authorize.searchParams.get('client_id'), kept.client.client_id)
  assert.equal(kept.authorize.searchParams.get('code_challenge_method'), 'S256')
  await remove(kept.registration)
  return kept.client.client_id
}

const clients = {
  public: {
    redirect_uris: [`${page}/oauth/callback`, `${page}/oauth/callback/debug`],
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    client_name: 'SDK in a page',
    client_uri: 'https://client.example/',
    scope: 'openid offline_access',
  },
  confidential: {
    redirect_uris: ['https://client.example/callback?tenant=1'],
    token_endpoint_auth_method: 'client_secret_post',
    grant_types: ['authorization_code'],
    response_types: ['code'],
    client_name: 'SDK on a server',
    client_uri: 'https://client.example/',
    contacts: ['ops@client.example'],
    software_id: 'sdk-test',
    software_version: '1',
    scope: 'openid',
  },
}

const metadata = await discover()
const results = { issuer: metadata.issuer, protocol_version: LATEST_PROTOCOL_VERSION }
for (const [name, clientMetadata] of Object.entries(clients)) {
  results[name] = await lifecycle(metadata, clientMetadata)
}
await refusal(metadata)
results.connected = await connect(metadata)
console.log(JSON.stringify(results))
