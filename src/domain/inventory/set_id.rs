//! The identity of a resource set, and the name of its parent.
//!
//! The id follows KEP-3659 to the letter, so that any tool which knows that specification finds the
//! members of our sets and leaves them alone.

use std::fmt;

use super::{base64_url, digest, hex};

const PREFIX: &str = "applyset-";
const SUFFIX: &str = "-v1";
/// Characters of a SHA-256 digest in base64 without padding.
const HASH: usize = 43;
/// How many characters of the hash name a field manager.
const MANAGER: usize = 10;

/// The id of a set: `applyset-<hash>-v1`, where the hash is that of the parent's name, namespace,
/// kind and group (KEP-3659, "`ApplySet` identification").
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct SetId(String);

impl SetId {
    /// Returns the id of the set whose parent is the Secret of this name and namespace.
    pub fn of_parent(name: &str, namespace: &str) -> Self {
        // The core group is empty, and the dot before it stays.
        let text = format!("{name}.{namespace}.Secret.");
        let hash = base64_url(&digest(text.as_bytes()));
        Self(format!("{PREFIX}{hash}{SUFFIX}"))
    }

    /// Reads an id of version 1, of our sets or of others.
    pub fn parse(text: &str) -> Option<Self> {
        let hash = text.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
        let sound = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (hash.len() == HASH && hash.bytes().all(sound)).then(|| Self(text.to_owned()))
    }

    /// Returns its text, which is the value of the labels.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the field manager of the set: `weftctl-<first 10 characters of the hash>`.
    ///
    /// Not the first ten of the whole id: nine of these are the prefix `applyset-`, so that all sets
    /// would share some sixty managers, and sets with one manager strip each other's fields. Ten
    /// characters of the hash are 60 bits.
    pub fn field_manager(&self) -> String {
        let hash = self.0.get(PREFIX.len()..PREFIX.len() + MANAGER);
        format!("weftctl-{}", hash.unwrap_or_default())
    }
}

impl fmt::Display for SetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for SetId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not the id of a set"))
    }
}

const NAME_PREFIX: &str = "weftctl-";
/// Longest DNS label (RFC 1123).
const LABEL: usize = 63;
/// How many hexadecimal digits tell changed names apart.
const DIGITS: usize = 10;

/// Returns the name of the parent of a design's set: `weftctl-<design>`.
///
/// A name that is no DNS label, or too long for one, is made one and gets a short hash of the whole
/// name. So does one that looks as if it had been changed or as if it named a revision: no two
/// designs share a parent, and no parent has the name of another one's revision.
pub fn parent_name(design: &str) -> String {
    let room = LABEL - NAME_PREFIX.len();
    if design.len() <= room && is_label(design) && !is_ambiguous(design) {
        return format!("{NAME_PREFIX}{design}");
    }
    let mut slug = String::with_capacity(room);
    for character in design.chars() {
        if slug.len() == room - DIGITS - 1 {
            break;
        }
        let character = character.to_ascii_lowercase();
        if character.is_ascii_lowercase() || character.is_ascii_digit() {
            slug.push(character);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_end_matches('-');
    let hyphen = if slug.is_empty() { "" } else { "-" };
    let hash = hex(&digest(design.as_bytes()));
    let hash = hash.get(..DIGITS).unwrap_or_default();
    format!("{NAME_PREFIX}{slug}{hyphen}{hash}")
}

/// Returns the name of a parent that lies outside of its set's namespace: `<namespace>.<parent name>`,
/// so that sets of one design in several namespaces can share the namespace of their parents. No other
/// name of ours has a dot before its last segment that begins with `weftctl-`.
pub fn parent_name_away(design: &str, namespace: &str) -> String {
    format!("{namespace}.{}", parent_name(design))
}

fn is_label(text: &str) -> bool {
    let is_end = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    bytes.first().is_some_and(is_end)
        && bytes.last().is_some_and(is_end)
        && bytes.iter().all(|byte| is_end(byte) || *byte == b'-')
}

/// Tells whether a name could also be a changed one, or that of a revision of another set.
fn is_ambiguous(name: &str) -> bool {
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let last = name.rsplit('-').next().unwrap_or_default();
    let is_changed = last.len() == DIGITS && last.bytes().all(|b| b.is_ascii_hexdigit());
    let is_revision = name.rsplit_once("-rev-").is_some_and(|(_, numbers)| {
        let numbers = numbers.split_once('-');
        numbers.is_some_and(|(number, index)| is_digits(number) && is_digits(index))
    });
    is_changed || is_revision
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_id_is_that_of_the_specification() {
        // printf 'name.ns.Secret.' | openssl dgst -sha256 -binary | base64 | tr '+/' '-_' | tr -d '='
        let cases = [
            (
                "name",
                "ns",
                "applyset-vLPbIUe-_Z7vNNK9nmpg3V0nSKWkRDcvnfMvrMwsL38-v1",
            ),
            (
                "weftctl-shop",
                "shop",
                "applyset-atTrKX6QyYF-bCPtQX9dPgZpBsI2dPV9aRjkcHLVOwI-v1",
            ),
        ];
        for (name, namespace, id) in cases {
            assert_eq!(SetId::of_parent(name, namespace).as_str(), id);
            assert_eq!(SetId::parse(id), Some(SetId::of_parent(name, namespace)));
        }
        let manager = SetId::of_parent("name", "ns").field_manager();
        assert_eq!(manager, "weftctl-vLPbIUe-_Z");
    }

    #[test]
    fn ids_and_managers_are_label_values_and_differ_by_name_and_namespace() {
        let (mut ids, mut managers) = (HashSet::new(), HashSet::new());
        for number in 0..500 {
            for namespace in ["shop", "stage"] {
                let id = SetId::of_parent(&format!("weftctl-{number}"), namespace);
                assert_eq!(id.as_str().len(), 55);
                assert!(id.as_str().starts_with('a') && id.as_str().ends_with('1'));
                assert_eq!(SetId::parse(id.as_str()).as_ref(), Some(&id));
                managers.insert(id.field_manager());
                ids.insert(id);
            }
        }
        assert_eq!((ids.len(), managers.len()), (1000, 1000));
    }

    #[test]
    fn parents_away_from_their_sets_are_told_apart() {
        assert_eq!(parent_name_away("shop", "stage"), "stage.weftctl-shop");
        let designs = ["shop", "Shop", "shop.key", "stage.weftctl-shop", "rev-1-1"];
        let mut names = HashSet::new();
        for design in designs {
            assert!(names.insert(parent_name(design)), "{design}");
            for namespace in ["shop", "stage", "weftctl-shop"] {
                assert!(
                    names.insert(parent_name_away(design, namespace)),
                    "{design}"
                );
            }
        }
    }

    #[test]
    fn what_is_no_id_is_not_read_as_one() {
        let good = SetId::of_parent("a", "b").to_string();
        let cases = [
            String::new(),
            "applyset--v1".to_owned(),
            good.replace("-v1", "-v2"),
            good.replace("applyset-", "set-"),
            good.replacen("applyset-", "applyset-x", 1),
            format!("applyset-{}-v1", "+".repeat(43)),
            format!("applyset-{}-v1", "é".repeat(21) + "x"),
        ];
        for text in cases {
            assert_eq!(SetId::parse(&text), None, "{text}");
            let json = serde_json::json!(text);
            assert!(serde_json::from_value::<SetId>(json).is_err(), "{text}");
        }
    }

    #[test]
    fn names_of_parents_are_readable_labels() {
        let long = "a".repeat(55);
        let longer = "a".repeat(56);
        let cases: &[(&str, &str)] = &[
            ("shop", "weftctl-shop"),
            ("7-eleven", "weftctl-7-eleven"),
            ("online-boutique-rev", "weftctl-online-boutique-rev"),
            ("rev-1-1", "weftctl-rev-1-1"),
            (&long, &format!("weftctl-{long}")),
            // printf 'Shop' | sha256sum
            ("Shop", "weftctl-shop-d00aae6b7f"),
            ("Online Boutique!", "weftctl-online-boutique-217b9fa195"),
            ("läden", "weftctl-l-den-cf98f49577"),
            ("--", "weftctl-d8156bae0c"),
            ("", "weftctl-e3b0c44298"),
            (&longer, ""),
            ("shop-0123456789", ""),
            ("shop-rev-1-1", ""),
        ];
        let mut names = HashSet::new();
        for (design, expected) in cases {
            let name = parent_name(design);
            if expected.is_empty() {
                assert_ne!(name, format!("weftctl-{design}"));
            } else {
                assert_eq!(name, *expected, "{design:?}");
            }
            assert!(is_label(&name) && name.len() <= 63, "{name}");
            assert!(names.insert(name), "{design:?}");
        }
        // The output of one design is never that of another one.
        for design in ["Shop", "", &longer] {
            let name = parent_name(design);
            let stripped = name.strip_prefix("weftctl-").unwrap_or_default();
            assert_ne!(parent_name(stripped), name);
        }
    }
}
