// An OAuth client of which every request can be seen and changed.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'

const random = () => randomBytes(32).toString('base64url')

export const httpsCallback = 'https://client.example/cb'

export class PlainClient {
  // registered is the answer to the registration, which its members are sent with.
  static async register(issuer, metadata = {}) {
    const response = await fetch(`${issuer}/oauth/register`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({
        client_name: 'Plain client',
        redirect_uris: [httpsCallback],
        token_endpoint_auth_method: 'none',
        ...metadata,
      }),
    })
    const registered = await response.json()
    assert.equal(response.status, 201, JSON.stringify(registered))
    return new PlainClient(issuer, registered)
  }

  constructor(issuer, registered) {
    Object.assign(this, { issuer, registered })
  }

  // change replaces the registration by one with these members (RFC 7592 §2.2).
  async change(members) {
    const { client_id, client_name, redirect_uris, token_endpoint_auth_method, scope } = this.registered
    const response = await fetch(this.registered.registration_client_uri, {
      method: 'PUT',
      headers: {
        'Content-Type': 'application/json',
        Authorization: `Bearer ${this.registered.registration_access_token}`,
      },
      body: JSON.stringify({ client_id, client_name, redirect_uris, token_endpoint_auth_method, scope, ...members }),
    })
    const changed = await response.json()
    assert.equal(response.status, 200, JSON.stringify(changed))
    this.registered = changed
  }

  async delete() {
    const response = await fetch(this.registered.registration_client_uri, {
      method: 'DELETE',
      headers: { Authorization: `Bearer ${this.registered.registration_access_token}` },
    })
    assert.equal(response.status, 204)
  }

  // address begins an authorization request. A parameter that is undefined is left out.
  address(parameters = {}) {
    this.verifier = random()
    this.state = random()
    const all = {
      response_type: 'code',
      client_id: this.registered.client_id,
      redirect_uri: this.registered.redirect_uris[0],
      state: this.state,
      code_challenge: createHash('sha256').update(this.verifier).digest('base64url'),
      code_challenge_method: 'S256',
      ...parameters,
    }
    const sent = Object.entries(all).filter(([, value]) => value !== undefined)
    return `${this.issuer}/oauth/authorize?${new URLSearchParams(sent)}`
  }

  // answered returns the parameters of the answer, which must be to the last request.
  answered(url) {
    const answer = new URL(url).searchParams
    assert.equal(answer.get('state'), this.state)
    assert.equal(answer.get('iss'), this.issuer)
    return answer
  }

  // redeem exchanges the code that the browser came back with.
  async redeem(url, parameters = {}) {
    const code = this.answered(url).get('code')
    assert.ok(code, url)
    return this.token({
      grant_type: 'authorization_code',
      code,
      code_verifier: this.verifier,
      redirect_uri: this.registered.redirect_uris[0],
      ...parameters,
    })
  }

  refresh(tokens) {
    return this.token({ grant_type: 'refresh_token', refresh_token: tokens.refresh_token })
  }

  // token returns the body of the answer, an error too.
  async token(form) {
    const response = await fetch(`${this.issuer}/oauth/token`, {
      method: 'POST',
      body: new URLSearchParams({ client_id: this.registered.client_id, ...form }),
    })
    assert.equal(response.headers.get('Cache-Control'), 'no-store')
    return response.json()
  }
}

// claimsOf reads a JWT without verifying it.
export const claimsOf = token => JSON.parse(Buffer.from(token.split('.')[1], 'base64url'))
