//! `design export`

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::source::DesignArgs;
use crate::{
    api::design::{ExportForm, File, Files, RenderDesign},
    commands::{DryRun, Outcome},
    context::Context,
    error::{Code, Error, Place, Result},
    output::{Human, View},
};

/// Write a design as files: a design, manifests, a chart, a kustomization, a package.
///
/// Nothing is overwritten without --force. A design that holds Secrets is refused without
/// --include-secrets, because files are plain text.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl design export shop --to shop-design.yaml\n  weftctl design export shop --as chart --to ./shop-chart\n  weftctl design export shop --as manifest --to -"
)]
pub(super) struct Export {
    /// The form
    #[arg(long = "as", value_enum, default_value = "design", value_name = "FORM")]
    form: ExportForm,
    /// Where to: a file (design, manifest), a folder (the other forms), or - for standard output
    #[arg(long, value_name = "PATH", value_hint = clap::ValueHint::AnyPath)]
    to: String,
    /// Overwrite files
    #[arg(long)]
    force: bool,
    /// Export values of Secrets in plain text
    #[arg(long)]
    include_secrets: bool,
    #[command(flatten)]
    dry_run: DryRun,
    #[command(flatten)]
    design: DesignArgs,
}

/// What was written.
#[derive(Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExportResult {
    /// Always `created`.
    action: &'static str,
    /// The design.
    design: String,
    /// Its version.
    version: String,
    /// The files; one of the name `-` is standard output.
    files: Vec<String>,
    /// Whether nothing was written because of `--dry-run`.
    dry_run: bool,
    /// What standard output takes.
    #[serde(skip)]
    text: Option<String>,
}

impl View for ExportResult {
    const KIND: &'static str = "ExportResult";

    fn human(&self) -> Human {
        if let Some(text) = &self.text {
            return Human::Text(text.clone());
        }
        let mark = if self.dry_run { " (dry run)" } else { "" };
        let lines = self
            .files
            .iter()
            .map(|file| ["wrote ", file, mark, "\n"].concat());
        Human::Text(lines.collect())
    }

    fn names(&self) -> Vec<String> {
        self.files
            .iter()
            .map(|file| format!("file/{file}"))
            .collect()
    }
}

impl Export {
    /// Asks for the files, then writes all of them or none.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let request = RenderDesign {
            design: self.design.resolve(cx).await?,
            form: self.form,
            include_secrets: self.include_secrets,
        };
        let mut files = cx.client().await?.call(&request).await?;
        if files.masked && !self.include_secrets {
            return Err(Error::new(
                Code::SecretsInside,
                format!("the design {} holds values of Secrets", files.design),
            ));
        }
        let single = matches!(self.form, ExportForm::Design | ExportForm::Manifest);
        let json = Path::new(&self.to)
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("json"));
        if json && self.form == ExportForm::Design {
            to_json(&mut files)?;
        }
        let text = match (self.to.as_str(), single) {
            ("-", true) => files.files.first().map(|file| file.text.clone()),
            ("-", false) => {
                return Err(Error::new(
                    Code::Usage,
                    "a form of several files needs a folder: --to ./FOLDER",
                ));
            }
            _ => None,
        };
        let paths: Vec<PathBuf> = if single {
            vec![PathBuf::from(&self.to)]
        } else {
            files
                .files
                .iter()
                .map(|file| Path::new(&self.to).join(&file.path))
                .collect()
        };
        let dry_run = self.dry_run.is_set();
        if text.is_none() && !dry_run {
            write(&paths, &files.files, self.force)?;
        }
        Ok(ExportResult {
            action: "created",
            design: files.design,
            version: files.version,
            files: paths
                .iter()
                .map(|path| path.display().to_string())
                .collect(),
            dry_run,
            text,
        }
        .into())
    }
}

fn to_json(files: &mut Files) -> Result<()> {
    for file in &mut files.files {
        let limits = weft_domain::yaml::Limits::DESIGN;
        let value = weft_domain::yaml::parse_one(&file.text, &limits).map_err(|error| {
            Error::new(Code::Internal, "a design can't be read back").because(error)
        })?;
        file.text = serde_json::to_string_pretty(&value)
            .map_err(|error| Error::internal("a design has no JSON form").because(error))?
            + "\n";
    }
    Ok(())
}

/// Writes into temporary files first and renames them when all are complete.
fn write(paths: &[PathBuf], files: &[File], force: bool) -> Result<()> {
    if !force && let Some(path) = paths.iter().find(|path| path.exists()) {
        return Err(
            Error::new(Code::FileExists, "a file that would be overwritten exists")
                .at(Place::file(path.display().to_string(), None)),
        );
    }
    let fail = |path: &Path, error: std::io::Error| {
        Error::new(Code::FileNotWritten, "cannot write a file")
            .at(Place::file(path.display().to_string(), None))
            .because(error)
    };
    let mut written = Vec::new();
    for (path, file) in paths.iter().zip(files) {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        std::fs::create_dir_all(folder).map_err(|error| fail(folder, error))?;
        let write = || {
            let mut temporary = tempfile::Builder::new()
                .permissions(plain_mode())
                .tempfile_in(folder)?;
            temporary.write_all(file.text.as_bytes())?;
            temporary.as_file().sync_all()?;
            Ok(temporary)
        };
        written.push((write().map_err(|error| fail(path, error))?, path));
    }
    for (temporary, path) in written {
        temporary
            .persist(path)
            .map_err(|error| fail(path, error.error))?;
    }
    Ok(())
}

#[cfg(unix)]
fn plain_mode() -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o644)
}
