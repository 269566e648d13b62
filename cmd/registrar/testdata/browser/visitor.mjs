// A person with a browser, whom nothing escapes: a request to a stranger, a script, a
// breach of a page's policy and a page that is too large all count as faults.
import assert from 'node:assert/strict'
import { user } from '../../../../examples/mcp/credentials.mjs'

const maxPage = 30 * 1024

const hosts = new Set(['localhost', '127.0.0.1', 'client.example'])

export class Visitor {
  faults = []
  // shown holds the address of each page of Registrar that was shown, and visited that of
  // every page, redirects included.
  shown = []
  visited = []

  static async arrive(browser, world, options = {}) {
    const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1000, height: 800 }, ...options })
    context.setDefaultTimeout(10_000)
    const visitor = new Visitor()
    Object.assign(visitor, { context, world })
    context.on('request', request => visitor.#sees(request))
    context.on('response', response => visitor.#gets(response))
    context.on('console', message => visitor.#reads(message))
    context.on('dialog', dialog => visitor.#startled(dialog))
    context.on('weberror', error => visitor.faults.push(`a script failed: ${error.error()}`))
    visitor.page = await context.newPage()
    return visitor
  }

  #sees(request) {
    this.visited.push(request.url())
    if (!request.isNavigationRequest() && !request.url().startsWith(`${this.world.issuer}/oauth/logo?`)) {
      this.faults.push(`a page asked for ${request.url()}`)
    }
    const { protocol, hostname } = new URL(request.url())
    if (protocol.startsWith('http') && !hosts.has(hostname)) {
      this.faults.push(`a request left for ${request.url()}`)
    }
  }

  #gets(response) {
    const { issuer, development, passwords } = this.world
    const mine = [issuer, development, passwords].some(origin => response.url().startsWith(`${origin}/`))
    if (mine && response.headers()['content-type']?.startsWith('text/html')) {
      this.shown.push(response.url())
    }
  }

  #reads(message) {
    if (/content security policy/i.test(message.text())) {
      this.faults.push(message.text())
    }
  }

  async #startled(dialog) {
    this.faults.push(`a dialog: ${dialog.message()}`)
    await dialog.dismiss()
  }

  // leave closes the browser and holds everything against it.
  async leave() {
    await this.context.close()
    assert.deepEqual(this.faults, [])
  }

  // open goes to an address. Where it leads to an application's scheme, the page stays.
  async open(address) {
    await this.page.goto(address)
    await this.measure()
  }

  // measure holds the page in view to its size.
  async measure() {
    const size = await this.page.evaluate(() => performance.getEntriesByType('navigation')[0].decodedBodySize)
    assert.ok(size < maxPage, `${this.page.url()} has ${size} bytes`)
  }

  button(name) { return this.page.getByRole('button', { name, exact: true }) }

  // press presses a button and waits until the browser is at an address that begins so.
  async press(name, destination) {
    await this.button(name).click()
    await this.arrived(destination)
  }

  async arrived(destination) {
    await this.page.waitForURL(url => url.href.startsWith(destination))
    await this.measure()
  }

  // logIn fills in the provider's page.
  async logIn() {
    assert.ok(this.page.url().startsWith(this.world.upstream), `not at the provider but at ${this.page.url()}`)
    await this.page.getByLabel('Name').fill(user.name)
    await this.page.getByLabel('Password').fill(user.password)
    await this.button('Log in').click()
    await this.page.waitForURL(url => url.origin !== this.world.upstream)
    await this.measure()
  }

  // enter goes to an address as a user who has no session yet.
  async enter(address) {
    await this.open(address)
    await this.logIn()
  }

  // developer enters where any name is believed.
  async developer(name, address) {
    await this.open(address)
    await this.page.getByLabel('Name').fill(name)
    await this.press('Log in', this.world.development)
  }

  // isAsked reports whether the page in view asks for consent.
  async isAsked() {
    return (await this.button('Approve').count()) === 1
  }

  text() { return this.page.locator('main').innerText() }

  // forget deletes the cookies of a host: all, or those of a name.
  async forget(host, name) {
    await this.context.clearCookies({ domain: host, name })
  }
}
