package stream

import "time"

// latest are the last times that something happened. It costs the same however
// often that is.
type latest struct {
	times [RecentMost]time.Duration
	n     uint64
}

func (l *latest) note(now time.Duration) {
	l.times[l.n%RecentMost] = now
	l.n++
}

// within counts those of the last RecentWindow.
func (l *latest) within(now time.Duration) (n int) {
	for _, at := range l.times[:min(l.n, RecentMost)] {
		if now-at <= RecentWindow {
			n++
		}
	}
	return n
}
