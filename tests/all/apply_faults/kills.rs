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
use weft_domain::inventory::MemberOrigin;

use super::world::{Place, definition, deployment, gadget, map, secret, service, with};
use crate::{
    seeded::full,
    support::{
        ApiServer, Proxy,
        api::MERGE,
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
    fn new(server: &'a ApiServer, prefix: &str, table: &'a Table) -> Self {
        Self {
            place: Place::new(server, prefix).through_kubectl(),
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
    fn kill(&self, what: &'static str, arguments: &[&str], kill: Kill) -> Vec<String> {
        let requests = {
            let table = self.table.lock().expect("no panic");
            table.get(what).map_or(0, |row| row.requests)
        };
        if kill.at >= requests {
            let run = self.place.run(arguments);
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
        let run = self.place.run_through(&self.proxy, arguments);
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
        let again = self.place.run(arguments);
        self.note(what, |row| {
            row.kills += 1;
            if kill.patient {
                row.waits.push(begun.elapsed());
            }
        });
        // Who was killed at the very end had left nothing to undeploy or to release.
        let goes = ["undeploy", "release"].contains(&arguments[0]);
        let gone = goes && again.code == Some(5) && again.stderr.contains("E0517");
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
        let mut found = self.kill("deploy", &["deploy", "app.yaml"], first);
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
            &[
                "rollback",
                "app",
                "--to",
                &back,
                "--yes",
                "--confirm",
                "app",
            ],
            second,
        );
        found.extend(place.differences("app", &one));
        self.judge("rollback", second, found);
        self.judge(
            "rollback: history",
            second,
            place.odd_history("app", one.len()),
        );

        let mut found = self.kill("undeploy", &["undeploy", "app", "--confirm", "app"], third);
        found.extend(place.remains("app"));
        self.judge("undeploy", third, found);
    }

    /// Runs a command to its end, and counts its requests.
    fn count(&self, what: &'static str, arguments: &[&str]) {
        self.proxy.behave();
        self.place.run_through(&self.proxy, arguments).succeeds();
        let requests = self.proxy.seen().len();
        self.note(what, |row| row.requests = row.requests.max(requests));
    }

    /// Counts the requests of each command.
    fn count_all(&self) {
        let place = &self.place;
        place.write("app.yaml", &design(&place.namespace, "one"));
        self.count("deploy", &["deploy", "app.yaml"]);
        place.write("app.yaml", &design(&place.namespace, "two"));
        place.run(&["deploy", "app.yaml"]).succeeds();
        let confirmed = ["--yes", "--confirm", "app"];
        self.count(
            "rollback",
            &[&["rollback", "app", "--to", "1"], &confirmed[..]].concat(),
        );
        self.count("undeploy", &[&["undeploy", "app"], &confirmed[..]].concat());
    }
}

/// Prints what became of the kills; nothing may have gone wrong.
fn report(table: Table, begun: Instant) -> BTreeMap<&'static str, Row> {
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
    table
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
        Killer::new(server, "kill", &table).count_all();
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
                    let killer = Killer::new(server, "kill", &table);
                    while let Some(kill) = kills.get(next.fetch_add(1, Ordering::Relaxed)) {
                        killer.cycle(*kill);
                    }
                });
            }
        });
    });
    let table = report(table, begun);
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
            place
                .run(&["undeploy", "app", "--confirm", "app"])
                .succeeds();
            assert_eq!(place.remains("app"), [""; 0]);
        }
    }
}

// What was there before, what cannot be changed, what runs

/// What the other design has nothing of: a job of each phase, what somebody else has made, and what can
/// only be replaced.
fn delicate(value: &str) -> Vec<Value> {
    let job = |name: &str, phase: &str| {
        json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": {"name": name, "annotations": {"weftctl.dev/phase": phase}},
            "spec": {"template": {"spec": {
                "restartPolicy": "Never", "containers": [{"name": "c", "image": value}],
            }}},
        })
    };
    let theirs = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs"}, "data": {"key": "theirs"},
    });
    vec![
        job("first", "before"),
        job("last", "after"),
        theirs,
        with(map("fixed", value), &["immutable"], json!(true)),
        map("plain", value),
        service("web", if value == "one" { 81 } else { 82 }),
    ]
}

/// Ends jobs in namespaces whose name begins so, as the controller would that this server doesn't have.
fn complete(server: &ApiServer, prefix: &str, stop: &AtomicBool) {
    let at = "2026-01-02T03:04:05Z";
    let condition =
        |name: &str| json!({"type": name, "status": "True", "reason": "CompletionsReached"});
    let status = json!({"status": {
        "startTime": at, "completionTime": at, "succeeded": 1,
        "conditions": [condition("SuccessCriteriaMet"), condition("Complete")],
    }});
    while !stop.load(Ordering::Relaxed) {
        let list = server.api.get("/apis/batch/v1/jobs").unwrap_or_default();
        for item in list["items"].as_array().into_iter().flatten() {
            let text = |key: &str| item["metadata"][key].as_str().unwrap_or_default();
            let (namespace, name) = (text("namespace"), text("name"));
            let is_open = item["status"].get("completionTime").is_none();
            if is_open && namespace.starts_with(prefix) {
                let path = format!("/apis/batch/v1/namespaces/{namespace}/jobs/{name}/status");
                server.api.send("PATCH", &path, Some((MERGE, &status)));
            }
        }
        std::thread::sleep(Duration::from_millis(40));
    }
}

impl Killer<'_> {
    /// Where an object of the delicate design is.
    fn path_of(&self, object: &Value) -> String {
        let group = match object["apiVersion"].as_str() {
            Some("v1") => "api/v1".to_owned(),
            group => format!("apis/{}", group.unwrap_or_default()),
        };
        let kind = object["kind"].as_str().unwrap_or_default().to_lowercase();
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        self.place.path(&group, &format!("{kind}s/{name}"))
    }

    /// What somebody else has made, as it is from then on.
    fn plant(&self) -> Value {
        let theirs = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "theirs", "labels": {"by": "them"}},
            "data": {"key": "theirs", "more": "theirs"},
        });
        let path = self.place.path("api/v1", "configmaps");
        let path = format!("{path}?fieldManager=kubectl-create");
        let body = Some(("application/json", &theirs));
        let (status, made) = self.place.server.api.send("POST", &path, body);
        assert_eq!(status, 201, "{made}");
        made
    }

    /// What is wrong with the deployed design: its objects, and whose the one is that was there before.
    fn delicate_differences(&self, value: &str, planted: &Value) -> Vec<String> {
        let mut wanted = delicate(value);
        for object in &mut wanted {
            if object["metadata"]["name"] == "theirs" {
                object["data"] = planted["data"].clone();
                object["metadata"]["labels"] = planted["metadata"]["labels"].clone();
            }
        }
        let mut found = self.place.differences("app", &wanted);
        found.extend(self.place.odd_history("app", wanted.len()));
        let live = self.place.server.api.get(&self.path_of(planted));
        let live = live.unwrap_or_default();
        if live["metadata"]["uid"] != planted["metadata"]["uid"] {
            found.push(format!("theirs is another one: {live}"));
        }
        let parent = self.place.parent("app").expect("an inventory");
        let members = parent.members();
        let theirs = members.iter().find(|member| member.name == "theirs");
        let origin = theirs.map(|member| member.origin);
        if origin != Some(MemberOrigin::Adopted) {
            found.push(format!("theirs is {origin:?}"));
        }
        found
    }

    /// What is wrong with what was given back.
    fn not_given_back(&self, planted: &Value) -> Vec<String> {
        let mut found = self.place.remains("app");
        let live = self.place.server.api.get(&self.path_of(planted));
        let live = live.unwrap_or_default();
        let is_same = |pointer: &str| live.pointer(pointer) == planted.pointer(pointer);
        let fields = ["uid", "labels", "annotations"].map(|field| format!("/metadata/{field}"));
        if !is_same("/data") || !fields.iter().all(|field| is_same(field)) {
            found.push(format!("theirs is {live}, not {planted}"));
        }
        if live.to_string().contains("weftctl") {
            found.push(format!("theirs is still ours: {live}"));
        }
        found
    }

    /// A life of the delicate design, in which each command is killed once.
    fn delicate_cycle(
        &self,
        life: impl Fn(&'static str, &[&str]) -> Vec<String>,
    ) -> [Vec<String>; 4] {
        let place = &self.place;
        let planted = self.plant();
        place.write("app.yaml", &delicate("one"));
        let adopt = ["deploy", "app.yaml", "--adopt"];
        let mut adopted = life("adopt", &adopt);
        adopted.extend(self.delicate_differences("one", &planted));

        place.write("app.yaml", &delicate("two"));
        let replace = ["deploy", "app.yaml", "--replace", "--yes"];
        let mut replaced = life("replace", &replace);
        replaced.extend(self.delicate_differences("two", &planted));

        let mut undeployed = life("undeploy", &["undeploy", "app", "--confirm", "app"]);
        undeployed.extend(self.not_given_back(&planted));
        let ours = delicate("two").into_iter();
        let ours: Vec<Value> = ours.filter(|o| o["metadata"]["name"] != "theirs").collect();
        let is_there = |object: &&Value| place.server.api.get(&self.path_of(object)).is_some();
        undeployed.extend(
            ours.iter()
                .filter(is_there)
                .map(|o| format!("{o} is there")),
        );

        place.write("app.yaml", &delicate("one"));
        place.run(&adopt).succeeds();
        let lives = || {
            ours.iter()
                .map(|o| {
                    let live = place.server.api.get(&self.path_of(o)).unwrap_or_default();
                    (
                        live["metadata"]["uid"].clone(),
                        live["spec"].clone(),
                        live["data"].clone(),
                    )
                })
                .collect::<Vec<_>>()
        };
        let before = lives();
        let mut released = life("release", &["release", "app", "--yes"]);
        released.extend(self.not_given_back(&planted));
        if lives() != before {
            released.push("what was let go of has changed".to_owned());
        }
        for object in ours.iter().chain([&planted]) {
            let path = format!("{}?propagationPolicy=Background", self.path_of(object));
            place.server.api.delete(&path);
        }
        [adopted, replaced, undeployed, released]
    }
}

#[test]
fn a_run_that_adopts_replaces_or_lets_go_is_finished_by_the_next_and_takes_nothing() {
    const COMMANDS: [&str; 4] = ["adopt", "replace", "undeploy", "release"];
    let step = if full() { 1 } else { 8 };
    let server = ApiServer::shared();
    let table = Table::default();
    let begun = Instant::now();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _end = Stop(&stop);
        scope.spawn(|| complete(server, "delicate-", &stop));
        let killer = Killer::new(server, "delicate", &table);
        let found = killer.delicate_cycle(|what, arguments| {
            killer.count(what, arguments);
            Vec::new()
        });
        assert_eq!(found.concat(), [""; 0], "of runs that nobody kills");
        let most = {
            let table = table.lock().expect("no panic");
            table.values().map(|row| row.requests).max().unwrap_or(0)
        };
        let points = if step == 1 { 2 } else { 1 };
        let taken = (0..most).filter(|at| at % step == 0 || *at + 1 == most);
        let kills = taken.flat_map(|at| std::iter::repeat_n(at, points));
        let kills: Vec<(usize, usize)> = kills.enumerate().collect();
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let killer = Killer::new(server, "delicate", &table);
                    while let Some((number, at)) = kills.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let kill = Kill {
                            at: *at,
                            // Neighbours are killed at different points.
                            answered: number % 2 == 1,
                            patient: false,
                        };
                        let found = killer
                            .delicate_cycle(|what, arguments| killer.kill(what, arguments, kill));
                        for (what, found) in COMMANDS.into_iter().zip(found) {
                            killer.judge(what, kill, found);
                        }
                    }
                });
            }
        });
    });
    let table = report(table, begun);
    assert!(COMMANDS.iter().all(|what| table[what].kills > 2));
}
