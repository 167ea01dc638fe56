// Command client is the other end of the raw echo: connections of nats.go that answer, and nothing
// else. With one connection its file and its memory are those of the least agent there could be.
//
//	client -n 100 -url tls://127.0.0.1:4222 -ca ca.pem [-exec]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sync/errgroup"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		stop()
		fmt.Fprintln(os.Stderr, "client:", err)
		os.Exit(1)
	}
}

// run connects, says so with one line, and answers until ctx ends.
func run(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("client", flag.ContinueOnError)
	n := f.Int("n", 1, "connections")
	url, ca := f.String("url", "", "of the bus"), f.String("ca", "", "`file` that vouches for a tls:// bus")
	run := f.Bool("exec", false, "run sh -c true before each answer, and print how many ms its start and the answer took")
	if err := f.Parse(args); err != nil {
		return err
	}
	opts := []nats.Option{nats.Timeout(30 * time.Second)}
	if strings.HasPrefix(*url, "tls://") {
		opts = append(opts, nats.RootCAs(*ca))
	}
	var g errgroup.Group
	g.SetLimit(16)
	for i := range *n {
		g.Go(func() error { return answer(*url, "ask."+strconv.Itoa(i), *run, opts) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	fmt.Println("ready")
	<-ctx.Done()
	return nil
}

// answer connects and sends back what comes on subject, for as long as the process lives.
func answer(url, subject string, run bool, opts []nats.Option) error {
	nc, err := nats.Connect(url, opts...)
	if err != nil {
		return err
	}
	reply := func(m *nats.Msg) { _ = nc.Publish("answer", m.Data) }
	if run {
		reply = func(m *nats.Msg) { execute(func() error { return nc.Publish("answer", m.Data) }) }
	}
	if _, err := nc.Subscribe(subject, reply); err != nil {
		return err
	}
	return nc.Flush()
}

// execute does the least that an agent has to do for a command.
func execute(told func() error) {
	came := time.Now()
	cmd := exec.Command("sh", "-c", "true") //nolint:noctx // it ends at once
	err := cmd.Start()
	started := time.Now()
	err = errors.Join(err, cmd.Wait())
	ended := time.Now()
	if err := errors.Join(err, told()); err != nil {
		fmt.Fprintln(os.Stderr, "client:", err)
	}
	fmt.Println(started.Sub(came).Seconds()*1000, time.Since(ended).Seconds()*1000)
}
