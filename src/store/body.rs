//! Documents as the store keeps them: JSON, compressed, with a digest.
//!
//! Size and depth are checked before a document is written, so that what was written can always
//! be read back; reading inflates no more than the size that was recorded.

use std::io::{Read, Write};

use aws_lc_rs::digest;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use serde_json::Value;

use super::error::{Error, Result};

/// `serde_json` reads no deeper than this.
pub(super) const DEPTH_LIMIT: usize = 127;

/// Bytes below which packing in place is cheaper than handing the work to another thread.
const INLINE: usize = 64 * 1024;

/// A document ready to be written.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) packed: Vec<u8>,
    pub(super) size: u64,
    pub(super) hash: [u8; 32],
}

impl Body {
    /// Serialises and compresses a document. `label` is part of its digest.
    pub(super) fn pack(name: &str, label: &str, document: &Value, limit: u64) -> Result<Self> {
        if is_deeper_than(document, DEPTH_LIMIT) {
            return Err(Error::TooDeep {
                name: name.to_owned(),
                limit: DEPTH_LIMIT,
            });
        }
        let failed = |_| Error::Interrupted {
            attempting: "serialise a document",
        };
        let plain = serde_json::to_vec(document).map_err(|error| failed(error.into()))?;
        let size = plain.len() as u64;
        if size > limit {
            return Err(Error::TooLarge {
                name: name.to_owned(),
                size,
                limit,
            });
        }
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&plain).map_err(failed)?;
        Ok(Self {
            packed: encoder.finish().map_err(failed)?,
            size,
            hash: hash(label, &plain),
        })
    }
}

/// Says what is wrong with a packed document, or returns the document.
///
/// Without a `hash`, only the checksum of the compression guards it.
pub(super) fn unpack(
    packed: &[u8],
    size: u64,
    check: Option<(&str, &[u8])>,
) -> Result<Value, String> {
    let mut plain = Vec::new();
    // One byte more than recorded, to notice a body that is longer.
    ZlibDecoder::new(packed)
        .take(size.saturating_add(1))
        .read_to_end(&mut plain)
        .map_err(|error| format!("does not decompress: {error}"))?;
    if plain.len() as u64 != size {
        return Err(format!("has another size than the recorded {size} bytes"));
    }
    if let Some((label, expected)) = check
        && hash(label, &plain) != expected
    {
        return Err("has another digest than recorded".to_owned());
    }
    serde_json::from_slice(&plain).map_err(|error| format!("does not parse: {error}"))
}

/// Like [`unpack`], on another thread if it is long.
pub(super) async fn unpack_aside(
    packed: Vec<u8>,
    size: u64,
    label: String,
    hash: Option<Vec<u8>>,
) -> Result<Result<Value, String>> {
    let work = move || unpack(&packed, size, hash.as_deref().map(|hash| (&*label, hash)));
    if size < INLINE as u64 {
        return Ok(work());
    }
    aside("read a document", work).await
}

/// Runs long work off the threads that serve I/O.
pub(super) async fn aside<T: Send + 'static>(
    attempting: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| Error::Interrupted { attempting })
}

fn hash(label: &str, plain: &[u8]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&(label.len() as u64).to_le_bytes());
    context.update(label.as_bytes());
    context.update(plain);
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// Tells whether a document is nested more deeply than `limit`, without recursion.
fn is_deeper_than(document: &Value, limit: usize) -> bool {
    let mut waiting = vec![(document, 1)];
    while let Some((value, depth)) = waiting.pop() {
        match value {
            Value::Array(_) | Value::Object(_) if depth > limit => return true,
            Value::Array(items) => waiting.extend(items.iter().map(|item| (item, depth + 1))),
            Value::Object(fields) => {
                waiting.extend(fields.values().map(|item| (item, depth + 1)));
            }
            _ => {}
        }
    }
    false
}
