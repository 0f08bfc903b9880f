package stream

import (
	"slices"
	"sync"
	"sync/atomic"
)

// channel is one name under which a publisher and players meet.
type channel struct {
	name string
	// publication is nil while the channel is not live; guarded by
	// Registry.mu.
	publication *Publication
	// interrupted is the Done of the publication whose publisher is expected
	// back, or nil: it tells one interruption from the next without holding on
	// to the log. Guarded by Registry.mu.
	interrupted <-chan struct{}
	// applications are publishers who wait to be allowed; guarded by
	// Registry.mu.
	applications []*application
	// head is where the viewers are left by the publication that ended, nil if
	// there are none; guarded by Registry.mu.
	head *head

	// mu guards subscriptions and inHurry. They change with Registry.mu held as well; the
	// lock of its own lets the fan-out list the viewers without touching the
	// registry.
	mu            sync.Mutex
	subscriptions []*Subscription
	inHurry       int // how many of them are
	// watched says that there are subscriptions, for publishers that have
	// nobody to flush for. It is set before a subscriber first looks at the
	// log, so that either it or the publisher sees the other.
	watched atomic.Bool
}

// application is one publisher's wait; its address tells it from others of the
// same session.
type application struct{ session Connection }

func (ch *channel) add(s *Subscription) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	s.index = len(ch.subscriptions)
	ch.subscriptions = append(ch.subscriptions, s)
	ch.watched.Store(true)
}

func (ch *channel) remove(s *Subscription) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if s.index < 0 {
		return
	}
	last := len(ch.subscriptions) - 1
	moved := ch.subscriptions[last]
	moved.index = s.index
	ch.subscriptions[s.index] = moved
	ch.subscriptions[last] = nil
	ch.subscriptions = ch.subscriptions[:last]
	s.index = -1
	if s.hurried {
		ch.inHurry--
	}
	ch.watched.Store(last > 0)
	if last == 0 {
		ch.head = nil
	}
}

// leave keeps the place in time that a publication leaves its viewers at: the
// next one goes on from there, since players take no step back.
func (ch *channel) leave(l *Log) {
	ch.head = nil
	if !ch.empty() {
		ch.head = l.timeline.end()
	}
}

func (ch *channel) empty() bool { return ch.viewers() == 0 }

func (ch *channel) viewers() int {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return len(ch.subscriptions)
}

// hurried is how many players there are to whom delay matters.
func (ch *channel) hurried() int {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return ch.inHurry
}

func (ch *channel) appendViewers(dst []Viewer) []Viewer {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	dst = slices.Grow(dst, len(ch.subscriptions))
	for _, s := range ch.subscriptions {
		dst = append(dst, s.viewer)
	}
	return dst
}

// strangers returns the players that wait with another key.
func (ch *channel) strangers(key string) []*Subscription {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	var strangers []*Subscription
	for _, s := range ch.subscriptions {
		if !s.anyKey && !sameKey(s.key, key) {
			strangers = append(strangers, s)
		}
	}
	return strangers
}

func (ch *channel) sessions() []Connection {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	sessions := make([]Connection, len(ch.subscriptions))
	for i, s := range ch.subscriptions {
		sessions[i] = s.session
	}
	return sessions
}
