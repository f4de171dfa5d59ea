//! `design diff`

use super::source::SourceArgs;
use crate::{
    api::design::{DesignDiff, DiffDesigns, Reference, ResourceChange},
    commands::{Outcome, completion},
    context::Context,
    error::{Code, Error, Result},
    output::{Human, View},
};
use weft_domain::{diff::Action, source::looks_like_path};

/// Compare two designs, or two stored versions of one: exit 1 if they differ.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl design diff shop --version 0.0.1..0.0.2\n  weftctl design diff shop shop.yaml"
)]
pub(super) struct Diff {
    /// The older design: a stored name or id, or a path
    #[arg(add = completion::designs())]
    from: String,
    /// The newer design
    #[arg(add = completion::designs(), required_unless_present = "version", conflicts_with = "version")]
    to: Option<String>,
    /// Two stored versions of the first design
    #[arg(long, value_name = "A..B")]
    version: Option<String>,
}

impl View for DesignDiff {
    const KIND: &'static str = "DesignDiff";

    fn human(&self) -> Human {
        Human::Text(self.changes.iter().map(lines).collect())
    }

    fn names(&self) -> Vec<String> {
        self.changes
            .iter()
            .map(|change| format!("resource/{}", subject(change)))
            .collect()
    }

    fn summary(&self) -> Option<String> {
        Some(if self.differs {
            let count = crate::output::human::plural(self.changes.len(), "changed resource");
            format!("{} and {}: {count}", self.from, self.to)
        } else {
            format!("{} and {} are the same", self.from, self.to)
        })
    }
}

fn subject(change: &ResourceChange) -> String {
    let namespace = change.namespace.iter().map(String::as_str);
    let parts = std::iter::once(change.kind.as_str())
        .chain(namespace)
        .chain([change.name.as_str()]);
    parts.collect::<Vec<_>>().join("/")
}

/// `+`, `-` or `~` and the resource, then its fields.
fn lines(change: &ResourceChange) -> String {
    use std::fmt::Write;
    let mark = |action| match action {
        Action::Added => '+',
        Action::Removed => '-',
        Action::Changed | Action::Reordered => '~',
    };
    let mut text = format!("{} {}\n", mark(change.action), subject(change));
    for field in &change.fields {
        let _ = write!(text, "    {} {}:", mark(field.action), field.path);
        for (arrow, value) in [("", &field.old), (" ->", &field.new)] {
            if let Some(value) = value {
                let _ = write!(
                    text,
                    "{} {value}",
                    if field.old.is_some() { arrow } else { "" }
                );
            }
        }
        text.push('\n');
    }
    text
}

impl Diff {
    /// Asks for the difference.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let (from, to) = match (&self.version, &self.to) {
            (Some(range), _) => {
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
                    name: self.from.clone(),
                    version: Some(version.to_owned()),
                };
                (stored(a), stored(b))
            }
            (None, to) => (
                reference(cx, &self.from).await?,
                reference(cx, to.as_deref().unwrap_or_default()).await?,
            ),
        };
        let diff = cx.client().await?.call(&DiffDesigns { from, to }).await?;
        let same = !diff.differs;
        Ok(Outcome::from(diff).answering(same))
    }
}

async fn reference(cx: &Context, argument: &str) -> Result<Reference> {
    if looks_like_path(argument) {
        return Ok(Reference::Inline(
            SourceArgs::default().load(cx, argument).await?,
        ));
    }
    Ok(Reference::Stored {
        name: argument.to_owned(),
        version: None,
    })
}
