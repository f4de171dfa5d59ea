//! What the verbs that reach clusters share: which clusters, what is allowed, and how a run is
//! shown, confirmed and ended.

use weft_domain::{duration, plan::Action};

use super::source::ClusterArgs;
use crate::{
    api::{
        deploy::{DeployDesign, DeployOptions, Goal, Mode, Target},
        design::DeployResult,
    },
    commands::{Outcome, confirm},
    context::Context,
    error::{Code, Error, Result},
    output::{Answers, Severity},
};

/// Where a set is kept.
#[derive(clap::Args, Debug, Default)]
pub(super) struct TargetArgs {
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
    pub(super) fn target(&self, cx: &Context, namespace: Option<String>) -> Result<Target> {
        Ok(Target {
            contexts: self.cluster.known(cx)?,
            kubeconfig: self
                .cluster
                .kubeconfig
                .as_ref()
                .map(|path| path.display().to_string()),
            namespace,
            inventory_namespace: self.inventory_namespace.clone(),
        })
    }

    /// The contexts alone.
    pub(super) fn known(&self, cx: &Context) -> Result<Vec<String>> {
        self.cluster.known(cx)
    }
}

/// The namespace of a set that is named without its design.
#[derive(clap::Args, Debug, Default)]
pub(super) struct NamespaceArgs {
    /// The namespace that the design was deployed with
    #[arg(short, long)]
    namespace: Option<String>,
}

impl NamespaceArgs {
    /// The flag's, else the configured one.
    pub(super) fn get(&self, cx: &Context) -> Option<String> {
        let namespace = self.namespace.as_deref();
        let namespace = namespace.unwrap_or_else(|| cx.config.get("namespace"));
        (!namespace.is_empty()).then(|| namespace.to_owned())
    }
}

/// What a run may do.
#[derive(clap::Args, Debug, Default)]
#[command(next_help_heading = "Deployment options")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct RunArgs {
    /// Wait until everything is ready
    #[arg(long)]
    wait: bool,
    /// How long, for example 90s or 5m
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = seconds)]
    timeout: f64,
    /// Delete and create anew what can't be changed
    #[arg(long)]
    replace: bool,
    /// Take fields over that other managers own
    #[arg(long)]
    force_conflicts: bool,
    /// Another field manager than the set's own
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    field_manager: Option<String>,
    /// How many requests are in flight at a time
    #[arg(long, value_name = "COUNT", default_value = "16", hide_short_help = true, value_parser = clap::value_parser!(u16).range(1..=256))]
    concurrency: u16,
    /// Don't ask
    #[arg(short, long)]
    yes: bool,
}

fn seconds(text: &str) -> Result<f64, String> {
    let limit = duration::parse(text).ok_or_else(|| format!("must be {}", duration::EXPECTED))?;
    Ok(limit.as_secs_f64())
}

impl RunArgs {
    /// The options that they stand for.
    pub(super) fn options(&self) -> DeployOptions {
        DeployOptions {
            replace: self.replace,
            force_conflicts: self.force_conflicts,
            field_manager: self.field_manager.clone(),
            concurrency: usize::from(self.concurrency),
            wait: self.wait,
            timeout_seconds: self.timeout,
            ..DeployOptions::default()
        }
    }

    /// Performs a run. What would destroy something is shown and confirmed before, and only that is
    /// then done.
    ///
    /// # Errors
    /// When nothing could be done; what went wrong with parts is in the outcome.
    pub(super) async fn perform(
        &self,
        cx: &Context,
        mut request: DeployDesign,
        destroys: bool,
    ) -> Result<Outcome> {
        if destroys && !self.yes {
            request.mode = Mode::Plan;
            let plan = cx.run(&request).await?;
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
            if !lost.is_empty() {
                cx.terminal
                    .lines(lost.iter().map(|line| line.as_str().into()));
                let answers = Answers {
                    yes: false,
                    confirm: None,
                };
                let counts = crate::output::human::plural(lost.len(), "object");
                let question = format!("Go on with {} and change {counts}?", plan.design);
                confirm(cx, &answers, &question, Severity::Destructive)?;
            }
            request.expected = plan.fingerprints;
            request.mode = Mode::Perform;
        }
        let result = cx.run(&request).await?;
        tell(cx, &result);
        Ok(ended(result, &request.goal))
    }
}

/// Says what the run noticed.
pub(super) fn tell(cx: &Context, result: &DeployResult) {
    super::tell(cx, &result.notes);
    for warning in &result.warnings {
        cx.terminal.warn(warning.to_string());
    }
}

/// How a run ends: by what failed, and by how much of it was done all the same.
fn ended(result: DeployResult, goal: &Goal) -> Outcome {
    let errors: Vec<Error> = result.failures.iter().cloned().map(Error::from).collect();
    let unready = errors.iter().all(|error| error.code() == Code::NotReady);
    let done = result
        .resources
        .iter()
        .filter(|resource| !matches!(resource.action, Action::Failed | Action::Skipped))
        .count();
    let total = result.resources.len();
    let failed = result.failed;
    let verb = goal.action();
    let outcome = Outcome::from(result);
    let Some(error) = Error::all(errors) else {
        return outcome;
    };
    let error = match (unready, failed) {
        (true, true) => Error::new(Code::Failed, "something has failed for good").along_with(error),
        (false, _) if done > 0 => Error::new(
            Code::Partial,
            format!("{verb}: {done} of {total} objects are as they should be"),
        )
        .along_with(error),
        _ => error,
    };
    outcome.but(error)
}
