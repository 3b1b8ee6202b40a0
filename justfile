# Common commands. `just` lists them (https://just.systems).

_default:
    @just --list

# The chat page and every bot whose token is set
run *arguments:
    cargo run --release -- {{arguments}}

# Everything that must hold before a change is merged
ci:
    .ci/run

# Formatting and lints
check:
    cargo fmt --check
    cargo clippy --locked --all-targets -- -D warnings

# All tests, or those whose name contains NAME
test name="":
    cargo test --locked {{name}}

# The unit tests of the library alone, the fastest to build
unit name="":
    cargo test --locked --lib {{name}}

# The library without the bot: what `default-features = false` gives
core:
    cargo clippy --locked --no-default-features --lib -- -D warnings
    cargo test --locked --no-default-features --lib --doc

# The library's pages, as on docs.rs
doc:
    cargo doc --locked --no-deps --no-default-features --features heic --open

# Benches of each stage; `just bench forward` runs one of them
bench name="":
    cargo bench --bench stages -- {{name}}

# Every fuzz target, for this many seconds in all, on this many cores
fuzz seconds="600" jobs="2":
    fuzz/run.sh {{seconds}} {{jobs}}

# Licences, bans and sources of the dependencies
deny:
    cargo deny check licenses bans sources
