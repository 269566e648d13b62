// Runs scenarios in Chromium. Prints the names of all as one line of JSON, then reads from
// standard input which to run, one a line, and answers each with {} or {"fault": "…"}.
//
// Usage: node run.mjs WORLD, where WORLD is JSON: see browser_test.go.
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { chromium } from 'playwright-core'
import * as account from './account.mjs'
import * as connect from './connect.mjs'
import * as consent from './consent.mjs'
import * as forgery from './forgery.mjs'
import * as pages from './pages.mjs'
import { Visitor } from './visitor.mjs'

const scenarios = {
  ...account.scenarios,
  ...connect.scenarios,
  ...consent.scenarios,
  ...forgery.scenarios,
  ...pages.scenarios,
}

const world = JSON.parse(process.argv[2])
await mkdir(world.screenshots, { recursive: true })

const browser = await chromium.launch({
  executablePath: world.chromium,
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    // client.example is the test's own server, and no other name leads anywhere.
    `--host-resolver-rules=MAP client.example ${world.callback}, MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1`,
  ],
})

async function run(name) {
  const visitors = []
  const arrive = async options => {
    const visitor = await Visitor.arrive(browser, world, options)
    visitors.push(visitor)
    return visitor
  }
  try {
    await scenarios[name]({ ...world, arrive })
    await Promise.all(visitors.map(visitor => visitor.leave()))
    return {}
  } catch (error) {
    return { fault: [error.stack, ...(await Promise.all(visitors.map((v, i) => describe(v, `failed ${name} ${i}`))))].join('\n\n') }
  }
}

// describe says where a visitor was when something failed, and keeps a picture of it.
async function describe(visitor, name) {
  const { page, visited, faults } = visitor
  if (page.isClosed()) {
    return faults.join('\n')
  }
  await page.screenshot({ path: join(world.screenshots, `${name.replaceAll(/\W+/g, '-')}.png`) })
  const text = await page.locator('body').innerText()
  await visitor.context.close()
  return [`At ${page.url()}:`, text, 'Visited:', ...visited, ...faults].join('\n')
}

console.log(JSON.stringify(Object.keys(scenarios)))
for await (const name of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await run(name)))
}
await browser.close()
