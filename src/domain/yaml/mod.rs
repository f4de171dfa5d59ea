//! The one place where YAML (and JSON, its subset) is read and written.
//!
//! Reading composes the events of serde-saphyr's own parser (`granit-parser`) into
//! [`serde_json::Value`] with the scalar types that Kubernetes' parser gives them: the serde
//! layer above it knows neither YAML 1.1 octals with underscores nor positions of values that
//! turn out wrong later. Writing goes through serde-saphyr's serializer. Every limit is checked
//! before the memory is taken; nothing here panics on outside input.

mod positions;
mod read;
mod scalar;
mod write;

pub use positions::Positions;
pub use read::{Documents, Text, parse, parse_one, split};
pub use write::{is_invisible, to_string, to_string_many};

use crate::path::Path;

/// A place in a text: line and column, both counted from 1, columns in characters.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
pub struct Location {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl Location {
    fn new(line: usize, column: usize) -> Self {
        Self {
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(column).unwrap_or(u32::MAX),
        }
    }
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// What a text may hold at most (`cli-conventions` §11).
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of one document.
    pub document_bytes: usize,
    /// Nodes of one document, aliases counted as often as they expand.
    pub nodes: usize,
    /// How deep collections may nest.
    pub depth: usize,
    /// Documents of one input.
    pub documents: usize,
}

impl Limits {
    /// The limits for one document of a stream.
    pub const STREAM: Self = Self {
        document_bytes: 16 << 20,
        nodes: 100_000,
        depth: 128,
        documents: 50_000,
    };

    /// The limits for a whole stored design, which is one document.
    pub const DESIGN: Self = Self {
        document_bytes: 64 << 20,
        nodes: 2_000_000,
        depth: 128,
        documents: 1,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::STREAM
    }
}

/// What the [`Limits`] of one document count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Its bytes.
    Bytes,
    /// Its nodes, aliases expanded.
    Nodes,
    /// How deep its collections nest.
    Depth,
}

impl std::fmt::Display for Measure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Bytes => "the size of a document in bytes",
            Self::Nodes => "the number of nodes after alias expansion",
            Self::Depth => "the nesting of collections",
        })
    }
}

/// Why a text was refused, with its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct Error {
    /// Where.
    pub location: Location,
    /// What is wrong there.
    pub problem: Problem,
}

/// The kinds of refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Not YAML at all.
    #[error("not YAML: {0}")]
    Syntax(String),
    /// A key stands twice in one mapping.
    #[error("the key {key:?} stands twice in one mapping")]
    DuplicateKey {
        /// The key.
        key: String,
    },
    /// A key that is not a string, number or boolean.
    #[error("a mapping key must be a string, a number or a boolean")]
    Key,
    /// `<<` with something else than a mapping or a list of mappings.
    #[error("the merge key << needs a mapping or a list of mappings")]
    Merge,
    /// An alias inside of the node that it names.
    #[error("the alias refers to a node that contains it")]
    RecursiveAlias,
    /// `.inf` or `.nan`: JSON, and so Kubernetes, has no such number.
    #[error("the number {0} has no JSON form")]
    NotFinite(String),
    /// A scalar that its explicit tag doesn't fit.
    #[error("{value:?} is not a {tag}")]
    Tag {
        /// The tag as written.
        tag: String,
        /// The scalar.
        value: String,
    },
    /// One document where several stand, or none.
    #[error("expected one document, found {0}")]
    OneDocument(usize),
    /// Over a limit.
    #[error("{what} is over the limit of {limit}")]
    Limit {
        /// What is too large.
        what: Measure,
        /// The limit.
        limit: usize,
    },
}

impl Problem {
    pub(crate) fn at(self, line: usize, column: usize) -> Error {
        Error {
            location: Location::new(line, column),
            problem: self,
        }
    }
}

/// Returns the place of the value at `path` in a document, or of its nearest ancestor.
pub fn locate(text: &Text<'_>, path: &Path) -> Location {
    Positions::of(text).value(path)
}
