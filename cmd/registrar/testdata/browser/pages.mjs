// How each page looks and reads: on a screen, on a phone, in the dark, by keyboard.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { httpsCallback, PlainClient } from './client.mjs'
import { contrasts } from './contrast.mjs'

const wide = { width: 1000, height: 800 }
const phone = { width: 390, height: 844 }

const looks = {
  light: { colorScheme: 'light', size: wide },
  dark: { colorScheme: 'dark', size: wide },
  phone: { colorScheme: 'light', size: phone },
  'phone-dark': { colorScheme: 'dark', size: phone },
}

// AA of WCAG 2.2, for text of any size.
const leastContrast = 4.5

// inspect looks at the page in view in every way.
export async function inspect(visitor, name) {
  const { page, world } = visitor
  await assertReadable(page, name)
  for (const [look, { colorScheme, size }] of Object.entries(looks)) {
    await page.emulateMedia({ colorScheme })
    await page.setViewportSize(size)
    await page.screenshot({ path: join(world.screenshots, `${name}-${look}.png`), fullPage: true })
    const poor = (await page.evaluate(contrasts)).filter(({ ratio }) => ratio < leastContrast)
    assert.deepEqual(poor, [], `${name} in ${look}`)
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
    assert.ok(overflow <= 0, `${name} in ${look} is ${overflow} px too wide`)
  }
}

// assertReadable checks what a screen reader needs.
async function assertReadable(page, name) {
  const found = await page.evaluate(() => ({
    language: document.documentElement.lang,
    title: document.title,
    viewport: document.querySelector('meta[name=viewport]')?.content,
    headings: [...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(h => Number(h.localName[1])),
    mains: document.querySelectorAll('main').length,
    scripts: document.scripts.length,
    unlabelled: [...document.querySelectorAll('input:not([type=hidden])')].filter(i => !i.labels.length).length,
    nameless: [...document.querySelectorAll('button, a')].filter(e => !e.innerText.trim()).length,
    ids: [...document.querySelectorAll('[id]')].map(({ id }) => id),
  }))
  assert.equal(found.language, 'en', name)
  assert.match(found.title, /^\S.* · Registrar$/, name)
  assert.match(found.viewport, /width=device-width/, name)
  assert.doesNotMatch(found.viewport, /maximum-scale|user-scalable/, name)
  assert.equal(found.headings.filter(level => level === 1).length, 1, name)
  assert.ok(found.headings.every((level, i) => level <= (found.headings[i - 1] ?? 0) + 1), `${name}: ${found.headings}`)
  assert.deepEqual([found.mains, found.scripts, found.unlabelled, found.nameless], [1, 0, 0, 0], name)
  assert.equal(new Set(found.ids).size, found.ids.length, name)
}

const aboutClient = {
  client_name: 'Quarterly report assistant',
  client_uri: 'https://client.example/',
  tos_uri: 'https://client.example/terms',
  policy_uri: 'https://legal.example/privacy',
}

const everyScope = { scope: 'openid profile email offline_access mcp:tools' }

// consentPages are the questions for each kind of redirect.
async function consentPages(world) {
  const visitor = await world.arrive()
  await visitor.enter(`${world.issuer}/account`)
  for (const [name, redirect, parameters] of [
    ['consent-https', httpsCallback, { ...everyScope, resource: world.server }],
    ['consent-loopback', 'http://127.0.0.1:8976/callback', { scope: 'mcp:tools', resource: world.server }],
    ['consent-application', 'cursor://anysphere.cursor-mcp/oauth/callback', { scope: 'openid' }],
    ['consent-punycode', 'https://xn--e1awd7f.example/cb', {}],
    ['consent-long', `https://${'a'.repeat(60)}.${'b'.repeat(60)}.example/cb`, everyScope],
  ]) {
    const client = await PlainClient.register(world.issuer, { ...aboutClient, redirect_uris: [redirect] })
    await visitor.open(client.address(parameters))
    assert.ok(await visitor.isAsked(), name)
    await inspect(visitor, name)
  }
}

async function accountPage(world) {
  const visitor = await world.arrive()
  await visitor.developer('margaret', `${world.development}/account`)
  await inspect(visitor, 'account-empty')
  for (const client_name of [aboutClient.client_name, 'Notes', undefined]) {
    const client = await PlainClient.register(world.development, { client_name })
    await visitor.open(client.address())
    await visitor.press('Approve', httpsCallback)
    await client.redeem(visitor.page.url())
  }
  await visitor.open(`${world.development}/account`)
  await inspect(visitor, 'account')
}

// errorPages are those of requests that go no further.
async function errorPages(world) {
  const visitor = await world.arrive()
  const client = await PlainClient.register(world.issuer, aboutClient)
  await visitor.open(client.address({ code_challenge: undefined }))
  await inspect(visitor, 'refusal')
  const link = visitor.page.getByRole('link', { name: 'Go back to the application' })
  assert.equal(client.answered(await link.getAttribute('href')).get('error'), 'invalid_request')
  await link.click()
  await visitor.arrived(httpsCallback)

  await visitor.open(client.address({ client_id: 'c_00000000000000000000000000' }))
  await inspect(visitor, 'error-unknown-client')
  await visitor.open(client.address({ redirect_uri: 'https://client.example/other' }))
  await inspect(visitor, 'error-redirect')
}

async function loginPages(world) {
  const visitor = await world.arrive()
  await visitor.open(`${world.development}/account`)
  await inspect(visitor, 'login-development')

  const { page } = visitor
  await visitor.open(`${world.passwords}/account`)
  await inspect(visitor, 'login')
  await page.keyboard.type('grace')
  await page.getByLabel('Password').fill('a bug')
  await page.keyboard.press('Enter')
  await page.getByRole('alert').waitFor()
  await inspect(visitor, 'login-wrong')
  assert.equal(await page.getByLabel('Name').inputValue(), 'grace')
  await page.keyboard.type(world.password)
  await page.keyboard.press('Enter')
  await visitor.button('Log out').waitFor()
}

async function documentation(world) {
  const visitor = await world.arrive()
  await visitor.open(`${world.issuer}/docs`)
  await inspect(visitor, 'docs')
  await visitor.open(`${world.issuer}/docs/errors/access_denied`)
  await inspect(visitor, 'docs-error')
}

// keyboardOnly logs in and approves without a pointer.
async function keyboardOnly(world) {
  const client = await PlainClient.register(world.development, { redirect_uris: [httpsCallback] })
  const visitor = await world.arrive()
  await visitor.open(client.address())
  await visitor.page.keyboard.type('grace')
  await visitor.page.keyboard.press('Enter')
  await visitor.button('Approve').waitFor()
  const order = await tabTo(visitor.page, 'Approve')
  assert.deepEqual(order, ['Deny', 'Approve'])
  await visitor.page.keyboard.press('Enter')
  await visitor.arrived(httpsCallback)
  assert.ok((await client.redeem(visitor.page.url())).access_token)

  // A habitual Enter must not approve: nothing has the focus at first.
  await visitor.open(client.address({ prompt: 'consent' }))
  assert.equal(await visitor.page.evaluate(() => document.activeElement.localName), 'body')
  await tabTo(visitor.page, 'Deny')
  await visitor.page.keyboard.press('Space')
  await visitor.arrived(httpsCallback)
  assert.equal(client.answered(visitor.page.url()).get('error'), 'access_denied')
}

// tabTo moves the focus to what reads so, and returns what had it on the way.
async function tabTo(page, text) {
  const passed = []
  while (passed.at(-1) !== text) {
    assert.ok(passed.length < 10, `never came to ${text}, but to ${passed}`)
    await page.keyboard.press('Tab')
    const focus = await page.evaluate(() => ({
      text: document.activeElement.innerText,
      outline: getComputedStyle(document.activeElement).outlineStyle,
    }))
    assert.notEqual(focus.outline, 'none', `${focus.text} does not show that it has the focus`)
    passed.push(focus.text)
  }
  return passed
}

export const scenarios = {
  'pages of consent': consentPages,
  'pages of the account': accountPage,
  'pages of errors': errorPages,
  'pages of login': loginPages,
  'pages of documentation': documentation,
  'keyboard only': keyboardOnly,
}
