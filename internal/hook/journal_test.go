package hook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/access"
)

func numbered(i int) session {
	return session{access.Request{Channel: "live", Key: fmt.Sprint("key", i), Client: netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})}, fmt.Sprint("id", i)}
}

// open opens the journal of a directory, which is closed with the test at the latest.
func open(t testing.TB, dir string) (*journal, []session, *lines) {
	t.Helper()
	log := &lines{}
	j, died, err := openJournal(dir, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.close() })
	return j, died, log
}

func mustClose(t testing.TB, j *journal) {
	t.Helper()
	if err := j.close(); err != nil {
		t.Error(err)
	}
}

func mustRead(t testing.TB, dir string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, journalName))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func put(t testing.TB, dir string, journal []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, journalName), journal, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTheJournalTellsWhichSessionsDied(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "by", "the journal")
	j, died, _ := open(t, dir)
	if died != nil {
		t.Fatal(died)
	}
	weird := session{access.Request{Channel: "a \"b\"\n\\", Key: "é\u2028", Client: netip.MustParseAddr("fe80::1%eth0")}, "x"}
	nowhere := session{access.Request{Channel: "live", Key: "k"}, "x"}
	for _, s := range []session{numbered(1), numbered(2), weird, numbered(3), nowhere, numbered(3), numbered(4)} {
		if err := j.started(s); err != nil {
			t.Fatal(err)
		}
	}
	j.stopped(numbered(2))
	j.stopped(numbered(3)) // one of the two that look the same
	j.stopped(numbered(5)) // never started
	mustClose(t, j)
	want := []session{numbered(1), weird, nowhere, numbered(3), numbered(4)}
	for range 2 { // reading changes nothing
		j, died, log := open(t, dir)
		if !reflect.DeepEqual(died, want) || log.String() != "" {
			t.Errorf("died\n got %v\nwant %v\nlog %s", died, want, log)
		}
		mustClose(t, j)
	}
}

func TestTheJournalIsForItsOwnerOnly(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{journalName, rewriteName, lockName} { // as somebody careless left them
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(dir, name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	open(t, dir)
	info, err := os.Stat(filepath.Join(dir, journalName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestTwoProcessesDoNotShareADirectory(t *testing.T) {
	o := Options{URL: "http://backend.example", Secret: []byte(testSecret), StateDir: t.TempDir()}
	first, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(o); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), o.StateDir) {
		t.Errorf("second: %v", err)
	}
	if err := first.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	third, err := New(o)
	if err != nil {
		t.Fatalf("after the first one is gone: %v", err)
	}
	if err := third.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

// cut is a journal of many starts and stops, and what must be open in it when only its first n bytes are left.
func cut(t *testing.T) (journal []byte, open func(n int) []session) {
	var text bytes.Buffer
	type line struct {
		end int
		session
		stop bool
	}
	var all []line
	for i := range 12 {
		for _, r := range []record{startRecord(uint64(i+1), numbered(i)), stopRecord(uint64(i - 2))} {
			if r.Op == opStop && i%3 != 0 || r.Seq == 0 {
				continue
			}
			encoded, err := r.encode()
			if err != nil {
				t.Fatal(err)
			}
			text.Write(encoded)
			s := numbered(int(r.Seq) - 1)
			all = append(all, line{text.Len(), s, r.Op == opStop})
		}
	}
	return text.Bytes(), func(n int) []session {
		var open []session
		for _, l := range all {
			if l.end-1 > n { // all but the line end is enough
				break
			}
			if l.stop {
				open = slices.DeleteFunc(open, func(s session) bool { return s == l.session })
			} else {
				open = append(open, l.session)
			}
		}
		return open
	}
}

func TestAJournalCutAnywhereLosesNothingBeforeTheCut(t *testing.T) {
	journal, want := cut(t)
	dir := t.TempDir()
	for n := range len(journal) + 1 {
		put(t, dir, journal[:n])
		j, died, log := open(t, dir)
		if !reflect.DeepEqual(died, want(n)) {
			t.Fatalf("cut at %d: died\n got %v\nwant %v", n, died, want(n))
		}
		if strings.Count(log.String(), "\n") > 1 {
			t.Fatalf("cut at %d: log %s", n, log)
		}
		if err := j.started(numbered(200)); err != nil { // a torn line must not spoil the next one
			t.Fatal(err)
		}
		mustClose(t, j)
		j, died, _ = open(t, dir)
		if !reflect.DeepEqual(died, append(want(n), numbered(200))) {
			t.Fatalf("cut at %d and continued: died %v", n, died)
		}
		mustClose(t, j)
	}
}

func TestADamagedLineCostsNoOther(t *testing.T) {
	var text []byte
	for i := range 3 {
		line, err := startRecord(uint64(i+1), numbered(i)).encode()
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, line...)
	}
	first, second := bytes.IndexByte(text, '\n')+1, bytes.LastIndexByte(text[:len(text)-1], '\n')
	dir := t.TempDir()
	for i := first; i < second; i++ {
		damaged := slices.Clone(text)
		damaged[i] ^= 0x20
		put(t, dir, damaged)
		j, died, log := open(t, dir)
		if want := []session{numbered(0), numbered(2)}; !reflect.DeepEqual(died, want) || log.count("WARN") != 1 {
			t.Fatalf("damaged at %d: died %v, log %s", i, died, log)
		}
		mustClose(t, j)
	}
}

func TestForeignLinesAreSkipped(t *testing.T) {
	good, err := startRecord(7, numbered(7)).encode()
	if err != nil {
		t.Fatal(err)
	}
	other, err := startRecord(8, numbered(8)).encode()
	if err != nil {
		t.Fatal(err)
	}
	sealed := func(text string) string {
		return fmt.Sprintf("%08x %s\n", crc(text), text)
	}
	for _, foreign := range []string{
		"\n", "x\n", strings.Repeat("x", maxRecord) + "\n", strings.Repeat("x", 3*maxRecord+5) + "\n", strings.Repeat("x", maxRecord) + string(other), sealed("{"), sealed("null"), sealed(`{"op":"other","seq":1}`),
		sealed(`{"op":"start","seq":1,"stream_id":"no id"}`), sealed(`{"op":"start","seq":1,"stream_id":""}`), sealed(`{"op":"start","seq":1,"stream_id":"a","client":"nobody"}`),
		sealed(`{"op":"start","seq":1,"stream_id":"` + strings.Repeat("a", maxStreamID+1) + `"}`),
	} {
		dir := t.TempDir()
		put(t, dir, []byte(foreign+string(good)+foreign))
		_, died, log := open(t, dir)
		if !reflect.DeepEqual(died, []session{numbered(7)}) || log.count("lines=2") != 1 {
			t.Errorf("%.40q: died %v, log %s", foreign, died, log)
		}
	}
}

func TestTheJournalDoesNotGrowForEver(t *testing.T) {
	dir := t.TempDir()
	j, _, _ := open(t, dir)
	if err := j.started(numbered(0)); err != nil {
		t.Fatal(err)
	}
	j.size = compactAbove // as after weeks
	if err := j.started(numbered(1)); err != nil {
		t.Fatal(err)
	}
	if j.size <= compactAbove {
		t.Fatal("compacted too soon")
	}
	j.stopped(numbered(0))
	if n := int64(len(mustRead(t, dir))); n > 200 || j.size != n || j.compacted != n {
		t.Errorf("%d bytes, counted as %d and %d", n, j.size, j.compacted)
	}
	if err := j.started(numbered(2)); err != nil {
		t.Fatal(err)
	}
	mustClose(t, j)
	if _, died, _ := open(t, dir); !reflect.DeepEqual(died, []session{numbered(1), numbered(2)}) {
		t.Errorf("died %v", died)
	}
}

func TestAnInterruptedCompactionLosesNothing(t *testing.T) {
	dir := t.TempDir()
	j, _, _ := open(t, dir)
	if err := j.started(numbered(1)); err != nil {
		t.Fatal(err)
	}
	mustClose(t, j)
	if err := os.WriteFile(filepath.Join(dir, rewriteName), []byte("half a jour"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, died, _ := open(t, dir); !reflect.DeepEqual(died, []session{numbered(1)}) {
		t.Errorf("died %v", died)
	}
}

func TestManyStartsShareTheirSyncs(t *testing.T) {
	dir := t.TempDir()
	j, _, _ := open(t, dir)
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			s := numbered(i)
			if err := j.started(s); err != nil {
				t.Error(err)
			}
			if i%2 == 0 {
				j.stopped(s)
			}
			if i%50 == 0 { // as if the file had become too long, so that it is replaced under those who sync
				j.mu.Lock()
				j.size = compactAbove + 1
				j.mu.Unlock()
			}
		})
	}
	all.Wait()
	mustClose(t, j)
	_, died, _ := open(t, dir)
	if len(died) != 100 {
		t.Errorf("%d sessions died, want 100", len(died))
	}
	for _, s := range died {
		var i int
		if _, err := fmt.Sscanf(s.streamID, "id%d", &i); err != nil || i%2 == 0 {
			t.Errorf("died %v, %v", s, err)
		}
	}
}

func TestARecordOfUnknownFateIsWrittenAgain(t *testing.T) {
	dir := t.TempDir()
	j, _, _ := open(t, dir)
	if err := j.started(numbered(0)); err != nil || j.synced != j.last {
		t.Fatalf("%v, synced up to %d of %d", err, j.synced, j.last)
	}
	first, err := j.begun(numbered(1))
	if err != nil {
		t.Fatal(err)
	}
	second, err := j.begun(numbered(2))
	if err != nil {
		t.Fatal(err)
	}
	_ = j.file.Close() // as a disk that breaks
	if err := j.sync(first); err == nil {
		t.Error("no error")
	}
	if err := j.sync(second); err != nil {
		t.Error(err)
	}
	if records, _, _ := readRecords(bytes.NewReader(mustRead(t, dir))); len(records) != 3 {
		t.Errorf("records %v", records)
	}
}

// block makes every new journal fail, and returns the remedy.
func block(t *testing.T, dir string) (unblock func()) {
	t.Helper()
	inTheWay := filepath.Join(dir, rewriteName)
	if err := os.MkdirAll(filepath.Join(inTheWay, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.RemoveAll(inTheWay); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAStartThatCannotBeRecordedIsRefusedAndStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		f := newFixture(t, func(o *Options, _ *stub) { o.StateDir = dir })
		f.mustStart()
		unblock := block(t, dir)
		_ = f.journal.file.Close() // as a disk that breaks
		for range 3 {
			f.refused(ErrJournal)
		}
		unblock()
		f.mustStart()
		synctest.Wait()
		stops := ids(f.stub.of("stop"))
		slices.Sort(stops)
		if want := []string{"id-2", "id-3", "id-4"}; !reflect.DeepEqual(stops, want) {
			t.Errorf("stops %q, want %q", stops, want)
		}
		if f.log.count("cannot be written") != 1 || f.log.count("written again") != 1 {
			t.Errorf("log:\n%s", f.log)
		}
		if s := f.Stats(); s.Failed != 3 || s.Accepted != 2 {
			t.Errorf("stats %+v", s)
		}
		f.stop()
		_, died, _ := open(t, dir)
		if len(died) != 2 || died[0].streamID != "id-1" || died[1].streamID != "id-5" {
			t.Errorf("died %v", died)
		}
	})
}

func TestARecordThatIsTooLongIsAnError(t *testing.T) {
	dir := t.TempDir()
	j, _, _ := open(t, dir)
	s := numbered(1)
	s.Key = strings.Repeat("k", maxRecord)
	if err := j.started(s); !errors.Is(err, ErrJournal) || !errors.Is(err, errLongRecord) {
		t.Error(err)
	}
	if err := j.started(numbered(2)); err != nil {
		t.Error(err)
	}
}

func TestAStateDirectoryThatCannotBeUsedIsAnError(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	makeDir := func(names ...string) string {
		in := t.TempDir()
		if err := os.MkdirAll(filepath.Join(append([]string{in}, names...)...), 0o700); err != nil {
			t.Fatal(err)
		}
		return in
	}
	for name, path := range map[string]string{
		"a file":                  file,
		"below a file":            filepath.Join(file, "x"),
		"the lock is a directory": makeDir(lockName),
		"the journal is one":      makeDir(journalName, "x"),
		"the new journal is one":  makeDir(rewriteName, "x"),
	} {
		if _, err := New(Options{URL: "http://backend.example", Secret: []byte(testSecret), StateDir: path}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// crash copies a state directory as it is on disk at this moment, without the lock.
func crash(t *testing.T, dir string) string {
	t.Helper()
	after := t.TempDir()
	put(t, after, mustRead(t, dir))
	return after
}

func TestStopsOfADeadProcessAreSentByTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		refusesStops := func(_ *Options, s *stub) {
			s.reply = func(w http.ResponseWriter, _ *http.Request, e event) {
				if e.name == eventStop && e.id != "id-1" {
					w.WriteHeader(http.StatusServiceUnavailable)
					return
				}
				s.accept(w, e)
			}
		}
		first := newFixture(t, func(o *Options, s *stub) { o.StateDir = dir; refusesStops(o, s) })
		for range 4 {
			first.mustStart()
		}
		first.Stop(wish, "id-1") // delivered
		first.Stop(wish, "id-2") // still queued; the others live
		synctest.Wait()

		second := newFixture(t, func(o *Options, _ *stub) { o.StateDir = crash(t, dir) })
		synctest.Wait()
		stops := second.stub.of("stop")
		got := ids(stops)
		slices.Sort(got)
		if want := []string{"id-2", "id-3", "id-4"}; !reflect.DeepEqual(got, want) {
			t.Fatalf("stops %q, want %q", got, want)
		}
		for _, e := range stops {
			if e.claims["key"] != testKey || e.claims["channel"] != "live" || e.claims["client_ip"] != "192.0.2.7" {
				t.Errorf("claims %v", e.claims)
			}
		}
		if second.log.count("sessions=3") != 1 {
			t.Errorf("log:\n%s", second.log)
		}
		second.stop()

		// The first one ends properly meanwhile, but in vain: its queue is for the next process too.
		first.Stop(wish, "id-3")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := first.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "2 stop events") {
			t.Error(err)
		}
		third := newFixture(t, func(o *Options, _ *stub) { o.StateDir = dir })
		third.stop()
		if n := len(third.stub.of("stop")); n != 3 {
			t.Errorf("%d stops, want 3", n)
		}
		fourth := newFixture(t, func(o *Options, _ *stub) { o.StateDir = dir })
		fourth.stop()
		if n := len(fourth.stub.of("stop")); n != 0 {
			t.Errorf("%d stops, want none", n)
		}
	})
}

func TestAnAcceptedStartIsOnDiskBeforeStartReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		f := newFixture(t, func(o *Options, _ *stub) { o.StateDir = dir })
		var publishers sync.WaitGroup
		for range 50 {
			publishers.Go(func() {
				id := f.mustStart()
				records, _, err := readRecords(bytes.NewReader(mustRead(t, dir)))
				if err != nil || !slices.ContainsFunc(records, func(r record) bool { return r.StreamID == id }) {
					t.Errorf("%s is not in the journal: %v", id, err)
				}
			})
		}
		publishers.Wait()
	})
}

func TestAnAbandonedStartIsInTheJournalToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		var healthy atomic.Bool
		f := newFixture(t, func(o *Options, s *stub) {
			o.StateDir = dir
			s.reply = func(w http.ResponseWriter, _ *http.Request, e event) {
				if e.name == eventStop && !healthy.Load() {
					w.WriteHeader(http.StatusServiceUnavailable)
					return
				}
				time.Sleep(2 * time.Second)
				s.accept(w, e)
			}
		})
		<-f.background(within(t, time.Second))
		time.Sleep(2 * time.Second)
		next := newFixture(t, func(o *Options, _ *stub) { o.StateDir = crash(t, dir) })
		next.stop()
		if got := ids(next.stub.of("stop")); !reflect.DeepEqual(got, []string{"id-1"}) {
			t.Errorf("stops %q", got)
		}
		healthy.Store(true)
	})
}
