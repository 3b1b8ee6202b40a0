#!/usr/bin/env bash
# Builds the fuzzer with the stable toolchain and prints its path. The argument `address` enables
# AddressSanitizer, which needs RUSTC_BOOTSTRAP=1 and halves the speed.
#
# `cargo fuzz` sets the same flags: RUSTC_BOOTSTRAP=1 FACEGUESSER_FUZZ_TARGET=png cargo fuzz run fuzz_targets
set -euo pipefail
cd "$(dirname "$0")"

flags="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing"
target="target"
if [ "${1:-}" = address ]; then
    export RUSTC_BOOTSTRAP=1
    flags="$flags -Zsanitizer=address"
    target="target/address"
fi
# With an explicit --target, build scripts and procedural macros are built without the flags.
host="$(rustc -vV | sed -n 's/^host: //p')"
RUSTFLAGS="$flags" cargo build --quiet --release --target "$host" --target-dir "$target" >&2
echo "$PWD/$target/$host/release/fuzz_targets"
