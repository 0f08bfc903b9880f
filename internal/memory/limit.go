package memory

import (
	"bytes"
	"io/fs"
	"math"
	"runtime/debug"
	"strconv"
)

// Source says where a limit comes from.
type Source string

// The sources of a limit.
const (
	FromSetting Source = "MEMORY_LIMIT_MB"
	FromRuntime Source = "GOMEMLIMIT"
	FromCgroup  Source = "cgroup"
	FromMachine Source = "physical memory"
	FromNowhere Source = "none"
)

// Limit is how much memory the process may use.
type Limit struct {
	// Bytes is what everything may take together; 0 means that no limit is known.
	Bytes  int64
	Source Source
	// Heap is the part of it for what the Go runtime manages, without the kernel's
	// buffers.
	Heap int64
	// Soft is what the runtime's own limit has to be set to, 0 if it stays as it is.
	Soft int64

	cgroup *cgroup // nil if the process is in none that has a limit
}

// heapShare is the part of a limit that the runtime gets, in percent: the kernel
// charges the buffers of sockets to the same account.
const heapShare = 80

// Find returns the limit that holds: the setting, or GOMEMLIMIT, both in bytes and
// 0 if they are not given, or that of the cgroup, or the memory of the machine. A
// cgroup with less than the first two wins. The system is the root of the file
// system; where it has no /proc, as on systems other than Linux, only what was
// given counts.
func Find(system fs.FS, setting, runtimeLimit int64) Limit {
	l := Limit{Source: FromNowhere, cgroup: findCgroup(system)}
	switch {
	case setting > 0:
		l.Bytes, l.Source = setting, FromSetting
	case runtimeLimit > 0:
		l.Bytes, l.Source = runtimeLimit, FromRuntime
	}
	if l.cgroup != nil && (l.Bytes == 0 || l.cgroup.limit < l.Bytes) {
		l.Bytes, l.Source = l.cgroup.limit, FromCgroup
	}
	if l.Bytes == 0 {
		if l.Bytes = physical(system); l.Bytes > 0 {
			l.Source = FromMachine
		}
	}
	l.Heap = l.Bytes
	switch {
	case runtimeLimit > 0:
		l.Heap = min(runtimeLimit, l.Bytes)
	case l.Source == FromSetting || l.Source == FromCgroup:
		l.Heap = l.Bytes / 100 * heapShare
		l.Soft = l.Heap
	}
	return l
}

// RuntimeLimit returns GOMEMLIMIT in bytes, 0 if there is none. It means that only
// until [Limit.Apply] is called.
func RuntimeLimit() int64 {
	limit := debug.SetMemoryLimit(-1)
	if limit == math.MaxInt64 {
		return 0
	}
	return limit
}

// Apply sets the limit of the runtime, if it has to be set.
func (l Limit) Apply() {
	if l.Soft > 0 {
		debug.SetMemoryLimit(l.Soft)
	}
}

// physical returns the memory of the machine, 0 if it is not known.
func physical(system fs.FS) int64 {
	text, err := fs.ReadFile(system, "proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(text) {
		fields := bytes.Fields(line)
		if len(fields) == 3 && string(fields[0]) == "MemTotal:" && string(fields[2]) == "kB" {
			kib, _ := strconv.ParseInt(string(fields[1]), 10, 53) // 0 if it is no number
			return max(0, kib) << 10
		}
	}
	return 0
}
