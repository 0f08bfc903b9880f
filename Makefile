# What a developer types. Everything a target needs is installed by the target
# itself: Go tools under .cache, programs for the end-to-end tests from Debian.

GO       ?= go
FUZZTIME ?= 1m
HISTORIES ?= 10000
DURATION ?= 15m
LINT_VERSION := v2.15.0
LINT     := .cache/tools/golangci-lint-$(LINT_VERSION)
UNIT     := $$($(GO) list ./... | grep -vE "/test/(e2e|faults|soak|browser)")

.PHONY: help run build test check fmt lint unit e2e faults browser screenshots fuzz bench bench-compare conformance coverage packages soak vulnerabilities cross dist dist-check simulate simulate-mutants

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

run: ## run the server
	$(GO) run .

build: ## build ./rtmp-server
	$(GO) build -o rtmp-server .

test: packages check cross coverage e2e browser ## run every test, installing what is missing
	$(GO) test -count=1 -timeout 15m ./test/faults
	./test/fuzz.sh 3s
	$(MAKE) soak DURATION=20s

check: lint vulnerabilities unit ## the quick gate: format, vet, lint, known vulnerabilities, unit tests under the race detector

unit:
	$(GO) test -race -count=1 $(UNIT)
	$(GO) test -race -count=1 -tags portable ./internal/socket ./internal/httpflv ./internal/server ./test/scenarios
	$(GO) test -race -count=1 -tags faultinject ./internal/faultinject
	$(GO) test -count=1 -run AllocatesNothing ./internal/server # the race detector makes pools forget

e2e: packages ## end-to-end tests with real programs
	$(GO) test -race -count=1 -timeout 8m ./test/e2e/...

faults: packages ## try every attack and fault for long, as root, and write docs/reliability.md
	$(GO) test -count=1 -timeout 60m ./test/faults -long -report $(CURDIR)/docs/reliability.md

soak: packages ## visitors by the ten thousand for DURATION, and nothing may grow; SOAK="-seed 1"
	$(GO) test -count=1 -v -timeout 24h ./test/soak -duration $(DURATION) $(SOAK)

browser: packages ## the dashboard in Chromium
	$(GO) test -race -count=1 -timeout 10m ./test/browser

screenshots: packages ## take the pictures of the documentation
	$(GO) test -count=1 -run Screenshots ./test/browser -screenshots $(CURDIR)/docs/images

lint: $(LINT)
	$(GO) mod verify
	$(GO) mod tidy -diff
	$(GO) vet ./...
	$(LINT) fmt --diff
	$(LINT) run

vulnerabilities: ## look for known vulnerabilities that the code can reach
	./test/vulnerabilities.sh

fmt: $(LINT) ## format the code
	$(LINT) fmt

fuzz: ## run each fuzz target for FUZZTIME
	./test/fuzz.sh $(FUZZTIME)

simulate: ## play HISTORIES random histories of a whole server
	$(GO) test -count=1 -timeout 2h -run Simulation ./test/simulation -histories $(HISTORIES)

simulate-mutants: ## check that the simulation finds bugs that are put in
	./test/simulation/mutate.sh

bench: ## run the micro-benchmarks
	$(GO) test -run '^$$' -bench . -benchmem $(UNIT)

bench-compare: ## measure beside nginx-rtmp, Node-Media-Server and the kernel, as root; COMPARE="-rounds 1"
	$(GO) run ./test/compare $(COMPARE)

cross: ## compile for the systems that the tests do not run on
	CGO_ENABLED=0 GOOS=windows GOARCH=amd64 $(GO) build -trimpath -o /dev/null .
	CGO_ENABLED=0 GOOS=darwin GOARCH=arm64 $(GO) build -trimpath -o /dev/null .
	CGO_ENABLED=0 GOOS=linux GOARCH=arm $(GO) build -trimpath -o /dev/null .
	CGO_ENABLED=0 GOOS=linux GOARCH=386 $(GO) build -trimpath -o /dev/null .

dist: ## build the files of a release in ./dist; VERSION=v1.2.3 if git does not say it
	$(GO) run ./release

dist-check: ## build them twice, and fail unless both are the same
	./release/check.sh

conformance: packages ## run the tests of the protocol and write docs/conformance.md from them
	$(GO) test -json -count=1 -timeout 10m $$($(GO) list ./... | grep -vE "/test/(faults|soak)") | $(GO) run ./test/conformance/report

coverage: ## fail if the core is covered by less than 90 %
	./test/coverage.sh 90 amf rtmp media stream

packages:
	./test/packages.sh

$(LINT):
	GOBIN=$(CURDIR)/.cache/tools GOFLAGS= $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	mv .cache/tools/golangci-lint $@
