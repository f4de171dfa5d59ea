//! What goes wrong around rows: databases and API servers that fail, and runs that are killed.

use std::time::{Duration, Instant};

use super::{FORMS, TABLE, Tenants, counts};
use crate::{
    seeded::{Seeded, full},
    support::{
        Place, Proxy, Run,
        databases::{Database, Engine, PASSWORD, Server},
        proxy::{Act, Fault, Seen, Verb},
    },
};

#[test]
fn a_database_that_is_stopped_or_broken_deletes_nothing() {
    for engine in [Engine::MariaDb, Engine::PostgreSql] {
        println!("{engine:?}");
        let server: &'static Server = Box::leak(Box::new(Server::own(engine)));
        let place = Place::new();
        let database = Database::on(server);
        database.execute(TABLE);
        let hub = database.hub("tenants", "", "plan: plan, seats: seats");
        place.sandbox.write("crm/hub.yaml", hub);
        place.sandbox.write("crm/forms.yaml", FORMS);
        let tenants = Tenants { place, database };
        tenants.insert(&[("acme", "free"), ("bolt", "big")]);
        tenants.run(&["apply"]).succeeds();
        let (all, before) = (tenants.maps(), tenants.writes());
        // A column that a form needs is gone.
        tenants
            .database
            .execute("ALTER TABLE tenants RENAME COLUMN plan TO price");
        tenants
            .run(&["apply", "--yes", "--max-delete", "100%"])
            .fails(5, "E0704");
        tenants
            .database
            .execute("ALTER TABLE tenants RENAME TO customers");
        tenants
            .run(&["apply", "--yes", "--max-delete", "100%"])
            .fails(5, "E0703");
        crate::support::server::signal(server.pid(), "KILL");
        let run = tenants.run(&["apply", "--yes", "--max-delete", "100%"]);
        assert!(run.code != Some(0) && run.stderr.contains("E07"), "{run}");
        assert!(!run.stderr.contains(PASSWORD), "{run}");
        let plan = tenants.run(&["plan"]);
        assert_eq!(plan.code, Some(8), "{plan}");
        assert_eq!((tenants.maps(), tenants.writes()), (all, before));
    }
}

/// A set behind a proxy in front of the API server.
struct Faulty {
    tenants: Tenants,
    proxy: Proxy,
}

impl Faulty {
    fn new(forms: &str) -> Self {
        let tenants = Tenants::new(Engine::Sqlite, forms);
        let proxy = Proxy::before(tenants.place.server);
        Self { tenants, proxy }
    }

    /// Runs a command through the proxy.
    fn run(&self, arguments: &[&str]) -> Run {
        let mut command = self.tenants.command(arguments);
        command.env("KUBECONFIG", &self.proxy.kubeconfig);
        let sandbox = &self.tenants.place.sandbox;
        sandbox.finish_known(&mut command, None, |pid| self.proxy.aim_at(pid))
    }
}

/// Whether a request writes or removes an object of a row.
fn is_of_row(seen: &Seen) -> bool {
    matches!(seen.verb, Verb::Apply | Verb::Delete)
        && matches!(seen.plural.as_str(), "configmaps" | "serviceaccounts")
}

#[test]
fn an_api_server_that_fails_is_asked_again_and_what_it_refuses_concerns_its_row_alone() {
    let set = Faulty::new(FORMS);
    set.tenants
        .insert(&[("acme", "free"), ("bolt", "big"), ("crux", "big")]);
    let mut number = 0;
    for act in [
        Act::Answer(429, Some(1)),
        Act::Answer(500, None),
        Act::Answer(503, None),
        Act::ResetBefore,
        Act::ResetAfter,
    ] {
        println!("{act:?}");
        number += 1;
        let change = format!("UPDATE tenants SET plan = 'p{number}'");
        set.tenants.database.execute(&change);
        let fault = Fault::new(act).on(is_of_row).times(2);
        set.proxy.misbehave(vec![fault]);
        set.run(&["apply", "--yes"]).succeeds();
        assert_eq!(set.proxy.struck().len(), 2);
        set.proxy.behave();
        set.tenants.run(&["plan"]).ends(0);
    }
    // Whoever loses a race is told so, and the others go on.
    set.tenants
        .database
        .execute("UPDATE tenants SET plan = 'p6'");
    let fault = Fault::new(Act::Answer(409, None)).on(is_of_row);
    set.proxy.misbehave(vec![fault]);
    let run = set.run(&["apply", "--yes", "-o", "json"]);
    assert_eq!(run.code, Some(9), "{run}");
    assert!(run.stderr.contains("E0514"), "{run}");
    assert_eq!(run.json()["summary"]["configured"], 2, "{run}");
    set.proxy.behave();
    set.run(&["apply", "--yes"]).succeeds();
    // One object is never taken.
    set.tenants
        .database
        .execute("UPDATE tenants SET plan = 'last'");
    let fault = Fault::new(Act::Answer(422, None))
        .on(|seen| is_of_row(seen) && seen.name == "bolt-settings");
    set.proxy.misbehave(vec![fault.times(1000)]);
    let run = set.run(&["apply", "--yes", "-o", "json"]);
    assert_eq!(run.code, Some(9), "{run}");
    assert!(
        run.stderr.contains("bolt-settings") && run.stderr.contains("E0521"),
        "{run}"
    );
    let plan = |name: &str| set.tenants.value("configmap", name, "/data/plan");
    assert_eq!(
        (plan("acme-settings"), plan("crux-settings")),
        ("last".into(), "last".into())
    );
    assert_eq!(plan("bolt-settings"), "p6");
    set.proxy.behave();
    set.run(&["apply", "--yes"]).succeeds();
    assert_eq!(plan("bolt-settings"), "last");
    // Away, and back.
    set.tenants
        .database
        .execute("UPDATE tenants SET active = '0' WHERE id = 'bolt'");
    set.proxy
        .misbehave(vec![Fault::new(Act::ResetBefore).times(100_000)]);
    let run = set.run(&["apply", "--yes", "--timeout", "5s"]);
    assert_eq!(run.code, Some(8), "{run}");
    assert_eq!(set.tenants.maps().len(), 3);
    set.proxy.behave();
    set.run(&["apply", "--yes"]).succeeds();
    assert_eq!(set.tenants.maps().len(), 2);
}

#[test]
fn a_quota_that_is_used_up_stops_what_is_over_it_and_says_so() {
    let tenants = Tenants::with_nodes(FORMS);
    tenants.insert(&[("acme", "free"), ("bolt", "big")]);
    tenants.run(&["apply"]).succeeds();
    // The server's own map counts, too.
    let quota = "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: few}\nspec: {hard: {configmaps: 3}}\n";
    tenants.place.change(&["apply", "-f", "-"], quota);
    let used = || tenants.value("resourcequota", "few", "/status/used/configmaps");
    let deadline = Instant::now() + Duration::from_secs(30);
    while used() != "3" {
        assert!(Instant::now() < deadline, "{:?}", used());
        std::thread::sleep(Duration::from_millis(100));
    }
    tenants.insert(&[("crux", "big")]);
    let run = tenants.run(&["apply"]);
    assert!(run.code != Some(0) && run.stderr.contains("quota"), "{run}");
    assert!(run.stderr.contains("few"), "{run}");
    assert_eq!(tenants.maps(), ["acme-settings", "bolt-settings"]);
}

#[test]
fn one_row_in_a_thousand_that_breaks_its_template_stops_no_other() {
    let form = FORMS.replace(
        "data: {plan: '{{ .plan }}'}",
        "data: {plan: '{{ if eq .plan \"none\" }}{{ fail \"no such plan\" }}{{ end }}{{ .plan }}'}",
    );
    let tenants = Tenants::new(Engine::Sqlite, &form);
    let rows: Vec<(String, String)> = (0..1000)
        .map(|number| {
            let plan = if number == 500 { "none" } else { "big" };
            (format!("row-{number:04}"), plan.to_owned())
        })
        .collect();
    let rows: Vec<(&str, &str)> = rows
        .iter()
        .map(|(id, plan)| (id.as_str(), plan.as_str()))
        .collect();
    tenants.insert(&rows);
    let run = tenants.run(&["apply", "--no-wait", "-o", "json"]);
    assert_eq!(run.code, Some(9), "{}", run.stderr);
    for part in ["row-0500", "settings", "no such plan", "forms.yaml"] {
        assert!(run.stderr.contains(part), "{part}: {}", run.stderr);
    }
    let result = run.json();
    assert_eq!(result["summary"]["created"], 1999);
    assert_eq!(result["problems"].as_array().map(Vec::len), Some(1));
    assert_eq!(tenants.maps().len(), 999);
    assert_eq!(tenants.place.names("serviceaccount").len(), 1000);
}

#[test]
fn cells_as_large_as_they_may_be_and_control_characters_concern_their_rows_alone() {
    for engine in Engine::ALL {
        println!("{engine:?}");
        let tenants = Tenants::new(engine, FORMS);
        tenants.database.execute("DROP TABLE tenants");
        let text = match engine {
            Engine::MariaDb => "LONGTEXT",
            _ => "TEXT",
        };
        tenants.database.execute(&format!(
            "CREATE TABLE tenants (id VARCHAR(60), active VARCHAR(10), plan {text}, seats INT)"
        ));
        let repeated = |size: usize| match engine {
            Engine::Sqlite => format!("replace(hex(zeroblob({}) ), '00', 'xx')", size / 2),
            _ => format!("repeat('x', {size})"),
        };
        let control = match engine {
            Engine::MariaDb => "concat('a', char(1), char(27), 'b')",
            Engine::PostgreSql => "'a' || chr(1) || chr(27) || 'b'",
            Engine::Sqlite => "'a' || char(1) || char(27) || 'b'",
        };
        let rows = [
            ("fine", "'free'".to_owned()),
            ("odd", control.to_owned()),
            // A row may have 1 MiB, as a map may.
            ("full", repeated((1 << 20) - 64)),
            ("over", repeated((1 << 20) + 2)),
        ];
        for (id, plan) in rows {
            tenants.database.execute(&format!(
                "INSERT INTO tenants VALUES ('{id}', '1', {plan}, 5)"
            ));
        }
        let run = tenants.run(&["apply"]);
        assert_eq!(run.code, Some(9), "{:.3000}", run.stderr);
        assert!(run.stderr.len() < 10_000, "{}", run.stderr.len());
        let expected = "row \"over\": column \"plan\" is larger than 1048576 bytes";
        assert!(run.stderr.contains(expected), "{:.3000}", run.stderr);
        assert_eq!(
            tenants.maps(),
            ["fine-settings", "full-settings", "odd-settings"]
        );
        assert_eq!(
            tenants.value("configmap", "odd-settings", "/data/plan"),
            "a\u{1}\u{1b}b"
        );
        assert!(!run.stderr.contains('\u{1b}'));
    }
}

#[test]
fn a_hundred_thousand_rows_are_read_and_those_that_count_are_applied() {
    let tenants = Tenants::new(Engine::Sqlite, FORMS);
    tenants.database.execute(
        "WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 100000) \
         INSERT INTO tenants SELECT printf('row-%06d', n), n % 1000 = 0, 'p', n FROM number",
    );
    let done = tenants
        .run(&["apply", "--no-wait", "-o", "json"])
        .succeeds();
    assert_eq!(counts(&done), [100_000, 100, 99_900, 0]);
    assert_eq!(done.json()["summary"]["created"], 200);
    let plan = tenants.run(&["plan", "-o", "json"]).succeeds();
    assert_eq!(plan.json()["summary"]["unchanged"], 200);
    if full() {
        tenants.database.execute("UPDATE tenants SET active = '1'");
        let plan = tenants.run(&["plan", "-o", "json"]).ends(1);
        assert_eq!(plan.json()["summary"]["created"], 199_800);
    }
}

#[test]
fn a_database_that_dies_while_it_answers_removes_nothing() {
    for engine in [Engine::MariaDb, Engine::PostgreSql] {
        println!("{engine:?}");
        let server: &'static Server = Box::leak(Box::new(Server::own(engine)));
        let place = Place::new();
        let database = Database::on(server);
        database.execute(TABLE);
        // Each row takes its time.
        let slow = match engine {
            Engine::MariaDb => "CREATE VIEW slow AS SELECT t.*, SLEEP(0.2) AS late FROM tenants t",
            _ => "CREATE VIEW slow AS SELECT t.*, pg_sleep(0.2)::text AS late FROM tenants t",
        };
        database.execute(slow);
        let hub = database.hub("slow", "", "plan: plan, late: late");
        place.sandbox.write("crm/hub.yaml", hub);
        place.sandbox.write("crm/forms.yaml", FORMS);
        let tenants = Tenants { place, database };
        let ids: Vec<String> = (0..20).map(|number| format!("row-{number}")).collect();
        let rows: Vec<(&str, &str)> = ids.iter().map(|id| (id.as_str(), "p")).collect();
        tenants.insert(&rows);
        tenants.run(&["apply"]).succeeds();
        let (all, before) = (tenants.maps(), tenants.writes());
        let arguments = ["apply", "--yes", "--max-delete", "100%"];
        let sandbox = &tenants.place.sandbox;
        let run = sandbox.finish_known(&mut tenants.command(&arguments), None, |_| {
            std::thread::sleep(Duration::from_secs(2));
            let pid = server.pid();
            if engine == Engine::PostgreSql {
                // A session is a process of its own, below the server's.
                let mut command = std::process::Command::new("pkill");
                let _ = command.args(["-KILL", "-P", &pid.to_string()]).status();
            }
            crate::support::server::signal(pid, "KILL");
        });
        assert_eq!(run.code, Some(8), "{run}");
        assert!(run.stderr.contains("E0700"), "{run}");
        assert_eq!((tenants.maps(), tenants.writes()), (all, before));
    }
}

#[test]
fn a_replica_that_went_back_in_time_removes_nothing_beyond_what_is_allowed() {
    let tenants = Tenants::new(Engine::PostgreSql, FORMS);
    let ids: Vec<String> = (0..10).map(|number| format!("row-{number}")).collect();
    let rows: Vec<(&str, &str)> = ids.iter().map(|id| (id.as_str(), "old")).collect();
    tenants.insert(&rows[..7]);
    tenants
        .database
        .execute("CREATE TABLE earlier AS SELECT * FROM tenants");
    tenants.insert(&rows[7..]);
    tenants.database.execute("UPDATE tenants SET plan = 'new'");
    tenants.run(&["apply"]).succeeds();
    let (all, before) = (tenants.maps(), tenants.writes());
    tenants
        .database
        .execute("ALTER TABLE tenants RENAME TO later; ALTER TABLE earlier RENAME TO tenants");
    let run = tenants.run(&["apply", "--yes"]).fails(12, "E0712");
    assert!(run.stderr.contains("3 of 10 rows"), "{run}");
    // It isn't half done: what the replica says of the others may be old as well.
    assert_eq!((tenants.maps(), tenants.writes()), (all, before));
}

#[test]
fn a_run_that_is_killed_at_any_request_is_finished_by_the_next() {
    let set = Faulty::new(FORMS);
    let tenants = &set.tenants;
    let ids: Vec<String> = (0..30).map(|number| format!("row-{number:02}")).collect();
    let rows: Vec<(&str, &str)> = ids.iter().map(|id| (id.as_str(), "p0")).collect();
    tenants.insert(&rows);
    tenants.run(&["apply", "--no-wait"]).succeeds();
    let mut random = Seeded::new(Seeded::seed());
    let kills = if full() { 200 } else { 10 };
    let mut late = 0;
    for number in 1..=kills {
        // Two rows go, those of the time before come back, and some of the others change.
        let gone = [number % 30, (number + 7) % 30].map(|at| format!("'{}'", ids[at]));
        tenants.database.execute(&format!(
            "UPDATE tenants SET active = '1'; UPDATE tenants SET active = '0' WHERE id IN ({}); \
             UPDATE tenants SET plan = 'p{number}' WHERE seats = 5 AND id < 'row-2'",
            gone.join(", ")
        ));
        let act = [Act::KillBefore, Act::KillAfter][random.below(2)].clone();
        let fault = Fault::new(act).after(random.below(60));
        set.proxy.misbehave(vec![fault]);
        let killed = set.run(&["apply", "--yes", "--no-wait"]);
        let struck = !set.proxy.struck().is_empty();
        set.proxy.behave();
        late += usize::from(!struck);
        if struck {
            assert_eq!(killed.code, None, "{killed}");
            // Who knows that the holder is dead need not wait.
            let leases = ["delete", "lease", "--all", "--ignore-not-found"];
            tenants.place.change(&leases, "");
        }
        let again = tenants.run(&["apply", "--yes", "--no-wait"]);
        assert_eq!(again.code, Some(0), "kill {number}: {again}");
        let left = tenants.maps();
        assert_eq!(left.len(), 28, "kill {number}: {left:?}");
        for id in &gone {
            let name = format!("{}-settings", id.trim_matches('\''));
            assert!(!left.contains(&name), "kill {number}: {name}");
        }
        let plan = tenants.run(&["plan"]);
        assert_eq!(plan.code, Some(0), "kill {number}: {plan}");
    }
    println!("{kills} kills, {late} of them too late");
    assert!(
        late * 2 < kills,
        "most runs ended before their request came"
    );
}
