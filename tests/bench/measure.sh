# What the benchmarks share; each of them sources it: the binary that is measured, the
# table that is printed, the file of all runs, and the verdicts. The caller sets `root`,
# `runs` and `results`.

bench=$root/tests/bench
cache="${XDG_CACHE_HOME:-$HOME/.cache}/weft-tests/bench"

work=
prefix=()
missed=0
verdicts=()
declare -A ratios peaks

say() { printf 'tests/bench: %s\n' "$*" >&2; }
fail() {
  say "$@"
  exit 1
}

cleanup() { [[ -z $work ]] || rm -rf "$work"; }

((runs >= 5)) || fail "RUNS is 5 or more"

# Makes the folder for all that is written, until the end.
begin() {
  trap cleanup EXIT
  work=$(mktemp -d)
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

# Runs ours with a home of its own, as `row` does.
weft() { env WEFT_HOME="$work/home" "$weftctl" "$@"; }

# Prints the version of kubectl $1.
kubectl_version() { "$1" version --client -o json | sed -n 's/.*"gitVersion": "\(.*\)".*/\1/p' | head -n 1; }

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
# us and one for each peer. Sets `mid` (ms) and `peak` (MiB) of ours, and for each peer, by
# the name of its program, `ratios` (our time over its) and `peaks`. Where `unrelated` is
# set, they don't do the same, and no ratio is printed.
row() {
  local figures options=() shown name low its_mid high its_peak ratio
  while [[ $1 != -- ]]; do
    options+=("$1")
    shift
  done
  figures=$(env WEFT_HOME="$work/home" "${prefix[@]}" "$work/measure" -runs "$runs" -raw "$results" "${options[@]}" "$@")
  shown=$2 mid='' ratios=() peaks=()
  while read -r name low its_mid high its_peak ratio; do
    ratios[$name]=$ratio peaks[$name]=$its_peak
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

# Prints the verdicts; fails when a must is missed.
finish() {
  printf '\n%-30s %9s %-4s %8s %8s\n' "" "measured" "" "must" "aim"
  printf '%s\n' "${verdicts[@]}"
  say "every run is in $results"
  return "$missed"
}
