package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// serverCore and generatorCore are the processors that the two sides have
	// for themselves.
	serverCore    = 0
	generatorCore = 1
	// startLimit is how long a server may take until it accepts connections.
	startLimit = 20 * time.Second
	// stopLimit is how long a program may take to end once it was told to.
	stopLimit = 10 * time.Second
)

// process is a server that runs.
type process struct {
	cmd  *exec.Cmd
	port int
	// publish is the port for publishers.
	publish int
	log     string // file of its output
	exited  chan struct{}
	cancel  context.CancelFunc
}

// start runs a contender on the server's core and waits until it listens. It is
// to be stopped, which the end of ctx does too.
func (p places) start(ctx context.Context, c contender) (*process, error) {
	dir, err := os.MkdirTemp(p.temporary, "server-")
	if err != nil {
		return nil, err
	}
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	how, err := c.command(p, dir, port)
	if err != nil {
		return nil, fmt.Errorf("prepare %s: %w", c.name, err)
	}
	s := &process{port: port, publish: cmp.Or(how.publish, port), log: filepath.Join(dir, "output"), exited: make(chan struct{})}
	output, err := os.Create(s.log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = output.Close() }() // the child has its own
	ctx, s.cancel = context.WithCancel(ctx)
	s.cmd = pinned(ctx, serverCore, how.args...)
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = dir, output, output
	s.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, how.env...)
	if err := s.cmd.Start(); err != nil {
		s.cancel()
		return nil, fmt.Errorf("start %s: %w", c.name, err)
	}
	go func() {
		defer close(s.exited)
		_ = s.cmd.Wait() // it is ended by a signal
	}()
	if err := s.awaitPort(ctx); err != nil {
		err = fmt.Errorf("start %s: %w: %s", c.name, err, s.lastWords())
		s.stop()
		return nil, err
	}
	return s, nil
}

// pinned is a program that runs on one core only, is asked to end when ctx
// does, and is killed if it does not, or if this process is gone.
func pinned(ctx context.Context, core int, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "taskset", append([]string{"--cpu-list", strconv.Itoa(core)}, args...)...)
	cmd.SysProcAttr = diesWithParent()
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopLimit
	return cmd
}

// pid is that of the server itself: taskset turns into the program it runs.
func (s *process) pid() int { return s.cmd.Process.Pid }

// stop ends the server and returns when it is gone.
func (s *process) stop() {
	s.cancel()
	<-s.exited
}

func (s *process) awaitPort(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.addr())
		if err == nil {
			return conn.Close()
		}
		select {
		case <-again.C:
		case <-s.exited:
			return errors.New("it ended")
		case <-ctx.Done():
			return err
		}
	}
}

func (s *process) addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// lastWords are the last lines that the server wrote.
func (s *process) lastWords() string {
	const most = 600
	text, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text[max(0, len(text)-most):]))
}

// residentBytes is the memory of the server that is in RAM.
func (s *process) residentBytes() (int64, error) {
	file, err := os.Open(fmt.Sprintf("/proc/%d/status", s.pid()))
	if err != nil {
		return 0, err
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		// "VmRSS:	    5612 kB"
		if size, ok := strings.CutPrefix(lines.Text(), "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(size)[0], 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.Join(errors.New("no VmRSS"), lines.Err())
}

func freePort(ctx context.Context) (int, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}
