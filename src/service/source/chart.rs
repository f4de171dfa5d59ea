//! Helm charts, rendered by `helm template` (3.x or 4.x).
//!
//! CRDs are rendered too. Hooks stay, as they are resources like others to us, except for tests,
//! which are dropped with a note. Helm runs in an empty folder, because it prefers a folder of the
//! chart's name to a repository, and gets no access to a cluster.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use weft_domain::source::{self, Bundle, ChartReference, Form, Source, SourceFile};

use super::archive::{self, Tree};
use super::error::flag;
use super::file;
use super::process;
use super::{Error, Work};

/// Values are documents, and documents have this limit.
const VALUES_LIMIT: u64 = 16 << 20;

/// Lines of helm's error output that a successful run turns into notes.
const WARNINGS: usize = 5;

/// A chart as helm is to find it.
struct Chart {
    name: String,
    /// A path, a reference, or a name in the repository.
    place: OsString,
    version: Option<String>,
    repo: Option<String>,
}

/// Renders a chart in a folder.
pub(super) async fn from_folder(work: &Work<'_>, folder: &Path) -> Result<Bundle, Error> {
    let text = file::read_file(work, &folder.join("Chart.yaml")).await?;
    let name = named(text, || file::folder_name(folder))?;
    let place = std::path::absolute(folder).map_err(|source| Error::Read {
        path: folder.display().to_string(),
        source,
    })?;
    render(work, local(work, name, place)?).await
}

/// Renders a chart from an archive.
pub(super) async fn from_tree(work: &Work<'_>, tree: Tree) -> Result<Bundle, Error> {
    let text = tree.get("Chart.yaml").cloned().unwrap_or_default();
    let name = named(text, || "chart".to_owned())?;
    let folder = work
        .blocking(move |cancel| archive::write(&tree, &cancel))
        .await?;
    let place = folder.path().to_path_buf();
    render(work, local(work, name, place)?).await
}

/// Renders a chart from an OCI registry.
pub(super) async fn from_registry(
    work: &Work<'_>,
    reference: &ChartReference,
) -> Result<Bundle, Error> {
    let (tagged, asked) = (reference.version(), &work.options.version);
    if let (Some(tagged), Some(asked)) = (&tagged, asked)
        && tagged != asked
    {
        return Err(Error::Flag {
            flag: flag::VERSION,
            reason: format!("{asked} contradicts the tag of {reference}"),
        });
    }
    let host = reference
        .host
        .rsplit_once(':')
        .map_or(&*reference.host, |(host, _)| host);
    let is_here = host == "localhost" || host == "[::1]" || host.starts_with("127.");
    if work.options.plain_http && !is_here {
        return Err(Error::Flag {
            flag: flag::PLAIN_HTTP,
            reason: format!("is for registries on this machine, and {host} is not one"),
        });
    }
    let bare = ChartReference {
        tag: None,
        ..reference.clone()
    };
    let chart = Chart {
        name: reference.name().to_owned(),
        place: bare.to_string().into(),
        version: tagged.or_else(|| asked.clone()),
        repo: None,
    };
    render(work, chart).await
}

/// Renders a chart of a chart repository.
pub(super) async fn from_repository(
    work: &Work<'_>,
    name: &Path,
    repo: &str,
) -> Result<Bundle, Error> {
    let fail = |reason: String| Error::Flag {
        flag: flag::REPO,
        reason,
    };
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let name = name
        .to_str()
        .filter(|name| name.chars().all(allowed) && !name.starts_with(['-', '.']))
        .ok_or_else(|| fail(format!("{:?} is not the name of a chart", name.display())))?;
    match repo.parse() {
        Ok(Source::Url(url)) => {
            if source::mask(&url) != url {
                return Err(fail(
                    "credentials in an address would be visible to other users of this machine; \
                     pull the chart and name the file"
                        .to_owned(),
                ));
            }
            let chart = Chart {
                name: name.to_owned(),
                place: name.into(),
                version: work.options.version.clone(),
                repo: Some(url),
            };
            render(work, chart).await
        }
        // Helm knows no registries as repositories; a chart there has an address of its own.
        Ok(Source::Chart { reference })
            if reference.tag.is_none() && reference.digest.is_none() =>
        {
            match format!("{reference}/{name}").parse() {
                Ok(reference) => from_registry(work, &reference).await,
                Err(error) => Err(fail(error.to_string())),
            }
        }
        Ok(_) => Err(fail(
            "takes an address that begins with http://, https:// or oci://".to_owned(),
        )),
        Err(error) => Err(fail(error.to_string())),
    }
}

/// Returns the name that a `Chart.yaml` gives.
fn named(chart: Vec<u8>, otherwise: impl FnOnce() -> String) -> Result<String, Error> {
    let text = file::decode("Chart.yaml", chart)?;
    Ok(source::chart_name(&text).unwrap_or_else(otherwise))
}

fn local(work: &Work<'_>, name: String, place: PathBuf) -> Result<Chart, Error> {
    if work.options.version.is_some() {
        return Err(Error::Flag {
            flag: flag::VERSION,
            reason: format!(
                "chooses among the versions in a registry or repository, and {} is one chart",
                work.origin
            ),
        });
    }
    Ok(Chart {
        name,
        place: place.into(),
        version: None,
        repo: None,
    })
}

async fn render(work: &Work<'_>, chart: Chart) -> Result<Bundle, Error> {
    let helm = process::find(work, "helm").ok_or(Error::NoTool {
        needed: "helm is not",
        purpose: "charts are rendered by it",
        fix: "install helm 3 or 4 (https://helm.sh/docs/intro/install), or render the chart \
              elsewhere and give the manifests",
    })?;
    let folder = archive::private_folder()?;
    let arguments = arguments(work, &chart, folder.path()).await?;
    let output = process::run(work, "helm", &helm, &arguments, folder.path()).await?;
    let text = file::decode("the output of helm", output.stdout)?;
    let (files, mut notes) = split(&text);
    let warnings = output.warnings.into_iter().take(WARNINGS);
    notes.extend(warnings.map(|line| format!("helm: {line}")));
    if files.is_empty() {
        return Err(Error::Empty {
            what: work.origin.clone(),
            missing: "no objects once it is rendered",
            notes,
        });
    }
    Ok(Bundle {
        notes,
        ..Bundle::new(chart.name, work.origin.clone(), Form::Chart, files)
    })
}

async fn arguments(work: &Work<'_>, chart: &Chart, folder: &Path) -> Result<Vec<OsString>, Error> {
    let options = work.options;
    let mut arguments: Vec<OsString> = vec!["template".into(), "--include-crds".into()];
    let mut flag = |name: &str, value: OsString| {
        let mut argument = OsString::from(name);
        argument.push("=");
        argument.push(value);
        arguments.push(argument);
    };
    // Always named: helm would take the namespace of the user's current kubeconfig context otherwise.
    let namespace = options.namespace.as_deref().unwrap_or("default");
    flag("--namespace", namespace.into());
    if let Some(repo) = &chart.repo {
        flag("--repo", repo.into());
    }
    if let Some(version) = &chart.version {
        flag("--version", version.into());
    }
    for (index, path) in options.values.iter().enumerate() {
        let path = values(work, path, folder, index).await?;
        // Helm splits a list of values files at commas, by the rules of CSV.
        let text = path.to_string_lossy();
        let quoted = text.contains([',', '"']);
        let quoted = quoted.then(|| format!("\"{}\"", text.replace('"', "\"\"")).into());
        flag("--values", quoted.unwrap_or_else(|| path.clone().into()));
    }
    for value in &options.set {
        flag("--set", value.into());
    }
    for value in &options.set_string {
        flag("--set-string", value.into());
    }
    // Only a registry on this machine gets here with it.
    if options.plain_http {
        arguments.push("--plain-http".into());
    }
    let release = match &options.release {
        Some(release) => release.clone(),
        None => release_name(&chart.name),
    };
    arguments.extend(["--".into(), release.into(), chart.place.clone()]);
    Ok(arguments)
}

/// Returns an absolute path for a values file; what comes through a pipe of the shell is written down first.
async fn values(
    work: &Work<'_>,
    path: &Path,
    folder: &Path,
    index: usize,
) -> Result<PathBuf, Error> {
    let failed = |source| Error::Read {
        path: path.display().to_string(),
        source,
    };
    match file::look(path)? {
        file::Place::File => {
            let metadata = std::fs::metadata(path).map_err(failed)?;
            if metadata.len() > VALUES_LIMIT {
                return Err(Error::TooLarge {
                    what: path.display().to_string(),
                    limit: VALUES_LIMIT,
                    flag: None,
                });
            }
            std::path::absolute(path).map_err(failed)
        }
        file::Place::Pipe => {
            let copy = folder.join(format!("values-{index}.yaml"));
            let bytes = file::read_pipe(work, path).await?;
            std::fs::write(&copy, bytes).map_err(|source| Error::Temporary { source })?;
            Ok(copy)
        }
        file::Place::Folder => Err(Error::Special {
            path: path.display().to_string(),
            kind: "a folder",
        }),
    }
}

/// Makes a release name of a chart's name: lower-case letters, digits and dashes, at most 53.
fn release_name(chart: &str) -> String {
    let mut name = String::new();
    for c in chart.chars().map(|c| c.to_ascii_lowercase()).take(53) {
        name.push(if c.is_ascii_alphanumeric() { c } else { '-' });
    }
    let name = name.trim_matches('-');
    if name.is_empty() { "release" } else { name }.to_owned()
}

/// Splits what helm prints by the template that each object is from, and drops tests.
fn split(text: &str) -> (Vec<SourceFile>, Vec<String>) {
    let mut files: Vec<SourceFile> = Vec::new();
    let mut notes = Vec::new();
    let mut path = "rendered.yaml".to_owned();
    let mut document = String::new();
    let lines = text.split_inclusive('\n').map(Some).chain([None]);
    for line in lines {
        if let Some(line) = line
            && line.trim_end() != "---"
        {
            match line.strip_prefix("# Source: ") {
                Some(named) if document.trim().is_empty() => named.trim().clone_into(&mut path),
                _ => document.push_str(line),
            }
            continue;
        }
        let document = std::mem::take(&mut document);
        let is_empty = document
            .lines()
            .all(|line| line.trim().is_empty() || line.starts_with('#'));
        if is_empty {
            continue;
        }
        if let Some(test) = source::helm_test(&document) {
            notes.push(format!("{path}: {test} is a test and was left out"));
            continue;
        }
        match files.iter_mut().find(|file| file.path == path) {
            Some(file) => {
                file.text.push_str("---\n");
                file.text.push_str(&document);
            }
            None => files.push(SourceFile {
                path: path.clone(),
                text: document,
            }),
        }
    }
    (files, notes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rendered_objects_are_grouped_by_template_and_tests_are_dropped() {
        let text = "---\n# Source: shop/crds/crd.yaml\nkind: A\n---\nkind: B\n---\n\
                    # Source: shop/templates/web.yaml\nkind: C\n---\n# Source: shop/templates/empty.yaml\n\
                    # nothing\n---\n# Source: shop/templates/test.yaml\nkind: Pod\nmetadata:\n  name: t\n  \
                    annotations:\n    helm.sh/hook: test\n---\n# Source: shop/templates/web.yaml\nkind: D";
        let (files, notes) = split(text);
        let found: Vec<_> = files
            .iter()
            .map(|file| (file.path.as_str(), file.text.as_str()))
            .collect();
        assert_eq!(
            found,
            [
                ("shop/crds/crd.yaml", "kind: A\n---\nkind: B\n"),
                ("shop/templates/web.yaml", "kind: C\n---\nkind: D"),
            ]
        );
        assert_eq!(
            notes,
            ["shop/templates/test.yaml: Pod/t is a test and was left out"]
        );
    }

    #[test]
    fn release_names_are_labels() {
        for (chart, release) in [
            ("shop", "shop"),
            ("My_Chart.v2", "my-chart-v2"),
            ("---", "release"),
            ("", "release"),
        ] {
            assert_eq!(release_name(chart), release);
        }
        assert_eq!(release_name(&"x".repeat(60)).len(), 53);
    }
}
