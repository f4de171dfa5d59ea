//! `system operation cancel`

use serde::Serialize;

use crate::{
    api::operation::{CancelOperation, Operation, State, ViewOperation},
    commands::{DryRun, Outcome, completion, name_of},
    context::Context,
    error::Result,
    output::{Human, View},
};

/// Cancel a running operation; one that has ended stays as it is.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl system operation cancel $OPERATION\n  weftctl system operation cancel $OPERATION -o json"
)]
pub(super) struct Cancel {
    /// Its id
    #[arg(add = completion::operations(), value_parser = name_of("operation"))]
    id: String,
    #[command(flatten)]
    dry_run: DryRun,
}

/// What cancelling did.
#[derive(Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct OperationChange {
    /// `configured` when it was told to end, `unchanged` when it had ended.
    action: &'static str,
    /// Why, or what it means.
    reason: String,
    /// The operation.
    id: String,
    /// How far it is.
    state: State,
    /// Whether nothing was cancelled because of `--dry-run`.
    dry_run: bool,
}

impl View for OperationChange {
    const KIND: &'static str = "OperationChange";

    fn human(&self) -> Human {
        let mark = if self.dry_run { " (dry run)" } else { "" };
        Human::Text(format!(
            "operation {} {}: {}{mark}\n",
            self.id, self.action, self.reason
        ))
    }

    fn names(&self) -> Vec<String> {
        vec![format!("operation/{}", self.id)]
    }
}

impl OperationChange {
    /// `before` was seen running, or `now` is what it has always been.
    fn of(before: &Operation, now: Operation, dry_run: bool) -> Self {
        let told = before.state == State::Running
            && (dry_run || matches!(now.state, State::Running | State::Cancelled));
        let (action, reason) = match now.state {
            _ if !told => ("unchanged", format!("it has ended: {}", now.state)),
            State::Cancelled => ("configured", "it was cancelled".to_owned()),
            _ => ("configured", "it was told to end".to_owned()),
        };
        Self {
            action,
            reason,
            id: now.id,
            state: now.state,
            dry_run,
        }
    }
}

impl Cancel {
    /// Looks at it, and tells it to end if it runs.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let client = cx.client().await?;
        let id = self.id;
        let before = client.call(&ViewOperation { id: id.clone() }).await?;
        let dry_run = self.dry_run.is_set();
        let now = if dry_run || before.state != State::Running {
            before.clone()
        } else {
            client.call(&CancelOperation { id }).await?
        };
        Ok(OperationChange::of(&before, now, dry_run).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_says_whether_something_was_cancelled() {
        let operation = |state| Operation {
            id: "1".to_owned(),
            action: "design import".to_owned(),
            subject: "shop".to_owned(),
            state,
            started_at: jiff::Timestamp::UNIX_EPOCH,
            ended_at: None,
            error: None,
        };
        let cases = [
            (
                State::Running,
                State::Running,
                "configured",
                "it was told to end",
            ),
            (
                State::Running,
                State::Cancelled,
                "configured",
                "it was cancelled",
            ),
            (
                State::Running,
                State::Succeeded,
                "unchanged",
                "it has ended: succeeded",
            ),
            (
                State::Cancelled,
                State::Cancelled,
                "unchanged",
                "it has ended: cancelled",
            ),
            (
                State::Failed,
                State::Failed,
                "unchanged",
                "it has ended: failed",
            ),
        ];
        for (before, now, action, reason) in cases {
            let change = OperationChange::of(&operation(before), operation(now), false);
            assert_eq!((change.action, change.reason.as_str()), (action, reason));
        }
    }
}
