// Package app is the composition root: it builds every part of the server from
// the settings, starts them in order, and stops them in reverse.
package app
