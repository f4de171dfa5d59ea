#!/usr/bin/env bash
# tests/bench/templates.sh [RUNS]: measures templates against Go's own engine, which is
# tests/go-template, over the corpus and over the texts of a form, as whole processes in
# turn, RUNS times (5 at least; 7 by default), after one run that is not counted. Prints
# the figures and the verdicts, and writes every run to
# tests/bench/results/templates-DATE.tsv; fails when a must is missed. WEFTCTL may name a
# binary that is ready; only its version is asked for.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
results=$root/tests/bench/results/templates-$(date +%F).tsv
runs=${1:-7}
# shellcheck source=tests/bench/measure.sh
source "$root/tests/bench/measure.sh"

main() {
  begin
  build_weftctl
  build_templates
  build_helper measure
  write_head "$(go version "$go_template")"
  print_head
  measure_templates
  finish
}

main "$@"
