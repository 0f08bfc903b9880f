package main

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"os"
	"strings"
)

// keyFile is the path of a text file with a line "CHANNEL KEY" for each channel.
// Blank lines and those that begin with # mean nothing. It is read anew for each
// start, so that a change counts at once.
type keyFile string

// keys maps channels to their stream keys.
type keys map[string]string

// read returns the keys. A file that cannot be used as a whole is an error: to go
// by the readable half of it would be a guess. The error never quotes a line.
func (f keyFile) read() (keys, error) {
	text, err := os.ReadFile(string(f))
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	k := keys{}
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if len(fields) != 2 {
			return nil, fmt.Errorf("%s: line %d has %d words, expected CHANNEL KEY", f, number, len(fields))
		}
		channel, key := fields[0], fields[1]
		if _, twice := k[channel]; twice {
			return nil, fmt.Errorf("%s: line %d has a channel that an earlier line has", f, number)
		}
		k[channel] = key
	}
	return k, nil
}

// match reports whether key is that of the channel. How long it takes does not
// depend on how much of the key is right, nor on its length.
func (k keys) match(channel, key string) bool {
	want, known := k[channel]
	wanted, given := sha256.Sum256([]byte(want)), sha256.Sum256([]byte(key))
	return subtle.ConstantTimeCompare(wanted[:], given[:]) == 1 && known
}
