package hook

import (
	"sync"
	"time"
)

const (
	// circuitFailures is how many requests in a row fail before the backend is given a rest.
	circuitFailures = 5
	// circuitPause is how long it is not asked then. Publishers who would have waited 5 s each hear at once.
	circuitPause = 2 * time.Second
)

// circuit keeps requests from a backend that fails. It is closed while all is well, opens after circuitFailures failures in a
// row, and after each circuitPause lets one request through, the probe, until any request goes well.
type circuit struct {
	mu       sync.Mutex
	failures int
	open     bool
	until    time.Time // when the next probe may go, if open
	probing  bool
}

// admit lets a request through or not. The outcome of each one that is let through must be reported, with probe as it is here.
func (c *circuit) admit(now time.Time) (probe, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open && (c.probing || now.Before(c.until)) {
		return false, false
	}
	c.probing = c.open
	return c.probing, true
}

// report takes the outcome of a request and says whether it opened or closed the circuit.
func (c *circuit) report(now time.Time, probe, healthy bool) (changed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if healthy { // even one that was sent before the circuit opened: the backend answers now
		changed = c.open
		c.open, c.probing, c.failures = false, false, 0
		return changed
	}
	c.failures++
	switch {
	case c.open && !probe: // a latecomer says nothing new
		return false
	case !c.open && c.failures < circuitFailures:
		return false
	}
	changed = !c.open
	c.open, c.probing, c.until = true, false, now.Add(circuitPause)
	return changed
}
