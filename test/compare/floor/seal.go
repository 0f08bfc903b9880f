//go:build linux

package main

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// recordSize is the most that a TLS record holds (RFC 8446 section 5.1).
	recordSize = 16 << 10
	// recordHeader is what goes in front of it, and is authenticated with it.
	recordHeader = 5
	// sealTime is how long encryption is measured.
	sealTime = 2 * time.Second
)

// measureSeal returns the CPU seconds that AES-128-GCM takes for a GB (1e9
// bytes) in TLS records.
func measureSeal() (float64, error) {
	block, err := aes.NewCipher(make([]byte, 16))
	if err != nil {
		return 0, err
	}
	// As in TLS 1.3, the nonce is a counter mixed with a secret.
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return 0, err
	}
	before, err := cpuTime()
	if err != nil {
		return 0, err
	}
	sealed := sealFor(gcm, sealTime)
	after, err := cpuTime()
	if err != nil {
		return 0, err
	}
	return (after - before).Seconds() / float64(sealed) * 1e9, nil
}

// sealFor seals records of a stream for some time and returns how many bytes
// they held.
func sealFor(gcm cipher.AEAD, d time.Duration) (sealed int) {
	plain := make([]byte, 1<<20)
	record := make([]byte, 0, recordSize+gcm.Overhead())
	nonce := make([]byte, gcm.NonceSize())
	header := []byte{23, 3, 3, (recordSize + 16) >> 8 & 0xFF, (recordSize + 16) & 0xFF}
	const recordsPerLook = 64
	for start := time.Now(); time.Since(start) < d; {
		for range recordsPerLook {
			binary.BigEndian.PutUint64(nonce[4:], uint64(sealed))
			at := sealed % len(plain)
			record = gcm.Seal(record[:0], nonce, plain[at:at+recordSize], header[:recordHeader])
			sealed += recordSize
		}
	}
	return sealed
}

// cpuTime is what this process took so far.
func cpuTime() (time.Duration, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		return 0, fmt.Errorf("read the CPU clock: %w", err)
	}
	return time.Duration(t.Nano()), nil
}
