// Package e2e tests the server as its users meet it: the real binary, built
// with the race detector, between real encoders, players and relays (those of
// docs/protocol-support.md), and clients of this module where a test needs to see every
// message or to misbehave on purpose.
//
// The tests need the programs that test/packages.sh installs; a missing one
// fails the tests that want it. Those of slow viewers run in network namespaces
// of their own, on Linux, and need root. Each test starts a server of its own on a free
// port, and each server must end with status 0 and without an error, a panic or
// a data race in its output.
package e2e
