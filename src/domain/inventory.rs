//! What is kept in the cluster about a resource set: its members, its revisions, and who works on it.
//!
//! A [`Parent`] is the Secret that lists the members of a set (KEP-3659, *`ApplySet`*): grown before
//! the first member is written, shrunk after the last prune is confirmed, so that a crash in between
//! leaves a list that is too long and never one that is too short. A [`Revision`] is what was deployed
//! once, in Secrets of its own; a [`Claim`] on a Lease keeps two machines from interleaving. Everything
//! that is read here may have been written by anybody: reading is bounded in bytes, depth and values.

mod chunk;
mod content_hash;
mod lease;
mod member;
mod micro_time;
mod packed;
mod parent;
mod revision;
mod set_id;

pub use self::chunk::{CHUNK_LIMIT, Chunk, JoinError, chunks, join};
pub use self::content_hash::{ContentHash, content_hash};
pub use self::lease::{Claim, Held, MAX_LEASE, Sighting, Standing};
pub use self::member::{Member, MemberOrigin};
pub use self::micro_time::MicroTime;
pub use self::packed::PackedError;
pub use self::parent::{Confirmed, Parent, ParentError, ParentTooLarge};
pub use self::revision::{
    BoxError, Cipher, KEPT_REVISIONS, Outcome, Revision, RevisionEntry, RevisionError,
    RevisionOptions, RevisionSummary, SealedRevision, cause_of_rollback, history, next_number,
    retire,
};
pub use self::set_id::{SetId, parent_name, parent_name_away};

/// The label of a parent with the id of its set.
pub const ID_LABEL: &str = "applyset.kubernetes.io/id";
/// The label of a member with the id of the set that it belongs to.
pub const PART_OF_LABEL: &str = "applyset.kubernetes.io/part-of";
/// The annotation of a parent with the tool that keeps it.
pub const TOOLING_ANNOTATION: &str = "applyset.kubernetes.io/tooling";
/// The annotation of a parent with the kinds of its members.
pub const GROUP_KINDS_ANNOTATION: &str = "applyset.kubernetes.io/contains-group-kinds";
/// The annotation of a parent with the namespaces of its members, its own left out.
pub const NAMESPACES_ANNOTATION: &str = "applyset.kubernetes.io/additional-namespaces";
/// What we write as [`TOOLING_ANNOTATION`].
pub const TOOLING: &str = "weftctl/v1";
/// The type of the Secret that is a parent.
pub const PARENT_TYPE: &str = "weftctl.dev/set";
/// The type of the Secrets that hold a revision.
pub const REVISION_TYPE: &str = "weftctl.dev/revision";
/// The label with the id of the set on revisions and leases, which are no members of it.
pub const SET_LABEL: &str = "weftctl.dev/set";
/// The label with the number of a revision.
pub const REVISION_LABEL: &str = "weftctl.dev/revision";
/// The label with the outcome of a revision; it alone changes after the revision was written.
pub const OUTCOME_LABEL: &str = "weftctl.dev/outcome";
/// The annotation with the name of a design as its user wrote it.
pub const DESIGN_ANNOTATION: &str = "weftctl.dev/design";

/// Largest size of the values of a Secret together (`MaxSecretSize` of the Kubernetes core API).
const SECRET_LIMIT: usize = 1 << 20;
/// Largest size of the annotations of an object together (`TotalAnnotationSizeLimitB`).
const ANNOTATIONS_LIMIT: usize = 256 << 10;

/// Returns the digest of some bytes (SHA-256).
fn digest(bytes: &[u8]) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).into()
}

/// Returns bytes in lower-case hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    let digit = |four: u8| char::from_digit(u32::from(four), 16).unwrap_or('0');
    let digits = bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]);
    digits.collect()
}

/// Returns bytes in the base64 of URLs without padding (RFC 4648 §5).
fn base64_url(bytes: &[u8]) -> String {
    let text = crate::base64::encode(bytes);
    let text = text.trim_end_matches('=');
    text.replace('+', "-").replace('/', "_")
}

/// A small generator for tests (xorshift64*).
#[cfg(test)]
struct Random(u64);

#[cfg(test)]
impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 33) % limit
    }

    fn uid(&mut self) -> String {
        let (high, low) = (u128::from(self.next()), u128::from(self.next()));
        uuid::Uuid::from_u128(high << 64 | low).to_string()
    }
}
