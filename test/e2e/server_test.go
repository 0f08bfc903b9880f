package e2e

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	// soon is when something must have happened that takes no time at all. It
	// leaves room for a machine that is busy with other tests.
	soon = 5 * time.Second
	// stopLimit is how long a server may take to stop.
	stopLimit = 10 * time.Second
)

// server is a running server process.
type server struct {
	t    *testing.T
	cmd  *exec.Cmd
	addr string // host and port it listens on
	log  *journal[string]
	// exited is closed after status was set.
	exited  chan struct{}
	status  error
	stopped bool
}

// startServer runs the server with settings of the form NAME=value, on a free
// port of 127.0.0.1 unless they say otherwise, and waits until it listens. It is
// stopped when the test ends, and fails the test if it had anything to complain
// about.
func startServer(t *testing.T, settings ...string) *server {
	t.Helper()
	s := &server{t: t, log: newJournal[string](), exited: make(chan struct{})}
	s.cmd = serverCommand(t, append([]string{"RTMP_PORT=0", "BIND_ADDRESS=127.0.0.1"}, settings...))
	output, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.cmd.Stderr = s.cmd.Stdout
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go s.follow(output)
	t.Cleanup(s.stop)
	s.addr = attr(s.awaitLine("msg=listening"), "listen")
	return s
}

func serverCommand(t *testing.T, settings []string, args ...string) *exec.Cmd {
	cmd := exec.Command(serverBinary, args...)
	cmd.Dir = t.TempDir() // without a .env file
	// The race detector makes the process linger for a second at its end by default.
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "GORACE=atexit_sleep_ms=50"}, settings...)
	return cmd
}

// follow reads the output to its end, and then the exit status.
func (s *server) follow(output io.Reader) {
	lines := bufio.NewScanner(output)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		s.log.add(lines.Text())
	}
	s.log.end()
	s.status = s.cmd.Wait()
	close(s.exited)
}

// url is where a path is published and played.
func (s *server) url(path string) string { return "rtmp://" + s.addr + "/" + path }

func (s *server) signal(sig os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Error(err)
	}
}

// stop ends the server as an operator does, unless the test has done so, and
// checks how it ended. Calling it again does nothing.
func (s *server) stop() {
	s.t.Helper()
	if s.stopped {
		return
	}
	s.stopped = true
	s.signal(syscall.SIGTERM)
	if s.awaitExit(stopLimit); s.status != nil {
		s.t.Errorf("server ended with %v", s.status)
	}
	s.checkOutput()
}

// awaitExit waits for the end of the process, and ends it by force if that takes
// too long.
func (s *server) awaitExit(within time.Duration) {
	s.t.Helper()
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-s.exited:
	case <-timer.C:
		s.t.Errorf("server still runs after %v", within)
		_ = s.cmd.Process.Kill()
		<-s.exited
	}
}

func (s *server) checkOutput() {
	s.t.Helper()
	for _, line := range s.log.all() {
		for _, bad := range []string{"DATA RACE", "panic", "level=ERROR"} {
			if strings.Contains(line, bad) {
				s.t.Errorf("server says: %s", line)
			}
		}
	}
	if s.t.Failed() {
		s.t.Logf("server %s:\n%s", s.addr, strings.Join(s.log.all(), "\n"))
	}
}

// awaitLine waits for the first line of the log that holds all parts.
func (s *server) awaitLine(parts ...string) string {
	s.t.Helper()
	return s.awaitLines(1, soon, parts...)[0]
}

// awaitLines waits for n lines of the log that hold all parts each.
func (s *server) awaitLines(n int, within time.Duration, parts ...string) []string {
	s.t.Helper()
	var found []string
	lines, ok := s.log.await(within, func(line string) bool {
		if holds(line, parts) {
			found = append(found, line)
		}
		return len(found) >= n
	})
	if !ok {
		s.t.Fatalf("server logged %d of %d lines with %q within %v:\n%s",
			len(found), n, parts, within, strings.Join(lines, "\n"))
	}
	return found
}

func holds(line string, parts []string) bool {
	for _, part := range parts {
		if !strings.Contains(line, part) {
			return false
		}
	}
	return true
}

// attr returns the value of name=value in a line of the log.
func attr(line, name string) string {
	match := regexp.MustCompile(`(?:^| )` + name + `=("(?:[^"\\]|\\.)*"|\S*)`).FindStringSubmatch(line)
	if match == nil {
		return ""
	}
	if value, err := strconv.Unquote(match[1]); err == nil {
		return value
	}
	return match[1]
}

// runServer runs the server until it ends by itself, which it must do at once.
func runServer(t *testing.T, settings []string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	cmd := serverCommand(t, settings, args...)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	overdue := time.AfterFunc(soon, func() { _ = cmd.Process.Kill() })
	err := cmd.Wait()
	if !overdue.Stop() {
		t.Errorf("server still runs after %v", soon)
	}
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), complaint.String()
}
