package stream

import (
	"crypto/subtle"
	"errors"
	"slices"
	"sync"
	"time"
)

var (
	// ErrBusy refuses a publication of a channel that has a publisher which
	// may not be replaced.
	ErrBusy = errors.New("channel is busy")
	// ErrWrongKey refuses a subscription to a live channel.
	ErrWrongKey = errors.New("wrong key")
)

// Takeover says what happens when a second publisher comes to a channel.
type Takeover uint8

const (
	// TakeoverIdle lets it replace one that has been silent for longer than
	// [IdleAfter]: an encoder that lost its network and comes back before its
	// old connection timed out.
	TakeoverIdle Takeover = iota
	// TakeoverNever refuses it.
	TakeoverNever
	// TakeoverAlways lets it replace the present one.
	TakeoverAlways
)

// IdleAfter is how long a publisher must have sent no media to be replaceable
// under [TakeoverIdle].
const IdleAfter = 2 * time.Second

// Connection is what carries a publication or a subscription.
type Connection interface {
	// Kick ends the session for the given reason. It does not block, and the
	// registry calls it without holding a lock.
	Kick(Reason)
	// RequestReconnect asks the client to connect anew, to the given tcUrl
	// unless it is empty, and reports whether it is one that can be asked. As
	// with Kick.
	RequestReconnect(tcURL string) bool
}

// Publisher is the session of a publication.
type Publisher interface {
	Connection
	// Silent returns for how long no media has arrived. The registry calls it
	// with its lock held.
	Silent() time.Duration
	// Leaving reports whether the client was asked to connect anew, so that it
	// may well come a second time before it leaves. As with Silent.
	Leaving() bool
}

// Options are the settings of a [Registry].
type Options struct {
	// ChunkSize is the outgoing chunk size of all viewers.
	ChunkSize int
	// CacheBytes is the most that a channel keeps for newcomers; 0 keeps
	// nothing.
	CacheBytes int64
	Takeover   Takeover
}

// Registry knows the channels: which are live, and who watches or waits.
type Registry struct {
	options Options

	mu       sync.Mutex // guards channels and the membership of each channel
	channels map[string]*channel
}

// NewRegistry returns a registry without channels.
func NewRegistry(options Options) *Registry {
	return &Registry{options: options, channels: make(map[string]*channel)}
}

// Claim is a publisher's wish for a channel.
type Claim struct {
	Channel, Key string
	// StreamID is the id under which close-stream commands name the
	// publication.
	StreamID  string
	Publisher Publisher
	// Address is where the publisher comes from. It means nothing to the
	// registry, see [Publication.Replaced].
	Address string
	// Epoch is what the arrival times of its messages count from, and At when the
	// claim is made on that clock. Only what operators see depends on them.
	Epoch time.Time
	At    time.Duration
}

// Apply announces a publisher whose right to the channel is still to be
// checked, or returns [ErrBusy] if it could not have the channel now anyway.
// Nothing is reserved: a client whose key is wrong must not be able to lock the
// owner out. But until withdraw is called, [Registry.KillSession] reaches it.
func (r *Registry) Apply(name, key string, applicant Connection) (withdraw func(), err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ch := r.channels[name]; ch != nil && !r.replaceable(ch.publication, key) {
		return nil, ErrBusy
	}
	ch := r.open(name)
	a := &application{applicant}
	ch.applications = append(ch.applications, a)
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		ch.applications = slices.DeleteFunc(ch.applications, func(other *application) bool { return other == a })
		r.release(ch)
	}, nil
}

// replaceable reports whether a publisher with the given key may have the
// channel in place of p. One that was asked to connect anew makes way for itself,
// whatever the policy.
func (r *Registry) replaceable(p *Publication, key string) bool {
	switch {
	case p == nil || r.options.Takeover == TakeoverAlways:
		return true
	case sameKey(p.claim.Key, key) && p.claim.Publisher.Leaving():
		return true
	case r.options.Takeover == TakeoverNever:
		return false
	default:
		return p.claim.Publisher.Silent() > IdleAfter
	}
}

// Publish claims the channel, atomically: of any number of simultaneous
// claims one wins and the others get [ErrBusy]. Players that wait with the
// same key are woken by the first pass of the fan-out, those with another key
// are kicked, and so is a publisher that is replaced.
func (r *Registry) Publish(c Claim) (*Publication, error) {
	p, kicks, err := r.claim(c)
	for _, k := range kicks {
		k.session.Kick(k.reason)
	}
	return p, err
}

// kick is a session to end once the lock is released.
type kick struct {
	session Connection
	reason  Reason
}

func (r *Registry) claim(c Claim) (*Publication, []kick, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ch := r.open(c.Channel)
	var kicks []kick
	var replaced string
	if old := ch.publication; old != nil {
		if !r.replaceable(old, c.Key) {
			return nil, nil, ErrBusy
		}
		replaced = old.claim.Address
		old.log.end()
		ch.leave(old.log)
		kicks = append(kicks, kick{old.claim.Publisher, ReasonReplaced})
	}
	for _, s := range ch.strangers(c.Key) {
		kicks = append(kicks, kick{s.session, ReasonWrongKey})
		ch.remove(s)
	}
	p := newPublication(r, ch, c)
	p.replaced = replaced
	p.log.timeline.after = ch.head
	ch.publication, ch.interrupted = p, nil
	return p, kicks, nil
}

// KillSession ends every session of a channel, publisher, players and those who
// applied for it, and returns how many there were.
func (r *Registry) KillSession(name string) int {
	sessions := r.sessions(name)
	for _, s := range sessions {
		s.Kick(ReasonKilled)
	}
	return len(sessions)
}

// RequestReconnect asks every session of a channel to connect anew, see
// [Connection], and returns how many there were that can be asked.
func (r *Registry) RequestReconnect(name, tcURL string) (asked int) {
	once := make(map[Connection]bool)
	for _, s := range r.sessions(name) {
		if !once[s] && s.RequestReconnect(tcURL) {
			asked++
		}
		once[s] = true
	}
	return asked
}

// sessions returns the publisher of a channel, its players, and those who applied
// for it.
func (r *Registry) sessions(name string) []Connection {
	r.mu.Lock()
	defer r.mu.Unlock()
	ch := r.channels[name]
	if ch == nil {
		return nil
	}
	var sessions []Connection
	if ch.publication != nil {
		sessions = append(sessions, ch.publication.claim.Publisher)
	}
	sessions = append(sessions, ch.sessions()...)
	for _, a := range ch.applications {
		sessions = append(sessions, a.session)
	}
	return sessions
}

// CloseStream ends the connection that publishes the stream with this id on
// the channel, and reports whether there was one.
func (r *Registry) CloseStream(name, streamID string) bool {
	r.mu.Lock()
	var publisher Publisher
	if ch := r.channels[name]; ch != nil && ch.publication != nil && ch.publication.claim.StreamID == streamID {
		publisher = ch.publication.claim.Publisher
	}
	r.mu.Unlock()
	if publisher == nil {
		return false
	}
	publisher.Kick(ReasonKilled)
	return true
}

// Len returns the number of channels that are live or waited for.
func (r *Registry) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.channels)
}

// open must be called with the lock held.
func (r *Registry) open(name string) *channel {
	ch := r.channels[name]
	if ch == nil {
		ch = &channel{name: name}
		r.channels[name] = ch
	}
	return ch
}

// release forgets a channel that nobody uses; the lock is held.
func (r *Registry) release(ch *channel) {
	if ch.publication == nil && ch.interrupted == nil && len(ch.applications) == 0 && ch.empty() && r.channels[ch.name] == ch {
		delete(r.channels, ch.name)
	}
}

func sameKey(a, b string) bool {
	return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}
