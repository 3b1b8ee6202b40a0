#!/usr/bin/env bash
# Runs every fuzz target, except matrix_event, whose cargo feature is off by default: fuzz/run.sh SECONDS JOBS [FOLDER].
# Exits with 1 if a property does not hold.
#
# Builds the fuzzer, unless FACEGUESSER_FUZZER is the path of one. Writes to FOLDER (default: fuzz/found) the table
# `fuzz.txt`; the inputs that broke a property, in `crashes/` and as `crashes.tar.gz`; each target's corpus and logs.
# A process that found a failure is restarted, so that fuzzing continues.
set -euo pipefail
seconds="$1" jobs="$2"
here="$(cd "$(dirname "$0")" && pwd)"
out="${3:-$here/found}"
mkdir -p "$out/crashes" "$out/logs"
out="$(cd "$out" && pwd)"
FACEGUESSER_FUZZER="${FACEGUESSER_FUZZER:-$("$here/build.sh")}"
export FACEGUESSER_FUZZER here out RUST_BACKTRACE=0

# Each target and its number of time slices: more for the slower ones. FACEGUESSER_FUZZ_TARGETS overrides
# them, as NAME:SLICES separated by spaces.
targets="${FACEGUESSER_FUZZ_TARGETS:-photo_bytes:3 jpeg:4 jpeg_general:4 jpeg_differential:3 jpeg_outline:1 png:4 gif:3 webp:5 heic:5
    animation:5 exif:1 config:1 command_text:1 button_codes:1 discord_event:1 telegram_update:1 web_request:1
    weights_file:1}"
slices=()
for target in $targets; do
    for ((share = 0; share < ${target#*:}; share++)); do slices+=("${target%:*}:$share"); done
done
rounds=$(((${#slices[@]} + jobs - 1) / jobs))
slice=$((seconds / rounds))
export slice=$((slice > 0 ? slice : 1))

# Runs one target for one time slice.
fuzz() {
    local target="${1%:*}" log="$out/logs/$1" end=$((SECONDS + slice)) quick=0 dictionary
    case "$target" in
        config) dictionary=settings ;;
        discord_event | matrix_event | telegram_update) dictionary=json ;;
        command_text | button_codes | web_request) dictionary=texts ;;
        *) dictionary=photos ;;
    esac
    mkdir -p "$out/corpus/$target"
    : >"$log"
    while [ $SECONDS -lt $end ]; do
        local started=$SECONDS options=()
        # If a seed or corpus file breaks the property immediately, only fork mode continues after it.
        [ $quick -ge 3 ] && options=(-fork=1 -ignore_crashes=1 -ignore_ooms=1 -ignore_timeouts=1)
        FACEGUESSER_FUZZ_TARGET="$target" "$FACEGUESSER_FUZZER" -max_total_time=$((end - SECONDS)) -max_len=4096 -timeout=10 \
            -rss_limit_mb=1024 -print_final_stats=1 -dict="$here/dictionaries/$dictionary.dict" \
            -artifact_prefix="$out/crashes/$target-" "${options[@]}" "$out/corpus/$target" "$here/seeds/$target" >>"$log" 2>&1 || true
        [ $((SECONDS - started)) -lt 2 ] && quick=$((quick + 1))
        [ $quick -ge 20 ] && break
    done
    return 0
}
export -f fuzz
printf '%s\n' "${slices[@]}" | shuf --random-source=<(yes) | xargs -P "$jobs" -I{} bash -c 'fuzz {}'

# Summarises the logs.
{
    printf '%-18s %12s %10s %8s %8s %8s %8s\n' target executions "per second" edges features corpus crashes
    for target in $targets; do
        target="${target%:*}"
        crashes=$(find "$out/crashes" -name "$target-*" | wc -l)
        corpus=$(find "$out/corpus/$target" -type f 2>/dev/null | wc -l)
        cat "$out/logs/$target":* | awk -v target="$target" -v corpus="$corpus" -v crashes="$crashes" '
            /stat::number_of_executed_units/ { executions += $2; last = 0 }
            /cov: / { for (i = 1; i < NF; i++) { if ($i == "cov:" && $(i + 1) > edges) edges = $(i + 1)
                                                 if ($i == "ft:" && $(i + 1) > features) features = $(i + 1) } }
            # Fork mode prints its own count.
            /^#[0-9]+: cov/ { last = substr($1, 2) + 0 }
            /^Done [0-9]+ runs in/ { time += $5 }
            /stat::average_exec_per_sec/ { rates += $2; runs++ }
            END { executions += last
                  printf "%-18s %12d %10d %8d %8d %8d %8d\n", target, executions, runs ? rates / runs : 0, edges, features, corpus, crashes }'
    done
} >"$out/fuzz.txt"
awk 'NR > 1 { executions += $2; crashes += $7 } END { printf "%-18s %12d %54d\n", "all", executions, crashes }' "$out/fuzz.txt" >>"$out/fuzz.txt"
cat "$out/fuzz.txt"
found=$(find "$out/crashes" -type f | wc -l)
find "$out/crashes" -type f -printf '%f\n' | sort | awk '{ target = $0; sub(/-(crash|oom|timeout|leak|slow-unit).*/, "", target); if (n[target]++ < 20) print }' |
    head -200 | tar -czf "$out/crashes.tar.gz" -C "$out/crashes" -T -
grep -h "panicked at" -A1 "$out"/logs/* | sort | uniq -c | sort -rn | head -40 >"$out/panics.txt" || true
[ "$found" -eq 0 ]
