#!/bin/sh
# Counts instructions, misses of the first-level data cache and locked operations an operation, by
# callgrind: `scripts/count.sh [ENTRIES...]`, for the engine and its peers: reads, replacing sets, and
# these beside a second thread.
# The environment has KEYS (lengths), SIDES, WORKS and OPS.
set -eu
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}
cargo build --release -q -p breakwater-benches --bin count
out=$(mktemp)
trap 'rm -f "$out"' EXIT
ops=${OPS:-20000}
printf '%-12s %-6s %8s %4s %13s %10s %7s\n' side work entries key instructions d1-misses locked
for entries in ${*:-1000 100000}; do
  for key in ${KEYS:-16}; do
    for work in ${WORKS:-read set beside}; do
      for side in ${SIDES:-breakwater quick_cache lru}; do
        valgrind -q --tool=callgrind --callgrind-out-file="$out" --collect-atstart=no \
          --toggle-collect='*measured*' --cache-sim=yes --collect-bus=yes \
          "$target/release/count" "$side" "$work" "$entries" "$key" "$ops" 2>/dev/null
        awk -v ops="$ops" -v side="$side" -v work="$work" -v entries="$entries" -v key="$key" '
          /^events:/ { for (i = 2; i <= NF; i++) name[i] = $i }
          /^(summary|totals):/ { for (i = 2; i <= NF; i++) sum[name[i]] = $i }
          END { printf "%-12s %-6s %8d %4d %13.1f %10.2f %7.2f\n", side, work, entries, key,
            sum["Ir"] / ops, (sum["D1mr"] + sum["D1mw"]) / ops, sum["Ge"] / ops }' "$out"
      done
    done
  done
done
