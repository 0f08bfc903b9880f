package stage

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	// Soon is when something must have happened that takes no time at all. It
	// leaves room for a machine that is busy with other tests.
	Soon = 5 * time.Second
	// StopLimit is how long a server may take to stop.
	StopLimit = 10 * time.Second
)

// Loopback6 is the IPv6 address that tests connect from, where there is one.
const Loopback6 = "::1"

// Binary is the server under test, which the tests of a package build first.
var Binary string

// Build builds the server, with the given flags of "go build", from a folder of
// tests two below the root.
func Build(binary string, flags ...string) error {
	build := exec.Command("go", slices.Concat([]string{"build"}, flags, []string{"-o", binary, "."})...)
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the server: %w\n%s", err, out)
	}
	return nil
}

// Server is a running server process.
type Server struct {
	T    *testing.T
	Cmd  *exec.Cmd
	Addr string // host and port it listens on
	Log  *Journal[string]
	// Exited is closed after status was set.
	Exited  chan struct{}
	Status  error
	Stopped bool
}

// Process is a way to run a server. The zero value is how it usually runs.
type Process struct {
	// Binary is the program, [Binary] if empty.
	Binary string
	// Stdout is where the log goes, and Output reads it back: a pipe of the
	// stage's own if they are nil. Start closes Stdout.
	Stdout *os.File
	Output io.Reader
}

// Start runs the server with settings of the form NAME=value, on a free
// port of 127.0.0.1 and without the administration unless they say otherwise, and
// waits until it listens. It is
// stopped when the test ends, and fails the test if it had anything to complain
// about.
func Start(t *testing.T, settings ...string) *Server {
	t.Helper()
	return Process{}.Start(t, settings...)
}

// Start is the function of the same name for this way to run the server.
func (p Process) Start(t *testing.T, settings ...string) *Server {
	t.Helper()
	s := &Server{T: t, Log: NewJournal[string](), Exited: make(chan struct{})}
	s.Cmd = ServerCommand(t, append([]string{"RTMP_PORT=0", "BIND_ADDRESS=127.0.0.1", "ADMIN_ADDRESS=NO"}, settings...))
	if p.Binary != "" {
		s.Cmd.Path = p.Binary
	}
	if p.Stdout == nil {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = r.Close() }) // after the server has stopped
		p.Stdout, p.Output = w, r
	}
	s.Cmd.Stdout, s.Cmd.Stderr = p.Stdout, p.Stdout
	err := s.Cmd.Start()
	_ = p.Stdout.Close() // the server has its own
	if err != nil {
		t.Fatal(err)
	}
	go s.follow(p.Output)
	t.Cleanup(s.Stop)
	s.Addr = Attr(s.AwaitLine("msg=listening"), "listen")
	return s
}

// ServerCommand returns the server with nothing in its environment but the settings.
func ServerCommand(t *testing.T, settings []string, args ...string) *exec.Cmd {
	cmd := exec.Command(Binary, args...)
	cmd.Dir = t.TempDir() // without a .env file
	// The race detector makes the process linger for a second at its end by default.
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "GORACE=atexit_sleep_ms=50"}, settings...)
	return cmd
}

// follow reads the output to its end, and then the exit status.
func (s *Server) follow(output io.Reader) {
	lines := bufio.NewScanner(output)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		s.Log.Add(lines.Text())
	}
	s.Log.End()
	s.Status = s.Cmd.Wait()
	close(s.Exited)
}

// URL is where a path is published and played.
func (s *Server) URL(path string) string { return "rtmp://" + s.Addr + "/" + path }

// Signal sends a signal to the server, which may have ended.
func (s *Server) Signal(sig os.Signal) {
	s.T.Helper()
	if err := s.Cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.T.Error(err)
	}
}

// Stop ends the server as an operator does, unless the test has done so, and
// checks how it ended. Calling it again does nothing.
func (s *Server) Stop() {
	s.T.Helper()
	if s.Stopped {
		return
	}
	s.Stopped = true
	s.Signal(syscall.SIGTERM)
	if s.AwaitExit(StopLimit); s.Status != nil {
		s.T.Errorf("server ended with %v", s.Status)
	}
	s.CheckOutput()
}

// AwaitExit waits for the end of the process, and ends it by force if that takes
// too long.
func (s *Server) AwaitExit(within time.Duration) {
	s.T.Helper()
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-s.Exited:
	case <-timer.C:
		s.T.Errorf("server still runs after %v", within)
		_ = s.Cmd.Process.Kill()
		<-s.Exited
	}
}

// CheckOutput wants the log to be free of errors, panics and data races.
func (s *Server) CheckOutput() {
	s.T.Helper()
	for _, line := range s.Log.All() {
		for _, bad := range []string{"DATA RACE", "panic", "level=ERROR"} {
			if strings.Contains(line, bad) {
				s.T.Errorf("server says: %s", line)
			}
		}
	}
	if s.T.Failed() {
		s.T.Logf("server %s:\n%s", s.Addr, strings.Join(s.Log.All(), "\n"))
	}
}

// AwaitLine waits for the first line of the log that holds all parts.
func (s *Server) AwaitLine(parts ...string) string {
	s.T.Helper()
	return s.AwaitLines(1, Soon, parts...)[0]
}

// AwaitLines waits for n lines of the log that hold all parts each.
func (s *Server) AwaitLines(n int, within time.Duration, parts ...string) []string {
	s.T.Helper()
	var found []string
	lines, ok := s.Log.Await(within, func(line string) bool {
		if Holds(line, parts) {
			found = append(found, line)
		}
		return len(found) >= n
	})
	if !ok {
		s.T.Fatalf("server logged %d of %d lines with %q within %v:\n%s",
			len(found), n, parts, within, strings.Join(lines, "\n"))
	}
	return found
}

// Holds reports whether a line holds all parts.
func Holds(line string, parts []string) bool {
	for _, part := range parts {
		if !strings.Contains(line, part) {
			return false
		}
	}
	return true
}

// Attr returns the value of name=value in a line of the log.
func Attr(line, name string) string {
	match := regexp.MustCompile(`(?:^| )` + name + `=("(?:[^"\\]|\\.)*"|\S*)`).FindStringSubmatch(line)
	if match == nil {
		return ""
	}
	if value, err := strconv.Unquote(match[1]); err == nil {
		return value
	}
	return match[1]
}

// Run runs the server until it ends by itself, which it must do at once.
func Run(t *testing.T, settings []string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	cmd := ServerCommand(t, settings, args...)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	overdue := time.AfterFunc(Soon, func() { _ = cmd.Process.Kill() })
	err := cmd.Wait()
	if !overdue.Stop() {
		t.Errorf("server still runs after %v", Soon)
	}
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), complaint.String()
}

// Kill ends the server without a chance to say anything.
func (s *Server) Kill() {
	s.T.Helper()
	s.Stopped = true
	s.Signal(syscall.SIGKILL)
	s.AwaitExit(Soon)
	s.CheckOutput()
}

// StopAllowing is stop for a server that had reason to log certain errors, or to
// tell of certain panics.
func (s *Server) StopAllowing(errors string) {
	s.T.Helper()
	s.Stopped = true
	s.Signal(syscall.SIGTERM)
	if s.AwaitExit(StopLimit); s.Status != nil {
		s.T.Errorf("server ended with %v", s.Status)
	}
	for _, line := range s.Log.All() {
		bad := strings.Contains(line, "panic") || strings.Contains(line, "level=ERROR")
		if strings.Contains(line, "DATA RACE") || bad && !strings.Contains(line, errors) {
			s.T.Errorf("server says: %s", line)
		}
	}
}

// Reach is the server's address for a client with the given address.
func (s *Server) Reach(from string) string {
	_, port, _ := net.SplitHostPort(s.Addr)
	if strings.Contains(from, ":") {
		return net.JoinHostPort(Loopback6, port)
	}
	return net.JoinHostPort("127.0.0.1", port)
}

// AwaitEnds waits for the ends of so many sessions in the log, which has a line for
// each or, of those that come in a flood, their number.
func (s *Server) AwaitEnds(n int, within time.Duration) {
	s.T.Helper()
	ended := 0
	_, ok := s.Log.Await(within, func(line string) bool {
		switch {
		case Holds(line, []string{"msg=end"}):
			ended++
		case Holds(line, []string{`msg="lines left out"`, "step=end"}), Holds(line, []string{`msg="refusals left out"`}):
			more, _ := strconv.Atoi(Attr(line, "count"))
			ended += more
		}
		return ended >= n
	})
	if !ok {
		s.T.Fatalf("%d of %d sessions have ended within %v", ended, n, within)
	}
}
