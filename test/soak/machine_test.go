package soak

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// A machine on which every process waits for its turn most of the time does not do
// in 5 s what a handshake takes, and a visitor that fails then says nothing of the
// server. The kernel tells how it is (Pressure Stall Information, Linux 4.20).
const (
	// pressed is the part of the last 10 s, in per cent, in which somebody waited for
	// a processor.
	pressed = 80
	// forgiven is of how many visitors one may fail for that, and forgivenStarts of
	// how many starts the callback may accept one too late.
	forgiven, forgivenStarts = 500, 100
)

// outcomeForgiven is that of such a visitor.
const outcomeForgiven = "failed while the machine was busy"

// machineIsPressed is false where the kernel does not tell.
func machineIsPressed() bool {
	text, err := os.ReadFile("/proc/pressure/cpu")
	return err == nil && pressure(string(text)) > pressed
}

// machine describes it for the report.
func machine() string {
	text, err := os.ReadFile("/proc/pressure/cpu")
	first, _, _ := strings.Cut(string(text), "\n")
	if err != nil {
		first = "unknown"
	}
	return fmt.Sprintf("%d processors; pressure at the end: %s", runtime.NumCPU(), first)
}

// pressure reads "some avg10=".
func pressure(text string) float64 {
	_, rest, _ := strings.Cut(text, "some avg10=")
	number, _, _ := strings.Cut(rest, " ")
	value, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return 0
	}
	return value
}

func TestPressure(t *testing.T) {
	for text, want := range map[string]float64{
		"some avg10=96.74 avg60=96.83 avg300=93.52 total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n": 96.74,
		"some avg10=0.00 avg60=7.00 avg300=0.00 total=0\n":                                                    0,
		"": 0, "some avg10=x": 0,
	} {
		if got := pressure(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}
