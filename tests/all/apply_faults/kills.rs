//! `kill -9` at every request of a run, before the server hears of it and after it has answered. The
//! next run finishes what was begun.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::world::{Place, definition, deployment, gadget, map, secret, service, with};
use crate::{
    seeded::full,
    support::{
        ApiServer, Proxy,
        proxy::{Act, Fault, Seen, Verb},
    },
};

/// Two hundred objects of all sorts that one value runs through.
fn design(place: &str, value: &str) -> Vec<Value> {
    let (group, inner) = (format!("{place}.example"), format!("{place}-inner"));
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": inner}});
    let port = if value == "one" { 81 } else { 82 };
    let mut objects = vec![namespace, definition(&group)];
    objects.extend((0..20).map(|n| gadget(&group, &format!("gadget-{n}"), value)));
    objects.extend((0..20).map(|n| {
        let inside = map(&format!("inside-{n}"), value);
        with(inside, &["metadata", "namespace"], json!(inner))
    }));
    objects.extend((0..80).map(|n| {
        let map = map(&format!("map-{n}"), value);
        // What one of the two has alone comes and goes.
        with(map, &["data", value], json!("only here"))
    }));
    objects.extend((0..30).map(|n| secret(&format!("secret-{n}"), value)));
    objects.extend((0..24).map(|n| service(&format!("web-{n}"), port)));
    objects.extend((0..24).map(|n| deployment(&format!("web-{n}"), value, 0)));
    assert_eq!(objects.len(), 200);
    objects
}

/// Ends namespaces whose name begins so, as the controller would that this server doesn't have.
fn bury(server: &ApiServer, prefix: &str, stop: &AtomicBool) {
    let dying = "/api/v1/namespaces?fieldSelector=status.phase%3DTerminating";
    while !stop.load(Ordering::Relaxed) {
        let list = server.api.get(dying).unwrap_or_default();
        for item in list["items"].as_array().into_iter().flatten() {
            let name = item["metadata"]["name"].as_str().unwrap_or_default();
            if name.starts_with(prefix) {
                let path = format!("/api/v1/namespaces/{name}/finalize");
                let freed = with(item.clone(), &["spec"], json!({}));
                let body = Some(("application/json", &freed));
                server.api.send("PUT", &path, body);
            }
        }
        std::thread::sleep(Duration::from_millis(40));
    }
}

/// Ends a thread when it is dropped, even if a test fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What became of the kills of one command.
#[derive(Default)]
struct Row {
    requests: usize,
    kills: usize,
    /// Runs that ended before their request came.
    late: usize,
    /// How long the next run took where it waited for the lease of the dead one.
    waits: Vec<Duration>,
    failures: Vec<String>,
}

type Table = Mutex<BTreeMap<&'static str, Row>>;

struct Killer<'a> {
    place: Place<'a>,
    proxy: Proxy,
    table: &'a Table,
}

/// Where a run is killed.
#[derive(Clone, Copy)]
struct Kill {
    /// The request, from 0.
    at: usize,
    /// Whether the server has answered it.
    answered: bool,
    /// Whether the next run waits until the lease of the dead one has expired. Otherwise an operator
    /// who knows that the holder is dead deletes it.
    patient: bool,
}

impl Kill {
    /// The kills of the three commands of one life.
    fn each(number: usize, at: usize, step: usize) -> [Self; 3] {
        [0, 1, 2].map(|command| Self {
            at,
            // Where not every request is taken, neighbours are killed at different points.
            answered: (number + if step == 1 { 0 } else { command }) % 2 == 1,
            patient: number % 60 == 2 + 4 * command,
        })
    }
}

impl<'a> Killer<'a> {
    fn new(server: &'a ApiServer, table: &'a Table) -> Self {
        Self {
            place: Place::new(server, "kill").through_kubectl(),
            proxy: Proxy::before(server),
            table,
        }
    }

    fn note(&self, what: &'static str, change: impl FnOnce(&mut Row)) {
        change(
            self.table
                .lock()
                .expect("no panic")
                .entry(what)
                .or_default(),
        );
    }

    /// Notes what is wrong after a run.
    fn judge(&self, what: &'static str, kill: Kill, mut found: Vec<String>) {
        if !found.is_empty() {
            found.truncate(6);
            let point = if kill.answered { "after" } else { "before" };
            let failure = format!("{point} request {}: {}", kill.at, found.join("\n    "));
            self.note(what, |row| row.failures.push(failure));
        }
    }

    /// Kills a run at a request, and runs it again to the end. What is wrong with that comes back.
    fn kill(&self, what: &'static str, more: &[&str], kill: Kill) -> Vec<String> {
        let arguments = [&[what], more].concat();
        let requests = {
            let table = self.table.lock().expect("no panic");
            table.get(what).map_or(0, |row| row.requests)
        };
        if kill.at >= requests {
            let run = self.place.run(&arguments);
            return if run.code == Some(0) {
                Vec::new()
            } else {
                vec![format!("not killed at all: {run}")]
            };
        }
        let act = if kill.answered {
            Act::KillAfter
        } else {
            Act::KillBefore
        };
        self.proxy.misbehave(vec![Fault::new(act).after(kill.at)]);
        let run = self.place.run_through(&self.proxy, &arguments);
        let struck = self.proxy.struck();
        self.proxy.behave();
        match (run.code, struck.len()) {
            (None, 1) => {}
            (Some(0), 0) => {
                self.note(what, |row| row.late += 1);
                return Vec::new();
            }
            _ => return vec![format!("the run did not die: {run}")],
        }
        let begun = Instant::now();
        if !kill.patient {
            self.place.break_lease("app");
        }
        let again = self.place.run(&arguments);
        self.note(what, |row| {
            row.kills += 1;
            if kill.patient {
                row.waits.push(begun.elapsed());
            }
        });
        // Who was killed at the very end had undeployed everything.
        let gone = what == "undeploy" && again.code == Some(5) && again.stderr.contains("E0517");
        if again.code == Some(0) || gone {
            Vec::new()
        } else {
            vec![format!("{:?}, then: {again}", struck[0].line)]
        }
    }

    /// A life of the design, in which each command is killed once.
    fn cycle(&self, [first, second, third]: [Kill; 3]) {
        let place = &self.place;
        let (one, two) = (
            design(&place.namespace, "one"),
            design(&place.namespace, "two"),
        );
        place.write("app.yaml", &one);
        let mut found = self.kill("deploy", &["app.yaml"], first);
        found.extend(place.differences("app", &one));
        self.judge("deploy", first, found);
        let odd = place.odd_history("app", one.len());
        if !odd.is_empty() {
            self.judge("deploy: history", first, odd);
            for objects in [&two, &one] {
                place.write("app.yaml", objects);
                place.run(&["deploy", "app.yaml"]).succeeds();
            }
        }

        let back = place.revisions("app")[0].number.to_string();
        place.write("app.yaml", &two);
        place.run(&["deploy", "app.yaml"]).succeeds();
        let mut found = self.kill(
            "rollback",
            &["app", "--to", &back, "--yes", "--confirm", "app"],
            second,
        );
        found.extend(place.differences("app", &one));
        self.judge("rollback", second, found);
        self.judge(
            "rollback: history",
            second,
            place.odd_history("app", one.len()),
        );

        let mut found = self.kill("undeploy", &["app", "--confirm", "app"], third);
        found.extend(place.remains("app"));
        self.judge("undeploy", third, found);
    }

    /// Counts the requests of each command.
    fn count(&self) {
        let count = |what: &'static str, more: &[&str]| {
            self.proxy.behave();
            let run = self
                .place
                .run_through(&self.proxy, &[&[what], more].concat());
            run.succeeds();
            let requests = self.proxy.seen().len();
            self.note(what, |row| row.requests = row.requests.max(requests));
        };
        for (value, what, more) in [
            ("one", "deploy", &["app.yaml"][..]),
            ("two", "", &[]),
            (
                "",
                "rollback",
                &["app", "--to", "1", "--yes", "--confirm", "app"],
            ),
            ("", "undeploy", &["app", "--confirm", "app"]),
        ] {
            if !value.is_empty() {
                self.place
                    .write("app.yaml", &design(&self.place.namespace, value));
            }
            if what.is_empty() {
                self.place.run(&["deploy", "app.yaml"]).succeeds();
            } else {
                count(what, more);
            }
        }
    }
}

#[test]
fn a_run_that_is_killed_at_any_request_is_finished_by_the_next() {
    let (step, workers) = if full() { (1, 4) } else { (20, 4) };
    let server = ApiServer::shared();
    let table = Table::default();
    let begun = Instant::now();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _end = Stop(&stop);
        scope.spawn(|| bury(server, "kill-", &stop));
        Killer::new(server, &table).count();
        let most = {
            let table = table.lock().expect("no panic");
            table.values().map(|row| row.requests).max().unwrap_or(0)
        };
        let taken = (0..most).filter(|at| at % step == 0 || *at + 1 == most);
        let points = if step == 1 { 2 } else { 1 };
        let kills: Vec<[Kill; 3]> = taken
            .flat_map(|at| std::iter::repeat_n(at, points))
            .enumerate()
            .map(|(number, at)| Kill::each(number, at, step))
            .collect();
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    let killer = Killer::new(server, &table);
                    while let Some(kill) = kills.get(next.fetch_add(1, Ordering::Relaxed)) {
                        killer.cycle(*kill);
                    }
                });
            }
        });
    });
    let table = table.into_inner().expect("no panic");
    println!("kills in {:?}", begun.elapsed());
    println!("what               i_max  kills  late  failures  waited for the lease");
    for (what, row) in &table {
        let (requests, kills, late) = (row.requests, row.kills, row.late);
        let (failures, waits) = (row.failures.len(), &row.waits);
        println!("{what:18} {requests:5}  {kills:5}  {late:4}  {failures:8}  {waits:.1?}");
    }
    let failures: Vec<String> = table
        .iter()
        .flat_map(|(what, row)| {
            row.failures
                .iter()
                .map(move |text| format!("{what} {text}"))
        })
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(
        ["deploy", "rollback", "undeploy"]
            .iter()
            .all(|what| table[what].kills > 5)
    );
}

#[test]
fn a_run_killed_before_its_revision_was_recorded_leaves_that_to_the_next() {
    for answered in [false, true] {
        let place = Place::new(ApiServer::shared(), "record");
        let proxy = Proxy::before(place.server);
        for value in ["one", "two"] {
            let objects = [map("a", value), map("b", value)];
            place.write("app.yaml", &objects);
            let act = if answered {
                Act::KillAfter
            } else {
                Act::KillBefore
            };
            let fault = Fault::new(act);
            let is_revision =
                |seen: &Seen| seen.verb == Verb::Create && seen.name.contains("-rev-");
            proxy.misbehave(vec![fault.on(is_revision)]);
            let run = place.run_through(&proxy, &["deploy", "app.yaml"]);
            assert_eq!(run.code, None, "{run}");
            proxy.behave();
            place.break_lease("app");
            place.run(&["deploy", "app.yaml"]).succeeds();
            assert_eq!(place.differences("app", &objects), [""; 0]);
            assert_eq!(place.odd_history("app", 2), [""; 0], "{value} {answered}");
        }
    }
}

#[test]
fn what_went_with_its_definition_does_not_stay_in_the_inventory() {
    let place = Place::new(ApiServer::shared(), "gone");
    let group = format!("{}.example", place.namespace);
    let gadgets = [definition(&group), gadget(&group, "g", "one")];
    let rest = [map("rest", "one")];
    for prune in [true, false] {
        place.write("app.yaml", &[&gadgets[..], &rest].concat());
        place.run(&["deploy", "app.yaml"]).succeeds();
        let name = format!("gadgets.{group}");
        place.server.kubectl(&["delete", "crd", &name], "");
        if prune {
            place.write("app.yaml", &rest);
            place
                .run(&["deploy", "app.yaml", "--prune", "--yes"])
                .succeeds();
            assert_eq!(place.differences("app", &rest), [""; 0]);
        } else {
            place.run(&["undeploy", "app", "--yes"]).succeeds();
            assert_eq!(place.remains("app"), [""; 0]);
        }
    }
}
