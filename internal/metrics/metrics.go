// Package metrics counts what the service does, in the form of Prometheus. No label holds
// anything that a client chose.
package metrics

import (
	"database/sql"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// seconds are the buckets of durations: of a request, most of which take a few milliseconds,
// and of a fetch, which takes 5 seconds at most.
var seconds = []float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}

// Metrics are those of one process. Its methods may be called at any time from anywhere.
type Metrics struct {
	registry      *prometheus.Registry
	requests      *prometheus.CounterVec
	latency       *prometheus.HistogramVec
	registrations *prometheus.CounterVec
	limited       *prometheus.CounterVec
	fetches       *prometheus.CounterVec
	fetching      *prometheus.HistogramVec
	removed       *prometheus.CounterVec
	cleanedUp     prometheus.Gauge
}

// New returns the metrics of a process of this version, with those of Go and of the process.
func New(version string) *Metrics {
	m := &Metrics{
		registry:      prometheus.NewRegistry(),
		requests:      counter("http_requests_total", "Requests by operation of the contract, status and OAuth error code.", "operation", "status", "error"),
		latency:       histogram("http_request_duration_seconds", "How long requests take, by operation of the contract.", "operation"),
		registrations: counter("registrations_total", "Attempts to register by tenant and outcome: registered, or the error code.", "tenant", "outcome"),
		limited:       counter("limits_hit_total", "Events that a limit has refused, by limit.", "limit"),
		fetches:       counter("fetches_total", "Fetches of what clients have elsewhere, by kind and outcome.", "kind", "outcome"),
		fetching:      histogram("fetch_duration_seconds", "How long fetches take, by kind.", "kind"),
		removed:       counter("cleanup_removed_total", "Rows that the clean-up removed, by what they were of.", "what"),
		cleanedUp: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: namespace, Name: "cleanup_last_success_timestamp_seconds", Help: "When this process last finished a clean-up; 0 for never.",
		}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "Always 1; the label has the version.", ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	m.registry.MustRegister(m.requests, m.latency, m.registrations, m.limited, m.fetches, m.fetching, m.removed, m.cleanedUp, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

const namespace = "registrar"

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func histogram(name, help string, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: seconds}, labels)
}

// Handler shows the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Request counts a request that was answered. errorCode is empty for one that succeeded.
func (m *Metrics) Request(operation string, status int, errorCode string, took time.Duration) {
	m.requests.WithLabelValues(operation, strconv.Itoa(status), errorCode).Inc()
	m.latency.WithLabelValues(operation).Observe(took.Seconds())
}

// Registration counts an attempt to register; errorCode is empty for one that succeeded.
func (m *Metrics) Registration(tenant, errorCode string) {
	if errorCode == "" {
		errorCode = "registered"
	}
	m.registrations.WithLabelValues(tenant, errorCode).Inc()
}

// Limited counts an event that the limit of this name has refused.
func (m *Metrics) Limited(limit string) { m.limited.WithLabelValues(limit).Inc() }

// Fetched counts a fetch, of few kinds and outcomes.
func (m *Metrics) Fetched(kind, outcome string, took time.Duration) {
	m.fetches.WithLabelValues(kind, outcome).Inc()
	m.fetching.WithLabelValues(kind).Observe(took.Seconds())
}

// Removed counts rows that the clean-up removed.
func (m *Metrics) Removed(what string, rows int64) {
	m.removed.WithLabelValues(what).Add(float64(rows))
}

// CleanedUp tells of a clean-up that has finished.
func (m *Metrics) CleanedUp(at time.Time) { m.cleanedUp.Set(float64(at.Unix())) }

// Database shows the pools of connections, by name, whenever the metrics are read.
func (m *Metrics) Database(pools func() map[string]sql.DBStats) {
	m.registry.MustRegister(poolCollector{pools})
}

// poolCollector reads the pools as it is asked.
type poolCollector struct {
	pools func() map[string]sql.DBStats
}

var (
	poolOpen  = poolDesc("open_connections", "Connections to the database that are open.")
	poolInUse = poolDesc("in_use_connections", "Connections to the database that are in use.")
	poolMax   = poolDesc("max_connections", "Connections to the database that may be open; 0 for any number.")
	poolWaits = poolDesc("waits_total", "How often a connection to the database was waited for.")
	poolWait  = poolDesc("wait_seconds_total", "How long connections to the database were waited for.")
)

func poolDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "database", name), help, []string{"pool"}, nil)
}

// Describe implements [prometheus.Collector].
func (c poolCollector) Describe(all chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{poolOpen, poolInUse, poolMax, poolWaits, poolWait} {
		all <- desc
	}
}

// Collect implements [prometheus.Collector].
func (c poolCollector) Collect(all chan<- prometheus.Metric) {
	for name, stats := range c.pools() {
		for _, m := range []struct {
			desc  *prometheus.Desc
			kind  prometheus.ValueType
			value float64
		}{
			{poolOpen, prometheus.GaugeValue, float64(stats.OpenConnections)},
			{poolInUse, prometheus.GaugeValue, float64(stats.InUse)},
			{poolMax, prometheus.GaugeValue, float64(stats.MaxOpenConnections)},
			{poolWaits, prometheus.CounterValue, float64(stats.WaitCount)},
			{poolWait, prometheus.CounterValue, stats.WaitDuration.Seconds()},
		} {
			all <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value, name)
		}
	}
}
