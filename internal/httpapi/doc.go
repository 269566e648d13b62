// Package httpapi is the edge: it implements the interface that the contract
// generates, validates every request against the contract, and renders answers,
// errors, headers and pages. HTTP statuses appear here and nowhere else.
package httpapi
