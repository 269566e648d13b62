// Package oauth is the vocabulary that every other package shares: error
// codes, grant types, response types and client authentication methods, as the
// OAuth registries spell them. It imports nothing of ours.
package oauth
