//! The files that a compose file names.
//!
//! They come along as texts, from inside the compose file's folder only. What lies outside, is a
//! folder, is large or is no text is named in a note, and the domain decides whether it can do without.
//! `.env` beside the compose file is carried as a text; nothing is ever set from it here.

use std::collections::{BTreeSet, VecDeque};
use std::io::Read as _;
use std::path::PathBuf;

use weft_domain::source::{self, Bundle, ComposeRole, Form, SourceFile};

use super::archive::Tree;
use super::error;
use super::file;

/// A mounted file may become a `ConfigMap`, which holds 1 MiB; others are documents.
const MOUNT_LIMIT: u64 = 1 << 20;
const DOCUMENT_LIMIT: u64 = 16 << 20;

/// Files that one compose project may bring along.
const FILE_LIMIT: usize = 1000;

/// Where the files are that a compose file names.
pub(super) enum Beside {
    /// In a folder on this machine.
    Folder(PathBuf),
    /// In an archive.
    Tree(Tree),
    /// Nowhere: the compose file came alone.
    Nowhere,
}

impl Beside {
    /// Moves into the folder of a path; returns that place and the file's name in it.
    pub(super) fn enter(self, path: &str) -> (Self, String) {
        let Some((folder, name)) = path.rsplit_once('/') else {
            return (self, path.to_owned());
        };
        let prefix = format!("{folder}/");
        let beside = match self {
            Self::Folder(root) => Self::Folder(root.join(folder)),
            Self::Tree(tree) => Self::Tree(
                tree.into_iter()
                    .filter_map(|(path, bytes)| {
                        let inner = path.strip_prefix(&prefix)?.to_owned();
                        Some((inner, bytes))
                    })
                    .collect(),
            ),
            Self::Nowhere => Self::Nowhere,
        };
        (beside, name.to_owned())
    }

    /// Reads a file, or says why it was not read.
    fn read(&self, path: &str, limit: u64) -> Result<String, String> {
        let large = || format!("is larger than {}", error::bytes(limit));
        let bytes = match self {
            Self::Nowhere => return Err("is not at hand, as the compose file came alone".into()),
            Self::Tree(tree) => match tree.get(path) {
                Some(bytes) if bytes.len() as u64 > limit => return Err(large()),
                Some(bytes) => bytes.clone(),
                None => return Err("is not in the archive".into()),
            },
            Self::Folder(root) => {
                let missing = |_| "does not exist or cannot be read".to_owned();
                let root = std::fs::canonicalize(root).map_err(missing)?;
                let real = std::fs::canonicalize(root.join(path)).map_err(missing)?;
                if !real.starts_with(&root) {
                    return Err("is a link that leads out of the folder".into());
                }
                let kind = std::fs::metadata(&real).map_err(missing)?.file_type();
                if kind.is_dir() {
                    return Err("is a folder".into());
                }
                if !kind.is_file() {
                    return Err("is not a regular file".into());
                }
                let mut bytes = Vec::new();
                let file = std::fs::File::open(&real).map_err(missing)?;
                file.take(limit + 1)
                    .read_to_end(&mut bytes)
                    .map_err(missing)?;
                if bytes.len() as u64 > limit {
                    return Err(large());
                }
                bytes
            }
        };
        file::decode(path, bytes).map_err(|_| "is not a text".to_owned())
    }
}

/// Chooses the compose file of a folder: the only one, or the one with the preferred name at the top.
pub(super) fn main_file(files: &[SourceFile]) -> Option<usize> {
    if files.len() == 1 {
        return Some(0);
    }
    source::COMPOSE_NAMES
        .iter()
        .find_map(|name| files.iter().position(|file| file.path == *name))
}

/// Collects a compose file and the files that it names.
pub(super) fn gather(
    name: String,
    origin: String,
    main: SourceFile,
    beside: &Beside,
    mut notes: Vec<String>,
) -> Bundle {
    let mut known = BTreeSet::from([main.path.clone()]);
    let mut files = vec![main];
    let mut composes = VecDeque::from([0]);
    while let Some(at) = composes.pop_front() {
        let path = files[at].path.clone();
        let base = path.rsplit_once('/').map_or("", |(base, _)| base);
        for reference in source::compose_references(&files[at].text) {
            let mut note = |reason: &str| {
                notes.push(format!(
                    "{path}: {} names {:?}, which {reason}; it was not read",
                    reference.field, reference.path
                ));
            };
            let target = match inside(base, &reference.path) {
                Ok(target) => target,
                Err(reason) => {
                    note(reason);
                    continue;
                }
            };
            if known.contains(&target) {
                continue;
            }
            if files.len() >= FILE_LIMIT {
                note("is one file too many");
                continue;
            }
            let limit = match reference.role {
                ComposeRole::Mount | ComposeRole::Content => MOUNT_LIMIT,
                ComposeRole::Variables | ComposeRole::Compose => DOCUMENT_LIMIT,
            };
            match beside.read(&target, limit) {
                Ok(text) => {
                    if reference.role == ComposeRole::Compose {
                        composes.push_back(files.len());
                    }
                    known.insert(target.clone());
                    files.push(SourceFile { path: target, text });
                }
                Err(reason) => note(&reason),
            }
        }
    }
    if !known.contains(".env")
        && let Ok(text) = beside.read(".env", MOUNT_LIMIT)
    {
        files.push(SourceFile {
            path: ".env".to_owned(),
            text,
        });
    }
    Bundle {
        notes,
        ..Bundle::new(name, origin, Form::Compose, files)
    }
}

/// Resolves a path against a folder inside the project; refuses to leave the project.
fn inside(base: &str, path: &str) -> Result<String, &'static str> {
    if path.contains('$') {
        return Err("depends on a variable");
    }
    if path.contains("://") {
        return Err("is an address");
    }
    if path.starts_with(['/', '~']) || path.contains('\\') {
        return Err("is outside of the folder");
    }
    let mut parts: Vec<&str> = base.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop().ok_or("is outside of the folder")?;
            }
            part => parts.push(part),
        }
    }
    if parts.is_empty() {
        return Err("is a folder");
    }
    Ok(parts.join("/"))
}
