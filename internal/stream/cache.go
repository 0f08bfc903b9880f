package stream

import (
	"cmp"
	"slices"
)

// size is what is kept for newcomers: the messages behind the entry point up to
// tail, and the forms of them.
func (e *entry) size(tail *Message) int64 {
	if e.before == nil {
		return 0
	}
	messages := int64(tail.sequence - e.before.sequence)
	return int64(tail.position-e.before.position) + messages*messageOverhead + e.copies.Load()
}

// CacheSize returns what the log keeps for newcomers, in bytes: the newest
// keyframe group, with what each message costs beside its bytes, and its copies
// for those who cannot take it as it was published. It costs the publisher
// nothing.
func (l *Log) CacheSize() int64 {
	e := l.entry.Load() // before the tail, which is then not in front of it
	return e.size(l.tail.Load())
}

// dropCache lets the newest group go, and reports whether there was one:
// newcomers start at the next keyframe. Those who watch go on. The publisher may
// keep the group if it replaces the entry point at the same time; whoever looks
// again will see.
func (l *Log) dropCache() bool {
	for {
		e := l.entry.Load()
		if e.before == nil {
			return false
		}
		live := &entry{headers: e.headers, groupHeaders: e.headers, changed: e.changed, copies: e.copies, chunkSize: e.chunkSize}
		if l.entry.CompareAndSwap(e, live) {
			return true
		}
	}
}

// TrimCaches has the channels keep no more than most bytes for newcomers, all
// together: the largest caches are dropped first. It returns what is kept, and how
// many were dropped. No publisher waits for it, and nobody who watches notices.
//
// What a dropped cache took is free once no viewer needs it any more.
func (r *Registry) TrimCaches(most int64) (kept int64, dropped int) {
	if kept = r.CacheSize(); kept <= most {
		return kept, 0
	}
	caches := r.caches()
	slices.SortFunc(caches, func(a, b cache) int { return cmp.Compare(b.size, a.size) })
	kept = 0
	for _, c := range caches {
		kept += c.size
	}
	for _, c := range caches {
		if kept <= most {
			break
		}
		if c.log.dropCache() {
			dropped++
		}
		kept -= c.size
	}
	return kept, dropped
}

// cache is what a log kept when it was looked at.
type cache struct {
	log  *Log
	size int64
}

// CacheSize returns what all channels keep for newcomers together, in bytes.
func (r *Registry) CacheSize() (total int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, ch := range r.channels {
		if ch.publication != nil {
			total += ch.publication.log.CacheSize()
		}
	}
	return total
}

func (r *Registry) caches() (caches []cache) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, ch := range r.channels {
		if ch.publication == nil {
			continue
		}
		if size := ch.publication.log.CacheSize(); size > 0 {
			caches = append(caches, cache{ch.publication.log, size})
		}
	}
	return caches
}
