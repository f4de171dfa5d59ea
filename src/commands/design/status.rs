//! `design status`

use std::fmt::Write;

use super::{cluster::SetArgs, dated::Dated};
use crate::{
    api::deploy::{DeploymentStatus, DesignStatus, MemberStatus, ReadSet},
    commands::{Outcome, watch::Watch},
    context::Context,
    error::{Error, Result},
    output::{Column, Human, Table, View, human::plural},
};

/// Show how the objects of a deployed design are, what is deployed, and who works on it.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl design status shop\n  weftctl design status shop --context sandbox -o json"
)]
pub(super) struct Status {
    #[command(flatten)]
    set: SetArgs,
    #[command(flatten)]
    watch: Watch,
}

impl View for Dated<DesignStatus> {
    const KIND: &'static str = "DesignStatus";

    fn human(&self) -> Human {
        Human::Table(members(self, &self.value.resources))
    }

    fn names(&self) -> Vec<String> {
        let members = self.value.resources.iter();
        members
            .map(|member| format!("resource/{}", member.id))
            .collect()
    }

    fn summary(&self) -> Option<String> {
        let status = &self.value;
        let ready = status.resources.iter().filter(|member| member.ready);
        let ready = ready.count();
        let all = plural(status.resources.len(), "object");
        let deployments = deployments(self, &status.deployments);
        Some(format!(
            "{}: {ready} ready of {all}{deployments}",
            status.design
        ))
    }
}

/// A line for each member of a set.
pub(in crate::commands) fn members<T>(dated: &Dated<T>, members: &[MemberStatus]) -> Table {
    let mut table = Table::new([
        Column::new("KIND"),
        Column::new("NAMESPACE"),
        Column::new("NAME"),
        Column::new("READY"),
        Column::new("REASON"),
        Column::new("AGE"),
        Column::new("STATE").wide(),
        Column::new("ORIGIN").wide(),
        Column::new("CONTEXT").wide(),
    ]);
    for member in members {
        table.row([
            member.kind.as_str(),
            &member.namespace,
            &member.name,
            if member.ready { "yes" } else { "no" },
            &member.reason,
            &dated.age(member.created_at),
            &member.state,
            &member.origin,
            &member.context,
        ]);
    }
    table
}

/// What is deployed where, each after a semicolon.
pub(in crate::commands) fn deployments<T>(
    dated: &Dated<T>,
    deployments: &[DeploymentStatus],
) -> String {
    let mut text = String::new();
    for deployment in deployments {
        text.push_str("; ");
        if deployments.len() > 1 {
            let _ = write!(text, "in context {:?} ", deployment.context);
        }
        text.push_str(&dated.deployment(deployment));
    }
    text
}

impl<T> Dated<T> {
    /// `revision 3 of version 0.0.2, deployed 5m ago`, and who works on it.
    fn deployment(&self, deployment: &DeploymentStatus) -> String {
        let mut text = match deployment.revision {
            Some(number) => format!("revision {number}"),
            None => "no revision yet".to_owned(),
        };
        if let Some(version) = &deployment.version {
            let _ = write!(text, " of version {version}");
        }
        if !deployment.outcome.is_empty() {
            let _ = write!(text, ", {}", deployment.outcome);
        }
        text.push_str(&self.when(deployment.created_at.parse().ok()));
        if let Some(holder) = &deployment.holder {
            let _ = write!(text, ", {} works on it", holder.name);
            if let Some(since) = &holder.since {
                let _ = write!(text, " since {since}");
            }
        }
        text
    }
}

impl Status {
    /// Asks the clusters.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let request = ReadSet {
            target: self.set.target(cx)?,
            name: self.set.name,
        };
        let watch = &self.watch;
        watch
            .show(cx, &request, |status| {
                let failures = Error::of_bodies(&status.failures);
                (Dated::new(cx, watch, status), failures)
            })
            .await
    }
}
