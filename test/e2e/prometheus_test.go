package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

const (
	prometheusExample = "../../examples/prometheus/"
	// scrapeLimit is when Prometheus must have read a server that it reads each second.
	scrapeLimit = 20 * time.Second
)

// The alerts of the example come when they should, each of them, and name what there is.
func TestPrometheusAlerts(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"check", "config", prometheusExample + "prometheus.yml"},
		{"test", "rules", prometheusExample + "alerts_test.yml"},
	} {
		p := stage.StartProgram(t, "promtool", args...)
		if err := p.Wait(scrapeLimit); err != nil {
			t.Errorf("%s: %v\n%s", p, err, p.Output.String())
		}
	}
	alerts, tests := read(t, prometheusExample+"alerts.yml"), read(t, prometheusExample+"alerts_test.yml")
	for _, alert := range regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(alerts, -1) {
		if !strings.Contains(tests, "name: "+alert[1]+"\n") {
			t.Errorf("nothing shows when %s comes", alert[1])
		}
	}
	checkMetrics(t, alerts)
	reasons := read(t, "../../docs/configuration.md")
	for _, match := range regexp.MustCompile(`reason=~"([^"]+)"`).FindAllStringSubmatch(alerts, -1) {
		for reason := range strings.SplitSeq(match[1], "|") {
			if !regexp.MustCompile(`(?m)^\| ([^|]*, )?` + reason + `[ ,]`).MatchString(reasons) {
				t.Errorf("%q is no reason that the server has", reason)
			}
		}
	}
}

// A real Prometheus with the example's configuration reads the server, with and
// without a token, and can work with every expression of the dashboard.
func TestPrometheusScrapes(t *testing.T) {
	t.Parallel()
	const token = "a-token-of-the-administration-for-this-test"
	for name, settings := range map[string][]string{
		"without a token": nil,
		"with a token":    {"ADMIN_TOKEN=" + token},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := stage.Start(t, append(settings, "ADMIN_ADDRESS=127.0.0.1:0")...)
			stage.Publish(t, s, "channel/key")
			admin, err := url.Parse(stage.Attr(s.AwaitLine("msg=administration"), "url"))
			if err != nil {
				t.Fatal(err)
			}
			config := strings.ReplaceAll(read(t, prometheusExample+"prometheus.yml"), "127.0.0.1:8080", admin.Host)
			config = strings.ReplaceAll(config, "15s", "1s")
			if settings != nil {
				config = strings.NewReplacer("# authorization:", "authorization:",
					"#   credentials_file:", "  credentials_file:").Replace(config)
			}
			p := startPrometheus(t, config, token)
			p.await(t, `up{job="rtmp-server"} == 1 and on () rtmp_channels{state="live"} == 1`)
			if rules := p.get(t, "/api/v1/rules?type=alert", nil); !strings.Contains(rules, "RtmpServerDown") {
				t.Errorf("rules are %s", rules)
			}
			for _, expr := range dashboardExpressions(t) {
				p.get(t, "/api/v1/query", url.Values{"query": {expr}})
			}
		})
	}
}

// prometheus is the address of a running one.
type prometheus string

func startPrometheus(t *testing.T, config, token string) prometheus {
	t.Helper()
	dir := t.TempDir()
	addr, _ := stage.FreeAddr(t, "127.0.0.1")
	for name, text := range map[string]string{
		"prometheus.yml": config, "admin-token": token, "alerts.yml": read(t, prometheusExample+"alerts.yml"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	stage.StartProgram(t, "prometheus", "--config.file="+filepath.Join(dir, "prometheus.yml"),
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+addr, "--log.level=warn")
	return prometheus("http://" + addr)
}

// get returns the answer of its API, and fails the test unless that is a success.
func (p prometheus) get(t *testing.T, path string, query url.Values) string {
	t.Helper()
	answer, err := p.ask(t, path, query)
	if err != nil {
		t.Errorf("%s %v: %v", path, query, err)
	}
	return answer
}

func (p prometheus) ask(t *testing.T, path string, query url.Values) (string, error) {
	t.Helper()
	target := string(p) + path
	if query != nil {
		target += "?" + query.Encode()
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, http.NoBody)
	if err != nil {
		return "", err
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return "", fmt.Errorf("status %d: %w", response.StatusCode, err)
	}
	if answer.Status != "success" {
		return "", errors.New(answer.Error)
	}
	return string(answer.Data), nil
}

// await waits until an expression has a result.
func (p prometheus) await(t *testing.T, expr string) {
	t.Helper()
	for overdue := time.Now().Add(scrapeLimit); ; {
		answer, err := p.ask(t, "/api/v1/query", url.Values{"query": {expr}})
		if err == nil && strings.Contains(answer, `"value"`) {
			return
		}
		if time.Now().After(overdue) || !stage.Pause(t.Context(), 100*time.Millisecond) {
			targets, _ := p.ask(t, "/api/v1/targets", nil)
			t.Fatalf("no result of %s within %v: %s, %v\n%s", expr, scrapeLimit, answer, err, targets)
		}
	}
}

// checkMetrics wants the metrics of the server that a text names to be documented.
func checkMetrics(t *testing.T, text string) {
	t.Helper()
	table := read(t, "../../docs/metrics.md")
	for _, name := range regexp.MustCompile(`\brtmp_\w+`).FindAllString(text, -1) {
		histogram := regexp.MustCompile(`_(bucket|count|sum)$`).ReplaceAllString(name, "")
		if !strings.Contains(table, "| `"+name+"` |") && !strings.Contains(table, "| `"+histogram+"` | histogram |") {
			t.Errorf("docs/metrics.md has no %s", name)
		}
	}
}

// dashboardExpressions are those of the example for Grafana, with its variables
// replaced by what Prometheus understands.
func dashboardExpressions(t *testing.T) []string {
	t.Helper()
	var dashboard struct {
		Title  string
		Panels []struct {
			Title   string
			Type    string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, "../../examples/grafana/rtmp-server.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, panel := range dashboard.Panels {
		if panel.Type != "row" && (panel.Title == "" || len(panel.Targets) == 0) {
			t.Errorf("panel %q shows nothing", panel.Title)
		}
		for _, target := range panel.Targets {
			expr := strings.NewReplacer("$__rate_interval", "1m", "$instance", ".*", "$channel", ".*").Replace(target.Expr)
			found = append(found, expr)
		}
	}
	if len(found) == 0 || slices.Contains(found, "") {
		t.Errorf("expressions of %q are %q", dashboard.Title, found)
	}
	return found
}

// The dashboard for Grafana shows metrics that there are.
func TestGrafanaDashboard(t *testing.T) {
	t.Parallel()
	checkMetrics(t, strings.Join(dashboardExpressions(t), "\n"))
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
