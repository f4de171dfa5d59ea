//! Kustomizations, built by `kubectl kustomize` or `kustomize build`, whichever is on PATH.
//!
//! Plug-ins stay off, as they are by default. A kustomization that names remote bases lets the program
//! fetch them, as it does for everybody else.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use weft_domain::source::{Bundle, Form, SourceFile};

use super::archive::{self, Tree};
use super::file;
use super::process;
use super::{Error, Work};

/// Builds a kustomization in a folder.
pub(super) async fn from_folder(work: &Work<'_>, folder: &Path) -> Result<Bundle, Error> {
    let place = std::path::absolute(folder).map_err(|source| Error::Read {
        path: folder.display().to_string(),
        source,
    })?;
    build(work, file::folder_name(folder), &place).await
}

/// Builds a kustomization that came alone; it can only name remote resources.
pub(super) async fn from_text(
    work: &Work<'_>,
    name: String,
    main: SourceFile,
) -> Result<Bundle, Error> {
    let tree = Tree::from([("kustomization.yaml".to_owned(), main.text.into_bytes())]);
    from_tree(work, name, tree).await
}

/// Builds a kustomization from an archive.
pub(super) async fn from_tree(work: &Work<'_>, name: String, tree: Tree) -> Result<Bundle, Error> {
    let folder = work
        .blocking(move |cancel| archive::write(&tree, &cancel))
        .await?;
    build(work, name, folder.path()).await
}

/// Finds a program that builds kustomizations, with its verb.
fn tool(work: &Work<'_>) -> Option<(&'static str, PathBuf, &'static str)> {
    [("kubectl", "kustomize"), ("kustomize", "build")]
        .into_iter()
        .find_map(|(name, verb)| Some((name, process::find(work, name)?, verb)))
}

async fn build(work: &Work<'_>, name: String, place: &Path) -> Result<Bundle, Error> {
    let (tool, program, verb) = tool(work).ok_or(Error::NoTool {
        needed: "neither kubectl nor kustomize is",
        purpose: "kustomizations are built by either",
        fix: "install one of them (https://kubernetes.io/docs/tasks/tools), or build the \
              kustomization elsewhere and give the manifests",
    })?;
    let arguments: [OsString; 3] = [verb.into(), "--".into(), place.into()];
    let output = process::run(work, tool, &program, &arguments, place).await?;
    let path = "kustomization.yaml".to_owned();
    let text = file::decode(&path, output.stdout)?;
    let notes = output
        .warnings
        .into_iter()
        .map(|line| format!("{tool}: {line}"))
        .collect();
    if text.trim().is_empty() {
        return Err(Error::Empty {
            what: work.origin.clone(),
            missing: "no objects once it is built",
            notes,
        });
    }
    let (origin, files) = (work.origin.clone(), vec![SourceFile { path, text }]);
    Ok(Bundle {
        notes,
        ..Bundle::new(name, origin, Form::Kustomization, files)
    })
}
