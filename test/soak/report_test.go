package soak

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// report prints what came of the soak, and judges what may not grow.
func (s *soak) report(a *samples, c *stage.Canary, m series) {
	s.Helper()
	text := strings.Join([]string{s.summary(a, c, m), s.growths(a), s.visitorTable(), endsTable(m)}, "\n")
	s.Log("\n" + text)
	if *out == "" {
		return
	}
	if err := os.WriteFile(*out, []byte(text), 0o600); err != nil {
		s.Error(err)
	}
}

// delayAllowed is what the canary's delay in the last fifth of the time is held
// against. It is reported and not asserted: the machine may have other things to do.
func delayAllowed(first float64) float64 { return 1.2*first + 5 }

func (s *soak) summary(a *samples, c *stage.Canary, m series) string {
	starts, open, repeated, _ := s.backend.pairs()
	connections := a.connections.growth()
	first, last := c.Delay(0, 5).Seconds()*1e3, c.Delay(4, 5).Seconds()*1e3
	sent, got := c.Count()
	missing := int64(len(c.Players))*sent - got
	plain, secure := s.book.connections[0].Load(), s.book.connections[1].Load()
	rows := [][2]string{
		{"seed", fmt.Sprint(s.seed)},
		{"duration", s.took.Round(time.Second).String()},
		{"visitors", fmt.Sprintf("%d, %.1f a second", s.book.came("", ""), float64(s.book.came("", ""))/s.took.Seconds())},
		{"connections", fmt.Sprintf("%d by RTMP, %d by RTMPS", plain, secure)},
		{"machine", machine()},
		{"at a time", fmt.Sprintf("%.0f, %.0f at most", connections.median, connections.most)},
		{"starts that the callback accepted", fmt.Sprintf("%d, of which %d have no stop and %d stops were repeated", starts, len(open), repeated)},
		{"canary", fmt.Sprintf("%d messages to each of %d players, %d missing; longest gap %v",
			sent, len(c.Players), missing, c.Gap().Round(time.Millisecond))},
		{"canary's delay, 99th percentile", fmt.Sprintf("%.1f ms in the first fifth, %.1f ms in the last (%.1f ms wanted)",
			first, last, delayAllowed(first))},
	}
	for _, event := range slices.Sorted(maps.Keys(s.book.events)) {
		rows = append(rows, [2]string{event, fmt.Sprint(s.book.events[event])})
	}
	for _, mood := range slices.Sorted(maps.Keys(s.backend.moods)) {
		rows = append(rows, [2]string{"the callback " + mood, fmt.Sprint(s.backend.moods[mood])})
	}
	for _, line := range slices.Sorted(maps.Keys(m)) {
		if labels, ok := strings.CutPrefix(line, "rtmp_callback_seconds_count"); ok && m[line] > 0 {
			rows = append(rows, [2]string{"the server counts `" + labels + "`", fmt.Sprint(m[line])})
		}
	}
	var b strings.Builder
	b.WriteString("| soak, row " + s.row + " | |\n| --- | --- |\n")
	for _, row := range rows {
		fmt.Fprintf(&b, "| %s | %s |\n", row[0], row[1])
	}
	return b.String()
}

// growths judges what was sampled, if there was time enough.
func (s *soak) growths(a *samples) string {
	s.Helper()
	var b strings.Builder
	b.WriteString("| measure | median | most | rise | allowed |\n| --- | --- | --- | --- | --- |\n")
	for _, m := range a.judged() {
		g := m.growth()
		b.WriteString(g.row(m) + "\n")
		if !g.flat() && *lasting >= judgedFrom {
			s.Errorf("%s rose by %.2f%s, %.2f is allowed", m.name, g.rise, m.unit, g.allowed)
		}
	}
	return b.String()
}

func (s *soak) visitorTable() string {
	var b strings.Builder
	b.WriteString("| visitors | number | outcomes |\n| --- | --- | --- |\n")
	for _, k := range kinds {
		fmt.Fprintf(&b, "| %s | %d | %s |\n", k.name, s.book.came(k.name, ""), counts(s.book.outcomes[k.name]))
	}
	return b.String()
}

// counts lists what there were most of first.
func counts(of map[string]int) string {
	var list []string
	for _, name := range slices.SortedFunc(maps.Keys(of), func(a, b string) int {
		return cmp.Or(cmp.Compare(of[b], of[a]), cmp.Compare(a, b))
	}) {
		list = append(list, fmt.Sprintf("%s %d", name, of[name]))
	}
	return strings.Join(list, ", ")
}

// endsTable shows why connections have ended, as the server sees it.
func endsTable(m series) string {
	reasons := make(map[string]*[3]float64)
	for line, n := range m {
		column := slices.IndexFunc([]string{`rtmp_session_ends_total{kind="publisher"`, `rtmp_session_ends_total{kind="player"`, "rtmp_refusals_total{"},
			func(prefix string) bool { return strings.HasPrefix(line, prefix) })
		if column < 0 || n == 0 {
			continue
		}
		_, reason, _ := strings.Cut(line, `reason="`)
		reason, _, _ = strings.Cut(reason, `"`)
		if reasons[reason] == nil {
			reasons[reason] = new([3]float64)
		}
		reasons[reason][column] += n
	}
	var b strings.Builder
	b.WriteString("| reason of the end | publishers | players | others |\n| --- | --- | --- | --- |\n")
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		r := reasons[reason]
		fmt.Fprintf(&b, "| %s | %.0f | %.0f | %.0f |\n", reason, r[0], r[1], r[2])
	}
	return b.String()
}
