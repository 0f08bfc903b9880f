// Package access decides by network address: whether an address is on a list, and how many connections one address may
// hold at the same time.
//
// Both work on [netip.Addr] and treat an IPv4-mapped IPv6 address (::ffff:192.0.2.1), which is what a dual-stack socket
// reports for an IPv4 peer, as the IPv4 address it stands for. Zones (the "eth0" of fe80::1%eth0) never matter.
//
// A [List] is immutable and a [Limiter] locks for itself: both may be used by any number of goroutines.
package access
