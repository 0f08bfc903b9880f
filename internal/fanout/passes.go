package fanout

import (
	"maps"
	"slices"
	"sync"
)

// Passes are the fan-outs of a server, to find out whether they get on. The zero
// value has none.
type Passes struct {
	mu   sync.Mutex
	fans map[*fan]struct{}
}

func (all *Passes) add(f *fan) {
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.fans == nil {
		all.fans = make(map[*fan]struct{})
	}
	all.fans[f] = struct{}{}
}

func (all *Passes) remove(f *fan) {
	all.mu.Lock()
	defer all.mu.Unlock()
	delete(all.fans, f)
}

// Settle returns when every pass that is under way has ended: at once, unless one
// is stuck.
func (all *Passes) Settle() {
	for _, f := range all.list() {
		f.settle()
	}
}

func (all *Passes) list() []*fan {
	all.mu.Lock()
	defer all.mu.Unlock()
	return slices.Collect(maps.Keys(all.fans))
}

func (f *fan) settle() {
	f.passing.Lock()
	defer f.passing.Unlock()
}
