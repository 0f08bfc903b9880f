// Package health finds out what is wrong with the streams of publishers, as far as
// it breaks them in practice, and says it in a sentence that names the setting of the
// encoder to change.
//
// [Judge] looks at one channel at one moment. A [Watch] looks at all of them again
// and again, and tells of a warning once when it begins and once when it is over,
// whatever happens between. Nothing here has a clock: times are passed in.
package health
