package admin

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const asForm = "Content-Type: application/x-www-form-urlencoded"

func TestLoginAndLogout(t *testing.T) {
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "page") })
	f := run(t, Options{Token: testToken, Page: page})
	if answer, _ := f.want(http.StatusSeeOther, "GET", "/", ""); answer.Header.Get("Location") != "/login" {
		t.Errorf("the page leads to %s", answer.Header.Get("Location"))
	}
	answer, form := f.want(http.StatusOK, "GET", "/login", "")
	if !strings.Contains(form, `name="token"`) || answer.Header.Get("Referrer-Policy") != "same-origin" {
		t.Errorf("the form is %s with %q", form, answer.Header)
	}
	f.want(http.StatusUnauthorized, "POST", "/login", "token=wrong", asForm)
	f.want(http.StatusForbidden, "POST", "/login", "token="+url.QueryEscape(testToken), asForm, "Origin: null")
	answer, _ = f.want(http.StatusSeeOther, "POST", "/login", "token="+url.QueryEscape(testToken), asForm, "Origin: http://"+f.host)
	if len(answer.Cookies) != 1 {
		t.Fatalf("cookies %v", answer.Cookies)
	}
	cookie := answer.Cookies[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.Path != "/" || strings.Contains(cookie.Value, "token") {
		t.Errorf("the cookie is %v", cookie)
	}
	login := "Cookie: " + cookie.Name + "=" + cookie.Value
	f.want(http.StatusOK, "GET", "/", "", login)
	f.want(http.StatusOK, "GET", "/api/v1/status", "", login)
	f.want(http.StatusSeeOther, "GET", "/login", "", login)
	f.want(http.StatusSeeOther, "POST", "/logout", "", login)
	f.want(http.StatusUnauthorized, "GET", "/api/v1/status", "", login)
	if strings.Contains(f.log.String(), testToken) || strings.Contains(f.log.String(), cookie.Value) {
		t.Errorf("the log has a secret: %s", f.log)
	}
}

func TestGuessesOfTheTokenAreBraked(t *testing.T) {
	f := run(t, Options{Token: testToken})
	pass, _ := f.door.logins.issue(struct{}{})
	for i := range maxFailures {
		if i%2 == 0 {
			f.want(http.StatusUnauthorized, "GET", "/api/v1/status", "", "Authorization: Bearer wrong")
		} else {
			f.want(http.StatusUnauthorized, "POST", "/login", "token=wrong", asForm)
		}
	}
	f.want(http.StatusTooManyRequests, "GET", "/api/v1/status", "", bearer())
	f.want(http.StatusTooManyRequests, "POST", "/login", "token="+url.QueryEscape(testToken), asForm)
	f.want(http.StatusOK, "GET", "/api/v1/status", "", "Cookie: "+cookieName+"="+pass)
	f.want(http.StatusUnauthorized, "GET", "/api/v1/status", "") // without a guess
	if n := strings.Count(f.log.String(), "too many wrong tokens"); n != 1 {
		t.Errorf("the log tells of it %d times: %s", n, f.log)
	}
}

func TestTheBrakeHoldsForAMinuteAndOneSubscriber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBrake()
		for i := range maxFailures {
			if last := b.fail("[2001:db8::1]:1000"); last != (i == maxFailures-1) {
				t.Errorf("failure %d makes it hold: %v", i, last)
			}
		}
		for address, want := range map[string]bool{
			"[2001:db8::ffff]:5": true, "[2001:db8:0:1::1]:1000": false, "192.0.2.1:1000": false, "nonsense": false,
		} {
			if b.holds(address) != want {
				t.Errorf("for %s it holds: %v", address, !want)
			}
		}
		time.Sleep(failureWindow) // of the bubble's clock
		if b.holds("[2001:db8::1]:1000") {
			t.Error("it holds for longer")
		}
	})
}

func TestTheBrakeForgetsRatherThanGrows(t *testing.T) {
	b := newBrake()
	for i := range 2 * maxSuspects {
		b.fail(fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255))
	}
	if n := len(b.suspects); n > maxSuspects {
		t.Errorf("it knows %d", n)
	}
}

func TestPassesExpireAndPushEachOtherOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPasses[int](time.Minute, 2)
		first, _ := p.issue(1)
		time.Sleep(time.Second)
		second, _ := p.issue(2)
		time.Sleep(time.Second)
		third, expires := p.issue(3)
		if !expires.Equal(time.Now().Add(time.Minute)) {
			t.Errorf("it expires at %v", expires)
		}
		var valid []int
		for _, text := range []string{first, second, third, ""} {
			if value, ok := p.check(text); ok {
				valid = append(valid, value)
			}
		}
		if !slices.Equal(valid, []int{2, 3}) {
			t.Errorf("%v are valid", valid)
		}
		if _, ok := p.take(second); !ok {
			t.Error("it cannot be taken")
		}
		if _, ok := p.take(second); ok {
			t.Error("it can be taken twice")
		}
		time.Sleep(time.Minute)
		if _, ok := p.check(third); ok || len(p.issued) != 0 {
			t.Error("it does not expire")
		}
	})
}

func TestTicketsShowOneChannelOnce(t *testing.T) {
	preview := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { writeText(w, http.StatusOK, r.PathValue("channel")) })
	f := run(t, Options{Preview: preview})
	ticket := func() string {
		_, body := f.want(http.StatusOK, "GET", "/api/v1/channels/live/play", "")
		_, rest, _ := strings.Cut(body, `"url":"`)
		path, _, _ := strings.Cut(rest, `"`)
		return path
	}
	path := ticket()
	if _, body := f.want(http.StatusOK, "GET", path, ""); body != "live" {
		t.Errorf("%s shows %s", path, body)
	}
	f.want(http.StatusForbidden, "GET", path, "")
	f.want(http.StatusForbidden, "GET", "/preview/live", "")
	f.want(http.StatusForbidden, "GET", strings.Replace(ticket(), "live", "other", 1), "")
}

func TestLoginWithoutATokenIsNone(t *testing.T) {
	d := newDoor("", slog.New(slog.NewTextHandler(io.Discard, nil)))
	r, _ := http.NewRequest(http.MethodPost, "/login", nil)
	if d.try(r, "") == tryRight {
		t.Error("an empty token is right")
	}
}

// Whoever has to log in may see how the form looks, and nothing else.
func TestTheFormHasItsStyle(t *testing.T) {
	f := run(t, Options{Token: testToken})
	_, form := f.want(http.StatusOK, "GET", "/login", "")
	if !strings.Contains(form, `href="/login.css"`) {
		t.Errorf("the form is %s", form)
	}
	answer, style := f.want(http.StatusOK, "GET", "/login.css", "")
	if answer.Header.Get("Content-Type") != "text/css; charset=utf-8" || !strings.Contains(style, "input") {
		t.Errorf("the style is %.100s of %s", style, answer.Header.Get("Content-Type"))
	}
	f.want(http.StatusSeeOther, "GET", "/login.css.map", "")
	f.want(http.StatusMethodNotAllowed, "POST", "/login.css", "")
}
