//! `tenant export`: what looks after the metrics of `tenant`.

use std::path::Path;

use serde::Serialize;
use weft_domain::{
    tenant::monitoring::{
        alerts::{Options, Thresholds, prometheus_rule, rules_file},
        dashboard::dashboard,
    },
    yaml,
};

use crate::{
    api::design::File,
    commands::{
        DryRun, Outcome,
        files::{Shape, Target},
    },
    context::Context,
    error::{Code, Error, Result},
    output::{Human, View},
};

/// Write a Grafana dashboard, or alert rules, for the metrics of tenants.
///
/// Both are made of the same definitions as the metrics themselves, so that they ask for nothing that
/// is never written. --to - prints the text.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl tenant export dashboard --to dashboard.json\n  weftctl tenant export alerts --to alerts.yaml --threshold error-ratio=0.05\n  weftctl tenant export alerts --as prometheus-rule --to -"
)]
pub(super) struct Export {
    /// What to write
    #[arg(value_enum)]
    what: What,
    /// Where to: a file, or - for standard output
    #[arg(long, value_name = "PATH", value_hint = clap::ValueHint::FilePath)]
    to: String,
    /// The form of alerts: a rules file of Prometheus, or an object for its operator
    #[arg(long = "as", value_name = "FORM", value_parser = ["rules", "prometheus-rule"], default_value = "rules")]
    form: String,
    /// The namespace of that object
    #[arg(short, long, value_name = "NAME")]
    namespace: Option<String>,
    /// When alerts fire (repeatable): many-failed, failed-ratio, conflict-rate, error-ratio, slow-seconds,
    /// apply-error-ratio or silent-seconds
    #[arg(long = "threshold", value_name = "NAME=VALUE", value_parser = threshold)]
    thresholds: Vec<(String, f64)>,
    /// Where runbooks are; the name of the alert is added
    #[arg(long, value_name = "URL")]
    runbooks: Option<String>,
    /// Replace the file
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    dry_run: DryRun,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// A dashboard of Grafana, as JSON
    Dashboard,
    /// Rules of Prometheus, as YAML
    Alerts,
}

/// What was written.
#[derive(Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExportResult {
    /// Always `created`.
    action: &'static str,
    /// The file.
    file: String,
    /// Whether nothing was written because of `--dry-run`.
    dry_run: bool,
}

/// Reads `NAME=VALUE`.
fn threshold(text: &str) -> std::result::Result<(String, f64), String> {
    let (name, value) = text.split_once('=').ok_or("must be NAME=VALUE")?;
    let value = value
        .parse()
        .map_err(|_| format!("{value:?} is not a number"))?;
    let known = set(&mut Thresholds::default(), name, value);
    known
        .map(|()| (name.to_owned(), value))
        .ok_or_else(|| format!("there is no threshold {name:?}"))
}

/// Sets a threshold; none when there is none of that name.
fn set(thresholds: &mut Thresholds, name: &str, value: f64) -> Option<()> {
    let place = match name {
        "many-failed" => {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "what is no count becomes the nearest one"
            )]
            let count = value as u32;
            thresholds.many_failed = count;
            return Some(());
        }
        "failed-ratio" => &mut thresholds.failed_ratio,
        "conflict-rate" => &mut thresholds.conflict_rate,
        "error-ratio" => &mut thresholds.error_ratio,
        "slow-seconds" => &mut thresholds.slow_seconds,
        "apply-error-ratio" => &mut thresholds.apply_error_ratio,
        "silent-seconds" => &mut thresholds.silent_seconds,
        _ => return None,
    };
    *place = value;
    Some(())
}

impl Export {
    /// Writes the file, or prints it.
    pub(super) fn run(self, cx: &Context) -> Result<Outcome> {
        cx.config.refuse_server()?;
        let text = self.text()?;
        if self.to == "-" {
            // A reader who left has what it wanted.
            let _delivered = cx.print(|out| out.write_all(text.as_bytes()))?;
            return Ok(Outcome::shown());
        }
        let target = Target {
            to: Path::new(&self.to),
            shape: Shape::File,
            force: self.force,
            private: false,
        };
        let dry_run = self.dry_run.is_set();
        if !dry_run {
            let path = self.to.clone();
            target.write(&[File { path, text }])?;
        }
        Ok(Outcome::from(ExportResult {
            action: "created",
            file: self.to,
            dry_run,
        }))
    }

    fn text(&self) -> Result<String> {
        if self.what == What::Dashboard {
            let text = serde_json::to_string_pretty(&dashboard());
            let text = text
                .map_err(|error| Error::internal("the dashboard has no JSON form").because(error));
            return Ok(text? + "\n");
        }
        let mut thresholds = Thresholds::default();
        for (name, value) in &self.thresholds {
            set(&mut thresholds, name, *value);
        }
        let bad = |error| Error::new(Code::Usage, "an alert could never fire").because(error);
        thresholds.check().map_err(bad)?;
        let options = Options {
            thresholds,
            runbooks: self.runbooks.as_deref(),
        };
        let rules = match self.form.as_str() {
            "rules" => rules_file(&options),
            _ => prometheus_rule(&options, self.namespace.as_deref()),
        };
        Ok(yaml::to_string(&rules))
    }
}

impl View for ExportResult {
    const KIND: &'static str = "TenantExportResult";

    fn human(&self) -> Human {
        let mark = if self.dry_run { " (dry run)" } else { "" };
        Human::Text(format!("wrote {}{mark}\n", self.file))
    }

    fn names(&self) -> Vec<String> {
        vec![format!("file/{}", self.file)]
    }
}
