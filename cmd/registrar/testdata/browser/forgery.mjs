// Pages of other origins that send forms here, with the user's browser.
import assert from 'node:assert/strict'
import { addressOf, listen } from '../../../../examples/mcp/listen.mjs'
import { httpsCallback, PlainClient } from './client.mjs'

// refused opens a page at an origin that sends a form, which must have no effect.
async function refused(visitor, host, action, fields) {
  const inputs = Object.entries(fields).map(([name, value]) => `<input name="${name}" value="${escape(value)}">`)
  const server = await listen((_, response) => {
    response.writeHead(200, { 'Content-Type': 'text/html' })
    response.end(`<!doctype html><form method="post" action="${action}">${inputs.join('')}</form><script>document.forms[0].submit()</script>`)
  })
  const answer = visitor.page.waitForResponse(action)
  await visitor.page.goto(addressOf(server, host))
  const response = await answer
  assert.equal(response.status(), 403, `${action} from ${host}`)
  assert.equal(await response.headerValue('Set-Cookie'), null)
  await visitor.arrived(action)
  assert.match(await visitor.text(), /This did not work/)
  server.close()
  server.closeAllConnections()
}

const escape = text => text.replaceAll('&', '&amp;').replaceAll('"', '&quot;')

// Cookies come along from another port of the same host, and not from another site.
const forged = test => async world => {
  const site = new URL(world.issuer).hostname
  for (const host of [site, site === 'localhost' ? '127.0.0.1' : 'localhost']) {
    await test(world, host)
  }
}

async function approval(world, host) {
  const client = await PlainClient.register(world.issuer)
  const visitor = await world.arrive()
  await visitor.enter(client.address())
  const field = name => visitor.page.locator(`input[name=${name}]`).inputValue()
  const fields = { request: await field('request'), seen: await field('seen'), decision: 'approve' }
  await refused(visitor, host, `${world.issuer}/oauth/consent`, fields)

  // They are the very fields that the page itself sends.
  await visitor.open(client.address())
  assert.ok(await visitor.isAsked())
  await visitor.press('Approve', httpsCallback)
}

async function disconnection(world, host) {
  const client = await PlainClient.register(world.issuer)
  const visitor = await world.arrive()
  await visitor.enter(client.address())
  await visitor.press('Approve', httpsCallback)
  const tokens = await client.redeem(visitor.page.url())
  await refused(visitor, host, `${world.issuer}/account/disconnect`, { client_id: client.registered.client_id })
  assert.ok((await client.refresh(tokens)).access_token)

  await refused(visitor, host, `${world.issuer}/account/logout`, {})
  await visitor.open(`${world.issuer}/account`)
  assert.ok(visitor.page.url().startsWith(world.issuer))
  assert.equal(await visitor.button('Log out').count(), 1)
}

async function login(world, host) {
  const visitor = await world.arrive()
  await refused(visitor, host, `${world.development}/login`, { username: 'mallory', continue: '/account' })
  assert.deepEqual(await visitor.context.cookies(world.development), [])
}

export const scenarios = {
  'forged approval': forged(approval),
  'forged disconnection': forged(disconnection),
  'forged login': forged(login),
}
