//! `tenant watch`: keeps clusters as the rows of a hub say.

use std::{
    collections::HashSet,
    fmt::Write,
    net::SocketAddr,
    ops::ControlFlow,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use weft_domain::plan::Action;

use super::{
    TenantArgs,
    endpoints::{Endpoints, Health},
    metrics::Metrics,
};
use crate::{
    api::{
        deploy::{DeployOptions, Mode},
        tenant::{
            Cause, MaxDelete, ObjectChange, Outcome as PassOutcome, Reading, TenantPass, WatchPart,
            WatchTenants,
        },
    },
    commands::{
        Outcome,
        design::cluster::{MayArgs, PaceArgs, TargetArgs, seconds},
    },
    context::Context,
    error::{Error, Result},
    output::{self, Delivered, Format, Human, Printable, View, escape, human::plural},
};

/// Keep the cluster as the rows say, until interrupted.
///
/// The rows are read again and again, at the hub's interval. Objects that somebody changes or deletes are
/// repaired at once, but for fields that controllers write through a subresource, such as the replicas of an
/// autoscaler. What fails is tried again after ever longer waits. While the database is away, nothing is
/// removed. Hub, forms and files with passwords are read at the start only. It prints a line for each pass that
/// has changed something, or with -o json a document for each.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl tenant watch ./crm --listen 127.0.0.1:0 --passes 1\n  weftctl tenant watch ./crm --interval 10s --max-delete 25% --passes 2 -o json\n\nWith --listen it serves /metrics for Prometheus, and /healthz and /readyz for probes; alerts and a dashboard\nfor these metrics come from weftctl tenant export."
)]
pub(super) struct Watch {
    #[command(flatten)]
    tenants: TenantArgs,
    /// How often the rows are read, as 30s or 5m; as the hub says unless given
    #[arg(long, value_name = "DURATION", value_parser = seconds)]
    interval: Option<f64>,
    /// How often all rows are read, where the hub names a column that says which have changed; 10m unless
    /// given there or here
    #[arg(long, value_name = "DURATION", value_parser = seconds, hide_short_help = true)]
    full_interval: Option<f64>,
    /// End after so many passes
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    passes: Option<u64>,
    /// How many rows may lose their objects in one pass: a count, or a share as 25%; 10% unless given, and
    /// none when no row is active
    #[arg(long, value_name = "ROWS")]
    max_delete: Option<MaxDelete>,
    /// Leave fields to others that they have changed since they were written, unless a form says conflictPolicy:
    /// Force
    #[arg(long, hide_short_help = true)]
    no_repair: bool,
    /// Only say what each pass would do: plan from what is seen in the cluster, or ask the API server, too
    #[arg(long, value_name = "WHERE", value_parser = ["client", "server"], conflicts_with_all = ["listen", "metrics_file"])]
    dry_run: Option<String>,
    /// Serve metrics and health there; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Write metrics to a file after each pass, for a collector of text files
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath, hide_short_help = true)]
    metrics_file: Option<PathBuf>,
    #[command(flatten)]
    may: MayArgs,
    #[command(flatten)]
    pace: PaceArgs,
    /// How long a pass waits for objects that others depend on, and for deletions; what has not come by then is
    /// for one of the next passes
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = seconds, hide_short_help = true)]
    timeout: f64,
    #[command(flatten)]
    target: TargetArgs,
}

impl Watch {
    /// Goes on until told to stop.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let target = self.target.target(cx, self.tenants.namespace(cx))?;
        let several = target.contexts.len() > 1;
        let options = DeployOptions {
            repair: !self.no_repair,
            timeout_seconds: self.timeout,
            ..self.pace.options(self.may.options())
        };
        // A pass reads the rows, and may be done again without removals.
        let patience = 2 * options.timeout() + Duration::from_mins(2);
        let request = WatchTenants {
            tenants: self.tenants.load(cx, &target).await?,
            target,
            options,
            max_delete: self.max_delete,
            interval_seconds: self.interval,
            full_interval_seconds: self.full_interval,
            passes: self.passes,
            mode: match self.dry_run.as_deref() {
                None => Mode::Perform,
                Some("server") => Mode::DryRun,
                Some(_) => Mode::Plan,
            },
        };
        let metrics = Arc::new(Mutex::new(Metrics::new(several)?));
        let health = Arc::new(Mutex::new(Health::new(patience)));
        let endpoints = match self.listen {
            None => None,
            Some(address) => {
                let endpoints = Endpoints::start(address, metrics.clone(), health.clone()).await?;
                cx.terminal
                    .note(format!("serving http://{}", endpoints.address));
                Some(endpoints)
            }
        };
        if let Some(file) = &self.metrics_file {
            lock(&metrics).resume(file)?;
        }
        let mut printer = Printer {
            cx,
            told: HashSet::new(),
            changes: Vec::new(),
        };
        let client = cx.client().await?;
        let watched = client.stream(&request, |part| {
            let pass = match part {
                WatchPart::Pass(pass) => pass,
                WatchPart::Note { message } => {
                    cx.terminal.note(message);
                    return Ok(ControlFlow::Continue(()));
                }
            };
            lock(&metrics).record(&pass);
            lock(&health).record(&pass);
            if let Some(file) = &self.metrics_file
                && let Err(error) = lock(&metrics).write(file)
            {
                // The next pass writes it anew.
                cx.terminal.warn(error.in_one_line());
            }
            Ok(match printer.print(&pass)? {
                Delivered::All => ControlFlow::Continue(()),
                Delivered::ReaderLeft => ControlFlow::Break(()),
            })
        });
        let watched = watched.await;
        if let Some(endpoints) = endpoints {
            endpoints.stop().await;
        }
        // A pass that is under way ends after what is in flight.
        watched.map_err(|error| cx.interrupted().unwrap_or(error))?;
        Ok(Outcome::shown())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many objects of a pass are listed.
const LISTED: usize = 20;

struct Printer<'a> {
    cx: &'a Context,
    /// What went wrong in the pass before.
    told: HashSet<String>,
    /// What was done in it, or tried in vain.
    changes: Vec<ObjectChange>,
}

impl Printer<'_> {
    /// Prints a pass, unless there is nothing to say of it.
    fn print(&mut self, pass: &TenantPass) -> Result<Delivered> {
        let failures = Error::of_bodies(&pass.failures);
        let failures: Vec<String> = failures.iter().map(Error::in_one_line).collect();
        let unknown = failures
            .iter()
            .filter(|failure| !self.told.contains(*failure));
        for failure in unknown {
            self.cx.terminal.warn(failure.as_str());
        }
        self.told = failures.into_iter().collect();
        match self.cx.format {
            Format::Table | Format::Wide => {}
            Format::Json => return self.cx.print(|out| pass.write_json_line(out)),
            _ => return Ok(output::print(pass, &self.cx.format, &self.cx.terminal)?),
        }
        let before = std::mem::replace(&mut self.changes, pass.changes.clone());
        // What fails, and what a dry run finds, is found again and again.
        let is_done =
            |change: &ObjectChange| change.action != Action::Failed && pass.dry_run.is_empty();
        let is_news = pass.changes.iter().any(is_done) || before != pass.changes;
        let is_quiet = pass.changes.is_empty() || !is_news;
        if pass.cause != Cause::Start && is_quiet && pass.nodes.is_empty() {
            return Ok(Delivered::All);
        }
        let text = text(pass);
        self.cx
            .print(|out| out.write_all(escape::block(&text).as_bytes()))
    }
}

/// A pass in a line, and its objects below.
fn text(pass: &TenantPass) -> String {
    let mut line = format!(
        "{:.0} {}:",
        pass.begun_at,
        match pass.cause {
            Cause::Start => "start",
            Cause::Resync => "resync",
            Cause::Drift => "drift",
            Cause::Retry => "retry",
        }
    );
    if let (Some(rows), Reading::Done) = (&pass.rows, pass.read) {
        let _ = write!(line, " {} of {},", rows.active, plural(rows.read, "row"));
    }
    for (action, count) in pass.summary.counts() {
        let _ = write!(line, " {action} {count},");
    }
    let (mut ready, mut desired) = (0, 0);
    for total in &pass.totals {
        ready += total.ready;
        desired += total.desired;
    }
    let _ = write!(line, " ready {ready} of {}", plural(desired, "node"));
    if pass.deletion_blocked {
        line.push_str(", nothing was removed");
    }
    if pass.outcome == PassOutcome::Error {
        line.push_str(", failed");
    }
    let mark = if pass.dry_run.is_empty() {
        ""
    } else {
        " (dry run)"
    };
    let _ = writeln!(line, " ({:.1} s){mark}", pass.seconds);
    for change in pass.changes.iter().take(LISTED) {
        let action = if change.repaired {
            "repaired"
        } else {
            change.action.name()
        };
        let _ = write!(line, "  {action} {}", change.id);
        if let Some(part) = &change.part {
            let _ = write!(line, ", row {:?}, form {}", part.row, part.form);
        }
        if change.action == Action::Failed {
            let _ = write!(line, ": {}", change.reason);
        }
        line.push('\n');
    }
    if pass.changes.len() > LISTED {
        let _ = writeln!(line, "  and {} more", pass.changes.len() - LISTED);
    }
    line
}

impl View for TenantPass {
    const KIND: &'static str = "TenantPass";

    fn human(&self) -> Human {
        Human::Text(text(self))
    }

    fn names(&self) -> Vec<String> {
        vec![format!("hub/{}", self.hub)]
    }
}
