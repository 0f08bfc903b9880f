package fanout

import "testing"

func TestSettleWaitsForPassesUnderWay(t *testing.T) {
	var all Passes
	all.Settle() // there are none
	f := &fan{}
	all.add(f)
	all.Settle()
	f.passing.Lock()
	settled := make(chan struct{})
	over := false
	go func() {
		all.Settle()
		if !over { // guarded by the pass
			t.Error("it did not wait for the pass")
		}
		close(settled)
	}()
	over = true
	f.passing.Unlock()
	<-settled
	all.remove(f)
	f.passing.Lock() // of one that has ended
	all.Settle()
}
