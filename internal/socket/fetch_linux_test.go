//go:build linux && !portable

package socket

import (
	"reflect"
	"testing"
)

// The hint is good for nothing if package net keeps the descriptor elsewhere.
func TestAWriterKnowsWhereItsDescriptorIs(t *testing.T) {
	server, _ := pair(t)
	w := NewWriter(server)
	if want := reflect.ValueOf(server).Elem().FieldByName("fd").Pointer(); w.descriptor != want {
		t.Errorf("the hint is %#x, the descriptor lies at %#x", w.descriptor, want)
	}
	w.Fetch()
}
