//! The Grafana dashboard: the operator's seventeen panels, and a row about datasources and passes.
//!
//! One variable chooses the Prometheus to ask. What is marked as too much follows the default thresholds of the
//! alerts.

use serde_json::{Value, json};

use super::alerts::Thresholds;
use super::panel::{BLUE, GREEN, Grid, ORANGE, Panel, RED, Steps};
use super::query::{buckets, max_by, observations, quantile, rate, series, sum, sum_by};
use super::{
    APPLY_ATTEMPTS, CONFLICTS, ConditionStatus, DATASOURCE_ERRORS, DATASOURCE_UP, DELETION_BLOCKED,
    DRIFT, HUB, HUB_DESIRED, HUB_FAILED, HUB_READY, LAST_SUCCESS, Metric, NODE, NODE_CONDITION,
    NODE_DEGRADED, ORPHANS, Outcome, PASSES, QUERY_DURATION, QUEUE_DEPTH, READY,
    RECONCILE_DURATION, RESOURCES_CONFLICTED, RESOURCES_DESIRED, RESOURCES_FAILED, RESOURCES_READY,
    ROWS, RowState,
};

/// What names the dashboard in Grafana.
pub const UID: &str = "weftctl-tenant";

/// The path of the dashboard on its Grafana.
pub const PATH: &str = "/d/weftctl-tenant";

/// Over how long rates are taken: Grafana puts a window here that fits the zoom and the scrape interval.
const WINDOW: &str = "$__rate_interval";

/// The legend of series by node.
const BY_NODE: &str = "{{namespace}}/{{lynqnode}}";

/// The legend of series by hub.
const BY_HUB: &str = "{{namespace}}/{{hub}}";

/// The colours of results.
const OUTCOMES: [(&str, &str); 4] = [
    (Outcome::Success.as_str(), GREEN),
    (Outcome::PartialFailure.as_str(), ORANGE),
    (Outcome::Error.as_str(), RED),
    (Outcome::StatusOnly.as_str(), BLUE),
];

/// The colours of what became of rows.
const ROW_STATES: [(&str, &str); 4] = [
    (RowState::Read.as_str(), BLUE),
    (RowState::Active.as_str(), GREEN),
    (RowState::Inactive.as_str(), ORANGE),
    (RowState::Invalid.as_str(), RED),
];

/// Returns the dashboard.
pub fn dashboard() -> Value {
    let thresholds = Thresholds::default();
    let mut grid = Grid::default();
    numbers(&mut grid);
    reconciliation(&mut grid, &thresholds);
    objects(&mut grid, &thresholds);
    tables_by_node(&mut grid);
    table_by_hub(&mut grid);
    grid.heading("Datasources and passes");
    states(&mut grid, &thresholds);
    source(&mut grid);
    json!({
        "uid": UID,
        "title": "weftctl tenant",
        "description": "Rows of a database that become Kubernetes objects: nodes, objects, datasources, passes.",
        "tags": ["weftctl", "kubernetes"],
        "schemaVersion": 39,
        "editable": true,
        "graphTooltip": 1,
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "refresh": "30s",
        "templating": {"list": [{
            "name": "datasource",
            "label": "Data source",
            "type": "datasource",
            "query": "prometheus",
            "regex": "",
            "refresh": 1,
            "hide": 0,
            "includeAll": false,
            "multi": false,
            "options": [],
            "current": {},
        }]},
        "annotations": {"list": []},
        "links": [],
        "panels": grid.into_panels(),
    })
}

/// How many nodes there are, and how they are.
fn numbers(grid: &mut Grid) {
    let nothing_marked = || Steps::new(GREEN, &[]);
    let one_is_too_much = |colour| Steps::new(GREEN, &[(1.0, colour)]);
    grid.add(
        6,
        4,
        Panel::stat(
            "Desired nodes",
            "Active rows times forms, of all hubs.",
            "none",
            Steps::new(BLUE, &[]),
            total(&HUB_DESIRED),
        ),
    );
    grid.add(
        6,
        4,
        Panel::stat(
            "Ready nodes",
            "Nodes all of whose objects are ready.",
            "none",
            nothing_marked(),
            total(&HUB_READY),
        ),
    );
    grid.add(
        6,
        4,
        Panel::stat(
            "Failed nodes",
            "Nodes with an object that failed.",
            "none",
            one_is_too_much(RED),
            total(&HUB_FAILED),
        ),
    );
    grid.add(
        6,
        4,
        Panel::stat(
            "Conflicted objects",
            "Objects that were not written because somebody else owns them.",
            "none",
            one_is_too_much(ORANGE),
            total(&RESOURCES_CONFLICTED),
        ),
    );
}

/// How often nodes are reconciled, and with which result.
fn reconciliation(grid: &mut Grid, thresholds: &Thresholds) {
    let error = [("result", Outcome::Error.as_str())];
    let all = rate(&observations(&RECONCILE_DURATION, &[]), WINDOW);
    let failed = rate(&observations(&RECONCILE_DURATION, &error), WINDOW);
    let limit = thresholds.error_ratio;
    grid.add(
        4,
        8,
        Panel::gauge(
            "Error rate",
            "The share of the reconciliations that fail.",
            Steps::new(GREEN, &[(limit / 2.0, ORANGE), (limit, RED)]),
            // No series of errors means that there were none; without any reconciliation there is no share.
            format!("({} or vector(0)) / ({} > 0)", sum(&failed), sum(&all)),
        ),
    );
    grid.add(
        10,
        8,
        Panel::lines(
            "Reconcile duration",
            "How long the reconciliation of one node takes.",
            "s",
            Steps::new(GREEN, &[(thresholds.slow_seconds, RED)]),
            quantiles(&RECONCILE_DURATION),
        ),
    );
    let by_result = Panel::lines(
        "Reconcile rate",
        "Reconciliations of nodes, by their result.",
        "ops",
        Steps::new(GREEN, &[]),
        vec![(sum_by(&["result"], &all), "{{result}}")],
    );
    grid.add(10, 8, by_result.coloured(&OUTCOMES));
}

/// How objects are over time, and what is done to them.
fn objects(grid: &mut Grid, thresholds: &Thresholds) {
    let ready_and_failed = Panel::lines(
        "Objects",
        "Objects of all nodes that are ready, and that failed.",
        "none",
        Steps::new(GREEN, &[]),
        vec![
            (total(&RESOURCES_READY), "ready"),
            (total(&RESOURCES_FAILED), "failed"),
        ],
    );
    grid.add(
        8,
        8,
        ready_and_failed.coloured(&[("ready", GREEN), ("failed", RED)]),
    );
    let conflicted = Panel::lines(
        "Conflicted objects over time",
        "Objects that were not written because somebody else owns them.",
        "none",
        Steps::new(GREEN, &[(1.0, ORANGE)]),
        vec![(total(&RESOURCES_CONFLICTED), "conflicted")],
    );
    grid.add(8, 8, conflicted.coloured(&[("conflicted", ORANGE)]));
    grid.add(
        8,
        8,
        Panel::lines(
            "Conflict rate by node",
            "Conflicts with other owners; nodes that meet none are not shown.",
            "cps",
            Steps::new(GREEN, &[(thresholds.conflict_rate, RED)]),
            vec![(format!("{} > 0", rate_by(NODE, &CONFLICTS)), BY_NODE)],
        ),
    );
    grid.add(
        12,
        8,
        Panel::lines(
            "Apply rate by kind",
            "Attempts to apply an object, those that found nothing to write among them.",
            "ops",
            Steps::new(GREEN, &[]),
            vec![(rate_by(&["kind"], &APPLY_ATTEMPTS), "{{kind}}")],
        ),
    );
    grid.add(
        12,
        8,
        Panel::lines(
            "Work queue depth",
            "Nodes that wait to be reconciled, by hub.",
            "none",
            Steps::new(GREEN, &[]),
            vec![(sum_by(HUB, &series(&QUEUE_DEPTH, &[])), BY_HUB)],
        ),
    );
}

/// The four tables of nodes.
fn tables_by_node(grid: &mut Grid) {
    let by_node = |metric| max_by(NODE, &series(metric, &[]));
    let one_is_too_much = |colour| Steps::new(GREEN, &[(1.0, colour)]);
    let ready = series(&NODE_CONDITION, &[("type", READY)]);
    let is_ready = Panel::table(
        "Ready condition by node",
        "Whether each node is ready.",
        NODE,
        vec![(max_by(NODE, &ready), "Ready")],
    );
    let words = [
        (ConditionStatus::False.value(), "no", RED),
        (ConditionStatus::True.value(), "yes", GREEN),
        (ConditionStatus::Unknown.value(), "unknown", ORANGE),
    ];
    grid.add(8, 9, is_ready.mapped("Ready", &words).ascending());
    let reasons = max_by(NODE_DEGRADED.labels, &series(&NODE_DEGRADED, &[]));
    let degraded = Panel::table(
        "Degraded nodes by reason",
        "Nodes that are degraded, and why.",
        NODE_DEGRADED.labels,
        vec![(format!("{reasons} > 0"), "Degraded")],
    );
    grid.add(8, 9, degraded.mapped("Degraded", &[(1, "yes", RED)]));
    let conflicted = Panel::table(
        "Conflicted objects by node",
        "Nodes with objects that somebody else owns.",
        NODE,
        vec![(
            format!("{} > 0", by_node(&RESOURCES_CONFLICTED)),
            "Conflicted",
        )],
    );
    grid.add(
        8,
        9,
        conflicted.highlighted("Conflicted", "none", one_is_too_much(ORANGE)),
    );
    let counts = Panel::table(
        "Objects by node",
        "How many objects each node shall have, and how they are.",
        NODE,
        vec![
            (by_node(&RESOURCES_DESIRED), "Desired"),
            (by_node(&RESOURCES_READY), "Ready"),
            (by_node(&RESOURCES_CONFLICTED), "Conflicted"),
            (by_node(&RESOURCES_FAILED), "Failed"),
        ],
    );
    let counts = counts
        .highlighted("Conflicted", "none", one_is_too_much(ORANGE))
        .highlighted("Failed", "none", one_is_too_much(RED));
    grid.add(12, 9, counts);
}

/// The table of hubs.
fn table_by_hub(grid: &mut Grid) {
    let by_hub = |metric| max_by(HUB, &series(metric, &[]));
    let (desired, ready) = (by_hub(&HUB_DESIRED), by_hub(&HUB_READY));
    let health = format!("{ready} / ({desired} > 0)");
    let hubs = Panel::table(
        "Hub health",
        "How many nodes each hub shall have, the share of them that is ready, and how many failed.",
        HUB,
        vec![
            (desired, "Desired"),
            (ready, "Ready"),
            (health, "Health"),
            (by_hub(&HUB_FAILED), "Failed"),
        ],
    );
    let hubs = hubs
        .highlighted(
            "Health",
            "percentunit",
            Steps::new(RED, &[(0.5, ORANGE), (1.0, GREEN)]),
        )
        .highlighted("Failed", "none", Steps::new(GREEN, &[(1.0, RED)]));
    grid.add(12, 9, hubs);
}

/// What somebody has to look at who is called because of a datasource or a pass.
fn states(grid: &mut Grid, thresholds: &Thresholds) {
    let last = max_by(HUB, &series(&LAST_SUCCESS, &[]));
    grid.add(
        8,
        4,
        Panel::stat(
            "Datasources down",
            "Hubs whose rows could not be read the last time.",
            "none",
            Steps::new(GREEN, &[(1.0, RED)]),
            sum(&format!("{} == bool 0", series(&DATASOURCE_UP, &[]))),
        ),
    );
    grid.add(
        8,
        4,
        Panel::stat(
            "Deletions blocked",
            "Hubs that lost so many rows that nothing is deleted.",
            "none",
            Steps::new(GREEN, &[(1.0, RED)]),
            total(&DELETION_BLOCKED),
        ),
    );
    grid.add(
        8,
        4,
        Panel::stat(
            "Since the last successful pass",
            "Of the hub that has waited longest.",
            "s",
            Steps::new(GREEN, &[(thresholds.silent_seconds, RED)]),
            format!("time() - min({last})"),
        ),
    );
}

/// What is read and done over time.
fn source(grid: &mut Grid) {
    let plain = || Steps::new(GREEN, &[]);
    grid.add(
        8,
        8,
        Panel::lines(
            "Datasource query duration",
            "How long a successful read of a hub's rows takes.",
            "s",
            plain(),
            quantiles(&QUERY_DURATION),
        ),
    );
    let rows = Panel::lines(
        "Rows",
        "Rows of the last successful read, of all hubs, by their state.",
        "none",
        plain(),
        vec![(sum_by(&["state"], &series(&ROWS, &[])), "{{state}}")],
    );
    grid.add(8, 8, rows.coloured(&ROW_STATES));
    grid.add(
        8,
        8,
        Panel::lines(
            "Datasource errors",
            "Reads of a hub's rows that failed or broke off.",
            "cps",
            plain(),
            vec![(rate_by(HUB, &DATASOURCE_ERRORS), BY_HUB)],
        ),
    );
    let passes = Panel::lines(
        "Passes",
        "Passes over hubs, by their result.",
        "ops",
        plain(),
        vec![(rate_by(&["result"], &PASSES), "{{result}}")],
    );
    grid.add(8, 8, passes.coloured(&OUTCOMES));
    grid.add(
        8,
        8,
        Panel::lines(
            "Drift repaired",
            "Objects that somebody had changed or deleted, and that were repaired, by kind.",
            "cps",
            plain(),
            vec![(rate_by(&["kind"], &DRIFT), "{{kind}}")],
        ),
    );
    grid.add(
        8,
        8,
        Panel::lines(
            "Orphans",
            "Objects that no row wants any more: deleted, or left behind with orphan marks.",
            "cps",
            plain(),
            vec![(rate_by(HUB, &ORPHANS), BY_HUB)],
        ),
    );
}

fn total(metric: &Metric) -> String {
    sum(&series(metric, &[]))
}

fn rate_by(labels: &[&str], metric: &Metric) -> String {
    sum_by(labels, &rate(&series(metric, &[]), WINDOW))
}

/// The middle and the slow end of a histogram, with their legends.
fn quantiles(metric: &Metric) -> Vec<(String, &'static str)> {
    [(0.5, "p50"), (0.95, "p95"), (0.99, "p99")]
        .into_iter()
        .map(|(share, legend)| (quantile(share, &buckets(metric, &[]), WINDOW), legend))
        .collect()
}
