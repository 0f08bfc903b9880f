// Package faultinject makes the server fail where a test wants it to. It does
// nothing, and costs nothing, unless the program is built with the tag faultinject.
// A program that has the tag reads from the variable FAULTINJECT what is to fail,
// one or several of
//
//	[block-]POINT[@CHANNEL][:N]
//
// split by commas: the Nth time that the point is passed, the first by default, for
// the given channel or for any, the goroutine panics, or blocks for ever. Each
// fails once.
package faultinject
