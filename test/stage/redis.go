package stage

import (
	"bufio"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Redis is a real Redis on a port of its own, which it keeps when it is
// started again.
type Redis struct {
	t    *testing.T
	addr string
	args []string
	cmd  *exec.Cmd     // nil while it does not run
	done chan struct{} // closed when its output has ended
}

// NewRedis returns a Redis that does not run. It is stopped when the test ends.
func NewRedis(t *testing.T, args ...string) *Redis {
	t.Helper()
	addr, port := FreeAddr(t, "127.0.0.1")
	r := &Redis{t: t, addr: addr}
	r.args = append([]string{
		"--bind", "127.0.0.1", "--port", port, "--dir", t.TempDir(), "--save", "", "--appendonly", "no",
	}, args...)
	t.Cleanup(func() { r.End(syscall.SIGKILL) })
	return r
}

// StartRedis is NewRedis that runs.
func StartRedis(t *testing.T, args ...string) *Redis {
	t.Helper()
	r := NewRedis(t, args...)
	r.Start()
	return r
}

// Start returns when Redis accepts connections.
func (r *Redis) Start() {
	r.t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		r.t.Fatal("redis-server is missing: install package redis-server (test/packages.sh does)")
	}
	r.cmd = exec.Command(path, r.args...)
	output, err := r.cmd.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	lines := NewJournal[string]()
	r.done = make(chan struct{})
	go func() {
		defer close(r.done)
		defer lines.End()
		for text := bufio.NewScanner(output); text.Scan(); {
			lines.Add(text.Text())
		}
	}()
	if all, ok := lines.Await(2*Soon, func(line string) bool { return strings.Contains(line, "Ready to accept") }); !ok {
		r.t.Fatalf("redis-server is not ready:\n%s", strings.Join(all, "\n"))
	}
}

// Signal sends a signal to Redis.
func (r *Redis) Signal(sig syscall.Signal) {
	r.t.Helper()
	if err := r.cmd.Process.Signal(sig); err != nil {
		r.t.Error(err)
	}
}

// End ends Redis, if it runs.
func (r *Redis) End(sig syscall.Signal) {
	if r.cmd == nil || r.cmd.Process == nil {
		return
	}
	_ = r.cmd.Process.Signal(sig)
	<-r.done
	_ = r.cmd.Wait()
	r.cmd = nil
}

// Addr is where Redis listens.
func (r *Redis) Addr() string { return r.addr }

// Settings have a server take commands from this Redis.
func (r *Redis) Settings(more ...string) []string {
	host, port, _ := net.SplitHostPort(r.addr)
	return append([]string{
		"REDIS_USE=YES", "REDIS_HOST=" + host, "REDIS_PORT=" + port, "MAX_IP_CONCURRENT_CONNECTIONS=0",
	}, more...)
}

const redisChannel = "rtmp_commands"

// What the log says of Redis.
const (
	RedisBack    = `msg="redis commands available"`
	RedisLost    = `msg="redis commands unavailable"`
	RedisDone    = `msg="redis command executed"`
	RedisIgnored = `msg="redis message ignored"`
)

// StartCommanded runs a server that hears this Redis.
func StartCommanded(t *testing.T, r *Redis, more ...string) *Server {
	t.Helper()
	s := Start(t, r.Settings(more...)...)
	s.AwaitLine(RedisBack)
	return s
}

// Publish sends messages on the channel of the commands, and wants each to be
// heard by someone.
func (r *Redis) Publish(messages ...string) {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(connTimeout)); err != nil {
		r.t.Fatal(err)
	}
	written := make(chan error, 1) // buffered: nobody may be left to read it
	go func() {
		w := bufio.NewWriter(conn)
		for _, m := range messages {
			_, _ = fmt.Fprintf(w, "*3\r\n$7\r\nPUBLISH\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n", len(redisChannel), redisChannel, len(m), m)
		}
		written <- w.Flush()
	}()
	in := bufio.NewReader(conn)
	for range messages {
		line, err := in.ReadString('\n')
		if err != nil || line != ":1\r\n" {
			_ = conn.Close()
			r.t.Fatalf("redis answers %q, %v", line, err)
		}
	}
	if err := <-written; err != nil {
		r.t.Fatal(err)
	}
}

// Order sends orders of one word or more each, on one connection, and returns what
// Redis answers to each, which has to be one line.
func (r *Redis) Order(orders ...string) (answers []string) {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(connTimeout)); err != nil {
		r.t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	for _, order := range orders {
		if _, err := fmt.Fprintf(conn, "%s\r\n", order); err != nil {
			r.t.Fatal(err)
		}
		line, err := in.ReadString('\n')
		if err != nil {
			r.t.Fatalf("%s: %v", order, err)
		}
		answers = append(answers, strings.TrimSpace(line))
	}
	return answers
}
