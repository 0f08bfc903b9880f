// Package faults tries what must not hurt: attacks and faults of clients, networks,
// backends and the machine itself, one after the other, against the real binary.
//
// Beside each of them plays a canary: a publisher of numbered messages, and one
// plain and one TLS player, none of which may lose, repeat or reorder a single
// message. When the fault is over, the server must be what it was before: the same
// process, the same descriptors, goroutines and memory.
//
// Each test names its row of the matrix (rows.txt). "go test" plays a short profile,
// "make faults" a long one, and writes docs/reliability.md from what it measured.
// Figures are reported and not asserted, but for bounds that the server promises.
// The tests need root on Linux, and what test/packages.sh installs.
package faults
