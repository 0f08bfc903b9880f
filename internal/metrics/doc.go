// Package metrics counts what happens in the server, and shows it in the format of
// Prometheus.
//
// What happens rarely, or once for many viewers, it is told: [Metrics.Ended],
// [Metrics.Passed], [Metrics.Callback] and [Metrics.Command], which may be called by
// any number of goroutines and do not block. What can be looked up it looks up when
// somebody asks, see [Sources].
//
// The number of series has a bound whatever peers send: labels are words of this
// program, but for the names of channels, of which the oldest have series of their
// own. Keys and addresses are in none.
package metrics
