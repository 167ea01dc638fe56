package orderly

import (
	"encoding/base64"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// A CommandType is the interpreter family of a command (rule CMD-1).
type CommandType string

// The command types.
const (
	RunShellScript      CommandType = "RunShellScript"
	RunBatScript        CommandType = "RunBatScript"
	RunPowerShellScript CommandType = "RunPowerShellScript"
)

// Known reports whether t is one of the published types.
func (t CommandType) Known() bool {
	return t == RunShellScript || t == RunBatScript || t == RunPowerShellScript
}

// Fits reports whether a command of type t can run under an OS (rule CMD-2).
func (t CommandType) Fits(os OSType) bool {
	return (t == RunShellScript) == (os != Windows)
}

// A Command is a script with its defaults.
type Command struct {
	Seq             int64 // order of creation (ID-5)
	ID              string
	Account         string
	Realm           string // of the caller that made it
	Region          string
	Name            string
	Description     string
	Type            CommandType
	Content         []byte // the script, decoded, with its placeholders
	WorkingDir      string // "" is the default of the instance (CMD-7)
	Timeout         time.Duration
	EnableParameter bool
	Launcher        string
	ResourceGroup   string
	Tags            []Tag
	Kept            bool // listed by DescribeCommands and counted by the quota (KEEP-1)
	InvokeTimes     int  // invocations made from it (DC-2)
	Created         time.Time
}

// CommandLimits are the sizes that a dialect allows.
type CommandLimits struct {
	ContentBytes int           // of the content in Base64 (SZ-1)
	TimeoutMin   time.Duration // a shorter timeout is raised to it (CMD-5)
	TimeoutMax   time.Duration
	Parameters   int // that one request may give values to (PAR-3)
}

// ECSLimits are the limits of the ECS dialect (SZ-1, CMD-5, PAR-3).
var ECSLimits = CommandLimits{ContentBytes: 24 << 10, TimeoutMin: 10 * time.Second, TimeoutMax: 24 * time.Hour, Parameters: 10}

// Sizes of a command's fields, in characters (rule CMD-3).
const (
	maxName        = 128
	maxDescription = 512
	maxWorkingDir  = 200
	maxUsername    = 255
	maxLauncher    = 1024 // bytes
)

// DefaultTimeout is a command's timeout when none is given (rule CMD-5).
const DefaultTimeout = 60 * time.Second

// Check finds what is wrong with a command's form, as a Reason. It raises a timeout that is too
// short (CMD-5) and sets the default of one that is absent.
func (c *Command) Check(l CommandLimits) error {
	if !c.Type.Known() {
		return CommandTypeUnknown
	}
	if base64.StdEncoding.EncodedLen(len(c.Content)) > l.ContentBytes {
		return ContentTooLong
	}
	all := CommandEdit{&c.Name, &c.Description, &c.WorkingDir, &c.Launcher, &c.Timeout}
	if err := all.Check(l); err != nil || !c.EnableParameter {
		return err
	}
	_, err := ParameterNames(c.Content)
	return err
}

// A CommandEdit is what a command gets instead of what it has; what is nil stays (rule MOD-1).
type CommandEdit struct {
	Name, Description, WorkingDir, Launcher *string
	Timeout                                 *time.Duration
}

// Check finds what is wrong with an edit's form, as a Reason, and puts its timeout right as
// Command.Check does.
func (e CommandEdit) Check(l CommandLimits) error {
	for _, part := range []struct {
		text  *string
		check func(string) error
	}{{e.Name, checkName}, {e.Description, checkDescription}, {e.Launcher, CheckLauncher}, {e.WorkingDir, CheckWorkingDir}} {
		if part.text == nil {
			continue
		}
		if err := part.check(*part.text); err != nil {
			return err
		}
	}
	if e.Timeout == nil {
		return nil
	}
	t, err := l.Timeout(*e.Timeout)
	*e.Timeout = t
	return err
}

// Apply changes c, whose invocations keep what they were created with (rule MOD-2).
func (e CommandEdit) Apply(c *Command) {
	for _, part := range [][2]*string{{&c.Name, e.Name}, {&c.Description, e.Description}, {&c.Launcher, e.Launcher}, {&c.WorkingDir, e.WorkingDir}} {
		if part[1] != nil {
			*part[0] = *part[1]
		}
	}
	if e.Timeout != nil {
		c.Timeout = *e.Timeout
	}
}

func checkName(name string) error {
	switch {
	case utf8.RuneCountInString(name) > maxName:
		return CommandNameTooLong
	case hasControl(name):
		return CommandNameIllegal
	}
	return nil
}

func checkDescription(text string) error {
	switch {
	case utf8.RuneCountInString(text) > maxDescription:
		return DescriptionTooLong
	case hasControl(text):
		return DescriptionIllegal
	}
	return nil
}

// CheckLauncher finds what is wrong with a launcher's form (rule LA-1); "" is none.
func CheckLauncher(launcher string) error {
	if len(launcher) > maxLauncher {
		return LauncherTooLong
	}
	return checkLauncherNames(launcher)
}

// Timeout is the timeout that counts when t is asked for; 0 asks for the default.
func (l CommandLimits) Timeout(t time.Duration) (time.Duration, error) {
	switch {
	case t == 0:
		return DefaultTimeout, nil
	case t > l.TimeoutMax:
		return 0, TimeoutTooLong
	case t < l.TimeoutMin:
		return l.TimeoutMin, nil
	}
	return t, nil
}

// CheckWorkingDir finds what is wrong with a working directory's form; "" is the default.
func CheckWorkingDir(dir string) error {
	if utf8.RuneCountInString(dir) > maxWorkingDir {
		return WorkingDirInvalid
	}
	if hasControl(dir) || !utf8.ValidString(dir) {
		return WorkingDirIllegal
	}
	return nil
}

// CheckUser finds what is wrong with the form of the user that a command shall run as (rule CMD-3).
func CheckUser(username, passwordName string) error {
	switch {
	case utf8.RuneCountInString(username) > maxUsername:
		return UsernameTooLong
	case utf8.RuneCountInString(passwordName) > maxUsername:
		return PasswordNameTooLong
	}
	return nil
}

// CheckPassword finds whether a command of type t lacks the name of its user's password: on
// Windows all but System need one, whose name is one in any case (rule CMD-8).
func (t CommandType) CheckPassword(username, passwordName string) error {
	if t == RunShellScript || username == "" || strings.EqualFold(username, "System") || passwordName != "" {
		return nil
	}
	return PasswordNameMissing
}

// hasControl reports whether s holds a control character or is no text at all.
func hasControl(s string) bool {
	if !utf8.ValidString(s) {
		return true
	}
	for _, r := range s {
		if unicode.IsControl(r) && r != '\t' && r != '\n' && r != '\r' {
			return true
		}
	}
	return false
}
