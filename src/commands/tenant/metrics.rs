//! Writes what passes have found into metrics, as [`weft_domain::tenant::monitoring`] defines them. The series of
//! what is gone go with it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::Path,
    time::Instant,
};

use prometheus::{
    CounterVec, GaugeVec, HistogramOpts, HistogramVec, Opts, Registry, TextEncoder, core::Collector,
};
use weft_domain::{
    plan::Action,
    tenant::{
        monitoring::{
            APPLY_ATTEMPTS, CONFLICTS, ConditionStatus, DATASOURCE_ERRORS, DATASOURCE_UP,
            DELETION_BLOCKED, DRIFT, HUB_DESIRED, HUB_FAILED, HUB_READY, Kind, LAST_SUCCESS,
            METRICS, Metric, NODE_CONDITION, NODE_DEGRADED, ORPHANS, PASSES, QUERY_DURATION,
            QUEUE_DEPTH, RECONCILE_DURATION, RESOURCES_CONFLICTED, RESOURCES_DESIRED,
            RESOURCES_FAILED, RESOURCES_READY, ROLLOUT_PHASE, ROLLOUT_PROGRESS, ROLLOUT_UPDATING,
            ROWS, RolloutPhase, RowState,
        },
        node::{Condition, DEGRADED, Status},
    },
};

use crate::{
    api::{
        deploy::{DeployDesign, Goal},
        design::{DeployResult, File, RolloutPhase as Phase},
        tenant::{Cause, NodeName, NodeStatus, ObjectChange, Outcome, Reading, TenantPass},
    },
    commands::files::{Shape, Target},
    context::Context,
    error::{Code, Error, Place, Result},
    service::tenant::pass::{Ended, Ledger},
};

/// Metrics of one hub.
pub(super) struct Metrics {
    families: HashMap<&'static str, Family>,
    registry: Registry,
    /// Whether there are several clusters, which a label tells apart.
    several: bool,
    namespace: String,
    nodes: BTreeMap<NodeName, NodeStatus>,
    /// The kinds and policies of the conflicts that nodes have met.
    conflicts: BTreeMap<NodeName, BTreeSet<(String, String)>>,
    /// The contexts whose nodes the last pass has seen.
    seen: BTreeSet<String>,
}

enum Family {
    Counter(CounterVec),
    Gauge(GaugeVec),
    Histogram(HistogramVec),
}

impl Family {
    fn of(metric: &Metric, labels: &[&str]) -> prometheus::Result<Self> {
        let options = Opts::new(metric.name, metric.help);
        Ok(match metric.kind {
            Kind::Counter => Self::Counter(CounterVec::new(options, labels)?),
            Kind::Gauge => Self::Gauge(GaugeVec::new(options, labels)?),
            Kind::Histogram => {
                let options = HistogramOpts::from(options).buckets(metric.buckets.to_vec());
                Self::Histogram(HistogramVec::new(options, labels)?)
            }
        })
    }

    fn collector(&self) -> Box<dyn Collector> {
        match self {
            Self::Counter(family) => Box::new(family.clone()),
            Self::Gauge(family) => Box::new(family.clone()),
            Self::Histogram(family) => Box::new(family.clone()),
        }
    }

    fn remove(&self, labels: &[&str]) {
        // What was never there can't go.
        let _ = match self {
            Self::Counter(family) => family.remove_label_values(labels),
            Self::Gauge(family) => family.remove_label_values(labels),
            Self::Histogram(family) => family.remove_label_values(labels),
        };
    }
}

/// The label of the cluster, where there are several.
const CONTEXT: &str = "context";

impl Metrics {
    /// Makes metrics without values.
    ///
    /// # Errors
    /// When a definition can't be one.
    pub(super) fn new(several: bool) -> Result<Self> {
        let bug = |error| Error::internal("a metric that cannot be").because(error);
        let registry = Registry::new();
        let mut families = HashMap::new();
        for metric in METRICS {
            let mut labels = metric.labels.to_vec();
            labels.extend(several.then_some(CONTEXT));
            let family = Family::of(metric, &labels).map_err(bug)?;
            registry.register(family.collector()).map_err(bug)?;
            families.insert(metric.name, family);
        }
        Ok(Self {
            families,
            registry,
            several,
            namespace: String::new(),
            nodes: BTreeMap::new(),
            conflicts: BTreeMap::new(),
            seen: BTreeSet::new(),
        })
    }

    /// The metrics in the text format of Prometheus.
    ///
    /// # Errors
    /// When they have no such form.
    pub(super) fn text(&self) -> Result<String> {
        let text = TextEncoder::new().encode_to_string(&self.registry.gather());
        text.map_err(|error| Error::internal("metrics have no text form").because(error))
    }

    /// Writes them to a file, in place of what is there.
    ///
    /// # Errors
    /// When it can't be written.
    pub(super) fn write(&self, file: &Path) -> Result<()> {
        let target = Target {
            to: file,
            shape: Shape::File,
            force: true,
            private: false,
        };
        let path = file.display().to_string();
        let text = self.text()?;
        target.write(&[File { path, text }])
    }

    /// Goes on counting where an earlier process has left off; histograms begin anew.
    ///
    /// # Errors
    /// When there is a file that can't be read.
    pub(super) fn resume(&mut self, file: &Path) -> Result<()> {
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => {
                let message = "cannot read the metrics of an earlier run";
                return Err(Error::new(Code::Unreadable, message)
                    .at(Place::file(file.display().to_string(), None))
                    .because(error));
            }
        };
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some(Sample {
                name,
                labels,
                value,
            }) = sample(line)
            else {
                continue;
            };
            let goes_on = |metric: &&&Metric| {
                metric.name == name
                    && (metric.kind == Kind::Counter || metric.name == LAST_SUCCESS.name)
            };
            let Some(metric) = METRICS.iter().find(goes_on) else {
                continue;
            };
            let mut names: Vec<&str> = metric.labels.to_vec();
            names.extend(self.several.then_some(CONTEXT));
            let values: Option<Vec<&str>> = names
                .iter()
                .map(|name| labels.get(*name).map(String::as_str))
                .collect();
            // Which nodes there still are, nobody knows yet.
            let is_kept = metric.name != CONFLICTS.name
                && labels.get("namespace").is_none_or(|name| !name.is_empty());
            let values = values.filter(|values| is_kept && values.len() == labels.len());
            let Some(values) = values else {
                continue;
            };
            match self.families.get(metric.name) {
                Some(Family::Counter(family)) if value >= 0.0 => {
                    family.with_label_values(&values).inc_by(value);
                }
                Some(Family::Gauge(family)) => family.with_label_values(&values).set(value),
                _ => {}
            }
        }
        Ok(())
    }

    fn with<'l>(&self, labels: &[&'l str], context: &'l str) -> Vec<&'l str> {
        let mut labels = labels.to_vec();
        labels.extend(self.several.then_some(context));
        labels
    }

    fn set(&self, metric: &Metric, labels: &[&str], context: &str, value: f64) {
        if let Some(Family::Gauge(family)) = self.families.get(metric.name) {
            family
                .with_label_values(&self.with(labels, context))
                .set(value);
        }
    }

    fn add(&self, metric: &Metric, labels: &[&str], context: &str, count: usize) {
        if let Some(Family::Counter(family)) = self.families.get(metric.name) {
            family
                .with_label_values(&self.with(labels, context))
                .inc_by(float(count));
        }
    }

    fn observe(&self, metric: &Metric, labels: &[&str], context: &str, value: f64, times: usize) {
        if let Some(Family::Histogram(family)) = self.families.get(metric.name) {
            let histogram = family.with_label_values(&self.with(labels, context));
            (0..times).for_each(|_| histogram.observe(value));
        }
    }

    fn remove(&self, metric: &Metric, labels: &[&str], context: &str) {
        if let Some(family) = self.families.get(metric.name) {
            family.remove(&self.with(labels, context));
        }
    }

    /// Adds what a pass has found.
    pub(super) fn record(&mut self, pass: &TenantPass) {
        pass.namespace.clone_into(&mut self.namespace);
        self.record_source(pass);
        self.record_pass(pass);
        self.record_changes(pass);
        self.record_nodes(pass);
        for rollout in &pass.rollouts {
            let labels = [rollout.form.as_str(), self.namespace.as_str()];
            let context = &rollout.context;
            let phase = match rollout.phase {
                Phase::InProgress => RolloutPhase::InProgress,
                Phase::Failed => RolloutPhase::Failed,
                Phase::Complete => RolloutPhase::Complete,
            };
            let share = match rollout.rows {
                0 => 100.0,
                rows => 100.0 * float(rollout.updated) / float(rows),
            };
            self.set(&ROLLOUT_UPDATING, &labels, context, float(rollout.updating));
            self.set(&ROLLOUT_PHASE, &labels, context, phase.value().into());
            self.set(&ROLLOUT_PROGRESS, &labels, context, share);
        }
    }

    fn record_source(&self, pass: &TenantPass) {
        let hub = [pass.hub.as_str(), pass.namespace.as_str()];
        match pass.read {
            Reading::Done => self.set(&DATASOURCE_UP, &hub, "", 1.0),
            Reading::Failed => self.set(&DATASOURCE_UP, &hub, "", 0.0),
            Reading::Kept => {}
        }
        let failed = usize::from(pass.read == Reading::Failed);
        self.add(&DATASOURCE_ERRORS, &hub, "", failed);
        if let Some(seconds) = pass.read_seconds {
            self.observe(&QUERY_DURATION, &hub, "", seconds, 1);
        }
        if let (Some(rows), Reading::Done) = (pass.rows, pass.read) {
            let counts = [
                (RowState::Read, rows.read),
                (RowState::Active, rows.active),
                (RowState::Inactive, rows.inactive),
                (RowState::Invalid, rows.invalid),
            ];
            for (state, count) in counts {
                let [hub, namespace] = hub;
                let labels = [hub, namespace, state.as_str()];
                self.set(&ROWS, &labels, "", float(count));
            }
        }
    }

    fn record_pass(&self, pass: &TenantPass) {
        let hub = [pass.hub.as_str(), pass.namespace.as_str()];
        let [name, namespace] = hub;
        self.add(&PASSES, &[name, namespace, pass.outcome.as_str()], "", 1);
        if let Some(Family::Gauge(family)) = self.families.get(LAST_SUCCESS.name) {
            // It is there from the first pass on.
            let last = family.with_label_values(&self.with(&hub, ""));
            if pass.outcome == Outcome::Success {
                last.set(pass.begun_at.as_duration().as_secs_f64() + pass.seconds);
            }
        }
        let is_blocked = u8::from(pass.deletion_blocked);
        self.set(&DELETION_BLOCKED, &hub, "", is_blocked.into());
        for total in &pass.totals {
            let context = &total.context;
            self.set(&HUB_DESIRED, &hub, context, float(total.desired));
            self.set(&HUB_READY, &hub, context, float(total.ready));
            self.set(&HUB_FAILED, &hub, context, float(total.failed));
            self.set(&QUEUE_DEPTH, &hub, context, float(total.waiting));
        }
        // They are there from the first pass on: what begins with its first event has no increase.
        self.add(&ORPHANS, &hub, "", 0);
    }

    fn record_changes(&mut self, pass: &TenantPass) {
        let (hub, namespace) = (pass.hub.as_str(), pass.namespace.as_str());
        for attempts in &pass.attempts {
            let policy = format!("{:?}", attempts.conflict_policy);
            for (outcome, count) in [
                (Outcome::Success, attempts.succeeded),
                (Outcome::Error, attempts.failed),
            ] {
                let labels = [attempts.kind.as_str(), outcome.as_str(), &policy];
                self.add(&APPLY_ATTEMPTS, &labels, "", count);
            }
        }
        let mut worked: BTreeMap<(&str, &str, &str), (bool, bool)> = BTreeMap::new();
        for change in &pass.changes {
            let context = change.context.as_str();
            if matches!(change.action, Action::Pruned | Action::Released) {
                self.add(&ORPHANS, &[hub, namespace], context, 1);
            }
            if change.repaired {
                self.add(&DRIFT, &[hub, namespace, &change.kind], context, 1);
            }
            let Some(part) = &change.part else { continue };
            let (done, failed) = worked.entry((context, &part.row, &part.form)).or_default();
            match change.action {
                Action::Failed => *failed = true,
                _ => *done = true,
            }
            if let ObjectChange {
                conflicts: true,
                conflict_policy: Some(policy),
                ..
            } = change
            {
                let node = node_name(&part.row, &part.form);
                let labels = [&node, namespace, &change.kind, &format!("{policy:?}")];
                self.add(&CONFLICTS, &labels, context, 1);
                let name = NodeName {
                    context: context.to_owned(),
                    row: part.row.clone(),
                    form: part.form.clone(),
                };
                let met = self.conflicts.entry(name).or_default();
                met.insert((change.kind.clone(), format!("{policy:?}")));
            }
        }
        let known: usize = pass.totals.iter().map(|total| total.desired).sum();
        let looked_at = match pass.outcome {
            Outcome::Error => 0,
            _ => known.saturating_sub(worked.len()),
        };
        let outcome = |done, failed| match (done, failed) {
            (true, true) => Outcome::PartialFailure,
            (false, true) => Outcome::Error,
            (_, false) => Outcome::Success,
        };
        for ((context, ..), (done, failed)) in worked {
            let result = [outcome(done, failed).as_str()];
            self.observe(&RECONCILE_DURATION, &result, context, pass.seconds, 1);
        }
        let result = [Outcome::StatusOnly.as_str()];
        self.observe(&RECONCILE_DURATION, &result, "", pass.seconds, looked_at);
    }

    /// How nodes are; nobody knows it of those in a cluster that was not looked at.
    fn record_nodes(&mut self, pass: &TenantPass) {
        for name in &pass.gone {
            self.forget(name);
            self.nodes.remove(name);
            self.conflicts.remove(name);
        }
        for node in &pass.nodes {
            let name = NodeName {
                context: node.context.clone(),
                row: node.row.clone(),
                form: node.form.clone(),
            };
            self.nodes.insert(name, node.clone());
        }
        let seen: BTreeSet<String> = pass.contexts.iter().cloned().collect();
        pass.nodes.iter().for_each(|node| self.show(node, true));
        for context in self.seen.symmetric_difference(&seen) {
            let nodes = self.nodes.values();
            let nodes = nodes.filter(|node| node.context == *context);
            nodes.for_each(|node| self.show(node, seen.contains(context)));
        }
        self.seen = seen;
    }

    fn show(&self, node: &NodeStatus, is_seen: bool) {
        let (context, tally) = (node.context.as_str(), &node.tally);
        let name = node_name(&node.row, &node.form);
        let labels = [name.as_str(), self.namespace.as_str()];
        let counts = [
            (&RESOURCES_READY, tally.ready),
            (&RESOURCES_DESIRED, tally.desired),
            (&RESOURCES_FAILED, tally.failed + tally.conflicted),
            (&RESOURCES_CONFLICTED, tally.conflicted),
        ];
        for (metric, count) in counts {
            self.set(metric, &labels, context, float(count));
        }
        for condition in &node.conditions {
            let status = match condition.status {
                _ if !is_seen => ConditionStatus::Unknown,
                Status::True => ConditionStatus::True,
                Status::False => ConditionStatus::False,
            };
            let labels = [name.as_str(), &self.namespace, &condition.condition_type];
            self.set(&NODE_CONDITION, &labels, context, status.value().into());
        }
        for reason in DEGRADED {
            let labels = [name.as_str(), &self.namespace, reason];
            let is_it = |condition: &Condition| {
                condition.status == Status::True && condition.reason == reason
            };
            if node.conditions.iter().any(is_it) {
                self.set(&NODE_DEGRADED, &labels, context, 1.0);
            } else {
                self.remove(&NODE_DEGRADED, &labels, context);
            }
        }
    }

    fn forget(&self, name: &NodeName) {
        let node = node_name(&name.row, &name.form);
        let labels = [node.as_str(), self.namespace.as_str()];
        for metric in [
            &RESOURCES_READY,
            &RESOURCES_DESIRED,
            &RESOURCES_FAILED,
            &RESOURCES_CONFLICTED,
        ] {
            self.remove(metric, &labels, &name.context);
        }
        for (kind, policy) in self.conflicts.get(name).into_iter().flatten() {
            let labels = [node.as_str(), &self.namespace, kind, policy];
            self.remove(&CONFLICTS, &labels, &name.context);
        }
        let status = self.nodes.get(name);
        for condition in status.into_iter().flat_map(|status| &status.conditions) {
            let labels = [node.as_str(), &self.namespace, &condition.condition_type];
            self.remove(&NODE_CONDITION, &labels, &name.context);
        }
        for reason in DEGRADED {
            let labels = [node.as_str(), &self.namespace, reason];
            self.remove(&NODE_DEGRADED, &labels, &name.context);
        }
    }
}

/// What the operator names a node.
fn node_name(row: &str, form: &str) -> String {
    format!("{row}-{form}")
}

#[expect(
    clippy::cast_precision_loss,
    reason = "nothing here is counted to 2^52"
)]
fn float(count: usize) -> f64 {
    count as f64
}

/// A line of the text format.
struct Sample<'a> {
    name: &'a str,
    labels: BTreeMap<String, String>,
    value: f64,
}

/// Reads a line of the text format, as [`TextEncoder`] writes it.
fn sample(line: &str) -> Option<Sample<'_>> {
    let (name, rest) = line.split_at(line.find(['{', ' '])?);
    let mut labels = BTreeMap::new();
    let mut rest = match rest.strip_prefix('{') {
        None => rest,
        Some(mut rest) => loop {
            if let Some(end) = rest.strip_prefix('}') {
                break end;
            }
            let (label, text) = rest.split_once("=\"")?;
            let (value, end) = unquoted(text)?;
            labels.insert(label.to_owned(), value);
            rest = text.get(end..)?;
            rest = rest.strip_prefix(',').unwrap_or(rest);
        },
    };
    rest = rest.trim_start();
    let value = rest.split(' ').next()?.parse().ok()?;
    Some(Sample {
        name,
        labels,
        value,
    })
}

/// Reads a text up to its closing quote; returns it, and what stands behind that.
fn unquoted(text: &str) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, at + 1)),
            '\\' => value.push(match characters.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            other => value.push(other),
        }
    }
    None
}

/// The metrics of one run, in a file.
pub(super) struct MetricsFile<'a> {
    file: &'a Path,
    metrics: Metrics,
    ledger: Ledger,
    begun: Instant,
    begun_at: jiff::Timestamp,
}

impl<'a> MetricsFile<'a> {
    /// Reads what an earlier run has counted, and begins.
    ///
    /// # Errors
    /// When there is a file that can't be read.
    pub(super) fn open(file: &'a Path, cx: &Context, request: &DeployDesign) -> Result<Self> {
        let hub = match &request.goal {
            Goal::Rows { tenants, .. } => tenants.hub.clone(),
            _ => None,
        };
        let mut metrics = Metrics::new(request.target.contexts.len() > 1)?;
        metrics.resume(file)?;
        let namespace = request.target.namespace.clone().unwrap_or_default();
        Ok(Self {
            file,
            metrics,
            ledger: Ledger::new(hub.unwrap_or_default(), namespace),
            begun: Instant::now(),
            begun_at: cx.now(),
        })
    }

    /// Adds how the run went, and writes the file.
    ///
    /// # Errors
    /// When it can't be written.
    pub(super) fn write(mut self, result: &Result<DeployResult>) -> Result<()> {
        let pass = self.ledger.add(Ended {
            cause: Cause::Start,
            begun_at: self.begun_at,
            seconds: self.begun.elapsed().as_secs_f64(),
            at: Instant::now().into(),
            read: match result {
                Ok(_) => Reading::Done,
                Err(error) if error.iter().any(is_of_source) => Reading::Failed,
                // Nobody has come as far.
                Err(_) => Reading::Kept,
            },
            is_same: false,
            result: result.as_ref(),
            failures: Vec::new(),
            next_seconds: None,
        });
        self.metrics.record(&pass);
        self.metrics.write(self.file)
    }
}

/// Whether it was the database that failed.
fn is_of_source(error: &Error) -> bool {
    matches!(
        error.code(),
        Code::DatabaseUnreachable
            | Code::DatabaseUntrusted
            | Code::DatabaseDenied
            | Code::TableNotFound
            | Code::ColumnNotFound
            | Code::QueryTimedOut
            | Code::DatabaseRefused
    )
}

#[cfg(test)]
mod tests {
    use weft_domain::{plan::Action, tenant::monitoring::METRICS};

    use super::{Metrics, sample};
    use crate::api::{
        design::{RolloutPhase, RolloutStatus},
        tenant::{
            Attempts, Cause, Conflict, NodeName, NodeStatus, NodeTotals, ObjectChange, Outcome,
            Part, Reading, RowCounts, Summary, Tally, TenantPass,
        },
    };

    fn node(row: &str, tally: Tally) -> NodeStatus {
        NodeStatus {
            context: "sandbox".to_owned(),
            row: row.to_owned(),
            form: "web".to_owned(),
            conditions: tally.conditions(),
            tally,
            reason: String::new(),
        }
    }

    fn pass(outcome: Outcome, nodes: Vec<NodeStatus>) -> TenantPass {
        TenantPass {
            hub: "crm".to_owned(),
            namespace: "t".to_owned(),
            contexts: match outcome {
                Outcome::Error => Vec::new(),
                _ => vec!["sandbox".to_owned()],
            },
            dry_run: String::new(),
            number: 1,
            cause: Cause::Start,
            begun_at: jiff::Timestamp::from_second(1_000).unwrap(),
            seconds: 0.2,
            outcome,
            read: Reading::Done,
            read_seconds: Some(0.03),
            rows: Some(RowCounts {
                read: 3,
                active: 2,
                inactive: 1,
                invalid: 0,
            }),
            summary: Summary::default(),
            changes: Vec::new(),
            attempts: vec![Attempts {
                kind: "ConfigMap".to_owned(),
                conflict_policy: Conflict::Stuck,
                succeeded: 2,
                failed: 0,
            }],
            nodes,
            gone: Vec::new(),
            totals: vec![NodeTotals {
                context: "sandbox".to_owned(),
                desired: 2,
                ready: 1,
                failed: 1,
                waiting: 1,
            }],
            rollouts: Vec::new(),
            deletion_blocked: false,
            problems: Vec::new(),
            failures: Vec::new(),
            next_seconds: None,
        }
    }

    fn tally(ready: usize, failed: usize) -> Tally {
        Tally {
            desired: ready + failed,
            ready,
            failed,
            ..Tally::default()
        }
    }

    fn lines(metrics: &Metrics, beginning: &str) -> Vec<String> {
        let text = metrics.text().unwrap();
        let lines = text.lines().filter(|line| line.starts_with(beginning));
        lines.map(str::to_owned).collect()
    }

    fn change(action: Action, conflicts: bool) -> ObjectChange {
        ObjectChange {
            id: "ConfigMap/t/a".to_owned(),
            context: "sandbox".to_owned(),
            kind: "ConfigMap".to_owned(),
            action,
            reason: String::new(),
            repaired: action == Action::Configured,
            part: Some(Part {
                form: "web".to_owned(),
                row: "a".to_owned(),
                entry: "c".to_owned(),
            }),
            conflicts,
            conflict_policy: Some(Conflict::Stuck),
        }
    }

    #[test]
    fn every_metric_that_is_defined_is_written() {
        let mut metrics = Metrics::new(true).unwrap();
        let mut all = pass(
            Outcome::PartialFailure,
            vec![node("a", tally(1, 0)), node("b", tally(0, 1))],
        );
        all.changes = vec![
            change(Action::Configured, false),
            change(Action::Pruned, false),
            change(Action::Failed, true),
        ];
        all.rollouts = vec![RolloutStatus {
            form: "web".to_owned(),
            context: "sandbox".to_owned(),
            phase: RolloutPhase::InProgress,
            max_skew: 1,
            rows: 4,
            updated: 1,
            updating: 1,
            message: String::new(),
        }];
        metrics.record(&all);
        let text = metrics.text().unwrap();
        for metric in METRICS {
            let beginning = format!("# TYPE {} ", metric.name);
            assert!(text.contains(&beginning), "{} in\n{text}", metric.name);
        }
        let progress =
            r#"lynqform_rollout_progress{context="sandbox",form="web",namespace="t"} 25"#;
        assert!(text.contains(progress), "{text}");
        let conflicts = r#"lynqnode_conflicts_total{conflict_policy="Stuck",context="sandbox",lynqnode="a-web",namespace="t",resource_kind="ConfigMap"} 1"#;
        assert!(text.contains(conflicts), "{text}");
    }

    #[test]
    fn series_come_and_go_with_their_nodes() {
        let mut metrics = Metrics::new(false).unwrap();
        let nodes = vec![node("a", tally(1, 0)), node("b", tally(0, 1))];
        metrics.record(&pass(Outcome::PartialFailure, nodes));
        let ready = r#"lynqnode_condition_status{lynqnode="a-web",namespace="t",type="Ready"} 1"#;
        assert_eq!(lines(&metrics, ready).len(), 1);
        let degraded = r#"lynqnode_degraded_status{lynqnode="b-web",namespace="t",reason="ResourceFailures"} 1"#;
        assert_eq!(lines(&metrics, "lynqnode_degraded_status"), [degraded]);
        assert_eq!(
            lines(&metrics, r#"hub_failed{hub="crm",namespace="t"} 1"#).len(),
            1
        );

        let mut next = pass(Outcome::Success, vec![node("a", tally(1, 0))]);
        next.gone = vec![NodeName {
            context: "sandbox".to_owned(),
            row: "b".to_owned(),
            form: "web".to_owned(),
        }];
        metrics.record(&next);
        let text = metrics.text().unwrap();
        assert!(!text.contains("b-web"), "{text}");
        let last =
            r#"weftctl_tenant_last_success_timestamp_seconds{hub="crm",namespace="t"} 1000.2"#;
        assert_eq!(lines(&metrics, last).len(), 1);
    }

    #[test]
    fn after_a_pass_that_failed_nobody_knows_how_nodes_are_until_the_next() {
        let mut metrics = Metrics::new(false).unwrap();
        metrics.record(&pass(Outcome::Success, vec![node("a", tally(1, 0))]));
        let ready = r#"lynqnode_condition_status{lynqnode="a-web",namespace="t",type="Ready"}"#;
        let value = |metrics: &Metrics| {
            lines(metrics, ready)[0]
                .split(' ')
                .next_back()
                .map(str::to_owned)
        };
        assert_eq!(value(&metrics).as_deref(), Some("1"));
        metrics.record(&pass(Outcome::Error, Vec::new()));
        assert_eq!(value(&metrics).as_deref(), Some("2"));
        // It is as it was, so that nothing is told of it.
        metrics.record(&pass(Outcome::Success, Vec::new()));
        assert_eq!(value(&metrics).as_deref(), Some("1"));
    }

    #[test]
    fn nobody_knows_how_nodes_of_a_cluster_are_that_is_away() {
        let mut metrics = Metrics::new(true).unwrap();
        let there = node("a", tally(1, 0));
        let away = NodeStatus {
            context: "far".to_owned(),
            ..there.clone()
        };
        let mut both = pass(Outcome::Success, vec![there, away]);
        both.contexts.push("far".to_owned());
        metrics.record(&both);
        let ready = |metrics: &Metrics| {
            let lines = lines(metrics, "lynqnode_condition_status{");
            let lines = lines
                .into_iter()
                .filter(|line| line.contains(r#"type="Ready""#));
            let values = lines.map(|line| line.rsplit(' ').next().map(str::to_owned));
            values.flatten().collect::<Vec<_>>().join(" ")
        };
        // By name: far, sandbox.
        assert_eq!(ready(&metrics), "1 1");
        metrics.record(&pass(Outcome::PartialFailure, Vec::new()));
        assert_eq!(ready(&metrics), "2 1");
        both.nodes.clear();
        metrics.record(&both);
        assert_eq!(ready(&metrics), "1 1");
    }

    #[test]
    fn the_next_run_goes_on_counting() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("crm.prom");
        let attempts =
            r#"apply_attempts_total{conflict_policy="Stuck",kind="ConfigMap",result="success"}"#;
        for count in [2, 4, 6] {
            let mut metrics = Metrics::new(false).unwrap();
            metrics.resume(&file).unwrap();
            metrics.record(&pass(Outcome::Success, Vec::new()));
            metrics.write(&file).unwrap();
            assert_eq!(lines(&metrics, attempts), [format!("{attempts} {count}")]);
        }
        // A run that fails leaves the time of the last that did not.
        let mut metrics = Metrics::new(false).unwrap();
        metrics.resume(&file).unwrap();
        metrics.record(&pass(Outcome::Error, Vec::new()));
        let last = lines(&metrics, "weftctl_tenant_last_success");
        assert!(last[0].ends_with(" 1000.2"), "{last:?}");
    }

    #[test]
    fn lines_are_read_as_they_are_written() {
        let read = |line| {
            let sample = sample(line)?;
            let labels = sample.labels.into_iter();
            let labels = labels.map(|(label, value)| format!("{label}={value}"));
            Some((
                sample.name,
                labels.collect::<Vec<_>>().join(";"),
                sample.value,
            ))
        };
        assert_eq!(read("a 1"), Some(("a", String::new(), 1.0)));
        let odd = read(r#"a{b="x\\y\"z}\nw",c="é, d=\"1\""} 2.5"#);
        assert_eq!(
            odd,
            Some(("a", "b=x\\y\"z}\nw;c=é, d=\"1\"".to_owned(), 2.5))
        );
        assert_eq!(read(r#"a{b="x"} 3 17"#), Some(("a", "b=x".to_owned(), 3.0)));
        for broken in ["", "a", "a{", "a{b}", r#"a{b="x"#, r#"a{b="x"}"#, "a x"] {
            assert_eq!(read(broken), None, "{broken:?}");
        }
    }
}
