package e2e_test

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"

	"github.com/orderly-run/orderly/e2e/stage"
)

// newFile is a request to send a file.
func newFile(name, dir, content string, agents ...*stage.Agent) *ecs.SendFileRequest {
	q := ecs.CreateSendFileRequest()
	q.Name, q.TargetDir, q.Content, q.InstanceId = name, dir, content, ids(agents)
	return q
}

// files lists what was sent.
func (p *play) files(change func(*ecs.DescribeSendFileResultsRequest)) *ecs.DescribeSendFileResultsResponse {
	p.Helper()
	q := ecs.CreateDescribeSendFileResultsRequest()
	change(q)
	return ask(p, p.SDK.DescribeSendFileResults, q)
}

// placed waits until a file's invocation is over, and returns how it is shown.
func (p *play) placed(id string) (shown ecs.Invocation) {
	p.Helper()
	stage.Await(p.T, stage.Patience, "the end of "+id, func() error {
		shown = p.files(func(q *ecs.DescribeSendFileResultsRequest) { q.InvokeId = id }).Invocations.Invocation[0]
		if s := shown.InvocationStatus; s == "Pending" || s == "Running" {
			return fmt.Errorf("it is %s", s)
		}
		return nil
	})
	return shown
}

// onDisk is a file as a story compares it.
type onDisk struct {
	Content  string
	Mode     fs.FileMode
	UID, GID uint32
}

func lookAt(t testing.TB, path string) onDisk {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
		return onDisk{}
	}
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	s := info.Sys().(*syscall.Stat_t)
	return onDisk{string(content), info.Mode(), s.Uid, s.Gid}
}

// Files are sent to machines, and every value of what is told of them is checked, and what is on the disk.
func TestGoSDKSendsFiles(t *testing.T) { // SF-1 to SF-5, HB-3
	eachFormat(t, func(p *play) {
		one, two := p.Server.Agent("one"), p.Server.Agent("two")
		dir := filepath.Join(p.TempDir(), "made", "for it")
		q := newFile("hard & *~ é", dir, base64Of("\x00\xffa = 1\n"), one, two) // which are both on this machine
		q.ContentType, q.Description, q.FileMode, q.Timeout, q.Overwrite = "Base64", "<é> &", "0640", number(30), truth(true)
		q.Tag = &[]ecs.SendFileTag{{Key: "k 1", Value: "v*~1"}}
		want := ecs.Invocation{
			InvokeId: anyID, Name: q.Name, Description: q.Description, TargetDir: dir, Content: q.Content, ContentType: "Base64",
			FileOwner: "root", FileGroup: "root", FileMode: "0640", Overwrite: "true", VmCount: 2, CreationTime: anyTime, InvocationStatus: "Success",
			Tags: ecs.TagsInDescribeInvocations{Tag: []ecs.Tag{{TagKey: "k 1", TagValue: "v*~1"}}},
		}
		for _, a := range []*stage.Agent{one, two} {
			want.InvokeInstances.InvokeInstance = append(want.InvokeInstances.InvokeInstance, ecs.InvokeInstance{
				InstanceId: a.ID, InvocationStatus: "Success", CreationTime: anyTime, StartTime: anyTime, UpdateTime: anyTime, FinishTime: anyTime,
			})
		}
		owner := onDisk{"\x00\xffa = 1\n", 0o640, uint32(os.Geteuid()), uint32(os.Getegid())}
		if os.Geteuid() == 0 {
			q.FileOwner, q.FileGroup = "daemon", "daemon"
			want.FileOwner, want.FileGroup = q.FileOwner, q.FileGroup
			owner.UID, owner.GID = 1, 1
		}
		id := ask(p, p.SDK.SendFile, q).InvokeId
		p.placed(id)
		check(p, "DescribeSendFileResults", p.files(func(*ecs.DescribeSendFileResultsRequest) {}), &ecs.DescribeSendFileResultsResponse{
			TotalCount: 1, PageNumber: 1, PageSize: 10, Invocations: ecs.InvocationsInDescribeSendFileResults{Invocation: []ecs.Invocation{want}},
		})
		path := filepath.Join(dir, q.Name)
		if got := lookAt(p, path); got != owner {
			p.Errorf("on the disk: %+v, want %+v", got, owner)
		}
		p.overwrites(path, one)
		p.standsApart(id, one)
	})
}

// overwrites replaces a file, and shows what cannot be.
func (p *play) overwrites(path string, a *stage.Agent) {
	p.Helper()
	dir, name := filepath.Split(path)
	q := newFile(name, dir, "b = 2", a)
	q.Overwrite, q.Timeout = truth(true), number(1)
	shown := p.placed(ask(p, p.SDK.SendFile, q).InvokeId)
	if shown.InvocationStatus != "Success" || shown.Overwrite != "true" || shown.Content != "b = 2" || shown.ContentType != "PlainText" || shown.FileMode != "0644" {
		p.Errorf("overwritten: %+v", shown)
	}
	if got, want := lookAt(p, path), (onDisk{"b = 2", 0o644, uint32(os.Geteuid()), uint32(os.Getegid())}); got != want {
		p.Errorf("on the disk: %+v, want %+v", got, want)
	}
	for code, change := range map[string]func(q *ecs.SendFileRequest){
		"FileAlreadyExists":  func(*ecs.SendFileRequest) {},
		"FileNameInvalid":    func(q *ecs.SendFileRequest) { q.Name = "../x" },
		"FilePathInvalid":    func(q *ecs.SendFileRequest) { q.TargetDir = path },
		"FileContentInvalid": func(q *ecs.SendFileRequest) { q.Content, q.ContentType = "\n", "Base64" },
		"AccountNotExists":   func(q *ecs.SendFileRequest) { q.FileOwner = "no-such-user" },
		"UserGroupNotExists": func(q *ecs.SendFileRequest) { q.FileGroup = "no-such-group" },
	} {
		q := newFile(name, dir, "c = 3", a)
		if change(q); code != "FileAlreadyExists" {
			q.Overwrite = truth(true)
		}
		row := p.placed(ask(p, p.SDK.SendFile, q).InvokeId).InvokeInstances.InvokeInstance[0]
		if row.InvocationStatus != "Invalid" || row.ErrorCode != code || row.StartTime != "" || row.FinishTime == "" {
			p.Errorf("%+v, want Invalid, %s", row, code)
		}
	}
	if got := lookAt(p, path).Content; got != "b = 2" {
		p.Errorf("after refusals there is %q", got)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		p.Errorf("the directory holds %v, %v", left, err)
	}
}

// standsApart shows that a file is no invocation to anybody who asks for those.
func (p *play) standsApart(id string, a *stage.Agent) {
	p.Helper()
	stop := ecs.CreateStopInvocationRequest()
	stop.InvokeId = id
	refused(p, p.SDK.StopInvocation, stop, 404, "InvalidInvokeId.NotFound")
	if all := ask(p, p.SDK.DescribeInvocations, ecs.CreateDescribeInvocationsRequest()); all.TotalCount != 0 {
		p.Errorf("%d invocations", all.TotalCount)
	}
	for _, change := range []func(q *ecs.DescribeSendFileResultsRequest){
		func(q *ecs.DescribeSendFileResultsRequest) {
			q.Name = "hard & *~ é"
			q.InvocationStatus = "Success"
			q.Tag = &[]ecs.DescribeSendFileResultsTag{{Key: "k 1", Value: "v*~1"}}
		},
		func(q *ecs.DescribeSendFileResultsRequest) {
			q.Tag = &[]ecs.DescribeSendFileResultsTag{{Key: "k 1", Value: "v*~1"}}
		},
	} {
		if got := p.files(change); got.TotalCount != 1 || got.Invocations.Invocation[0].InvokeId != id {
			p.Errorf("a filter finds %+v", got.Invocations)
		}
	}
	page := p.files(func(q *ecs.DescribeSendFileResultsRequest) { q.MaxResults, q.InstanceId = number(2), a.ID })
	if next := p.files(func(q *ecs.DescribeSendFileResultsRequest) {
		q.MaxResults, q.InstanceId, q.NextToken = number(2), a.ID, page.NextToken
	}); len(page.Invocations.Invocation) != 2 || len(next.Invocations.Invocation) != 2 || page.TotalCount != 8 {
		p.Errorf("pages of %d and %d files, of %d", len(page.Invocations.Invocation), len(next.Invocations.Invocation), page.TotalCount)
	}
	count := ecs.CreateDescribeCloudAssistantStatusRequest()
	count.InstanceId = &[]string{a.ID}
	if got := ask(p, p.SDK.DescribeCloudAssistantStatus, count).InstanceCloudAssistantStatusSet.InstanceCloudAssistantStatus[0]; got.InvocationCount != 8 || got.ActiveTaskCount != 0 {
		p.Errorf("the machine has %d tasks behind it and %d in work, want 8 and none", got.InvocationCount, got.ActiveTaskCount)
	}
	refused(p, p.SDK.SendFile, newFile("x", "relative", "c", a), 400, "FileTargetDir.Invalid")
	refused(p, p.SDK.SendFile, newFile("x", "/tmp", strings.Repeat("c", 24577), a), 403, "FileSize.ExceedLimit")
}

// Agents and servers are killed while files are written: each file is there as a whole or not at all, none is written
// twice, the end of each arrives, and nothing else is left (promises 2 and 3, HND-4, HND-6).
func TestFilesSurviveKills(t *testing.T) {
	eachFormat(t, func(p *play) {
		a := p.Server.Agent("one")
		dir := filepath.Join(p.TempDir(), "files")
		seed := rand.Uint64()
		p.Logf("seed %d", seed)
		rnd := rand.New(rand.NewPCG(seed, 0))
		content := strings.Repeat("0123456789abcdef", 1024)
		ids := map[string]string{}
		for round := range 8 {
			name := fmt.Sprint("file-", round)
			ids[name] = ask(p, p.SDK.SendFile, newFile(name, dir, content+name, a)).InvokeId
			<-time.After(time.Duration(rnd.IntN(30_000)) * time.Microsecond)
			if round%2 == 0 {
				a.Kill()
				a.Start()
			} else {
				before := a.Welcomes()
				p.Server.Kill()
				p.Server.Start()
				a.AwaitWelcome(before)
			}
		}
		written := 0
		for name, id := range ids {
			row := p.placed(id).InvokeInstances.InvokeInstance[0]
			data, err := os.ReadFile(filepath.Join(dir, name))
			switch {
			case err == nil && string(data) != content+name:
				p.Errorf("%s holds %d bytes that are not its own", name, len(data))
			case row.InvocationStatus == "Success" && err == nil:
				written++
			case row.InvocationStatus == "Error" && row.ErrorCode == "ClientRestarted": // nobody knows
			default:
				p.Errorf("%s: %+v, %v", name, row, err) // FileAlreadyExists would be a second try
			}
		}
		if written < len(ids)/2 {
			p.Errorf("%d of %d files were written", written, len(ids))
		}
		stage.Await(p.T, stage.Patience, "nothing is left but the files", func() error {
			left, err := filepath.Glob(filepath.Join(dir, ".*"))
			if err == nil && len(left) > 0 {
				err = fmt.Errorf("%q", left)
			}
			return err
		})
	})
}

// The operator sets how long, and of how many files, it is told what became of them; commands are kept on (RET-1).
func TestFilesAreToldOfAsLongAsTheOperatorWants(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		want []string // of the files, which are sent in this order: first, second
	}{
		"number": {[]string{"--retain-file-records", "1"}, []string{"second"}},
		"time":   {[]string{"--retain-files", "1s"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := stage.Open(t, stage.Options{Args: c.args, Scale: 50})
			p := &play{t, s, goSDK(t, s.Endpoint, s.KeyID, s.Secret), "JSON"}
			a := s.Agent("one")
			run := ask(p, p.SDK.RunCommand, newRun("true", a)).InvokeId
			p.ended(run)
			for _, name := range []string{"first", "second"} {
				dir := t.TempDir()
				ask(p, p.SDK.SendFile, newFile(name, dir, name, a))
				stage.Await(t, stage.Patience, name+" is in its place", func() error {
					for _, f := range p.files(func(*ecs.DescribeSendFileResultsRequest) {}).Invocations.Invocation {
						if s := f.InvocationStatus; s == "Pending" || s == "Running" {
							return fmt.Errorf("%s is %s", f.Name, s)
						}
					}
					_, err := os.Stat(filepath.Join(dir, name))
					return err
				})
			}
			stage.Await(t, stage.Patience, "the others are told of no more", func() error {
				var got []string
				for _, f := range p.files(func(*ecs.DescribeSendFileResultsRequest) {}).Invocations.Invocation {
					got = append(got, f.Name)
				}
				if !slices.Equal(got, c.want) {
					return fmt.Errorf("there are %q, want %q", got, c.want)
				}
				return nil
			})
			if got := p.ended(run).InvokeId; got != run {
				t.Errorf("of commands there is %q, want %q", got, run)
			}
		})
	}
}
