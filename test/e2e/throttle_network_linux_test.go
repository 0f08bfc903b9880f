package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// network is a server's machine and a viewer's, as two network namespaces with
// one link between them, which the test can spoil. The kernel takes everything
// back when the test, or its process, ends in whatever way: the namespaces have
// no names.
type network struct {
	t              *testing.T
	server, viewer *namespace
}

const (
	serverHost = "10.0.0.1"
	viewerHost = "10.0.0.2"
	// linkName is the name of the link on both of its ends.
	linkName = "wire"
)

func newNetwork(t *testing.T) *network {
	t.Helper()
	n := &network{t: t, server: newNamespace(t), viewer: newNamespace(t)}
	for _, end := range []*namespace{n.server, n.viewer} {
		end.run("ip", "link", "set", "lo", "up")
	}
	n.server.run("ip", "link", "add", "name", linkName, "type", "veth", "peer", "name", linkName, "netns", n.viewer.path())
	n.server.run("ip", "addr", "add", serverHost+"/24", "dev", linkName)
	n.viewer.run("ip", "addr", "add", viewerHost+"/24", "dev", linkName)
	for _, end := range []*namespace{n.server, n.viewer} {
		end.run("ip", "link", "set", linkName, "up")
	}
	return n
}

// narrow bounds what the link carries to the viewer.
func (n *network) narrow(kbits int) {
	n.t.Helper()
	n.server.run("tc", "qdisc", "add", "dev", linkName, "root", "tbf",
		"rate", fmt.Sprint(kbits, "kbit"), "burst", "32kb", "latency", "200ms")
}

// widen takes the bound away.
func (n *network) widen() {
	n.t.Helper()
	n.server.run("tc", "qdisc", "del", "dev", linkName, "root")
}

// cut makes a black hole of the link: packets vanish in both directions, and
// neither side is told.
func (n *network) cut() {
	n.t.Helper()
	n.viewer.run("nft", "add table inet hole;"+
		"add chain inet hole in { type filter hook input priority 0; policy drop; };"+
		"add chain inet hole out { type filter hook output priority 0; policy drop; }")
}

// mend ends the black hole.
func (n *network) mend() {
	n.t.Helper()
	n.viewer.run("nft", "delete table inet hole")
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

// do calls f in the namespace: sockets that it opens and programs that it
// starts are there, and stay there.
func (n *namespace) do(f func()) {
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
	n.do(func() {
		if out, err := exec.Command(path, args...).CombinedOutput(); err != nil {
			n.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
		}
	})
}
