// What a user can end on their own.
import assert from 'node:assert/strict'
import { httpsCallback, PlainClient } from './client.mjs'

async function account(world) {
  const client = await PlainClient.register(world.issuer, { client_name: 'Connected client' })
  const other = await PlainClient.register(world.issuer, { client_name: 'Other client' })
  const visitor = await world.arrive()
  await visitor.enter(client.address())
  await visitor.press('Approve', httpsCallback)
  let tokens = await client.redeem(visitor.page.url())
  await visitor.open(other.address())
  await visitor.press('Approve', httpsCallback)
  const others = await other.redeem(visitor.page.url())
  tokens = await client.refresh(tokens)
  assert.ok(tokens.refresh_token)

  await visitor.open(`${world.issuer}/account`)
  const connected = visitor.page.locator('.box', { hasText: 'Connected client' })
  assert.equal(await connected.count(), 1)
  await connected.getByRole('button').click()
  await connected.waitFor({ state: 'detached' })
  assert.equal((await client.refresh(tokens)).error, 'invalid_grant')
  assert.ok((await other.refresh(others)).access_token, 'the other client was disconnected too')

  await visitor.open(client.address())
  assert.ok(await visitor.isAsked(), 'the approval outlived the disconnection')
}

async function logOut(world) {
  const visitor = await world.arrive()
  await visitor.enter(`${world.issuer}/account`)
  const before = await visitor.context.cookies(world.issuer)
  const session = before.find(({ name }) => name.includes('session'))
  assert.deepEqual([session.httpOnly, session.sameSite], [true, 'Lax'])
  // The provider still knows the user, and must not bring them back unasked.
  await visitor.button('Log out').click()
  await visitor.page.getByLabel('Password').waitFor()
  const after = await visitor.context.cookies(world.issuer)
  assert.ok(!after.some(({ value }) => value === session.value), 'the session is still in the browser')

  await visitor.context.addCookies([session])
  visitor.visited.length = 0
  await visitor.open(`${world.issuer}/account`)
  assert.ok(visitor.visited.some(url => url.startsWith(world.upstream)), 'the session still lives on the server')
}

export const scenarios = { account, 'log out': logOut }
