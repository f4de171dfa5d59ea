//! `design import`

use super::source::SourceArgs;
use crate::{
    api::design::{ImportAction, ImportDesign, ImportResult},
    commands::{DryRun, Outcome},
    context::Context,
    error::{Code, Error, Place, Result},
    output::{Human, View},
};
use weft_domain::source::Form;

/// Import a design: manifests, a design file, a chart, a kustomization or a Compose file.
///
/// The form is recognised by its content. A design of the same name gets a new version; what
/// says the same as the newest version is left alone.
///
/// Values and overlays are kept, not applied: the sections values and overlays of a design, or
/// values.yaml and the files overlays/NAME/*.yaml of a folder, which become these sections. They are
/// chosen when the design is used. Only a chart is rendered with --values and --set here.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl design import shop.yaml\n  weftctl design import ./manifests --name platform\n  cat shop.yaml | weftctl design import - --name piped"
)]
pub(super) struct Import {
    /// A file, a folder, - for standard input, an http(s) URL, or an oci:// chart
    #[arg(required_unless_present = "file", value_hint = clap::ValueHint::AnyPath)]
    source: Option<String>,
    /// The same as the argument
    #[arg(short, long, conflicts_with = "source", value_hint = clap::ValueHint::AnyPath)]
    file: Option<String>,
    /// The design's name, if not that of the file
    #[arg(long)]
    name: Option<String>,
    /// The form that the source must have; as in mesheryctl
    #[arg(short, long, value_name = "FORM", hide = true, value_parser = form)]
    source_type: Option<Form>,
    /// Accept kinds that nobody knows
    #[arg(long)]
    allow_unknown_kinds: bool,
    #[command(flatten)]
    dry_run: DryRun,
    #[command(flatten)]
    options: SourceArgs,
}

/// Reads the name of a form.
fn form(text: &str) -> Result<Form, String> {
    serde_json::from_value(text.into()).map_err(|_| {
        "a form is Kubernetes Manifest, Helm Chart, Docker Compose or Design".to_owned()
    })
}

impl View for ImportResult {
    const KIND: &'static str = "ImportResult";

    fn human(&self) -> Human {
        let mark = if self.dry_run { " (dry run)" } else { "" };
        let what = match self.action {
            ImportAction::Created => "imported",
            ImportAction::Configured => "updated",
            ImportAction::Unchanged => "unchanged",
        };
        Human::Text(format!(
            "{what} design {}, version {}, {} from {}{mark}\n",
            self.name,
            self.version,
            crate::output::human::plural(self.components as usize, "component"),
            self.form,
        ))
    }

    fn names(&self) -> Vec<String> {
        vec![format!("design/{}", self.name)]
    }
}

impl Import {
    /// Reads the source here, then has it stored.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let argument = self.source.or(self.file).unwrap_or_default();
        let source = self.options.load(cx, &argument).await?;
        self.options.refuse_values(&source)?;
        if let Some(wanted) = self.source_type.filter(|wanted| *wanted != source.form) {
            let (wanted, found) = (wanted.name(), source.form.name());
            let message = format!("the source is a {found}, not a {wanted}");
            return Err(Error::new(Code::NotAResource, message)
                .at(Place::file(source.origin, None))
                .hint("leave out --source-type: the form is recognised by the content"));
        }
        let request = ImportDesign {
            source,
            name: self.name,
            namespace: self.options.namespace(cx),
            allow_unknown_kinds: self.allow_unknown_kinds,
            dry_run: self.dry_run.is_set(),
        };
        let result = cx.run(&request).await?;
        super::tell(cx, &result.notes);
        let next = format!("weftctl design deploy {} --dry-run=client", result.name);
        Ok(Outcome::from(result).then(next))
    }
}
