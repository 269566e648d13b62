// When the user is asked, and what a hostile client can do about the question.
import assert from 'node:assert/strict'
import { addressOf, listen } from '../../../../examples/mcp/listen.mjs'
import { httpsCallback, PlainClient } from './client.mjs'

// A session that is gone is started again at the provider, which asks for a password only
// where it has no session itself.
async function expiredSession(world) {
  const client = await PlainClient.register(world.issuer)
  const visitor = await world.arrive()
  const issuer = new URL(world.issuer).hostname
  const upstream = new URL(world.upstream).hostname
  assert.notEqual(issuer, upstream)
  await visitor.enter(client.address())
  await visitor.press('Approve', httpsCallback)

  visitor.visited.length = 0
  await visitor.forget(issuer)
  await visitor.open(client.address())
  client.answered(visitor.page.url())
  assert.ok(visitor.visited.some(url => url.startsWith(`${world.upstream}/auth?`)), 'not by the provider')

  await visitor.forget(issuer)
  await visitor.forget(upstream)
  await visitor.enter(client.address())
  client.answered(visitor.page.url())

  const stranger = await world.arrive()
  await stranger.open(client.address())
  await stranger.logIn()
}

// Whoever is logged in at the provider already is asked again all the same.
async function loginAgain(world) {
  const client = await PlainClient.register(world.issuer)
  const visitor = await world.arrive()
  await visitor.enter(client.address())
  await visitor.press('Approve', httpsCallback)

  await visitor.enter(client.address({ prompt: 'login' }))
  const { id_token } = await client.redeem(visitor.page.url())
  assert.ok(id_token)

  await visitor.open(client.address({ prompt: 'none' }))
  assert.ok(client.answered(visitor.page.url()).get('code'))
  await visitor.forget(new URL(world.issuer).hostname)
  await visitor.open(client.address({ prompt: 'none' }))
  assert.match(await visitor.text(), /login_required/)
}

async function secondVisit(world) {
  const client = await PlainClient.register(world.issuer)
  const visitor = await world.arrive()
  await visitor.enter(client.address())
  assert.ok(await visitor.isAsked())
  await visitor.press('Approve', httpsCallback)
  const first = await client.redeem(visitor.page.url())

  visitor.shown.length = 0
  await visitor.open(client.address())
  const second = await client.redeem(visitor.page.url())
  assert.deepEqual(visitor.shown, [])
  assert.equal(second.scope, first.scope)

  await visitor.open(client.address({ resource: world.server }))
  assert.ok(await visitor.isAsked(), 'not asked for another resource')
  await visitor.open(client.address({ prompt: 'consent' }))
  assert.ok(await visitor.isAsked(), 'not asked with prompt=consent')
}

// A program listens where the system lets it (RFC 8252 §7.3).
async function loopbackAlwaysAsks(world) {
  const client = await PlainClient.register(world.issuer, { redirect_uris: ['http://127.0.0.1/callback'] })
  const program = await listen((_, response) => response.end())
  const redirect_uri = `${addressOf(program, '127.0.0.1')}/callback`
  const visitor = await world.arrive()
  await visitor.enter(client.address({ redirect_uri }))
  for (let visit = 0; visit < 2; visit++) {
    assert.ok(await visitor.isAsked())
    assert.match(await visitor.text(), /a program on this computer/)
    await visitor.press('Approve', redirect_uri)
    assert.ok((await client.redeem(visitor.page.url(), { redirect_uri })).access_token)
    await visitor.open(client.address({ redirect_uri }))
  }
  program.close()
  program.closeAllConnections()
}

async function changedClient(world) {
  const client = await PlainClient.register(world.issuer)
  const visitor = await world.arrive()
  await visitor.enter(client.address())
  await visitor.press('Approve', httpsCallback)

  await client.change({ client_name: 'Another name' })
  await visitor.open(client.address())
  assert.ok(await visitor.isAsked())
  assert.match(await visitor.text(), /Another name/)
  await visitor.press('Approve', httpsCallback)
  await visitor.open(client.address())
  client.answered(visitor.page.url())
}

// A client that changes while its user reads is not what the user approves.
async function changedMeanwhile(world) {
  const client = await PlainClient.register(world.issuer)
  const visitor = await world.arrive()
  await visitor.enter(client.address())
  await client.change({ client_name: 'Quick change' })
  await visitor.button('Approve').click()
  await visitor.page.getByText('Quick change').waitFor()
  assert.ok(await visitor.isAsked())
  await visitor.press('Approve', httpsCallback)
}

// Browsers hold form-action against the redirects that follow a form as well.
async function redirectGoesOn(world) {
  const client = await PlainClient.register(world.issuer, { redirect_uris: ['https://client.example/onward'] })
  const visitor = await world.arrive()
  await visitor.enter(client.address())
  await visitor.press('Approve', `${httpsCallback}?went=on`)
}

async function applicationScheme(world) {
  const client = await PlainClient.register(world.issuer, { redirect_uris: ['com.example.app:/cb'] })
  const visitor = await world.arrive()
  await visitor.enter(client.address())
  assert.match(await visitor.text(), /an application on this device\s+com\.example\.app:/)
  const response = visitor.page.waitForResponse(`${world.issuer}/oauth/consent`)
  await visitor.button('Approve').click()
  const location = await (await response).headerValue('Location')
  assert.ok(location.startsWith('com.example.app:/cb?code='), location)
  assert.ok((await client.redeem(location)).access_token)
}

const hostileNames = {
  markup: '</bdi></div></main><script>alert(1)</script><img src=x onerror=alert(2)><style>*{display:none}</style>',
  'an attribute': '" onmouseover="alert(1)" style="position:fixed;inset:0',
  'combining marks': `Z${'\u0310\u0489\u20dd\u0332\u0345'.repeat(40).slice(0, 199)}`,
  'a bank': 'First National Bank (verified)',
  'one long word': 'W'.repeat(200),
  'from right to left': 'البنك الوطني الأول 1234',
  'a mark of direction': 'First\u200f National\u200e Bank\u061c!',
  'line separators': `First${'\u2028'.repeat(50)}Approve`,
  'wide signs': '\ufdfd'.repeat(60),
  'nothing to see': '\u200b\u2060',
}

// plainNames fill one line, two lines and more than fit.
const plainNames = ['Plain name', 'Plain name '.repeat(5).trim(), 'Plain name '.repeat(16).trim()]

// hostileName compares the page with that of a plain name that takes as many lines.
async function hostileName(world) {
  const client = await PlainClient.register(world.issuer)
  const visitor = await world.arrive()
  await visitor.enter(client.address())
  const plain = []
  for (const name of plainNames) {
    plain.push(await appearance(visitor, client, name))
  }
  for (const [kind, name] of Object.entries(hostileNames)) {
    const got = await appearance(visitor, client, name)
    const like = plain.find(({ height }) => isClose(height, got.height))
    assert.ok(like, `${kind}: ${got.height} px high, not ${plain.map(({ height }) => height)}`)
    assert.equal(got.name, name, kind)
    const moved = got.others.filter((box, i) => !box.every((side, j) => isClose(side, like.others[i][j])))
    assert.deepEqual(moved, [], kind)
    assert.equal(got.others.length, like.others.length, kind)
    assert.ok(got.above.equals(like.above), `${kind}: something above the name looks different`)
    assert.ok(got.below.equals(like.below), `${kind}: something below the name looks different`)
  }

  await client.change({ client_name: hostileNames.markup })
  await visitor.open(client.address())
  await visitor.press('Approve', httpsCallback)
  await client.redeem(visitor.page.url())
  await visitor.open(`${world.issuer}/account`)
  assert.equal(await visitor.page.getByText(hostileNames.markup, { exact: true }).count(), 1)
}

// isClose allows for browsers counting in parts of a pixel.
const isClose = (a, b) => Math.abs(a - b) < 0.1

// appearance is how the page looks outside of the name.
async function appearance(visitor, client, client_name) {
  await client.change({ client_name })
  const address = client.address({ state: undefined })
  await visitor.open(address)
  const { page } = visitor
  const seen = await page.evaluate(() => {
    const name = document.querySelector('.name')
    const box = ({ left, top, width, height }) => [left, top, width, height]
    return {
      name: name.textContent,
      top: name.getBoundingClientRect().top,
      height: name.getBoundingClientRect().height,
      others: [...document.querySelectorAll('body, body *')]
        .filter(element => element !== name)
        .map(element => box(element.getBoundingClientRect())),
    }
  })
  const bottom = seen.top + seen.height
  const { width, height } = page.viewportSize()
  const [above, below] = [
    await page.screenshot({ clip: { x: 0, y: 0, width, height: Math.floor(seen.top) } }),
    await page.screenshot({ clip: { x: 0, y: Math.ceil(bottom), width, height: height - Math.ceil(bottom) } }),
  ]
  return { ...seen, above, below }
}

async function refusedName(world) {
  for (const client_name of ['\u202eknaB', 'Bank\u2067', 'Bank\u0007', 'x'.repeat(201)]) {
    const response = await fetch(`${world.issuer}/oauth/register`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ client_name, redirect_uris: [httpsCallback] }),
    })
    assert.equal(response.status, 400)
    assert.equal((await response.json()).error, 'invalid_client_metadata')
  }
}

export const scenarios = {
  'expired session': expiredSession,
  'login again': loginAgain,
  'second visit without a question': secondVisit,
  'loopback is always a question': loopbackAlwaysAsks,
  'changed client is asked again': changedClient,
  'client that changes meanwhile': changedMeanwhile,
  'redirect that goes on': redirectGoesOn,
  'scheme of an application': applicationScheme,
  'hostile name': hostileName,
  'name that is refused': refusedName,
}
