package httpflv

import (
	"errors"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// joins returns the viewer of a channel that somebody opens, who has its first media.
func (f *fixture) joins(w way, channel string) (*viewer, *film) {
	f.t.Helper()
	there := f.open()
	in, err := w.open(f, "/"+channel+"/secret.flv")
	if err != nil {
		f.t.Fatal(err)
	}
	film := open(f.t, in, "5")
	film.want("VAK")
	now := f.open()
	return now[slices.IndexFunc(now, func(v *viewer) bool { return !slices.Contains(there, v) })], film
}

// readsOn reads until the viewer ends.
func readsOn(film *film) {
	for err := error(nil); err == nil; {
		_, err = film.tag()
	}
}

// stalls publishes until a viewer who does not read gets nothing any more, while
// another one of the channel does.
func (p *publisher) stalls(t *testing.T, stuck, keeps *viewer) {
	t.Helper()
	const groups = 3 // in which nothing moves
	for still, last := 0, uint64(0); still < groups; still++ {
		p.burst(1, 60_000)
		until(t, func() bool { return keeps.session().Lag == 0 })
		if n := stuck.written.Load(); n != last || stuck.blocked.Load() == 0 {
			still, last = 0, n
		}
	}
}

// Viewers who do not read are closed when their media is needed, those first for whom
// most is kept, and nobody who keeps up. They wait neither to read a goodbye nor for
// being found stalled, as one is that stopped reading before them.
func TestViewersFarthestBehindMakeRoom(t *testing.T) {
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			f, o := newObserved(t, nil)
			slow, fast := f.publish("slow"), f.publish("fast")
			slow.send("VAK")
			fast.send("VAK")
			keepsSlow, film := f.joins(ways[0], "slow")
			go readsOn(film)
			keepsFast, film := f.joins(ways[0], "fast")
			go readsOn(film)
			waits := rawHTTP(t, f.addr)
			until(t, func() bool { return len(f.Sessions()) == 3 })
			if n := stream.EndStragglers(f.Stragglers(), 1<<40); n != 0 {
				t.Errorf("%d viewers were closed although nobody was behind", n)
			}

			stuck, _ := f.joins(ways[0], "slow")
			slow.stalls(t, stuck, keepsSlow)
			most, _ := f.joins(w, "fast")
			fast.stalls(t, most, keepsFast)
			fast.burst(8, 60_000)
			until(t, func() bool { return keepsFast.session().Lag == 0 })
			if n := stream.EndStragglers(f.Stragglers(), 1); n != 1 {
				t.Errorf("%d viewers were closed, want 1", n)
			}
			if c := most.out.conn; c != nil && !errors.Is(c.SetDeadline(time.Time{}), net.ErrClosed) {
				t.Error("its connection is still open")
			}
			o.want(t, "player "+string(most.protocol)+" fast "+string(stream.ReasonBehind))
			if n := stream.EndStragglers(f.Stragglers(), 1<<40); n != 1 {
				t.Errorf("%d viewers were closed, want the last one that is behind", n)
			}
			o.want(t, "player http-flv slow "+string(stream.ReasonBehind))
			if n := len(f.Sessions()); n != 3 {
				t.Errorf("%d viewers are left, want those who keep up and who waits", n)
			}
			_ = waits.Close()
			o.want(t, "player http-flv live "+string(stream.ReasonClientClosed))
		})
	}
}
