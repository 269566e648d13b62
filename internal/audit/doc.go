// Package audit is the trail of what was changed, refused and fetched: by whom, when, from
// where and why. No entry holds a secret, nor what a client registered.
//
// What changes a row is told by the room that changes it, and written in the transaction of
// the change. What is refused or fetched changes no row and comes as often as strangers
// like: it is counted, see [Tally].
package audit
