package engine

import (
	"context"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

// A FileRequest asks to put a file on instances, which it names (SF-1).
type FileRequest struct {
	Region        string
	Instances     []string
	File          orderly.File
	Timeout       time.Duration // 0 for the default
	ResourceGroup string
	Tags          []orderly.Tag
}

// SendFile puts a file on instances. That is an invocation like any other, but in a realm of its own; when it has
// returned, nothing is lost any more. The checks come in the order of RunCommand's.
func (e *Engine) SendFile(ctx context.Context, c orderly.Caller, f FileRequest, r Repetition) (invokeID string, err error) {
	if err := e.CheckRegion(f.Region); err != nil {
		return "", err
	}
	c.Realm = orderly.FileRealm
	q := Request{Region: f.Region, Target: orderly.Target{Instances: f.Instances}, File: &f.File, Repeat: orderly.Once, ResourceGroup: f.ResourceGroup, Tags: f.Tags}
	q.Command.Realm = c.Realm
	if q.Command.Timeout, err = e.cfg.Command.Timeout(f.Timeout); err != nil {
		return "", err
	}
	if err := f.File.Check(e.cfg.MaxFile); err != nil {
		return "", err
	}
	if err := q.Target.Check(e.cfg.FileTargets, 0); err != nil {
		return "", err
	}
	if err := r.check(); err != nil {
		return "", err
	}
	if err := orderly.CheckTags(q.Tags); err != nil {
		return "", err
	}
	a, err := e.invoke(ctx, c, q, r)
	return a.InvokeID, err
}

// Files lists the caller's invocations that put files on instances, newest first, and counts all that
// match.
func (e *Engine) Files(ctx context.Context, c orderly.Caller, f store.InvocationFilter, p store.Page) ([]orderly.Invocation, int, error) {
	c.Realm = orderly.FileRealm
	return e.Invocations(ctx, c, f, p)
}
