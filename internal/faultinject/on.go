//go:build faultinject

package faultinject

import (
	"os"
	"strconv"
	"strings"
	"sync"
)

// fault is one that is wanted.
type fault struct {
	point   Point
	channel string // empty for any
	block   bool
	left    int // how many times the point is still to be passed
}

var faults = struct {
	sync.Mutex
	wanted []*fault
}{wanted: parse(os.Getenv("FAULTINJECT"))}

// At fails if it is wanted here and now.
func At(point Point, channel string) {
	f := due(point, channel)
	switch {
	case f == nil:
	case f.block:
		select {}
	default:
		panic("injected at " + string(point))
	}
}

func due(point Point, channel string) *fault {
	faults.Lock()
	defer faults.Unlock()
	for _, f := range faults.wanted {
		if f.point != point || f.channel != "" && f.channel != channel || f.left == 0 {
			continue
		}
		if f.left--; f.left == 0 {
			return f
		}
	}
	return nil
}

func parse(text string) []*fault {
	var wanted []*fault
	for one := range strings.SplitSeq(text, ",") {
		f := &fault{left: 1}
		var name string
		name, f.block = strings.CutPrefix(strings.TrimSpace(one), "block-")
		name, times, counted := strings.Cut(name, ":")
		if counted {
			f.left, _ = strconv.Atoi(times)
		}
		point, channel, _ := strings.Cut(name, "@")
		f.point, f.channel = Point(point), channel
		wanted = append(wanted, f)
	}
	return wanted
}
