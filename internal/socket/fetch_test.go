package socket

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// record is about as large as what a pass finds of a viewer.
type record struct {
	words [72]uint64
	next  *record
}

func TestFetchChangesNothing(t *testing.T) {
	r := record{next: new(record)}
	r.words[0], r.words[71] = 1, 2
	before := r
	Fetch(&r)
	Fetch(&r.words[71])
	Fetch((*record)(nil))
	Fetch(&struct{}{})
	if r != before {
		t.Error("what was fetched is not what it was")
	}
	new(Writer).Fetch()
}

// BenchmarkFetch looks at records in an order that no processor foresees, and works
// for as long as a system call between them.
func BenchmarkFetch(b *testing.B) {
	const records = 20_000
	all := make([]*record, records)
	for i := range all {
		all[i] = new(record)
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(records, func(i, j int) { all[i], all[j] = all[j], all[i] })
	for _, fetched := range []bool{false, true} {
		b.Run(fmt.Sprintf("fetched=%v", fetched), func(b *testing.B) {
			var sum uint64
			for i := 0; b.Loop(); i++ {
				if fetched {
					Fetch(all[(i+1)%records])
				}
				sum += work(sum) + look(all[i%records])
			}
			b.ReportMetric(float64(sum%2), "sum")
		})
	}
}

// look meets one line of the record after the other, each because of the one before.
func look(r *record) uint64 {
	at := uint64(0)
	for line := range uint64(9) {
		at += r.words[line*8+at]
	}
	return at
}

func work(n uint64) uint64 {
	for range 1000 {
		n = n*6364136223846793005 + 1442695040888963407
	}
	return n & 1
}
