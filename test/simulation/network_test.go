package simulation

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmptest"
)

// network is what lies between the clients and the server. Without a latency it
// is nothing: bytes arrive at once, and a write waits for its reader.
type network struct {
	Latency, Jitter time.Duration
	Slice, Window   int
	Seed            uint64
}

func newNetwork(r *rand.Rand) network {
	if r.IntN(5) < 2 {
		return network{}
	}
	return network{
		Latency: between(r, time.Millisecond, 60*time.Millisecond),
		Jitter:  oneOf(r, 0, 5*time.Millisecond, 40*time.Millisecond),
		Slice:   oneOf(r, 0, 7, 100, 1460), Window: oneOf(r, 64<<10, 1<<20), Seed: r.Uint64(),
	}
}

func (n network) delayed() bool { return n.Latency > 0 }

// round is the longest that an answer takes.
func (n network) round() time.Duration { return 2 * (n.Latency + n.Jitter) }

// looks is how often something has to be wrong, a round apart, to stay so: a
// connection that is cut takes two for both ends to know.
func (n network) looks() int {
	if n.delayed() {
		return 4
	}
	return 1
}

func (n network) dial(l *rtmptest.Listener, from netip.AddrPort) (*rtmptest.Conn, error) {
	if !n.delayed() {
		return l.Dial(from)
	}
	address := from.Addr().As4()
	link := rtmptest.Link{
		Latency: n.Latency, Jitter: n.Jitter, Slice: n.Slice, Window: n.Window,
		Seed: n.Seed + 2*uint64(address[2])<<8 + 2*uint64(address[3]),
	}
	down := link
	down.Seed++
	return l.DialOver(from, link, down)
}

// lose has the network lose one direction of a client's connection for good. One
// that is not heard any more is as good as gone, if it publishes; if it plays, it
// still gets what it is owed.
func (p *peer) lose(way string) {
	switch {
	case !p.w.settings.Network.delayed():
		p.w.cut(p, "vanish")
	case way == "up":
		p.conn.LoseUp()
		p.mute, p.vanished = true, p.source != nil
	default:
		p.conn.LoseDown()
		p.deaf, p.vanished = true, p.viewing != nil
	}
}

// sever has the connection break after so many bytes, in the midst of a message.
func (p *peer) sever(way string, after int) {
	switch {
	case !p.w.settings.Network.delayed():
		p.w.cut(p, "reset")
	case way == "up":
		p.conn.CutUp(after)
	default:
		p.conn.CutDown(after)
	}
}
