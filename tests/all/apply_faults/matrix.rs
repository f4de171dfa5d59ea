//! Every fault on every verb: the run ends as it should, or says exactly what went wrong with what,
//! and the next run makes it right.

use std::{
    collections::BTreeMap,
    io::Write,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures::StreamExt;
use serde_json::{Value, json};
use weftctl::cluster::{Cluster, Event, Selector};

use super::world::{Place, deployment, map, secret, service, with};
use crate::{
    seeded::{Seeded, full},
    support::{
        ApiServer, Proxy, Run,
        api::runtime,
        proxy::{Act, Fault, Seen, Verb},
    },
};

/// A design of which a change to the other state needs every verb.
fn design(state: usize) -> Vec<Value> {
    let value = ["one", "two"][state % 2];
    let mut objects: Vec<Value> = (0..6).map(|n| map(&format!("map-{n}"), value)).collect();
    // One comes, another one goes; of a third kind each is let go of when the next one comes.
    objects.push(map(&format!("only-{value}"), value));
    let policy = ["metadata", "annotations", "weftctl.dev/deletion-policy"];
    let retained = map(&format!("retained-{state}"), value);
    objects.push(with(retained, &policy, json!("Retain")));
    objects.push(secret("secret", value));
    objects.push(service("web", [81, 82][state % 2]));
    objects.push(deployment("web", value, 0));
    objects
}

/// The verbs with which a run changes the state.
const VERBS: [Verb; 7] = [
    Verb::Get,
    Verb::List,
    Verb::Create,
    Verb::Apply,
    Verb::Patch,
    Verb::Put,
    Verb::Delete,
];

fn faults() -> Vec<Act> {
    vec![
        Act::Answer(409, None),
        Act::Answer(410, None),
        Act::Answer(422, None),
        Act::Answer(429, Some(1)),
        Act::Answer(500, None),
        Act::Answer(503, None),
        Act::Answer(504, None),
        Act::ResetBefore,
        Act::ResetAfter,
        Act::Delay(Duration::from_secs(2)),
        Act::Throttle(1024),
        Act::Swallow,
    ]
}

/// One injection.
#[derive(Debug, Clone)]
struct Case {
    act: Act,
    verb: Verb,
    /// Which of the requests with the verb.
    nth: usize,
    /// To how many requests in a row.
    times: usize,
}

impl Case {
    /// Whether the run has to succeed all the same.
    fn must_succeed(&self) -> bool {
        let repeatable = !matches!(self.verb, Verb::Create | Verb::Patch);
        match self.act {
            Act::Delay(_) | Act::Throttle(_) => true,
            Act::Answer(429, _) => self.times < 4,
            Act::Answer(500..=504, _) | Act::ResetBefore | Act::ResetAfter => {
                self.times < 4 && repeatable
            }
            Act::Answer(410, _) => self.verb == Verb::List && self.times == 1,
            _ => false,
        }
    }

    /// The codes that an error may have.
    fn codes(&self) -> &'static [&'static str] {
        match self.act {
            // Whoever lost a race is told so.
            Act::Answer(409, _) => &["E0513", "E0514", "E0515"],
            Act::Answer(410, _) => &["E0514"],
            Act::Answer(422, _) => &["E0521"],
            Act::Swallow => &["E0009"],
            _ => &["E0500"],
        }
    }

    /// The exit codes that go with them; 9 where something else was done.
    fn exits(&self) -> &'static [i32] {
        match self.act {
            Act::Answer(409 | 410, _) => &[6, 9],
            Act::Answer(422, _) => &[10, 9],
            Act::Swallow => &[7, 9],
            _ => &[8, 9],
        }
    }
}

/// What is wrong with how a run ended.
fn odd_end(case: &Case, run: &Run, struck: &[Seen]) -> Option<String> {
    if run.code == Some(0) {
        return None;
    }
    if case.must_succeed() {
        return Some("it should have succeeded".to_owned());
    }
    if !run.code.is_some_and(|code| case.exits().contains(&code)) {
        return Some(format!("the exit code is none of {:?}", case.exits()));
    }
    if !case.codes().iter().any(|code| run.stderr.contains(code)) {
        return Some(format!("the error is none of {:?}", case.codes()));
    }
    let named = struck.iter().any(|seen| {
        let what = if seen.name.is_empty() {
            &seen.plural
        } else {
            &seen.name
        };
        run.stderr.contains(what.as_str())
    });
    (!named).then(|| "the object is not named".to_owned())
}

/// What was sent again although it may have been done, without a look at the object in between.
fn blind_repetition(case: &Case, struck: &[Seen], seen: &[Seen]) -> Option<String> {
    let unclear = matches!(
        case.act,
        Act::Answer(500..=504, _) | Act::ResetBefore | Act::ResetAfter | Act::Swallow
    );
    if !unclear || !matches!(case.verb, Verb::Create | Verb::Patch) {
        return None;
    }
    let first = struck.first()?;
    let is_same = |other: &&Seen| other.line == first.line && other.name == first.name;
    let looked = |other: &Seen| other.verb == Verb::Get && other.name == first.name;
    let from = seen.iter().skip_while(|other| !is_same(other)).skip(1);
    let between: Vec<&Seen> = from.clone().take_while(|other| !is_same(other)).collect();
    let again = from.clone().count() > between.len();
    (again && !between.into_iter().any(looked))
        .then(|| format!("{} was sent blindly again", first.line))
}

/// How many there were of a verb, how many ended well by themselves, with an error, and wrongly.
#[derive(Default, Clone, Copy)]
struct Row {
    injected: usize,
    well: usize,
    error: usize,
}

type Table = Mutex<BTreeMap<(String, Verb), Row>>;

struct Injector<'a> {
    place: Place<'a>,
    proxy: Proxy,
    state: usize,
}

impl<'a> Injector<'a> {
    fn new(server: &'a ApiServer) -> Self {
        let injector = Self {
            place: Place::new(server, "matrix"),
            proxy: Proxy::before(server),
            state: 0,
        };
        injector.place.write("app.yaml", &design(0));
        injector.place.run(&["deploy", "app.yaml"]).succeeds();
        injector
    }

    /// Changes the state with a fault on the way; whether the run ended well by itself. The history
    /// after a next run that finds everything done is only looked at where that is asked for.
    fn inject(&mut self, case: &Case, history: bool) -> Result<bool, String> {
        self.state += 1;
        let place = &self.place;
        let objects = design(self.state);
        place.write("app.yaml", &objects);
        let verb = case.verb;
        // A lease that could not be given back only costs the next run its time.
        let fault = Fault::new(case.act.clone())
            .on(move |seen| seen.verb == verb && seen.plural != "leases")
            .after(case.nth)
            .times(case.times);
        self.proxy.misbehave(vec![fault]);
        let arguments = ["deploy", "app.yaml", "--prune", "--yes", "-o", "json"];
        let begun = Instant::now();
        let run = place.run_through(&self.proxy, &arguments);
        let took = begun.elapsed();
        let (struck, seen) = (self.proxy.struck(), self.proxy.seen());
        self.proxy.behave();
        let check = |history: bool| {
            let mut found = place.differences("app", &objects);
            if history {
                found.extend(place.odd_history("app", objects.len()));
            }
            found
        };
        let mut found = Vec::new();
        found.extend(odd_end(case, &run, &struck));
        found.extend(blind_repetition(case, &struck, &seen));
        if struck.is_empty() {
            found.push("nothing was injected".to_owned());
        }
        if let Act::Answer(429, Some(seconds)) = case.act
            && took < Duration::from_secs(seconds.into())
        {
            found.push("the server's wish to wait was not heeded".to_owned());
        }
        let is_well = run.code == Some(0);
        if is_well {
            found.extend(check(true));
        }
        if !is_well || !found.is_empty() {
            let again = place.run(&arguments);
            if again.code != Some(0) {
                found.push(format!("the next run: {again}"));
            }
            let later = check(history).into_iter();
            found.extend(later.map(|text| format!("later: {text}")));
        }
        if found.is_empty() {
            return Ok(is_well);
        }
        let line = struck.first().map(|seen| seen.line.clone());
        Err(format!(
            "{case:?} on {line:?} after {took:.1?}, exit {:?}:\n    {}\n{}",
            run.code,
            found.join("\n    "),
            run.stderr
        ))
    }
}

/// The injections: each fault on each verb, then each that passes also for good, then more of them at
/// other requests.
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let case = |act: &Act, verb, nth, times| Case {
        act: act.clone(),
        verb,
        nth,
        times,
    };
    for act in &faults() {
        cases.extend(VERBS.map(|verb| case(act, verb, 0, 1)));
    }
    for act in [Act::Answer(503, None), Act::ResetAfter] {
        cases.extend(VERBS.map(|verb| case(&act, verb, 0, 1_000)));
    }
    if full() {
        let mut random = Seeded::new(Seeded::seed());
        let acts = faults();
        while cases.len() < 1_000 - WATCHES * acts.len() {
            let act = &acts[random.below(acts.len())];
            let verb = VERBS[random.below(VERBS.len())];
            let nth = random.below(match verb {
                Verb::Get => 6,
                Verb::List => 3,
                Verb::Apply => 9,
                Verb::Put => 2,
                _ => 1,
            });
            let times = [1, 2, 1_000][random.below(3)];
            // A request that nobody answers takes a minute, and so does each next one.
            let times = if matches!(act, Act::Swallow) {
                1
            } else {
                times
            };
            cases.push(case(act, verb, nth, times));
        }
    }
    // The longest first.
    cases.sort_by_key(|case| !matches!(case.act, Act::Swallow));
    cases
}

/// After how many states a namespace is left: what is let go of stays in it, and at 1 KB/s each of its lists
/// takes a second more each time, which adds up to minutes.
const STATES: usize = 8;

/// How many watches each fault is tried on.
const WATCHES: usize = 2;

#[test]
fn every_fault_on_every_verb_ends_well_or_in_an_exact_error_and_the_next_run_converges() {
    let server = ApiServer::shared();
    let (table, failures) = (Table::default(), Mutex::new(Vec::new()));
    let note = |act: &Act, verb: Verb, end: Result<bool, String>| {
        let mut table = table.lock().expect("no panic");
        let row = table.entry((format!("{act:?}"), verb)).or_default();
        row.injected += 1;
        match end {
            Ok(true) => row.well += 1,
            Ok(false) => row.error += 1,
            Err(text) => {
                // At once, since the rest takes minutes; the handle is not captured.
                let _ = writeln!(std::io::stderr(), "{text}");
                failures.lock().expect("no panic").push(text);
            }
        }
    };
    let cases = cases();
    let begun = Instant::now();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(|| {
                let mut injector = Injector::new(server);
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if injector.state > STATES {
                        injector = Injector::new(server);
                    }
                    let end = injector.inject(case, false);
                    if end.is_err() {
                        // What follows shall not suffer from it.
                        injector = Injector::new(server);
                    }
                    note(&case.act, case.verb, end);
                }
            });
        }
        // A connection on which nothing comes is given up only after 150 s: that takes the full run.
        for act in faults() {
            if full() || !matches!(act, Act::Swallow) {
                let note = &note;
                scope.spawn(move || {
                    for nth in 0..WATCHES {
                        let end = watched(server, &act, nth);
                        let end = end.map_err(|text| format!("{act:?} on a watch: {text}"));
                        note(&act, Verb::Watch, end);
                    }
                });
            }
        }
    });
    let table = table.into_inner().expect("no panic");
    let injected: usize = table.values().map(|row: &Row| row.injected).sum();
    println!("{injected} injections in {:.0?}", begun.elapsed());
    println!("fault                  verb      injected  well  error");
    for ((act, verb), row) in &table {
        let (injected, well, error) = (row.injected, row.well, row.error);
        let verb = format!("{verb:?}");
        println!("{act:22} {verb:8}  {injected:8}  {well:4}  {error:5}");
    }
    let failures = failures.into_inner().expect("no panic");
    assert!(
        failures.is_empty(),
        "{} of {injected}:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

/// Injects one fault into a change, and demands that it ends as it should.
#[track_caller]
fn demand(act: Act, verb: Verb, times: usize) {
    let case = Case {
        act,
        verb,
        nth: 0,
        times,
    };
    let end = Injector::new(ApiServer::shared()).inject(&case, true);
    end.unwrap_or_else(|text| panic!("{text}"));
}

#[test]
fn an_inventory_whose_answer_is_lost_is_looked_at_again() {
    demand(Act::ResetAfter, Verb::Put, 1);
}

#[test]
fn a_revision_whose_answer_is_lost_leaves_a_history_in_order() {
    demand(Act::ResetAfter, Verb::Create, 1);
}

#[test]
fn a_revision_that_is_said_to_exist_is_looked_at() {
    demand(Act::Answer(409, None), Verb::Create, 1);
}

#[test]
fn a_run_that_finds_all_done_says_so_in_the_history() {
    let server = ApiServer::shared();
    let mut injector = Injector::new(server);
    // The second change has something to let go of.
    for times in [0, 1_000] {
        let case = Case {
            act: Act::ResetAfter,
            verb: Verb::Patch,
            nth: 0,
            times,
        };
        let end = injector.inject(&case, true);
        if times > 0 {
            end.unwrap_or_else(|text| panic!("{text}"));
        }
    }
}

/// Follows objects while a fault strikes the connection; whether everything came, or an exact error.
fn watched(server: &ApiServer, act: &Act, nth: usize) -> Result<bool, String> {
    let place = Place::new(server, "watch");
    let proxy = Proxy::before(server);
    let is_watch = |seen: &Seen| seen.verb == Verb::Watch;
    let mut faults = vec![Fault::new(act.clone()).on(is_watch).after(nth)];
    if nth > 0 {
        // The first connection breaks once it has begun; the fault strikes the second.
        faults.insert(0, Fault::new(Act::ResetAfter).on(is_watch));
    }
    proxy.misbehave(faults);
    let count = 3;
    let make = |number: usize| {
        let body = map(&format!("map-{number}"), "one");
        let path = place.path("api/v1", "configmaps");
        let made = server
            .api
            .send("POST", &path, Some(("application/json", &body)));
        assert_eq!(made.0, 201, "{}", made.1);
    };
    make(0);
    let deadline = Duration::from_secs(60);
    let follow = async {
        let cluster = Cluster::connect(Some(&proxy.kubeconfig), Some("sandbox"), deadline).await;
        let cluster = cluster.map_err(|error| error.to_string())?;
        let kinds = cluster.kinds(None).await.map_err(|e| e.to_string())?;
        let kind = kinds.find("v1", "ConfigMap").ok_or("no kind")?;
        let objects = cluster.objects();
        let mut events = objects.watch(&kind, Some(&place.namespace), &Selector::default(), None);
        let mut names = std::collections::BTreeSet::new();
        let mut made = 1;
        while names.len() < count {
            let Some(event) = events.next().await else {
                return Ok(false);
            };
            let event = match event {
                Ok(event) => event,
                // What no later attempt can mend is an error, with the kind named.
                Err(error) if error.to_string().contains("configmaps") => return Ok(false),
                Err(error) => return Err(error.to_string()),
            };
            let found = match event {
                Event::Added(object) | Event::Modified(object) => vec![object],
                Event::Relisted(objects) => objects,
                Event::Deleted(_) | Event::Bookmark(_) => Vec::new(),
            };
            let name = |object: &Value| object["metadata"]["name"].as_str().map(str::to_owned);
            names.extend(found.iter().filter_map(name));
            if made < count {
                tokio::task::block_in_place(|| make(made));
                made += 1;
            }
        }
        Ok(true)
    };
    let patience = Duration::from_secs(200);
    let end = runtime().block_on(async { tokio::time::timeout(patience, follow).await });
    let end = end.unwrap_or_else(|_| Err("not everything was seen".to_owned()));
    if end == Ok(true) && proxy.struck().len() <= nth {
        return Err("nothing was injected".to_owned());
    }
    end
}
