//! Archives and compressed files, recognised by their first bytes and unpacked in memory.
//!
//! Nothing is believed of an archive: sizes are counted while unpacking, only files and folders are
//! taken, and a path that is absolute, leads upwards or appears twice is refused. Writing a tree to a
//! private folder happens only for the programs that render it.

use std::collections::BTreeMap;
use std::io::{self, Read};

use flate2::bufread::MultiGzDecoder;
use tar::EntryType;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::error::flag;
use super::{Error, Limits};

/// A small archive may become this large, whatever its ratio: tar alone pads each file to 512 bytes.
const UNPACKED_FLOOR: u64 = 1 << 20;

/// How often an input may be compressed in itself.
const NESTING: usize = 2;

/// The files of an archive by their paths, which are relative and clean.
pub(super) type Tree = BTreeMap<String, Vec<u8>>;

/// What some bytes turned out to be.
pub(super) enum Opened {
    /// Not an archive.
    Text(Vec<u8>),
    /// The files of an archive; a single top-level folder was entered.
    Archive(Tree),
}

/// Recognises and unpacks an input.
pub(super) fn open(
    mut bytes: Vec<u8>,
    what: &str,
    limits: &Limits,
    cancel: &CancellationToken,
) -> Result<Opened, Error> {
    for _ in 0..NESTING {
        if !bytes.starts_with(&[0x1F, 0x8B]) {
            break;
        }
        bytes = gunzip(&bytes, what, limits, cancel)?;
    }
    let format = match bytes.as_slice() {
        [0x1F, 0x8B, ..] => "compressed more than twice",
        [b'P', b'K', 3 | 5, 4 | 6, ..] => "a zip archive",
        [0xFD, b'7', b'z', b'X', b'Z', 0, ..] => "compressed with xz",
        [0x28, 0xB5, 0x2F, 0xFD, ..] => "compressed with zstd",
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => "compressed with bzip2",
        _ if bytes.get(257..262) == Some(b"ustar") => {
            let tree = untar(&bytes, what, limits, cancel)?;
            return Ok(Opened::Archive(enter_single_folder(tree)));
        }
        _ => return Ok(Opened::Text(bytes)),
    };
    Err(Error::Compression {
        what: what.to_owned(),
        format,
    })
}

fn gunzip(
    bytes: &[u8],
    what: &str,
    limits: &Limits,
    cancel: &CancellationToken,
) -> Result<Vec<u8>, Error> {
    let by_ratio = (bytes.len() as u64).saturating_mul(limits.ratio);
    let limit = by_ratio.max(UNPACKED_FLOOR).min(limits.unpacked);
    let mut decoder = MultiGzDecoder::new(bytes);
    let mut out = Vec::new();
    loop {
        if cancel.is_cancelled() {
            return Err(Error::Cancelled {
                origin: what.to_owned(),
            });
        }
        let read = (&mut decoder)
            .take(1 << 20)
            .read_to_end(&mut out)
            .map_err(|source| damaged(what, source))?;
        if out.len() as u64 > limit {
            return Err(Error::TooLarge {
                what: format!("{what}, unpacked,"),
                limit,
                flag: Some(if limit == limits.unpacked {
                    flag::UNPACKED
                } else {
                    flag::RATIO
                }),
            });
        }
        if read == 0 {
            return Ok(out);
        }
    }
}

fn damaged(what: &str, source: io::Error) -> Error {
    Error::Archive {
        what: what.to_owned(),
        source,
    }
}

fn untar(
    bytes: &[u8],
    what: &str,
    limits: &Limits,
    cancel: &CancellationToken,
) -> Result<Tree, Error> {
    let damaged = |source| damaged(what, source);
    let mut archive = tar::Archive::new(bytes);
    let mut tree = Tree::new();
    for (index, entry) in archive.entries().map_err(damaged)?.enumerate() {
        if cancel.is_cancelled() {
            return Err(Error::Cancelled {
                origin: what.to_owned(),
            });
        }
        if index >= limits.entries {
            return Err(Error::TooMany {
                what: what.to_owned(),
                limit: limits.entries,
                flag: flag::ENTRIES,
            });
        }
        let mut entry = entry.map_err(damaged)?;
        let raw = entry.path_bytes().into_owned();
        let shown = String::from_utf8_lossy(&raw).into_owned();
        let refuse = |reason| Error::Entry {
            what: what.to_owned(),
            entry: shown.clone(),
            reason,
        };
        match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous => {}
            EntryType::Directory | EntryType::XGlobalHeader => {
                clean(&raw, limits).map_err(refuse)?;
                continue;
            }
            EntryType::Symlink | EntryType::Link => return Err(refuse("is a link")),
            EntryType::Char | EntryType::Block | EntryType::Fifo => {
                return Err(refuse("is a device or a pipe"));
            }
            _ => return Err(refuse("is of a kind that is not read")),
        }
        let path = clean(&raw, limits).map_err(refuse)?;
        if path.is_empty() {
            return Err(refuse("has no name"));
        }
        // The archive is in memory, so an entry that claims more than that is cut off or lies.
        if entry.size() > bytes.len() as u64 {
            return Err(refuse("is larger than the archive"));
        }
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(damaged)?;
        if content.len() as u64 != entry.size() {
            return Err(refuse("is cut off"));
        }
        if tree.insert(path, content).is_some() {
            return Err(refuse("appears twice"));
        }
    }
    Ok(tree)
}

/// Turns an entry's path into a relative one without `.` and `//`, or says why it is refused.
fn clean(raw: &[u8], limits: &Limits) -> Result<String, &'static str> {
    let path = str::from_utf8(raw).map_err(|_| "has a name that is not UTF-8")?;
    if raw.len() > limits.path {
        return Err("has a path that is too long");
    }
    if path.contains(['\\', '\0']) {
        return Err("has a backslash or a zero byte in its name");
    }
    if path.starts_with('/') {
        return Err("has an absolute path");
    }
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => return Err("leads out of the archive"),
            part if part.len() > limits.component => return Err("has a name that is too long"),
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

/// Enters a folder that holds all there is.
fn enter_single_folder(tree: Tree) -> Tree {
    let Some((folder, _)) = tree.keys().next().and_then(|path| path.split_once('/')) else {
        return tree;
    };
    let prefix = format!("{folder}/");
    if !tree.keys().all(|path| path.starts_with(&prefix)) {
        return tree;
    }
    tree.into_iter()
        .map(|(path, bytes)| (path[prefix.len()..].to_owned(), bytes))
        .collect()
}

/// Makes a temporary folder that only this user can enter; it vanishes when dropped.
pub(super) fn private_folder() -> Result<TempDir, Error> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("weft-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(std::fs::Permissions::from_mode(0o700));
    }
    builder
        .tempdir()
        .map_err(|source| Error::Temporary { source })
}

/// Writes the files of an archive into a private folder.
pub(super) fn write(tree: &Tree, cancel: &CancellationToken) -> Result<TempDir, Error> {
    let failed = |source| Error::Temporary { source };
    let folder = private_folder()?;
    for (path, bytes) in tree {
        if cancel.is_cancelled() {
            return Err(Error::Cancelled {
                origin: path.clone(),
            });
        }
        let path = folder.path().join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(failed)?;
        }
        let mut file = std::fs::File::create_new(&path).map_err(failed)?;
        io::Write::write_all(&mut file, bytes).map_err(failed)?;
    }
    Ok(folder)
}
