//go:build !linux || portable

package server

const directInputs = false
