#!/usr/bin/env bash
# tests/bench/start.sh [RUNS]: measures start-up, planning, validation and the store
# against limits and peers. Builds the release binary and gets the peers when they are
# missing: the pinned kubectl of tests/tools (one on PATH may be a slower wrapper) and
# kubeconform, built with Go into the cache folder. Command and peer run in turn as whole
# processes, RUNS times (5 at least; 7 by default), after one run that is not counted.
# Prints the figures and the verdicts, and writes every run to
# tests/bench/results/start-DATE.tsv; fails when a must is missed. WEFTCTL may name a
# binary that is ready, BOUTIQUE a copy of shared/real/online-boutique.yaml.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
results=$root/tests/bench/results/start-$(date +%F).tsv
runs=${1:-7}
# shellcheck source=tests/bench/measure.sh
source "$root/tests/bench/measure.sh"

kubeconform_version=v0.8.0
boutique=${BOUTIQUE:-$root/../shared/real/online-boutique.yaml}

# Sets `kubectl` and `kubeconform`.
get_peers() {
  kubectl=$("$root/tests/tools" kubectl)/kubectl
  kubeconform=$cache/kubeconform-$kubeconform_version
  [[ -x $kubeconform ]] && return
  command -v go >/dev/null || fail "Go is missing; kubeconform is built with it. Install it from https://go.dev/dl/."
  say "building kubeconform $kubeconform_version"
  CGO_ENABLED=0 GOBIN=$work/bin go install -trimpath -ldflags '-s -w' \
    "github.com/yannh/kubeconform/cmd/kubeconform@$kubeconform_version"
  mkdir -p "$cache"
  mv "$work/bin/kubeconform" "$kubeconform"
}

# The schemas that both sides check against come from one document of Kubernetes: ours
# by `weftctl model generate`, kubeconform's by our converter. Sets `schemas`.
make_schemas() {
  local kubernetes
  go mod download -C "$root/tests/control-plane" k8s.io/kubernetes
  kubernetes=$(go list -C "$root/tests/control-plane" -m -f '{{.Dir}}' k8s.io/kubernetes)
  "$work/schemas" "$kubernetes/api/openapi-spec/swagger.json" "$work/schemas.d"
  schemas="$work/schemas.d/{{.ResourceKind}}{{.KindSuffix}}.json"
}

# Prints $1 manifests: the documents of app.yaml over and over, every round another app.
manifests() {
  awk -v count="$1" '
    /^---$/ { documents++; next }
    documents { text[documents] = text[documents] $0 "\n" }
    END {
      for (i = 0; i < count; i++) {
        app = int(i / documents)
        one = text[i % documents + 1]
        gsub(/@app@/, sprintf("shop-%04d", app), one)
        gsub(/@n@/, app % 7 + 2, one)
        printf "---\n%s", one
      }
    }' "$bench/app.yaml"
}

prepare_inputs() {
  local count
  for count in 1000 3000 5000 10000; do
    manifests "$count" >"$work/$count.yaml"
  done
}

# Fills a store with $1 designs.
fill_store() {
  local number
  say "storing $1 designs"
  for ((number = 1; number <= $1; number++)); do
    manifests 17 | weft design import - --name "shop-$number" --quiet >/dev/null
  done
}

measure_start() {
  local arguments
  for arguments in version --help; do
    row -- "weftctl $arguments" "$weftctl" "$arguments" -- "$kubectl" version --client
    judge "weftctl $arguments" "${ratios[kubectl]}" × 0.12 -
    judge "weftctl $arguments" "$mid" ms - 2
    judge "weftctl $arguments" "$peak" MiB 16 -
  done
}

measure_plan() {
  local count first each
  [[ -f $boutique ]] || fail "$boutique is not there; BOUTIQUE names a copy of it"
  row -- "plan online-boutique" "$weftctl" design deploy "$boutique" --dry-run=client --quiet
  judge "plan online-boutique" "$mid" ms 60 25
  for count in 1000 3000 10000; do
    row -- "plan $count" "$weftctl" design deploy "$work/$count.yaml" --dry-run=client --quiet
    each=$(over "$mid" "$count")
    first=${first:-$each}
  done
  judge "plan each, 10000 / 1000" "$(over "$each" "$first")" × 1.25 -
  judge "plan 10000" "$peak" MiB 300 150
}

measure_validate() {
  local prefix=(taskset -c 0)
  row -- "validate 5000, one core" "$weftctl" design validate "$work/5000.yaml" -- \
    "$kubeconform" -strict -n 1 -schema-location "$schemas" "$work/5000.yaml"
  judge "validate 5000, one core" "${ratios[kubeconform-$kubeconform_version]}" × 0.33 0.15
}

measure_store() {
  fill_store 1000
  row -- "list of 1000 designs" "$weftctl" design list
  judge "list of 1000 designs" "$mid" ms 30 10
}

measure_size() {
  judge "release binary" "$(over "$(stat -c %s "$weftctl")" 1000000)" MB 40 30
}

main() {
  begin
  build_weftctl
  get_peers
  build_helper measure
  build_helper schemas
  make_schemas
  prepare_inputs
  write_head "kubectl $(kubectl_version "$kubectl"), kubeconform $kubeconform_version"
  print_head
  measure_start
  measure_plan
  measure_validate
  measure_store
  measure_size
  finish
}

main "$@"
