package faults

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// secrets are what no output may show, each a word that is nowhere else.
var secrets = map[string]string{
	"a stream key":               "kq7SecretStreamKey1",
	"a key that was refused":     "wx4SecretRefusedKey2",
	"a key that is guessed":      "vy9SecretGuessedKey3",
	"a token behind a key":       "ut2SecretQueryToken4",
	"the callback's password":    "sr5SecretCallbackPw5",
	"the secret of the tokens":   stage.CallbackSecret,
	"the password of Redis":      "po3SecretRedisPasswd7",
	"the administration's token": "nm6SecretAdminToken8-0123456789abcdef",
	"a token that is guessed":    "lj8SecretWrongToken9-0123456789abcdef",
}

// pages are what operators can ask for; some of them are not in every version.
var pages = []string{
	"/", "/healthz", "/readyz", "/metrics", "/login", "/nothing",
	"/debug/pprof/", "/debug/pprof/cmdline", "/debug/pprof/symbol", "/debug/pprof/goroutine?debug=1", "/debug/pprof/goroutine?debug=2",
	"/debug/pprof/heap?debug=1", "/debug/pprof/heap", "/debug/pprof/allocs?debug=1", "/debug/pprof/block?debug=1",
	"/debug/pprof/mutex?debug=1", "/debug/pprof/threadcreate?debug=1", "/debug/pprof/trace?seconds=1", "/debug/pprof/profile?seconds=1",
	"/api/v1/status", "/api/v1/channels", "/api/v1/channels/secret", "/api/v1/channels/nobody", "/api/v1/sessions", "/api/v1/sessions/1",
	"/api/v1/ends", "/api/v1/settings", "/api/v1/openapi.json",
}

// Everything that the server says, to whomever, is searched for secrets as they are
// and as they may be encoded. test/e2e has servers whose backends are not there, and
// internal/server what a log says at each step.
func TestNoOutputShowsASecret(t *testing.T) {
	t.Parallel()
	backend := stage.StartBackend(t, "", nil)
	backend.Answer = func(w http.ResponseWriter, e stage.Event) {
		if e.Key == secrets["a key that was refused"] {
			http.Error(w, e.Key+" "+e.Token, http.StatusForbidden)
			return
		}
		backend.Accept(w, e)
	}
	target, err := url.Parse(backend.URL)
	if err != nil {
		t.Fatal(err)
	}
	target.User = url.UserPassword("user", secrets["the callback's password"])
	redis := stage.StartRedis(t, "--requirepass", "another")
	f := begin(t, "J3", redis.Settings(
		"REDIS_PASSWORD="+secrets["the password of Redis"], "ADMIN_TOKEN="+secrets["the administration's token"],
		"CALLBACK_URL="+target.String(), "JWT_SECRET="+secrets["the secret of the tokens"], "LOG_DEBUG=YES", "MAX_IP_CONCURRENT_CONNECTIONS=0",
	)...)
	told := f.useSecrets()
	outputs := f.ask()
	outputs["what clients were told"] = told
	f.server.AwaitLine(stage.RedisLost)
	// Settings that cannot be used are quoted in what the server says of them.
	for _, setting := range []string{"RTMP_PORT=none", "RTMP_PORT=0"} {
		settings := append(slices.Clone(f.server.Cmd.Env), setting, "ADMIN_ADDRESS=nowhere")
		for _, args := range [][]string{nil, {"--check"}, {"--help"}} {
			_, stdout, stderr := stage.Run(t, settings, args...)
			outputs[fmt.Sprint(setting, args)] = []byte(stdout + stderr)
		}
	}
	f.canary.finish()
	f.server.Stop()
	f.restarted = true
	outputs["log"] = []byte(strings.Join(f.server.Log.All(), "\n"))
	size := 0
	for name, text := range outputs {
		size += len(text)
		for _, leak := range leaked(text, backend.Events.All()) {
			f.Errorf("%s shows %s", name, leak)
		}
	}
	f.figure("outputs", len(outputs))
	f.figure("bytes", size)
}

// useSecrets has clients show theirs in every place, and returns what they were told.
func (f *fault) useSecrets() []byte {
	f.Helper()
	var told bytes.Buffer
	play := func(from, key string, how func(*rtmp.Client, uint32, string) error) {
		c, err := dial(f, from, f.server.Addr, nil)
		if err != nil {
			f.Fatal(err)
		}
		err = c.Start("secret", key, how)
		if rest := c.Record(); err != nil {
			fmt.Fprintln(&told, err)
			rest.AwaitEnd(stage.Soon)
			for _, m := range rest.All() {
				told.Write(m.Payload)
			}
		}
	}
	token := "?token=" + secrets["a token behind a key"]
	play(host(1), secrets["a key that was refused"]+token, stage.Publishing)
	play(host(2), secrets["a stream key"]+token, stage.Publishing)
	play(host(3), secrets["a stream key"], stage.Watching)
	for range 8 { // until guesses are counted
		play(host(4), secrets["a key that is guessed"]+token, stage.Watching)
	}
	play(host(5), secrets["a key that is guessed"], stage.Publishing) // the channel is busy
	play(host(6), strings.Repeat(secrets["a stream key"], 20), stage.Publishing)
	play(host(7), secrets["a stream key"]+"/"+secrets["a key that is guessed"], stage.Publishing)
	return told.Bytes()
}

// ask gets every page as the operator, as somebody with a wrong token, and as nobody.
func (f *fault) ask() map[string][]byte {
	f.Helper()
	outputs := make(map[string][]byte)
	answered := 0
	for who, token := range map[string]string{
		"operator": f.token, "guesser": secrets["a token that is guessed"], "nobody": "",
	} {
		client := http.Client{Timeout: 2 * stage.Soon, Transport: &http.Transport{DisableKeepAlives: true}}
		for _, page := range pages {
			request, err := http.NewRequestWithContext(f.Context(), http.MethodGet, f.administration()+page, nil)
			if err != nil {
				f.Fatal(err)
			}
			if token != "" {
				request.Header.Set("Authorization", "Bearer "+token)
			}
			answer, err := client.Do(request)
			if err != nil {
				f.Errorf("%s for %s: %v", page, who, err)
				continue
			}
			text, err := io.ReadAll(answer.Body)
			_ = answer.Body.Close()
			if err != nil {
				f.Errorf("%s for %s: %v", page, who, err)
			}
			if answer.StatusCode == http.StatusOK {
				answered++
			}
			outputs[page+" for "+who] = append(fmt.Append(nil, answer.Header), text...)
		}
	}
	if answered < 10 {
		f.Errorf("only %d pages were answered", answered)
	}
	return outputs
}

// leaked lists the secrets in a text, tokens that were sent among them.
func leaked(text []byte, events []stage.Event) (found []string) {
	words := maps.Clone(secrets)
	for i, e := range events {
		if parts := strings.Split(e.Token, "."); len(parts) == 3 {
			words[fmt.Sprintf("the signature of token %d", i)] = parts[2]
		}
	}
	for name, secret := range words {
		for how, form := range map[string]string{
			"as it is": secret, "in base64": base64.RawStdEncoding.EncodeToString([]byte(secret)), "in hex": hex.EncodeToString([]byte(secret)),
			"in part": secret[len(secret)/4 : 3*len(secret)/4],
		} {
			if bytes.Contains(text, []byte(form)) {
				found = append(found, name+" "+how)
			}
		}
	}
	return found
}

// The search finds what it is for.
func TestSecretsAreFound(t *testing.T) {
	t.Parallel()
	key := secrets["a stream key"]
	for text, leaks := range map[string]bool{
		"key=***": false, "key=" + key[:2] + "***": false, "key=" + key: true, key[:len(key)-2]: true,
		hex.EncodeToString([]byte(key)): true, base64.StdEncoding.EncodeToString([]byte(key)): true,
	} {
		if found := leaked([]byte(text), nil); len(found) > 0 != leaks {
			t.Errorf("in %q there is %q", text, found)
		}
	}
}
