package config

import (
	"errors"
	"log/slog"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/access"
)

// environment looks variables up in a map.
func environment(values map[string]string) Lookup {
	return func(name string) (string, bool) {
		value, ok := values[name]
		return value, ok
	}
}

// one looks up a single variable.
func one(name, value string) Lookup { return environment(map[string]string{name: value}) }

func mustList(t testing.TB, text string) access.List {
	t.Helper()
	list, err := access.ParseList(text)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func defaults(t testing.TB) Settings {
	return Settings{
		RTMPPort:            1935,
		ChunkSize:           60000,
		PlayWhitelist:       mustList(t, "*"),
		IDMaxLength:         128,
		Takeover:            TakeoverIdle,
		CacheBytes:          256 << 20,
		MaxConnectionsPerIP: 4,
		IPv6Prefix:          64,
		LogRequests:         true,
	}
}

// good gives, for each setting, texts that can be used and what Effective shows for them.
var good = map[string][][2]string{
	"BIND_ADDRESS": {
		{"127.0.0.1", "127.0.0.1"}, {"0.0.0.0", "0.0.0.0"}, {"::", "::"}, {"::1", "::1"}, {"[::1]", "::1"}, {"fe80::1%eth0", "fe80::1%eth0"},
		{"[fe80::1%eth0]", "fe80::1%eth0"}, {"localhost", "localhost"}, {"media.example.com.", "media.example.com."}, {"my_app", "my_app"},
		{"4f2b1c", "4f2b1c"}, {" 10.0.0.1\n", "10.0.0.1"}, {strings.Repeat("a", 63) + ".b", strings.Repeat("a", 63) + ".b"},
	},
	"RTMP_PORT":       {{"0", "0"}, {"1", "1"}, {"65535", "65535"}, {" 1936\t", "1936"}, {"+80", "80"}, {"0080", "80"}},
	"RTMP_HOST":       {{"live.example.com", "live.example.com"}, {" a\r\n", "a"}, {"höst:1935", "höst:1935"}, {strings.Repeat("é", 255), strings.Repeat("é", 255)}},
	"RTMP_CHUNK_SIZE": {{"128", "128"}, {"65536", "65536"}, {" 4096 ", "4096"}},
	"RTMP_PLAY_WHITELIST": {
		{"127.0.0.1,10.0.0.0/8", "10.0.0.0/8,127.0.0.1"}, {" ::1 , ::ffff:10.1.2.3/104 ,", "10.0.0.0/8,::1"}, {"*", "*"},
	},
	"ID_MAX_LENGTH":                 {{"1", "1"}, {"1024", "1024"}, {" 64 ", "64"}},
	"MAX_IP_CONCURRENT_CONNECTIONS": {{"0", "0"}, {"1000000", "1000000"}, {" 2 ", "2"}},
	"CONCURRENT_LIMIT_WHITELIST":    {{"127.0.0.1", "127.0.0.1"}, {"*", "*"}, {" fd00::/8 ", "fd00::/8"}},
	"GOP_CACHE_SIZE_MB":             {{"0", "0"}, {"1048576", "1048576"}, {" 16 ", "16"}},
	"PUBLISH_TAKEOVER":              {{"idle", "idle"}, {"never", "never"}, {"ALWAYS", "always"}, {" Never ", "never"}},
	"PLAY_WAIT_SECONDS":             {{"0", "0"}, {"86400", "86400"}, {" 30 ", "30"}},
	"IP_LIMIT_IPV6_PREFIX":          {{"1", "1"}, {"128", "128"}, {" 56 ", "56"}},
	"LOG_REQUESTS":                  {{"YES", "YES"}, {"yes", "YES"}, {"True", "YES"}, {"1", "YES"}, {"on", "YES"}, {" NO ", "NO"}, {"false", "NO"}, {"0", "NO"}, {"OFF", "NO"}},
	"LOG_DEBUG":                     {{"YES", "YES"}, {"no", "NO"}, {" 1 ", "YES"}},
}

// overflow fits into no integer, wraps adds up to a small one in 64 bits.
const (
	overflow = "99999999999999999999999"
	wraps    = "18446744073709551617"
)

// bad gives, for each setting, texts that cannot be used: junk, below, above, negative, overflow.
var bad = map[string][]string{
	"BIND_ADDRESS": {
		"127.0.0.1:1935", "[::1]:1935", "[::1", "::1]", "[127.0.0.1]", "[localhost]", "[]", "[[::1]]", "1.2.3", "999.1.1.1", "1.2.3.4.", "-1",
		"a b", "a..b", ".", "rtmp://host", "host/", "*", "a\x00", "ünlaut", strings.Repeat("a", 64), strings.Repeat("a.", 128), overflow,
	},
	"RTMP_PORT":                     {"x", "-1", "65536", "1935.0", "0x10", "1_000", "1 2", "1,2", wraps, overflow, "-" + overflow},
	"RTMP_HOST":                     {"a b", "a\x00", "a\nb", "a\xff", strings.Repeat("a", 256)},
	"RTMP_CHUNK_SIZE":               {"x", "0", "127", "65537", "-128", wraps, overflow},
	"RTMP_PLAY_WHITELIST":           {"x", "-1", ",", "10.0.0.0/33", "127.0.0.1;::1", "fe80::1%eth0", overflow},
	"ID_MAX_LENGTH":                 {"x", "0", "1025", "-1", wraps, overflow},
	"MAX_IP_CONCURRENT_CONNECTIONS": {"x", "-1", "1000001", wraps, overflow},
	"CONCURRENT_LIMIT_WHITELIST":    {"x", "-1", ",", "127.0.0.1/", overflow},
	"GOP_CACHE_SIZE_MB":             {"x", "-1", "1048577", "256MB", "17592186044416", "9223372036854775807", wraps, overflow},
	"PUBLISH_TAKEOVER":              {"x", "0", "-1", "YES", "idle,never", overflow},
	"PLAY_WAIT_SECONDS":             {"x", "-1", "86401", "30s", "9223372036854775807", wraps, overflow},
	"IP_LIMIT_IPV6_PREFIX":          {"x", "0", "129", "-1", "/64", wraps, overflow},
	"LOG_REQUESTS":                  {"x", "-1", "2", "YESNO", "Y", overflow},
	"LOG_DEBUG":                     {"x", "-1", "2", overflow},
}

func shown(s Settings) map[string]string {
	values := make(map[string]string)
	for _, attr := range s.Effective() {
		values[attr.Key] = attr.Value.String()
	}
	return values
}

func TestUnsetAndBlankSettingsHaveTheirDefault(t *testing.T) {
	want := defaults(t)
	for _, blank := range []string{"", " ", "\t\r\n "} {
		got, err := Load(func(string) (string, bool) { return blank, true })
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("all settings %q: %+v, %v, want %+v", blank, got, err, want)
		}
	}
	got, err := Load(environment(nil))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("all settings unset: %+v, %v, want %+v", got, err, want)
	}
}

func TestSettingTakesItsValuesAndTouchesNoOther(t *testing.T) {
	for _, r := range table {
		if len(good[r.name]) == 0 || len(bad[r.name]) == 0 {
			t.Errorf("%s has no test values", r.name)
		}
		for _, pair := range good[r.name] {
			value, want := pair[0], pair[1]
			settings, err := Load(one(r.name, value))
			if err != nil {
				t.Errorf("%s=%q: %v", r.name, value, err)
				continue
			}
			wanted := shown(defaults(t))
			wanted[r.name] = want
			if got := shown(settings); !reflect.DeepEqual(got, wanted) {
				t.Errorf("%s=%q: effective %v, want %v", r.name, value, got, wanted)
			}
		}
	}
}

func TestSettingsReachTheirFields(t *testing.T) {
	got, err := Load(environment(map[string]string{
		"BIND_ADDRESS":                  "[::1]",
		"RTMP_PORT":                     "1936",
		"RTMP_HOST":                     "live.example.com",
		"RTMP_CHUNK_SIZE":               "4096",
		"RTMP_PLAY_WHITELIST":           "10.0.0.0/8",
		"ID_MAX_LENGTH":                 "64",
		"MAX_IP_CONCURRENT_CONNECTIONS": "9",
		"CONCURRENT_LIMIT_WHITELIST":    "::1",
		"GOP_CACHE_SIZE_MB":             "16",
		"PUBLISH_TAKEOVER":              "never",
		"PLAY_WAIT_SECONDS":             "30",
		"IP_LIMIT_IPV6_PREFIX":          "56",
		"LOG_REQUESTS":                  "no",
		"LOG_DEBUG":                     "yes",
	}))
	want := Settings{
		BindAddress:              "::1",
		RTMPPort:                 1936,
		RTMPHost:                 "live.example.com",
		ChunkSize:                4096,
		PlayWhitelist:            mustList(t, "10.0.0.0/8"),
		IDMaxLength:              64,
		MaxConnectionsPerIP:      9,
		ConnectionLimitWhitelist: mustList(t, "::1"),
		CacheBytes:               16 << 20,
		Takeover:                 TakeoverNever,
		PlayWait:                 30 * time.Second,
		IPv6Prefix:               56,
		LogDebug:                 true,
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Load: %+v, %v, want %+v", got, err, want)
	}
}

func TestBadValueNamesVariableValueAndExpectation(t *testing.T) {
	for _, r := range table {
		for _, value := range bad[r.name] {
			settings, err := Load(one(r.name, value))
			if !errors.Is(err, ErrValue) {
				t.Errorf("%s=%q: error %v, want ErrValue", r.name, value, err)
				continue
			}
			if !reflect.DeepEqual(settings, Settings{}) {
				t.Errorf("%s=%q: settings in spite of an error: %+v", r.name, value, settings)
			}
			for _, part := range []string{r.name + "=" + strconv.Quote(value) + ":", "expected " + r.expected} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%s=%q: error %q does not say %q", r.name, value, err, part)
				}
			}
			if strings.ContainsAny(err.Error(), "\n\x00") {
				t.Errorf("%s=%q: error %q is not one clean line", r.name, value, err)
			}
		}
	}
}

func TestAllMistakesAreReportedTogether(t *testing.T) {
	values := map[string]string{"CALLBACK_URL": "https://user:hunter2@example.com/", "REDIS_USE": "perhaps"}
	want := []string{"CALLBACK_URL", "REDIS_USE"}
	for _, r := range table {
		values[r.name] = bad[r.name][0]
		want = append(want, r.name)
	}
	_, err := Load(environment(values))
	if err == nil {
		t.Fatal("no error")
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != len(want) {
		t.Errorf("%d lines, want %d:\n%v", len(lines), len(want), err)
	}
	for _, name := range want {
		if n := strings.Count(err.Error(), ": "+name); n != 1 {
			t.Errorf("%s is named %d times in\n%v", name, n, err)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a password is shown in\n%v", err)
	}
}

func TestSecretsAreNeverShown(t *testing.T) {
	secret := row{name: "TOKEN", secret: true, parser: word(func(s *Settings) *string { return &s.RTMPHost }, 8)}
	rows := []row{secret}

	settings, err := load(rows, one("TOKEN", "hunter2"))
	if err != nil || settings.RTMPHost != "hunter2" {
		t.Fatalf("load: %+v, %v", settings, err)
	}
	if got, want := settings.effective(rows), []slog.Attr{slog.String("TOKEN", "***")}; !reflect.DeepEqual(got, want) {
		t.Errorf("effective %v, want %v", got, want)
	}
	if got, want := (Settings{}).effective(rows), []slog.Attr{slog.String("TOKEN", "")}; !reflect.DeepEqual(got, want) {
		t.Errorf("effective %v for an empty secret, want %v", got, want)
	}

	_, err = load(rows, one("TOKEN", "hunter2 hunter2"))
	if !errors.Is(err, ErrValue) || !strings.Contains(err.Error(), "TOKEN=***: expected at most 8") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("error %v", err)
	}
}

func TestEffectiveFollowsTheTable(t *testing.T) {
	for i, attr := range defaults(t).Effective() {
		if attr.Key != table[i].name {
			t.Errorf("attribute %d is %s, want %s", i, attr.Key, table[i].name)
		}
		if attr.Value.String() != table[i].fallback {
			t.Errorf("%s is %q by default, the table says %q", attr.Key, attr.Value, table[i].fallback)
		}
	}
}

func FuzzSettings(f *testing.F) {
	for name, values := range good {
		for _, pair := range values {
			f.Add(name, pair[0], "LOG_DEBUG", "YES")
		}
	}
	for name, values := range bad {
		for _, value := range values {
			f.Add(name, value, "CALLBACK_URL", "x")
		}
	}
	f.Fuzz(func(t *testing.T, name1, value1, name2, value2 string) {
		s, err := Load(environment(map[string]string{name1: value1, name2: value2}))
		if err != nil {
			if !errors.Is(err, ErrValue) && !errors.Is(err, ErrUnsupported) {
				t.Fatalf("an error of no known kind: %v", err)
			}
			return
		}
		inRange := s.RTMPPort >= 0 && s.RTMPPort <= 65535 &&
			len(s.BindAddress) <= 255 && !strings.ContainsAny(s.BindAddress, "[] \n") &&
			!strings.ContainsAny(s.RTMPHost, " \n\x00") &&
			s.ChunkSize >= 128 && s.ChunkSize <= 65536 &&
			!s.PlayWhitelist.Empty() &&
			s.IDMaxLength >= 1 && s.IDMaxLength <= 1024 &&
			s.MaxConnectionsPerIP >= 0 && s.CacheBytes >= 0 && s.CacheBytes%(1<<20) == 0 &&
			(s.Takeover == TakeoverIdle || s.Takeover == TakeoverNever || s.Takeover == TakeoverAlways) &&
			s.PlayWait >= 0 && s.PlayWait <= 24*time.Hour &&
			s.IPv6Prefix >= 1 && s.IPv6Prefix <= 128
		if !inRange {
			t.Fatalf("out of range: %+v", s)
		}
		again, err := Load(environment(shown(s)))
		if err != nil || !reflect.DeepEqual(again, s) {
			t.Fatalf("effective values %v load as %+v (%v), want %+v", shown(s), again, err, s)
		}
	})
}
