//! `tenant init`: a hub, its forms and a table to begin with.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::json;

use crate::{
    api::design::File,
    commands::{
        DryRun, Outcome,
        files::{Shape, Target},
    },
    context::Context,
    error::{Error, Result},
    output::{Human, View, template::Template},
};

/// Write a hub, its forms and the SQL of its table, for a case that is much like yours.
///
/// Nothing is overwritten. What is written works as it is, with the rows of the SQL.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl tenant init custom-domains\n  weftctl tenant init multi-tier --name crm --engine postgresql --folder ./crm"
)]
pub(super) struct Init {
    /// What a row is
    #[arg(value_enum)]
    case: Case,
    /// The name of the hub; that of the case unless given
    #[arg(long, value_parser = name)]
    name: Option<String>,
    /// The kind of the database
    #[arg(long, value_name = "ENGINE", default_value = "sqlite", value_parser = ["mysql", "postgresql", "sqlite"])]
    engine: String,
    /// Where the files go; a folder with the name of the hub unless given
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    folder: Option<PathBuf>,
    #[command(flatten)]
    dry_run: DryRun,
}

/// Takes a name that can be part of those of objects.
fn name(text: &str) -> std::result::Result<String, String> {
    let is_inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_name = text.len() <= 40
        && text.bytes().all(|byte| is_inside(byte) || byte == b'-')
        && text.bytes().next().is_some_and(is_inside)
        && text.bytes().last().is_some_and(is_inside);
    if is_name {
        Ok(text.to_owned())
    } else {
        Err("must be at most 40 of a-z, 0-9 and -, and not begin or end with -".to_owned())
    }
}

/// A case, with the texts that are filled in for it.
#[derive(clap::ValueEnum, Clone, Copy, Debug)]
enum Case {
    /// A tenant with a namespace, an API, a web front and their settings
    MultiTier,
    /// A site with a domain of its own
    CustomDomains,
    /// A tenant with a database, whose data outlive its row
    DatabasePerTenant,
    /// A pull request with an environment, as long as a view says so
    PreviewEnvironments,
    /// A tenant with flags, and one of two variants of an application
    FeatureFlags,
}

macro_rules! texts {
    ($case:literal) => {
        [
            (
                "hub.yaml",
                include_str!(concat!("init/", $case, "/hub.yaml")),
            ),
            (
                "form.yaml",
                include_str!(concat!("init/", $case, "/form.yaml")),
            ),
            (
                "schema.sql",
                include_str!(concat!("init/", $case, "/schema.sql")),
            ),
        ]
    };
}

impl Case {
    fn texts(self) -> [(&'static str, &'static str); 3] {
        match self {
            Self::MultiTier => texts!("multi-tier"),
            Self::CustomDomains => texts!("custom-domains"),
            Self::DatabasePerTenant => texts!("database-per-tenant"),
            Self::PreviewEnvironments => texts!("preview-environments"),
            Self::FeatureFlags => texts!("feature-flags"),
        }
    }

    fn name(self) -> String {
        let value = clap::ValueEnum::to_possible_value(&self);
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// How the database is reached, which is alike for all cases.
const SOURCE: &str = include_str!("init/source.yaml");

/// What was written.
#[derive(Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct InitResult {
    /// Always `created`.
    action: &'static str,
    /// The hub.
    hub: String,
    /// The kind of its database.
    engine: String,
    /// The files.
    files: Vec<String>,
    /// Whether nothing was written because of `--dry-run`.
    dry_run: bool,
}

impl Init {
    /// Writes all files or none.
    pub(super) fn run(self, cx: &Context) -> Result<Outcome> {
        cx.config.refuse_server()?;
        let name = self.name.unwrap_or_else(|| self.case.name());
        let folder = self.folder.unwrap_or_else(|| PathBuf::from(&name));
        let files = filled_in(self.case, &name, &self.engine)?;
        let target = Target {
            to: &folder,
            shape: Shape::Folder,
            force: false,
            private: false,
        };
        let dry_run = self.dry_run.is_set();
        if !dry_run {
            target.write(&files)?;
        }
        let paths = target.paths(&files).into_iter();
        let next = next(&folder, &self.engine);
        let outcome = Outcome::from(InitResult {
            action: "created",
            hub: name,
            engine: self.engine,
            files: paths.map(|path| path.display().to_string()).collect(),
            dry_run,
        });
        Ok(if dry_run { outcome } else { outcome.then(next) })
    }
}

fn filled_in(case: Case, name: &str, engine: &str) -> Result<Vec<File>> {
    let fill_in = |text: &str, source: &str| {
        let variables = json!({ "name": name, "engine": engine, "source": source });
        let filled_in = Template::parse(text).and_then(|template| template.render(&variables));
        filled_in.map_err(|error| Error::internal("a scaffold is no template").because(error))
    };
    let source = fill_in(SOURCE, "")?;
    let files = case.texts().into_iter().map(|(path, text)| {
        Ok(File {
            path: path.to_owned(),
            text: fill_in(text, &source)?,
        })
    });
    files.collect()
}

/// What to type next.
fn next(folder: &Path, engine: &str) -> String {
    let folder = folder.display();
    let load = match engine {
        "mysql" => format!("mariadb tenants < {folder}/schema.sql"),
        "postgresql" => format!("psql tenants -f {folder}/schema.sql"),
        _ => format!("sqlite3 {folder}/tenants.db < {folder}/schema.sql"),
    };
    format!("{load} && weftctl tenant lint {folder}")
}

impl View for InitResult {
    const KIND: &'static str = "TenantInitResult";

    fn human(&self) -> Human {
        let mark = if self.dry_run { " (dry run)" } else { "" };
        let lines = self.files.iter();
        Human::Text(
            lines
                .map(|file| ["wrote ", file, mark, "\n"].concat())
                .collect(),
        )
    }

    fn names(&self) -> Vec<String> {
        let files = self.files.iter();
        files.map(|file| format!("file/{file}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::{Case, filled_in};

    #[test]
    fn nothing_is_left_to_fill_in() {
        for case in Case::value_variants() {
            for engine in ["mysql", "postgresql", "sqlite"] {
                for file in filled_in(*case, "crm", engine).unwrap() {
                    let text = &file.text;
                    let is_left = ["{%", "%}", "raw", "{{ name", "{{ engine", "{{ source"];
                    let left = is_left.iter().find(|mark| text.contains(**mark));
                    assert_eq!(left, None, "{case:?} {engine} {}\n{text}", file.path);
                    assert!(text.ends_with('\n') && !text.contains("\n\n\n"), "{text}");
                }
            }
        }
    }
}
