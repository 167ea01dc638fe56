package orderly_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/orderly-run/orderly"
)

// chars is a text of n characters of two bytes each.
func chars(n int) string { return strings.Repeat("ä", n) }

func TestCommandForm(t *testing.T) {
	// 3 bytes are 4 in Base64: 18 432 bytes are just the 24 KB of SZ-1.
	most := strings.Repeat("x", 18<<10)
	tests := []struct {
		rule   string
		change func(*orderly.Command)
		err    error
	}{
		{"CMD-1, shell", func(c *orderly.Command) { c.Type = "RunShellScript" }, nil},
		{"CMD-1, bat", func(c *orderly.Command) { c.Type = "RunBatScript" }, nil},
		{"CMD-1, PowerShell", func(c *orderly.Command) { c.Type = "RunPowerShellScript" }, nil},
		{"CMD-1, other", func(c *orderly.Command) { c.Type = "RunPythonScript" }, orderly.CommandTypeUnknown},
		{"CMD-1, none", func(c *orderly.Command) { c.Type = "" }, orderly.CommandTypeUnknown},
		{"CMD-3, name of 128", func(c *orderly.Command) { c.Name = chars(128) }, nil},
		{"CMD-3, name of 129", func(c *orderly.Command) { c.Name = chars(129) }, orderly.CommandNameTooLong},
		{"CMD-3, name with a NUL", func(c *orderly.Command) { c.Name = "a\x00" }, orderly.CommandNameIllegal},
		{"CMD-3, name that is no text", func(c *orderly.Command) { c.Name = "a\xff" }, orderly.CommandNameIllegal},
		{"CMD-3, description of 512", func(c *orderly.Command) { c.Description = chars(512) }, nil},
		{"CMD-3, description of 513", func(c *orderly.Command) { c.Description = chars(513) }, orderly.DescriptionTooLong},
		{"CMD-3, description of two lines", func(c *orderly.Command) { c.Description = "a\r\n\tb" }, nil},
		{"CMD-3, description with an escape", func(c *orderly.Command) { c.Description = "\x1b[1m" }, orderly.DescriptionIllegal},
		{"CMD-3, directory of 200", func(c *orderly.Command) { c.WorkingDir = chars(200) }, nil},
		{"CMD-3, directory of 201", func(c *orderly.Command) { c.WorkingDir = chars(201) }, orderly.WorkingDirInvalid},
		{"CMD-3, directory with a NUL", func(c *orderly.Command) { c.WorkingDir = "/\x00" }, orderly.WorkingDirIllegal},
		{"CMD-3, launcher of 1 KB", func(c *orderly.Command) { c.Launcher = strings.Repeat("x", 1024) }, nil},
		{"CMD-3, launcher of more", func(c *orderly.Command) { c.Launcher = strings.Repeat("x", 1025) }, orderly.LauncherTooLong},
		{"CMD-9, no name", func(c *orderly.Command) { c.Name = "" }, nil},
		{"SZ-1, 24 KB", func(c *orderly.Command) { c.Content = []byte(most) }, nil},
		{"SZ-1, one byte more", func(c *orderly.Command) { c.Content = []byte(most + "x") }, orderly.ContentTooLong},
		{"PAR-2", func(c *orderly.Command) { c.Content, c.EnableParameter = []byte("{{}}"), true }, orderly.ParameterNameEmpty},
		{"PAR-6", func(c *orderly.Command) { c.Content = []byte("{{}}") }, nil},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			c := orderly.Command{Name: "say", Type: orderly.RunShellScript, Content: []byte("echo")}
			tt.change(&c)
			if err := c.Check(orderly.ECSLimits); !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
				t.Errorf("Check = %v, want %v", err, tt.err)
			}
		})
	}
}

func TestCommandTimeout(t *testing.T) { // CMD-5
	tests := []struct {
		asked, want time.Duration
		err         error
	}{
		{0, 60 * time.Second, nil},
		{-time.Second, 10 * time.Second, nil},
		{time.Second, 10 * time.Second, nil},
		{9 * time.Second, 10 * time.Second, nil},
		{10 * time.Second, 10 * time.Second, nil},
		{11 * time.Second, 11 * time.Second, nil},
		{86400 * time.Second, 86400 * time.Second, nil},
		{86401 * time.Second, 0, orderly.TimeoutTooLong},
	}
	for _, tt := range tests {
		t.Run(tt.asked.String(), func(t *testing.T) {
			got, err := orderly.ECSLimits.Timeout(tt.asked)
			if got != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("Timeout = %s, %v, want %s, %v", got, err, tt.want, tt.err)
			}
			c := orderly.Command{Type: orderly.RunShellScript, Timeout: tt.asked}
			if err := c.Check(orderly.ECSLimits); !errors.Is(err, tt.err) || err == nil && c.Timeout != tt.want {
				t.Errorf("Check = %v, timeout %s, want %v, %s", err, c.Timeout, tt.err, tt.want)
			}
		})
	}
}

func TestCommandFitsSystem(t *testing.T) { // CMD-2
	tests := []struct {
		kind orderly.CommandType
		os   orderly.OSType
		want bool
	}{
		{orderly.RunShellScript, orderly.Linux, true},
		{orderly.RunShellScript, orderly.FreeBSD, true},
		{orderly.RunShellScript, orderly.Windows, false},
		{orderly.RunBatScript, orderly.Windows, true},
		{orderly.RunBatScript, orderly.Linux, false},
		{orderly.RunPowerShellScript, orderly.Windows, true},
		{orderly.RunPowerShellScript, orderly.FreeBSD, false},
	}
	for _, tt := range tests {
		if got := tt.kind.Fits(tt.os); got != tt.want {
			t.Errorf("%s on %s: %t, want %t", tt.kind, tt.os, got, tt.want)
		}
	}
}

func TestUserOfACommand(t *testing.T) { // CMD-3, CMD-8
	tests := []struct {
		name           string
		kind           orderly.CommandType
		user, password string
		err            error
	}{
		{"default", orderly.RunShellScript, "", "", nil},
		{"255 characters", orderly.RunShellScript, chars(255), "", nil},
		{"256 characters", orderly.RunShellScript, chars(256), "", orderly.UsernameTooLong},
		{"password name of 255", orderly.RunBatScript, "ann", chars(255), nil},
		{"password name of 256", orderly.RunBatScript, "ann", chars(256), orderly.PasswordNameTooLong},
		{"Linux needs no password", orderly.RunShellScript, "ann", "", nil},
		{"Windows, default", orderly.RunPowerShellScript, "", "", nil},
		{"Windows, System", orderly.RunPowerShellScript, "System", "", nil},
		{"Windows, System in another case", orderly.RunBatScript, "SYSTEM", "", nil},
		{"Windows, other without a password", orderly.RunPowerShellScript, "ann", "", orderly.PasswordNameMissing},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := orderly.CheckUser(tt.user, tt.password)
			if err == nil {
				err = tt.kind.CheckPassword(tt.user, tt.password)
			}
			if !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
				t.Errorf("user %q: %v, want %v", tt.user, err, tt.err)
			}
		})
	}
}

// MOD-1: an edit changes what it names, in the form that a new command must have.
func TestCommandIsEdited(t *testing.T) {
	long := strings.Repeat("x", 1025)
	empty, dir, soon, late := "", "/srv", time.Second, 86401*time.Second
	name := "new"
	before := orderly.Command{Name: "old", Description: "d", WorkingDir: "/", Launcher: "sh", Timeout: time.Minute}
	for _, tt := range []struct {
		rule string
		edit orderly.CommandEdit
		want orderly.Command
	}{
		{"nothing", orderly.CommandEdit{}, before},
		{"some", orderly.CommandEdit{Name: &name, WorkingDir: &dir}, orderly.Command{Name: "new", Description: "d", WorkingDir: "/srv", Launcher: "sh", Timeout: time.Minute}},
		{"emptied", orderly.CommandEdit{Description: &empty, Launcher: &empty}, orderly.Command{Name: "old", WorkingDir: "/", Timeout: time.Minute}},
		{"CMD-5", orderly.CommandEdit{Timeout: &soon}, orderly.Command{Name: "old", Description: "d", WorkingDir: "/", Launcher: "sh", Timeout: 10 * time.Second}},
	} {
		got := before
		if err := tt.edit.Check(orderly.ECSLimits); err != nil {
			t.Errorf("%s: Check = %v", tt.rule, err)
		}
		if tt.edit.Apply(&got); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %+v, want %+v", tt.rule, got, tt.want)
		}
	}
	for want, edit := range map[error]orderly.CommandEdit{
		orderly.CommandNameTooLong: {Name: &long}, orderly.DescriptionTooLong: {Description: &long}, orderly.WorkingDirInvalid: {WorkingDir: &long},
		orderly.LauncherTooLong: {Launcher: &long}, orderly.TimeoutTooLong: {Timeout: &late},
	} {
		if err := edit.Check(orderly.ECSLimits); !errors.Is(err, want) {
			t.Errorf("Check = %v, want %v", err, want)
		}
	}
}

// CMD-6, CMD-9, MOD-2: an invocation has its own copy of what it runs.
func TestPlanIsTheInvocationsOwn(t *testing.T) {
	inv := orderly.Invocation{Repeat: orderly.Once, Command: orderly.Command{Timeout: time.Minute}, Delivery: time.Second}
	want := orderly.Plan{Repeat: orderly.Once, Timeout: time.Minute, Delivery: time.Second}
	if got := inv.Plan(); got != want {
		t.Errorf("Plan = %+v, want %+v", got, want)
	}
}

func TestTimedInvocations(t *testing.T) { // DI-3, DI-5
	live, done := orderly.Count(orderly.Running, false), orderly.Count(orderly.Success, false)
	tests := []struct {
		mode   orderly.RepeatMode
		counts orderly.Counts
		want   bool
	}{
		{orderly.Once, live, false},
		{orderly.DryRun, live, false},
		{orderly.Period, live, true},
		{orderly.NextRebootOnly, live.Add(done), true},
		{orderly.EveryReboot, live, true},
		{orderly.Period, done, false},
	}
	for _, tt := range tests {
		inv := orderly.Invocation{Repeat: tt.mode, Counts: tt.counts}
		if got := inv.Timed(); got != tt.want {
			t.Errorf("%s, %d live: Timed = %t, want %t", tt.mode, tt.counts.Live(), got, tt.want)
		}
	}
}
