package orderly

import (
	"encoding/base64"
	"path"
	"regexp"
	"strings"
	"unicode/utf8"
)

// FileRealm is the realm of the invocations that send a file: those who run commands know nothing of
// them (rule SF-5).
const FileRealm = "file"

// A File is what an invocation puts on instances in place of running a command (rule SF-1).
type File struct {
	Name        string `json:"-"`
	Content     string `json:"-"` // as it was sent
	Base64      bool   `json:"base64,omitempty"`
	Description string `json:"description,omitempty"`
	Dir         string `json:"dir"` // made when it is missing
	Owner       string `json:"owner,omitempty"`
	Group       string `json:"group,omitempty"`
	Mode        string `json:"mode"` // 3 or 4 octal digits
	Overwrite   bool   `json:"overwrite,omitempty"`
}

// What a file has when the request does not say. Owner and group stay empty, so that an agent that
// does not run as root can make the file its own.
const (
	DefaultFileOwner = "root"
	DefaultFileMode  = "0644"
)

// MaxFile is the size of a file's content in Base64 unless configured otherwise (rule SF-1).
const MaxFile = 32 << 10

// Sizes of a file's fields, in characters (rule SF-1).
const (
	maxFileName  = 255
	maxFileDir   = 255
	maxFileOwner = 64
)

var (
	fileMode   = regexp.MustCompile(`^[0-7]{3,4}$`)
	windowsDir = regexp.MustCompile(`^([A-Za-z]:)?[\\/]`)
)

// Check finds what is wrong with a file's form, as a Reason, and sets the default of a mode that is
// absent. Whether the name and the directory can be had is for each instance to find.
func (f *File) Check(maxBytes int) error {
	switch {
	case utf8.RuneCountInString(f.Name) > maxFileName:
		return FileNameTooLong
	case utf8.RuneCountInString(f.Description) > maxDescription:
		return FileDescriptionTooLong
	case !plausibleDir(f.Dir):
		return FileDirInvalid
	case !plausibleOwner(f.Owner):
		return FileOwnerInvalid
	case !plausibleOwner(f.Group):
		return FileGroupInvalid
	}
	if f.Mode == "" {
		f.Mode = DefaultFileMode
	}
	if !fileMode.MatchString(f.Mode) {
		return FileModeInvalid
	}
	return f.checkContent(maxBytes)
}

func (f *File) checkContent(maxBytes int) error {
	size := len(f.Content)
	if !f.Base64 {
		size = base64.StdEncoding.EncodedLen(size)
	}
	if size > maxBytes {
		return FileTooLarge
	}
	if _, err := f.Bytes(); err != nil {
		return FileUndecodable
	}
	return nil
}

// Bytes is what the file shall hold.
func (f *File) Bytes() ([]byte, error) {
	if !f.Base64 {
		return []byte(f.Content), nil
	}
	return base64.StdEncoding.DecodeString(f.Content)
}

// plausibleDir reports whether dir can be a directory's full path on some system.
func plausibleDir(dir string) bool {
	return utf8.RuneCountInString(dir) <= maxFileDir && !hasControl(dir) && !strings.ContainsAny(dir, "\t\r\n") &&
		(path.IsAbs(dir) || windowsDir.MatchString(dir))
}

// plausibleOwner reports whether name can be that of a user or a group; "" is the default.
func plausibleOwner(name string) bool {
	return utf8.RuneCountInString(name) <= maxFileOwner && !hasControl(name) && !strings.ContainsAny(name, ":/\t\r\n")
}
