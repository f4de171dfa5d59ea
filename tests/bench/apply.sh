#!/usr/bin/env bash
# tests/bench/apply.sh [RUNS]: measures what deploying takes on a real API server, against
# limits and peers: the floor (tests/bench/floor, a program that only sends the requests
# which no deployment can do without), kubectl and helm. Builds the release binary and the
# floor, gets the pinned peers of tests/tools when they are missing, and starts a sandbox
# without controllers. Command and peers run in turn as whole processes, RUNS times (5 at
# least, and by default), after one run of each that is not counted.
# * All sides do the same work: what was deployed is deleted before each deployment, and
#   what a removal removes is deployed before it; neither is in the times.
# * Discovery is warm for all: the run that isn't counted fills the caches of weftctl,
#   kubectl and helm, as they are on a machine that has deployed before. What is deployed
#   nobody keeps on this machine.
# * Nobody waits for readiness. The server checks fields for weftctl and the floor, which
#   ask it to; kubectl is told not to.
# Prints the figures and the verdicts, and writes every run to
# tests/bench/results/apply-DATE.tsv; fails when a must is missed. WEFTCTL may name a
# binary that is ready, WEFT_TEST_TOOLS the folder that tests/tools printed.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
results=$root/tests/bench/results/apply-$(date +%F).tsv
runs=${1:-5}
# shellcheck source=tests/bench/measure.sh
source "$root/tests/bench/measure.sh"

# Where what names no namespace goes, and the inventories. Each side has one of its own
# where nothing changes: in one they would all own the same fields.
namespace=bench
same=same

# Prints $1 ConfigMaps with 330 bytes of data each.
config_maps() {
  texts "$1" | awk '{
    printf "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings-%05d\n", NR - 1
    printf "data:\n  first: \"%s\"\n  second: \"%s\"\n", substr($0, 1, 165), substr($0, 166)
  }'
}

# Prints $1 objects in 20 namespaces $2-NN: the first document of app.yaml for each namespace, and
# below it the others over and over, every round another app. Two things are not as they
# are there. Without controllers nobody ends a claim, so there is none; and no service has
# an address of its own, of which the sandbox has 254.
mixed() {
  awk -v count="$1" -v prefix="$2" -v spaces=20 '
    function keep() { if (one !~ /\nkind: PersistentVolumeClaim\n/) text[++kinds] = one }
    /^---$/ { if (documents++) keep(); one = ""; next }
    { one = one $0 "\n" }
    END {
      keep()
      for (i = 0; i < count; i++) {
        space = sprintf("%s-%02d", prefix, i % spaces + 1)
        place = int(i / spaces) - 1
        if (place < 0) {
          one = text[1]
          app = space
        } else {
          one = text[place % (kinds - 1) + 2]
          app = sprintf("%s-shop-%02d", space, int(place / (kinds - 1)))
        }
        gsub(/namespace: @app@/, "namespace: " space, one)
        sub(/type: ClusterIP/, "clusterIP: None", one)
        gsub(/@app@/, app, one)
        gsub(/@n@/, i % 7 + 2, one)
        printf "---\n%s", one
      }
    }' "$bench/app.yaml"
}

prepare_inputs() {
  config_maps 1000 >"$work/1000.yaml"
  mkdir -p "$work/chart/templates" "$work/changed"
  printf 'apiVersion: v2\nname: settings\nversion: 1.0.0\n' >"$work/chart/Chart.yaml"
  cp "$work/1000.yaml" "$work/chart/templates/settings.yaml"
  mixed 5000 mixed >"$work/mixed.yaml"
  # Namespaces would never go here: they are there before, and stay.
  mixed 10020 many | awk -v RS='---\n' -v spaces="$work/spaces.yaml" -v rest="$work/many.yaml" '
    NR > 1 { printf "---\n%s", $0 >(/\nkind: Namespace\n/ ? spaces : rest) }'
  sed 's/LOG_LEVEL: info/LOG_LEVEL: debug/' "$work/many.yaml" >"$work/changed/many.yaml"
}

# Makes the namespaces. Sets `kubectl` and `helm`.
prepare_cluster() {
  local name
  kubectl=$(command -v kubectl) helm=$(command -v helm)
  for name in "$namespace" "$same"-{weftctl,kubectl,helm}; do
    "$kubectl" create namespace "$name" >"$work/said"
  done
  "$floor" apply "$namespace" "$work/spaces.yaml"
}

# The commands of each side; the caller adds a namespace, which goes before the file for
# the floor alone.
deploy=(design deploy --yes)
apply=(apply --server-side --validate=false)

measure_deploy() {
  local file=$work/1000.yaml
  row -before "$(clearing 1000.yaml)" -- "deploy 1000 ConfigMaps" \
    "$weftctl" "${deploy[@]}" -n "$namespace" "$file" -- \
    "$floor" apply "$namespace" "$file" -- \
    "$kubectl" "${apply[@]}" -n "$namespace" -f "$file" -- \
    "$helm" install settings -n "$namespace" "$work/chart"
  judge "deploy 1000 / floor" "${ratios[floor]}" × 1.5 1.15
  judge "deploy 1000 / kubectl" "${ratios[kubectl]}" × 0.5 -
  judge "deploy 1000 / helm" "${ratios[helm]}" × 0.5 -
}

measure_mixed() {
  local file=$work/mixed.yaml
  row -before "$(clearing mixed.yaml)" -- "deploy 5000 mixed objects" \
    "$weftctl" "${deploy[@]}" -n "$namespace" "$file" -- \
    "$floor" apply "$namespace" "$file"
  judge "deploy 5000 / floor" "${ratios[floor]}" × 1.5 1.2
  bash -c "$(clearing mixed.yaml)"
}

measure_unchanged() {
  local file=$work/1000.yaml before
  weft "${deploy[@]}" --quiet -n "$same-weftctl" "$file" >"$work/said"
  "$kubectl" "${apply[@]}" -n "$same-kubectl" -f "$file" >"$work/said"
  "$helm" install settings -n "$same-helm" "$work/chart" >"$work/said"
  before=$(audit_size)
  weft "${deploy[@]}" --quiet -n "$same-weftctl" "$file" >"$work/said"
  writes_since "$before"
  judge "1000 unchanged, writes" "$(wc -l <"$work/writes")" "" 0 -
  row -- "1000 unchanged" \
    "$weftctl" "${deploy[@]}" -n "$same-weftctl" "$file" -- \
    "$kubectl" "${apply[@]}" -n "$same-kubectl" -f "$file" -- \
    "$helm" upgrade settings -n "$same-helm" "$work/chart"
  judge "1000 unchanged / kubectl" "${ratios[kubectl]}" × 0.35 0.2
  judge "1000 unchanged / helm" "${ratios[helm]}" × 0.1 -
}

# From nothing to nothing, step by step. The difference is the log level of each app.
measure_many() {
  local unrelated=yes name
  step deploy 0 "$weftctl" "${deploy[@]}" -n "$namespace" "$work/many.yaml"
  step diff 1 "$weftctl" design plan -n "$namespace" "$work/changed/many.yaml"
  step no-op 0 "$weftctl" "${deploy[@]}" -n "$namespace" "$work/many.yaml"
  step undeploy 0 "$weftctl" design undeploy --confirm many -n "$namespace" many
  row -- "10000 mixed objects" "$work/deploy" -- "$work/diff" -- "$work/no-op" -- "$work/undeploy"
  for name in deploy diff no-op undeploy; do
    judge "10000 objects, $name" "${peaks[$name]}" MiB 400 200
  done
}

# Ours and the floor are built before the cluster starts.
main() {
  build_weftctl
  build_floor
  enter_sandbox
  begin
  build_helper measure
  export HOME=$work
  prepare_inputs
  prepare_cluster
  write_head "kubectl $(kubectl_version "$kubectl"), helm $("$helm" version --template '{{.Version}}')"
  print_head
  measure_deploy
  measure_mixed
  measure_unchanged
  measure_many
  finish
}

main
