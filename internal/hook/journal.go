package hook

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"sync"
)

// The files in the state directory.
const (
	journalName = "stops.journal"
	rewriteName = "stops.journal.new"
	lockName    = "stops.lock"
)

// journal is the file that accepted starts and finished stops are appended to. The nil journal remembers nothing.
type journal struct {
	dir  *os.Root
	lock *os.File
	log  *slog.Logger

	// syncing is held while records go down to the disk, and taken before mu. Starts that come meanwhile wait for it
	// together, and one sync serves them all: after a restart all encoders come back at once, and disks take 10 ms for each.
	syncing sync.Mutex

	mu sync.Mutex
	// file is nil after a write failed: how much of it is on disk is anyone's guess, so the next one starts a new file.
	file *os.File
	// size is that of file, and compacted what it was when it was last written anew.
	size, compacted int64
	// open holds the sequence numbers of sessions that started and whose stop is not over. Two sessions may look the same,
	// as the backend may use an id twice; then it does not matter which of them stops first.
	open map[session][]uint64
	// last is the number of the newest start, and synced that of the newest one on disk.
	last, synced uint64
	failing      bool // for the log
}

// openJournal locks the directory and returns its journal with the sessions that are open in it, oldest first.
func openJournal(path string, log *slog.Logger) (*journal, []session, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, nil, fmt.Errorf("make state directory: %w", err)
	}
	dir, err := os.OpenRoot(path)
	if err != nil {
		return nil, nil, fmt.Errorf("open state directory: %w", err)
	}
	j := &journal{dir: dir, log: log, open: make(map[session][]uint64)}
	if err := j.begin(); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("state directory %s: %w", path, err), j.close())
	}
	var died []session
	for _, r := range j.openRecords() {
		died = append(died, r.session())
	}
	return j, died, nil
}

func (j *journal) begin() (err error) {
	if j.lock, err = j.dir.OpenFile(lockName, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return fmt.Errorf("open lock: %w", err)
	}
	if err := lockFile(j.lock); err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	if err := j.load(); err != nil {
		return err
	}
	// A torn line at the end would spoil the next one, so the old file is never appended to.
	return j.rewrite()
}

// load reads the open sessions.
func (j *journal) load() error {
	file, err := j.dir.Open(journalName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open journal: %w", err)
	}
	defer func() { _ = file.Close() }()
	records, skipped, err := readRecords(file)
	if err != nil {
		return fmt.Errorf("read journal: %w", err)
	}
	if skipped > 0 {
		j.log.Warn("parts of the journal of stop events cannot be read and are skipped", "lines", skipped)
	}
	for _, r := range sorted(records) {
		j.last++ // numbered anew, as nothing of the old file stays
		j.open[r.session()] = append(j.open[r.session()], j.last)
	}
	return nil
}

// started records an accepted start. It is on disk when started returns without an error.
func (j *journal) started(s session) error {
	if j == nil {
		return nil
	}
	seq, err := j.begun(s)
	if err == nil {
		err = j.sync(seq)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if err != nil {
		j.forget(s, seq)
		err = fmt.Errorf("%w: %w", ErrJournal, err)
	}
	j.note(err)
	return err
}

// begun writes the record of a start, and returns its number.
func (j *journal) begun(s session) (seq uint64, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	seq = j.last + 1
	line, err := startRecord(seq, s).encode()
	if err != nil {
		return 0, err
	}
	j.last = seq
	j.open[s] = append(j.open[s], seq)
	return seq, j.write(line)
}

// sync returns when the start with the given number is on disk.
func (j *journal) sync(seq uint64) error {
	j.syncing.Lock()
	defer j.syncing.Unlock()
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.synced >= seq {
		return nil
	}
	if j.file == nil { // another record failed, and nobody knows what became of this one
		return j.rewrite()
	}
	file, last := j.file, j.last
	j.mu.Unlock()
	err := file.Sync()
	j.mu.Lock()
	switch {
	case j.synced >= last: // the file has been replaced meanwhile
		return nil
	case err == nil:
		j.synced = last
	case file == j.file:
		j.discard()
	}
	return err
}

// stopped records that the stop of s is over. It need not reach the disk: a stop may be sent twice.
func (j *journal) stopped(s session) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.open[s]) == 0 {
		return // its start could not be recorded
	}
	seq := j.open[s][0]
	j.forget(s, seq)
	line, err := stopRecord(seq).encode()
	if err == nil {
		err = j.write(line)
	}
	j.note(err)
}

// forget removes an open session.
func (j *journal) forget(s session, seq uint64) {
	j.open[s] = slices.DeleteFunc(j.open[s], func(n uint64) bool { return n == seq })
	if len(j.open[s]) == 0 {
		delete(j.open, s)
	}
}

// note logs when writing begins to fail, and when it works again.
func (j *journal) note(err error) {
	switch {
	case err != nil && !j.failing:
		j.log.Error("journal of stop events cannot be written", "error", err)
	case err == nil && j.failing:
		j.log.Info("journal of stop events is written again")
	}
	j.failing = err != nil
}

// write appends a line whose meaning is part of open already.
func (j *journal) write(line []byte) error {
	if j.file == nil || j.size > max(compactAbove, 2*j.compacted) {
		return j.rewrite()
	}
	n, err := j.file.Write(line)
	j.size += int64(n)
	if err != nil {
		j.discard()
	}
	return err
}

// discard gives the file up.
func (j *journal) discard() {
	if j.file != nil {
		_ = j.file.Close()
		j.file = nil
	}
}

// close releases the directory.
func (j *journal) close() error {
	if j == nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	var errs []error
	if j.file != nil {
		errs = append(errs, j.file.Sync(), j.file.Close())
	}
	if j.lock != nil {
		errs = append(errs, j.lock.Close())
	}
	return errors.Join(append(errs, j.dir.Close())...)
}
