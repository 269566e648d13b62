// Package authorization is how a client gets tokens: the authorization code flow with
// PKCE S256 for every client (RFC 6749 §4.1, RFC 7636, RFC 9207, RFC 8707), consent,
// refresh tokens that rotate, revocation (RFC 7009), introspection (RFC 7662) and the
// claims about the user (OpenID Connect Core 1.0 §5.3). It knows nothing of HTTP and
// declares the store and the signer that it needs.
package authorization
