//go:build !amd64 && !arm64

package socket

// fetch does nothing: the memory is fetched when it is used.
func fetch(uintptr, uintptr) {}
