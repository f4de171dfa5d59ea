# What the benchmarks share; each of them sources it: the programs that are measured, the
# cluster, the inputs, the table that is printed, the file of all runs, and the verdicts.
# The caller sets `root`, `runs` and `results`.

bench=$root/tests/bench
cache="${XDG_CACHE_HOME:-$HOME/.cache}/weft-tests/bench"

work=
prefix=()
missed=0
verdicts=()
started=()
declare -A mids ratios peaks

say() { printf 'tests/bench: %s\n' "$*" >&2; }
fail() {
  say "$@"
  exit 1
}

# What was started ends at one signal or the other.
cleanup() {
  local pid
  for pid in "${started[@]}"; do
    kill -INT "$pid" 2>/dev/null && kill -TERM "$pid" 2>/dev/null
    wait "$pid" || true
  done
  [[ -z $work ]] || rm -rf "$work"
}

((runs >= 5)) || fail "RUNS is 5 or more"

# Makes the folder for all that is written, until the end.
begin() {
  trap cleanup EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  work=$(mktemp -d)
}

# beside LOG COMMAND...: runs a program until this script ends, even if it is killed.
beside() {
  local log=$1
  shift
  setpriv --pdeathsig TERM -- "$@" >"$log" 2>&1 &
  started+=($!)
}

# await SECONDS COMMAND...: polls until a command succeeds; fails when it doesn't in time.
await() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.05
  done
}

# Builds our binary, unless WEFTCTL names one. Sets `weftctl`.
build_weftctl() {
  weftctl=${WEFTCTL-}
  if [[ -z $weftctl ]]; then
    say "building the release binary"
    cargo build --release --locked --quiet --manifest-path "$root/Cargo.toml"
    weftctl=${CARGO_TARGET_DIR:-$root/target}/release/weftctl
  fi
  [[ -x $weftctl ]] || fail "$weftctl cannot be executed; WEFTCTL names a weftctl"
}

# Builds one of our own helpers: a folder here with a Go program.
build_helper() { go build -trimpath -ldflags '-s -w' -o "$work/$1" "$bench/$1/main.go"; }

# Builds the floor. Sets `floor`.
build_floor() {
  CARGO_TARGET_DIR=$cache/floor cargo build --release --locked --quiet --manifest-path "$bench/floor/Cargo.toml"
  floor=$cache/floor/release/floor
}

# Gets Go's engine of templates, and builds the program that renders with ours. Sets
# `go_template` and `templates`.
build_templates() {
  go_template=$("$root/tests/tools" go-template)/go-template
  templates=${CARGO_TARGET_DIR:-$bench/templates/target}/release/templates
  [[ -x $templates ]] || say "building the program that renders"
  cargo build --release --locked --quiet --manifest-path "$bench/templates/Cargo.toml"
}

# Starts the caller again in a sandbox without controllers, unless it runs in one.
enter_sandbox() {
  if [[ -z ${WEFT_SANDBOX-} ]]; then
    WEFTCTL=$weftctl exec "$root/tests/sandbox" --no-controllers "$0" "$runs"
  fi
  [[ -z $WEFT_SANDBOX_CONTROLLERS ]] || fail "this sandbox has controllers, which would work beside us; leave it first"
}

# Runs ours with a home of its own, as `row` does.
weft() { env WEFT_HOME="$work/home" "$weftctl" "$@"; }

# Prints the version of kubectl $1.
kubectl_version() { "$1" version --client -o json | sed -n 's/.*"gitVersion": "\(.*\)".*/\1/p' | head -n 1; }

# step NAME STATUS ARGUMENT...: makes a program NAME that runs a command and expects STATUS.
step() {
  local name=$1 status=$2
  shift 2
  printf '#!/usr/bin/env bash\n%s\n[ $? = %s ]\n' "${*@Q}" "$status" >"$work/$name"
  chmod +x "$work/$name"
}

# What a shell runs to make room: deletes what is in file $1, and what keeps account of it
# in `namespace`.
clearing() { printf '%q clear %q %q' "$floor" "$namespace" "$work/$1"; }

# Prints $1 lines of 330 bytes, each another one.
texts() {
  awk -v count="$1" 'BEGIN {
    for (i = 1; i <= count; i++) {
      state = i
      text = ""
      while (length(text) < 330) {
        state = state * 69621 % 2147483647
        text = text sprintf("%08x", state)
      }
      print substr(text, 1, 330)
    }
  }'
}

# The audit log; what the server has moved aside comes first.
audit() { cat "$WEFT_SANDBOX"/audit*.log; }

# How long it is.
audit_size() { audit | wc -c; }

# Lists the writes that the audit log has from byte $1 on in the file `writes`, each with
# its verb and path. Dry runs, leases and reviews are none.
writes_since() {
  audit | tail -c "+$(($1 + 1))" >"$work/audited"
  grep -q '"verb":"list"' "$work/audited" || fail "the audit log doesn't say what happened"
  sed -nE '/dryRun=|"resource":"(leases|[a-z]*reviews)"/d
    s/.*"requestURI":"([^"?]*)[^"]*","verb":"(create|update|patch|delete|deletecollection)".*/\2 \1/p' \
    "$work/audited" >"$work/writes"
}

# write_head PEERS: begins the file of all runs.
write_head() {
  mkdir -p "$bench/results"
  {
    echo "# $(date -u +%FT%TZ), $runs runs each, $(nproc) processors: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), Linux $(uname -r)"
    echo "# weftctl $("$weftctl" version -o 'jsonpath={.client.version} {.client.commit}'), $1"
    printf '# work\tside\trun\twall ms\tcpu ms\tpeak MiB\n'
  } >"$results"
}

print_head() {
  printf '%-30s %-12s %9s %9s %9s %7s %8s\n' "" "" "min ms" "median" "max" "MiB" "ours/its"
}

# row [-before COMMAND] -- WORK COMMAND... [-- PEER...]...: measures, and prints a line for
# us and one for each peer. Sets `mid` (ms) and `peak` (MiB) of ours, and for each of them,
# by the name of its program, `mids`, `peaks` and `ratios` (our time over its). Where
# `unrelated` is set, they don't do the same, and no ratio is printed.
row() {
  local figures options=() shown name low its_mid high its_peak ratio
  while [[ $1 != -- ]]; do
    options+=("$1")
    shift
  done
  figures=$(env WEFT_HOME="$work/home" "${prefix[@]}" "$work/measure" -runs "$runs" -raw "$results" "${options[@]}" "$@")
  shown=$2 mid='' mids=() ratios=() peaks=()
  while read -r name low its_mid high its_peak ratio; do
    mids[$name]=$its_mid ratios[$name]=$ratio peaks[$name]=$its_peak
    [[ $mid && -z ${unrelated-} ]] || ratio=
    [[ $mid ]] || mid=$its_mid peak=$its_peak
    printf '%-30s %-12s %9s %9s %9s %7s %8s\n' "$shown" "${name:0:12}" "$low" "$its_mid" "$high" "$its_peak" "$ratio"
    shown=
  done <<<"$figures"
}

# judge WORK FIGURE UNIT MUST AIM: notes whether a figure keeps its limits; - for none.
judge() {
  local verdict
  verdict=$(awk -v figure="$2" -v must="$4" -v aim="$5" 'BEGIN {
    if (must != "-" && figure > must + 0) print "MISSED"
    else if (aim != "-" && figure > aim + 0) print "must kept, aim missed"
    else print "kept" }')
  [[ $verdict != MISSED ]] || missed=1
  verdicts+=("$(printf '%-30s %9s %-4s %8s %8s   %s' "$1" "$2" "$3" "$4" "$5" "$verdict")")
}

# Divides $1 by $2.
over() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.3f", a / b }'; }

# Adds $1 and $2.
plus() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.3f", a + b }'; }

# Measures our engine of templates against Go's: the corpus of the tests, and the texts of
# a form. Both sides parse the cases once and render them round by round.
measure_templates() {
  measure_cases corpus 100
  measure_cases form 10000
}

# measure_cases CASES ROUNDS
measure_cases() {
  "$templates" cases "$1" >"$work/$1"
  row -- "$1, $2 rounds" "$templates" "$2" "$work/$1" -- "$go_template" -rounds "$2" "$work/$1"
  judge "render $1 / text/template" "${ratios[go-template]}" × 1 0.33
}

# Prints the verdicts; fails when a must is missed.
finish() {
  printf '\n%-30s %9s %-4s %8s %8s\n' "" "measured" "" "must" "aim"
  printf '%s\n' "${verdicts[@]}"
  say "every run is in $results"
  return "$missed"
}
