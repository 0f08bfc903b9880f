package command

// Result is what came of a command.
type Result string

// The results.
const (
	Done Result = "done"
	// Missed says that the channel or stream had nobody.
	Missed Result = "missed"
	// Dropped says that commands came faster than they could be carried out.
	Dropped Result = "dropped"
)

// Verbs returns all of them.
func Verbs() []Verb { return []Verb{KillSession, CloseStream, RequestReconnect} }

// Results returns all of them.
func Results() []Result { return []Result{Done, Missed, Dropped} }
