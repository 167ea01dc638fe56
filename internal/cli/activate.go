package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"strings"

	"github.com/orderly-run/orderly/internal/client"
)

// An Activation is a code to ask for.
type Activation struct {
	Count    int    // machines that may register with it; 0 for the server's default
	Hours    int    // that it is good for; 0 for the server's default
	Prefix   string // of the machines' names
	Endpoint string // where machines register
	CAFile   string // whose certificate machines are to trust; "" for the system's authorities
	CAPrint  string // its fingerprint, in place of the file
	JSON     bool
}

// Activate makes an activation code and prints the line that registers a machine with it.
func (s *Session) Activate(ctx context.Context, a Activation) error {
	fingerprint := a.CAPrint
	if fingerprint == "" {
		var err error
		if fingerprint, err = Fingerprint(a.CAFile); err != nil {
			return err
		}
	}
	id, code, err := s.NewCode(ctx, a)
	if err != nil {
		return err
	}
	if a.JSON {
		return json.NewEncoder(s.Out).Encode(struct {
			ActivationID   string `json:"activationId"`
			ActivationCode string `json:"activationCode"`
			Server         string `json:"server"`
			CAFingerprint  string `json:"caFingerprint"`
		}{id, code, a.Endpoint, fingerprint})
	}
	_, err = fmt.Fprintf(s.Out, "%s\norderly-agent run\n", RegisterLine(a.Endpoint, id, code, fingerprint))
	return err
}

// NewCode makes an activation code.
func (s *Session) NewCode(ctx context.Context, a Activation) (id, code string, err error) {
	resp, err := s.api.CreateActivation(ctx, client.CreateActivationRequest{
		InstanceName: a.Prefix, InstanceCount: a.Count, TimeToLiveInHours: int64(a.Hours),
	})
	if err != nil {
		return "", "", refused(ctx, err)
	}
	return resp.ActivationId, resp.ActivationCode, nil
}

// RegisterLine is what to type on a machine; without a fingerprint it trusts the system's
// authorities.
func RegisterLine(server, id, code, fingerprint string) string {
	line := fmt.Sprintf("orderly-agent register --server %s --activation-id %s --activation-code %s", strings.TrimSuffix(server, "/"), id, code)
	if fingerprint != "" {
		line += " --ca-fingerprint " + fingerprint
	}
	return line
}

// Fingerprint is that of the first certificate in a PEM file; "" without a file.
func Fingerprint(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			sum := sha256.Sum256(block.Bytes)
			return "sha256:" + hex.EncodeToString(sum[:]), nil
		}
	}
	return "", fmt.Errorf("no certificate in %s", file)
}
