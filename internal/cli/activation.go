package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/orderly-run/orderly/internal/client"
)

// An activationCode is a code for registering, without the code.
type activationCode struct {
	ActivationId, InstanceName, Description, CreationTime, IpAddressRange string
	InstanceCount, RegisteredCount, DeregisteredCount                     int
	TimeToLiveInHours                                                     int64
	Disabled                                                              bool
}

// state tells whether machines can still register with it.
func (a *activationCode) state() string {
	switch ends := moment(a.CreationTime).Add(time.Duration(a.TimeToLiveInHours) * time.Hour); {
	case a.Disabled:
		return "disabled"
	case a.RegisteredCount >= a.InstanceCount:
		return "used up"
	case time.Now().After(ends):
		return "expired"
	default:
		return "good for " + lasting(time.Until(ends))
	}
}

var activationColumns = []Column[activationCode]{
	{Title: "ACTIVATION ID", Cell: func(a *activationCode) string { return a.ActivationId }},
	{Title: "STATE", Cell: (*activationCode).state, Colour: func(a *activationCode) string {
		if strings.HasPrefix(a.state(), "good") {
			return green
		}
		return yellow
	}},
	{Title: "USED", Cell: func(a *activationCode) string { return fmt.Sprintf("%d of %d", a.RegisteredCount, a.InstanceCount) }},
	{Title: "NAMES", Cell: func(a *activationCode) string { return a.InstanceName }, Cut: 8},
	{Title: "CREATED", Cell: func(a *activationCode) string { return since(a.CreationTime) }},
	{Title: "FROM", In: InWide, Cell: func(a *activationCode) string { return a.IpAddressRange }, Cut: 10},
	{Title: "DESCRIPTION", In: InWide, Cell: func(a *activationCode) string { return a.Description }, Cut: 12},
}

func (s *Session) activations(ctx context.Context, limit int) (client.List[activationCode], error) {
	list, err := client.Fetch[activationCode](ctx, s.api, client.Listing{Action: "DescribeActivations", Path: []string{"ActivationList"}, Limit: limit})
	if err != nil {
		return list, refused(ctx, err)
	}
	return list, nil
}

// Activations lists activation codes, newest first.
func (s *Session) Activations(ctx context.Context, limit int) error {
	list, err := s.activations(ctx, limit)
	if err != nil {
		return err
	}
	return shown(s, activationColumns, list, "no activation codes: orderly activation create makes one")
}

// DisableActivations ends activation codes, after asking.
func (s *Session) DisableActivations(ctx context.Context, list []string) error {
	if err := s.Confirm("disable " + strings.Join(list, ", ") + ", with which no machine can register then"); err != nil {
		return err
	}
	for _, id := range list {
		if err := s.api.Call(ctx, "DisableActivation", map[string]string{"ActivationId": id}, nil); err != nil {
			return refused(ctx, err)
		}
		if err := s.print("disabled " + id + "\n"); err != nil {
			return err
		}
	}
	return nil
}

// ActivationIDs are the newest activation codes, for completion.
func (s *Session) ActivationIDs(ctx context.Context) ([]string, error) {
	list, err := s.activations(ctx, pageSize)
	return ids(list.Items, func(a *activationCode) string { return a.ActivationId }), err
}
