#!/usr/bin/env bash
# tests/bench/templates.sh [RUNS]: measures templates against Go's own engine, which is
# tests/go-template, over the corpus and over the texts of a form. Both sides parse the
# cases once and render them round by round, as whole processes in turn, RUNS times (5 at
# least; 7 by default), after one run that is not counted. Prints the figures and the
# verdicts, and writes every run to tests/bench/results/templates-DATE.tsv; fails when a
# must is missed. WEFTCTL may name a binary that is ready; only its version is asked for.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
results=$root/tests/bench/results/templates-$(date +%F).tsv
runs=${1:-7}
# shellcheck source=tests/bench/measure.sh
source "$root/tests/bench/measure.sh"

# Sets `go_template` and `templates`.
get_sides() {
  go_template=$("$root/tests/tools" go-template)/go-template
  say "building the program that renders"
  cargo build --release --locked --quiet --manifest-path "$bench/templates/Cargo.toml"
  templates=${CARGO_TARGET_DIR:-$bench/templates/target}/release/templates
}

# measure_cases CASES ROUNDS
measure_cases() {
  "$templates" cases "$1" >"$work/$1"
  row -- "$1, $2 rounds" "$templates" "$2" "$work/$1" -- "$go_template" -rounds "$2" "$work/$1"
  judge "$1" "${ratios[go-template]}" × 1 0.33
}

main() {
  begin
  build_weftctl
  get_sides
  build_helper measure
  write_head "$(go version "$go_template")"
  print_head
  measure_cases corpus 100
  measure_cases form 10000
  finish
}

main "$@"
