package stage

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Network is a server's machine and a viewer's, as two network namespaces with
// one link between them, which the test can spoil. The kernel takes everything
// back when the test, or its process, ends in whatever way: the namespaces have
// no names.
type Network struct {
	t              *testing.T
	Server, Viewer *namespace
}

// The addresses of a network.
const (
	ServerHost = "10.0.0.1"
	ViewerHost = "10.0.0.2"
	// linkName is the name of the link on both of its ends.
	linkName = "wire"
)

// NewNetwork makes a network, as root.
func NewNetwork(t *testing.T) *Network {
	t.Helper()
	n := &Network{t: t, Server: newNamespace(t), Viewer: newNamespace(t)}
	for _, end := range []*namespace{n.Server, n.Viewer} {
		end.run("ip", "link", "set", "lo", "up")
	}
	n.Server.run("ip", "link", "add", "name", linkName, "type", "veth", "peer", "name", linkName, "netns", n.Viewer.path())
	n.Server.run("ip", "addr", "add", ServerHost+"/24", "dev", linkName)
	n.Viewer.run("ip", "addr", "add", ViewerHost+"/24", "dev", linkName)
	for _, end := range []*namespace{n.Server, n.Viewer} {
		end.run("ip", "link", "set", linkName, "up")
	}
	return n
}

// Narrow bounds what the link carries to the viewer.
func (n *Network) Narrow(kbits int) {
	n.t.Helper()
	n.Server.run("tc", "qdisc", "add", "dev", linkName, "root", "tbf",
		"rate", fmt.Sprint(kbits, "kbit"), "burst", "32kb", "latency", "200ms")
}

// Widen takes the bound away.
func (n *Network) Widen() {
	n.t.Helper()
	n.Server.run("tc", "qdisc", "del", "dev", linkName, "root")
}

// Cut makes a black hole of the link: packets vanish in both directions, and
// neither side is told.
func (n *Network) Cut() {
	n.t.Helper()
	n.Viewer.run("nft", "add table inet hole;"+
		"add chain inet hole in { type filter hook input priority 0; policy drop; };"+
		"add chain inet hole out { type filter hook output priority 0; policy drop; }")
}

// Mend ends the black hole.
func (n *Network) Mend() {
	n.t.Helper()
	n.Viewer.run("nft", "delete table inet hole")
}

// namespace is a network namespace.
type namespace struct {
	t      *testing.T
	handle *os.File
}

// ownNamespace is the network namespace of the calling thread.
const ownNamespace = "/proc/thread-self/ns/net"

func newNamespace(t *testing.T) *namespace {
	t.Helper()
	n := &namespace{t: t}
	stay(t, func() {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Fatalf("no network namespace can be made, run this test as root: %v", err)
		}
		var err error
		if n.handle, err = os.Open(ownNamespace); err != nil {
			t.Fatal(err)
		}
	})
	t.Cleanup(func() { _ = n.handle.Close() })
	return n
}

// Do calls f in the namespace: sockets that it opens and programs that it
// starts are there, and stay there.
func (n *namespace) Do(f func()) {
	n.t.Helper()
	stay(n.t, func() {
		if err := unix.Setns(int(n.handle.Fd()), unix.CLONE_NEWNET); err != nil {
			n.t.Fatal(err)
		}
		f()
	})
}

// stay calls a function that moves its thread to another network namespace, and
// brings the thread back.
func stay(t *testing.T, f func()) {
	t.Helper()
	runtime.LockOSThread()
	home, err := os.Open(ownNamespace)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		defer func() { _ = home.Close() }()
		if err := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); err != nil {
			t.Errorf("the thread is lost in another namespace: %v", err)
			return // locked as it is, it ends with this goroutine
		}
		runtime.UnlockOSThread()
	}()
	f()
}

// path names the namespace to other programs.
func (n *namespace) path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), n.handle.Fd()) }

// run has a program change the namespace.
func (n *namespace) run(name string, args ...string) {
	n.t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		n.t.Fatalf("%s is missing: install package %s (test/packages.sh does)", name, packages[name])
	}
	n.Do(func() {
		if out, err := exec.Command(path, args...).CombinedOutput(); err != nil {
			n.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
		}
	})
}

// Lose has the link lose a share of the packets to the viewer, in percent.
func (n *Network) Lose(percent int) {
	n.t.Helper()
	n.Viewer.run("nft", fmt.Sprintf("add table inet loss;"+
		"add chain inet loss in { type filter hook input priority 0; };"+
		"add rule inet loss in numgen random mod 100 lt %d drop", percent))
}

// Own makes all addresses of an IPv6 subnet the server's machine's own, that
// clients there can come from.
func (n *Network) Own(subnet string) {
	n.t.Helper()
	n.Server.Do(func() {
		if err := os.WriteFile("/proc/sys/net/ipv6/ip_nonlocal_bind", []byte("1"), 0); err != nil {
			n.t.Fatal(err)
		}
	})
	n.Server.run("ip", "-6", "route", "add", "local", subnet, "dev", "lo")
}
