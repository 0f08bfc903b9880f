package main

import (
	"bytes"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// accepted are the claims of a start that is accepted.
func accepted() jwt.MapClaims {
	return jwt.MapClaims{
		"sub": "rtmp_event", "event": "start", "channel": "live", "key": testKey, "client_ip": "192.0.2.7",
		"iat": time.Now().Unix(), "exp": time.Now().Add(2 * time.Minute).Unix(), "jti": "once",
		"rtmp_host": "rtmp.example", "rtmp_port": 1935,
	}
}

// sign returns a token of these claims, with the given ones in place of those of
// the same name; nil removes one.
func sign(t *testing.T, secret string, changes jwt.MapClaims) string {
	t.Helper()
	return signAs(t, jwt.SigningMethodHS256, []byte(secret), changes)
}

func signAs(t *testing.T, method jwt.SigningMethod, secret any, changes jwt.MapClaims) string {
	t.Helper()
	claims := accepted()
	maps.Copy(claims, changes)
	maps.DeleteFunc(claims, func(_ string, value any) bool { return value == nil })
	token, err := jwt.NewWithClaims(method, claims).SignedString(secret)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// post hands an event to a handler.
func post(h http.Handler, method, token string) *http.Response {
	request := httptest.NewRequest(method, "/", nil)
	request.Header.Set("rtmp-event", token)
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, request)
	return recorder.Result()
}

// streamID is what the server takes for an id.
var streamID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}$`)

func TestEvents(t *testing.T) {
	valid := sign(t, testSecret, nil)
	stop := jwt.MapClaims{"event": "stop", "stream_id": "stream-1"}
	past := time.Now().Add(-time.Second).Unix()
	tests := []struct {
		name   string
		token  string
		status int
		log    string
	}{
		{"valid start", valid, 200, "start accepted"},
		{"unknown channel", sign(t, testSecret, jwt.MapClaims{"channel": "other"}), 403, "unknown channel or wrong key"},
		{"no channel", sign(t, testSecret, jwt.MapClaims{"channel": nil, "key": nil}), 403, "unknown channel or wrong key"},
		{"wrong key", sign(t, testSecret, jwt.MapClaims{"key": "wrong"}), 403, "unknown channel or wrong key"},
		{"beginning of the key", sign(t, testSecret, jwt.MapClaims{"key": testKey[:6]}), 403, "unknown channel or wrong key"},
		{"key of another channel", sign(t, testSecret, jwt.MapClaims{"channel": "second"}), 403, "unknown channel or wrong key"},

		{"stop", sign(t, testSecret, stop), 200, "msg=stop channel=live client_ip=192.0.2.7 stream_id=stream-1"},
		{"stop of a channel that is gone from the file", sign(t, testSecret, jwt.MapClaims{"event": "stop", "channel": "gone"}), 200, "msg=stop"},
		{"expired stop", sign(t, testSecret, jwt.MapClaims{"event": "stop", "exp": past}), 403, "expired"},
		{"another event", sign(t, testSecret, jwt.MapClaims{"event": "pause"}), 403, "neither start nor stop"},
		{"no event", sign(t, testSecret, jwt.MapClaims{"event": nil}), 403, "neither start nor stop"},

		{"algorithm none", signAs(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil), 403, "signing method none is invalid"},
		{"algorithm HS512", signAs(t, jwt.SigningMethodHS512, []byte(testSecret), nil), 403, "signing method HS512 is invalid"},
		{"wrong secret", sign(t, strings.Repeat("x", minSecret), nil), 403, "signature is invalid"},
		{"no signature", valid[:strings.LastIndex(valid, ".")+1], 403, "signature is invalid"},
		{"expired", sign(t, testSecret, jwt.MapClaims{"exp": past}), 403, "expired"},
		{"without an end", sign(t, testSecret, jwt.MapClaims{"exp": nil}), 403, "exp claim is required"},
		{"wrong subject", sign(t, testSecret, jwt.MapClaims{"sub": "login"}), 403, "invalid subject"},
		{"no subject", sign(t, testSecret, jwt.MapClaims{"sub": nil}), 403, "sub claim is required"},
		{"no token", "", 403, "malformed"},
		{"no token but text", "a.b.c", 403, "malformed"},
	}
	keys := keysOf(t, "live "+testKey+"\nsecond "+testKey[1:]+"\n")
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var log bytes.Buffer
			h := newHandler([]byte(testSecret), keys, slog.New(slog.NewTextHandler(&log, nil)))
			reply := post(h, http.MethodPost, test.token)
			_ = reply.Body.Close()
			if reply.StatusCode != test.status {
				t.Errorf("status %d, expected %d", reply.StatusCode, test.status)
			}
			id, isStart := reply.Header.Get("stream-id"), test.log == "start accepted"
			if isStart != streamID.MatchString(id) || !isStart && id != "" {
				t.Errorf("stream-id %q", id)
			}
			if line := log.String(); !strings.Contains(line, test.log) || strings.Count(line, "\n") != 1 || strings.Contains(line, testKey[1:]) {
				t.Errorf("log %q, expected one line with %q and without the key", line, test.log)
			}
		})
	}
}

func TestEachStartGetsAStreamOfItsOwn(t *testing.T) {
	h := newHandler([]byte(testSecret), keysOf(t, "live "+testKey), discard())
	seen := map[string]bool{}
	for range 100 {
		reply := post(h, http.MethodPost, sign(t, testSecret, nil))
		_ = reply.Body.Close()
		seen[reply.Header.Get("stream-id")] = true
	}
	if len(seen) != 100 {
		t.Errorf("%d ids in 100 starts", len(seen))
	}
}

func TestOnlyPostIsAnEvent(t *testing.T) {
	h := newHandler([]byte(testSecret), keysOf(t, "live "+testKey), discard())
	reply := post(h, http.MethodGet, sign(t, testSecret, nil))
	_ = reply.Body.Close()
	if reply.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("status %d", reply.StatusCode)
	}
}
