# Every target first installs what it needs (.ci/setup: silent and instant when it is there).
.PHONY: setup demo test check bench load fuzz
export PATH := $(or $(TRACKMILL_CACHE),$(HOME)/.cache/trackmill)/bin:$(PATH)

setup:
	@.ci/setup

# A room on this machine with three publishers, recorded into demo-output/.
demo: setup
	cargo build --locked --bins && cargo run --locked --quiet --bin demo

# Everything, real servers included.
test: setup
	cargo build --locked --workspace && cargo test --locked --workspace

# Format, lints, documentation, licences; quick.
check: setup
	cargo fmt --check && cargo clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS=-Dwarnings cargo doc --locked --workspace --no-deps
	cargo deny --locked --config .cargo/deny.toml check --hide-inclusion-graph bans licenses sources

# Nanoseconds a packet and stage.
bench: setup
	cargo bench --locked --package trackmill

# Opus publishers against one recording process: CPU a packet, memory a track, loss. CASES="10x50 400x1".
load: setup
	cargo run --locked --release --package trackmill-tests --bin trackmill-load -- $(CASES:%=--case=%)

# Hostile input for every parser, 20 s each, with overflow checks on.
fuzz: setup
	cargo run --locked --package trackmill-tests --bin fuzz
