//! Definitions of models: texts from files, folders, archives in archives, and images that hold them.

use aws_lc_rs::digest;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use weft_domain::source::{self, Bundle, Form, Source, SourceFile};

use super::{
    Error, Limits, Options, Work,
    archive::{self, Opened, Tree},
    fetch,
    file::{self, Place},
};

/// How deep archives may be in archives; an image is two of them.
const DEPTH: usize = 4;

/// Reads the texts of definitions, wherever they are in a source. Their paths go through archives as through folders.
///
/// # Errors
/// When something of it can't be read, or nothing is there.
pub async fn load_definitions(
    source: &Source,
    options: &Options,
    cancel: CancellationToken,
) -> Result<Bundle, Error> {
    let work = Work::of(source, options, cancel);
    let (name, found) = work.definitions(source).await?;
    let (limits, origin) = (options.limits.clone(), work.origin.clone());
    let texts = work.blocking(move |cancel| found.texts(&origin, limits, &cancel));
    let (files, notes) = texts.await?;
    Ok(Bundle {
        notes,
        ..Bundle::new(name, source.origin(), Form::Manifest, files)
    })
}

/// What a source turned out to be.
enum Found {
    /// A file, with its name.
    File(String, Vec<u8>),
    /// The files of a folder, and what was left out.
    Folder(Tree, Vec<String>),
}

impl Work<'_> {
    /// The name of a source, and what it is.
    async fn definitions(&self, source: &Source) -> Result<(String, Found), Error> {
        let (label, bytes) = match source {
            Source::Stdin => ("stdin".to_owned(), file::read_stdin(self).await?),
            Source::Path(path) => match file::look(path)? {
                Place::Folder => {
                    let name = file::folder_name(path);
                    let (folder, origin) = (path.clone(), self.origin.clone());
                    let limits = self.options.limits.clone();
                    let is_image = path.join("oci-layout").is_file();
                    let keep = if is_image { |_: &str| true } else { is_kept };
                    let read = self.blocking(move |cancel| {
                        file::tree_of_folder(&folder, &origin, keep, &limits, &cancel)
                    });
                    let (tree, notes) = read.await?;
                    return Ok((name, Found::Folder(tree, notes)));
                }
                Place::File => (file::file_name(path), file::read_file(self, path).await?),
                Place::Pipe => (file::file_name(path), file::read_pipe(self, path).await?),
            },
            Source::Url(url) => {
                let fetched = fetch::fetch(self, url).await?;
                (fetched.name, fetched.bytes)
            }
            Source::Chart { reference } => {
                return Err(Error::Url {
                    url: reference.to_string(),
                    reason: "it names an artifact of a registry, and definitions are read from files, folders and \
                             http addresses"
                        .to_owned(),
                });
            }
        };
        let name = source::stem(&label).to_owned();
        Ok((name, Found::File(label, bytes)))
    }
}

/// Whether a file of this name is looked into.
fn is_kept(name: &str) -> bool {
    let lower = name.to_lowercase();
    let is_archive = [".tar", ".tgz", ".gz", ".zip"]
        .iter()
        .any(|extension| lower.ends_with(extension));
    source::is_read_in_folder(name) || is_archive && !source::is_hidden(name)
}

impl Found {
    /// The texts, in archives too, and what was left out.
    fn texts(
        self,
        origin: &str,
        limits: Limits,
        cancel: &CancellationToken,
    ) -> Result<(Vec<SourceFile>, Vec<String>), Error> {
        let mut unpacking = Unpacking {
            limits,
            cancel,
            files: Vec::new(),
        };
        let notes = match self {
            Self::File(label, bytes) => {
                unpacking.open(label, "", bytes, DEPTH)?;
                Vec::new()
            }
            Self::Folder(tree, notes) => {
                unpacking.enter(origin, "", tree, DEPTH)?;
                notes
            }
        };
        let mut files = unpacking.files;
        if files.is_empty() {
            return Err(Error::Empty {
                what: origin.to_owned(),
                missing: "no .yaml, .yml or .json files",
                notes,
            });
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok((files, notes))
    }
}

struct Unpacking<'a> {
    /// What may still be unpacked.
    limits: Limits,
    cancel: &'a CancellationToken,
    files: Vec<SourceFile>,
}

impl Unpacking<'_> {
    /// Takes a file: a text by its path, or what is in it, with a prefix.
    fn open(
        &mut self,
        path: String,
        prefix: &str,
        bytes: Vec<u8>,
        depth: usize,
    ) -> Result<(), Error> {
        if let Some(bytes) = self.unpack(&path, prefix, bytes, depth)? {
            let text = file::decode(&path, bytes)?;
            self.files.push(SourceFile { path, text });
        }
        Ok(())
    }

    /// Takes what is in an archive; what is none is returned.
    fn unpack(
        &mut self,
        what: &str,
        prefix: &str,
        bytes: Vec<u8>,
        depth: usize,
    ) -> Result<Option<Vec<u8>>, Error> {
        let tree = match archive::open(bytes, what, &self.limits, self.cancel)? {
            Opened::Text(bytes) => return Ok(Some(bytes)),
            Opened::Archive(tree) => tree,
        };
        let depth = depth.checked_sub(1).ok_or_else(|| Error::Entry {
            what: what.to_owned(),
            entry: prefix.to_owned(),
            reason: "is an archive in too many archives",
        })?;
        let size: u64 = tree.values().map(|bytes| bytes.len() as u64).sum();
        self.limits.unpacked = self.limits.unpacked.saturating_sub(size);
        self.limits.entries = self.limits.entries.saturating_sub(tree.len());
        self.enter(what, prefix, tree, depth)?;
        Ok(None)
    }

    /// Takes the files of an archive or a folder, or of the layers of an image.
    fn enter(&mut self, what: &str, prefix: &str, tree: Tree, depth: usize) -> Result<(), Error> {
        if let Some(layers) = layers(&tree, what)? {
            for layer in layers {
                // A layer without files has no texts.
                let _ = self.unpack(what, prefix, layer.to_vec(), depth)?;
            }
            return Ok(());
        }
        for (path, bytes) in tree {
            let name = path.rsplit('/').next().unwrap_or(&path);
            let is_hidden = path.split('/').any(source::is_hidden);
            if is_hidden || !is_kept(name) {
                continue;
            }
            let path = if prefix.is_empty() {
                path
            } else {
                format!("{prefix}/{path}")
            };
            self.open(path.clone(), &path, bytes, depth)?;
        }
        Ok(())
    }
}

/// The layers of an image, as `docker save` or the OCI image layout have it; none where it is no image.
///
/// # Errors
/// When a part of it is missing, or is another one than its digest says.
fn layers<'t>(tree: &'t Tree, what: &str) -> Result<Option<Vec<&'t [u8]>>, Error> {
    let json = |path: &str| -> Option<Value> { serde_json::from_slice(tree.get(path)?).ok() };
    let image = Image { tree, what };
    if let Some(Value::Array(manifests)) = json("manifest.json") {
        let paths = manifests
            .iter()
            .filter_map(|manifest| manifest.get("Layers")?.as_array());
        let paths = paths.flatten().filter_map(Value::as_str);
        let layers = paths
            .map(|path| image.named(path))
            .collect::<Result<_, _>>()?;
        return Ok(Some(layers));
    }
    match json("index.json") {
        Some(index) if index.get("manifests").is_some() => {
            let mut layers = Vec::new();
            image.follow(&index, DEPTH, &mut layers)?;
            Ok(Some(layers))
        }
        _ => Ok(None),
    }
}

struct Image<'t, 'w> {
    tree: &'t Tree,
    what: &'w str,
}

impl<'t> Image<'t, '_> {
    fn refuse(&self, entry: &str, reason: &'static str) -> Error {
        Error::Entry {
            what: self.what.to_owned(),
            entry: entry.to_owned(),
            reason,
        }
    }

    /// A file whose name may hold its digest.
    fn named(&self, path: &str) -> Result<&'t [u8], Error> {
        let bytes = self.tree.get(path);
        let bytes = bytes.ok_or_else(|| self.refuse(path, "is missing"))?;
        let is_hex =
            |part: &&str| part.len() == 64 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        let digest = path.split(['/', '.', ':']).find(is_hex);
        match digest {
            Some(digest) if !has_digest(bytes, digest) => {
                Err(self.refuse(path, "does not have the digest that it is named by"))
            }
            _ => Ok(bytes),
        }
    }

    /// What a descriptor points at.
    fn blob(&self, descriptor: &Value) -> Result<&'t [u8], Error> {
        let digest = descriptor
            .get("digest")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let Some(hex) = digest.strip_prefix("sha256:") else {
            return Err(self.refuse(digest, "has a digest that is not of SHA-256"));
        };
        self.named(&format!("blobs/sha256/{hex}"))
    }

    /// Collects the layers of the manifests of an index, or of a manifest.
    fn follow(
        &self,
        document: &Value,
        depth: usize,
        layers: &mut Vec<&'t [u8]>,
    ) -> Result<(), Error> {
        let depth = depth
            .checked_sub(1)
            .ok_or_else(|| self.refuse("index.json", "leads to too many others"))?;
        let list = |key: &str| {
            document
                .get(key)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
        };
        for descriptor in list("manifests") {
            let bytes = self.blob(descriptor)?;
            let inner: Value = serde_json::from_slice(bytes)
                .map_err(|_| self.refuse("index.json", "leads to what is no manifest"))?;
            self.follow(&inner, depth, layers)?;
        }
        for descriptor in list("layers") {
            layers.push(self.blob(descriptor)?);
        }
        Ok(())
    }
}

fn has_digest(bytes: &[u8], hex: &str) -> bool {
    let found = digest::digest(&digest::SHA256, bytes);
    let mut pairs = (0..hex.len()).step_by(2).map(|at| {
        let pair = hex.get(at..at + 2)?;
        u8::from_str_radix(pair, 16).ok()
    });
    found
        .as_ref()
        .iter()
        .all(|byte| pairs.next() == Some(Some(*byte)))
}
