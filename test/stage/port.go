package stage

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"testing"
)

// The ports that tests name themselves are from firstPort up to, without it,
// lastPort, from which on Linux takes those of outgoing connections by default.
const (
	firstPort = 10_000
	lastPort  = 32_768
	// fewestPorts is how many there must be for tests to hardly meet.
	fewestPorts = 1000
)

// FreeAddr returns an address of a host, and its port, for a program that cannot
// say which free port it took, or that comes back to the same one. No other test of
// the machine is given that port until this one ends. A port that the kernel chose
// would be lost as soon as it is closed: the kernel gives it to the next connection
// that somebody opens.
func FreeAddr(t *testing.T, host string) (addr, port string) {
	t.Helper()
	var err error
	for range 100 {
		n := firstPort + rand.IntN(portsEnd()-firstPort)
		var claim net.PacketConn
		if claim, err = claimPort(host, n); err == nil {
			t.Cleanup(func() { _ = claim.Close() })
			port = strconv.Itoa(n)
			return net.JoinHostPort(host, port), port
		}
	}
	t.Fatalf("no port of %s is free: %v", host, err)
	return "", ""
}

// claimPort takes a port on which nobody listens. The claim is a UDP socket, which
// is in nobody's way, and which the kernel takes back from a test that dies.
func claimPort(host string, port int) (net.PacketConn, error) {
	claim, err := net.ListenPacket("udp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return nil, err
	}
	free, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err == nil {
		err = free.Close()
	}
	if err != nil {
		_ = claim.Close()
		return nil, err
	}
	return claim, nil
}

// portsEnd is the end of the ports for tests. On a machine that takes so many for its
// connections that too few are left, it is the usual one, and they may be lost.
func portsEnd() int {
	var first int
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return lastPort // not Linux
	}
	if _, err := fmt.Sscan(string(text), &first); err != nil || first < firstPort+fewestPorts {
		return lastPort
	}
	return min(first, lastPort)
}
