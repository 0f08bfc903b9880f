//go:build !linux

package main

import (
	"context"
	"errors"
	"io"
	"syscall"
)

var errLinux = errors.New("this needs Linux: network namespaces, /proc, taskset")

func dieWithParent() error { return errLinux }

func diesWithParent() *syscall.SysProcAttr { return nil }

func inNamespace() bool { return false }

func runInNamespace(context.Context, io.Writer, io.Writer) error { return errLinux }

func fileLimit() int { return 0 }

func setUpNamespace(context.Context) error { return errLinux }
