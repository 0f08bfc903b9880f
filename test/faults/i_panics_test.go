package faults

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/faultinject"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// sessionPoints are where a session of a channel of the same name breaks, and at
// which of its passes.
var sessionPoints = map[faultinject.Point]int{
	faultinject.Read: 5, faultinject.Command: 1, faultinject.Authorize: 1, faultinject.Claimed: 1, faultinject.Append: 10,
	faultinject.Pass: 7, faultinject.Gather: 5, faultinject.Unpublish: 1, faultinject.LastLine: 1, faultinject.Registry: 1,
	faultinject.Deliver: 1,
}

// A bug, wherever it is, ends the session in whose work it is: its channel, its
// place and what was promised to the backend are given back. internal/server has
// panics at each of these points and the order in which things are let go.
func TestAPanicEndsOneSession(t *testing.T) {
	t.Parallel()
	backend := stage.StartBackend(t, "", nil)
	backend.Answer = backend.Accept
	redis := stage.StartRedis(t)
	points := []string{"deadline", "accept:7", "execute@kept"}
	for point, pass := range sessionPoints {
		points = append(points, fmt.Sprintf("%s@%s:%d", point, point, pass))
	}
	settings := slices.Concat(redis.Settings(), callback(backend), []string{
		"FAULTINJECT=" + strings.Join(points, ","), "MAX_IP_CONCURRENT_CONNECTIONS=4",
	})
	f := beginAs(t, "I10", faultyServer(t), settings...)
	f.complaints = "msg=panic"
	const attacker = "127.1.8.1"
	silent, err := f.connect(host(100), f.server.Addr) // whose deadline is the first
	if err != nil {
		f.Fatal(err)
	}
	panics := f.panicsAtTheDoor()
	for point := range sessionPoints {
		before := f.panics()
		f.breakSession(string(point), attacker)
		if f.eventually(stage.Soon, "a panic at "+string(point), func() bool { return f.panics() == before+1 }) {
			panics++
		}
		f.worksAgain(string(point), attacker)
	}
	panics += f.panicInACommand(redis)
	if _, ok := silent.outlived(handshakeLimit + late); !ok {
		f.Error("a silent connection outlives the bug in its deadline")
	}
	panics++
	if n := f.panics(); n != panics || panics != len(points) {
		f.Errorf("%d panics were counted, and %d seen, of %d", n, panics, len(points))
	}
	f.server.AwaitLine("level=ERROR msg=panic", "stack=")
	ended := f.ended("internal error")
	if ended < len(sessionPoints)/2 { // of the others a request or a line was lost
		f.Errorf("%d sessions have ended for a bug", ended)
	}
	f.figure("points", len(points))
	f.figure("sessions ended", ended)
	f.figure("starts, each stopped", f.pairs(backend))
	if f.server.Cmd.Process.Signal(syscall.Signal(0)) != nil {
		f.Error("the process has ended")
	}
}

func (f *fault) panics() int {
	f.Helper()
	return int(f.metric("rtmp_panics_total"))
}

// panicsAtTheDoor connects until accepting one breaks, and returns how often it did.
func (f *fault) panicsAtTheDoor() int {
	f.Helper()
	for i := range 10 {
		r, err := f.connect(host(200+i), f.server.Addr)
		if err == nil {
			err = r.handshake()
			r.reset()
		}
		if err != nil {
			break
		}
	}
	f.eventually(stage.Soon, "a panic at the door", func() bool { return f.panics() == 1 })
	return 1
}

// breakSession uses a channel until one of its sessions has come to its end.
func (f *fault) breakSession(channel, from string) {
	f.Helper()
	player, err := f.take(from, channel, stage.Watching)
	if err == nil {
		defer player.Reset()
	}
	publisher, err := f.take(from, channel, stage.Publishing)
	if err != nil {
		return
	}
	defer publisher.Reset()
	publisher.feed(f.lasting(300 * time.Millisecond))
	if rival, err := f.take(from, channel, stage.Publishing); err == nil { // asks the registry
		rival.Reset()
	}
	_ = publisher.WriteMessage(rtmp.Command{Name: "_checkbw"}.Message(0))
	_ = publisher.WriteMessage(rtmp.Command{Name: "deleteStream", Args: []any{float64(publisher.Stream)}}.Message(0))
	_ = publisher.Conn.CloseWrite()
	publisher.seen.AwaitEnd(stage.Soon)
}

// worksAgain wants a channel to be free, to be seen, and an address to have all of
// its places.
func (f *fault) worksAgain(channel, from string) {
	f.Helper()
	var publisher member
	if !f.eventually(stage.Soon, "the channel "+channel+" is free", func() (free bool) {
		var err error
		publisher, err = f.take(from, channel, stage.Publishing)
		return err == nil
	}) {
		return
	}
	players := make([]member, 0, 3)
	for range cap(players) {
		if !f.eventually(stage.Soon, "a place after a panic at "+channel, func() bool {
			player, err := f.take(from, channel, stage.Watching)
			if err == nil {
				players = append(players, player)
			}
			return err == nil
		}) {
			break
		}
	}
	publisher.feed(f.lasting(100 * time.Millisecond))
	for _, player := range players {
		f.eventually(stage.Soon, "pictures on "+channel, func() bool { return player.saw(stage.Keyframe) })
		player.Reset()
	}
	publisher.Reset()
}

// panicInACommand breaks a command of Redis, and wants the next one carried out.
func (f *fault) panicInACommand(redis *stage.Redis) int {
	f.Helper()
	before := f.panics()
	kept := f.must(host(150), "kept", stage.Publishing)
	redis.Publish("kill-session>kept")
	f.eventually(stage.Soon, "a panic in a command", func() bool { return f.panics() == before+1 })
	redis.Publish("kill-session>kept")
	if !kept.seen.AwaitEnd(stage.Soon) {
		f.Error("no command is carried out after a panic in one")
	}
	return 1
}
