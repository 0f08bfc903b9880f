package stream

import "sync"

// channel is one name under which a publisher and players meet.
type channel struct {
	name string
	// publication is nil while the channel is not live; guarded by
	// Registry.mu.
	publication *Publication
	// applications are publishers who wait to be allowed; guarded by
	// Registry.mu.
	applications []*application

	// mu guards subscriptions. They change with Registry.mu held as well; the
	// lock of its own lets a publisher wake its viewers without touching the
	// registry.
	mu            sync.Mutex
	subscriptions []*Subscription
}

// application is one publisher's wait; its address tells it from others of the
// same session.
type application struct{ session Session }

func (ch *channel) add(s *Subscription) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	s.index = len(ch.subscriptions)
	ch.subscriptions = append(ch.subscriptions, s)
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
}

func (ch *channel) empty() bool {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return len(ch.subscriptions) == 0
}

// wake tells every viewer that there is something new. It never blocks: a
// viewer that is busy finds its wake-up waiting.
func (ch *channel) wake() {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	for _, s := range ch.subscriptions {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// strangers returns the players that wait with another key.
func (ch *channel) strangers(key string) []*Subscription {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	var strangers []*Subscription
	for _, s := range ch.subscriptions {
		if !sameKey(s.key, key) {
			strangers = append(strangers, s)
		}
	}
	return strangers
}

func (ch *channel) sessions() []Session {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	sessions := make([]Session, len(ch.subscriptions))
	for i, s := range ch.subscriptions {
		sessions[i] = s.session
	}
	return sessions
}
