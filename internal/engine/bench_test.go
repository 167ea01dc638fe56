package engine_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/store"
)

// kept keeps the messages that an engine sends.
type kept struct{ list []engine.Message }

func (k *kept) Send(list []engine.Message) { k.list = append(k.list, list...) }

// BenchmarkWholeInvocation runs a command on 10 000 instances and reports all of its ends, without
// a message bus: what the engine and the database cost of a task. It prints tasks/s.
func BenchmarkWholeInvocation(b *testing.B) {
	const n = 10_000
	db, err := store.Open(b.Context(), filepath.Join(b.TempDir(), "orderly.db"), store.Options{Secret: bytes.Repeat([]byte{7}, 32)})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	link := &kept{}
	e := engine.New(db, link, engine.Config{})
	caller := orderly.Caller{Account: "1"}
	err = db.Write(b.Context(), store.Interactive, func(tx *store.Tx) error {
		var links []store.Link
		for i := range n {
			id := fmt.Sprintf("mi-%d", i)
			if err := tx.AddInstance(orderly.Instance{Seq: db.NextSeq(), ID: id, Account: "1", Region: "cn-hangzhou", PublicKey: id, OS: orderly.Linux, Registered: tx.Now}); err != nil {
				return err
			}
			links = append(links, store.Link{Instance: id, ID: "l", Boot: orderly.Boot{Incarnation: "i", ID: "b"}})
		}
		return tx.Linked(links)
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	var run, report time.Duration
	for b.Loop() {
		link.list = nil
		start := time.Now()
		_, err := e.RunCommand(b.Context(), caller, engine.Request{
			Region: "cn-hangzhou", Target: orderly.Target{Tags: []orderly.Tag{{Key: orderly.AllTag}}}, MaxTags: 20,
			Command: orderly.Command{Type: orderly.RunShellScript, Content: []byte("true")},
		}, engine.Repetition{})
		if err != nil || len(link.list) != n {
			b.Fatalf("%d messages, %v", len(link.list), err)
		}
		run += time.Since(start)
		start = time.Now()
		for batch := link.list; len(batch) > 0; batch = batch[500:] {
			var reports []orderly.Report
			for _, m := range batch[:500] {
				zero := 0
				reports = append(reports, orderly.Report{Task: m.Task, Instance: m.Instance, Number: 1 << 31, State: orderly.Success,
					Started: time.Now(), Finished: time.Now(), ExitCode: &zero, Output: []byte("hello\n"), Total: 6})
			}
			if err := e.Report(b.Context(), reports); err != nil {
				b.Fatal(err)
			}
		}
		report += time.Since(start)
	}
	b.ReportMetric(float64(b.N)*n/run.Seconds(), "runs/s")
	b.ReportMetric(float64(b.N)*n/report.Seconds(), "reports/s")
}
