package simulation

import (
	"fmt"
	"runtime"
	"weak"

	"github.com/AgustinSRG/rtmp-server/internal/server"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// memory remembers what has to be garbage later, without keeping it.
type memory struct {
	logs       map[weak.Pointer[stream.Log]]string // by the channel
	servers    []weak.Pointer[server.Server]
	registries []weak.Pointer[stream.Registry]
}

// onlooker looks at a channel, and neither plays nor publishes.
type onlooker struct{}

func (onlooker) Wake(stream.Pages)            {}
func (onlooker) Expect()                      {}
func (onlooker) Kick(stream.Reason)           {}
func (onlooker) RequestReconnect(string) bool { return false }

// see remembers the log of a channel, if it is live.
func (m *memory) see(r *stream.Registry, channel, key string) {
	s, err := r.Subscribe(channel, key, onlooker{}, onlooker{})
	if err != nil {
		return
	}
	defer s.Close()
	if log := s.Log(); log != nil {
		if m.logs == nil {
			m.logs = make(map[weak.Pointer[stream.Log]]string)
		}
		m.logs[weak.Make(log)] = channel
	}
}

// seeProcess remembers a server and its registry.
func (m *memory) seeProcess(s *server.Server, r *stream.Registry) {
	m.servers = append(m.servers, weak.Make(s))
	m.registries = append(m.registries, weak.Make(r))
}

// collections is how often what a pool let go of, and what that held, needs to
// be looked for.
const collections = 3

// checkLogs comes while the server runs: of a channel whose viewers all read, there
// is the log of the present publication in memory, if any, and no other.
func (w *world) checkLogs() {
	if w.memory.logs == nil {
		return
	}
	for range collections {
		runtime.GC()
	}
	alive := make(map[string]int)
	for log, channel := range w.memory.logs {
		if log.Value() == nil {
			delete(w.memory.logs, log)
			continue
		}
		alive[channel]++
	}
	for channel, n := range alive {
		if most := min(1, len(w.authorizer.onChannel(channel))); n > most && !w.holdsUp(channel) {
			w.complain("%d logs of %s are in memory, and %d publications", n, channel, most)
		}
	}
}

// holdsUp reports whether there may be a viewer who has still to be sent what it is
// late for.
func (w *world) holdsUp(channel string) bool {
	for _, p := range w.peers {
		if p.viewing != nil && p.viewing.channel == channel && (p.stalled || p.vanished || p.deaf || p.mute) {
			return true
		}
	}
	return false
}

// left returns what is still in memory behind the end of everything.
func (m *memory) left() error {
	for range collections {
		runtime.GC()
	}
	logs, servers, registries := 0, 0, 0
	for log := range m.logs {
		if log.Value() != nil {
			logs++
		}
	}
	for _, s := range m.servers {
		if s.Value() != nil {
			servers++
		}
	}
	for _, r := range m.registries {
		if r.Value() != nil {
			registries++
		}
	}
	if logs+servers+registries == 0 {
		return nil
	}
	return fmt.Errorf("%d logs, %d servers and %d registries are left in memory", logs, servers, registries)
}
