//! `design deploy`

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{
    cluster::{RunArgs, TargetArgs, WriteArgs, shown, tell},
    source::{DesignArgs, SchemaArgs},
};
use crate::{
    api::{
        deploy::{DeployDesign, DeployOptions, Goal, Mode},
        design::{
            Action, Blocker, DeployResult, EventLine, FieldSource, PlanDesign, PlanOptions,
            RowCounts,
        },
    },
    commands::Outcome,
    context::Context,
    error::{Code, Error, Result},
    output::{
        Column, Human, Table, View,
        human::{list, plural},
    },
};

/// Deploy a design: write what differs, and nothing else.
///
/// Each design is a set of objects of its own in the cluster, with an inventory, a field manager and
/// revisions to go back to. --dry-run=client needs no cluster: it checks the design, orders what
/// would be written, and says what would be waited for; --dry-run=server asks the API server, too.
///
/// --overlay and --values fit the design to its clusters, --overlay CONTEXT=NAME to one of them; a
/// named context chooses overlays for its clusters. -o wide and JSON say what set which field.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl design deploy shop.yaml --dry-run=client\n  weftctl design deploy shop.yaml --dry-run=client -o json"
)]
pub(super) struct Deploy {
    /// Only say what would happen: client asks no cluster, server asks whether it would take it
    #[arg(long, value_name = "WHERE", value_parser = ["client", "server"])]
    dry_run: Option<String>,
    /// Delete objects that the design no longer has
    #[arg(long)]
    prune: bool,
    /// Do exactly what a plan of design plan -o json says, or nothing
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath, conflicts_with_all = ["prune", "adopt", "replace", "force_conflicts", "dry_run"])]
    plan: Option<PathBuf>,
    /// Another field manager than one for this design alone, when it is deployed for the first time
    #[arg(long, value_name = "NAME", value_parser = field_manager, hide_short_help = true)]
    field_manager: Option<String>,
    #[command(flatten)]
    design: DesignArgs,
    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    schemas: SchemaArgs,
    #[command(flatten)]
    target: TargetArgs,
}

/// Reads the name of a field manager: as the API server takes it.
pub(super) fn field_manager(text: &str) -> Result<String, String> {
    let is_printable = text.chars().all(|c| !c.is_control());
    if text.is_empty() || text.len() > 128 || !is_printable {
        return Err("must be a name of at most 128 printable characters".to_owned());
    }
    Ok(text.to_owned())
}

/// Reads a saved plan.
pub(in crate::commands) fn saved(file: &Path) -> Result<SavedPlan> {
    let hint = "write one: weftctl design plan shop -o json > plan.json";
    let bad = |why: &dyn std::fmt::Display| {
        let message = format!("cannot use the plan {}: {why}", file.display());
        Error::new(Code::NotYaml, message).hint(hint)
    };
    let text = std::fs::read_to_string(file).map_err(|error| {
        let code = match error.kind() {
            std::io::ErrorKind::NotFound => Code::SourceNotFound,
            _ => Code::Unreadable,
        };
        let message = format!("cannot read the plan {}", file.display());
        Error::new(code, message).because(&error).hint(hint)
    })?;
    let plan: SavedPlan = serde_json::from_str(&text).map_err(|error| bad(&error))?;
    if plan.kind != DeployResult::KIND || plan.plan.is_none() {
        return Err(bad(&"it is no output of design plan"));
    }
    Ok(plan)
}

/// What counts of the output of `design plan`.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::commands) struct SavedPlan {
    kind: String,
    #[serde(default)]
    contexts: Vec<String>,
    #[serde(default)]
    fingerprints: BTreeMap<String, String>,
    #[serde(default)]
    plan: Option<PlanOptions>,
}

impl SavedPlan {
    /// Asks for just that.
    pub(in crate::commands) fn apply(self, request: &mut DeployDesign) -> Result<()> {
        let allowed = self.plan.unwrap_or_default();
        request.options.prune = allowed.prune;
        request.options.adopt = allowed.adopt;
        request.options.replace = allowed.replace;
        request.options.force_conflicts = allowed.force_conflicts;
        request.expected = self.fingerprints;
        let chosen = &mut request.target.contexts;
        if chosen.is_empty() {
            *chosen = self.contexts;
        } else if let Some(left) = self.contexts.iter().find(|one| !chosen.contains(one)) {
            let message = format!("the plan is for the context {left:?}, too");
            return Err(Error::new(Code::PlanChanged, message)
                .hint("leave --context out: a plan is performed as a whole"));
        }
        Ok(())
    }
}

impl View for DeployResult {
    const KIND: &'static str = "DeployResult";

    fn human(&self) -> Human {
        let planned = !self.dry_run.is_empty();
        let mut columns = vec![
            Column::new("ACTION"),
            Column::new("KIND"),
            Column::new("NAMESPACE"),
            Column::new("NAME"),
        ];
        if planned {
            columns.insert(0, Column::new("LEVEL"));
        }
        let has_rows = self.rows.is_some();
        if has_rows {
            columns.splice(0..0, [Column::new("ROW"), Column::new("FORM")]);
        }
        columns.extend([
            Column::new("CONTEXT").wide(),
            Column::new("API VERSION").wide(),
        ]);
        let offline = self.dry_run == "client";
        columns.extend(if planned {
            vec![
                Column::new("WAITS FOR"),
                Column::new("BECAUSE").wide(),
                Column::new("SET BY").wide(),
                if offline {
                    Column::new("REASON").wide()
                } else {
                    Column::new("REASON")
                },
            ]
        } else {
            vec![
                Column::new("READY"),
                Column::new("WAITS FOR"),
                Column::new("REASON"),
            ]
        });
        let mut table = Table::new(columns);
        for resource in &self.resources {
            let mut cells = vec![
                resource.action.to_string(),
                resource.kind.clone(),
                resource.namespace.clone(),
                resource.name.clone(),
            ];
            if planned {
                cells.insert(0, resource.level.to_string());
            }
            if has_rows {
                let part = resource.part.clone();
                let (row, form) = part.map(|part| (part.row, part.form)).unwrap_or_default();
                cells.splice(0..0, [row, form]);
            }
            cells.extend([resource.context.clone(), resource.api_version.clone()]);
            if planned {
                let waits = resource.waits.iter();
                let (waits, because): (Vec<_>, Vec<_>) = waits
                    .map(|wait| (format!("{} {}", wait.on, wait.until), wait.why.to_string()))
                    .unzip();
                cells.extend([
                    waits.join(", "),
                    because.join(", "),
                    set_by(&resource.set_by),
                ]);
            } else {
                let ready = match (resource.action, resource.ready) {
                    (Action::Pruned | Action::Released, _) => "",
                    (_, true) => "yes",
                    (_, false) => "no",
                };
                cells.extend([ready.to_owned(), resource.waiting_for.clone()]);
            }
            cells.push(resource.reason.clone());
            table.row(cells);
        }
        if self.blockers.is_empty() {
            return Human::Table(table);
        }
        Human::Tables(vec![table, blockers(&self.blockers)])
    }

    fn names(&self) -> Vec<String> {
        self.resources
            .iter()
            .map(|resource| format!("resource/{}", resource.id))
            .collect()
    }

    fn summary(&self) -> Option<String> {
        let counts = self.summary.counts();
        let actions: Vec<String> = counts
            .map(|(action, count)| format!("{count} {action}"))
            .collect();
        let actions = match actions.as_slice() {
            [] => "nothing to do".to_owned(),
            actions => actions.join(", "),
        };
        let actions = match self.rows {
            Some(rows) => format!("{actions}; {}", of_rows(rows)),
            None => actions,
        };
        Some(match (self.dry_run.as_str(), self.revision) {
            ("", Some(revision)) => format!("{}: {actions}, revision {revision}", self.design),
            ("", None) => format!("{}: {actions}", self.design),
            _ => format!("plan of {}: {actions} (dry run)", self.design),
        })
    }
}

/// Counts rows: `2 of 3 rows active, 1 invalid`.
fn of_rows(rows: RowCounts) -> String {
    let read = plural(rows.read, "row");
    match rows.invalid {
        0 => format!("{} of {read} active", rows.active),
        invalid => format!("{} of {read} active, {invalid} invalid", rows.active),
    }
}

/// What was waited for in vain, with what happened to it and its pods last.
fn blockers(blockers: &[Blocker]) -> Table {
    let mut table = Table::new(vec![
        Column::new("BLOCKER"),
        Column::new("REASON"),
        Column::new("LAST EVENT"),
        Column::new("PODS"),
        Column::new("LOG"),
        Column::new("CONTEXT").wide(),
    ]);
    let event = |event: &Option<EventLine>| match event {
        Some(event) => format!("{}: {}", event.reason, event.message),
        None => String::new(),
    };
    for blocker in blockers {
        let pods = blocker.pods.iter().map(|pod| {
            let last = match event(&pod.last_event) {
                last if last.is_empty() => last,
                last => format!(" ({last})"),
            };
            format!("{}: {}{last}", pod.problem.pod, pod.problem)
        });
        let logs = blocker.pods.iter().filter_map(|pod| pod.log.last());
        table.row(vec![
            blocker.id.clone(),
            blocker.reason.clone(),
            event(&blocker.last_event),
            pods.collect::<Vec<_>>().join("; "),
            logs.map(String::as_str).collect::<Vec<_>>().join("; "),
            blocker.context.clone(),
        ]);
    }
    table
}

/// What overlays and values have set: each with its fields, of which only a few are named.
fn set_by(fields: &[FieldSource]) -> String {
    const SHOWN: usize = 4;
    let mut all: Vec<(String, Vec<&str>)> = Vec::new();
    for field in fields {
        let by = field.by();
        match all.iter_mut().find(|(known, _)| *known == by) {
            Some((_, paths)) => paths.push(&field.path),
            None => all.push((by, vec![&field.path])),
        }
    }
    let all = all.into_iter();
    let all = all.map(|(by, paths)| format!("{by}: {}", list(&paths, SHOWN)));
    all.collect::<Vec<_>>().join("; ")
}

impl Deploy {
    /// Plans offline, or has it done.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let contexts = self.target.known(cx)?;
        let design = self.design.resolve(cx).await?;
        let fitting = self.design.fitting(cx, &design, Some(&contexts)).await?;
        let source = self.design.source();
        let schemas = self.schemas.load(cx, source, None).await?;
        let namespace = self.design.namespace(cx);
        if self.dry_run.as_deref() == Some("client") {
            let request = PlanDesign {
                design,
                fitting,
                namespace,
                contexts,
                schemas,
            };
            let plan = cx.client().await?.hand_over(request).await?;
            tell(cx, &plan);
            return Ok(plan.into());
        }
        let options = DeployOptions {
            prune: self.prune,
            ..self.run.options(self.write.options())
        };
        let target = self.target.target(cx, namespace)?;
        let goal = Goal::Design {
            design,
            fitting,
            schemas,
        };
        let mut request = DeployDesign::new(goal, target, options);
        request.field_manager = self.field_manager;
        if let Some(file) = &self.plan {
            saved(file)?.apply(&mut request)?;
            return self.run.perform(cx, request, false).await;
        }
        if self.dry_run.is_some() {
            return shown(cx, request, Mode::DryRun).await;
        }
        let destroys = self.prune || request.options.replace;
        self.run.perform(cx, request, destroys).await
    }
}
