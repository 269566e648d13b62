// Package login is who the user is: sessions, and the sources that tell one user from
// another: an upstream OpenID Provider (OpenID Connect Core 1.0), a file of users, or, on
// a developer's own machine, whatever name the developer types. It declares the store
// that it needs.
package login
