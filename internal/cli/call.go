package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

// Call calls any operation and prints its answer as JSON, or YAML when the session says so. An argument
// is Name=Value, or Name@FILE for what is in a file (- for standard input).
func (s *Session) Call(ctx context.Context, action string, args []string) error {
	params, err := parameters(args, s.In)
	if err != nil {
		return err
	}
	var answer json.RawMessage
	if err := s.api.Call(ctx, action, params, &answer); err != nil {
		return refused(ctx, err)
	}
	if s.Format != YAML {
		s.Format = JSON
	}
	return s.encode(answer)
}

func parameters(args []string, in io.Reader) (map[string]string, error) {
	params := map[string]string{}
	for _, arg := range args {
		i := strings.IndexAny(arg, "=@")
		if i < 1 {
			return nil, Advise(fmt.Errorf("%q is no parameter", arg), "write Name=Value, or Name@FILE for what is in a file")
		}
		name, value := arg[:i], arg[i+1:]
		if _, twice := params[name]; twice {
			return nil, Advise(fmt.Errorf("the parameter %s is given twice", name), "number lists: InstanceId.1=... InstanceId.2=...")
		}
		if arg[i] == '@' {
			text, err := readFile(value, in)
			if err != nil {
				return nil, err
			}
			value = string(text)
		}
		params[name] = value
	}
	return params, nil
}

// readFile reads a file that the user named; - is standard input.
func readFile(path string, in io.Reader) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(in)
	}
	return os.ReadFile(path)
}
