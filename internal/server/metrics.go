package server

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/store"
)

// metrics is what a server counts.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	took     *prometheus.HistogramVec
	created  prometheus.Counter
	ended    *prometheus.CounterVec
	reports  *prometheus.CounterVec
	changes  *prometheus.HistogramVec

	turnedAway prometheus.Counter
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "orderly_requests_total", Help: "API requests by action and code."}, []string{"action", "code"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "orderly_request_seconds", Help: "Time to answer API requests.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 4, 8)}, []string{"action"}),
		created: prometheus.NewCounter(prometheus.CounterOpts{Name: "orderly_tasks_created_total", Help: "Tasks created."}),
		ended:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "orderly_tasks_ended_total", Help: "Tasks, and runs of schedules, that ended, by state."}, []string{"state"}),
		reports: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "orderly_reports_total", Help: "Reports of agents by effect: applied, repeated, late, foreign, unknown, refused."}, []string{"effect"}),
		changes: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "orderly_transaction_seconds",
			Help:    "Time that transactions of the database took, commit included, by queue: interactive (somebody waits) or mass.",
			Buckets: []float64{0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2}}, []string{"queue"}),
		turnedAway: prometheus.NewCounter(prometheus.CounterOpts{Name: "orderly_connections_refused_total", Help: "Connections closed at once, since too many were open."}),
	}
	m.registry.MustRegister(m.requests, m.took, m.created, m.ended, m.reports, m.changes, m.turnedAway,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// count adds what the database knows.
func (m *metrics) count(db *store.DB) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "orderly_links", Help: "Agents with a live link, on all servers of the database."}, func() float64 {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		n, err := db.CountLinks(ctx)
		if err != nil {
			return -1
		}
		return float64(n)
	}))
}

// queues are the classes of changes by name.
var queues = map[store.Class]string{store.Interactive: "interactive", store.Mass: "mass"}

// change counts a transaction.
func (m *metrics) change(c store.Class, took time.Duration) {
	m.changes.WithLabelValues(queues[c]).Observe(took.Seconds())
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// request counts an API request.
func (m *metrics) request(action, code string, took time.Duration) {
	m.requests.WithLabelValues(action, code).Inc()
	m.took.WithLabelValues(action).Observe(took.Seconds())
}

func (m *metrics) observer() engine.Observer {
	return engine.Observer{
		Reports: func(effect string, n int) { m.reports.WithLabelValues(effect).Add(float64(n)) },
		Ended:   func(s orderly.State, n int) { m.ended.WithLabelValues(string(s)).Add(float64(n)) },
		Created: func(n int) { m.created.Add(float64(n)) },
	}
}
