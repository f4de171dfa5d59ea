//! API server and database that stand still, or are killed and come back, in the middle of a run.

use std::{
    collections::BTreeMap,
    sync::{Mutex, mpsc},
    time::{Duration, Instant},
};

use super::world::{Place, map};
use crate::{
    seeded::{Seeded, full},
    support::{
        ApiServer, Run,
        server::{is_alive, signal},
    },
};

/// How long after the return everything is as wanted at the latest.
const LIMIT: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outage {
    ApiServerStopped,
    ApiServerKilled,
    EtcdKilled,
}

impl Outage {
    /// Lets it happen, until the server is back.
    fn strike(self, server: &ApiServer) {
        match self {
            Self::ApiServerStopped => {
                let pid = server.pid("kube-apiserver");
                signal(pid, "STOP");
                std::thread::sleep(Duration::from_secs(5));
                signal(pid, "CONT");
            }
            Self::ApiServerKilled => server.restart("kube-apiserver"),
            Self::EtcdKilled => server.restart("etcd"),
        }
        server.wait_until_ready();
    }
}

#[derive(Default)]
struct Row {
    outages: usize,
    alone: usize,
    again: usize,
    longest: Duration,
}

/// How many clusters are broken side by side; most of the time is waiting.
const CLUSTERS: usize = 2;

#[test]
fn a_run_in_an_outage_or_the_next_one_converges_within_30_s_of_the_return() {
    let count = if full() { 200 } else { 10 };
    let seed = Seeded::seed();
    let table = Mutex::default();
    std::thread::scope(|scope| {
        for cluster in 0..CLUSTERS {
            let table = &table;
            scope.spawn(move || {
                let random = Seeded::new(seed.wrapping_add(cluster as u64));
                let numbers = (0..count).skip(cluster).step_by(CLUSTERS);
                outages(random, numbers, table);
            });
        }
    });
    println!("outage            count  by itself  by the next run  longest after the return");
    let table: BTreeMap<Outage, Row> = table.into_inner().expect("no panic");
    for (outage, row) in &table {
        let (name, longest) = (format!("{outage:?}"), row.longest);
        let (outages, alone, again) = (row.outages, row.alone, row.again);
        println!("{name:16}  {outages:5}  {alone:9}  {again:15}  {longest:.1?}");
    }
    assert_eq!(table.values().map(|row| row.outages).sum::<usize>(), count);
}

/// Breaks one cluster in the middle of one run after the other.
fn outages(
    mut random: Seeded,
    numbers: impl Iterator<Item = usize>,
    table: &Mutex<BTreeMap<Outage, Row>>,
) {
    let server = &ApiServer::own();
    let place = Place::new(server, "outage");
    let design = |value: &str| {
        let maps = (0..120).map(|number| map(&format!("map-{number}"), value));
        let objects: Vec<_> = maps.collect();
        place.write("app.yaml", &objects);
        objects
    };
    let arguments = ["deploy", "app.yaml", "--concurrency", "2"];
    design("first");
    place.run(&arguments).succeeds();
    design("second");
    let begun = Instant::now();
    place.run(&arguments).succeeds();
    let life = begun.elapsed();
    for number in numbers {
        let outage = [
            Outage::EtcdKilled,
            Outage::ApiServerKilled,
            Outage::ApiServerStopped,
        ][number % 3];
        // Now and then a run is over before; then there is another one.
        let (objects, run, returned) = (0..20)
            .find_map(|attempt| {
                let objects = design(&format!("round-{number}-{attempt}"));
                let wait = life.mul_f64(0.15 + 0.006 * random.below(100) as f64);
                let (run, returned) = struck(&place, &arguments, outage, wait);
                returned.map(|returned| (objects, run, returned))
            })
            .expect("a run that is not over too early");
        let alone = run.code == Some(0);
        let mut last = run;
        if !alone {
            assert!(
                matches!(last.code, Some(6..=9)),
                "{outage:?}: no exact error: {last}"
            );
            last = place.run(&arguments);
        }
        let took = returned.elapsed();
        let found = place.differences("app", &objects);
        assert!(found.is_empty(), "{outage:?}: {found:?}\n{last}");
        assert!(took < LIMIT, "{outage:?}: {took:?}\n{last}");
        let mut table = table.lock().expect("no panic");
        let row = table.entry(outage).or_default();
        row.outages += 1;
        row.longest = row.longest.max(took);
        if alone {
            row.alone += 1;
        } else {
            row.again += 1;
        }
    }
}

/// Runs a command, and breaks the cluster after some time. When it was back, unless the command was
/// over before.
fn struck(
    place: &Place<'_>,
    arguments: &[&str],
    outage: Outage,
    wait: Duration,
) -> (Run, Option<Instant>) {
    let server = place.server;
    let (tell, told) = mpsc::channel();
    std::thread::scope(|scope| {
        let striker = scope.spawn(move || {
            let pid: u32 = told.recv().expect("a process");
            std::thread::sleep(wait);
            is_alive(pid).then(|| {
                outage.strike(server);
                Instant::now()
            })
        });
        let run = place.run_with(&server.kubeconfig, arguments, |pid| {
            tell.send(pid).expect("a listener");
        });
        (run, striker.join().expect("no panic"))
    })
}
