//! JSON under gzip, within bounds that hold for writing and for reading.
//!
//! What is written can be read back. What is read may be hostile: it is counted while it is inflated
//! and nothing is built from it before it is known to be small enough.

use std::io::{self, BufWriter, Read, Write};

use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Largest JSON text, in bytes.
const BYTES: usize = 32 << 20;
/// Most values in one text; each takes memory that its text doesn't, `0` up to seventy times as much.
const VALUES: usize = 2_000_000;
/// Deepest nesting; `serde_json` reads no deeper than this.
const DEPTH: usize = 127;

/// Why something cannot be packed or unpacked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackedError {
    /// It is not base64.
    #[error("it is not base64")]
    NotBase64,
    /// It is not gzip.
    #[error("it is not gzip")]
    NotGzip,
    /// Its end is missing.
    #[error("its end is missing")]
    Truncated,
    /// Its compressed data is damaged.
    #[error("its compressed data is damaged")]
    Damaged,
    /// It takes more bytes than is allowed.
    #[error("it takes more than {limit} bytes when inflated")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// It has more values than is allowed.
    #[error("it has more than {limit} values")]
    TooManyValues {
        /// The limit.
        limit: usize,
    },
    /// It nests deeper than is allowed.
    #[error("it nests deeper than {limit} levels")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// It was written by a newer version of this program.
    #[error("it has format {format}, and this version reads up to format {known}")]
    NewerFormat {
        /// Its format.
        format: u64,
        /// The newest format that is read.
        known: u64,
    },
    /// Its content is not what it should be.
    #[error("its content is not as expected: {problem}")]
    Unexpected {
        /// What is wrong.
        problem: String,
    },
}

impl PackedError {
    fn json(error: &serde_json::Error) -> Self {
        // A message quotes what it didn't expect, however long that is.
        let problem: String = error.to_string().chars().take(200).collect();
        Self::Unexpected { problem }
    }
}

/// Counts what a JSON text would cost, without reading it.
#[derive(Debug, Default)]
pub(super) struct Scan {
    bytes: usize,
    values: usize,
    depth: usize,
    in_text: bool,
    escaped: bool,
}

impl Scan {
    /// Takes the next part of the text.
    pub(super) fn feed(&mut self, part: &[u8]) -> Result<(), PackedError> {
        self.bytes = self.bytes.saturating_add(part.len());
        if self.bytes > BYTES {
            return Err(PackedError::TooLarge { limit: BYTES });
        }
        for byte in part {
            if self.in_text {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_text = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_text = true,
                b'[' | b'{' => {
                    self.values += 1;
                    self.depth += 1;
                    if self.depth > DEPTH {
                        return Err(PackedError::TooDeep { limit: DEPTH });
                    }
                }
                b']' | b'}' => self.depth = self.depth.saturating_sub(1),
                b',' => self.values += 1,
                _ => {}
            }
        }
        if self.values > VALUES {
            return Err(PackedError::TooManyValues { limit: VALUES });
        }
        Ok(())
    }
}

/// A writer that counts, and stops at the bounds.
struct Bounded<W> {
    inner: W,
    scan: Scan,
    exceeded: Option<PackedError>,
}

impl<W: Write> Write for Bounded<W> {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        if let Err(error) = self.scan.feed(part) {
            self.exceeded = Some(error);
            return Err(io::Error::other("the bounds are exceeded"));
        }
        self.inner.write_all(part)?;
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Writes a value as compressed JSON; the same value gives the same bytes.
pub(super) fn pack(value: &impl Serialize) -> Result<Vec<u8>, PackedError> {
    let encoder: GzEncoder<Vec<u8>> = GzBuilder::new()
        .mtime(0)
        .write(Vec::new(), Compression::default());
    let mut writer = Bounded {
        // The serialiser writes a few bytes at a time, which costs the compressor dearly.
        inner: BufWriter::with_capacity(64 << 10, encoder),
        scan: Scan::default(),
        exceeded: None,
    };
    let written = serde_json::to_writer(&mut writer, value);
    if let Some(error) = writer.exceeded {
        return Err(error);
    }
    written.map_err(|error| PackedError::json(&error))?;
    let encoder = writer.inner.into_inner();
    let encoder = encoder.map_err(|_| PackedError::Damaged)?;
    encoder.finish().map_err(|_| PackedError::Damaged)
}

#[derive(Deserialize)]
struct Format {
    format: u64,
}

/// Reads what [`pack`] wrote: a mapping with a `format` that is known.
pub(super) fn unpack<T: DeserializeOwned>(bytes: &[u8], known: u64) -> Result<T, PackedError> {
    let text = inflate(bytes)?;
    let json = |error| PackedError::json(&error);
    // Alone at first: what a newer format holds otherwise is not to be guessed at.
    let Format { format } = serde_json::from_slice(&text).map_err(json)?;
    if format > known {
        return Err(PackedError::NewerFormat { format, known });
    }
    serde_json::from_slice(&text).map_err(json)
}

fn inflate(bytes: &[u8]) -> Result<Vec<u8>, PackedError> {
    match bytes {
        [] => return Err(PackedError::Truncated),
        [0x1f, 0x8b, ..] => {}
        _ => return Err(PackedError::NotGzip),
    }
    let mut decoder = GzDecoder::new(bytes);
    let mut scan = Scan::default();
    let mut text = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = decoder.read(&mut buffer).map_err(|error| {
            if error.kind() == io::ErrorKind::UnexpectedEof {
                PackedError::Truncated
            } else {
                PackedError::Damaged
            }
        })?;
        let part = buffer.get(..read).unwrap_or_default();
        if part.is_empty() {
            return Ok(text);
        }
        scan.feed(part)?;
        text.extend_from_slice(part);
    }
}

/// Tells whether a value nests deeper than so many lists and mappings.
pub(super) fn is_deeper_than(value: &serde_json::Value, limit: usize) -> bool {
    use serde_json::Value;
    let mut open = vec![(value, 0_usize)];
    while let Some((value, above)) = open.pop() {
        let depth = above + 1;
        match value {
            Value::Array(_) | Value::Object(_) if depth > limit => return true,
            Value::Array(items) => {
                let nested = items
                    .iter()
                    .filter(|item| item.is_array() || item.is_object());
                open.extend(nested.map(|item| (item, depth)));
            }
            Value::Object(map) => {
                let nested = map
                    .values()
                    .filter(|item| item.is_array() || item.is_object());
                open.extend(nested.map(|item| (item, depth)));
            }
            _ => {}
        }
    }
    false
}

/// Compresses a text as it is, for tests of what others might write.
#[cfg(test)]
pub(super) fn pack_text(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text).expect("memory takes everything");
    encoder.finish().expect("memory takes everything")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn nested(depth: usize) -> Value {
        (0..depth).fold(json!(1), |value, _| Value::Array(vec![value]))
    }

    #[test]
    fn what_is_packed_is_unpacked_and_the_same_twice() {
        let value = json!({"format": 1, "text": "a \"quoted\\\" [{,", "list": [1, {"x": null}]});
        let bytes = pack(&value).expect("it is small");
        assert_eq!(unpack::<Value>(&bytes, 1).as_ref(), Ok(&value));
        assert_eq!(pack(&value), Ok(bytes));
    }

    #[test]
    fn what_is_damaged_is_named() {
        let sound = pack(&json!({"format": 1, "text": "abcdefgh".repeat(9)})).expect("it is small");
        let mut flipped = sound.clone();
        let at = flipped.len() - 6;
        flipped[at] ^= 1;
        let unexpected = |problem: &str| PackedError::Unexpected {
            problem: problem.to_owned(),
        };
        let cases: Vec<(Vec<u8>, PackedError)> = vec![
            (vec![], PackedError::Truncated),
            (b"{}".to_vec(), PackedError::NotGzip),
            (sound[..sound.len() - 1].to_vec(), PackedError::Truncated),
            (sound[..12].to_vec(), PackedError::Truncated),
            (flipped, PackedError::Damaged),
            (
                pack_text(br#"{"format": 3, "new": {}}"#),
                PackedError::NewerFormat {
                    format: 3,
                    known: 2,
                },
            ),
            (
                pack_text(b"{}"),
                unexpected("missing field `format` at line 1 column 2"),
            ),
            (
                pack_text(b""),
                unexpected("EOF while parsing a value at line 1 column 0"),
            ),
            (
                pack_text(b"[1"),
                unexpected("EOF while parsing a list at line 1 column 2"),
            ),
        ];
        for (bytes, error) in cases {
            assert_eq!(unpack::<Value>(&bytes, 2), Err(error));
        }
        // Whatever is cut off is noticed.
        for end in 0..sound.len() {
            assert!(unpack::<Value>(&sound[..end], 2).is_err(), "{end}");
        }
    }

    #[test]
    fn bombs_are_not_inflated_to_their_end() {
        let large = format!("{{\"format\": 1, \"x\": \"{}\"}}", "x".repeat(BYTES));
        let many = format!("{{\"format\": 1, \"x\": [{}0]}}", "0,".repeat(VALUES));
        let deep = format!("{{\"format\": 1, \"x\": {}", "[".repeat(DEPTH));
        let endless = "[".repeat(BYTES + 1);
        let cases = [
            (large, PackedError::TooLarge { limit: BYTES }),
            (many, PackedError::TooManyValues { limit: VALUES }),
            (deep, PackedError::TooDeep { limit: DEPTH }),
            (endless, PackedError::TooDeep { limit: DEPTH }),
        ];
        for (text, error) in cases {
            let bytes = pack_text(text.as_bytes());
            assert!(bytes.len() < 1 << 20);
            assert_eq!(unpack::<Value>(&bytes, 1), Err(error));
        }
    }

    #[test]
    fn nothing_is_written_that_could_not_be_read() {
        let deepest = json!({"format": 1, "x": nested(DEPTH - 1)});
        let bytes = pack(&deepest).expect("it is as deep as allowed");
        assert_eq!(unpack::<Value>(&bytes, 1), Ok(deepest));
        let cases = [
            (nested(DEPTH + 1), PackedError::TooDeep { limit: DEPTH }),
            (
                json!("x".repeat(BYTES)),
                PackedError::TooLarge { limit: BYTES },
            ),
            (
                Value::Array(vec![json!(0); VALUES + 1]),
                PackedError::TooManyValues { limit: VALUES },
            ),
        ];
        for (value, error) in cases {
            assert_eq!(pack(&value), Err(error));
        }
        // Signs inside of texts don't count.
        let signs = json!({"format": 1, "x": "\\\"[[[{{{,,,".repeat(VALUES / 8)});
        let bytes = pack(&signs).expect("it is one long text");
        assert_eq!(unpack::<Value>(&bytes, 1), Ok(signs));
    }

    #[test]
    fn depth_is_measured_without_recursion() {
        for depth in 0..5 {
            assert_eq!(is_deeper_than(&nested(depth), 3), depth > 3, "{depth}");
        }
        assert!(!is_deeper_than(&json!({"a": {"b": [1, 2]}, "c": {}}), 3));
        assert!(is_deeper_than(&json!({"a": {"b": [{}, 2]}, "c": {}}), 3));
    }
}
