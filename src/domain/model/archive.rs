//! The file form of a model: gzip over one line of JSON (what the model is, its kinds, and where in the rest each
//! definition lies) and the definitions' JSON texts, one after another.
//!
//! Reading inflates once, within limits, and parses the first line only. The same model gives the same bytes.

use std::io::{self, Read, Write};

use flate2::bufread::GzDecoder;
use flate2::{Compression, GzBuilder};
use serde::{Deserialize, Serialize};

use super::{KindInfo, Model, ModelInfo};
use crate::schema::Library;

/// The version of the format that is written and read.
const FORMAT: u32 = 1;
/// Largest archive when inflated, in bytes.
const INFLATED: usize = 100 << 20;
/// Largest ratio of inflated to packed size.
const RATIO: usize = 100;

/// Why a model archive cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The bytes are not gzip.
    #[error("not a model archive")]
    NotAnArchive,
    /// The end is missing.
    #[error("the model archive is truncated")]
    Truncated,
    /// The compressed data is damaged.
    #[error("the model archive is damaged")]
    Damaged(#[source] io::Error),
    /// It inflates to more than is allowed.
    #[error(
        "the model archive is larger than {limit} bytes when inflated (100 MiB or 100 times its size)"
    )]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// It was written by another version of this program.
    #[error("the model archive has format {format}, this version reads format {FORMAT}")]
    UnknownFormat {
        /// The format that it names.
        format: u32,
    },
    /// Its first line is not what it should be.
    #[error("the model archive has no valid index")]
    Index(#[source] serde_json::Error),
    /// It is not text.
    #[error("the model archive is not valid UTF-8")]
    NotText,
    /// Its index leads outside of its text, or names a definition twice.
    #[error("the index of the model archive is wrong at definition {name:?}")]
    OutOfBounds {
        /// The definition.
        name: String,
    },
}

#[derive(Serialize, Deserialize)]
struct Header<M, K> {
    format: u32,
    model: M,
    kinds: K,
    /// Name, start, end, and whether the rules of custom resources apply.
    definitions: Vec<(String, usize, usize, bool)>,
}

#[derive(Deserialize)]
struct Format {
    format: u32,
}

impl Model {
    /// Writes the model as an archive.
    ///
    /// # Panics
    ///
    /// Never: writing to memory does not fail.
    pub fn to_archive(&self) -> Vec<u8> {
        let mut body = String::new();
        let mut definitions = Vec::new();
        for (name, text, custom) in self.library.entries() {
            let start = body.len();
            body.push_str(text);
            definitions.push((name.to_owned(), start, body.len(), custom));
        }
        let header = Header {
            format: FORMAT,
            model: &self.info,
            kinds: &self.kinds,
            definitions,
        };
        let mut out = GzBuilder::new()
            .mtime(0)
            .write(Vec::new(), Compression::best());
        serde_json::to_writer(&mut out, &header)
            .map_err(io::Error::from)
            .and_then(|()| out.write_all(b"\n"))
            .and_then(|()| out.write_all(body.as_bytes()))
            .and_then(|()| out.finish())
            .expect("writing to memory does not fail")
    }

    /// Reads an archive.
    pub fn from_archive(bytes: &[u8]) -> Result<Self, ArchiveError> {
        let text = String::from_utf8(inflate(bytes)?).map_err(|_| ArchiveError::NotText)?;
        let (first, body) = text.split_once('\n').ok_or(ArchiveError::Truncated)?;
        let header: Header<ModelInfo, Vec<KindInfo>> = match serde_json::from_str(first) {
            Ok(header) => header,
            Err(error) => match serde_json::from_str(first) {
                Ok(Format { format }) if format != FORMAT => {
                    return Err(ArchiveError::UnknownFormat { format });
                }
                _ => return Err(ArchiveError::Index(error)),
            },
        };
        if header.format != FORMAT {
            return Err(ArchiveError::UnknownFormat {
                format: header.format,
            });
        }
        let offset = first.len() + 1;
        let mut definitions: Vec<(String, std::ops::Range<usize>, bool)> = Vec::new();
        for (name, start, end, custom) in header.definitions {
            let ascends = definitions.last().is_none_or(|(last, _, _)| *last < name);
            if !ascends || body.get(start..end).is_none() {
                return Err(ArchiveError::OutOfBounds { name });
            }
            definitions.push((name, offset + start..offset + end, custom));
        }
        Ok(Self::new(
            header.model,
            header.kinds,
            Library::new(text, definitions),
        ))
    }
}

/// Inflates within limits.
fn inflate(bytes: &[u8]) -> Result<Vec<u8>, ArchiveError> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Err(if bytes.is_empty() {
            ArchiveError::Truncated
        } else {
            ArchiveError::NotAnArchive
        });
    }
    let limit = INFLATED.min(bytes.len().saturating_mul(RATIO));
    // The last four bytes of gzip tell the size; trusted only within the limit.
    let promised = bytes
        .last_chunk::<4>()
        .map_or(0, |size| u32::from_le_bytes(*size) as usize);
    let mut inflated = Vec::with_capacity(promised.min(limit) + 1);
    GzDecoder::new(bytes)
        .take(limit as u64 + 1)
        .read_to_end(&mut inflated)
        .map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => ArchiveError::Truncated,
            _ => ArchiveError::Damaged(error),
        })?;
    if inflated.len() > limit {
        return Err(ArchiveError::TooLarge { limit });
    }
    Ok(inflated)
}
