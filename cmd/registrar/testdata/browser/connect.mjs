// The whole path of an MCP client, through the SDK's own auth().
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Authorization, connect, refresh, whoami } from '../../../../examples/mcp/connect.mjs'
import { claimsOf, PlainClient } from './client.mjs'
import { inspect } from './pages.mjs'

// authorized connects a client of the SDK, whose user does what they are told on the page.
async function authorized(world, { metadata, clientMetadataUrl, options, decide = approve }) {
  const visitor = await world.arrive(options)
  const authorization = new Authorization({
    metadata,
    clientMetadataUrl,
    open: async address => {
      await visitor.open(String(address))
      if (visitor.page.url().startsWith(world.upstream)) {
        await visitor.logIn()
      }
      await decide(visitor, authorization.redirectUrl)
    },
  })
  return { visitor, authorization: await authorization.listen() }
}

const approve = (visitor, destination) => visitor.press('Approve', destination)
const deny = (visitor, destination) => visitor.press('Deny', destination)

// throughout connects, calls, refreshes and calls again.
async function throughout(world, setting) {
  const { visitor, authorization } = await authorized(world, setting)
  try {
    const client = await connect(world.server, authorization)
    const registered = authorization.clientInformation()
    const before = authorization.tokens()
    assert.match(await whoami(client), new RegExp(`client ${registered.client_id}, with the scope mcp:tools$`))
    assertTokenFor(world, registered, before)

    await refresh(world.server, authorization)
    const after = authorization.tokens()
    assert.notEqual(after.access_token, before.access_token)
    assert.notEqual(after.refresh_token, before.refresh_token)
    assert.match(await whoami(client), new RegExp(`client ${registered.client_id}`))
    assertTokenFor(world, registered, after)
    await client.close()
    return { visitor, registered }
  } finally {
    authorization.close()
  }
}

function assertTokenFor({ issuer, server }, { client_id }, { access_token, scope }) {
  const claims = claimsOf(access_token)
  assert.equal(scope, 'mcp:tools')
  for (const [name, value] of Object.entries({ iss: issuer, aud: server, client_id, scope })) {
    assert.equal(claims[name], value, name)
  }
}

async function publicClient(world) {
  const { visitor, registered } = await throughout(world, {})
  assert.equal(registered.client_secret, undefined)
  assert.equal(visitor.shown.length, 1, `one page, not ${visitor.shown}`)
}

// A client that is known by its document registers nothing.
async function documentClient(world) {
  const decide = async (visitor, destination) => {
    const shown = await visitor.text()
    for (const words of [/^client\.example$/m, /^Documented client$/m, /^127\.0\.0\.1:\d+$/m]) {
      assert.match(shown, words)
    }
    const logo = await visitor.page.locator('img.logo').evaluate(async image => {
      await image.decode()
      return [image.naturalWidth, image.naturalHeight]
    })
    assert.deepEqual(logo, [128, 85])
    await inspect(visitor, 'consent-document')
    await approve(visitor, destination)
  }
  const { registered } = await throughout(world, { clientMetadataUrl: world.document, decide })
  assert.equal(registered.client_id, world.document)
}

const confidentialClient = token_endpoint_auth_method => async world => {
  const { registered } = await throughout(world, { metadata: { token_endpoint_auth_method } })
  assert.equal(registered.token_endpoint_auth_method, token_endpoint_auth_method)
  assert.ok(registered.client_secret)
}

async function withoutJavaScript(world) {
  await throughout(world, { options: { javaScriptEnabled: false } })
}

async function denied(world) {
  const { authorization } = await authorized(world, { decide: deny })
  try {
    await assert.rejects(connect(world.server, authorization), /Not authorized: access_denied/)
    const answer = await authorization.answer
    assert.deepEqual([...answer.keys()].sort(), ['error', 'error_description', 'error_uri', 'iss', 'state'])
    assert.equal(answer.get('iss'), world.issuer)
    assert.equal(authorization.tokens(), undefined)
  } finally {
    authorization.close()
  }
}

// A connector registers anew on 401 invalid_client and on nothing else.
async function deletedClient(world) {
  const plain = await PlainClient.register(world.issuer, { grant_types: ['authorization_code', 'refresh_token'] })
  await plain.delete()
  const { authorization } = await authorized(world, {})
  try {
    authorization.saveClientInformation({ client_id: plain.registered.client_id, issuer: world.issuer })
    authorization.saveTokens({ access_token: 'gone', token_type: 'Bearer', refresh_token: 'gone', issuer: world.issuer })
    const client = await connect(world.server, authorization)
    assert.notEqual(authorization.clientInformation().client_id, plain.registered.client_id)
    await whoami(client)
    await client.close()
  } finally {
    authorization.close()
  }
}

// The MCP server takes nothing but access tokens for itself, of its scope.
async function foreignTokens(world) {
  const client = await PlainClient.register(world.issuer)
  const visitor = await world.arrive()
  await visitor.enter(client.address({ resource: world.server, scope: 'openid mcp:tools' }))
  await visitor.press('Approve', 'https://client.example/cb')
  const good = await client.redeem(visitor.page.url())

  const granted = async parameters => {
    await visitor.open(client.address(parameters))
    if (await visitor.isAsked()) {
      await visitor.press('Approve', 'https://client.example/cb')
    }
    return client.redeem(visitor.page.url())
  }
  const forIssuer = await granted({ scope: 'openid mcp:tools' })
  const forOther = await granted({ resource: 'https://other.example/mcp', scope: 'mcp:tools' })
  const withoutScope = await granted({ resource: world.server, scope: 'openid' })

  for (const [name, token, status] of [
    ['its own', good.access_token, 200],
    ['an ID token', good.id_token, 401],
    ['a refresh token', good.refresh_token, 401],
    ['one for the issuer', forIssuer.access_token, 401],
    ['one for another server', forOther.access_token, 401],
    ['one without the scope', withoutScope.access_token, 403],
    ['one that was changed', good.access_token.replace(/[^.](?=[^.]*$)/, first => (first === 'A' ? 'B' : 'A')), 401],
    ['none', undefined, 401],
  ]) {
    const response = await initialize(world.server, token)
    assert.equal(response.status, status, name)
    if (status !== 200) {
      assert.match(response.headers.get('WWW-Authenticate'), /resource_metadata="http/, name)
    }
  }
}

function initialize(server, token) {
  const headers = { 'Content-Type': 'application/json', Accept: 'application/json, text/event-stream' }
  if (token !== undefined) {
    headers.Authorization = `Bearer ${token}`
  }
  return fetch(server, {
    method: 'POST',
    headers,
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
    }),
  })
}

// What is shipped as an example does what its README says.
async function example(world) {
  const start = fileURLToPath(new URL('../../../../examples/mcp/start.mjs', import.meta.url))
  const program = spawn('node', [start], { env: { ...process.env, REGISTRAR: world.registrar } })
  const ended = once(program, 'exit')
  const printed = []
  const complaints = []
  program.stderr.on('data', text => complaints.push(text))
  try {
    for await (const line of createInterface({ input: program.stdout })) {
      printed.push(line)
      if (line.startsWith('  http')) {
        await follow(world, line.trim())
      }
    }
  } finally {
    program.kill()
  }
  assert.deepEqual(await ended, [0, null], Buffer.concat(complaints).toString())
  assert.match(printed.at(-2), /^The tool says: You are u_/)
  assert.match(printed.at(-1), /^With a fresh token: You are u_/)
}

// follow does what a reader of the README does with the address.
async function follow(world, address) {
  const origin = new URL(address).origin
  const visitor = await world.arrive()
  await visitor.open(address)
  await visitor.page.getByLabel('Name').fill('ada')
  await visitor.page.getByLabel('Password').fill('lovelace')
  await visitor.press('Log in', origin)
  assert.match(await visitor.text(), /Use the tools of the example server/)
  await visitor.press('Approve', 'http://127.0.0.1:')
}

export const scenarios = {
  'public client': publicClient,
  'client with a metadata document': documentClient,
  'confidential client, client_secret_basic': confidentialClient('client_secret_basic'),
  'confidential client, client_secret_post': confidentialClient('client_secret_post'),
  'without JavaScript': withoutJavaScript,
  denied,
  'deleted client registers anew': deletedClient,
  'tokens that a server refuses': foreignTokens,
  'the example': example,
}
