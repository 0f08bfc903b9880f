//go:build amd64 || arm64

package socket

// fetch has size bytes from an address on fetched into the cache.
func fetch(address, size uintptr)
