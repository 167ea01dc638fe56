# make test is what a change must pass; make check is the whole of what we hold ourselves to.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := build

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
FUZZTIME ?= 30s

# Tools, each at one version, so that a new one cannot fail an old commit.
GOLANGCI := v2.15.0
GOVULNCHECK := v1.9.0

# Packages that are all concurrency and compile fast under the race detector, which make test
# runs again with it. make check does so with every package.
RACE := $(addprefix ./,$(wildcard internal/agent internal/proc internal/wire))

# hack/prepare has seen to PostgreSQL, so a test that does not find it has found a mistake.
export ORDERLY_REQUIRE_POSTGRES := 1

# The same of the container engine, which only root can start.
export ORDERLY_REQUIRE_DOCKER := $(if $(filter 0,$(shell id -u)),1)

# And of machines on which systemd is process 1.
export ORDERLY_REQUIRE_SYSTEMD := $(if $(filter 0,$(shell id -u)),1)

# And of Wine, which runs programs for this processor alone.
export ORDERLY_REQUIRE_WINE := $(if $(filter x86_64,$(shell uname -m)),1)

.PHONY: build test check cross windows conformance bench bench-describes bench-console soak fuzz fmt states error-codes prepare lint race docs vulncheck

## build: bin/orderly and bin/orderly-agent, static and stripped
build:
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/ ./cmd/orderly ./cmd/orderly-agent

## test: install what the tests need, then run them all
test: prepare
	go test ./...
	$(if $(RACE),go test -race $(RACE))
	cd e2e && go test -count=1 ./...
	hack/windows
	go run ./hack/conformance -brief

## check: everything: style, all tests under the race detector, generated pages, known vulnerabilities
check: lint race docs vulncheck cross
	cd e2e && go test -race -count=1 ./...
	go run ./hack/conformance -brief

## cross: the agent and its tests, built and vetted for every system that it is for
cross:
	hack/cross

## windows: the agent's tests, and a server's story with an agent, as Windows programs under Wine; a part of make test
windows: prepare
	hack/windows

## conformance: for each item of the published API and each rule, the test that pins it
conformance:
	go run ./hack/conformance

## bench: what we promise of speed and size, measured; BENCH_FLAGS="-n 1000 -only tasks" for less of it
bench:
	go run ./hack/bench $(BENCH_FLAGS)

## bench-describes: what reading costs in a large database, beside a small one; half an hour, 6 GB of disk
bench-describes: prepare
	hack/with-postgres go run ./hack/bench-describes $(BENCH_FLAGS)

## bench-console: what the console's pages cost beside a large database; four minutes, 1 GB of disk
bench-console:
	go run ./hack/bench-console $(BENCH_FLAGS)

## soak: SOAK commands through one agent, and 10 000 that waited; a quarter of an hour
SOAK ?= 100000
soak:
	ORDERLY_SOAK=$(SOAK) go test -count=1 -timeout 3h -v -run '^(TestSoak|TestManyTasksAfterALongAbsence)$$' ./internal/agent

## fuzz: every fuzz target for FUZZTIME
fuzz:
	FUZZTIME=$(FUZZTIME) hack/fuzz

## fmt: format all Go code
fmt:
	gofmt -w $$(git ls-files '*.go')

## states: docs/states.md from the table of states
states:
	go test -run '^TestStatesDocument$$' . -update

## error-codes: docs/error-codes.md from the catalogue of error codes
error-codes:
	go test -run '^TestErrorCodesDocument$$' . -update

prepare:
	@hack/prepare

lint: bin/golangci-lint-$(GOLANGCI)
	@unformatted=$$(gofmt -d $$(git ls-files '*.go')); [ -z "$$unformatted" ] || { echo "$$unformatted"; exit 1; }
	go vet ./...
	cd e2e && go vet ./...
	$(CURDIR)/$< run ./...
	GOOS=windows $(CURDIR)/$< run ./cmd/orderly-agent ./internal/agent ./internal/docker ./internal/proc ./internal/wire
	cd e2e && $(CURDIR)/$< run --config ../.golangci.yml ./...

bin/golangci-lint-$(GOLANGCI):
	GOBIN=$(CURDIR)/bin go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI)
	mv bin/golangci-lint $@

race: prepare
	go test -race ./...

# Generated pages are committed; they must be what the code says now.
docs:
	go generate ./...
	git diff --exit-code -- docs

vulncheck:
	GOVULNCHECK=$(GOVULNCHECK) hack/vulncheck
