// Package signing keeps the keys of a tenant, sealed in the store, and signs and verifies
// the JSON Web Tokens that are issued under them (RFC 7515, RFC 7517, RFC 7519). It
// declares the store that it needs.
package signing
