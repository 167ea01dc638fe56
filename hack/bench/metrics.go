package main

import (
	"bufio"
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
)

// longTransactions is the share of the server's transactions so far, in percent, that took over 20 ms.
// It is for a server without TLS.
func (p *place) longTransactions(ctx context.Context) (float64, error) {
	const name = "orderly_transaction_seconds"
	within, err := p.sum(ctx, name+"_bucket", `le="0.02"`)
	if err != nil {
		return 0, err
	}
	all, err := p.sum(ctx, name+"_count", "")
	if err == nil && all == 0 {
		err = errors.New("the server counts no transactions")
	}
	return (all - within) / all * 100, err
}

// sum adds up the values of a metric that have a label.
func (p *place) sum(ctx context.Context, name, label string) (total float64, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.where.Endpoint+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		key, value, _ := strings.Cut(lines.Text(), " ")
		if !strings.HasPrefix(key, name+"{") || !strings.Contains(key, label) {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return 0, err
		}
		total += v
	}
	return total, nil
}
