// Package fetch is the only way out of the service to an address that someone else chose:
// client metadata documents (draft-ietf-oauth-client-id-metadata-document §8), key sets
// (RFC 7591 §2, jwks_uri) and logos. What it asks is public, over TLS, bounded in time and
// size, and asked seldom.
package fetch
