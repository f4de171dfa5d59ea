//! `design diff`

use std::{collections::BTreeSet, fmt::Write};

use weft_domain::{diff::Action, ownership::Owner, plan};

use super::{
    cluster::TargetArgs,
    source::{OverlayArgs, SourceArgs, stored_name},
};
use crate::{
    api::{
        deploy::Target,
        deployed::{DiffDeployed, DiffRevisions},
        design::{DesignChange, DesignDiff, DiffDesigns, FieldChange, Fitting, Reference},
    },
    commands::{Outcome, completion},
    context::Context,
    error::{Code, Error, Result},
    output::{Human, View},
};

/// Compare designs, versions, revisions, or a design with a cluster: exit 1 if they differ.
///
/// One design is compared with what the cluster has of it, field by field, with the owners of the
/// live fields; what a deployment would refuse is shown with the reason. Two designs, or two stored
/// versions of one (--version), are compared without a cluster, and two revisions of a deployed
/// design (--revision) by its name alone. Each side is a stored name or id, or a path. With -f a side
/// is a path whatever it looks like; sides given so come after the others. Source options hold for
/// every side that is read.
///
/// Two designs are compared as they are written, their values and overlays among it; with --overlay,
/// --values or --set, and with a cluster, they are compared as they would be deployed.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl design diff settings.yaml --context sandbox\n  weftctl design diff shop --version 0.0.1..0.0.2\n  weftctl design diff settings --revision 1 --context sandbox\n  weftctl design diff shop -f shop.yaml"
)]
pub(super) struct Diff {
    /// The design, or the older of two: a stored name or id, or a path
    #[arg(add = completion::designs())]
    from: Option<String>,
    /// The newer design
    #[arg(add = completion::designs(), conflicts_with_all = ["version", "revision"])]
    to: Option<String>,
    /// A side that is a path, whatever it looks like; may be repeated
    #[arg(short, long, conflicts_with_all = ["version", "revision"], value_hint = clap::ValueHint::AnyPath)]
    file: Vec<String>,
    /// Two stored versions of the first design
    #[arg(long, value_name = "A..B", conflicts_with = "revision")]
    version: Option<String>,
    /// Two revisions that the cluster keeps, or one against the newest
    #[arg(long, value_name = "A..B|N", value_parser = revisions)]
    revision: Option<Revisions>,
    /// Tell of objects that the design no longer has, as deploy --prune would
    #[arg(long, conflicts_with_all = ["version", "revision", "to"])]
    prune: bool,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    overlays: OverlayArgs,
    #[command(flatten)]
    target: TargetArgs,
}

/// The numbers of two revisions; without the second it is the newest.
#[derive(Clone, Copy, Debug)]
struct Revisions(u64, Option<u64>);

fn revisions(text: &str) -> Result<Revisions, String> {
    let number = |text: &str| text.parse().ok().filter(|number| *number > 0);
    let read = match text.split_once("..") {
        Some((from, to)) => number(from).zip(number(to)).map(|(a, b)| (a, Some(b))),
        None => number(text).map(|from| (from, None)),
    };
    let (from, to) = read.ok_or("two numbers as in 1..2, or one")?;
    Ok(Revisions(from, to))
}

impl View for DesignDiff {
    const KIND: &'static str = "DesignDiff";

    fn human(&self) -> Human {
        let contexts = self
            .changes
            .iter()
            .filter_map(|change| change.context.as_deref());
        let several = contexts.collect::<BTreeSet<_>>().len() > 1;
        let changes = self.changes.iter().map(|change| lines(change, several));
        let mut text: String = changes.collect();
        if !self.document.is_empty() {
            text.push_str("~ only in the design\n");
            text.extend(self.document.iter().map(line));
        }
        Human::Text(text)
    }

    fn names(&self) -> Vec<String> {
        self.changes
            .iter()
            .map(|change| format!("resource/{}", change.resource.id()))
            .collect()
    }

    fn summary(&self) -> Option<String> {
        Some(if self.differs {
            let plural = crate::output::human::plural;
            let counts = [
                (self.changes.len(), "changed resource"),
                (self.document.len(), "change only in the design"),
            ];
            let counts = counts.into_iter().filter(|(count, _)| *count > 0);
            let counts: Vec<_> = counts.map(|(count, what)| plural(count, what)).collect();
            format!("{} and {}: {}", self.from, self.to, counts.join(", "))
        } else {
            format!("{} and {} are the same", self.from, self.to)
        })
    }
}

fn mark(action: Action) -> char {
    match action {
        Action::Added => '+',
        Action::Removed => '-',
        Action::Changed | Action::Reordered => '~',
    }
}

/// `+`, `-` or `~` and the resource, then its fields.
fn lines(change: &DesignChange, several: bool) -> String {
    let mut text = format!("{} {}", mark(change.resource.action), change.resource.id());
    if let (true, Some(context)) = (several, &change.context) {
        let _ = write!(text, " in context {context:?}");
    }
    // The reason of a change is its first field, which follows; that of what is new says nothing.
    let is_told = match change.planned {
        Some(plan::Action::Configured) => !change.resource.fields.is_empty(),
        Some(plan::Action::Created) => change.reason.as_deref() == Some("new"),
        _ => false,
    };
    if let (false, Some(reason)) = (is_told, &change.reason) {
        let _ = write!(text, " ({reason})");
    }
    text.push('\n');
    text.extend(change.resource.fields.iter().map(line));
    text
}

/// A changed field, with the values that it has, and who holds it.
fn line(field: &FieldChange) -> String {
    let values = match (&field.old, &field.new) {
        (Some(old), Some(new)) if old == new && !field.owners.is_empty() => {
            format!(" {old} becomes ours")
        }
        (Some(old), Some(new)) => format!(" {old} -> {new}"),
        (Some(value), None) | (None, Some(value)) => format!(" {value}"),
        (None, None) => String::new(),
    };
    let owners: Vec<String> = field.owners.iter().map(owner).collect();
    let held = match owners.as_slice() {
        [] => String::new(),
        owners => format!(" (held by {})", owners.join(", ")),
    };
    format!("    {} {}:{values}{held}\n", mark(field.action), field.path)
}

fn owner(owner: &Owner) -> String {
    match &owner.subresource {
        Some(subresource) => format!("{} through {subresource}", owner.manager),
        None => owner.manager.clone(),
    }
}

impl Diff {
    /// Asks for the difference.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let diff = if let Some(revisions) = self.revision {
            self.revisions(cx, revisions).await?
        } else if let Some(range) = &self.version {
            self.refuse_cluster("--version compares stored versions")?;
            let (from, to) = self.versions(range)?;
            self.designs(cx, from, to).await?
        } else {
            match self.sides()[..] {
                [one] => {
                    let (design, target) = (self.side(cx, one).await?, self.target(cx)?);
                    let contexts = Some(&target.contexts[..]);
                    let request = DiffDeployed {
                        fitting: self.fitting(cx, &[&design], contexts).await?,
                        design,
                        target,
                        prune: self.prune,
                    };
                    cx.run(&request).await?
                }
                [from, to] => {
                    self.refuse_cluster("two designs are compared with each other")?;
                    let (from, to) = (self.side(cx, from).await?, self.side(cx, to).await?);
                    self.designs(cx, from, to).await?
                }
                ref sides => return Err(wrong_count(sides.len())),
            }
        };
        super::tell(cx, &diff.notes);
        let same = !diff.differs;
        let failures = Error::of_bodies(&diff.failures);
        Ok(Outcome::from(diff).answering(same).short_of(failures))
    }

    /// Compares two designs.
    async fn designs(&self, cx: &Context, from: Reference, to: Reference) -> Result<DesignDiff> {
        let fitting = self.fitting(cx, &[&from, &to], None).await?;
        let request = DiffDesigns { from, to, fitting };
        cx.client().await?.hand_over(request).await
    }

    /// How designs are fitted to clusters; without contexts no cluster is meant.
    async fn fitting(
        &self,
        cx: &Context,
        designs: &[&Reference],
        contexts: Option<&[String]>,
    ) -> Result<Fitting> {
        let source = &self.source;
        self.overlays.fitting(cx, source, designs, contexts).await
    }

    /// Compares two revisions of a deployed design.
    async fn revisions(&self, cx: &Context, Revisions(from, to): Revisions) -> Result<DesignDiff> {
        let Some(name) = self.from.as_deref().and_then(stored_name) else {
            return Err(Error::new(
                Code::Usage,
                "--revision goes with the name of a deployed design",
            ));
        };
        let request = DiffRevisions {
            name: name.to_owned(),
            target: self.target(cx)?,
            from,
            to,
        };
        cx.client().await?.call(&request).await
    }

    fn target(&self, cx: &Context) -> Result<Target> {
        self.target.target(cx, self.source.namespace(cx))
    }

    /// Refuses flags that would mean nothing.
    fn refuse_cluster(&self, why: &str) -> Result<()> {
        if self.prune || self.target.is_given() {
            return Err(
                Error::new(Code::Usage, format!("{why}, not with a cluster"))
                    .hint("name one design to compare it with a cluster"),
            );
        }
        Ok(())
    }

    /// Two stored versions of one design.
    fn versions(&self, range: &str) -> Result<(Reference, Reference)> {
        let Some(name) = self.from.as_deref().and_then(stored_name) else {
            return Err(Error::new(
                Code::Usage,
                "--version goes with the name of a stored design",
            ));
        };
        let (a, b) = range
            .split_once("..")
            .filter(|(a, b)| !a.is_empty() && !b.is_empty())
            .ok_or_else(|| {
                Error::new(
                    Code::Usage,
                    format!("--version needs two versions, found {range:?}"),
                )
                .hint("two versions with dots between: --version 0.0.1..0.0.2")
            })?;
        let stored = |version: &str| Reference::Stored {
            name: name.to_owned(),
            version: Some(version.to_owned()),
        };
        Ok((stored(a), stored(b)))
    }

    /// The sides: those that are named, then those that -f names.
    fn sides(&self) -> Vec<(&str, Option<&str>)> {
        let named = [&self.from, &self.to].into_iter().flatten();
        let named = named.map(|argument| (argument.as_str(), stored_name(argument)));
        let files = self.file.iter().map(|file| (file.as_str(), None));
        named.chain(files).collect()
    }

    async fn side(&self, cx: &Context, side: (&str, Option<&str>)) -> Result<Reference> {
        match side {
            (_, Some(name)) => Ok(Reference::Stored {
                name: name.to_owned(),
                version: None,
            }),
            (path, None) => Ok(Reference::Inline(self.source.load(cx, path).await?)),
        }
    }
}

fn wrong_count(count: usize) -> Error {
    let message = format!("a comparison has one design or two, found {count}");
    Error::new(Code::Usage, message)
        .hint("one with its cluster: weftctl design diff shop --context dev")
        .hint("two: weftctl design diff shop shop.yaml")
        .hint("or two versions of one: weftctl design diff shop --version 0.0.1..0.0.2")
}
