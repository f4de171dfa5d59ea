#!/usr/bin/env bash
# tests/bench/tenant.sh [RUNS]: measures what rows of a database take to become objects on a
# real API server, against limits and peers: the floor (tests/bench/floor), the read alone,
# and Go's own engine of templates. Builds the release binary and the other programs, and
# starts a sandbox without controllers and servers of MariaDB and PostgreSQL, all on
# loopback. Command and peers run in turn as whole processes, RUNS times (5 at least, and
# by default), after one run of each that is not counted.
# * The floor sends what `tenant render` prints of the same rows: the same objects, with no
#   row read and no template evaluated. What was made is deleted before each first apply;
#   that is not in the times.
# * The read alone is the database's own client, which reads the same columns of all rows
#   over TCP as the same user. `tenant test-connection` reads as well, but where our reading
#   is slow it would be too, and excuse it.
# * Discovery is warm for us, as the run that isn't counted leaves it. Nobody waits for
#   readiness.
# * What is changed between the runs is changed before them, not in their times.
# Prints the figures and the verdicts, and writes every run to
# tests/bench/results/tenant-DATE.tsv; fails when a must is missed. WEFTCTL may name a
# binary that is ready, WEFT_TEST_TOOLS the folder that tests/tools printed.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
results=$root/tests/bench/results/tenant-$(date +%F).tsv
runs=${1:-5}
# shellcheck source=tests/bench/measure.sh
source "$root/tests/bench/measure.sh"

# Who reads; the engines by the names that hubs have for them, and their ports.
reader=reader
password=s3cret
declare -A types=([mariadb]=mysql [postgresql]=postgresql) ports

# Databases

# Sets `port` to one that nobody listens on.
find_port() {
  local try
  for try in {1..100}; do
    port=$((10000 + RANDOM % 10000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || return 0
  done
  fail "found no free port in $try tries"
}

# Takes the database $1 for what follows. Sets `engine`; `namespace`, in which its objects
# are; `admin`, a client that may do everything and takes statements from its input; and
# `client`, one of the user that reads, whose next argument is a statement.
use() {
  engine=$1 namespace=$1
  case $1 in
    mariadb)
      admin=(mariadb --no-defaults --socket="$work/mariadb/socket" --user=root)
      client=(mariadb --no-defaults --batch --skip-column-names --quick --host=127.0.0.1 --port="${ports[mariadb]}"
        --user="$reader" --password="$password" --database=bench --execute)
      ;;
    postgresql)
      admin=("$programs/psql" -X -q -v ON_ERROR_STOP=1 -h "$work/postgresql" -p "${ports[postgresql]}" -U postgres)
      client=("$programs/psql" -X -q -A -t
        -d "postgresql://$reader:$password@127.0.0.1:${ports[postgresql]}/bench" -c)
      ;;
  esac
}

answers() { "${admin[@]}" "$1" <<<'SELECT 1' >"$work/said" 2>&1; }

# open DATABASE STATEMENT...: waits for the server that was started for the engine, and makes
# the database and the user through DATABASE, which there is.
open() {
  await 60 answers "$1" || fail "$engine doesn't answer: $(tail -n 5 "$work/$engine.log")"
  printf '%s\n' "${@:2}" | "${admin[@]}" "$1"
}

start_mariadb() {
  local at=$work/mariadb user=() port
  ((UID)) || user=(--user=root)
  find_port
  ports[mariadb]=$port
  mkdir "$at"
  mariadb-install-db --no-defaults --auth-root-authentication-method=normal --skip-test-db --datadir="$at/data" \
    "${user[@]}" >"$at.log" 2>&1 || fail "MariaDB cannot be set up: $(tail -n 5 "$at.log")"
  beside "$at.log" mariadbd --no-defaults --datadir="$at/data" --socket="$at/socket" --bind-address=127.0.0.1 \
    --port="$port" --skip-name-resolve --skip-ssl "${user[@]}"
  use mariadb
  open mysql "CREATE DATABASE bench CHARACTER SET utf8mb4;" "CREATE USER $reader IDENTIFIED BY '$password';"
}

# As root it runs as the user that Debian's package has made: the server refuses to be root.
start_postgresql() {
  local at=$work/postgresql as=() port
  programs=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
  [[ -x $programs/initdb ]] || fail "PostgreSQL is missing; ./tests/run installs it"
  find_port
  ports[postgresql]=$port
  mkdir "$at"
  if ((UID == 0)); then
    as=(setpriv --reuid=postgres --regid=postgres --clear-groups --pdeathsig INT --)
    chmod a+x "$work"
    chown postgres "$at"
  fi
  "${as[@]}" "$programs/initdb" -A trust -U postgres -E UTF8 --locale=C.UTF-8 --no-sync -D "$at/data" \
    >"$at.log" 2>&1 || fail "PostgreSQL cannot be set up: $(tail -n 5 "$at.log")"
  printf 'local all all trust\nhost all all all scram-sha-256\n' >"$at/data/pg_hba.conf"
  beside "$at.log" "${as[@]}" "$programs/postgres" -D "$at/data" -k "$at" -p "$port" -c listen_addresses=127.0.0.1
  use postgresql
  open postgres "CREATE DATABASE bench;" "CREATE USER $reader PASSWORD '$password';"
}

# Makes the table `tenants_$1` with $1 active rows, each with 330 bytes of text.
fill() {
  local table=tenants_$1
  {
    echo "CREATE TABLE $table (id VARCHAR(63) PRIMARY KEY, number INT, active VARCHAR(5), plan VARCHAR(20), seats INT,"
    echo "first_half VARCHAR(165), second_half VARCHAR(165)); GRANT SELECT ON $table TO $reader;"
    texts "$1" | awk -v table="$table" '{
      printf NR % 500 == 1 ? "INSERT INTO " table " VALUES\n" : ",\n"
      printf "(\047tenant-%05d\047, %d, \0471\047, \047free\047, %d, ", NR, NR, NR % 7 + 1
      printf "\047%s\047, \047%s\047)", substr($0, 1, 165), substr($0, 166)
      if (NR % 500 == 0) print ";"
    }
    END { if (NR % 500) print ";" }'
  } | "${admin[@]}" bench
}

# Writes a hub for the table with $1 rows beside the form $2, and what becomes of them into
# one file. Sets `set`, the folder, and `objects`, the name of the file.
write_set() {
  local mappings='first: first_half, second: second_half'
  [[ $2 == one ]] || mappings+=', plan: plan, seats: seats'
  set=$work/$engine-$1 objects=$engine-$1.yaml
  mkdir "$set"
  cp "$bench/forms/$2.yaml" "$set/form.yaml"
  cat >"$set/hub.yaml" <<EOF
apiVersion: operator.lynq.sh/v1
kind: LynqHub
metadata: {name: tenants}
spec:
  source:
    type: ${types[$engine]}
    ${types[$engine]}:
      host: 127.0.0.1
      port: ${ports[$engine]}
      username: $reader
      passwordRef: {env: DB_PASSWORD}
      database: bench
      table: tenants_$1
  valueMappings: {uid: id, activate: active}
  extraValueMappings: {$mappings}
EOF
  weft tenant render --quiet "$set" -n "$namespace" >"$work/$objects"
}

# make_set ROWS FORM: a table, and a set of it.
make_set() {
  fill "$1"
  write_set "$1" "$2"
}

# What is measured

apply=(tenant apply --yes --no-wait)

# Has nothing of the set in the cluster.
clear_set() { bash -c "$(clearing "$objects")"; }

# Lists the writes of members. The inventory and the revisions, which keep account of them,
# are Secrets, and there are no others.
written() { sed '/\/secrets/d' "$work/writes" | sort; }

# Brings the set from nothing to all of its $1 objects, and sees in the audit log that each
# was written once.
apply_set() {
  local before count
  clear_set
  before=$(audit_size)
  weft "${apply[@]}" --quiet -n "$namespace" "$set" >"$work/said"
  writes_since "$before"
  count=$(written | uniq | wc -l)
  [[ $count == "$1" && $(written | wc -l) == "$1" ]] || fail "a first apply of $1 objects wrote $count of them"
}

measure_first() {
  local alone
  make_set 1000 one
  row -before "$(clearing "$objects")" -- "1000 rows, $engine" \
    "$weftctl" "${apply[@]}" -n "$namespace" "$set" -- \
    "$floor" apply "$namespace" "$work/$objects" -- \
    "${client[@]}" "SELECT id, active, first_half, second_half FROM tenants_1000"
  alone=$(plus "${mids[floor]}" "${mids[${client[0]##*/}]}")
  judge "1000 $engine / floor + read" "$(over "$mid" "$alone")" × 1.6 -
  judge "1000 $engine" "$mid" ms - 2000
}

# The same, nothing changed.
measure_unchanged() {
  local before
  apply_set 1000
  before=$(audit_size)
  weft "${apply[@]}" --quiet -n "$namespace" "$set" >"$work/said"
  writes_since "$before"
  judge "unchanged $engine, writes" "$(wc -l <"$work/writes")" "" 0 -
  row -- "1000 unchanged, $engine" "$weftctl" "${apply[@]}" -n "$namespace" "$set"
  judge "unchanged $engine" "$mid" ms 500 100
  clear_set
}

measure_five() {
  make_set 2000 five
  row -before "$(clearing "$objects")" -- "2000 rows x 5, $engine" \
    "$weftctl" "${apply[@]}" -n "$namespace" "$set" -- \
    "$floor" apply "$namespace" "$work/$objects"
  judge "2000 x 5 $engine / floor" "${ratios[floor]}" × 2 -
}

# Before each run, twenty rows that no other run has get another plan, which is in two of
# their five objects: those are written once in all runs, and nothing else.
measure_churn() {
  local before change name
  apply_set 10000
  "${admin[@]}" bench <<<'CREATE TABLE churn (run INT); INSERT INTO churn VALUES (0);'
  change="UPDATE churn SET run = run + 1; UPDATE tenants_2000 SET plan = 'pro' WHERE number % 100 = (SELECT run FROM churn);"
  before=$(audit_size)
  row -before "$(printf '%q ' "${admin[@]}") bench <<<\"$change\"" -- "20 of 2000 changed, $engine" \
    "$weftctl" "${apply[@]}" -n "$namespace" "$set"
  writes_since "$before"
  "${client[@]}" "SELECT id FROM tenants_2000 WHERE plan = 'pro'" >"$work/changed"
  [[ $(wc -l <"$work/changed") == $((20 * (runs + 1))) ]] || fail "not all runs changed twenty rows"
  while read -r name; do
    echo "patch /api/v1/namespaces/$namespace/configmaps/$name-settings"
    echo "patch /apis/apps/v1/namespaces/$namespace/deployments/$name-web"
  done <"$work/changed" | sort >"$work/expected"
  judge "churn $engine, writes amiss" "$(diff "$work/expected" <(written) | grep -c '^[<>]' || true)" "" 0 -
  clear_set
}

measure_plan() {
  make_set 10000 one
  step plan 1 "$weftctl" tenant plan -n "$namespace" "$set"
  row -- "plan of 10000 rows, $engine" "$work/plan"
  judge_plan "plan 10000 $engine"
  apply_set 10000
  row -- "the same, all applied" "$weftctl" tenant plan -n "$namespace" "$set"
  judge_plan "plan 10000 $engine, applied"
  clear_set
}

judge_plan() {
  judge "$1" "$mid" ms 10000 5000
  judge "$1" "$peak" MiB 200 -
}

# Drift by hand. `tenant watch` runs on 200 objects; a hundred of them are changed with
# kubectl, one after another at random gaps. What counts is the time from kubectl's end to
# the moment when another kubectl, which watches, has the old value again. Every value that
# it sees is a line of the file `seen`: when, name, value. One change goes before, and
# shows that the watch is at work.
hand_value=by-hand

# Writes down what the watch in the input sees.
stamp() {
  local name value
  while read -r name value; do
    echo "$EPOCHREALTIME $name $value"
  done
}

# Changes the object of row $1 by hand, and writes down when kubectl came back.
change_by_hand() {
  local name
  name=$(printf 'tenant-%05d-settings' "$1")
  kubectl patch configmap "$name" -n "$namespace" --type merge --field-manager=hand \
    -p "{\"data\":{\"first\":\"$hand_value\"}}" >"$work/said"
  echo "$EPOCHREALTIME $name" >>"$work/by-hand"
}

# Lists what was changed by hand and is as it was: the milliseconds that it took, and the
# name. Before kubectl came back is no time at all.
repaired() {
  awk -v by_hand="$hand_value" '
    NR == FNR { since[$2] = $1; next }
    $3 == by_hand { is_changed[$2] = 1; next }
    is_changed[$2] && $2 in since {
      time = ($1 - since[$2]) * 1000
      printf "%.1f %s\n", (time > 0 ? time : 0), $2
      delete since[$2]
    }' "$work/by-hand" "$work/seen"
}

has_seen() { (($(wc -l <"$work/seen") >= $1)); }
has_repaired() { (($(repaired | wc -l) >= $1)); }

measure_drift() {
  local number low middle high tail
  make_set 200 one
  apply_set 200
  : >"$work/seen"
  beside "$work/watch.log" "$weftctl" tenant watch -n "$namespace" "$set"
  kubectl get configmaps -n "$namespace" --watch -o 'jsonpath={.metadata.name} {.data.first}{"\n"}' \
    > >(stamp >>"$work/seen") &
  started+=($!)
  await 30 has_seen 200 || fail "kubectl doesn't see the objects"
  change_by_hand 1
  await 60 has_repaired 1 || fail "tenant watch repairs nothing: $(tail -n 5 "$work/watch.log")"
  : >"$work/by-hand"
  for number in $(shuf -i 2-200 -n 100); do
    sleep "$(printf '0.%03d' $((RANDOM % 500)))"
    change_by_hand "$number"
  done
  await 60 has_repaired 100 || fail "only $(repaired | wc -l) of 100 changes were repaired: $(tail -n 5 "$work/watch.log")"
  repaired | awk '{ printf "drift by hand\tweftctl\t%d\t%s\t-\t-\n", NR, $1 }' >>"$results"
  read -r low middle high tail < <(repaired | sort -n |
    awk '{ time[NR] = $1 } END { print time[1], time[50], time[100], time[99] }')
  printf '%-30s %-12s %9s %9s %9s   p99 %s\n' "drift by hand, 100 times" weftctl "$low" "$middle" "$high" "$tail"
  judge "drift by hand, p99" "$tail" ms 2000 500
}

# Prints the versions of what takes part.
versions() {
  mariadbd --version | sed 's/.* Ver \([^ ]*\).*/\1,/'
  "$programs/postgres" --version | sed 's/.*(PostgreSQL) \([^ ]*\).*/PostgreSQL \1,/'
  go version "$go_template" | sed 's/.*: //'
}

# Everything is built before the cluster starts.
main() {
  build_weftctl
  build_floor
  build_templates
  enter_sandbox
  begin
  build_helper measure
  export HOME=$work WEFT_HOME=$work/home DB_PASSWORD=$password
  start_mariadb
  start_postgresql
  write_head "$(versions | paste -sd " ")"
  print_head
  for engine in mariadb postgresql; do
    use "$engine"
    kubectl create namespace "$namespace" >"$work/said"
    measure_first
    measure_unchanged
    measure_five
    measure_churn
    measure_plan
  done
  measure_templates
  if weft tenant watch --help >"$work/said" 2>&1; then
    measure_drift
  else
    say "there is no tenant watch: how fast it repairs is not measured"
  fi
  finish
}

main
