package hook

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"slices"
)

// compactAbove is the size in bytes beyond which the journal is written anew, with the open sessions only. It keeps a server
// that runs for months from filling the disk. A journal whose open sessions alone are that large may grow to twice their size.
const compactAbove = 1 << 20

// rewrite replaces the journal by one of the open sessions only, and syncs it. Either the old or the new one survives a crash in between.
func (j *journal) rewrite() error {
	size, err := j.writeOpen()
	if err != nil {
		return fmt.Errorf("write new journal: %w", err)
	}
	j.discard() // Windows renames nothing onto an open file
	if err := j.dir.Rename(rewriteName, journalName); err != nil {
		return fmt.Errorf("replace journal: %w", err)
	}
	if err := syncDirectory(j.dir); err != nil {
		return fmt.Errorf("sync state directory: %w", err)
	}
	file, err := j.dir.OpenFile(journalName, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return fmt.Errorf("open journal: %w", err)
	}
	j.file, j.size, j.compacted, j.synced = file, size, size, j.last
	return nil
}

// writeOpen writes the open sessions to the file that is to replace the journal, down to the disk.
func (j *journal) writeOpen() (size int64, err error) {
	// What a crash left there may have been made with another mode.
	if err := j.dir.Remove(rewriteName); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	file, err := j.dir.OpenFile(rewriteName, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	buffer := bufio.NewWriter(file)
	for _, r := range j.openRecords() {
		line, err := r.encode()
		if err != nil {
			return 0, err
		}
		n, _ := buffer.Write(line) // the error stays until Flush
		size += int64(n)
	}
	if err := buffer.Flush(); err != nil {
		return 0, err
	}
	return size, file.Sync()
}

// openRecords returns the starts of the open sessions in their order.
func (j *journal) openRecords() []record {
	var records []record
	for s, numbers := range j.open {
		for _, seq := range numbers {
			records = append(records, startRecord(seq, s))
		}
	}
	return sorted(records)
}

func sorted(records []record) []record {
	slices.SortFunc(records, func(a, b record) int { return cmp.Compare(a.Seq, b.Seq) })
	return records
}

// syncDirectory makes a rename last. Windows has nothing of the kind, and needs it not.
func syncDirectory(dir *os.Root) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := dir.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
