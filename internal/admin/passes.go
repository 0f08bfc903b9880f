package admin

import (
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"
)

// passes are random texts that stand for something for a while. They are kept as
// hashes, so that the time of a look-up tells nothing about them.
type passes[T any] struct {
	lifetime time.Duration
	most     int // more than that push out the one that expires first

	mu     sync.Mutex // guards issued
	issued map[[sha256.Size]byte]pass[T]
}

type pass[T any] struct {
	value   T
	expires time.Time
}

func newPasses[T any](lifetime time.Duration, most int) *passes[T] {
	return &passes[T]{lifetime: lifetime, most: most, issued: make(map[[sha256.Size]byte]pass[T])}
}

// issue returns a new pass.
func (p *passes[T]) issue(value T) (text string, expires time.Time) {
	text, expires = rand.Text(), time.Now().Add(p.lifetime)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.issued) >= p.most {
		p.makeRoom()
	}
	p.issued[sha256.Sum256([]byte(text))] = pass[T]{value, expires}
	return text, expires
}

// makeRoom is called with the lock held.
func (p *passes[T]) makeRoom() {
	var first [sha256.Size]byte
	var earliest time.Time
	for key, issued := range p.issued {
		if earliest.IsZero() || issued.expires.Before(earliest) {
			first, earliest = key, issued.expires
		}
	}
	delete(p.issued, first)
}

// check returns what a pass stands for, if it stands for anything.
func (p *passes[T]) check(text string) (value T, ok bool) {
	key := sha256.Sum256([]byte(text))
	p.mu.Lock()
	defer p.mu.Unlock()
	found, ok := p.issued[key]
	if ok && !time.Now().Before(found.expires) {
		delete(p.issued, key)
		return value, false
	}
	return found.value, ok
}

// take is check for the last time.
func (p *passes[T]) take(text string) (value T, ok bool) {
	value, ok = p.check(text)
	if !ok {
		return value, false
	}
	key := sha256.Sum256([]byte(text))
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok = p.issued[key] // only one of those who come at the same time gets it
	delete(p.issued, key)
	return value, ok
}
