package main

import (
	"math"
	"reflect"
	"slices"
	"testing"

	"go.uber.org/goleak"

	"github.com/AgustinSRG/rtmp-server/internal/bench"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSpread(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   spread
		text   string
	}{
		{[]float64{3, 1, 2}, spread{1, 2, 3}, "1.00 / 2.00 / 3.00"},
		{[]float64{4, 1, 2, 3}, spread{1, 2.5, 4}, "1.00 / 2.50 / 4.00"},
		{[]float64{0.5}, spread{0.5, 0.5, 0.5}, "0.500"},
		{[]float64{1.001, 1.002}, spread{1.001, 1.0015, 1.002}, "1.00"},
	} {
		got := spreadOf(test.values)
		if math.Abs(got.median-test.want.median) > 1e-9 || got.low != test.want.low || got.high != test.want.high {
			t.Errorf("%v: got %v, want %v", test.values, got, test.want)
		}
		if got.String() != test.text {
			t.Errorf("%v reads %q, want %q", test.values, got, test.text)
		}
	}
	if none := spreadOf(nil); none.known() || none.String() != "-" {
		t.Errorf("nothing has the spread %v", none)
	}
}

func TestSpreadLeavesTheValuesInOrder(t *testing.T) {
	values := []float64{3, 1, 2}
	spreadOf(values)
	if !slices.Equal(values, []float64{3, 1, 2}) {
		t.Errorf("they are %v now", values)
	}
}

func TestFiguresAreWrittenWithThreeDigits(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.012345: "0.0123", 0.6789: "0.679", 4.321: "4.32", 43.21: "43.2", 432.1: "432", 4321: "4321",
		-1.234: "-1.23", math.Inf(1): "-", 0.000012: "0.0000",
	} {
		if got := significant(v); got != want {
			t.Errorf("%v reads %s, want %s", v, got, want)
		}
	}
}

// cost is a result with a CPU time per GB.
func cost(round int, contender string, players int, perGB float64) result {
	all := 1.0
	return result{
		Step: stepFanout, Round: round, Contender: contender, Players: players,
		Report: &bench.Report{
			Publishers: 1, Delivered: &all, Latency: &bench.Latency{P50: 10, P99: 20},
			Server: &bench.ServerCost{CPUSecondsPerGB: &perGB},
		},
	}
}

func TestRatiosAreOfTheSameRound(t *testing.T) {
	results := []result{
		cost(1, ours, 300, 1), cost(1, nginx, 300, 4),
		cost(2, nginx, 300, 10), cost(2, ours, 300, 5), // in any order
		cost(3, ours, 300, 1), // without a counterpart
		cost(1, ours, 1000, 99), cost(1, nginx, 1000, 1),
		{Step: stepFanout, Round: 3, Contender: nginx, Players: 300, Failure: "did not start"},
	}
	got := ratios(results, fanoutOf(ours, 300), fanoutOf(nginx, 300), perGB)
	slices.Sort(got)
	if !reflect.DeepEqual(got, []float64{0.25, 0.5}) {
		t.Errorf("got %v", got)
	}
	if got := values(results, fanoutOf(ours, 300), perGB); !reflect.DeepEqual(got, []float64{1, 5, 1}) {
		t.Errorf("the values are %v", got)
	}
}

func TestRatioToNothingIsLeftOut(t *testing.T) {
	results := []result{cost(1, ours, 300, 1), cost(1, nginx, 300, 0)}
	if got := ratios(results, fanoutOf(ours, 300), fanoutOf(nginx, 300), perGB); got != nil {
		t.Errorf("got %v", got)
	}
}

func TestRTMPSIsComparedWithTheSumOfItsParts(t *testing.T) {
	plain, secure := cost(1, ours, 300, 0.5), cost(1, oursTLS, 300, 1.5)
	plain.Step, secure.Step = stepTLS, stepTLS
	results := []result{plain, secure, {Step: stepTLS, Case: caseSeal, Round: 1, Contender: floor, Value: 0.25}}
	if got := tlsRatios(results); !reflect.DeepEqual(got, []float64{2}) {
		t.Errorf("got %v", got)
	}
}

func TestDeliveryOfWhoPublishesToItselfFollowsFromTheBitrate(t *testing.T) {
	r := result{Report: &bench.Report{Players: 10, Joined: 8, Bitrate: 8000, Seconds: 5, Bytes: 39000}}
	if part, ok := delivered(r); !ok || part != 0.975 {
		t.Errorf("got %v, %v", part, ok)
	}
	if r.overloaded() {
		t.Error("a short measurement counts as overload")
	}
	r.Report.LostMessages = 1
	if !r.overloaded() {
		t.Error("loss does not count as overload")
	}
	if _, ok := delivered(result{Report: &bench.Report{Publishers: 1}}); ok {
		t.Error("without players something was delivered")
	}
	if !(result{Failure: "did not start"}).overloaded() {
		t.Error("a run that failed counts as carried")
	}
}
