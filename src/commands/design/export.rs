//! `design export`

use std::path::Path;

use serde::Serialize;

use super::source::DesignArgs;
use crate::{
    api::design::{ExportForm, Files, RenderDesign},
    commands::{
        DryRun, Outcome,
        files::{Shape, Target},
    },
    config::Origin,
    context::Context,
    error::{Code, Error, Result},
    output::{Format, Human, View},
};

/// Write a design as files: a design, manifests, a chart, a kustomization, a package.
///
/// Nothing is overwritten without --force. With it, the files of an earlier export to the same
/// folder are replaced as a set: what the design no longer has goes, files of others stay, and
/// when one can't be written, all is as before. The file .weftctl-export lists the set.
///
/// A design that holds Secrets is refused without --include-secrets, because files are plain text;
/// only you may read those that are written with it.
///
/// A design keeps its values and overlays as sections, unless some are chosen with --overlay, --values
/// or --set; every other form has them filled in and laid over.
///
/// --to - prints the text of a design or of manifests, whatever output format is configured.
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
    /// Replace the files of an earlier export
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
    /// The files.
    files: Vec<String>,
    /// Whether nothing was written because of `--dry-run`.
    dry_run: bool,
    /// What could not be mapped, or was left out.
    notes: Vec<String>,
}

impl View for ExportResult {
    const KIND: &'static str = "ExportResult";

    fn human(&self) -> Human {
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
        let single = matches!(self.form, ExportForm::Design | ExportForm::Manifest);
        let prints = self.to == "-";
        if prints && !single {
            return Err(Error::new(
                Code::Usage,
                "a form of several files needs a folder: --to ./FOLDER",
            ));
        }
        if prints && is_format_asked(cx) {
            return Err(Error::new(
                Code::Usage,
                "--to - prints the export itself, which -o cannot change",
            )
            .hint("leave out -o, or write to a file with --to FILE"));
        }
        let design = self.design.resolve(cx).await?;
        let request = RenderDesign {
            fitting: self.design.fitting(cx, &design, None).await?,
            design,
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
        super::tell(cx, &files.notes);
        let to = Path::new(&self.to);
        let json = to
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("json"));
        if json && self.form == ExportForm::Design {
            to_json(&mut files)?;
        }
        if prints {
            let text: String = files.files.into_iter().map(|file| file.text).collect();
            // A reader who left has what it wanted.
            let _delivered = cx.print(|out| out.write_all(text.as_bytes()))?;
            return Ok(Outcome::shown());
        }
        let target = Target {
            to,
            shape: if single { Shape::File } else { Shape::Export },
            force: self.force,
            private: self.include_secrets,
        };
        let dry_run = self.dry_run.is_set();
        if !dry_run {
            target.write(&files.files)?;
        }
        let paths = target.paths(&files.files);
        Ok(ExportResult {
            action: "created",
            design: files.design,
            version: files.version,
            files: paths
                .iter()
                .map(|path| path.display().to_string())
                .collect(),
            dry_run,
            notes: files.notes,
        }
        .into())
    }
}

/// Whether a flag of this command asks for another format than the one for people; what the
/// environment or a file says is meant for results, not for what is exported.
fn is_format_asked(cx: &Context) -> bool {
    let mut entries = cx.config.entries();
    entries.any(|(name, _, origin)| name == "output" && *origin == Origin::Flag)
        && !matches!(cx.format, Format::Table | Format::Wide)
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
