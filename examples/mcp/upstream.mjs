// An OpenID Provider with one user, where your own provider would stand.
//
// Usage: node upstream.mjs [PORT]
import { randomBytes } from 'node:crypto'
import express from 'express'
import { exportJWK, generateKeyPair } from 'jose'
import Provider, { interactionPolicy } from 'oidc-provider'
import { client, user } from './credentials.mjs'
import { addressOf, isProgram, listen } from './listen.mjs'

const claims = { sub: user.name, name: 'Ada Lovelace', email: 'ada@example.com', email_verified: true }

// startUpstream returns the issuer once it can be reached.
export async function startUpstream(port = 0) {
  const app = express()
  const issuer = addressOf(await listen(app, port))
  const provider = new Provider(issuer, await configuration())
  // What went wrong reaches the client as a bare server_error.
  provider.on('server_error', (_, error) => console.error(error))
  app.get('/interaction/:id', (request, response) => response.send(page()))
  app.post('/interaction/:id', express.urlencoded({ extended: false }), logIn(provider))
  app.use(provider.callback())
  return issuer
}

async function configuration() {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true })
  return {
    clients: [
      {
        client_id: client.id,
        client_secret: client.secret,
        // A native client may come back to any port (RFC 8252 §7.3).
        application_type: 'native',
        redirect_uris: ['http://localhost/login/callback', 'http://127.0.0.1/login/callback'],
      },
    ],
    jwks: { keys: [{ ...(await exportJWK(privateKey)), alg: 'RS256', use: 'sig' }] },
    cookies: { keys: [randomBytes(32)] },
    claims: { openid: ['sub'], profile: ['name'], email: ['email', 'email_verified'] },
    features: { devInteractions: { enabled: false } },
    interactions: { policy: policy(), url: (_, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_, id) => (id === claims.sub ? { accountId: id, claims: () => claims } : undefined),
    loadExistingGrant: allow,
    ttl: { AccessToken: 600, Grant: 3600, IdToken: 600, Interaction: 600, Session: 3600 },
  }
}

// policy leaves the question to Registrar, which asks it for the client behind it.
function policy() {
  const prompts = interactionPolicy.base()
  prompts.get('consent').checks.remove('native_client_prompt')
  return prompts
}

// allow grants whatever Registrar asks for.
async function allow({ oidc }) {
  const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId })
  grant.addOIDCScope([...oidc.requestParamScopes].join(' '))
  await grant.save()
  return grant
}

function logIn(provider) {
  return async (request, response) => {
    if (request.body?.name !== user.name || request.body?.password !== user.password) {
      response.status(403).send(page('That is not the name and the password.'))
      return
    }
    await provider.interactionFinished(request, response, { login: { accountId: user.name } })
  }
}

const page = (fault = '') => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Your organisation</title>
<style>
:root { color-scheme: light dark; font: 1rem/1.6 system-ui, sans-serif; }
body { max-width: 24rem; margin: 3rem auto; padding: 0 1rem; }
label { display: block; margin: 1rem 0; }
input, button { display: block; width: 100%; font: inherit; padding: 0.5rem; box-sizing: border-box; }
</style>
<h1>Your organisation</h1>
<p>The user of this example is <b>${user.name}</b>, with the password <b>${user.password}</b>.</p>
<p role="alert">${fault}</p>
<form method="post">
<label>Name <input name="name" autocomplete="username" required autofocus></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
<button>Log in</button>
</form>
</html>`

if (isProgram(import.meta.url)) {
  console.log(`The provider listens on ${await startUpstream(Number(process.argv[2] ?? 0))}`)
}
