package orderly_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly"
)

// aFile is one that is right, with changes.
func aFile(change func(*orderly.File)) *orderly.File {
	f := &orderly.File{Name: "app.conf", Content: "a = 1\n", Dir: "/etc/app"}
	change(f)
	return f
}

// SF-1: what a request alone shows to be wrong with a file.
func TestFileForms(t *testing.T) {
	most := strings.Repeat("x", 24<<10) // 32 KB in Base64
	long := strings.Repeat("é", 256)
	for name, c := range map[string]struct {
		change func(*orderly.File)
		want   error
	}{
		"right":             {func(*orderly.File) {}, nil},
		"name, longest":     {func(f *orderly.File) { f.Name = long[:510] }, nil},
		"name":              {func(f *orderly.File) { f.Name = long }, orderly.FileNameTooLong},
		"description":       {func(f *orderly.File) { f.Description = long + long[:512] }, nil},
		"description, long": {func(f *orderly.File) { f.Description = long + long + "x" }, orderly.FileDescriptionTooLong},
		"directory":         {func(f *orderly.File) { f.Dir = "/" + long[:508] }, nil},
		"directory, long":   {func(f *orderly.File) { f.Dir = "/" + long }, orderly.FileDirInvalid},
		"relative":          {func(f *orderly.File) { f.Dir = "etc" }, orderly.FileDirInvalid},
		"no directory":      {func(f *orderly.File) { f.Dir = "" }, orderly.FileDirInvalid},
		"relative, Windows": {func(f *orderly.File) { f.Dir = `C:temp` }, orderly.FileDirInvalid},
		"Windows":           {func(f *orderly.File) { f.Dir = `C:\Program Files` }, nil},
		"Windows, share":    {func(f *orderly.File) { f.Dir = `\\host\share` }, nil},
		"directory, control": {func(f *orderly.File) {
			f.Dir = "/etc\x00/app"
		}, orderly.FileDirInvalid},
		"directory, newline": {func(f *orderly.File) { f.Dir = "/etc\n" }, orderly.FileDirInvalid},
		"owner":              {func(f *orderly.File) { f.Owner = long[:128] }, nil},
		"owner, long":        {func(f *orderly.File) { f.Owner = long[:130] }, orderly.FileOwnerInvalid},
		"owner and group":    {func(f *orderly.File) { f.Owner = "a:b" }, orderly.FileOwnerInvalid},
		"group, long":        {func(f *orderly.File) { f.Group = long[:130] }, orderly.FileGroupInvalid},
		"group, control":     {func(f *orderly.File) { f.Group = "\x1b" }, orderly.FileGroupInvalid},
		"mode, three digits": {func(f *orderly.File) { f.Mode = "755" }, nil},
		"mode, four digits":  {func(f *orderly.File) { f.Mode = "4755" }, nil},
		"mode, two digits":   {func(f *orderly.File) { f.Mode = "75" }, orderly.FileModeInvalid},
		"mode, five digits":  {func(f *orderly.File) { f.Mode = "00644" }, orderly.FileModeInvalid},
		"mode, not octal":    {func(f *orderly.File) { f.Mode = "0844" }, orderly.FileModeInvalid},
		"mode, letters":      {func(f *orderly.File) { f.Mode = "u+x" }, orderly.FileModeInvalid},
		"largest":            {func(f *orderly.File) { f.Content = most }, nil},
		"too large":          {func(f *orderly.File) { f.Content = most + "x" }, orderly.FileTooLarge},
		"largest in Base64":  {func(f *orderly.File) { f.Content, f.Base64 = base64.StdEncoding.EncodeToString([]byte(most)), true }, nil},
		"too large in Base64": {func(f *orderly.File) {
			f.Content, f.Base64 = base64.StdEncoding.EncodeToString([]byte(most+"x")), true
		}, orderly.FileTooLarge},
		"no Base64": {func(f *orderly.File) { f.Content, f.Base64 = "a = 1", true }, orderly.FileUndecodable},
	} {
		f := aFile(c.change)
		if got := f.Check(orderly.MaxFile); !errors.Is(got, c.want) || c.want == nil && got != nil {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	if f := aFile(func(*orderly.File) {}); f.Check(orderly.MaxFile) != nil || f.Mode != "0644" {
		t.Errorf("the mode is %q, want 0644", f.Mode)
	}
}

// A stranger's file is refused, or it is one that an agent can be handed.
func FuzzFile(f *testing.F) {
	f.Add("app.conf", "/etc", "YQ==", "0644", "root", true)
	f.Add("", `C:\`, "a\x00b", "", "", false)
	f.Fuzz(func(t *testing.T, name, dir, content, mode, owner string, encoded bool) {
		file := orderly.File{Name: name, Dir: dir, Content: content, Mode: mode, Owner: owner, Group: owner, Base64: encoded}
		if file.Check(1000) != nil {
			return
		}
		raw, err := file.Bytes()
		if err != nil || base64.StdEncoding.EncodedLen(len(raw)) > 1000 || !encoded && string(raw) != content {
			t.Errorf("%q, encoded %t: %d bytes, %v", content, encoded, len(raw), err)
		}
		if file.Content != content || strings.ContainsAny(dir+owner+file.Mode, "\x00\n") || len(file.Mode) < 3 {
			t.Errorf("%+v was admitted", file)
		}
	})
}

// SF-2, SF-3: how the end of a file is told of, and what an agent's refusal means that knows of no files (AB-2).
func TestEndsOfFiles(t *testing.T) {
	files := plan
	files.File = true
	for _, c := range []struct {
		state orderly.State
		code  orderly.ErrorCode
		want  outcome
	}{
		{orderly.Success, "", outcome{State: orderly.Success, Started: at(1), Finished: at(5)}},
		{orderly.Failed, orderly.FileAuthorityInvalid, outcome{State: orderly.Failed, Code: orderly.FileAuthorityInvalid, Started: at(1), Finished: at(5)}},
		{orderly.Failed, "", outcome{State: orderly.Failed, Code: orderly.FileCreateFail, Started: at(1), Finished: at(5)}},
		{orderly.Timeout, "", outcome{State: orderly.Timeout, Code: orderly.ExecutionTimeout, Started: at(1), Finished: at(1).Add(plan.Timeout)}},
		{orderly.Invalid, orderly.FileAlreadyExists, outcome{State: orderly.Invalid, Code: orderly.FileAlreadyExists, Finished: at(5)}},
		{orderly.Invalid, orderly.CommandNotApplicable, outcome{State: orderly.Aborted, Code: orderly.ClientNeedUpgrade, Finished: at(5)}},
		{orderly.Aborted, orderly.DeliveryTimeout, outcome{State: orderly.Aborted, Code: orderly.DeliveryTimeout, Finished: at(0).Add(plan.Delivery)}},
		{orderly.Error, orderly.ClientRestarted, outcome{State: orderly.Error, Code: orderly.ClientRestarted, Started: at(1), Finished: at(5)}},
	} {
		task := handed()
		r := orderly.Report{Number: 1 << 31, State: c.state, ErrorCode: c.code, Finished: at(5)}
		if !c.want.Started.IsZero() {
			r.Started = at(1)
		}
		task.Apply(r, files, limit, at(100))
		if !c.want.Started.IsZero() {
			c.want.Repeats = 1
		}
		if diff := cmp.Diff(c.want, seen(task)); diff != "" {
			t.Errorf("%s, %s (-want +got):\n%s", c.state, c.code, diff)
		}
	}
}
