// Package admin is the administration of a server over HTTP: what is live and
// why something ended, as JSON and as events, and the few things that an operator
// does about it.
//
// It trusts nobody but who holds the token, or this machine if there is none, and
// no page but its own: a browser is a way in for every site that its user looks
// at. Stream keys do not leave it, in whatever it is given: see [Key].
package admin
