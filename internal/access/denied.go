package access

import "errors"

// ErrDenied tells the refusals of a publisher for what it asked, a wrong key above all, from those for which it can do
// nothing, as when whoever decides cannot be reached: see [Denied].
var ErrDenied = errors.New("denied")

// Denied marks err, whose text stays as it is, as an [ErrDenied].
func Denied(err error) error { return denied{err} }

type denied struct{ error }

func (d denied) Unwrap() error { return d.error }

func (denied) Is(target error) bool { return target == ErrDenied }
