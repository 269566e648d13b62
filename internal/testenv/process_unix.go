//go:build unix && !linux

package testenv

import "syscall"

// dieWithParent has no means here: a server outlives a test process that is killed.
func dieWithParent(syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{}
}
