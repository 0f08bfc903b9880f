package bench

import (
	"slices"
	"testing"
)

// The last of each part watches: a server may serve the first ones first.
func TestWatchersAreSpreadOverThePlayers(t *testing.T) {
	for _, test := range []struct {
		players, watchers int
		want              []int
	}{
		{300, 4, []int{74, 149, 224, 299}},
		{10, 3, []int{3, 6, 9}},
		{4, 1, []int{3}},
		{2, 4, []int{0, 1}},
		{5, 0, nil},
	} {
		var got []int
		for i := range test.players {
			if watches(i, Options{Players: test.players, Watchers: test.watchers}) {
				got = append(got, i)
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%d of %d players: %v watch, want %v", test.watchers, test.players, got, test.want)
		}
	}
}
