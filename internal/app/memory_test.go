package app

import (
	"testing"

	"github.com/AgustinSRG/rtmp-server/internal/config"
	"github.com/AgustinSRG/rtmp-server/internal/memory"
)

func TestMemoryIsDivided(t *testing.T) {
	const mb = 1 << 20
	for _, test := range []struct {
		name                                 string
		limit, cache, total                  int64
		wantChannel, wantAll, wantIncomplete int64
	}{
		{"no limit known", 0, 256, 0, 256, 0, 0},
		{"no limit known, all channels bounded", 0, 256, 100, 100, 100, 0},
		{"much", 4096, 256, 0, 256, 1024, 1024},
		{"little", 200, 256, 0, 50, 50, 50},
		{"all channels bounded", 4096, 256, 300, 256, 300, 1024},
		{"no cache", 4096, 0, 0, 0, 1024, 1024},
	} {
		b := divide(memory.Limit{Bytes: test.limit * mb}, config.Settings{CacheBytes: test.cache * mb, CacheTotal: test.total * mb})
		if b.channel != test.wantChannel*mb || b.caches != test.wantAll*mb || b.incomplete != test.wantIncomplete*mb {
			t.Errorf("%s: %d for a channel, %d for all, %d for incomplete messages", test.name, b.channel/mb, b.caches/mb, b.incomplete/mb)
		}
	}
}
