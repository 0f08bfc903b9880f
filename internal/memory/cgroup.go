package memory

import (
	"bytes"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// noLimit is from which on a number stands for none: cgroup v1 writes the largest
// multiple of a page that there is.
const noLimit = 1 << 60

// cgroup is the group of processes, of those that this one is in, whose memory is
// bounded most tightly.
type cgroup struct {
	system fs.FS
	dir    string
	files  *cgroupFiles
	limit  int64
}

// cgroupFiles are the names of what the kernel tells of a group.
type cgroupFiles struct {
	limit, used string
	// cache is what the kernel would give up first, in memory.stat.
	cache string
}

var (
	cgroupV1 = cgroupFiles{"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"}
	cgroupV2 = cgroupFiles{"memory.max", "memory.current", "inactive_file"}
)

// findCgroup returns nil if no group bounds the memory.
func findCgroup(system fs.FS) *cgroup {
	text, err := fs.ReadFile(system, "proc/self/cgroup")
	if err != nil {
		return nil
	}
	var tightest *cgroup
	for line := range strings.Lines(string(text)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		files, mount := &cgroupV1, "sys/fs/cgroup/memory"
		switch {
		case parts[1] == "":
			files, mount = &cgroupV2, "sys/fs/cgroup"
		case !slices.Contains(strings.Split(parts[1], ","), "memory"):
			continue
		}
		if c := tightestOf(system, files, mount, parts[2]); c != nil && (tightest == nil || c.limit < tightest.limit) {
			tightest = c
		}
	}
	return tightest
}

// tightestOf looks at a group and at those it is in. In a container the path may be
// the one outside of it, which does not exist inside: what counts then is the root.
func tightestOf(system fs.FS, files *cgroupFiles, mount, group string) (tightest *cgroup) {
	for group = path.Clean("/" + group); ; group = path.Dir(group) {
		c := &cgroup{system: system, dir: path.Join(mount, group), files: files}
		limit, ok := c.number(files.limit)
		if c.limit = limit; ok && limit > 0 && limit < noLimit && (tightest == nil || limit < tightest.limit) {
			tightest = c
		}
		if group == "/" {
			return tightest
		}
	}
}

// number reads a file that holds one.
func (c *cgroup) number(file string) (int64, bool) {
	text, err := fs.ReadFile(c.system, path.Join(c.dir, file))
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(string(bytes.TrimSpace(text)), 10, 64) // "max" is none
	return n, err == nil
}

// used returns what the group uses, without files that the kernel keeps as long as
// there is room; 0 if that cannot be read. Those are looked up only where they could
// make a difference: the kernel has to add them up.
func (c *cgroup) used() int64 {
	used, _ := c.number(c.files.used)
	if float64(used) < calmBelow*float64(c.limit) {
		return used
	}
	text, err := fs.ReadFile(c.system, path.Join(c.dir, "memory.stat"))
	if err != nil {
		return used
	}
	for line := range strings.Lines(string(text)) {
		if name, value, _ := strings.Cut(strings.TrimSpace(line), " "); name == c.files.cache {
			n, _ := strconv.ParseInt(value, 10, 64)
			return max(0, used-n)
		}
	}
	return used
}
