package sim

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/nats-io/nkeys"
	"golang.org/x/sync/errgroup"

	"github.com/orderly-run/orderly/internal/wire"
)

// A bus is where agents connect.
type bus struct {
	url string
	tls *tls.Config // nil for plain text
}

// register registers all machines and tells where their bus is.
func (f *Fleet) register(ctx context.Context) (bus, error) {
	var where wire.Registered
	for from := 0; from < len(f.agents); from += f.cfg.PerActivation {
		list := f.agents[from:min(len(f.agents), from+f.cfg.PerActivation)]
		id, code, err := f.cfg.Activate(ctx, len(list))
		if err != nil {
			return bus{}, fmt.Errorf("activate %d machines: %w", len(list), err)
		}
		answers := make([]wire.Registered, len(list))
		g, ctx := errgroup.WithContext(ctx)
		g.SetLimit(f.cfg.AtOnce)
		for i := range list {
			g.Go(func() (err error) {
				list[i], answers[i], err = f.enroll(ctx, from+i, wire.Registration{ActivationID: id, ActivationCode: code})
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return bus{}, err
		}
		where = answers[0]
	}
	return busOf(where)
}

// enroll makes the n-th machine's key and registers it.
func (f *Fleet) enroll(ctx context.Context, n int, q wire.Registration) (*agent, wire.Registered, error) {
	key, err := nkeys.CreateUser()
	if err != nil {
		return nil, wire.Registered{}, err
	}
	if q.PublicKey, err = key.PublicKey(); err != nil {
		return nil, wire.Registered{}, err
	}
	q.Name, q.Hostname, q.MachineID = fmt.Sprintf("%s-%05d", f.cfg.Name, n), fmt.Sprintf("%s%d", f.cfg.Name, n), rand.Text()
	q.OS, q.OSVersion, q.IntranetIP, q.AgentVersion = "linux", "simulated", "127.0.0.1", agentVersion
	r, err := f.post(ctx, q)
	if err != nil {
		return nil, r, fmt.Errorf("register machine %d: %w", n, err)
	}
	f.registered.Add(1)
	return &agent{
		fleet: f, instance: r.InstanceID, link: rand.Text(), incarnation: rand.Text(), boot: rand.Text(),
		key: key, public: q.PublicKey, inbox: f.inbox[n%len(f.inbox)],
		fails: (n+1)*f.cfg.Fail/100 > n*f.cfg.Fail/100,
	}, r, nil
}

func (f *Fleet) post(ctx context.Context, q wire.Registration) (wire.Registered, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(f.cfg.Server, "/")+wire.RegisterPath, bytes.NewReader(wire.Encode(q)))
	if err != nil {
		return wire.Registered{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := f.cfg.HTTP.Do(req)
	if err != nil {
		return wire.Registered{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return wire.Registered{}, err
	}
	if resp.StatusCode != http.StatusOK {
		var p wire.Problem
		if json.Unmarshal(body, &p) != nil || p.Code == "" {
			return wire.Registered{}, errors.New(resp.Status)
		}
		return wire.Registered{}, fmt.Errorf("%s: %s", p.Code, p.Message)
	}
	return wire.Decode[wire.Registered](body)
}

// busOf reads where agents connect and whom they trust there.
func busOf(r wire.Registered) (bus, error) {
	b := bus{url: r.NATS}
	if !strings.HasPrefix(r.NATS, "tls://") {
		return b, nil
	}
	b.tls = &tls.Config{MinVersion: tls.VersionTLS12}
	if r.CA != "" {
		b.tls.RootCAs = x509.NewCertPool()
		if !b.tls.RootCAs.AppendCertsFromPEM([]byte(r.CA)) {
			return b, errors.New("the server's CA is no certificate")
		}
	}
	return b, nil
}
