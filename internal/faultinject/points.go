package faultinject

// Point is a place in the program.
type Point string

// The points. Those of a session know its channel once it has asked for one.
const (
	Accept    Point = "accept"    // the listener has a new connection
	Read      Point = "read"      // a session reads a message
	Command   Point = "command"   // a session carries a command out
	Authorize Point = "authorize" // a session asks whether it may publish
	Claimed   Point = "claimed"   // it has the channel, and nobody knows yet
	Append    Point = "append"    // a publisher appends a message
	Pass      Point = "pass"      // the fan-out of a channel begins a pass
	Gather    Point = "gather"    // a viewer is written to
	Unpublish Point = "unpublish" // a publication ends
	Registry  Point = "registry"  // the registry asks a publisher, with its lock held
	Deadline  Point = "deadline"  // a deadline of a session is looked at
	LastLine  Point = "lastline"  // a session writes its last line to the log
	Execute   Point = "execute"   // a command of Redis is carried out
	Order     Point = "order"     // an order of the control server is carried out
	Deliver   Point = "deliver"   // a stop event is sent
)
