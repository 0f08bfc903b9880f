package bench

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
)

// maxReasons bounds how many different problems are told, in case a server
// makes each of its texts unique.
const maxReasons = 32

// console writes the live line and the problems. On a terminal the line is
// written over and over.
type console struct {
	out      io.Writer
	quiet    bool
	terminal bool

	mu       sync.Mutex // guards what follows
	width    int        // of the live line that stands there
	problems map[string]int
}

func newConsole(out io.Writer, quiet bool) *console {
	c := &console{out: out, quiet: quiet, problems: make(map[string]int)}
	if f, ok := out.(*os.File); ok {
		info, err := f.Stat()
		c.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return c
}

// line replaces the live line.
func (c *console) line(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.quiet {
		return
	}
	if !c.terminal {
		_, _ = fmt.Fprintln(c.out, text)
		return
	}
	_, _ = fmt.Fprintf(c.out, "\r%-*s", c.width, text)
	c.width = len(text)
}

// problem tells of a problem the first time, and counts it.
func (c *console) problem(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.problems[text]; !known && len(c.problems) >= maxReasons {
		text = "other problems"
	}
	if c.problems[text]++; c.problems[text] == 1 {
		c.clear()
		_, _ = fmt.Fprintln(c.out, text)
	}
}

// summary tells how often each problem came.
func (c *console) summary() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clear()
	for _, text := range slices.Sorted(maps.Keys(c.problems)) {
		if n := c.problems[text]; n > 1 {
			_, _ = fmt.Fprintf(c.out, "%d times: %s\n", n, text)
		}
	}
}

// worst is the problem that came most often.
func (c *console) worst() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	texts := slices.Sorted(maps.Keys(c.problems))
	if len(texts) == 0 {
		return "for no reason that was told"
	}
	return slices.MaxFunc(texts, func(a, b string) int { return cmp.Compare(c.problems[a], c.problems[b]) })
}

func (c *console) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clear()
}

// clear removes the live line. The lock must be held.
func (c *console) clear() {
	if c.width > 0 {
		_, _ = fmt.Fprint(c.out, "\r", strings.Repeat(" ", c.width), "\r")
		c.width = 0
	}
}
