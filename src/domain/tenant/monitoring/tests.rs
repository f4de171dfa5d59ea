use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::alerts::{
    BadThreshold, NAME, Options, Rule, Thresholds, alerts, prometheus_rule, rules_file,
};
use super::dashboard::{PATH, UID, dashboard};
use super::{
    ConditionStatus, HUB_DESIRED, Kind, METRICS, Metric, Outcome, RECONCILE_DURATION, RolloutPhase,
    RowState, query,
};

/// What an expression of ours is made of, beside metrics and labels.
const FUNCTIONS: [&str; 10] = [
    "absent",
    "histogram_quantile",
    "increase",
    "max",
    "min",
    "rate",
    "sum",
    "time",
    "topk",
    "vector",
];
const OPERATORS: [&str; 7] = ["and", "bool", "by", "offset", "or", "unless", "without"];

/// The labels that Prometheus adds to what it scrapes; a query may leave them out.
const OF_TARGETS: [&str; 2] = ["instance", "pod"];

/// Sets one threshold.
type Change = fn(&mut Thresholds, f64);

/// What an expression uses.
#[derive(Debug, Default)]
struct Uses {
    /// Metrics, each with the labels that are matched, and their values.
    metrics: Vec<(String, Vec<(String, String)>)>,
    /// Labels by which is grouped.
    by: BTreeSet<String>,
    /// Labels that are left out.
    without: BTreeSet<String>,
    /// Whether something is grouped by nothing, so that no labels remain.
    has_total: bool,
}

fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '.' | '$');
        let length = if is_name(first) {
            rest.find(|c| !is_name(c)).unwrap_or(rest.len())
        } else if first == '"' {
            rest[1..].find('"').expect("a closed string") + 2
        } else {
            first.len_utf8()
        };
        if !first.is_whitespace() {
            words.push(rest[..length].to_owned());
        }
        rest = &rest[length..];
    }
    words
}

/// Reads as much of a query as our own have, and fails at what they do not.
fn uses(expression: &str) -> Uses {
    let words = words(expression);
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    let close = |at: usize, end: &str| {
        (at..words.len())
            .find(|at| word(*at) == end)
            .expect("a closed bracket")
    };
    let mut uses = Uses::default();
    let mut depth = 0_i32;
    let mut at = 0;
    while at < words.len() {
        let this = word(at);
        match this {
            "by" | "without" => {
                let end = close(at, ")");
                let labels = words[at + 2..end].iter().filter(|word| *word != ",");
                let set = if this == "by" {
                    &mut uses.by
                } else {
                    &mut uses.without
                };
                set.extend(labels.cloned());
                at = end;
            }
            "sum" | "max" | "min" => {
                uses.has_total |= !matches!(word(at + 1), "by" | "without");
            }
            "[" => {
                let end = close(at, "]");
                let window = words[at + 1..end].concat();
                assert!(
                    window == "$__rate_interval" || is_duration(&window),
                    "{window} in {expression}"
                );
                at = end;
            }
            "(" => depth += 1,
            ")" => depth -= 1,
            _ if FUNCTIONS.contains(&this) => {
                let next = word(at + 1);
                assert!(matches!(next, "(" | "by" | "without"), "{this} {next}");
            }
            _ if OPERATORS.contains(&this) || is_duration(this) => {}
            _ if this.parse::<f64>().is_ok() => {}
            _ if this.starts_with(|c: char| c.is_ascii_alphabetic()) => {
                let mut matchers = Vec::new();
                if word(at + 1) == "{" {
                    let end = close(at, "}");
                    for matcher in words[at + 2..end].split(|word| word == ",") {
                        let [label, equals, value] = matcher else {
                            panic!("{matcher:?} in {expression}");
                        };
                        assert_eq!(equals, "=", "{expression}");
                        matchers.push((label.clone(), value.trim_matches('"').to_owned()));
                    }
                    at = end;
                }
                uses.metrics.push((this.to_owned(), matchers));
            }
            "=" | "!" | "<" | ">" | "+" | "-" | "*" | "/" | "," => {}
            _ => panic!("{this:?} in {expression}"),
        }
        assert!(depth >= 0, "{expression}");
        at += 1;
    }
    assert_eq!(depth, 0, "{expression}");
    uses
}

fn is_duration(text: &str) -> bool {
    text.strip_suffix(['s', 'm', 'h'])
        .is_some_and(|number| number.parse::<u32>().is_ok())
}

/// Finds the metric of a series, which of a histogram has an ending.
fn metric_of(series: &str) -> Option<(&'static Metric, &'static str)> {
    METRICS.iter().find_map(|metric| {
        let endings: &[&str] = match metric.kind {
            Kind::Histogram => &["_bucket", "_count", "_sum"],
            Kind::Counter | Kind::Gauge => &[""],
        };
        let ending = endings
            .iter()
            .find(|ending| series == format!("{}{ending}", metric.name))?;
        Some((*metric, *ending))
    })
}

/// The values that a label can have, where these are ours to say.
fn values(metric: &Metric, label: &str) -> Option<Vec<&'static str>> {
    let outcomes = |all: &[Outcome]| Some(all.iter().map(|outcome| outcome.as_str()).collect());
    match (metric.name, label) {
        ("lynqnode_reconcile_duration_seconds", "result") => outcomes(&[
            Outcome::Success,
            Outcome::PartialFailure,
            Outcome::Error,
            Outcome::StatusOnly,
        ]),
        ("apply_attempts_total", "result") => outcomes(&[Outcome::Success, Outcome::Error]),
        ("lynqnode_condition_status", "type") => {
            Some(vec!["Ready", "Progressing", "Conflicted", "Degraded"])
        }
        _ => None,
    }
}

/// Checks that an expression uses metrics and labels as they are defined, and returns the labels that its
/// result has.
fn checked(place: &str, expression: &str) -> BTreeSet<String> {
    let uses = uses(expression);
    assert!(!uses.metrics.is_empty(), "{place}: {expression}");
    let mut all = BTreeSet::new();
    for (series, matchers) in &uses.metrics {
        let (metric, ending) =
            metric_of(series).unwrap_or_else(|| panic!("{place}: no metric {series}"));
        for (label, value) in matchers {
            let (label, value) = (label.as_str(), value.as_str());
            assert!(metric.labels.contains(&label), "{place}: {series} {label}");
            if let Some(values) = values(metric, label) {
                assert!(values.contains(&value), "{place}: {label}={value}");
            }
        }
        let mut labels: BTreeSet<String> =
            metric.labels.iter().copied().map(str::to_owned).collect();
        if ending == "_bucket" {
            labels.insert("le".to_owned());
        }
        for label in &uses.by {
            assert!(labels.contains(label), "{place}: {series} by {label}");
        }
        let is_counted = metric.kind == Kind::Counter || !ending.is_empty();
        let is_windowed = expression.contains(&format!("{series}["))
            || expression.contains(&format!("{series}{{"));
        assert!(
            !is_counted || is_windowed,
            "{place}: {series} is used as it is, and only its change means something"
        );
        all.extend(labels);
    }
    for label in &uses.without {
        assert!(OF_TARGETS.contains(&label.as_str()), "{place}: {label}");
    }
    if uses.has_total {
        BTreeSet::new()
    } else if uses.by.is_empty() {
        all
    } else {
        &uses.by - &BTreeSet::from(["le".to_owned()])
    }
}

/// The names in `{{ … }}` after a beginning.
fn templated<'a>(text: &'a str, beginning: &str) -> BTreeSet<&'a str> {
    text.split(beginning)
        .skip(1)
        .map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            &rest[..end.unwrap_or(rest.len())]
        })
        .collect()
}

fn is_within(names: &BTreeSet<&str>, labels: &BTreeSet<String>) -> bool {
    names.iter().all(|name| labels.contains(*name))
}

#[test]
fn the_metrics_of_the_operator_are_as_it_has_them() {
    let node = &["lynqnode", "namespace"][..];
    let hub = &["hub", "namespace"][..];
    let form = &["form", "namespace"][..];
    let frozen = [
        (
            "lynqnode_reconcile_duration_seconds",
            Kind::Histogram,
            &["result"][..],
        ),
        ("lynqnode_resources_ready", Kind::Gauge, node),
        ("lynqnode_resources_desired", Kind::Gauge, node),
        ("lynqnode_resources_failed", Kind::Gauge, node),
        ("lynqnode_resources_conflicted", Kind::Gauge, node),
        (
            "lynqnode_condition_status",
            Kind::Gauge,
            &["lynqnode", "namespace", "type"],
        ),
        (
            "lynqnode_degraded_status",
            Kind::Gauge,
            &["lynqnode", "namespace", "reason"],
        ),
        (
            "lynqnode_conflicts_total",
            Kind::Counter,
            &["lynqnode", "namespace", "resource_kind", "conflict_policy"],
        ),
        ("hub_desired", Kind::Gauge, hub),
        ("hub_ready", Kind::Gauge, hub),
        ("hub_failed", Kind::Gauge, hub),
        (
            "apply_attempts_total",
            Kind::Counter,
            &["kind", "result", "conflict_policy"],
        ),
        ("lynqform_rollout_updating_nodes", Kind::Gauge, form),
        ("lynqform_rollout_phase", Kind::Gauge, form),
        ("lynqform_rollout_progress", Kind::Gauge, form),
    ];
    for (index, (name, kind, labels)) in frozen.into_iter().enumerate() {
        let metric = METRICS[index];
        assert_eq!(
            (metric.name, metric.kind, metric.labels),
            (name, kind, labels)
        );
    }
    assert_eq!(
        RECONCILE_DURATION.buckets,
        [0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0]
    );
    for metric in &METRICS[frozen.len()..] {
        assert!(
            metric.name.starts_with("weftctl_tenant_"),
            "{}",
            metric.name
        );
    }
    let numbers = [
        ConditionStatus::False.value(),
        ConditionStatus::True.value(),
        ConditionStatus::Unknown.value(),
    ];
    assert_eq!(numbers, [0, 1, 2]);
    let numbers = [
        RolloutPhase::Idle.value(),
        RolloutPhase::InProgress.value(),
        RolloutPhase::Failed.value(),
        RolloutPhase::Complete.value(),
    ];
    assert_eq!(numbers, [0, 1, 2, 3]);
}

#[test]
fn each_metric_is_defined_once_and_as_prometheus_wants_it() {
    let mut names = BTreeSet::new();
    for metric in METRICS {
        let name = metric.name;
        let endings: &[&str] = match metric.kind {
            Kind::Histogram => &["_bucket", "_count", "_sum"],
            Kind::Counter | Kind::Gauge => &[""],
        };
        for ending in endings {
            assert!(
                names.insert(format!("{name}{ending}")),
                "{name} is there twice"
            );
        }
        let is_plain = |c: char| c.is_ascii_lowercase() || c == '_';
        assert!(name.chars().all(is_plain), "{name}");
        assert_eq!(
            name.ends_with("_total"),
            metric.kind == Kind::Counter,
            "{name}"
        );
        assert!(
            metric.help.ends_with('.') && metric.help.len() > 20,
            "{name}"
        );
        assert!(!metric.labels.is_empty(), "{name}");
        let labels: BTreeSet<&str> = metric.labels.iter().copied().collect();
        assert_eq!(labels.len(), metric.labels.len(), "{name}");
        assert!(
            labels
                .iter()
                .all(|label| *label != "le" && label.chars().all(is_plain)),
            "{name}"
        );
        assert_eq!(
            metric.buckets.is_empty(),
            metric.kind != Kind::Histogram,
            "{name}"
        );
        assert!(metric.buckets.is_sorted_by(|a, b| a < b), "{name}");
        assert!(
            metric.buckets.iter().all(|bound| bound.is_finite()),
            "{name}"
        );
    }
    let states: BTreeSet<&str> = [
        RowState::Read,
        RowState::Active,
        RowState::Inactive,
        RowState::Invalid,
    ]
    .into_iter()
    .map(RowState::as_str)
    .collect();
    assert_eq!(
        states,
        BTreeSet::from(["active", "inactive", "invalid", "read"])
    );
}

#[test]
fn the_reader_of_queries_finds_what_is_wrong_with_them() {
    for (wrong, why) in [
        ("hub_desire > 0", "a metric that is not there"),
        (
            "sum by (lynqnode) (hub_desired)",
            "a label of another metric",
        ),
        ("hub_desired{lynqnode=\"a\"}", "a label of another metric"),
        (
            "sum(lynqnode_reconcile_duration_seconds)",
            "a histogram without an ending",
        ),
        (
            "sum by (kind) (apply_attempts_total)",
            "a counter without a window",
        ),
        (
            "sum(rate(apply_attempts_total{result=\"failed\"}[5m]))",
            "a value that is never written",
        ),
        ("sum(rate(apply_attempts_total[5m])", "an open bracket"),
        ("rate(apply_attempts_total[five])", "a window that is none"),
        (
            "max without (hub) (hub_desired)",
            "a label left out that means something",
        ),
        ("1 > 0", "no metric at all"),
    ] {
        let checked = std::panic::catch_unwind(|| checked("test", wrong));
        assert!(checked.is_err(), "{why}: {wrong}");
    }
    assert_eq!(
        checked("test", "max by (hub) (hub_desired)"),
        BTreeSet::from(["hub".to_owned()])
    );
    assert!(checked("test", "sum(hub_desired)").is_empty());
    assert_eq!(checked("test", &query::series(&HUB_DESIRED, &[])).len(), 2);
}

#[test]
fn each_rule_asks_for_what_is_measured_and_says_what_is_there() {
    let runbooks = Some("https://runbooks.example/tenant");
    let rules = alerts(&Options {
        runbooks,
        ..Options::default()
    });
    let mut names = BTreeSet::new();
    for rule in &rules {
        let name = rule.name;
        assert!(names.insert(name), "{name} is there twice");
        let labels = checked(name, &rule.expression);
        for text in [rule.summary, rule.description] {
            assert!(text.len() > 20, "{name}");
            assert!(!text.contains("  "), "{name}: {text}");
            assert_eq!(
                text.matches("{{").count(),
                text.matches("}}").count(),
                "{name}"
            );
            let mentioned = templated(text, "$labels.");
            assert!(
                is_within(&mentioned, &labels),
                "{name}: {mentioned:?} of {labels:?}"
            );
        }
        assert!(is_duration(rule.hold), "{name}");
        assert!(!rule.component.is_empty(), "{name}");
        assert_eq!(
            rule.runbook.as_deref(),
            Some(&*format!(
                "https://runbooks.example/tenant/{}",
                name.to_ascii_lowercase()
            ))
        );
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of rules")]
fn the_rules_are_those_of_the_operator_and_three_more() {
    let wanted = [
        (
            "LynqNodeDegraded",
            "critical",
            "5m",
            "lynqnode_degraded_status > 0",
        ),
        (
            "LynqNodeResourcesFailed",
            "critical",
            "5m",
            "lynqnode_resources_failed > 0",
        ),
        (
            "LynqNodeNotReady",
            "critical",
            "15m",
            "lynqnode_condition_status{type=\"Ready\"} == 0",
        ),
        (
            "LynqNodeStatusUnknown",
            "critical",
            "10m",
            "lynqnode_condition_status{type=\"Ready\"} == 2",
        ),
        (
            "HubManyNodesFailure",
            "critical",
            "5m",
            "hub_failed > 5 or hub_failed > 0.5 * hub_desired",
        ),
        (
            "DatasourceDown",
            "critical",
            "5m",
            "weftctl_tenant_datasource_up == 0",
        ),
        (
            "DeletionBlocked",
            "critical",
            "5m",
            "weftctl_tenant_deletion_blocked > 0",
        ),
        (
            "NoRecentPass",
            "critical",
            "5m",
            "time() - max without (instance, pod) (weftctl_tenant_last_success_timestamp_seconds) > 600 or \
             absent(weftctl_tenant_last_success_timestamp_seconds)",
        ),
        (
            "LynqNodeResourcesMismatch",
            "warning",
            "15m",
            "lynqnode_resources_ready != lynqnode_resources_desired unless lynqnode_resources_failed > 0",
        ),
        (
            "LynqNodeResourcesConflicted",
            "warning",
            "10m",
            "lynqnode_resources_conflicted > 0",
        ),
        (
            "LynqNodeHighConflictRate",
            "warning",
            "10m",
            "rate(lynqnode_conflicts_total[5m]) > 0.1",
        ),
        (
            "HubNodesFailure",
            "warning",
            "10m",
            "hub_failed > 0 and hub_failed <= 5",
        ),
        (
            "HubDesiredCountMismatch",
            "warning",
            "20m",
            "hub_ready != hub_desired unless hub_failed > 0",
        ),
        (
            "LynqNodeReconciliationErrors",
            "warning",
            "10m",
            "sum(rate(lynqnode_reconcile_duration_seconds_count{result=\"error\"}[5m])) / \
             sum(rate(lynqnode_reconcile_duration_seconds_count[5m])) > 0.1",
        ),
        (
            "LynqNodeReconciliationSlow",
            "warning",
            "15m",
            "histogram_quantile(0.95, sum by (le) \
             (rate(lynqnode_reconcile_duration_seconds_bucket{result=\"success\"}[5m]))) > 30",
        ),
        (
            "HighApplyFailureRate",
            "warning",
            "10m",
            "sum by (kind) (rate(apply_attempts_total{result=\"error\"}[5m])) / \
             sum by (kind) (rate(apply_attempts_total[5m])) > 0.2",
        ),
        (
            "LynqNodeNewConflictsDetected",
            "info",
            "2m",
            "increase(lynqnode_conflicts_total[5m]) > 0 or \
             (lynqnode_conflicts_total > 0 unless lynqnode_conflicts_total offset 5m)",
        ),
    ];
    let rules = alerts(&Options::default());
    let got: Vec<_> = rules
        .iter()
        .map(|rule| {
            (
                rule.name,
                rule.severity.as_str(),
                rule.hold,
                &*rule.expression,
            )
        })
        .collect();
    assert_eq!(got, wanted);
}

#[test]
fn the_rules_file_has_a_group_for_each_severity() {
    let file = rules_file(&Options::default());
    let groups = file["groups"].as_array().expect("groups");
    let about: Vec<_> = groups
        .iter()
        .map(|group| {
            let rules = group["rules"].as_array().map_or(0, Vec::len);
            (group["name"].as_str(), group["interval"].as_str(), rules)
        })
        .collect();
    assert_eq!(
        about,
        [
            (Some("weftctl-tenant-critical"), Some("30s"), 8),
            (Some("weftctl-tenant-warning"), Some("30s"), 8),
            (Some("weftctl-tenant-info"), Some("1m"), 1),
        ]
    );
    let rule = &groups[0]["rules"][6];
    let description = rule["annotations"]["description"].as_str().expect("a text");
    assert_eq!(
        rule,
        &json!({
            "alert": "DeletionBlocked",
            "expr": "weftctl_tenant_deletion_blocked > 0",
            "for": "5m",
            "labels": {"severity": "critical", "component": "hub"},
            "annotations": {
                "summary": "The hub {{ $labels.hub }} lost so many rows that nothing is deleted.",
                "description": description,
                "dashboard": "/d/weftctl-tenant",
            },
        })
    );
    // People read it: the name first, then the query, then the texts.
    let fields: Vec<_> = rule.as_object().expect("an object").keys().collect();
    assert_eq!(fields, ["alert", "expr", "for", "labels", "annotations"]);
}

#[test]
fn the_object_of_the_prometheus_operator_holds_the_same_groups() {
    let options = Options::default();
    let object = prometheus_rule(&options, Some("monitoring"));
    assert_eq!(object["apiVersion"], "monitoring.coreos.com/v1");
    assert_eq!(object["kind"], "PrometheusRule");
    assert_eq!(object["metadata"]["name"], NAME);
    assert_eq!(object["metadata"]["namespace"], "monitoring");
    assert_eq!(object["spec"], rules_file(&options));
    let object = prometheus_rule(&options, None);
    assert!(object["metadata"].get("namespace").is_none());
}

#[test]
fn thresholds_reach_the_rules() {
    let thresholds = Thresholds {
        many_failed: 12,
        failed_ratio: 0.25,
        conflict_rate: 1.5,
        error_ratio: 0.02,
        slow_seconds: 45.0,
        apply_error_ratio: 0.05,
        silent_seconds: 7200.0,
    };
    assert_eq!(thresholds.check(), Ok(()));
    let rules = alerts(&Options {
        thresholds,
        runbooks: None,
    });
    let ends = |name: &str, end: &str| {
        let rule = rules.iter().find(|rule| rule.name == name).expect("a rule");
        assert!(
            rule.expression.ends_with(end),
            "{name}: {}",
            rule.expression
        );
    };
    ends(
        "HubManyNodesFailure",
        "hub_failed > 12 or hub_failed > 0.25 * hub_desired",
    );
    ends("HubNodesFailure", "and hub_failed <= 12");
    ends("LynqNodeHighConflictRate", "[5m]) > 1.5");
    ends("LynqNodeReconciliationErrors", ")) > 0.02");
    ends("LynqNodeReconciliationSlow", ") > 45");
    ends("HighApplyFailureRate", ")) > 0.05");
    ends(
        "NoRecentPass",
        "> 7200 or absent(weftctl_tenant_last_success_timestamp_seconds)",
    );
    for rule in &rules {
        checked(rule.name, &rule.expression);
    }
}

#[test]
fn thresholds_that_no_rule_could_reach_are_refused() {
    assert_eq!(Thresholds::default().check(), Ok(()));
    let changes: [(&str, Change, f64); 6] = [
        ("failed-ratio", |t, value| t.failed_ratio = value, 1.0),
        (
            "conflict-rate",
            |t, value| t.conflict_rate = value,
            f64::INFINITY,
        ),
        ("error-ratio", |t, value| t.error_ratio = value, 1.0),
        ("slow-seconds", |t, value| t.slow_seconds = value, 60.0),
        (
            "apply-error-ratio",
            |t, value| t.apply_error_ratio = value,
            1.0,
        ),
        (
            "silent-seconds",
            |t, value| t.silent_seconds = value,
            f64::INFINITY,
        ),
    ];
    for (name, change, limit) in changes {
        for bad in [-0.1, limit, f64::NAN, f64::NEG_INFINITY] {
            let mut thresholds = Thresholds::default();
            change(&mut thresholds, bad);
            let error = thresholds.check().expect_err(name);
            assert_eq!((error.name, error.limit), (name, limit));
        }
        let mut thresholds = Thresholds::default();
        change(&mut thresholds, 0.0);
        assert_eq!(thresholds.check(), Ok(()), "{name}");
    }
    let error = BadThreshold {
        name: "error-ratio",
        value: 2.0,
        limit: 1.0,
    };
    assert_eq!(
        error.to_string(),
        "the threshold error-ratio is 2, and has to be at least 0 and below 1"
    );
}

#[test]
fn a_runbook_is_the_base_address_and_the_name_of_the_rule() {
    for (base, wanted) in [
        (
            "https://x.example/a",
            "https://x.example/a/lynqnodedegraded",
        ),
        (
            "https://x.example/a/",
            "https://x.example/a/lynqnodedegraded",
        ),
        (
            "https://x.example/a#",
            "https://x.example/a#lynqnodedegraded",
        ),
        (
            "https://x.example/?q=",
            "https://x.example/?q=lynqnodedegraded",
        ),
        // An address is no template: what would open one is printed.
        (
            "https://x.example/{{.}}",
            "https://x.example/{{ \"{{\" }}.}}/lynqnodedegraded",
        ),
    ] {
        let file = rules_file(&Options {
            runbooks: Some(base),
            ..Options::default()
        });
        let annotations = &file["groups"][0]["rules"][0]["annotations"];
        assert_eq!(annotations["runbook_url"], wanted, "{base}");
    }
}

#[test]
fn the_dashboard_refreshes_and_asks_one_datasource_that_can_be_chosen() {
    let dashboard = dashboard();
    assert_eq!(dashboard["uid"], UID);
    assert_eq!(PATH, format!("/d/{UID}"));
    assert_eq!(dashboard["refresh"], "30s");
    assert_eq!(dashboard["schemaVersion"], 39);
    let variables = dashboard["templating"]["list"]
        .as_array()
        .expect("variables");
    assert_eq!(variables.len(), 1);
    assert_eq!(variables[0]["type"], "datasource");
    assert_eq!(variables[0]["query"], "prometheus");
    let name = variables[0]["name"].as_str().expect("a name");
    let wanted = json!({"type": "prometheus", "uid": format!("${{{name}}}")});
    for panel in panels(&dashboard) {
        assert_eq!(panel["datasource"], wanted);
        for target in panel["targets"].as_array().expect("targets") {
            assert_eq!(target["datasource"], wanted);
        }
    }
}

/// The panels that show something.
fn panels(dashboard: &Value) -> Vec<&Value> {
    let all = dashboard["panels"].as_array().expect("panels");
    all.iter().filter(|panel| panel["type"] != "row").collect()
}

#[test]
fn the_dashboard_has_the_panels_of_the_operator_and_a_row_of_our_own() {
    let dashboard = dashboard();
    let all = dashboard["panels"].as_array().expect("panels");
    let rows: Vec<usize> = (0..all.len())
        .filter(|at| all[*at]["type"] == "row")
        .collect();
    assert_eq!(rows, [17], "one row, after the operator's seventeen panels");
    let mut kinds = BTreeMap::new();
    for panel in &all[..17] {
        *kinds
            .entry(panel["type"].as_str().expect("a type"))
            .or_insert(0) += 1;
    }
    assert_eq!(
        kinds,
        BTreeMap::from([("stat", 4), ("timeseries", 7), ("gauge", 1), ("table", 5)])
    );
    assert_eq!(all.len(), 17 + 1 + 9);
}

#[test]
fn each_panel_asks_for_what_is_measured_and_has_what_it_needs() {
    let dashboard = dashboard();
    let mut titles = BTreeSet::new();
    for panel in panels(&dashboard) {
        let title = panel["title"].as_str().expect("a title");
        assert!(titles.insert(title), "{title} is there twice");
        assert!(
            panel["description"]
                .as_str()
                .is_some_and(|text| text.ends_with('.')),
            "{title}"
        );
        let defaults = &panel["fieldConfig"]["defaults"];
        let unit = defaults["unit"].as_str().expect("a unit");
        assert!(
            ["none", "s", "ops", "cps", "percentunit"].contains(&unit),
            "{title}: {unit}"
        );
        check_steps(title, &defaults["thresholds"]);
        let targets = panel["targets"].as_array().expect("targets");
        assert!(!targets.is_empty(), "{title}");
        let mut ids = BTreeSet::new();
        let mut legends = BTreeSet::new();
        for target in targets {
            assert!(
                ids.insert(target["refId"].as_str().expect("an id")),
                "{title}"
            );
            let expression = target["expr"].as_str().expect("a query");
            let labels = checked(title, expression);
            let legend = target["legendFormat"].as_str().expect("a legend");
            assert!(legends.insert(legend) && !legend.is_empty(), "{title}");
            let named = templated(legend, "{{");
            assert!(
                is_within(&named, &labels),
                "{title}: {legend} of {labels:?}"
            );
            let is_rate = expression.contains("rate(") && !expression.contains("quantile(");
            assert_eq!(
                is_rate,
                matches!(unit, "ops" | "cps" | "percentunit"),
                "{title}: {unit}"
            );
            assert_eq!(target["range"], panel["type"] == "timeseries", "{title}");
            assert_eq!(target["instant"], panel["type"] != "timeseries", "{title}");
            if panel["type"] == "table" {
                check_columns(panel, &labels, targets.len());
            } else if panel["type"] == "timeseries" {
                // What tells the lines apart is in the legend.
                assert_eq!(named.len(), labels.len(), "{title}: {legend} of {labels:?}");
            } else {
                assert!(labels.is_empty(), "{title} shows one number");
            }
        }
    }
}

fn check_steps(title: &str, thresholds: &Value) {
    assert_eq!(thresholds["mode"], "absolute", "{title}");
    let steps = thresholds["steps"].as_array().expect("steps");
    assert!(steps[0]["value"].is_null(), "{title}");
    let values: Vec<f64> = steps[1..]
        .iter()
        .map(|step| step["value"].as_f64().expect("a number"))
        .collect();
    assert!(values.is_sorted_by(|a, b| a < b), "{title}");
    assert!(
        steps.iter().all(|step| step["color"].is_string()),
        "{title}"
    );
}

fn check_columns(panel: &Value, labels: &BTreeSet<String>, queries: usize) {
    let title = &panel["title"];
    assert_eq!(panel["transformations"][0]["id"], "merge", "{title}");
    let options = &panel["transformations"][1]["options"];
    let headings = options["renameByName"].as_object().expect("headings");
    assert_eq!(headings.len(), labels.len() + queries, "{title}");
    for label in labels {
        assert!(headings.contains_key(label), "{title}: {label}");
    }
    assert_eq!(headings.contains_key("Value"), queries == 1, "{title}");
    assert_eq!(headings.contains_key("Value #A"), queries > 1, "{title}");
    let order: Vec<_> = options["indexByName"]
        .as_object()
        .expect("an order")
        .values()
        .collect();
    assert_eq!(
        order,
        (0..headings.len())
            .map(|at| json!(at))
            .collect::<Vec<_>>()
            .iter()
            .collect::<Vec<_>>()
    );
    let is_heading = |name: &Value| headings.values().any(|heading| heading == name);
    assert!(
        is_heading(&panel["options"]["sortBy"][0]["displayName"]),
        "{title}"
    );
    for override_ in panel["fieldConfig"]["overrides"]
        .as_array()
        .expect("overrides")
    {
        assert!(
            is_heading(&override_["matcher"]["options"]),
            "{title}: {override_}"
        );
        for property in override_["properties"].as_array().expect("properties") {
            if property["id"] == "thresholds" {
                check_steps(title.as_str().unwrap_or_default(), &property["value"]);
            }
        }
    }
}

#[test]
fn no_two_panels_share_a_place() {
    let dashboard = dashboard();
    let mut taken = BTreeMap::new();
    let mut ids = BTreeSet::new();
    let mut last = 0;
    for panel in dashboard["panels"].as_array().expect("panels") {
        let title = panel["title"].as_str().expect("a title");
        assert!(
            ids.insert(panel["id"].as_u64().expect("a number")),
            "{title}"
        );
        let place = &panel["gridPos"];
        let part = |name: &str| place[name].as_u64().expect("a number");
        let (x, y, w, h) = (part("x"), part("y"), part("w"), part("h"));
        assert!(w > 0 && h > 0 && x + w <= 24, "{title}: {place}");
        assert!(y >= last, "{title} is above what comes before");
        last = y;
        for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            if let Some(other) = taken.insert(cell, title) {
                panic!("{title} lies on {other} at {cell:?}");
            }
        }
    }
    // No holes either: Grafana would move what is below one up.
    let height = taken.keys().map(|(_, y)| y + 1).max().unwrap_or_default();
    assert_eq!(taken.len() as u64, 24 * height);
}

#[test]
fn what_is_generated_is_the_same_each_time() {
    let options = Options {
        runbooks: Some("https://x.example/"),
        ..Options::default()
    };
    assert_eq!(dashboard().to_string(), dashboard().to_string());
    assert_eq!(
        rules_file(&options).to_string(),
        rules_file(&options).to_string()
    );
    let text = crate::yaml::to_string(&rules_file(&options));
    let read: Value = serde_saphyr::from_str(&text).expect("valid YAML");
    assert_eq!(read, rules_file(&options));
}

/// The test file of promtool has each rule once firing and once quiet, and no rule that is not there.
#[test]
fn each_rule_has_a_case_in_which_it_fires_and_one_in_which_it_is_quiet() {
    let tests: Value =
        serde_saphyr::from_str(include_str!("alerts_test.yaml")).expect("valid YAML");
    let rules: BTreeMap<&str, Rule> = alerts(&Options::default())
        .into_iter()
        .map(|rule| (rule.name, rule))
        .collect();
    let mut seen: BTreeMap<&str, [bool; 2]> =
        rules.keys().map(|name| (*name, [false; 2])).collect();
    for test in tests["tests"].as_array().expect("tests") {
        for input in test["input_series"].as_array().into_iter().flatten() {
            let series = input["series"].as_str().expect("a series");
            let name = series.split('{').next().unwrap_or_default();
            let (metric, ending) = metric_of(name).unwrap_or_else(|| panic!("no metric {name}"));
            let mut labels: BTreeSet<String> = uses(series).metrics[0]
                .1
                .iter()
                .map(|(label, _)| label.clone())
                .collect();
            if ending == "_bucket" {
                assert!(labels.remove("le"), "{series}");
            }
            for label in OF_TARGETS {
                labels.remove(label);
            }
            let wanted: BTreeSet<String> =
                metric.labels.iter().copied().map(str::to_owned).collect();
            assert_eq!(labels, wanted, "{series}");
        }
        for case in test["alert_rule_test"].as_array().into_iter().flatten() {
            let name = case["alertname"].as_str().expect("a name");
            let rule = rules.get(name).unwrap_or_else(|| panic!("no rule {name}"));
            let fired = case["exp_alerts"].as_array().expect("expected alerts");
            for alert in fired {
                assert_eq!(
                    alert["exp_labels"]["severity"],
                    rule.severity.as_str(),
                    "{name}"
                );
            }
            if let Some(seen) = seen.get_mut(name) {
                seen[usize::from(fired.is_empty())] = true;
            }
        }
    }
    for (name, seen) in seen {
        assert_eq!(seen, [true; 2], "{name} fires, and is quiet");
    }
}
