package memory

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// meter measures this process and its cgroup.
type meter struct {
	samples [6]metrics.Sample
	cgroup  *cgroup
}

// The order of the samples.
const (
	sampleTotal    = iota // all memory that the runtime has mapped
	sampleReleased        // what of it was given back
	sampleFree            // what of it is free and was not
	sampleObjects         // what objects take, dead ones included
	sampleLive            // what they took at the end of the last collection
	sampleGrowth          // GOGC
)

func newMeter(group *cgroup) *meter {
	m := &meter{cgroup: group}
	for i, name := range []string{
		sampleTotal:    "/memory/classes/total:bytes",
		sampleReleased: "/memory/classes/heap/released:bytes",
		sampleFree:     "/memory/classes/heap/free:bytes",
		sampleObjects:  "/memory/classes/heap/objects:bytes",
		sampleLive:     "/gc/heap/live:bytes",
		sampleGrowth:   "/gc/gogc:percent",
	} {
		m.samples[i].Name = name
	}
	return m
}

func (m *meter) bytes(i int) int64 {
	if m.samples[i].Value.Kind() != metrics.KindUint64 {
		return 0 // another version of Go has no such figure
	}
	return int64(m.samples[i].Value.Uint64())
}

// read takes a reading. Free memory that the runtime has kept is not in use.
func (m *meter) read() reading {
	metrics.Read(m.samples[:])
	free := m.bytes(sampleFree)
	r := reading{
		live:    m.bytes(sampleLive),
		heap:    m.bytes(sampleTotal) - m.bytes(sampleReleased) - free,
		garbage: max(0, m.bytes(sampleObjects)-m.bytes(sampleLive)),
	}
	if m.cgroup != nil {
		r.group = max(0, m.cgroup.used()-free)
	}
	return r
}

// collect frees what nobody uses. Where a cgroup counts, the system gets it back.
func (m *meter) collect() {
	if m.cgroup != nil {
		debug.FreeOSMemory()
		return
	}
	runtime.GC()
}

// growth returns how far the heap grows between collections, in percent of what lives
// in it, and -1 if nothing is collected: the largest number, as the runtime tells it.
func (m *meter) growth() int {
	metrics.Read(m.samples[sampleGrowth:])
	return int(m.bytes(sampleGrowth))
}

// grow sets it. The process stands still for a moment.
func (m *meter) grow(percent int) { debug.SetGCPercent(percent) }
