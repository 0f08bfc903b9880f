package faults

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// A server that gets a twentieth of one processor, less than it would take, is late and
// ends nobody for it. The quota is that of a control group of version 1 where there are
// such, as in a container that may write to /sys/fs/cgroup; elsewhere the server is
// nice 19 beside busy loops, on a processor that all of them share.
func TestAStarvedServerEndsNobody(t *testing.T) {
	f := begin(t, "I5")
	f.canary.excused = 5 * time.Second
	const viewers = 15 // of each publisher: the server wants more than it gets
	n := f.scale(15, 25)
	var publishers, players []member
	for i := range n {
		for range viewers {
			players = append(players, f.must(host(i), channelOf(i), stage.Watching))
		}
		publishers = append(publishers, f.must(host(i), channelOf(i), stage.Publishing))
	}
	f.figure("means", f.starve())
	during := f.lasting(time.Duration(f.scale(8, 60)) * time.Second)
	busy, start := f.processor(), time.Now()
	var feeding sync.WaitGroup
	for i, publisher := range publishers {
		feeding.Go(func() {
			if sent := publisher.feed(during); during.Err() == nil {
				f.Errorf("publisher %d was ended after %d messages", i, sent)
			}
		})
	}
	feeding.Wait()
	f.figure("publishers", n)
	f.figure("players", len(players))
	f.figure("processors", fmt.Sprintf("%.2f", (f.processor()-busy).Seconds()/time.Since(start).Seconds()))
	for i, m := range append(publishers, players...) {
		if m.seen.AwaitEnd(0) {
			f.Errorf("session %d has ended", i)
		}
	}
	for i, m := range players {
		f.eventually(2*stage.Soon, "pictures on "+channelOf(i/viewers), func() bool { return m.saw(stage.VideoFrame) })
	}
	f.joinsAtOnce()
}

// starve leaves the server little of the processors until the test ends, and says
// how.
func (f *fault) starve() (means string) {
	f.Helper()
	pid := strconv.Itoa(f.server.Cmd.Process.Pid)
	group := filepath.Join("/sys/fs/cgroup/cpu", "starved-"+pid)
	if err := os.Mkdir(group, 0o700); err != nil {
		f.crowdOut(pid)
		return "busy loops"
	}
	f.Cleanup(func() { // the server goes back where it came from
		_ = os.WriteFile("/sys/fs/cgroup/cpu/cgroup.procs", []byte(pid), 0o600)
		if err := os.Remove(group); err != nil {
			f.Error(err)
		}
	})
	for file, text := range map[string]string{"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "5000"} {
		if err := os.WriteFile(filepath.Join(group, file), []byte(text), 0o600); err != nil {
			f.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte(pid), 0o600); err != nil {
		f.Fatal(err)
	}
	return "quota"
}

// crowdOut has the server share the first processor with four who want all of it.
func (f *fault) crowdOut(pid string) {
	f.Helper()
	for _, command := range [][]string{{"taskset", "-a", "-p", "-c", "0", pid}, {"renice", "-n", "19", "-p", pid}} {
		if err := stage.StartProgram(f.T, command[0], command[1:]...).Wait(stage.Soon); err != nil {
			f.Error(err)
		}
	}
	for range 4 {
		stage.StartProgram(f.T, "taskset", "-c", "0", "sh", "-c", "while :; do :; done")
	}
}
