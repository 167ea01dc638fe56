package rpc_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/rpc"
)

type choiceRequest struct {
	InstanceId  []string `rpc:",unless=ResourceTag,missing=MissingParam.InstanceId"`
	ResourceTag []tag
	CommandId   string `rpc:",unless=Name"`
	Name        string
	Timeout     *int64
	Frequency   string `rpc:",when=RepeatMode:Period,missing=MissingParam.Frequency"`
	InvokeId    string `rpc:",when=IncludeOutput:true,unless=Tag"`
	Tag         []tag
}

// choosy is the configuration with an action that takes one parameter or another.
func choosy(form func(map[string]string) error) rpc.Config {
	cfg := config()
	cfg.APIs[0].Form = form
	cfg.APIs[0].Actions = append(cfg.APIs[0].Actions, rpc.Handle("Choose",
		func(context.Context, orderly.Caller, choiceRequest) (struct{}, error) { return struct{}{}, nil }))
	return cfg
}

func TestAParameterStandsInForAnother(t *testing.T) {
	for _, c := range []struct {
		name string
		p    values
		code string
	}{
		{"the first", values{"InstanceId.1": "i", "CommandId": "c"}, ""},
		{"the other", values{"ResourceTag.1.Key": "k", "Name": "n"}, ""},
		{"the other without its key", values{"ResourceTag.1.Value": "v", "Name": "n"}, ""},
		{"both", values{"InstanceId": "i", "ResourceTag.1.Key": "k", "CommandId": "c", "Name": "n"}, ""},
		{"neither of the lists", values{"CommandId": "c"}, "MissingParam.InstanceId"},
		{"a list that is none", values{"InstanceId.x": "i", "ResourceTag": "k", "CommandId": "c"}, "MissingParam.InstanceId"},
		{"neither of the texts", values{"InstanceId.1": "i"}, "MissingParameter.CommandId"},
		{"for a value", values{"InstanceId.1": "i", "Name": "n", "RepeatMode": "Period"}, "MissingParam.Frequency"},
		{"given for a value", values{"InstanceId.1": "i", "Name": "n", "RepeatMode": "Period", "Frequency": "f"}, ""},
		{"for another value", values{"InstanceId.1": "i", "Name": "n", "RepeatMode": "Once"}, ""},
		{"for another spelling", values{"InstanceId.1": "i", "Name": "n", "RepeatMode": "period"}, ""},
		{"for a value, with none that stands in", values{"InstanceId.1": "i", "Name": "n", "IncludeOutput": "true"}, "MissingParameter.InvokeId"},
		{"another for a value", values{"InstanceId.1": "i", "Name": "n", "IncludeOutput": "true", "Tag.1.Key": "k"}, ""},
		{"empty", values{"InstanceId.1": "i", "Name": ""}, "MissingParameter.CommandId"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if a := do(t, rpc.New(choosy(nil)), get("Choose", c.p)); a.Code != c.code {
				t.Errorf("%d %s (%s), want %q", a.status, a.Code, a.Message, c.code)
			}
		})
	}
}

// ERR-1: what is missing goes first, then what the dialect says of forms, then the form of each.
func TestFormIsJudgedAfterWhatIsRequired(t *testing.T) {
	cfg := choosy(func(p map[string]string) error {
		switch p["Frequency"] {
		case "told":
			return told.Errorf("not like this")
		case "fault":
			return errors.New("secret detail")
		}
		return nil
	})
	for _, c := range []struct {
		name string
		p    values
		code string
	}{
		{"missing before the dialect's check", values{"Frequency": "told", "Timeout": "x"}, "MissingParam.InstanceId"},
		{"the dialect's check before each form", values{"InstanceId": "i", "Name": "n", "Frequency": "told", "Timeout": "x"}, "Told.Code"},
		{"each form", values{"InstanceId": "i", "Name": "n", "Timeout": "x"}, "InvalidParameter.Timeout"},
		{"a fault of ours", values{"InstanceId": "i", "Name": "n", "Frequency": "fault"}, "InternalError.Dispatch"},
		{"nothing wrong", values{"InstanceId": "i", "Name": "n", "Frequency": "x", "Timeout": "1"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if a := do(t, rpc.New(cfg), get("Choose", c.p)); a.Code != c.code {
				t.Errorf("%d %s (%s), want %q", a.status, a.Code, a.Message, c.code)
			}
		})
	}
}

// What no action reads is ignored, whatever it is called and holds: names that callers make up reach neither answers nor metrics.
func TestUnknownParametersAreNotJudged(t *testing.T) {
	cfg := choosy(func(p map[string]string) error { return rpc.CheckTexts(p, nil) })
	var observed []string
	cfg.Observe = func(_, code string, _ time.Duration) { observed = append(observed, code) }
	for _, c := range []struct{ name, code string }{
		{"Made-up", ""}, {"Made.1.Up", ""}, {"\xff", ""}, {"\xff.1", ""}, {"Name", "InvalidParameter.Name"}, {"Tag.1.\xff", "InvalidParameter.Tag"},
	} {
		p := values{"InstanceId": "i", "CommandId": "c", c.name: "\x00"}
		if a := do(t, rpc.New(cfg), get("Choose", p)); a.Code != c.code {
			t.Errorf("%q: %d %s (%s), want %q", c.name, a.status, a.Code, a.Message, c.code)
		}
	}
	if len(observed) != 6 || observed[0] != "OK" {
		t.Errorf("observed are %q", observed)
	}
}
