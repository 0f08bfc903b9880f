// Package conformance is the list of what an RTMP server has to do, row by row,
// and the tie between its rows and the tests: a test says with [Covers] which
// rows it proves, and docs/conformance.md is made from the tests that ran.
//
// The numbers of the rows are stable. A row that this server does not follow
// stands in declined.txt, with the reason.
package conformance
