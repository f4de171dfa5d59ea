//! `design diff`

use super::source::{SourceArgs, stored_name};
use crate::{
    api::design::{DesignDiff, DiffDesigns, FieldChange, Reference, ResourceChange},
    commands::{Outcome, completion},
    context::Context,
    error::{Code, Error, Result},
    output::{Human, View},
};
use weft_domain::diff::Action;

/// Compare two designs, or two stored versions of one: exit 1 if they differ.
///
/// Each side is a stored name or id, or a path. With -f a side is a path whatever it looks like;
/// sides given so come after the others. Source options hold for every side that is read.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl design diff shop --version 0.0.1..0.0.2\n  weftctl design diff shop shop.yaml\n  weftctl design diff shop -f shop.yaml"
)]
pub(super) struct Diff {
    /// The older design: a stored name or id, or a path
    #[arg(add = completion::designs())]
    from: Option<String>,
    /// The newer design
    #[arg(add = completion::designs(), conflicts_with = "version")]
    to: Option<String>,
    /// A side that is a path, whatever it looks like; may be repeated
    #[arg(short, long, conflicts_with = "version", value_hint = clap::ValueHint::AnyPath)]
    file: Vec<String>,
    /// Two stored versions of the first design
    #[arg(long, value_name = "A..B")]
    version: Option<String>,
    #[command(flatten)]
    source: SourceArgs,
}

impl View for DesignDiff {
    const KIND: &'static str = "DesignDiff";

    fn human(&self) -> Human {
        let mut text: String = self.changes.iter().map(lines).collect();
        if !self.document.is_empty() {
            text.push_str("~ only in the design\n");
            text.extend(self.document.iter().map(line));
        }
        Human::Text(text)
    }

    fn names(&self) -> Vec<String> {
        self.changes
            .iter()
            .map(|change| format!("resource/{}", change.id()))
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
fn lines(change: &ResourceChange) -> String {
    let mut text = format!("{} {}\n", mark(change.action), change.id());
    text.extend(change.fields.iter().map(line));
    text
}

/// A changed field, with the values that it has.
fn line(field: &FieldChange) -> String {
    let values = match (&field.old, &field.new) {
        (Some(old), Some(new)) => format!(" {old} -> {new}"),
        (Some(value), None) | (None, Some(value)) => format!(" {value}"),
        (None, None) => String::new(),
    };
    format!("    {} {}:{values}\n", mark(field.action), field.path)
}

impl Diff {
    /// Asks for the difference.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let (from, to) = match &self.version {
            Some(range) => self.versions(range)?,
            None => self.sides(cx).await?,
        };
        let request = DiffDesigns { from, to };
        let diff = cx.client().await?.hand_over(request).await?;
        super::tell(cx, &diff.notes);
        let same = !diff.differs;
        Ok(Outcome::from(diff).answering(same))
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

    /// The two designs: those that are named, then those that -f names.
    async fn sides(&self, cx: &Context) -> Result<(Reference, Reference)> {
        let named = [&self.from, &self.to].into_iter().flatten();
        let named = named.map(|argument| (argument.as_str(), stored_name(argument)));
        let files = self.file.iter().map(|file| (file.as_str(), None));
        let sides: Vec<_> = named.chain(files).collect();
        let [from, to] = sides[..] else {
            let message = format!("a comparison has two sides, found {}", sides.len());
            return Err(Error::new(Code::Usage, message)
                .hint("name both: weftctl design diff shop shop.yaml")
                .hint("or two versions of one: weftctl design diff shop --version 0.0.1..0.0.2"));
        };
        Ok((self.side(cx, from).await?, self.side(cx, to).await?))
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
