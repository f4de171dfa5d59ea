//! What was deployed once, kept in the cluster for history and rollback on any machine.
//!
//! A revision is packed into Secrets `NAME-rev-N-K`. Nothing of it changes afterwards but its outcome,
//! which is a label of the first Secret for that reason. Secret values are taken out of the objects
//! and sealed by whoever holds the key; without the key the rest can still be read.

use std::borrow::{Borrow, Cow};
use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::parent::LAST_NUMBER;
use super::{
    CHUNK_LIMIT, Chunk, JoinError, OUTCOME_LABEL, PackedError, Parent, REVISION_LABEL,
    REVISION_TYPE, SET_LABEL, SetId, chunks, join, packed,
};
use crate::base64;
use crate::resource::dig;
use crate::secret::{self, PutBackError, Secrets};

/// How many revisions are kept.
pub const KEPT_REVISIONS: usize = 10;

/// The newest format of a packed revision.
const FORMAT: u64 = 1;
/// How deep an object of a revision may nest; what is written around it adds a few levels.
const DEPTH: usize = 120;
/// Most chunks of one revision.
const CHUNKS: usize = 99;
/// Longest text in a summary, in characters; the whole one is in the revision.
const SUMMARY_TEXT: usize = 500;
/// The annotation of each chunk: `K/TOTAL`.
const CHUNK_ANNOTATION: &str = "weftctl.dev/chunk";
/// The annotation of each chunk with the digest of the whole.
const DIGEST_ANNOTATION: &str = "weftctl.dev/sha256";
/// The annotation of the first chunk with a [`RevisionSummary`].
const SUMMARY_ANNOTATION: &str = "weftctl.dev/summary";
/// The key of a Secret's data that holds a chunk.
const KEY: &str = "chunk";

/// An error of whoever seals and opens.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Seals or opens bytes; the key is the caller's.
pub type Cipher<'a> = &'a dyn Fn(&[u8]) -> Result<Vec<u8>, BoxError>;

/// How a revision ended.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was deployed as a whole.
    Deployed,
    /// Something of it failed.
    Failed,
    /// It was deployed, and a later one after it. Never written, see [`history`].
    Superseded,
    /// It was left for an earlier one. Never written, see [`history`].
    RolledBack,
}

impl Outcome {
    const ALL: [Self; 4] = [
        Self::Deployed,
        Self::Failed,
        Self::Superseded,
        Self::RolledBack,
    ];

    /// Returns its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deployed => "deployed",
            Self::Failed => "failed",
            Self::Superseded => "superseded",
            Self::RolledBack => "rolled-back",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == text)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a deploy was asked for, as far as a repetition needs it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RevisionOptions {
    /// The namespace for what names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The names of the overlays, in their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub overlays: Vec<String>,
    /// How many objects were made of rows. What they are the database says, so none of them is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of_rows: Option<usize>,
}

/// What was deployed once; `O` is an object, borrowed where it is only to be packed.
#[derive(Clone, PartialEq)]
pub struct Revision<O = Value> {
    /// Its number; later ones have higher ones.
    pub number: u64,
    /// When it was deployed, in RFC 3339.
    pub created_at: String,
    /// The name of the design.
    pub design: String,
    /// The version of the design, where it has one.
    pub version: Option<String>,
    /// Why it was deployed, as the user said.
    pub cause: Option<String>,
    /// What the deploy was asked for.
    pub options: RevisionOptions,
    /// How it ended.
    pub outcome: Outcome,
    /// The objects as they were desired.
    pub objects: Vec<O>,
}

/// Without the objects, which hold secrets.
impl<O> fmt::Debug for Revision<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revision")
            .field("number", &self.number)
            .field("design", &self.design)
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}

/// Why a revision cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum RevisionError {
    /// It cannot be packed or unpacked.
    #[error("the revision cannot be packed or unpacked")]
    Packed(#[from] PackedError),
    /// Its chunks don't fit together.
    #[error("the Secrets of the revision do not fit together")]
    Join(#[from] JoinError),
    /// One of its Secrets is damaged.
    #[error("Secret {secret} of the revision is damaged: {problem}")]
    Secret {
        /// Its name.
        secret: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// It is that of another set or number.
    #[error("the revision is number {found} of {set}, not what its Secrets say")]
    Another {
        /// The number that it has.
        found: u64,
        /// The set that it is of.
        set: SetId,
    },
    /// It needs more Secrets than one revision may have.
    #[error("the revision needs {needed} Secrets, more than {CHUNKS}")]
    TooManyChunks {
        /// How many it needs.
        needed: usize,
    },
    /// The secret values cannot be sealed.
    #[error("the secret values of the revision cannot be sealed")]
    Seal(#[source] BoxError),
    /// The secret values cannot be opened.
    #[error("the secret values of the revision cannot be opened")]
    Open(#[source] BoxError),
    /// The opened values are no secrets of this revision.
    #[error("the secret values of the revision do not fit it")]
    Secrets,
    /// A secret value has no place.
    #[error("the secret values of the revision do not fit it")]
    PutBack(#[from] PutBackError),
}

/// A revision as it is packed; `O` is an object.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document<O> {
    format: u64,
    set: SetId,
    number: u64,
    created_at: String,
    design: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    #[serde(default)]
    options: RevisionOptions,
    outcome: Outcome,
    /// Without secret values; `null` is in their places.
    objects: Vec<O>,
    /// The secret values by object, sealed, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed: Option<String>,
}

impl<O: Borrow<Value>> Revision<O> {
    /// Packs the revision of a set.
    ///
    /// `seal` gets the secret values, when there are any. It should bind what it returns to the id of
    /// the set and the number.
    ///
    /// # Errors
    /// When sealing fails, or the revision is larger than one that could be read again; the caller
    /// then has no history of this deploy.
    pub fn encode(&self, set: &SetId, seal: Cipher<'_>) -> Result<Vec<u8>, RevisionError> {
        let mut taken: Vec<(usize, Secrets)> = Vec::new();
        let mut objects = Vec::with_capacity(self.objects.len());
        for (index, object) in self.objects.iter().map(O::borrow).enumerate() {
            // Before anything that walks it by recursion.
            if packed::is_deeper_than(object, DEPTH) {
                return Err(PackedError::TooDeep { limit: DEPTH }.into());
            }
            objects.push(if secret::holds_secrets(object) {
                let mut object = object.clone();
                taken.push((index, secret::take(&mut object)));
                Cow::Owned(object)
            } else {
                Cow::Borrowed(object)
            });
        }
        let sealed = if taken.is_empty() {
            None
        } else {
            let plain = serde_json::to_vec(&taken).map_err(|_| RevisionError::Secrets)?;
            packed::Scan::default().feed(&plain)?;
            Some(base64::encode(&seal(&plain).map_err(RevisionError::Seal)?))
        };
        let document = Document {
            format: FORMAT,
            set: set.clone(),
            number: self.number,
            created_at: self.created_at.clone(),
            design: self.design.clone(),
            version: self.version.clone(),
            cause: self.cause.clone(),
            options: self.options.clone(),
            outcome: self.outcome,
            objects,
            sealed,
        };
        Ok(packed::pack(&document)?)
    }

    /// Returns the Secrets that hold this revision of a set, packed by [`encode`](Self::encode).
    ///
    /// They are new and must be *created*, the first one last: without it the revision isn't listed
    /// as complete. They are immutable and no members of the set.
    pub fn secrets(&self, parent: &Parent, packed: &[u8]) -> Result<Vec<Value>, RevisionError> {
        let chunks = chunks(packed, CHUNK_LIMIT);
        if chunks.len() > CHUNKS {
            let needed = chunks.len();
            return Err(RevisionError::TooManyChunks { needed });
        }
        let secrets = chunks.iter().map(|chunk| {
            let mut labels = json!({
                SET_LABEL: parent.id(),
                REVISION_LABEL: self.number.to_string(),
            });
            let mut annotations = json!({
                CHUNK_ANNOTATION: format!("{}/{}", chunk.index, chunk.total),
                DIGEST_ANNOTATION: chunk.digest,
            });
            if chunk.index == 1 {
                labels[OUTCOME_LABEL] = self.outcome.name().into();
                let summary = serde_json::to_string(&RevisionSummary::of(self));
                annotations[SUMMARY_ANNOTATION] = summary.unwrap_or_default().into();
            }
            json!({
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {
                    "name": secret_name(parent.name(), self.number, chunk.index),
                    "namespace": parent.namespace(),
                    "labels": labels,
                    "annotations": annotations,
                },
                "type": REVISION_TYPE,
                "immutable": true,
                "data": {KEY: base64::encode(&chunk.bytes)},
            })
        });
        Ok(secrets.collect())
    }
}

fn secret_name(parent: &str, number: u64, index: usize) -> String {
    format!("{parent}-rev-{number}-{index}")
}

/// A revision that was read and whose secret values are still sealed.
#[derive(Clone, PartialEq)]
pub struct SealedRevision {
    revision: Revision,
    sealed: Option<Vec<u8>>,
}

impl fmt::Debug for SealedRevision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SealedRevision")
            .field(&self.revision)
            .finish()
    }
}

impl SealedRevision {
    /// Reads what [`Revision::encode`] packed.
    pub fn decode(bytes: &[u8], set: &SetId, number: u64) -> Result<Self, RevisionError> {
        let document: Document<Value> = packed::unpack(bytes, FORMAT)?;
        if document.set != *set || document.number != number {
            return Err(RevisionError::Another {
                found: document.number,
                set: document.set,
            });
        }
        let sealed = document.sealed.map(|text| base64::decode(&text));
        let sealed = match sealed {
            Some(bytes) => Some(bytes.ok_or(PackedError::NotBase64)?),
            None => None,
        };
        Ok(Self {
            revision: Revision {
                number,
                created_at: document.created_at,
                design: document.design,
                version: document.version,
                cause: document.cause,
                options: document.options,
                outcome: document.outcome,
                objects: document.objects,
            },
            sealed,
        })
    }

    /// Reads a revision from live Secrets, among which others may be. Its outcome is that of the
    /// label, where there is one.
    pub fn from_secrets<'a>(
        secrets: impl IntoIterator<Item = &'a Value>,
        set: &SetId,
        number: u64,
    ) -> Result<Self, RevisionError> {
        let mut outcome = None;
        let mut chunks = Vec::new();
        for secret in secrets {
            let Some(tag) = Tag::read(secret, set).filter(|tag| tag.number == number) else {
                continue;
            };
            if tag.index == 1 {
                outcome = tag.outcome;
            }
            let damaged = |problem| RevisionError::Secret {
                secret: tag.secret.to_owned(),
                problem,
            };
            let data = dig(secret, &["data", KEY]).and_then(Value::as_str);
            let data = data.ok_or_else(|| damaged("it has no data"))?;
            let bytes = base64::decode(data).ok_or_else(|| damaged("its data is not base64"))?;
            if bytes.len() > super::SECRET_LIMIT || tag.total > CHUNKS {
                return Err(damaged("it is larger than a Secret can be"));
            }
            chunks.push(Chunk {
                index: tag.index,
                total: tag.total,
                digest: Cow::Borrowed(tag.digest),
                bytes: Cow::Owned(bytes),
            });
            if chunks.len() > CHUNKS {
                return Err(JoinError::Mixed.into());
            }
        }
        let mut revision = Self::decode(&join(&chunks)?, set, number)?;
        if let Some(outcome) = outcome {
            revision.revision.outcome = outcome;
        }
        Ok(revision)
    }

    /// Tells whether there are secret values to be opened.
    pub fn has_secrets(&self) -> bool {
        self.sealed.is_some()
    }

    /// Returns the revision with its secret values; `open` undoes `seal`.
    pub fn open(self, open: Cipher<'_>) -> Result<Revision, RevisionError> {
        let mut revision = self.revision;
        let Some(sealed) = self.sealed else {
            return Ok(revision);
        };
        let plain = open(&sealed).map_err(RevisionError::Open)?;
        packed::Scan::default().feed(&plain)?;
        // Without the reason: it would quote a secret value.
        let taken: Vec<(usize, Secrets)> =
            serde_json::from_slice(&plain).map_err(|_| RevisionError::Secrets)?;
        for (index, secrets) in taken {
            let object = revision.objects.get_mut(index);
            secret::put_back(object.ok_or(RevisionError::Secrets)?, secrets)?;
        }
        Ok(revision)
    }

    /// Returns the revision with [`MASK`](secret::MASK) for its secret values, which needs no key. It
    /// must not be deployed.
    pub fn masked(self) -> Revision {
        let mut revision = self.revision;
        for object in &mut revision.objects {
            secret::mask_taken(object);
        }
        revision
    }
}

/// What a list of revisions shows of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevisionSummary {
    /// When it was deployed, in RFC 3339.
    pub created_at: String,
    /// The name of the design.
    pub design: String,
    /// The version of the design, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Why it was deployed, shortened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// What the deploy was asked for.
    #[serde(default)]
    pub options: RevisionOptions,
    /// How many objects it has.
    pub objects: usize,
}

/// How the cause of a revision begins that brings an earlier one back.
const GOING_BACK: &str = "rollback to ";

/// The cause of a revision that brings an earlier one back.
pub fn cause_of_rollback(number: u64) -> String {
    format!("{GOING_BACK}{number}")
}

impl RevisionSummary {
    fn goes_back(&self) -> bool {
        let cause = self.cause.as_deref();
        cause.is_some_and(|cause| cause.starts_with(GOING_BACK))
    }

    fn of<O>(revision: &Revision<O>) -> Self {
        let short = |text: &String| -> String { text.chars().take(SUMMARY_TEXT).collect() };
        let overlays = revision.options.overlays.iter().take(SUMMARY_TEXT / 10);
        Self {
            created_at: short(&revision.created_at),
            design: short(&revision.design),
            version: revision.version.as_ref().map(short),
            cause: revision.cause.as_ref().map(short),
            options: RevisionOptions {
                namespace: revision.options.namespace.as_ref().map(short),
                overlays: overlays.map(short).collect(),
                of_rows: revision.options.of_rows,
            },
            objects: revision.options.of_rows.unwrap_or(revision.objects.len()),
        }
    }
}

/// A revision as it lies in the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevisionEntry {
    /// Its number.
    pub number: u64,
    /// How it ended; unknown when its first Secret is missing.
    pub outcome: Option<Outcome>,
    /// What it was; unknown when its first Secret is missing or damaged.
    pub summary: Option<RevisionSummary>,
    /// Whether all of its Secrets are there.
    pub is_complete: bool,
    /// The names of its Secrets, by their place: what is to be deleted with it.
    pub secrets: Vec<String>,
}

/// Finds the revisions of a set among live Secrets, of which the metadata is enough: by number, the
/// newest first. The Secrets of the set are those with its id as [`SET_LABEL`].
///
/// Only how a revision ended lies in the cluster. That a later one has taken its place is derived: so
/// a deploy writes one object less, and a run that is cut off can't leave two that are deployed.
pub fn history<'a>(
    secrets: impl IntoIterator<Item = &'a Value>,
    set: &SetId,
) -> Vec<RevisionEntry> {
    let mut tags: BTreeMap<u64, Vec<Tag<'a>>> = BTreeMap::new();
    for tag in secrets
        .into_iter()
        .filter_map(|secret| Tag::read(secret, set))
    {
        tags.entry(tag.number).or_default().push(tag);
    }
    // What came after the one at hand, if that was deployed: how it was left.
    let mut left = None;
    let entries = tags.into_iter().rev().map(|(number, mut tags)| {
        tags.sort_by_key(|tag| (tag.index, tag.secret));
        let first = tags.first().filter(|tag| tag.index == 1);
        let summary: Option<RevisionSummary> =
            first.and_then(|tag| serde_json::from_str(tag.summary).ok());
        let mut outcome = first.and_then(|tag| tag.outcome);
        if outcome == Some(Outcome::Deployed) {
            let goes_back = summary.as_ref().is_some_and(RevisionSummary::goes_back);
            let leaving = if goes_back {
                Outcome::RolledBack
            } else {
                Outcome::Superseded
            };
            outcome = left.replace(leaving).or(outcome);
        }
        let is_complete = first.is_some_and(|first| {
            let whole = |tag: &Tag<'_>| tag.total == first.total && tag.digest == first.digest;
            let in_place = tags.iter().zip(1..).all(|(tag, index)| tag.index == index);
            tags.len() == first.total && in_place && tags.iter().all(whole)
        });
        RevisionEntry {
            number,
            outcome,
            summary,
            is_complete,
            secrets: tags.iter().map(|tag| tag.secret.to_owned()).collect(),
        }
    });
    entries.collect()
}

/// Returns the number of the next revision: above every one that there is or was, since revisions
/// may be deleted and numbers only grow. `None` when numbers are used up.
pub fn next_number(parent: &Parent, history: &[RevisionEntry]) -> Option<u64> {
    let highest = history.iter().map(|entry| entry.number).max();
    let highest = highest.unwrap_or(0).max(parent.last_revision());
    let next = highest.saturating_add(1);
    (next <= LAST_NUMBER).then_some(next)
}

/// Returns the numbers of the revisions to delete, in ascending order: all but the last
/// [`KEPT_REVISIONS`] complete ones, and the last [`KEPT_REVISIONS`] of those that did not fail. So a run
/// that fails again and again doesn't take away what one would go back to.
///
/// An incomplete one that is newer than all complete ones may just be being written, and stays.
pub fn retire(history: &[RevisionEntry]) -> Vec<u64> {
    let complete = history.iter().filter(|entry| entry.is_complete);
    let last = |entries: &mut dyn Iterator<Item = &RevisionEntry>| {
        let mut numbers: Vec<u64> = entries.map(|entry| entry.number).collect();
        numbers.sort_unstable_by(|a, b| b.cmp(a));
        numbers.dedup();
        numbers.truncate(KEPT_REVISIONS);
        numbers
    };
    let mut numbers = last(&mut complete.clone());
    let newest = numbers.first().copied();
    let has_failed = |entry: &&RevisionEntry| entry.outcome == Some(Outcome::Failed);
    numbers.extend(last(&mut complete.filter(|entry| !has_failed(entry))));
    let is_kept = |entry: &RevisionEntry| {
        let is_newer = newest.is_none_or(|newest| entry.number > newest);
        is_newer || entry.is_complete && numbers.contains(&entry.number)
    };
    let retired = history.iter().filter(|entry| !is_kept(entry));
    let mut retired: Vec<u64> = retired.map(|entry| entry.number).collect();
    retired.sort_unstable();
    retired.dedup();
    retired
}

/// What the metadata of a Secret says about the chunk in it.
struct Tag<'a> {
    secret: &'a str,
    number: u64,
    index: usize,
    total: usize,
    digest: &'a str,
    outcome: Option<Outcome>,
    summary: &'a str,
}

impl<'a> Tag<'a> {
    /// Reads the tag of a Secret of this set; others have none.
    fn read(secret: &'a Value, set: &SetId) -> Option<Self> {
        let metadata = secret.get("metadata")?.as_object()?;
        let of =
            |field: &str| -> Option<&'a Map<String, Value>> { metadata.get(field)?.as_object() };
        let (labels, annotations) = (of("labels")?, of("annotations")?);
        let text = |map: &'a Map<String, Value>, key: &str| map.get(key).and_then(Value::as_str);
        if text(labels, SET_LABEL) != Some(set.as_str()) {
            return None;
        }
        let number = text(labels, REVISION_LABEL)?.parse().ok()?;
        let (index, total) = text(annotations, CHUNK_ANNOTATION)?.split_once('/')?;
        let tag = Self {
            secret: text(metadata, "name")?,
            number,
            index: index.parse().ok()?,
            total: total.parse().ok()?,
            digest: text(annotations, DIGEST_ANNOTATION)?,
            outcome: text(labels, OUTCOME_LABEL).and_then(Outcome::parse),
            summary: text(annotations, SUMMARY_ANNOTATION).unwrap_or_default(),
        };
        (1..=LAST_NUMBER).contains(&number).then_some(tag)
    }
}

#[cfg(test)]
mod tests;
