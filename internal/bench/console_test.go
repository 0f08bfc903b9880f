package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTerminalShowsOneLine(t *testing.T) {
	var said transcript
	c := newConsole(&said, false)
	c.terminal = true
	c.line("long line")
	c.line("short")
	c.problem("trouble")
	c.line("next")
	c.close()
	if got, want := said.String(), "\rlong line\rshort    \r     \rtrouble\n\rnext\r    \r"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestProblemsAreToldOnce(t *testing.T) {
	var said transcript
	c := newConsole(&said, true)
	if c.worst() == "" {
		t.Error("no problem has no text")
	}
	c.line("live")
	for i := range 2 * maxReasons {
		c.problem(fmt.Sprintf("problem %d", i))
	}
	c.problem("problem 7")
	c.summary()
	if n := strings.Count(said.String(), "\n"); n != maxReasons+1+2 {
		t.Errorf("%d lines:\n%s", n, said.String())
	}
	if got := c.worst(); got != "other problems" {
		t.Errorf("the worst is %q", got)
	}
}

func TestOnlyATerminalIsATerminal(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if newConsole(f, false).terminal {
		t.Error("a file is taken for a terminal")
	}
}
