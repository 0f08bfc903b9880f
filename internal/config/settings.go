package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/access"
)

// Settings are the values the server runs with, each within its range. The row of the table that fills a field says what
// it means to the operator.
type Settings struct {
	BindAddress string // address without brackets, or host name; empty means all addresses
	RTMPPort    int    // 0 lets the system choose
	RTMPHost    string
	ChunkSize   int           // outgoing, in bytes
	Drain       time.Duration // 0 means that a stop waits for nobody

	PlayWhitelist access.List // holds everyone by default: ask Contains, not Empty
	IDMaxLength   int         // in characters, which are all ASCII
	Takeover      Takeover
	PlayEnhanced  PlayEnhanced
	PlayHEVC      PlayHEVC
	PublishGrace  time.Duration // 0 means that a lost publisher is not waited for
	PlayWait      time.Duration // 0 means for ever
	MaxWriteDelay time.Duration // 0 means that each message goes out at once
	CacheBytes    int64         // per channel; 0 switches the cache off
	CacheTotal    int64         // in bytes, of all channels; 0 means a part of the memory
	MemoryLimit   int64         // in bytes; 0 means what the system says

	MaxConnections           int // 0 means as many as there can be
	MaxConnectionsPerIP      int // 0 means no limit
	ConnectionLimitWhitelist access.List
	IPv6Prefix               int // bits
	KeyGuesses               int // wrong keys of one address a minute; 0 means no limit
	MaxPublishMbps           int // 0 means no limit

	Callback Callback
	StateDir string // empty: nothing is kept on disk
	Control  Control
	Redis    Redis
	TLS      TLS
	Admin    Admin
	HTTP     HTTP

	// ProxyFrom are the load balancers whose word counts for a client's address.
	ProxyFrom access.List

	Watchdog time.Duration // 0 means that nobody watches

	LogRequests bool
	LogDebug    bool
	LogFormat   LogFormat
}

// Callback is the event callback; without a URL there is none.
type Callback struct {
	URL     string
	Secret  string
	Subject string
}

// Control is the control server, which takes the place of the callback.
type Control struct {
	Use     bool
	BaseURL string
	Secret  string
	// What the control server is told about this one; empty and 0 are not told.
	ExternalIP   netip.Addr
	ExternalPort int
	ExternalTLS  bool
}

// Redis is where commands come from.
type Redis struct {
	Use      bool
	Host     string
	Port     int
	Password string
	Channel  string
	TLS      bool
}

// TLS is RTMPS; without files there is none.
type TLS struct {
	Port            int
	CertFile        string
	KeyFile         string
	ReloadCheckEach time.Duration // 0: never
}

// Enabled reports whether RTMPS is to be served.
func (t TLS) Enabled() bool { return t.CertFile != "" && t.KeyFile != "" }

// DefaultAdminAddress is where the administration is served unless a setting says otherwise.
const DefaultAdminAddress = "127.0.0.1:8080"

// Admin is the administration.
type Admin struct {
	Address string // host:port, empty if there is none
	// Chosen is false for the default address, which another program may have as well.
	Chosen bool
	Token  string // what the operator has to show; empty only for a loopback address
}

// Takeover says what happens when a second publisher with an accepted key comes to a channel that has one.
type Takeover string

const (
	// TakeoverIdle replaces the present publisher only if it has been silent for more than 2 s, as one is whose encoder
	// lost its connection and is coming back. Otherwise the second one is refused.
	TakeoverIdle Takeover = "idle"
	// TakeoverNever refuses the second publisher.
	TakeoverNever Takeover = "never"
	// TakeoverAlways replaces the present publisher.
	TakeoverAlways Takeover = "always"
)

// PlayEnhanced says what players get that announce nothing of Enhanced RTMP.
type PlayEnhanced string

const (
	// PlayPermissive sends them every codec, as most players decode more than they announce.
	PlayPermissive PlayEnhanced = "permissive"
	// PlayStrict sends them what has a legacy form only.
	PlayStrict PlayEnhanced = "strict"
)

// PlayHEVC says in which form players get H.265.
type PlayHEVC string

const (
	// HEVCAuto sends it by FourCC to players that announced it, and as published to others.
	HEVCAuto PlayHEVC = "auto"
	// HEVCFourCC sends it by FourCC to all that take it so.
	HEVCFourCC PlayHEVC = "fourcc"
	// HEVCLegacy sends it as CodecID 12 to all that did not announce it by FourCC.
	HEVCLegacy PlayHEVC = "legacy"
	// HEVCPublished sends it as the publisher did.
	HEVCPublished PlayHEVC = "published"
)

// LogFormat is the form of the log's lines.
type LogFormat string

const (
	// LogText are name=value pairs.
	LogText LogFormat = "text"
	// LogJSON is one object a line.
	LogJSON LogFormat = "json"
)

// ErrValue is wrapped by the error of a setting whose value cannot be used, alone or beside others.
var ErrValue = errors.New("unusable value")

// Lookup returns the value of an environment variable, and whether it is set, as [os.LookupEnv] does.
type Lookup = func(name string) (string, bool)

// Load reads all settings through lookup. Spaces around a value are ignored, and a blank value counts as unset. The error joins
// every mistake there is, one line each, with the variable, its value unless that is secret, and what is expected;
// the Settings are usable only without an error.
func Load(lookup Lookup) (Settings, error) {
	settings, err := load(table, lookup)
	settings.Admin.Chosen = trimmed(lookup, "ADMIN_ADDRESS") != ""
	if err = errors.Join(err, settings.conflicts(lookup)); err != nil {
		return Settings{}, err
	}
	return settings, nil
}

func load(rows []row, lookup Lookup) (Settings, error) {
	var settings Settings
	var mistakes []error
	for _, r := range rows {
		value := trimmed(lookup, r.name)
		if value == "" {
			value = r.fallback
		}
		if err := r.set(&settings, value); err != nil {
			mistakes = append(mistakes, r.mistake(value, err))
		}
	}
	return settings, errors.Join(mistakes...)
}

// trimmed returns the value of a variable without the spaces and line ends around it; unset and blank are the same.
func trimmed(lookup Lookup, name string) string {
	value, _ := lookup(name)
	return strings.TrimSpace(value)
}

// mistake describes a value that cannot be used. The reason quotes parts of the value, so one that holds a secret has none.
func (r row) mistake(value string, reason error) error {
	if r.secret || r.private {
		return fmt.Errorf("%w: %s=%s: expected %s", ErrValue, r.name, mask, r.expected)
	}
	return fmt.Errorf("%w: %s=%q: %w, expected %s", ErrValue, r.name, value, reason, r.expected)
}

// mask stands for the value of a secret.
const mask = "***"

// Effective returns the name and value of each setting, in the order of the table and in the form in which it could be set, for
// the line that is logged at the start. Secrets are masked.
func (s Settings) Effective() []slog.Attr { return s.effective(table) }

func (s Settings) effective(rows []row) []slog.Attr {
	attrs := make([]slog.Attr, len(rows))
	for i, r := range rows {
		value := r.text(&s)
		if r.secret && value != "" {
			value = mask
		}
		attrs[i] = slog.String(r.name, value)
	}
	return attrs
}
