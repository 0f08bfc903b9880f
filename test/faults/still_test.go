package faults

import "testing"

// Without any fault, the canary sings and nothing is left behind: what the other
// tests find is of their own making.
func TestNothingHappens(t *testing.T) {
	t.Parallel()
	f := begin(t, "A0")
	f.canary.await(25)
}
