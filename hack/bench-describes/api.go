package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/orderly-run/orderly/internal/client"
	"github.com/orderly-run/orderly/internal/ecs"
	"github.com/orderly-run/orderly/internal/fleet"
	"github.com/orderly-run/orderly/internal/rpc"
)

// request are the parameters of both operations.
type request struct {
	RegionId, NextToken, InvokeStatus, InvokeRecordStatus, InstanceId string
	PageNumber, PageSize, MaxResults                                  int
}

// throughAPI are the lists that are read by signed requests too.
var throughAPI = []struct {
	action, filter string
	request        request
}{
	{"DescribeInvocations", "none", request{}},
	{"DescribeInvocations", "InvokeStatus=PartialFailed", request{InvokeStatus: "PartialFailed"}},
	{"DescribeInvocationResults", "none", request{}},
	{"DescribeInvocationResults", "InvokeRecordStatus=Failed", request{InvokeRecordStatus: "Failed"}},
	{"DescribeInvocationResults", "InstanceId", request{InstanceId: machine()}},
}

// keys know one key of the account.
type keys struct{}

func (keys) AccessKey(context.Context, string) (rpc.Key, error) {
	return rpc.Key{ID: "bench", Account: account, Secret: "secret"}, nil
}

func (keys) SpendNonce(context.Context, string, string, time.Time) error { return nil }

// serve answers signed requests, over plain HTTP on loopback.
func (p *place) serve() (*client.Client, func(), error) {
	dialect := ecs.New(ecs.Config{Engine: p.engine, Fleet: fleet.New(p.db, p.engine, fleet.Config{}), TokenKey: make([]byte, 32)})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	server := &http.Server{Handler: rpc.New(rpc.Config{APIs: []rpc.API{dialect.API()}, Keys: keys{}, Host: listener.Addr().String()})}
	go func() { _ = server.Serve(listener) }()
	c, err := client.New(client.Config{Endpoint: "http://" + listener.Addr().String(), KeyID: "bench", Secret: "secret", Region: region})
	return c, func() { _ = server.Close() }, err
}

// A reader reads one list through the API.
type reader struct {
	client *client.Client
	action string
	base   request
	total  int
	size   int // of a page
	tokens []string
	times  map[string][]time.Duration
}

// throughAPI measures some lists as clients see them.
func (b *bench) throughAPI(ctx context.Context, backend string, small, large *place) error {
	for _, c := range throughAPI {
		var readers []*reader
		size := pageSize
		for _, p := range []*place{small, large} {
			client, stop, err := p.serve()
			if err != nil {
				return err
			}
			defer stop()
			r := &reader{client: client, action: c.action, base: c.request, times: map[string][]time.Duration{}}
			r.base.RegionId = region
			if err := r.prepare(ctx, size); err != nil {
				return fmt.Errorf("%s, %s: %w", c.action, c.filter, err)
			}
			size = r.size // the small one's, if it has no page of the size
			readers = append(readers, r)
		}
		rnd := rand.New(rand.NewPCG(3, 4))
		for range rounds * b.Runs {
			for _, way := range ways {
				for _, r := range readers {
					b.chiller.chill()
					if err := r.read(ctx, way, rnd); err != nil {
						return err
					}
				}
			}
		}
		for _, way := range ways {
			b.add(figure{Database: backend, Operation: "signed " + c.action, Filter: c.filter, Way: way, Rows: size,
				SmallTotal: readers[0].total, LargeTotal: readers[1].total}, readers[0].times[way], readers[1].times[way])
		}
	}
	return nil
}

// page reads one page.
func (r *reader) page(ctx context.Context, q request) (total int, token string, err error) {
	var resp struct {
		TotalCount int
		NextToken  string
		Invocation struct {
			TotalCount int
			NextToken  string
		}
	}
	err = r.client.Call(ctx, r.action, q, &resp)
	return resp.TotalCount + resp.Invocation.TotalCount, resp.NextToken + resp.Invocation.NextToken, err
}

// pages is how many full pages numbers reach.
func (r *reader) pages() int { return max(1, min(r.total, deepest)/r.size) }

// prepare finds tokens all over the list, of which all but the last page has one.
func (r *reader) prepare(ctx context.Context, size int) (err error) {
	q := r.base
	q.PageSize, r.size = size, size
	if r.total, _, err = r.page(ctx, q); err != nil {
		return err
	}
	r.size = max(1, min(size, r.total))
	q.PageSize = r.size
	for i := range 40 {
		q.PageNumber = 1 + i*(r.pages()-1)/40
		_, token, err := r.page(ctx, q)
		if err != nil {
			return err
		}
		if token != "" {
			r.tokens = append(r.tokens, token)
		}
	}
	if len(r.tokens) == 0 && r.total >= r.size*2 {
		return errors.New("a long list has no tokens")
	}
	return nil
}

// read takes the time of one page.
func (r *reader) read(ctx context.Context, way string, rnd *rand.Rand) error {
	q := r.base
	switch {
	case strings.HasPrefix(way, "token"):
		q.MaxResults = r.size
		if len(r.tokens) > 0 {
			q.NextToken = r.tokens[rnd.IntN(len(r.tokens))]
		}
	default:
		q.PageNumber, q.PageSize = 1+rnd.IntN(r.pages()), r.size
	}
	begin := time.Now()
	_, _, err := r.page(ctx, q)
	r.times[way] = append(r.times[way], time.Since(begin))
	return err
}
