package stream

// Viewer is what a subscription serves.
type Viewer interface {
	// Wake tells that there may be something new: messages, the end of the log,
	// or another log. It is called by the fan-out, and when an interruption
	// expires, without any lock held, for one viewer after the other: it must
	// not block. The pages are those of the pass; nil if there are none.
	Wake(pages Pages)
	// Expect tells that Wake is called soon, so that what it needs can be brought near.
	Expect()
}

// Pages are pipes that the kernel sends from, for what many viewers of a pass of the
// fan-out get alike.
type Pages interface {
	// Pipe returns the descriptor of a pipe that has the bytes of front, shared
	// and end and nothing else, or -1 if they should be written from memory. It
	// may be used until [Viewer.Wake] returns. Shared is what [Cursor.Joined] and
	// [Cursor.JoinedTags] return.
	Pipe(front, shared, end []byte) int
}

// Subscription is a player's place on a channel, whether it is live or not.
type Subscription struct {
	registry *Registry
	channel  *channel
	key      string
	anyKey   bool // see [Registry.Watch]
	session  Connection
	viewer   Viewer
	// index is the place in channel.subscriptions, -1 once removed; guarded by
	// channel.mu.
	index int
	// hurried is whether the player wants to be at the live edge; guarded by
	// channel.mu.
	hurried bool
}

// Subscribe adds a player to a channel. A live channel wants its key, compared
// in constant time, and answers [ErrWrongKey]; on any other the player waits.
//
// The viewer is woken whenever there is something new from then on; what there
// is already it has to look for itself.
func (r *Registry) Subscribe(name, key string, session Connection, viewer Viewer) (*Subscription, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ch := r.channels[name]; ch != nil && ch.publication != nil && !sameKey(ch.publication.claim.Key, key) {
		return nil, ErrWrongKey
	}
	return r.subscribe(Subscription{key: key, session: session, viewer: viewer}, name), nil
}

// Watch is Subscribe for those whom the server trusts, as its own pages: they need
// no key, and stay whatever key is published.
func (r *Registry) Watch(name string, session Connection, viewer Viewer) *Subscription {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.subscribe(Subscription{anyKey: true, session: session, viewer: viewer}, name)
}

// subscribe must be called with the lock held.
func (r *Registry) subscribe(s Subscription, name string) *Subscription {
	s.registry, s.channel = r, r.open(name)
	s.channel.add(&s)
	return &s
}

// Hurry notes that the player asked to start at the live edge: delay matters
// to it.
func (s *Subscription) Hurry() {
	s.channel.mu.Lock()
	defer s.channel.mu.Unlock()
	if s.index >= 0 && !s.hurried {
		s.hurried = true
		s.channel.inHurry++
	}
}

// Log returns the log of the present publication, or nil if the channel is not
// live.
func (s *Subscription) Log() *Log {
	s.registry.mu.Lock()
	defer s.registry.mu.Unlock()
	if p := s.channel.publication; p != nil && s.member() {
		return p.log
	}
	return nil
}

// Interrupted reports whether the publisher was cut off and is expected back:
// the viewer should wait in silence.
func (s *Subscription) Interrupted() bool {
	s.registry.mu.Lock()
	defer s.registry.mu.Unlock()
	return s.channel.interrupted != nil && s.member()
}

// Over reports whether the channel is neither live nor interrupted: the viewer
// should know.
func (s *Subscription) Over() bool {
	s.registry.mu.Lock()
	defer s.registry.mu.Unlock()
	return s.channel.publication == nil && s.channel.interrupted == nil || !s.member()
}

// expire ends an interruption, if it lasts.
func (r *Registry) expire(ch *channel, interrupted <-chan struct{}) {
	for _, v := range r.giveUp(ch, interrupted) {
		v.Wake(nil)
	}
}

// giveUp returns the viewers who should know of it.
func (r *Registry) giveUp(ch *channel, interrupted <-chan struct{}) []Viewer {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ch.interrupted != interrupted {
		return nil
	}
	ch.interrupted = nil
	r.release(ch)
	return ch.appendViewers(nil)
}

// member must be called with the registry's lock held.
func (s *Subscription) member() bool {
	s.channel.mu.Lock()
	defer s.channel.mu.Unlock()
	return s.index >= 0
}

// Close takes the player off the channel. It may be called more than once.
func (s *Subscription) Close() {
	s.registry.mu.Lock()
	defer s.registry.mu.Unlock()
	s.channel.remove(s)
	s.registry.release(s.channel)
}
