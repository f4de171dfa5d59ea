//! API server and database that stand still, or are killed and come back, in the middle of a run.

use std::{
    collections::BTreeMap,
    sync::mpsc,
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

#[test]
fn a_run_in_an_outage_or_the_next_one_converges_within_30_s_of_the_return() {
    let count = if full() { 200 } else { 10 };
    let server = &ApiServer::own();
    let place = Place::new(server, "outage");
    let mut random = Seeded::new(Seeded::seed());
    let design = |value: &str| -> Vec<_> {
        let maps = (0..120).map(|number| map(&format!("map-{number}"), value));
        maps.collect()
    };
    let arguments = ["deploy", "app.yaml", "--concurrency", "2"];
    place.write("app.yaml", &design("first"));
    place.run(&arguments).succeeds();
    place.write("app.yaml", &design("second"));
    let begun = Instant::now();
    place.run(&arguments).succeeds();
    let life = begun.elapsed();
    let mut table: BTreeMap<Outage, Row> = BTreeMap::new();
    let mut missed = 0;
    while table.values().map(|row| row.outages).sum::<usize>() < count {
        let number = table.values().map(|row| row.outages).sum::<usize>();
        let outage = [
            Outage::EtcdKilled,
            Outage::ApiServerKilled,
            Outage::ApiServerStopped,
        ][number % 3];
        let objects = design(&format!("round-{number}-{missed}"));
        place.write("app.yaml", &objects);
        let wait = life.mul_f64(0.15) + life.mul_f64(0.006 * random.below(100) as f64);
        let (tell, told) = mpsc::channel();
        let (run, hit, returned): (Run, bool, Instant) = std::thread::scope(|scope| {
            let striker = scope.spawn(move || {
                let pid: u32 = told.recv().expect("a process");
                std::thread::sleep(wait);
                let hit = is_alive(pid);
                if hit {
                    outage.strike(server);
                }
                (hit, Instant::now())
            });
            let run = place.run_with(&server.kubeconfig, &arguments, |pid| {
                tell.send(pid).expect("a listener");
            });
            let (hit, returned) = striker.join().expect("no panic");
            (run, hit, returned)
        });
        if !hit {
            missed += 1;
            assert!(missed < 50 + count, "runs are over too early");
            continue;
        }
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
        let row = table.entry(outage).or_default();
        row.outages += 1;
        row.longest = row.longest.max(took);
        if alone {
            row.alone += 1;
        } else {
            row.again += 1;
        }
    }
    println!("outage            count  by itself  by the next run  longest after the return");
    for (outage, row) in table {
        let (name, longest) = (format!("{outage:?}"), row.longest);
        let (outages, alone, again) = (row.outages, row.alone, row.again);
        println!("{name:16}  {outages:5}  {alone:9}  {again:15}  {longest:.1?}");
    }
}
