//! What the verbs that reach clusters share: which clusters, what is allowed, and how a run is
//! shown, confirmed and ended.

use std::collections::BTreeSet;

use weft_domain::{
    duration,
    plan::{Action, severe},
};

use super::source::{ClusterArgs, namespace};
use crate::{
    api::{
        deploy::{Consent, DeployDesign, DeployOptions, Goal, Mode, Target},
        design::{DeployResult, RolloutPhase, RolloutStatus},
    },
    commands::{Outcome, completion, confirm, name_of},
    context::Context,
    error::{Code, Error, Result},
    output::{Answers, Severity},
};

/// Where a set is kept.
#[derive(clap::Args, Debug, Default)]
pub(in crate::commands) struct TargetArgs {
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Where the inventory is kept when the design brings its own namespace
    #[arg(
        long,
        value_name = "NAMESPACE",
        help_heading = "Cluster options",
        hide_short_help = true
    )]
    inventory_namespace: Option<String>,
}

impl TargetArgs {
    /// The clusters, and the namespace of resources that name none.
    pub(in crate::commands) fn target(
        &self,
        cx: &Context,
        namespace: Option<String>,
    ) -> Result<Target> {
        Ok(Target {
            inventory_namespace: self.inventory_namespace.clone(),
            ..self.cluster.target(cx, namespace)?
        })
    }

    /// Whether a cluster is named on the command line.
    pub(super) fn is_given(&self) -> bool {
        self.cluster.is_given() || self.inventory_namespace.is_some()
    }

    /// The contexts alone.
    pub(super) fn known(&self, cx: &Context) -> Result<Vec<String>> {
        self.cluster.known(cx)
    }
}

/// A deployed design, by its name alone.
#[derive(clap::Args, Debug)]
pub(super) struct SetArgs {
    /// The name of the design
    #[arg(add = completion::stored(), value_parser = name_of("design"))]
    pub(super) name: String,
    /// The namespace that the design was deployed with
    #[arg(short, long)]
    namespace: Option<String>,
    #[command(flatten)]
    target: TargetArgs,
}

impl SetArgs {
    /// Where it is.
    pub(super) fn target(&self, cx: &Context) -> Result<Target> {
        let namespace = namespace(cx, self.namespace.as_deref());
        self.target.target(cx, namespace)
    }
}

/// A change of a deployed design that is named without its source.
#[derive(clap::Args, Debug)]
pub(super) struct ChangeArgs {
    /// Only say what would happen: client plans from what is seen in the cluster, server asks the API
    /// server for each write, too
    #[arg(long, value_name = "WHERE", value_parser = ["client", "server"])]
    dry_run: Option<String>,
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    set: SetArgs,
}

impl ChangeArgs {
    /// Shows what would change, asks, then does just that.
    ///
    /// # Errors
    /// As [`RunArgs::perform`].
    pub(super) async fn run(
        self,
        cx: &Context,
        options: DeployOptions,
        goal: impl FnOnce(String) -> Goal,
    ) -> Result<Outcome> {
        let target = self.set.target(cx)?;
        let request = DeployDesign::new(goal(self.set.name), target, self.run.options(options));
        match self.dry_run.as_deref() {
            None => {}
            Some("server") => return shown(cx, request, Mode::DryRun).await,
            Some(_) => return shown(cx, request, Mode::Plan).await,
        }
        self.run.perform(cx, request, true).await
    }
}

/// What may be changed on the way to a design, and whether its readiness is awaited.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Deployment options")]
pub(super) struct WriteArgs {
    /// Wait until everything is ready
    #[arg(long, overrides_with = "no_wait")]
    wait: bool,
    /// End when everything is written; the default
    #[arg(long, overrides_with = "wait", hide_short_help = true)]
    no_wait: bool,
    #[command(flatten)]
    may: MayArgs,
}

impl WriteArgs {
    /// The options that they stand for.
    pub(super) fn options(&self) -> DeployOptions {
        DeployOptions {
            wait: self.wait && !self.no_wait,
            ..self.may.options()
        }
    }
}

/// What may be changed on the way.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Deployment options")]
pub(in crate::commands) struct MayArgs {
    /// Take over objects that exist without us
    #[arg(long)]
    adopt: bool,
    /// Delete and create anew what can't be changed
    #[arg(long)]
    replace: bool,
    /// Take fields over that other managers own
    #[arg(long)]
    force_conflicts: bool,
}

impl MayArgs {
    /// The options that they stand for.
    pub(in crate::commands) fn options(&self) -> DeployOptions {
        DeployOptions {
            adopt: self.adopt,
            replace: self.replace,
            force_conflicts: self.force_conflicts,
            ..DeployOptions::default()
        }
    }
}

/// How fast a run goes.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Deployment options")]
pub(in crate::commands) struct PaceArgs {
    /// How many requests are in flight at a time
    #[arg(long, value_name = "COUNT", default_value = "16", hide_short_help = true, value_parser = clap::value_parser!(u16).range(1..=256))]
    concurrency: u16,
}

impl PaceArgs {
    /// The options with what they add.
    pub(in crate::commands) fn options(&self, options: DeployOptions) -> DeployOptions {
        DeployOptions {
            concurrency: usize::from(self.concurrency),
            ..options
        }
    }
}

/// How a run goes.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Deployment options")]
pub(in crate::commands) struct RunArgs {
    #[command(flatten)]
    pace: PaceArgs,
    /// How long all waits may take, deletions included, as 90s or 5m
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = seconds)]
    timeout: f64,
    /// Don't ask, unless much would be lost
    #[arg(short, long)]
    yes: bool,
    /// The design's name once more, where much is lost and nobody can be asked: a namespace, a
    /// definition, a volume claim, or more than 100 objects
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    confirm: Option<String>,
}

/// Reads a duration, in seconds.
pub(in crate::commands) fn seconds(text: &str) -> Result<f64, String> {
    let limit = duration::parse(text).ok_or_else(|| format!("must be {}", duration::EXPECTED))?;
    Ok(limit.as_secs_f64())
}

impl RunArgs {
    /// The options with what they add.
    pub(in crate::commands) fn options(&self, options: DeployOptions) -> DeployOptions {
        DeployOptions {
            timeout_seconds: self.timeout,
            ..self.pace.options(options)
        }
    }

    /// Performs a run, and shows what it did; see [`RunArgs::performed`].
    ///
    /// # Errors
    /// When nothing could be done; what went wrong with parts is in the outcome.
    pub(in crate::commands) async fn perform(
        &self,
        cx: &Context,
        request: DeployDesign,
        destroys: bool,
    ) -> Result<Outcome> {
        let action = request.goal.action();
        let result = self.performed(cx, request, destroys).await?;
        Ok(finished(cx, result, action))
    }

    /// Performs a run. What would destroy something is shown and confirmed before, and only that is
    /// then done. With `destroys` that is looked for first; otherwise only where it comes to light.
    ///
    /// # Errors
    /// When nothing could be done; what went wrong with parts is in the result.
    pub(in crate::commands) async fn performed(
        &self,
        cx: &Context,
        mut request: DeployDesign,
        destroys: bool,
    ) -> Result<DeployResult> {
        request.consent = Some(Consent {
            // A saved plan has been seen.
            yes: self.yes || !request.expected.is_empty(),
            name: self.confirm.clone(),
        });
        if self.yes || self.confirm.is_some() || !destroys {
            match cx.run(&request).await {
                Err(error) if error.iter().any(is_unconfirmed) => {}
                result => return result,
            }
        }
        let look = DeployDesign {
            mode: Mode::Plan,
            consent: None,
            ..request.clone()
        };
        let plan = cx.run(&look).await?;
        if self.ask(cx, &plan)? {
            request.consent = None;
            if request.expected.is_empty() {
                request.expected = plan.fingerprints;
            }
        }
        cx.run(&request).await
    }

    /// Shows what a plan takes away, and asks; tells whether there was anything to ask.
    fn ask(&self, cx: &Context, plan: &DeployResult) -> Result<bool> {
        let lost: Vec<String> = plan
            .resources
            .iter()
            .filter(|resource| {
                matches!(
                    resource.action,
                    Action::Pruned | Action::Released | Action::Replaced
                )
            })
            .map(|resource| format!("  {} {}", resource.action, resource.id))
            .collect();
        if lost.is_empty() {
            return Ok(false);
        }
        cx.terminal
            .lines(lost.iter().map(|line| line.as_str().into()));
        let answers = Answers {
            // The name says more than a yes.
            yes: self.yes || self.confirm.is_some(),
            confirm: self.confirm.clone(),
        };
        let actions = plan.resources.iter();
        let actions = actions.map(|resource| (resource.action, resource.id.as_str()));
        let counts = crate::output::human::plural(lost.len(), "object");
        // A name that is given is never beside the point.
        let is_other = |given: &String| *given != plan.design;
        let is_other = self.confirm.as_ref().is_some_and(is_other);
        // What rows take away is bounded by --max-delete.
        let severe = severe(actions).filter(|_| plan.rows.is_none());
        let severe = severe.or_else(|| is_other.then(|| counts.clone()));
        if let Some(severe) = severe {
            let question = format!("Go on with {} and delete {severe}?", plan.design);
            confirm(cx, &answers, &question, Severity::Severe(&plan.design))?;
        } else {
            let question = format!("Go on with {} and change {counts}?", plan.design);
            confirm(cx, &answers, &question, Severity::Destructive)?;
        }
        Ok(true)
    }
}

fn is_unconfirmed(error: &Error) -> bool {
    error.code() == Code::ConfirmationNeeded
}

/// How a run ends, with what it noticed said.
pub(in crate::commands) fn finished(cx: &Context, result: DeployResult, action: &str) -> Outcome {
    tell(cx, &result);
    ended(result, action)
}

/// Asks what would be done, and shows it.
///
/// # Errors
/// When a cluster can't be asked, or nothing may be done.
pub(in crate::commands) async fn shown(
    cx: &Context,
    request: DeployDesign,
    mode: Mode,
) -> Result<Outcome> {
    let plan = cx.run(&DeployDesign { mode, ..request }).await?;
    tell(cx, &plan);
    Ok(with_failures(plan))
}

/// A plan, with what could not be planned as its error.
pub(in crate::commands) fn with_failures(plan: DeployResult) -> Outcome {
    let errors = Error::of_bodies(&plan.failures);
    Outcome::from(plan).short_of(errors)
}

/// Says what the run noticed.
pub(in crate::commands) fn tell(cx: &Context, result: &DeployResult) {
    super::tell(cx, &result.notes);
    for warning in &result.warnings {
        cx.terminal.warn(warning.to_string());
    }
    let unfinished = result.rollouts.iter();
    for rollout in unfinished.filter(|rollout| rollout.phase != RolloutPhase::Complete) {
        let RolloutStatus {
            form,
            updated,
            rows,
            updating,
            ..
        } = rollout;
        cx.terminal.warn(format!(
            "form {form:?}: {updated} of {rows} rows are as they shall be, and {updating} have begun to change"
        ));
    }
}

/// How a run ends: by what failed, and by how much of it was done all the same.
fn ended(result: DeployResult, action: &str) -> Outcome {
    let errors = Error::of_bodies(&result.failures);
    let has = |code| errors.iter().any(|error| error.code() == code);
    let is_waiting = |error: &Error| matches!(error.code(), Code::NotReady | Code::Failed);
    let is_partial = !errors.iter().all(is_waiting) && !has(Code::Interrupted);
    let is_done = |action| !matches!(action, Action::Failed | Action::Skipped);
    let done = result.resources.iter();
    let done = done.filter(|resource| is_done(resource.action)).count();
    let total = result.resources.len();
    let asked: BTreeSet<&String> = errors
        .iter()
        .filter_map(|error| error.place().context.as_ref())
        .chain(&result.contexts)
        .collect();
    let clusters = match asked.len() - result.contexts.len().min(asked.len()) {
        0 => String::new(),
        away => format!("; nothing is known of {away} of {} clusters", asked.len()),
    };
    let withheld = match result.problems.len() {
        0 => String::new(),
        count => format!(
            "; {} of rows can't be used",
            crate::output::human::plural(count, "part")
        ),
    };
    let outcome = Outcome::from(result);
    let Some(error) = Error::all(errors) else {
        return outcome;
    };
    if !is_partial || done == 0 {
        return outcome.but(error);
    }
    let message =
        format!("{action}: {done} of {total} objects are as they should be{withheld}{clusters}");
    outcome.but(Error::new(Code::Partial, message).along_with(error))
}
