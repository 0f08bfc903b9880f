// Package access is about who comes to the server, before any protocol: whether an address is on a list, how many
// connections one address may hold at the same time and how fast it may open them, which client stands behind a load
// balancer (PROXY protocol), and the certificate that is shown to it, which is read again when it changes.
//
// Addresses are [netip.Addr], and an IPv4-mapped IPv6 address (::ffff:192.0.2.1), which is what a dual-stack socket
// reports for an IPv4 peer, is treated as the IPv4 address it stands for. Zones (the "eth0" of fe80::1%eth0) never
// matter.
//
// A [List] is immutable and a [Limiter] locks for itself: both may be used by any number of goroutines.
package access
