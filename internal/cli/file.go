package cli

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/orderly-run/orderly/internal/client"
)

// A Sending is a file to put on machines.
type Sending struct {
	File      string // "-" for standard input
	To        string // path on the machines; a directory when it ends with a slash
	Targets   Targets
	Owner     string
	Group     string
	Mode      string // octal; "" for the server's default
	Overwrite bool
	Timeout   time.Duration // 0 for the server's default
	Wait      time.Duration // how long to wait for all machines; 0 for as long as it takes
	View      Viewing
}

// sendFileRequest is what SendFile takes.
type sendFileRequest struct {
	InstanceId                            []string
	Name, TargetDir, Content, ContentType string
	FileOwner, FileGroup, FileMode        string
	Overwrite                             bool
	Timeout                               int64
	ClientToken                           string
}

// sentTo is the most machines that one request sends to.
const sentTo = 50

func (f *Sending) request(in io.Reader) (sendFileRequest, error) {
	dir, name := path.Split(f.To)
	if name == "" {
		name = path.Base(strings.ReplaceAll(f.File, `\`, "/"))
	}
	if name == "-" {
		return sendFileRequest{}, &Exit{Refused, Advise(errors.New("what comes from standard input has no name"), "write the whole path on the machines, such as /etc/motd")}
	}
	text, err := readFile(f.File, in)
	if err != nil {
		return sendFileRequest{}, &Exit{Refused, Advise(err, "give the path of a file, or - for standard input")}
	}
	if len(dir) > 1 {
		dir = strings.TrimSuffix(dir, "/")
	}
	return sendFileRequest{
		Name: name, TargetDir: dir, Content: base64.StdEncoding.EncodeToString(text), ContentType: "Base64",
		FileOwner: f.Owner, FileGroup: f.Group, FileMode: f.Mode, Overwrite: f.Overwrite, Timeout: seconds(f.Timeout),
	}, nil
}

// Send puts a file on machines, waits, and shows what came of it. More than 50 machines get it by several
// requests, one after the other. Anything but success everywhere is an [*Exit].
func (s *Session) Send(ctx context.Context, f Sending) error {
	q, err := f.request(s.In)
	if err != nil {
		return err
	}
	list, err := s.one(ctx, f.Targets)
	if err != nil {
		return err
	}
	if f.Targets.All {
		if err := s.confirmAll(ctx); err != nil {
			return err
		}
	}
	waiting := ctx
	if f.Wait > 0 {
		var cancel context.CancelFunc
		waiting, cancel = context.WithTimeoutCause(ctx, f.Wait, fmt.Errorf("%w after %s", errGaveUp, f.Wait))
		defer cancel()
	}
	report := Report{}
	started := time.Now()
	for part := range slices.Chunk(list, sentTo) {
		q.InstanceId, q.ClientToken = part, rand.Text()
		if err := s.send(waiting, q, &report); err != nil {
			return s.sentInPart(report, len(list), f.View, err)
		}
	}
	report.Took = time.Since(started)
	return s.Show(report, f.View)
}

// sentInPart shows what came of the requests before the one that failed, and adds to its error how far
// it came.
func (s *Session) sentInPart(r Report, all int, view Viewing, err error) error {
	exit := (*Exit)(nil)
	if len(r.Results) == 0 || !errors.As(err, &exit) {
		return err
	}
	shown := (*Exit)(nil)
	if err := s.Show(r, view); err != nil && !errors.As(err, &shown) {
		return err
	}
	return &Exit{exit.Code, fmt.Errorf("sent to %d of %s, which are above; then: %w", len(r.Results), machines(all), exit.Err)}
}

// one is the ID of each machine that is meant.
func (s *Session) one(ctx context.Context, t Targets) ([]string, error) {
	if !t.All && len(t.Tags) == 0 {
		list, _, err := s.selected(ctx, t)
		return list, err
	}
	list, err := s.fleet(ctx, Fleet{Tags: t.Tags})
	if err != nil {
		return nil, err
	}
	if len(list.Items) == 0 {
		return nil, &Exit{Refused, Advise(errors.New("there is no such machine"), "see which ones there are: orderly instance list")}
	}
	return ids(list.Items, func(i *client.ManagedInstance) string { return i.InstanceId }), nil
}

// A sentFile is a file as DescribeSendFileResults tells it.
type sentFile struct {
	InvokeId, InvocationStatus string
	InvokeInstances            struct{ InvokeInstance []client.InvokeInstance }
}

// unseen is how long a server may take until it knows of a sending that it has accepted.
const unseen = 3 * time.Second

// send makes one request, waits for its end and adds its results.
func (s *Session) send(ctx context.Context, q sendFileRequest, r *Report) error {
	var made struct{ InvokeId string }
	if err := s.api.Call(ctx, "SendFile", q, &made); err != nil {
		return given(ctx, err, "")
	}
	accepted := time.Now()
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, 500*time.Millisecond) {
		list, err := client.Fetch[sentFile](ctx, s.api, client.Listing{
			Action: "DescribeSendFileResults", Params: map[string]string{"InvokeId": made.InvokeId}, Path: []string{"Invocations", "Invocation"},
		})
		switch {
		case err != nil:
			return given(ctx, err, made.InvokeId)
		case len(list.Items) == 1 && !live(list.Items[0].InvocationStatus):
			return s.addSent(ctx, &list.Items[0], r)
		case len(list.Items) == 0 && time.Since(accepted) > unseen:
			return &Exit{Refused, Advise(fmt.Errorf("the server accepted the file as %s and knows nothing of it", made.InvokeId),
				"its records may be kept too short: see --retain-file-records of orderly server; what is on a machine: orderly run -- ls -l PATH")}
		}
		if err := wait(ctx, pause); err != nil {
			return given(ctx, err, made.InvokeId)
		}
	}
}

// given is the end by an error of a call, or because the user or the limit of the wait ended it while a
// file is sent.
func given(ctx context.Context, err error, id string) error {
	if ctx.Err() == nil {
		return refused(ctx, err)
	}
	code, why := Interrupted, errors.New("interrupted")
	if cause := context.Cause(ctx); errors.Is(cause, errGaveUp) {
		code, why = GaveUp, cause
	}
	if id == "" {
		return &Exit{code, fmt.Errorf("%w before the server answered: the file may be sent\n  see whether it is: orderly api DescribeSendFileResults", why)}
	}
	return &Exit{code, fmt.Errorf("%w; the file is sent on as %s\n  look again: orderly api DescribeSendFileResults InvokeId=%[2]s", why, id)}
}

// live reports whether a status is of what goes on.
func live(status string) bool {
	var t tally
	t.add(status)
	return t.Live > 0
}

func (s *Session) addSent(ctx context.Context, f *sentFile, r *Report) error {
	list := f.InvokeInstances.InvokeInstance
	names, err := s.names(ctx, ids(list, func(i *client.InvokeInstance) string { return i.InstanceId }))
	if err != nil {
		return given(ctx, err, f.InvokeId)
	}
	for i := range list {
		t := &list[i]
		r.Results = append(r.Results, Result{
			Instance: t.InstanceId, Name: nameOf(t.InstanceId, names), Status: t.InvocationStatus, ErrorCode: t.ErrorCode, ErrorInfo: t.ErrorInfo,
			Started: t.StartTime, Finished: t.FinishTime,
		})
	}
	r.InvokeID, r.Status = f.InvokeId, f.InvocationStatus
	return nil
}
