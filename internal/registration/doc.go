// Package registration is the registry of clients: the metadata rules, and how a
// client registers (RFC 7591), is read, updated and deleted (RFC 7592). It knows
// nothing of HTTP and declares the store that it needs.
package registration
