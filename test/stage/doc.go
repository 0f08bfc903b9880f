// Package stage is what the tests of the real binary play on: the server as a
// process with its log, clients that see every message and can misbehave, a stream
// of numbered messages in which nothing may be missing, a callback backend, Redis,
// certificates, other programs, and networks of their own that can be spoiled.
//
// Whatever is started ends with the test that started it, and a failure to start is
// a failure of that test. A package of tests sets [Binary] first.
package stage
