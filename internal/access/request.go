package access

import "net/netip"

// Request is a client's wish to publish, for whoever decides about it.
type Request struct {
	Channel, Key string
	// Client is the address of the client itself, behind any load balancer.
	Client netip.Addr
}
