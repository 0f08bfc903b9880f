// Package fanout serves the viewers of a publication in passes: each pass lets
// one viewer after the other write what is new to it.
//
// Nearly all of what a viewer costs is the system call that writes to its
// socket, so that fewer and larger writes are worth more than anything else. The
// passes clock themselves: one that took long is followed by a longer pause, in
// which messages gather. A few viewers get each message at once, thousands get
// batches, and the share of the processors that goes into passes stays level.
package fanout
