package cli

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
)

// A Script is what to run: a line for the shell, or a file.
type Script struct {
	Line string
	File string // "-" for standard input; read when Line is ""
	Type string // shell, powershell or bat; "" to go by the file's name
}

// ScriptTypes are what a script can be.
var ScriptTypes = []string{"shell", "powershell", "bat"}

// scriptTypes are the API's words for them.
var scriptTypes = map[string]string{"shell": "RunShellScript", "powershell": "RunPowerShellScript", "bat": "RunBatScript"}

// read is the script, and its type in the API's words.
func (c Script) read(in io.Reader) ([]byte, string, error) {
	kind, err := c.kind()
	if err != nil || c.File == "" {
		return []byte(c.Line), kind, err
	}
	text, err := readFile(c.File, in)
	if err != nil {
		return nil, "", &Exit{Refused, Advise(err, "give the path of a script, or - for standard input")}
	}
	if strings.TrimSpace(string(text)) == "" {
		return nil, "", &Exit{Refused, Advise(fmt.Errorf("the script %s is empty", c.File), "give a script with something in it")}
	}
	return text, kind, nil
}

func (c Script) kind() (string, error) {
	switch extension := strings.ToLower(filepath.Ext(c.File)); {
	case c.Type != "" && !slices.Contains(ScriptTypes, c.Type):
		return "", &Exit{Refused, fmt.Errorf("--type is one of %s", strings.Join(ScriptTypes, ", "))}
	case c.Type != "":
		return scriptTypes[c.Type], nil
	case extension == ".ps1":
		return scriptTypes["powershell"], nil
	case extension == ".bat", extension == ".cmd":
		return scriptTypes["bat"], nil
	}
	return scriptTypes["shell"], nil
}
