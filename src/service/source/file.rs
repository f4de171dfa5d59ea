//! Files, folders and standard input.
//!
//! A folder's files are read in the order of their paths, without hidden ones and without following
//! links out of it; everything that is wrong with any of them is reported together. Limits are checked
//! against what the file system says before reading and again while reading.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, FileType};
use std::io::{self, IsTerminal, Read as _};
use std::path::{Path, PathBuf};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use weft_domain::source::{self, SourceFile};

use super::archive::Tree;
use super::error::flag;
use super::{Error, Limits, Read, Work};

/// What a path on the command line is.
pub(super) enum Place {
    File,
    Folder,
    /// A pipe that the shell made, such as `/dev/fd/63` of `<(…)`.
    Pipe,
}

/// Finds out what a path is, following links: the user named it.
pub(super) fn look(path: &Path) -> Result<Place, Error> {
    let metadata = std::fs::metadata(path).map_err(|source| failed(path, source))?;
    let kind = metadata.file_type();
    let from_shell = ["/dev/fd/", "/proc/self/fd/", "/dev/stdin"]
        .iter()
        .any(|prefix| path.to_string_lossy().starts_with(prefix));
    if kind.is_dir() {
        Ok(Place::Folder)
    } else if kind.is_file() {
        Ok(Place::File)
    } else if from_shell && special_kind(kind) == "a named pipe" {
        Ok(Place::Pipe)
    } else {
        Err(Error::Special {
            path: path.display().to_string(),
            kind: special_kind(kind),
        })
    }
}

fn failed(path: &Path, source: io::Error) -> Error {
    let path = path.display().to_string();
    match source.kind() {
        io::ErrorKind::NotFound => Error::NotFound { path },
        _ => Error::Read { path, source },
    }
}

#[cfg(unix)]
fn special_kind(kind: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt as _;
    if kind.is_fifo() {
        "a named pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

#[cfg(not(unix))]
fn special_kind(_: FileType) -> &'static str {
    "a special file"
}

/// Returns the last component of a path.
pub(super) fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(
        || path.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    )
}

/// Returns the folder that a file is in.
pub(super) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Returns the name of a folder, also of `.` and `..`.
pub(super) fn folder_name(path: &Path) -> String {
    let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    real.file_name().map_or_else(
        || "folder".to_owned(),
        |name| name.to_string_lossy().into_owned(),
    )
}

/// Lists the names at the top of a folder.
pub(super) fn names(folder: &Path) -> Result<Vec<String>, Error> {
    let failed = |source| failed(folder, source);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        names.push(name.to_string_lossy().into_owned());
    }
    Ok(names)
}

/// Reads standard input to its end.
pub(super) async fn read_stdin(work: &Work<'_>) -> Result<Vec<u8>, Error> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return Err(Error::Terminal);
    }
    read_stream(work, "standard input", move || Ok(stdin)).await
}

/// Reads a pipe that the shell made to its end.
pub(super) async fn read_pipe(work: &Work<'_>, path: &Path) -> Result<Vec<u8>, Error> {
    let path = path.to_path_buf();
    let label = path.display().to_string();
    read_stream(work, &label, move || File::open(path)).await
}

/// Reads a stream that may never end or never answer.
///
/// It is read on a thread outside the runtime: a read that hangs cannot be interrupted, and the runtime
/// would wait for it when the program ends.
pub(super) async fn read_stream<R: io::Read>(
    work: &Work<'_>,
    label: &str,
    open: impl FnOnce() -> io::Result<R> + Send + 'static,
) -> Result<Vec<u8>, Error> {
    let (pieces, mut receive) = mpsc::channel::<io::Result<Vec<u8>>>(4);
    let failed = |source| Error::Read {
        path: label.to_owned(),
        source,
    };
    std::thread::Builder::new()
        .name("stdin".to_owned())
        .spawn(move || {
            let mut stream = match open() {
                Ok(stream) => stream,
                Err(error) => return drop(pieces.blocking_send(Err(error))),
            };
            loop {
                let mut piece = vec![0; 64 << 10];
                let sent = match stream.read(&mut piece) {
                    Ok(0) => return,
                    Ok(length) => {
                        piece.truncate(length);
                        pieces.blocking_send(Ok(piece))
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => return drop(pieces.blocking_send(Err(error))),
                };
                if sent.is_err() {
                    return;
                }
            }
        })
        .map_err(failed)?;
    let limit = work.options.limits.input;
    work.guard(async {
        let mut bytes = Vec::new();
        while let Some(piece) = receive.recv().await {
            let piece = piece.map_err(failed)?;
            if (bytes.len() + piece.len()) as u64 > limit {
                return Err(too_large(label, limit));
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    })
    .await
}

/// Reads one file.
pub(super) async fn read_file(work: &Work<'_>, path: &Path) -> Result<Vec<u8>, Error> {
    let path = path.to_path_buf();
    let limit = work.options.limits.input;
    work.blocking(move |cancel| {
        let label = path.display().to_string();
        read_limited(&path, &label, limit, &cancel)
    })
    .await
}

fn too_large(what: &str, limit: u64) -> Error {
    Error::TooLarge {
        what: what.to_owned(),
        limit,
        flag: Some(flag::INPUT),
    }
}

/// Reads a file of at most `limit` bytes.
fn read_limited(
    path: &Path,
    label: &str,
    limit: u64,
    cancel: &CancellationToken,
) -> Result<Vec<u8>, Error> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => Error::NotFound {
            path: label.to_owned(),
        },
        _ => Error::Read {
            path: label.to_owned(),
            source,
        },
    };
    // A named pipe would block in `open`, so look first; look again at what was opened.
    let before = std::fs::metadata(path).map_err(failed)?;
    require_file(before.file_type(), label)?;
    let mut file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    require_file(metadata.file_type(), label)?;
    if metadata.len() > limit {
        return Err(too_large(label, limit));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
    loop {
        if cancel.is_cancelled() {
            return Err(Error::Cancelled {
                origin: label.to_owned(),
            });
        }
        let read = (&mut file)
            .take(4 << 20)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        if bytes.len() as u64 > limit {
            return Err(too_large(label, limit));
        }
        if read == 0 {
            return Ok(bytes);
        }
    }
}

fn require_file(kind: FileType, label: &str) -> Result<(), Error> {
    if kind.is_file() {
        Ok(())
    } else {
        Err(Error::Special {
            path: label.to_owned(),
            kind: if kind.is_dir() {
                "a folder"
            } else {
                special_kind(kind)
            },
        })
    }
}

/// Reads the texts of a folder. All that cannot be read is reported together.
pub(super) fn read_folder(
    folder: &Path,
    origin: &str,
    limits: &Limits,
    cancel: &CancellationToken,
) -> Result<Read, Error> {
    let keep = |name: &str| source::is_read_in_folder(name) || source::is_kustomization([name]);
    let mut walk = Walk::new(folder, keep, limits, cancel)?;
    walk.run()?;
    let Walk {
        found,
        mut notes,
        mut errors,
        ..
    } = walk;
    let kept = leave_out_projects(found.keys().map(String::as_str), &mut notes);
    let mut files = Vec::new();
    let sought = kept.iter().map(|path| (path, &found[path]));
    read_each(
        sought,
        origin,
        limits,
        cancel,
        &mut errors,
        |path, bytes| {
            let text = decode(path, bytes)?;
            files.push(SourceFile {
                path: path.to_owned(),
                text,
            });
            Ok(())
        },
    )?;
    finish(files, notes, errors, origin)
}

/// Reads the files of a folder that are kept by their names, and says what was left out. All that cannot be read is
/// reported together.
pub(super) fn tree_of_folder(
    folder: &Path,
    origin: &str,
    keep: fn(&str) -> bool,
    limits: &Limits,
    cancel: &CancellationToken,
) -> Result<(Tree, Vec<String>), Error> {
    let mut walk = Walk::new(folder, keep, limits, cancel)?;
    walk.run()?;
    let Walk {
        found,
        notes,
        mut errors,
        ..
    } = walk;
    let mut tree = Tree::new();
    read_each(
        &found,
        origin,
        limits,
        cancel,
        &mut errors,
        |path, bytes| {
            tree.insert(path.to_owned(), bytes);
            Ok(())
        },
    )?;
    match one_of(errors, origin) {
        Some(error) => Err(error),
        None => Ok((tree, notes)),
    }
}

/// Hands on the content of each file, up to the limit of all together. What cannot be read, or taken, is added to the
/// errors.
fn read_each<'a>(
    files: impl IntoIterator<Item = (&'a String, &'a PathBuf)>,
    origin: &str,
    limits: &Limits,
    cancel: &CancellationToken,
    errors: &mut Vec<Error>,
    mut take: impl FnMut(&str, Vec<u8>) -> Result<(), Error>,
) -> Result<(), Error> {
    let (mut room, mut is_first) = (limits.input, errors.is_empty());
    for (path, file) in files {
        let taken = read_limited(file, path, room, cancel).and_then(|bytes| {
            room -= bytes.len() as u64;
            take(path, bytes)
        });
        match taken {
            Ok(()) => {}
            // The limit is of all files together, so say that; nothing behind it is read.
            Err(Error::TooLarge { flag, .. }) => {
                errors.push(Error::TooLarge {
                    what: if is_first {
                        path.clone()
                    } else {
                        format!("{origin} up to {path}")
                    },
                    limit: limits.input,
                    flag,
                });
                break;
            }
            Err(error @ Error::Cancelled { .. }) => return Err(error),
            Err(error) => errors.push(error),
        }
        is_first = false;
    }
    Ok(())
}

/// Reads the texts of an unpacked archive, by the rules of a folder.
pub(super) fn read_tree(tree: &Tree, origin: &str) -> Result<Read, Error> {
    let mut notes = Vec::new();
    let shown = |path: &&str| {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let is_read = source::is_read_in_folder(name) || source::is_kustomization([name]);
        is_read && !folder.split('/').any(source::is_hidden)
    };
    let kept = leave_out_projects(tree.keys().map(String::as_str).filter(shown), &mut notes);
    let mut files = Vec::new();
    let mut errors = Vec::new();
    for path in kept {
        match decode(&path, tree[&path].clone()) {
            Ok(text) => files.push(SourceFile { path, text }),
            Err(error) => errors.push(error),
        }
    }
    finish(files, notes, errors, origin)
}

fn finish(
    files: Vec<SourceFile>,
    notes: Vec<String>,
    errors: Vec<Error>,
    origin: &str,
) -> Result<Read, Error> {
    match one_of(errors, origin) {
        Some(error) => Err(error),
        None if files.is_empty() => Err(Error::Empty {
            what: origin.to_owned(),
            missing: "no .yaml, .yml or .json files",
            notes,
        }),
        None => Ok(Read { files, notes }),
    }
}

/// The errors of several files as one; none where there are none.
fn one_of(mut errors: Vec<Error>, origin: &str) -> Option<Error> {
    if errors.len() > 1 {
        return Some(Error::Several {
            what: origin.to_owned(),
            errors,
        });
    }
    errors.pop()
}

/// Drops what belongs to a chart or a kustomization below the top: its files mean nothing by themselves.
fn leave_out_projects<'a>(
    paths: impl Iterator<Item = &'a str> + Clone,
    notes: &mut Vec<String>,
) -> Vec<String> {
    let mut projects = BTreeMap::new();
    for path in paths.clone() {
        let Some((folder, name)) = path.rsplit_once('/') else {
            continue;
        };
        if source::is_chart_folder([name]) {
            projects.insert(folder, "a chart");
        } else if source::is_kustomization([name]) {
            projects.entry(folder).or_insert("a kustomization");
        }
    }
    let owner = |path: &str| {
        path.match_indices('/')
            .map(|(at, _)| &path[..at])
            .find(|folder| projects.contains_key(folder))
            .map(str::to_owned)
    };
    for (folder, kind) in &projects {
        if owner(folder).is_none() {
            notes.push(format!(
                "{folder} is {kind} and was left out; import it by itself"
            ));
        }
    }
    paths
        .filter(|path| owner(path).is_none())
        .filter(|path| source::is_read_in_folder(path.rsplit('/').next().unwrap_or(path)))
        .map(str::to_owned)
        .collect()
}

/// Finds the files of a folder, folder by folder.
struct Walk<'a> {
    root: PathBuf,
    /// Which files are read, by their names.
    keep: fn(&str) -> bool,
    limits: &'a Limits,
    cancel: &'a CancellationToken,
    found: BTreeMap<String, PathBuf>,
    /// Files behind links, by the path of the link.
    links: Vec<(String, PathBuf)>,
    notes: Vec<String>,
    errors: Vec<Error>,
}

impl<'a> Walk<'a> {
    fn new(
        folder: &Path,
        keep: fn(&str) -> bool,
        limits: &'a Limits,
        cancel: &'a CancellationToken,
    ) -> Result<Self, Error> {
        let root = std::fs::canonicalize(folder).map_err(|source| failed(folder, source))?;
        Ok(Self {
            root,
            keep,
            limits,
            cancel,
            found: BTreeMap::new(),
            links: Vec::new(),
            notes: Vec::new(),
            errors: Vec::new(),
        })
    }

    fn run(&mut self) -> Result<(), Error> {
        let mut folders = vec![String::new()];
        while let Some(folder) = folders.pop() {
            let entries = match std::fs::read_dir(self.root.join(&folder)) {
                Ok(entries) => entries,
                Err(source) => {
                    self.errors.push(Error::Read {
                        path: if folder.is_empty() {
                            self.root.display().to_string()
                        } else {
                            folder
                        },
                        source,
                    });
                    continue;
                }
            };
            for entry in entries {
                if self.cancel.is_cancelled() {
                    return Err(Error::Cancelled {
                        origin: self.root.display().to_string(),
                    });
                }
                match entry {
                    Ok(entry) => self.entry(&folder, &entry, &mut folders)?,
                    Err(source) => self.errors.push(Error::Read {
                        path: folder.clone(),
                        source,
                    }),
                }
            }
        }
        self.resolve_links();
        self.notes.sort();
        self.errors.sort_by_key(ToString::to_string);
        Ok(())
    }

    fn entry(
        &mut self,
        folder: &str,
        entry: &std::fs::DirEntry,
        folders: &mut Vec<String>,
    ) -> Result<(), Error> {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if source::is_hidden(&name) {
            return Ok(());
        }
        let path = if folder.is_empty() {
            name.to_string()
        } else {
            format!("{folder}/{name}")
        };
        let kind = match entry.file_type() {
            Ok(kind) => kind,
            Err(source) => {
                self.errors.push(Error::Read { path, source });
                return Ok(());
            }
        };
        let is_read = (self.keep)(&name);
        if kind.is_dir() {
            folders.push(path);
        } else if kind.is_symlink() {
            self.link(path, &entry.path(), is_read);
        } else if is_read && kind.is_file() {
            self.found.insert(path, entry.path());
        } else if is_read {
            let kind = special_kind(kind);
            self.errors.push(Error::Special { path, kind });
        }
        if self.found.len() + self.links.len() > self.limits.files {
            return Err(Error::TooMany {
                what: self.root.display().to_string(),
                limit: self.limits.files,
                flag: flag::FILES,
            });
        }
        Ok(())
    }

    fn link(&mut self, path: String, link: &Path, is_read: bool) {
        match std::fs::canonicalize(link) {
            Ok(target) if target.is_dir() => {
                self.notes
                    .push(format!("{path} is a link to a folder and was not followed"));
            }
            Ok(target) if is_read && !target.starts_with(&self.root) => {
                self.errors.push(Error::LinkOutside { path });
            }
            Ok(target) if is_read => self.links.push((path, target)),
            Err(source) if is_read => self.errors.push(Error::Read { path, source }),
            Ok(_) | Err(_) => {}
        }
    }

    /// Takes what lies behind links inside the folder, unless it is read by its own name anyway.
    fn resolve_links(&mut self) {
        let mut taken: BTreeSet<PathBuf> = self.found.values().cloned().collect();
        self.links.sort();
        for (path, target) in std::mem::take(&mut self.links) {
            if taken.insert(target.clone()) {
                self.found.insert(path, target);
            } else {
                self.notes
                    .push(format!("{path} is a link to a file that is read already"));
            }
        }
    }
}

/// Decodes a text: UTF-8 with or without a byte order mark, or UTF-16 with one.
pub(super) fn decode(path: &str, bytes: Vec<u8>) -> Result<String, Error> {
    let wrong = |before: &str, encoding| Error::Encoding {
        path: path.to_owned(),
        line: before.matches('\n').count() + 1,
        column: before.chars().rev().take_while(|c| *c != '\n').count() + 1,
        encoding,
    };
    let unit: fn([u8; 2]) -> u16 = match bytes.as_slice() {
        [0xFF, 0xFE, ..] => u16::from_le_bytes,
        [0xFE, 0xFF, ..] => u16::from_be_bytes,
        _ => {
            return match String::from_utf8(bytes) {
                Ok(mut text) => {
                    if text.starts_with('\u{FEFF}') {
                        text.drain(..'\u{FEFF}'.len_utf8());
                    }
                    Ok(text)
                }
                Err(error) => {
                    let (valid, _) = error.as_bytes().split_at(error.utf8_error().valid_up_to());
                    let before = String::from_utf8_lossy(valid);
                    Err(wrong(before.trim_start_matches('\u{FEFF}'), "UTF-8"))
                }
            };
        }
    };
    let (pairs, odd) = bytes[2..].as_chunks::<2>();
    let mut text = String::with_capacity(pairs.len());
    for decoded in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        match decoded {
            Ok(c) => text.push(c),
            Err(_unpaired) => return Err(wrong(&text, "UTF-16")),
        }
    }
    if odd.is_empty() {
        Ok(text)
    } else {
        Err(wrong(&text, "UTF-16"))
    }
}
