package stage

import (
	"net"
	"strconv"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A port is one test's alone, in all processes, and one that has a listener is none.
func TestPortsAreClaimedOnce(t *testing.T) {
	var port int
	t.Run("while its test runs", func(t *testing.T) {
		addr, text := FreeAddr(t, "127.0.0.1")
		var err error
		if port, err = strconv.Atoi(text); err != nil || port < firstPort || port >= portsEnd() {
			t.Fatalf("the port is %s, %v", text, err)
		}
		if claim, err := claimPort("127.0.0.2", port); err == nil {
			_ = claim.Close()
			t.Errorf("port %d can be claimed again", port)
		}
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatalf("the server cannot have it: %v", err)
		}
		_ = l.Close()
	})
	claim, err := claimPort("127.0.0.1", port)
	if err != nil {
		t.Fatalf("the port is still taken: %v", err)
	}
	_ = claim.Close()
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if claim, err := claimPort("127.0.0.1", port); err == nil {
		_ = claim.Close()
		t.Error("a port with a listener can be claimed")
	}
}
