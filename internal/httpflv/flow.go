package httpflv

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/gobwas/ws"

	"github.com/AgustinSRG/rtmp-server/internal/connerr"
	"github.com/AgustinSRG/rtmp-server/internal/faultinject"
	"github.com/AgustinSRG/rtmp-server/internal/media"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/internal/socket"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// flow is how far a viewer has got.
type flow struct {
	cursor stream.Cursor
	// lag is how far behind the viewer was at its end.
	lag time.Duration
	// head is the header of the answer, nil once it was sent, and for a WebSocket.
	head http.Header
	// met says that the viewer has had a log.
	met bool
	// opened says that the header of FLV was sent.
	opened bool
	// served says that the cursor has come to media.
	served bool
	// told is how many missed messages the log was told of, at toldAt.
	told   uint64
	toldAt time.Duration
}

// Wake implements stream.Viewer: it writes what there is, or has whoever is
// writing look again. It never waits for the player.
func (v *viewer) Wake(pages stream.Pages) { v.wake(true, pages) }

// Expect implements stream.Viewer.
func (v *viewer) Expect() { socket.Fetch(v) }

func (v *viewer) wake(pass bool, pages stream.Pages) {
	if v.turn.Take() {
		v.serve(pass, pages)
	}
}

// serve uses the turn for one batch, or hands it to a goroutine.
func (v *viewer) serve(pass bool, pages stream.Pages) {
	defer v.isolate()
	b := batches.Get().(*batch)
	b.pass, b.pages = pass, pages
	v.out.direct.Fetch()
	for {
		ended := v.gather(b)
		more := b.full() && !b.common()
		switch err := v.writeNow(b); {
		case err != nil:
			v.fail(err)
			return
		case !b.written() || more:
			b.pages = nil
			v.server.running.Go(func() { v.drain(b, ended) })
			return
		case ended:
			b.recycle()
			close(v.done)
			return
		case v.turn.Give():
			b.recycle()
			return
		}
	}
}

// writeNow writes as much of the batch as goes without waiting.
func (v *viewer) writeNow(b *batch) error {
	if !v.out.direct.Exists() {
		return nil
	}
	for !b.written() {
		b.next()
		n, err := v.out.writeNow(b)
		v.written.Add(uint64(n))
		if err != nil || len(b.step) > 0 {
			return err
		}
	}
	return nil
}

// drain writes until nothing is left, and waits where it has to.
func (v *viewer) drain(b *batch, ended bool) {
	defer v.isolate()
	for {
		if err := v.writeAll(b); err != nil {
			v.fail(err)
			return
		}
		if ended {
			b.recycle()
			close(v.done)
			return
		}
		ended = v.gather(b)
		if b.written() && !ended && v.turn.Give() {
			b.recycle()
			return
		}
	}
}

// writeAll writes the batch step by step.
func (v *viewer) writeAll(b *batch) error {
	for !b.written() {
		b.next()
		v.blocked.Store(int64(v.server.now()))
		if err := v.out.setDeadline(time.Now().Add(stallTimeout)); err != nil {
			return err
		}
		n, err := v.out.write(b)
		v.written.Add(uint64(n))
		if err != nil {
			return err
		}
	}
	v.blocked.Store(0)
	return nil
}

// fail ends the viewer because it cannot be written.
func (v *viewer) fail(err error) {
	v.cause.CompareAndSwap(nil, &ending{connerr.WriteReason(err), err})
	v.noteLag()
	v.out.cut()
	close(v.done)
}

// gather collects what there is to write, and reports whether that is the last.
func (v *viewer) gather(b *batch) (ended bool) {
	b.reset()
	if v.cause.Load() == nil {
		v.fill(b)
	}
	cause := v.cause.Load() // which filling may have found
	if b.front = v.takeControl(b.front); len(b.front) > 0 {
		b.shared = nil // the others do not get this
	}
	switch {
	case v.head != nil && cause != nil && !v.opened:
		v.refuse(b, cause.reason)
	case v.head != nil && v.opened:
		v.open(b)
	}
	v.frame(b, cause != nil)
	if v.frames && cause != nil {
		b.add(appendFrame(nil, ws.OpClose, ws.NewCloseFrameBody(closeCodeOf(cause.reason), string(cause.reason))))
	}
	b.seal()
	if cause != nil {
		v.noteLag()
		v.leave()
	}
	return cause != nil
}

// lineEnd ends a chunk, and lastChunk a body (RFC 9112 section 7.1).
var lineEnd, lastChunk = []byte("\r\n"), []byte("0\r\n\r\n")

// frame makes the media of a batch a message of a WebSocket, or a chunk of a body.
func (v *viewer) frame(b *batch, ended bool) {
	switch {
	case v.frames && b.size > 0:
		b.front = appendFrameHeader(b.front, ws.OpBinary, b.size)
	case v.chunked && b.size > 0:
		b.front = append(strconv.AppendInt(b.front, int64(b.size), 16), lineEnd...)
		b.endWith(lineEnd)
	}
	if v.chunked && v.opened && ended {
		b.add(lastChunk)
	}
}

// open writes the header of the answer that has the media.
func (v *viewer) open(b *batch) {
	if v.out.answer != nil {
		mediaHeader(v.out.answer.Header())
		v.out.answer.WriteHeader(http.StatusOK)
	} else {
		if v.chunked {
			v.head.Set("Transfer-Encoding", "chunked")
		}
		b.front = appendHeader(b.front, http.StatusOK, v.head)
	}
	v.head = nil
}

// refuse writes the answer of a viewer for whom there is no media.
func (v *viewer) refuse(b *batch, reason stream.Reason) {
	status := answerOf(reason)
	if v.out.answer != nil {
		answer(v.out.answer, status)
	} else {
		for _, name := range []string{"Content-Type", "X-Accel-Buffering"} {
			v.head.Del(name)
		}
		v.head.Set("Content-Length", "0")
		b.front = appendHeader(b.front, status, v.head)
	}
	v.head = nil
}

// appendHeader appends a header of HTTP/1.1 for the last answer of a connection.
func appendHeader(dst []byte, status int, h http.Header) []byte {
	out := bytes.NewBuffer(dst)
	_, _ = fmt.Fprintf(out, "HTTP/1.1 %d %s\r\nConnection: close\r\nDate: %s\r\n",
		status, http.StatusText(status), time.Now().UTC().Format(http.TimeFormat))
	_ = h.Write(out)
	out.WriteString("\r\n")
	return out.Bytes()
}

// fill adds to the batch what the viewer has not got yet. In a pass of the fan-out
// it goes no further than the others.
func (v *viewer) fill(b *batch) {
	faultinject.At(faultinject.Gather, v.request.channel)
	if !v.opened && !v.introduce(b) {
		return
	}
	v.advance(b)
	if !v.cursor.IsOpen() {
		return
	}
	v.place.Note(&v.cursor)
	if !v.served && v.cursor.Withheld() > 0 && !v.cursor.Playable() {
		v.end(stream.ReasonNoTrack)
	}
}

func (v *viewer) advance(b *batch) {
	if v.cursor.IsOpen() && !v.fillRun(b) {
		v.catchUp()
	}
	for !b.full() {
		if !v.cursor.IsOpen() && !v.join() || b.pass && v.cursor.AtJoint() {
			break
		}
		m, err := v.cursor.Next()
		if err != nil {
			v.leave()
			continue
		}
		if m == nil {
			break
		}
		v.served = v.served || m.Type != rtmp.TypeData
		b.add(v.cursor.Tags(m))
	}
}

// fillRun adds what came since the last pass in one piece, which is all that most
// viewers need.
func (v *viewer) fillRun(b *batch) bool {
	if !b.pass || !v.served {
		return false
	}
	tags := v.cursor.JoinedTags()
	if tags == nil {
		return false
	}
	b.addShared(tags)
	return true
}

// join starts with the present publication, if there is one.
func (v *viewer) join() bool {
	log := v.subscription.Log()
	if log == nil {
		if v.met && v.subscription.Over() {
			v.end(ReasonEnded)
		}
		return false
	}
	if !v.met {
		v.met = true
		v.waiting.Stop()
	}
	v.served = false
	v.cursor.Open(log, v.request.start)
	v.place.Join(&v.cursor)
	if !v.opened {
		v.cursor.Introduce()
	}
	v.cursor.SetCapabilities(v.request.capabilities)
	return true
}

// introduce adds the header of FLV, once enough is known of the publication. The
// cursor stands where the viewer joined by then, so that nothing is missed.
func (v *viewer) introduce(b *batch) bool {
	if !v.cursor.IsOpen() && !v.join() {
		return false
	}
	audio, video, settled := v.cursor.Kinds()
	if !settled {
		return false
	}
	if !audio && !video {
		audio, video = true, true // so far there is only data
	}
	b.add(media.AppendFLVHeader(nil, audio, video))
	v.opened = true
	return true
}

// noteLag notes how far behind the viewer is at its end.
func (v *viewer) noteLag() { v.lag = max(v.lag, v.session().Lag) }

// leave comes to the end of a publication.
func (v *viewer) leave() {
	v.place.Leave(&v.cursor)
	v.cursor.Close()
}

// catchUp moves a viewer that is too far behind to the newest keyframe group, and
// tells the log now and then.
func (v *viewer) catchUp() {
	skipped, ok := v.cursor.CatchUp(lagLimit)
	if !ok {
		return
	}
	v.place.Skip()
	v.place.Note(&v.cursor)
	now := v.server.now()
	if v.toldAt != 0 && now-v.toldAt < lagLogInterval {
		return
	}
	missed := v.moved().Skipped
	v.log.Warn("player too slow, skipped to the newest keyframe",
		"channel", v.request.channel, "lag", skipped.Lag.Round(time.Millisecond), "limit", lagLimit,
		"messages_skipped", missed-v.told)
	v.told, v.toldAt = missed, now
}
