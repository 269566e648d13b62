SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
# How long each fuzz target runs.
FUZZTIME ?= 10s

# Tools have a module file of their own, so that they build with the versions
# that they were tested with.
TOOL := go tool -modfile=.ci/tools.mod
GENERATED := bin/gen

##@ Use

.PHONY: build
build: ## Build bin/registrar, one static binary
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/registrar ./cmd/registrar

.PHONY: run
run: build ## Build and start on the embedded database, registrar.db
	bin/registrar serve

.PHONY: compose-secrets
compose-secrets: .secrets/database_url .secrets/secret_key ## Make the secrets that docker-compose.yml reads, once, in .secrets

# The folder is closed to other users of this machine. The files are open, since
# the users of the containers read them. What exists is kept: the database volume
# knows the password, and its rows are sealed under the key.
.secrets/postgres_password:
	mkdir -p -m 700 .secrets
	head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' > $@

.secrets/secret_key:
	mkdir -p -m 700 .secrets
	head -c 32 /dev/urandom | base64 > $@
	chmod 644 $@

.secrets/database_url: .secrets/postgres_password
	printf 'postgres://registrar:%s@postgres:5432/registrar?sslmode=disable' "$$(cat $<)" > $@
	chmod 644 $< $@

##@ Develop

.PHONY: generate
generate: ## Make gen/ from openapi.yaml
	rm -rf $(GENERATED)
	mkdir -p $(GENERATED)/api $(GENERATED)/client
	$(TOOL) oapi-codegen -config .ci/oapi-codegen-api.yaml -o $(GENERATED)/api/api.gen.go openapi.yaml
	$(TOOL) oapi-codegen -config .ci/oapi-codegen-client.yaml -o $(GENERATED)/client/client.gen.go openapi.yaml
	cp openapi.yaml .ci/contract.gen.go $(GENERATED)/api/
	rm -rf gen
	mv $(GENERATED) gen

.PHONY: verify
verify: generate ## Fail when gen/ is not what openapi.yaml generates, or go.mod not what the code needs
	@go mod tidy -diff
	@untracked=$$(git ls-files --others --exclude-standard -- gen); \
	if ! git diff --exit-code --stat -- gen || [ -n "$$untracked" ]; then \
		echo "gen/ was not what openapi.yaml generates. It is now: commit it (or undo the change of openapi.yaml)." $$untracked >&2; \
		exit 1; \
	fi

.PHONY: lint
lint: ## Check format, imports and code
	$(TOOL) golangci-lint run

.PHONY: test
test: test-tools ## Run every test, on real PostgreSQL and Redis, then fuzz briefly
	rm -rf bin/screenshots
	REGISTRAR_SCREENSHOTS='$(CURDIR)/bin/screenshots' CGO_ENABLED=1 go test -race -count=1 ./...
	$(MAKE) --no-print-directory fuzz

.PHONY: test-tools
test-tools:
	@.ci/test-tools

.PHONY: fuzz
fuzz: ## Fuzz each target for FUZZTIME
	@grep -rl --include='*_test.go' '^func Fuzz' cmd internal | xargs -r -n1 dirname | sort -u | while read -r package; do \
		CGO_ENABLED=0 go test -list '^Fuzz' "./$$package" </dev/null | { grep '^Fuzz' || true; } | while read -r target; do \
			echo "fuzz $$package $$target"; \
			CGO_ENABLED=0 go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x "./$$package" </dev/null; \
		done; \
	done

.PHONY: bench
bench: test-tools ## Measure against a bare handler that does the same work
	@command -v wrk >/dev/null \
	|| { ((EUID == 0)) && apt-get update -qq && apt-get install -y -qq --no-install-recommends wrk </dev/null; } \
	|| { echo "The benchmark needs wrk. Get it with: sudo apt-get install wrk" >&2; exit 1; }
	go run ./bench

##@ Other

.PHONY: clean
clean: ## Remove what make built
	rm -rf bin

.PHONY: help
help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
