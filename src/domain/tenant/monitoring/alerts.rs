//! The alert rules: the operator's fourteen, with its names and thresholds, and three of our own.
//!
//! They come as a rules file of Prometheus, or as the object that the Prometheus operator reads. Names, thresholds
//! and times of the fourteen are those of the operator's own `config/prometheus/alerts.yaml`; texts are ours.

use serde_json::{Map, Value, json};

use super::dashboard::PATH;
use super::query::{buckets, increase, observations, quantile, rate, series, sum, sum_by};
use super::{
    APPLY_ATTEMPTS, CONFLICTS, ConditionStatus, DATASOURCE_UP, DELETION_BLOCKED, HUB_DESIRED,
    HUB_FAILED, HUB_READY, LAST_SUCCESS, NODE_CONDITION, NODE_DEGRADED, Outcome, READY,
    RECONCILE_DURATION, RESOURCES_CONFLICTED, RESOURCES_DESIRED, RESOURCES_FAILED, RESOURCES_READY,
};

/// The name of the rules, as an object and as the beginning of their groups' names.
pub const NAME: &str = "weftctl-tenant";

/// Over how long rates are taken.
const WINDOW: &str = "5m";

/// What the rules are made with.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Options<'a> {
    /// When they fire.
    pub thresholds: Thresholds,
    /// Where the runbooks are: a rule's is this address and the rule's name in lower case, with a `/` between
    /// unless the address ends with `/`, `#` or `=`. No runbooks are named without it.
    pub runbooks: Option<&'a str>,
}

/// When rules fire: each says how much is still quiet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// Failed nodes of a hub; more are many.
    pub many_failed: u32,
    /// The share of a hub's nodes that may fail, from 0 to below 1; more are many.
    pub failed_ratio: f64,
    /// Conflicts of a node and kind in each second.
    pub conflict_rate: f64,
    /// The share of reconciliations that may fail, from 0 to below 1.
    pub error_ratio: f64,
    /// What 95 of 100 successful reconciliations stay below, in seconds; below the last bucket's bound.
    pub slow_seconds: f64,
    /// The share of writes of a kind that may fail, from 0 to below 1.
    pub apply_error_ratio: f64,
    /// How old a hub's last successful pass may be, in seconds: several sync intervals.
    pub silent_seconds: f64,
}

/// A threshold that no rule could work with.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("the threshold {name} is {value}, and has to be at least 0 and below {limit}")]
pub struct BadThreshold {
    /// The name of the field, with dashes as in a flag.
    pub name: &'static str,
    /// What it was set to.
    pub value: f64,
    /// What it has to stay below.
    pub limit: f64,
}

/// How bad it is; each has a group of rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Somebody has to look now.
    Critical,
    /// Somebody has to look soon.
    Warning,
    /// Somebody may want to know.
    Info,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its name.
    pub name: &'static str,
    /// The query; the rule holds for each series in its result.
    pub expression: String,
    /// For how long it has to hold before the rule fires, as Prometheus writes it.
    pub hold: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The part that has the trouble.
    pub component: &'static str,
    /// What is wrong, as a template of Prometheus.
    pub summary: &'static str,
    /// What that means and what to do, as a template of Prometheus.
    pub description: &'static str,
    /// Where its runbook is, as a template of Prometheus.
    pub runbook: Option<String>,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            many_failed: 5,
            failed_ratio: 0.5,
            conflict_rate: 0.1,
            error_ratio: 0.1,
            slow_seconds: 30.0,
            apply_error_ratio: 0.2,
            silent_seconds: 600.0,
        }
    }
}

impl Thresholds {
    /// Checks that every rule can fire: a share of more than all does not exist, and a histogram knows no
    /// time beyond its last bucket.
    pub fn check(&self) -> Result<(), BadThreshold> {
        let slowest = RECONCILE_DURATION.buckets.last().copied();
        let limits = [
            ("failed-ratio", self.failed_ratio, 1.0),
            ("conflict-rate", self.conflict_rate, f64::INFINITY),
            ("error-ratio", self.error_ratio, 1.0),
            ("slow-seconds", self.slow_seconds, slowest.unwrap_or(0.0)),
            ("apply-error-ratio", self.apply_error_ratio, 1.0),
            ("silent-seconds", self.silent_seconds, f64::INFINITY),
        ];
        for (name, value, limit) in limits {
            // Also wrong for what is no number.
            if !(0.0..limit).contains(&value) {
                return Err(BadThreshold { name, value, limit });
            }
        }
        Ok(())
    }
}

impl Severity {
    /// All, the worst first.
    pub const ALL: [Self; 3] = [Self::Critical, Self::Warning, Self::Info];

    /// Returns the value of the label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }

    /// Returns how often its rules are evaluated.
    const fn interval(self) -> &'static str {
        match self {
            Self::Critical | Self::Warning => "30s",
            Self::Info => "1m",
        }
    }
}

impl Rule {
    /// Returns the rule as it stands in a rules file.
    fn to_value(&self) -> Value {
        let mut annotations = Map::new();
        annotations.insert("summary".to_owned(), json!(self.summary));
        annotations.insert("description".to_owned(), json!(self.description));
        annotations.insert("dashboard".to_owned(), json!(PATH));
        if let Some(runbook) = &self.runbook {
            annotations.insert("runbook_url".to_owned(), json!(runbook));
        }
        json!({
            "alert": self.name,
            "expr": self.expression,
            "for": self.hold,
            "labels": {"severity": self.severity.as_str(), "component": self.component},
            "annotations": annotations,
        })
    }
}

/// Returns all rules, the worst first.
///
/// The thresholds are those that [`Thresholds::check`] accepts; with others a rule may never fire.
pub fn alerts(options: &Options<'_>) -> Vec<Rule> {
    let mut rules = critical(&options.thresholds);
    rules.extend(warning(&options.thresholds));
    rules.push(info());
    if let Some(base) = options.runbooks {
        for rule in &mut rules {
            rule.runbook = Some(runbook(base, rule.name));
        }
    }
    rules
}

/// Returns a rules file of Prometheus.
pub fn rules_file(options: &Options<'_>) -> Value {
    json!({"groups": groups(options)})
}

/// Returns the same rules as an object of the Prometheus operator.
pub fn prometheus_rule(options: &Options<'_>, namespace: Option<&str>) -> Value {
    let mut metadata = Map::new();
    metadata.insert("name".to_owned(), json!(NAME));
    if let Some(namespace) = namespace {
        metadata.insert("namespace".to_owned(), json!(namespace));
    }
    metadata.insert(
        "labels".to_owned(),
        json!({"app.kubernetes.io/name": "weftctl", "app.kubernetes.io/component": "tenant"}),
    );
    json!({
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": metadata,
        "spec": {"groups": groups(options)},
    })
}

fn groups(options: &Options<'_>) -> Vec<Value> {
    let rules = alerts(options);
    let group = |severity: Severity| {
        let rules = rules.iter().filter(|rule| rule.severity == severity);
        json!({
            "name": format!("{NAME}-{}", severity.as_str()),
            "interval": severity.interval(),
            "rules": rules.map(Rule::to_value).collect::<Vec<_>>(),
        })
    };
    Severity::ALL.into_iter().map(group).collect()
}

/// Returns the address of a rule's runbook. Annotations are templates: what would open one is printed by one.
fn runbook(base: &str, name: &str) -> String {
    let between = if base.ends_with(['/', '#', '=']) {
        ""
    } else {
        "/"
    };
    let address = format!("{base}{between}{}", name.to_ascii_lowercase());
    address.replace("{{", r#"{{ "{{" }}"#)
}

#[expect(clippy::too_many_lines, reason = "a table of rules")]
fn critical(thresholds: &Thresholds) -> Vec<Rule> {
    let condition = |status: ConditionStatus| {
        let ready = series(&NODE_CONDITION, &[("type", READY)]);
        format!("{ready} == {}", status.value())
    };
    let failed = series(&HUB_FAILED, &[]);
    let last = series(&LAST_SUCCESS, &[]);
    vec![
        Rule {
            name: "LynqNodeDegraded",
            expression: format!("{} > 0", series(&NODE_DEGRADED, &[])),
            hold: "5m",
            severity: Severity::Critical,
            component: "lynqnode",
            summary: "The node {{ $labels.lynqnode }} is degraded: {{ $labels.reason }}.",
            description: "The node {{ $labels.lynqnode }} in the namespace {{ $labels.namespace }} stays degraded \
                because of {{ $labels.reason }}. `weftctl tenant status` names its objects and what each waits for.",
            runbook: None,
        },
        Rule {
            name: "LynqNodeResourcesFailed",
            expression: format!("{} > 0", series(&RESOURCES_FAILED, &[])),
            hold: "5m",
            severity: Severity::Critical,
            component: "lynqnode",
            summary: "Failed objects of the node {{ $labels.lynqnode }}: {{ $value }}.",
            description: "{{ $value }} objects of the node {{ $labels.lynqnode }} in the namespace \
                {{ $labels.namespace }} could not be made or did not become ready in time. `weftctl tenant status` \
                names them with the cause.",
            runbook: None,
        },
        Rule {
            name: "LynqNodeNotReady",
            expression: condition(ConditionStatus::False),
            hold: "15m",
            severity: Severity::Critical,
            component: "lynqnode",
            summary: "The node {{ $labels.lynqnode }} does not become ready.",
            description: "The node {{ $labels.lynqnode }} in the namespace {{ $labels.namespace }} is not ready, and \
                takes long to become so. `weftctl tenant status` names the objects that it waits for.",
            runbook: None,
        },
        Rule {
            name: "LynqNodeStatusUnknown",
            expression: condition(ConditionStatus::Unknown),
            hold: "10m",
            severity: Severity::Critical,
            component: "lynqnode",
            summary: "Nobody knows whether the node {{ $labels.lynqnode }} is ready.",
            description: "The state of the node {{ $labels.lynqnode }} in the namespace {{ $labels.namespace }} \
                could not be read. See whether the API server answers, and whether weftctl may read the objects.",
            runbook: None,
        },
        Rule {
            name: "HubManyNodesFailure",
            // A comparison keeps what stands on its left: the value is the number of failed nodes in both cases.
            expression: format!(
                "{failed} > {} or {failed} > {} * {}",
                thresholds.many_failed,
                thresholds.failed_ratio,
                series(&HUB_DESIRED, &[]),
            ),
            hold: "5m",
            severity: Severity::Critical,
            component: "hub",
            summary: "Many nodes of the hub {{ $labels.hub }} failed: {{ $value }}.",
            description: "{{ $value }} nodes of the hub {{ $labels.hub }} in the namespace {{ $labels.namespace }} \
                failed, which points at a common cause: a form, a quota, a right that is missing, or the rows.",
            runbook: None,
        },
        Rule {
            name: "DatasourceDown",
            expression: format!("{} == 0", series(&DATASOURCE_UP, &[])),
            hold: "5m",
            severity: Severity::Critical,
            component: "datasource",
            summary: "The rows of the hub {{ $labels.hub }} cannot be read.",
            description: "The datasource of the hub {{ $labels.hub }} in the namespace {{ $labels.namespace }} does \
                not give its rows. What exists stays as it is and nothing is deleted, but new and changed rows are \
                not seen. `weftctl tenant test-connection` says why.",
            runbook: None,
        },
        Rule {
            name: "DeletionBlocked",
            expression: format!("{} > 0", series(&DELETION_BLOCKED, &[])),
            hold: "5m",
            severity: Severity::Critical,
            component: "hub",
            summary: "The hub {{ $labels.hub }} lost so many rows that nothing is deleted.",
            description: "More rows of the hub {{ $labels.hub }} in the namespace {{ $labels.namespace }} are gone \
                than may go at once, so nothing is deleted. Look whether the table is whole. If they are meant to \
                go, see `weftctl tenant plan`, then `weftctl tenant apply` with a higher `--max-delete`.",
            runbook: None,
        },
        Rule {
            name: "NoRecentPass",
            // Without `absent` a program that died would fall silent together with its rule. Where two replicas or
            // two machines tell of one hub, the later pass counts.
            expression: format!(
                "time() - max without (instance, pod) ({last}) > {} or absent({last})",
                thresholds.silent_seconds,
            ),
            hold: "5m",
            severity: Severity::Critical,
            component: "hub",
            summary: "{{ if $labels.hub }}The hub {{ $labels.hub }} had no successful pass for long.\
                {{ else }}No hub tells of a successful pass.{{ end }}",
            description: "{{ if not $labels.hub }}Nothing tells of passes of `weftctl tenant`: see whether it runs, \
                and whether it is scraped.{{ else if gt $value 1e9 }}The hub {{ $labels.hub }} in the namespace \
                {{ $labels.namespace }} had no successful pass yet. See what weftctl logs.{{ else }}The last \
                successful pass of the hub {{ $labels.hub }} in the namespace {{ $labels.namespace }} was \
                {{ $value | humanizeDuration }} ago. Changed rows and drift wait. See what weftctl logs.{{ end }}",
            runbook: None,
        },
    ]
}

#[expect(clippy::too_many_lines, reason = "a table of rules")]
fn warning(thresholds: &Thresholds) -> Vec<Rule> {
    let error = [("result", Outcome::Error.as_str())];
    let success = [("result", Outcome::Success.as_str())];
    let all_reconciled = rate(&observations(&RECONCILE_DURATION, &[]), WINDOW);
    let not_reconciled = rate(&observations(&RECONCILE_DURATION, &error), WINDOW);
    let all_applied = rate(&series(&APPLY_ATTEMPTS, &[]), WINDOW);
    let not_applied = rate(&series(&APPLY_ATTEMPTS, &error), WINDOW);
    let failed = series(&HUB_FAILED, &[]);
    vec![
        Rule {
            name: "LynqNodeResourcesMismatch",
            expression: format!(
                "{} != {} unless {} > 0",
                series(&RESOURCES_READY, &[]),
                series(&RESOURCES_DESIRED, &[]),
                series(&RESOURCES_FAILED, &[]),
            ),
            hold: "15m",
            severity: Severity::Warning,
            component: "lynqnode",
            summary: "Not all objects of the node {{ $labels.lynqnode }} become ready.",
            description: "{{ $value }} objects of the node {{ $labels.lynqnode }} in the namespace \
                {{ $labels.namespace }} are ready, which is not the number that it shall have, and none has failed. \
                `weftctl tenant status` names what is waited for.",
            runbook: None,
        },
        Rule {
            name: "LynqNodeResourcesConflicted",
            expression: format!("{} > 0", series(&RESOURCES_CONFLICTED, &[])),
            hold: "10m",
            severity: Severity::Warning,
            component: "lynqnode",
            summary: "Objects of the node {{ $labels.lynqnode }} that others own: {{ $value }}.",
            description: "{{ $value }} objects of the node {{ $labels.lynqnode }} in the namespace \
                {{ $labels.namespace }} were not written because somebody else owns them. `weftctl tenant plan` \
                names the owners and the fields.",
            runbook: None,
        },
        Rule {
            name: "LynqNodeHighConflictRate",
            expression: format!(
                "{} > {}",
                rate(&series(&CONFLICTS, &[]), WINDOW),
                thresholds.conflict_rate
            ),
            hold: "10m",
            severity: Severity::Warning,
            component: "lynqnode",
            summary: "The node {{ $labels.lynqnode }} meets conflicts again and again.",
            description: "The node {{ $labels.lynqnode }} in the namespace {{ $labels.namespace }} meets \
                {{ printf \"%.2f\" $value }} conflicts per second at objects of the kind {{ $labels.resource_kind }} \
                (conflict policy {{ $labels.conflict_policy }}). Two owners may be taking them from each other.",
            runbook: None,
        },
        Rule {
            name: "HubNodesFailure",
            expression: format!("{failed} > 0 and {failed} <= {}", thresholds.many_failed),
            hold: "10m",
            severity: Severity::Warning,
            component: "hub",
            summary: "Failed nodes of the hub {{ $labels.hub }}: {{ $value }}.",
            description: "{{ $value }} nodes of the hub {{ $labels.hub }} in the namespace {{ $labels.namespace }} \
                failed. `weftctl tenant status` names them.",
            runbook: None,
        },
        Rule {
            name: "HubDesiredCountMismatch",
            expression: format!(
                "{} != {} unless {failed} > 0",
                series(&HUB_READY, &[]),
                series(&HUB_DESIRED, &[]),
            ),
            hold: "20m",
            severity: Severity::Warning,
            component: "hub",
            summary: "Not all nodes of the hub {{ $labels.hub }} become ready.",
            description: "{{ $value }} nodes of the hub {{ $labels.hub }} in the namespace {{ $labels.namespace }} \
                are ready, which is not the number that it shall have, and none has failed. A rollout may be held \
                up by a node that does not become ready.",
            runbook: None,
        },
        Rule {
            name: "LynqNodeReconciliationErrors",
            expression: format!(
                "{} / {} > {}",
                sum(&not_reconciled),
                sum(&all_reconciled),
                thresholds.error_ratio
            ),
            hold: "10m",
            severity: Severity::Warning,
            component: "lynqnode",
            summary: "{{ $value | humanizePercentage }} of the reconciliations fail.",
            description: "{{ $value | humanizePercentage }} of the reconciliations of nodes fail. See whether the \
                API server answers and refuses nothing, and what weftctl logs.",
            runbook: None,
        },
        Rule {
            name: "LynqNodeReconciliationSlow",
            expression: format!(
                "{} > {}",
                quantile(0.95, &buckets(&RECONCILE_DURATION, &success), WINDOW),
                thresholds.slow_seconds
            ),
            hold: "15m",
            severity: Severity::Warning,
            component: "lynqnode",
            summary: "95 of 100 reconciliations of a node take up to {{ $value | humanizeDuration }}.",
            description: "Of 100 successful reconciliations of a node, 5 take {{ $value | humanizeDuration }} or \
                longer. See whether the API server throttles, and whether forms have long chains of dependencies.",
            runbook: None,
        },
        Rule {
            name: "HighApplyFailureRate",
            expression: format!(
                "{} / {} > {}",
                sum_by(&["kind"], &not_applied),
                sum_by(&["kind"], &all_applied),
                thresholds.apply_error_ratio
            ),
            hold: "10m",
            severity: Severity::Warning,
            component: "apply",
            summary: "{{ $value | humanizePercentage }} of the writes of {{ $labels.kind }} fail.",
            description: "{{ $value | humanizePercentage }} of the attempts to apply an object of the kind \
                {{ $labels.kind }} fail. See whether weftctl has the rights, whether a quota is used up, and whether \
                a webhook refuses.",
            runbook: None,
        },
    ]
}

fn info() -> Rule {
    let conflicts = series(&CONFLICTS, &[]);
    Rule {
        name: "LynqNodeNewConflictsDetected",
        // A series that appears with its first conflict has not increased; it counts as new.
        expression: format!(
            "{} > 0 or ({conflicts} > 0 unless {conflicts} offset {WINDOW})",
            increase(&conflicts, WINDOW)
        ),
        hold: "2m",
        severity: Severity::Info,
        component: "lynqnode",
        summary: "The node {{ $labels.lynqnode }} met a conflict.",
        description: "The node {{ $labels.lynqnode }} in the namespace {{ $labels.namespace }} met an object of the \
            kind {{ $labels.resource_kind }} that somebody else owns (conflict policy \
            {{ $labels.conflict_policy }}).",
        runbook: None,
    }
}
