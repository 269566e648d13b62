// Starts everything on this machine, lets the client connect, and cleans up.
//
// Usage: npm start
//        REGISTRAR=/path/to/registrar npm start, for a binary that is there already
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { client } from './credentials.mjs'
import { addressOf, listen } from './listen.mjs'

const here = fileURLToPath(new URL('.', import.meta.url))
const running = []
const complaints = []

// broken fails once something happens that nothing goes on after.
let breaks
const broken = new Promise((_, reject) => { breaks = reason => reject(new Error(reason)) })
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => breaks(`Stopped by ${signal}`))
}

function launch(command, args, options) {
  const child = spawn(command, args, { cwd: here, ...options })
  child.once('error', error => breaks(error.message))
  running.push(child)
  return child
}

// start starts a program that goes on, and returns the address in the first line that it
// prints.
async function start(command, args, env = process.env) {
  const child = launch(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  child.stderr.on('data', text => complaints.push(text))
  child.once('exit', () => breaks(`${command} ${args.join(' ')} ended`))
  const [line] = await once(createInterface({ input: child.stdout }), 'line')
  return line.match(/ listens on (\S+)/)[1]
}

// run runs a program to its end.
async function run(command, args) {
  const [code] = await once(launch(command, args, { stdio: 'inherit' }), 'exit')
  if (code !== 0) {
    throw new Error(`${command} ${args.join(' ')} failed`)
  }
}

async function build() {
  if (process.env.REGISTRAR) {
    return process.env.REGISTRAR
  }
  await run('make', ['-s', '-C', '../..', 'build'])
  return join(here, '../../bin/registrar')
}

// freeAddress is one that Registrar can listen on: it has to know its issuer beforehand.
async function freeAddress() {
  const server = await listen()
  const address = addressOf(server)
  server.close()
  return address
}

async function startRegistrar(dir, upstream) {
  const registrar = await build()
  const issuer = await freeAddress()
  await start(registrar, ['serve'], {
    REGISTRAR_ADDR: issuer.replace('http://localhost', '127.0.0.1'),
    REGISTRAR_ISSUER: issuer,
    REGISTRAR_DATABASE_URL: `sqlite://${join(dir, 'registrar.db')}`,
    REGISTRAR_SCOPES: 'openid profile email offline_access mcp:tools',
    REGISTRAR_CONFIG: join(here, 'registrar.yaml'),
    REGISTRAR_UPSTREAM_ISSUER: upstream,
    REGISTRAR_UPSTREAM_CLIENT_ID: client.id,
    REGISTRAR_UPSTREAM_CLIENT_SECRET: client.secret,
    REGISTRAR_LOG_LEVEL: 'warn',
  })
  return issuer
}

async function main(dir) {
  const upstream = await start('node', ['upstream.mjs'])
  console.log(`Your provider  ${upstream}`)
  const issuer = await startRegistrar(dir, upstream)
  console.log(`Registrar      ${issuer}`)
  const server = await start('node', ['server.mjs', issuer])
  console.log(`MCP server     ${server}`)
  await run('node', ['connect.mjs', server])
}

async function stop() {
  const alive = running.filter(child => child.pid && child.exitCode === null && child.signalCode === null)
  const ended = alive.map(child => once(child, 'exit'))
  alive.forEach(child => child.kill())
  await Promise.all(ended)
}

const dir = await mkdtemp(join(tmpdir(), 'registrar-example-'))
try {
  await Promise.race([main(dir), broken])
} catch (error) {
  process.stderr.write(Buffer.concat(complaints))
  console.error(error.message)
  process.exitCode = 1
} finally {
  await stop()
  await rm(dir, { recursive: true, force: true })
}
