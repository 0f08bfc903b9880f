package memory

import (
	"math"
	"runtime/debug"
	"testing"
	"testing/fstest"
)

const mib = 1 << 20

// system is a file system with files of the given content.
func system(files map[string]string) fstest.MapFS {
	fsys := make(fstest.MapFS)
	for name, content := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return fsys
}

const meminfo = "MemTotal:        2097152 kB\nMemFree:          100000 kB\n"

func TestTheLimitThatHoldsIsFound(t *testing.T) {
	v1 := map[string]string{
		"proc/meminfo":     meminfo,
		"proc/self/cgroup": "3:cpu,cpuacct:/a\n2:name=systemd:/\n1:hugetlb,memory:/a/b\n",
		"sys/fs/cgroup/memory/memory.limit_in_bytes":     "9223372036854771712\n",
		"sys/fs/cgroup/memory/a/memory.limit_in_bytes":   "268435456\n",
		"sys/fs/cgroup/memory/a/b/memory.limit_in_bytes": "536870912\n",
		"sys/fs/cgroup/memory/a/b/c/memory.max":          "1\n",
	}
	v2 := map[string]string{
		"proc/meminfo":                                              meminfo,
		"proc/self/cgroup":                                          "0::/system.slice/rtmp-server.service\n",
		"sys/fs/cgroup/system.slice/memory.max":                     "max\n",
		"sys/fs/cgroup/memory.max":                                  "1073741824\n", // of a container
		"sys/fs/cgroup/system.slice/memory.stat":                    "",
		"sys/fs/cgroup/system.slice/rtmp-server.service/memory.max": "104857600\n",
	}
	container := map[string]string{
		"proc/self/cgroup":         "0::/../../outside\n",
		"sys/fs/cgroup/memory.max": "104857600\n",
	}
	hybrid := map[string]string{
		"proc/self/cgroup":                           "1:memory:/\n0::/\n",
		"sys/fs/cgroup/memory/memory.limit_in_bytes": "314572800\n",
	}
	for _, test := range []struct {
		name             string
		files            map[string]string
		setting, runtime int64
		bytes            int64
		source           Source
		heap, soft       int64
		dir              string
	}{
		{name: "nothing known", source: FromNowhere},
		{name: "the machine", files: map[string]string{"proc/meminfo": meminfo}, bytes: 2048 * mib, source: FromMachine, heap: 2048 * mib},
		{name: "setting", setting: 1000 * mib, bytes: 1000 * mib, source: FromSetting, heap: 1000 * mib / 100 * 80, soft: 1000 * mib / 100 * 80},
		{name: "GOMEMLIMIT", files: map[string]string{"proc/meminfo": meminfo}, runtime: 200 * mib, bytes: 200 * mib, source: FromRuntime, heap: 200 * mib},
		{name: "setting beside GOMEMLIMIT", setting: 300 * mib, runtime: 200 * mib, bytes: 300 * mib, source: FromSetting, heap: 200 * mib},
		{name: "setting below GOMEMLIMIT", setting: 100 * mib, runtime: 200 * mib, bytes: 100 * mib, source: FromSetting, heap: 100 * mib},
		{
			name: "the tightest group of version 1", files: v1,
			bytes: 256 * mib, source: FromCgroup, heap: 256 * mib / 100 * 80, soft: 256 * mib / 100 * 80, dir: "sys/fs/cgroup/memory/a",
		},
		{
			name: "the tightest group of version 2", files: v2,
			bytes: 100 * mib, source: FromCgroup, heap: 80 * mib, soft: 80 * mib, dir: "sys/fs/cgroup/system.slice/rtmp-server.service",
		},
		{
			name: "a path from outside of the container", files: container,
			bytes: 100 * mib, source: FromCgroup, heap: 80 * mib, soft: 80 * mib, dir: "sys/fs/cgroup",
		},
		{
			name: "both versions", files: hybrid,
			bytes: 300 * mib, source: FromCgroup, heap: 240 * mib, soft: 240 * mib, dir: "sys/fs/cgroup/memory",
		},
		{
			name: "GOMEMLIMIT in a group", files: v1, runtime: 200 * mib,
			bytes: 200 * mib, source: FromRuntime, heap: 200 * mib, dir: "sys/fs/cgroup/memory/a",
		},
		{
			name: "GOMEMLIMIT in a tighter group", files: v2, runtime: 200 * mib,
			bytes: 100 * mib, source: FromCgroup, heap: 100 * mib, dir: "sys/fs/cgroup/system.slice/rtmp-server.service",
		},
		{
			name: "setting in a tighter group", files: v2, setting: 4096 * mib,
			bytes: 100 * mib, source: FromCgroup, heap: 80 * mib, soft: 80 * mib, dir: "sys/fs/cgroup/system.slice/rtmp-server.service",
		},
		{name: "files without sense", files: map[string]string{
			"proc/meminfo": "MemTotal: much kB\nMemTotal:\n", "proc/self/cgroup": "x\n:\n0::/a\n1:memory:/\n",
			"sys/fs/cgroup/a/memory.max": "-5", "sys/fs/cgroup/memory.max": "",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "0",
		}, source: FromNowhere},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := Find(system(test.files), test.setting, test.runtime)
			dir := ""
			if l.cgroup != nil {
				dir = l.cgroup.dir
			}
			if l.Bytes != test.bytes || l.Source != test.source || l.Heap != test.heap || l.Soft != test.soft || dir != test.dir {
				t.Errorf("got %d from %s, heap %d, soft %d, group %q\nwant %d from %s, heap %d, soft %d, group %q",
					l.Bytes, l.Source, l.Heap, l.Soft, dir, test.bytes, test.source, test.heap, test.soft, test.dir)
			}
		})
	}
}

func TestWhatAGroupUses(t *testing.T) {
	const stat = "cache 5\ninactive_file 41943040\nactive_file 1\ntotal_inactive_file 10485760\n"
	for _, test := range []struct {
		name  string
		files *cgroupFiles
		have  map[string]string
		want  int64
	}{
		{"little", &cgroupV2, map[string]string{"g/memory.current": "52428800\n", "g/memory.stat": stat}, 50 * mib},
		{"version 2", &cgroupV2, map[string]string{"g/memory.current": "94371840\n", "g/memory.stat": stat}, 50 * mib},
		{"version 1", &cgroupV1, map[string]string{"g/memory.usage_in_bytes": "94371840\n", "g/memory.stat": stat}, 80 * mib},
		{"without details", &cgroupV2, map[string]string{"g/memory.current": "94371840\n"}, 90 * mib},
		{"with others", &cgroupV2, map[string]string{"g/memory.current": "94371840\n", "g/memory.stat": "x 1\n"}, 90 * mib},
		{"more files than memory", &cgroupV2, map[string]string{"g/memory.current": "94371840\n", "g/memory.stat": "inactive_file 94371841\n"}, 0},
		{"unreadable", &cgroupV2, nil, 0},
	} {
		c := &cgroup{system: system(test.have), dir: "g", files: test.files, limit: 100 * mib}
		if got := c.used(); got != test.want {
			t.Errorf("%s: %d bytes, want %d", test.name, got, test.want)
		}
	}
}

func TestTheLimitOfTheRuntimeIsSetOnlyWhereItHasTo(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	debug.SetMemoryLimit(math.MaxInt64)
	if got := RuntimeLimit(); got != 0 {
		t.Errorf("without a limit: %d", got)
	}
	Limit{}.Apply()
	if got := RuntimeLimit(); got != 0 {
		t.Errorf("a limit of %d was set", got)
	}
	Limit{Soft: 1 << 40}.Apply()
	if got := RuntimeLimit(); got != 1<<40 {
		t.Errorf("the limit is %d, want %d", got, 1<<40)
	}
}
