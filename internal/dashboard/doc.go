// Package dashboard is the page of the administration: what is live and why
// something ended, for people.
//
// The page is files that are served as they lie in site: no build step makes them,
// they load nothing from elsewhere, and they know the server by its API alone. What
// clients say of themselves is text to them and never markup: the page has no way
// to make markup of text, and the policy that it is served under forbids it.
package dashboard
