package browser

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// foreignPage is a page of another origin, as operators build them.
const foreignPage = `<!doctype html><video muted autoplay></video><script src="/mpegts.js"></script><script>
const player = mpegts.createPlayer({ type: 'flv', isLive: true, url: %q });
player.attachMediaElement(document.querySelector('video'));
player.load();
player.play();
</script>`

// A page of another origin plays by HTTP and by WebSocket.
func TestPagesOfOthersPlay(t *testing.T) {
	addr, port := stage.FreeAddr(t, "127.0.0.1")
	s, _ := serve(t, "HTTP_PORT="+port)
	publish(t, s, "small", "show/key")
	for protocol, scheme := range map[string]string{"http-flv": "http", "ws-flv": "ws"} {
		t.Run(protocol, func(t *testing.T) {
			page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/mpegts.js" {
					http.ServeFile(w, r, filepath.Join("..", "..", "internal", "dashboard", "site", "mpegts", "mpegts.js"))
					return
				}
				_, _ = io.WriteString(w, fmt.Sprintf(foreignPage, scheme+"://"+addr+"/show/key.flv"))
			}))
			t.Cleanup(page.Close)
			w := start(t, "viewer", page.URL)
			var playing struct{ Frames, Changed int }
			if w.await(1, "playing", &playing); playing.Frames < 30 || playing.Changed < 100 {
				t.Errorf("%d frames changed %d values of the picture", playing.Frames, playing.Changed)
			}
			w.finish()
			s.AwaitLines(1, stage.Soon, "msg=end", "protocol="+protocol)
		})
	}
}
