# The commands of this repository. `make demo` and `make test` set a fresh machine up by themselves; it needs a Rust
# toolchain and a C compiler. `make` alone lists everything.

.PHONY: help setup demo test check format clippy repository directions deny tests doctests doc unit integration lab \
	test-faults test-adoption servers test-servers fuzz bench bench-quick bench-blocking bench-recovery bench-clients clean
.NOTPARALLEL:

# Most tests wait for real servers most of the time, so more of them run at once than there are cores.
RUST_TEST_THREADS ?= 8
export RUST_TEST_THREADS

# How long `make fuzz` runs each of its targets.
FUZZ_SECONDS ?= 60
export FUZZ_SECONDS

step := tools/check/step.sh
started := $(shell date +%s)
# Labs use the very server that the set-up found.
with_server = TRUENAME_SERVER="$$(tools/setup/server.sh --path)" && export TRUENAME_SERVER &&
benchmark := cargo run --release --locked -p truename-bench --

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: ## install what is missing: a TLS-capable server, iproute2, rustfmt, clippy
	@tools/setup/toolchain.sh --lints
	@tools/setup/server.sh
	@tools/setup/namespaces.sh

demo: ## show the product: a cluster as Azure announces it, verified, redeployed under load
	@tools/setup/toolchain.sh
	@$(with_server) cargo run --release --locked -p truename-cli -- demo

test: setup repository directions format clippy tests doctests doc ## every check; stops at the first failure
	@echo; echo "==> all checks passed in $$(($$(date +%s) - $(started))) s"

check: format clippy ## formatting and clippy

format: ## formatting alone (cargo fmt --all repairs it)
	@$(step) "formatting" cargo fmt --all --check

clippy: ## lints alone, warnings denied
	@$(step) "clippy" cargo clippy --all-targets --all-features --locked -- -D warnings

repository: ## unfinished code, file sizes, paths of one machine, phrases, tests that documents name
	@$(step) "repository" tools/check/repository.sh

directions: ## dependency directions of the crates, and of the files in each: layers in their order, no cycles
	@$(step) "dependency directions" tools/check/directions.sh
	@$(step) "layers" cargo test --locked --quiet -p truename-layers

deny: ## licences, sources and bans of all dependencies; advisories if their database is reachable
	@$(step) "dependencies" tools/check/deny.sh

tests: ## all tests but doc tests
	@$(step) "examples" cargo build --all-features --locked --examples
	@$(with_server) $(step) "tests" cargo test --all-features --locked --lib --bins --tests

doctests: ## doc tests
	@$(with_server) $(step) "doc tests" cargo test --all-features --locked --doc

# The second pass comes last, so that what is left is the public documentation.
doc: ## the library documentation, warnings denied: of private items too, then of public ones
	@RUSTDOCFLAGS="-D warnings" $(step) "documentation of private items" \
		cargo doc --lib --no-deps --all-features --locked --document-private-items
	@RUSTDOCFLAGS="-D warnings" $(step) "documentation" cargo doc --lib --no-deps --all-features --locked

unit: ## the tests beside the code and those of resp and topology: no cluster
	@$(step) "unit tests" cargo test --locked --lib --bins
	@$(step) "pure crates" cargo test -p truename-resp -p truename-topology --locked --tests

integration: ## the tests of client, lab and tool against real clusters
	@$(step) "examples" cargo build -p truename -p truename-redis -p truename-lab -p truename-cli --locked --examples
	@$(with_server) $(step) "integration tests" \
		cargo test -p truename -p truename-redis -p truename-lab -p truename-cli --locked --test '*'

test-faults: ## every fault test ROUNDS times in a row (default 1); FILTER=NAME selects some
	@$(with_server) $(step) "fault tests, $(or $(ROUNDS),1) rounds" tools/check/faults.sh "$(or $(ROUNDS),1)" $(FILTER)

test-adoption: ## crates that take a connection of redis-rs's, on one of truename-redis's, through failover and resharding
	@$(with_server) $(step) "apalis-redis and poem" cargo test --manifest-path tools/adoption/Cargo.toml --locked

servers: ## get Redis 8.0 and Valkey 8.1 and 9.1 to test against, into target/servers (Debian, Ubuntu)
	@tools/setup/servers.sh

test-servers: ## the tests that need a cluster on each of them; SERVERS=valkey-9.1 selects one
	@tools/check/servers.sh $(SERVERS)

fuzz: ## run each fuzz target for FUZZ_SECONDS (default 60); FUZZ="resp url" selects some
	@tools/setup/toolchain.sh
	@$(step) "fuzz targets, $(FUZZ_SECONDS) s each" tools/check/fuzz.sh $(FUZZ)

lab: ## keep a cluster running until Ctrl-C; LAB="--profile aws --shards 5" chooses which
	@$(with_server) cargo run --release --locked -p truename-cli -- lab up $(LAB)

bench: ## the whole comparison with other clients, half an hour; BENCH="--filter 'tls c=64'" chooses cells
	@tools/setup/toolchain.sh
	@$(with_server) $(benchmark) full $(BENCH)

bench-quick: ## a subset of it, two minutes; BENCH as above
	@tools/setup/toolchain.sh
	@$(with_server) $(benchmark) quick $(BENCH)

bench-blocking: ## clients without async; BENCH="--tls --threads 4"
	@tools/setup/toolchain.sh
	@$(with_server) $(benchmark) blocking $(BENCH)

bench-recovery: ## what becomes of calls while nodes fail, three rounds; BENCH="--faults freeze" chooses faults
	@tools/setup/toolchain.sh
	@$(with_server) $(benchmark) recovery $(if $(findstring --rounds,$(BENCH)),,--rounds 3) $(BENCH)

bench-clients: ## beside clients in Go, Java, Node and Python; BENCH="--quick --clients rueidis,lettuce" chooses
	@tools/setup/toolchain.sh
	@$(with_server) $(benchmark) clients $(BENCH)

clean: ## remove what was built
	@cargo clean
