package main

import (
	"fmt"
	"time"

	"github.com/orderly-run/orderly"
)

// A share says in what state some of an invocation's tasks are: of every hundred, the next so many.
type share struct {
	of      int
	state   orderly.State
	stopped bool
}

// A kind is how an invocation stands.
type kind struct {
	mode   orderly.RepeatMode
	shares []share
}

var (
	good    = kind{orderly.Once, []share{{100, orderly.Success, false}}}
	mixed   = kind{orderly.Once, []share{{1, orderly.Failed, false}, {89, orderly.Success, false}, {4, orderly.Failed, false}, {2, orderly.Timeout, false}, {1, orderly.Error, false}, {1, orderly.Invalid, false}, {2, orderly.Aborted, false}}}
	bad     = kind{orderly.Once, []share{{60, orderly.Failed, false}, {40, orderly.Timeout, false}}}
	stopped = kind{orderly.Once, []share{{50, orderly.Terminated, true}, {50, orderly.Cancelled, true}}}
	running = kind{orderly.Once, []share{{30, orderly.Running, false}, {50, orderly.Pending, false}, {20, orderly.Success, false}}}
	ending  = kind{orderly.Once, []share{{10, orderly.Stopping, true}, {90, orderly.Success, false}}}
	waiting = kind{orderly.Period, []share{{100, orderly.Scheduled, false}}}
	busy    = kind{orderly.Period, []share{{5, orderly.Running, false}, {95, orderly.Scheduled, false}}}
	over    = kind{orderly.Period, []share{{100, orderly.Terminated, true}}}
	atBoot  = kind{orderly.EveryReboot, []share{{100, orderly.Scheduled, false}}}
	booted  = kind{orderly.NextRebootOnly, []share{{98, orderly.Success, false}, {2, orderly.Failed, false}}}
)

// mixtures are what twenty invocations in a row are.
var mixtures = map[string][]kind{
	"plausible": {good, mixed, good, waiting, good, bad, good, mixed, running, good, stopped, good, atBoot, mixed, good, over, ending, good, booted, busy},
	"scheduled": {waiting},
}

// task is how the n-th task of a kind stands.
func (k kind) task(n int) share {
	n %= 100
	for _, s := range k.shares {
		if n < s.of {
			return s
		}
		n -= s.of
	}
	return k.shares[0]
}

func (k kind) counts(tasks int) (c orderly.Counts) {
	for n := range tasks {
		s := k.task(n)
		c = c.Add(orderly.Count(s.state, s.stopped))
	}
	return c
}

// invocation is the i-th one, made at a time.
func (l *load) invocation(i int, at time.Time) orderly.Invocation {
	seq := at.UnixMilli()<<20 | int64(i)%(1<<19)
	k := l.mixture[i%len(l.mixture)]
	name := []string{"deploy", "deploy", "patch", "deploy", "backup"}[i/3%5]
	v := orderly.Invocation{
		Seq: seq, ID: orderly.NewID(orderly.InvocationPrefix, l.region, seq), Account: l.account, Region: l.region,
		Command: orderly.Command{
			ID: "c-hz0load00000" + name, Name: name, Description: "loaded", Type: orderly.RunShellScript,
			Content: []byte("#!/bin/sh\nset -e\n/usr/local/bin/" + name + " --all\n"), Timeout: time.Minute, WorkingDir: "/root",
		},
		Repeat: k.mode, Termination: orderly.KillProcess, Size: l.tasks, Delivery: time.Minute, Created: at, Parameters: map[string]string{"a": "b"},
		CallerKey: "LTAI", SourceIP: "192.0.2.1",
		Tags: []orderly.Tag{{Key: "env", Value: []string{"prod", "prod", "test"}[i/2%3]}},
	}
	if i%7 == 0 {
		v.Command.Type = orderly.RunBatScript
	}
	if i%2 == 0 {
		v.ResourceGroup = "rg-load"
		v.Tags = append(v.Tags, orderly.Tag{Key: "team", Value: fmt.Sprint(i / 2 % 4)})
	}
	if v.Repeat == orderly.Period {
		v.Frequency = "rate(1h)"
	}
	return v
}
