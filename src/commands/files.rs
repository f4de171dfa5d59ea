//! Writes files: all of them or none; those of an export in place of those of an earlier one.
//!
//! The folder of an export remembers in [`LIST`] which of its files are an export's, so that the next one takes
//! away what it no longer has (a stale template would be installed again) and nothing else.

use std::{
    collections::BTreeSet,
    io::{self, Write},
    path::{Component, Path, PathBuf},
};

use tempfile::{NamedTempFile, TempPath};

use crate::{
    api::design::File,
    error::{Code, Error, Place, Result},
};

/// The list of an export's files, one path in a line, in the folder of the export.
const LIST: &str = ".weftctl-export";

/// Where files go, and how.
pub(super) struct Target<'a> {
    /// The file or the folder.
    pub(super) to: &'a Path,
    /// What that is.
    pub(super) shape: Shape,
    /// Whether files may be replaced.
    pub(super) force: bool,
    /// Whether only this user may read them.
    pub(super) private: bool,
}

/// What files go to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// One file, and nothing else.
    File,
    /// A folder.
    Folder,
    /// A folder that remembers which of its files are an export's.
    Export,
}

impl Target<'_> {
    /// The paths of the files, in their order.
    pub(super) fn paths(&self, files: &[File]) -> Vec<PathBuf> {
        if self.shape == Shape::File {
            return vec![self.to.to_path_buf()];
        }
        files.iter().map(|file| self.to.join(&file.path)).collect()
    }

    /// Writes the files.
    pub(super) fn write(&self, files: &[File]) -> Result<()> {
        let mut paths = self.paths(files);
        if !self.force
            && let Some(path) = paths.iter().find(|path| path.symlink_metadata().is_ok())
        {
            let message = "a file that would be overwritten exists";
            return Err(Error::new(Code::FileExists, message).at(place(path)));
        }
        let list: String;
        let mut texts: Vec<&str> = files.iter().map(|file| file.text.as_str()).collect();
        let mut stale = Vec::new();
        if self.shape == Shape::Export {
            let new: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
            stale = self.listed()?;
            stale.retain(|path| !new.contains(path.as_str()));
            list = new.into_iter().flat_map(|path| [path, "\n"]).collect();
            paths.push(self.to.join(LIST));
            texts.push(&list);
        }
        // Everything that can be large or slow happens before the first file gets its name.
        let mut ready = Vec::with_capacity(paths.len());
        for (path, text) in paths.iter().zip(texts) {
            ready.push(
                self.prepare(path, text)
                    .map_err(|error| failed(path, error))?,
            );
        }
        let mut exchange = Exchange::default();
        for (file, path) in ready.into_iter().zip(&paths) {
            let put = exchange.put(file.into_temp_path(), path);
            put.map_err(|error| failed(path, error))?;
        }
        for path in stale.iter().map(|path| self.to.join(path)) {
            let taken = exchange.take_away(&path);
            taken.map_err(|error| failed(&path, error))?;
        }
        exchange.finish();
        Ok(())
    }

    /// The files of an earlier export that are still there.
    fn listed(&self) -> Result<Vec<String>> {
        let path = self.to.join(LIST);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                let message = "cannot read what an earlier export wrote";
                return Err(Error::new(Code::Unreadable, message)
                    .at(place(&path))
                    .because(error));
            }
        };
        // The folder may be from elsewhere: nothing outside of it is touched.
        let root = std::fs::canonicalize(self.to).map_err(|error| failed(self.to, error))?;
        let is_inside = |line: &&str| {
            let line = Path::new(line);
            let plain = line
                .components()
                .all(|part| matches!(part, Component::Normal(_)));
            let folder = self.to.join(line).parent().map(std::fs::canonicalize);
            plain && matches!(folder, Some(Ok(folder)) if folder.starts_with(&root))
        };
        let is_file = |line: &&str| {
            let found = self.to.join(line).symlink_metadata();
            found.is_ok_and(|found| !found.is_dir())
        };
        let lines = text.lines().filter(|line| !line.is_empty());
        Ok(lines
            .filter(is_inside)
            .filter(is_file)
            .map(str::to_owned)
            .collect())
    }

    /// A complete file beside its place.
    fn prepare(&self, path: &Path, text: &str) -> io::Result<NamedTempFile> {
        let folder = folder(path);
        std::fs::create_dir_all(folder)?;
        let mut file = tempfile::Builder::new()
            .permissions(mode(self.private))
            .tempfile_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        Ok(file)
    }
}

/// Files that took the places of others, which are kept until all have; dropped before, it puts
/// everything back.
#[derive(Default)]
struct Exchange {
    /// Each place, with what was there.
    done: Vec<(PathBuf, Option<TempPath>)>,
}

impl Exchange {
    fn put(&mut self, file: TempPath, path: &Path) -> io::Result<()> {
        self.take_away(path)?;
        file.persist_noclobber(path).map_err(|error| error.error)
    }

    /// Moves aside what is at a place, if anything is.
    fn take_away(&mut self, path: &Path) -> io::Result<()> {
        let aside = match path.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
            Ok(found) if found.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(_) => {
                let aside = NamedTempFile::new_in(folder(path))?.into_temp_path();
                std::fs::rename(path, &aside)?;
                Some(aside)
            }
        };
        self.done.push((path.to_path_buf(), aside));
        Ok(())
    }

    /// Lets go of what was there before.
    fn finish(mut self) {
        self.done.clear();
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        for (path, aside) in self.done.drain(..).rev() {
            // Nothing more can be done about what fails here; the error that led here is told.
            let _ = match aside {
                Some(aside) => aside.persist(&path).map_err(|error| error.error),
                None => std::fs::remove_file(&path),
            };
        }
    }
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn place(path: &Path) -> Place {
    Place::file(path.display().to_string(), None)
}

fn failed(path: &Path, error: io::Error) -> Error {
    Error::new(Code::FileNotWritten, "cannot write a file")
        .at(place(path))
        .because(error)
}

#[cfg(unix)]
fn mode(private: bool) -> std::fs::Permissions {
    let mode = if private { 0o600 } else { 0o644 };
    std::os::unix::fs::PermissionsExt::from_mode(mode)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> File {
        File {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    fn target(to: &Path) -> Target<'_> {
        Target {
            to,
            shape: Shape::Export,
            force: true,
            private: false,
        }
    }

    fn found(folder: &Path) -> Vec<String> {
        let mut found = Vec::new();
        let mut open = vec![folder.to_path_buf()];
        while let Some(next) = open.pop() {
            for entry in std::fs::read_dir(next).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    let text = std::fs::read_to_string(&path).expect("a text");
                    let path = path.strip_prefix(folder).expect("inside");
                    found.push(format!("{}={}", path.display(), text.trim()));
                }
            }
        }
        found.sort();
        found
    }

    #[test]
    fn an_export_takes_away_what_the_one_before_had_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("chart");
        let write = |files: &[File]| target(&root).write(files).expect("written");
        write(&[file("a", "1"), file("t/b", "1"), file("t/c", "1")]);
        std::fs::write(root.join("t/mine"), "mine").expect("written");
        std::fs::write(folder.path().join("outside"), "mine").expect("written");
        let list = std::fs::read_to_string(root.join(LIST)).expect("a list");
        std::fs::write(root.join(LIST), list + "../outside\n/etc/hosts\n").expect("written");
        write(&[file("a", "2"), file("t/c", "2")]);
        assert_eq!(
            found(&root),
            [".weftctl-export=a\nt/c", "a=2", "t/c=2", "t/mine=mine"]
        );
        assert!(folder.path().join("outside").exists());
    }

    #[test]
    fn an_export_that_fails_midway_leaves_everything_as_it_was() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        let files = [file("a", "1"), file("b", "1")];
        target(root).write(&files).expect("written");
        std::fs::create_dir(root.join("c")).expect("a folder");
        let before = found(root);
        let next = [file("a", "2"), file("new", "2"), file("c", "2")];
        let error = target(root).write(&next).expect_err("c is a folder");
        assert_eq!(error.code(), Code::FileNotWritten);
        assert_eq!(found(root), before);
    }
}
