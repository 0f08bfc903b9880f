// Package memory keeps the process within the memory it may use, so that it never
// dies of what peers send.
//
// [Find] says how much that is, and a [Watch] looks several times a second how
// much is used. Over nine tenths, new connections are refused; if a collection of
// garbage does not help, what is kept for newcomers is dropped as well, and if that is
// not enough, the viewers are closed that are farthest behind. Under eight tenths
// everything is as before. Publishers, and viewers who keep up, are never touched.
//
// Where there is memory to spare, a Watch has garbage collected less often.
package memory
