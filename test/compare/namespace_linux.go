package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// namespaceMark in the environment says that the process is in its namespace.
	namespaceMark = "COMPARE_NAMESPACE=1"
	// openFiles is what thousands of connections need on either side.
	openFiles = 1 << 16
)

// dieWithParent has the process told to end when the one that started it is
// gone: "go run" does not pass on the signal that ends it.
func dieWithParent() error {
	return unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGTERM), 0, 0, 0)
}

// diesWithParent has a child killed when this process is gone, however it went.
func diesWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

func inNamespace() bool {
	name, value, _ := strings.Cut(namespaceMark, "=")
	return os.Getenv(name) == value
}

// runInNamespace runs this program once more, in a network of its own.
func runInNamespace(ctx context.Context, stdout, stderr io.Writer) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, program, os.Args[1:]...)
	cmd.Env = append(os.Environ(), namespaceMark)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET, Pdeathsig: syscall.SIGTERM}
	// It stops its own children and writes what it has by then.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("in the network namespace: %w", err)
	}
	return nil
}

// portRange is for connections to one address. The kernel gives them every other port
// of it first, and looks at each port that is taken on its way to one of the rest: with
// the range that it starts with, that holds the generator up from 14,000 players on.
const portRange = "10240 65500"

// setUpNamespace makes the loopback device usable, has it acknowledge at once, makes
// room for connections, and raises the limit of open files for the children to inherit.
func setUpNamespace(ctx context.Context) error {
	if err := raiseFileLimit(); err != nil {
		return fmt.Errorf("raise the limit of open files: %w", err)
	}
	for _, line := range []string{
		"link set lo up",
		"route replace local 127.0.0.0/8 dev lo table local proto kernel scope host src 127.0.0.1 quickack 1",
		"route replace local 127.0.0.1 dev lo table local proto kernel scope host src 127.0.0.1 quickack 1",
	} {
		if out, err := exec.CommandContext(ctx, "ip", strings.Fields(line)...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", line, err, out)
		}
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_local_port_range", []byte(portRange), 0); err != nil {
		return fmt.Errorf("set the range of local ports: %w", err)
	}
	return nil
}

// raiseFileLimit raises the limit as far as it may: the root of a container
// may not go beyond the hard one.
func raiseFileLimit() error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	enough := unix.Rlimit{Cur: openFiles, Max: max(openFiles, limit.Max)}
	if unix.Setrlimit(unix.RLIMIT_NOFILE, &enough) == nil {
		return nil
	}
	limit.Cur = limit.Max
	return unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
}

// fileLimit is how many files a process may have open.
func fileLimit() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return int(limit.Cur)
}
