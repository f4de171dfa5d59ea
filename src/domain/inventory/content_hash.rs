//! A hash of what an object says, whatever the order of its keys.
//!
//! Kept for each member, so that an object that nobody changed is recognised without sending it. It
//! only ever saves work: two objects of one hash say the same, two of different hashes may.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::base64_url;

/// The hash of an object as it is sent: `v1:<base64 of URLs>`.
///
/// Version 1 is SHA-256 over the object in this form, written without separators:
///
/// | value | form |
/// |---|---|
/// | null, false, true | `n`, `f`, `t` |
/// | whole number from 0 | `u` and 8 bytes, little-endian |
/// | negative whole number | `i` and 8 bytes, two's complement, little-endian |
/// | other number | `d` and the 8 bytes of its IEEE 754 double, little-endian |
/// | text | `s`, its length in bytes as 8 bytes, little-endian, and its UTF-8 |
/// | list | `l`, its length as 8 bytes, little-endian, and its items |
/// | mapping | `m`, its length likewise, and by ascending bytes of the key: key as text, value |
///
/// Left out, together with their keys: `status`, and of `metadata` what the server alone sets
/// (`managedFields`, `resourceVersion`, `uid`, `generation`, `creationTimestamp`, `selfLink`). The
/// form has no JSON in it, because libraries change how they write numbers. A hash of another version
/// is never equal, which costs one look at the live object and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ContentHash(String);

impl ContentHash {
    /// Returns its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Hashes an object as it is sent.
pub fn content_hash(object: &Value) -> ContentHash {
    let mut canonical = Canonical {
        hasher: Sha256::new(),
        buffer: Vec::with_capacity(2 * FLUSH),
        open: Vec::new(),
    };
    canonical.open.push(Item {
        key: None,
        value: object,
        place: Place::Root,
    });
    // Not recursive: an object may nest as deep as it likes.
    while let Some(item) = canonical.open.pop() {
        canonical.item(&item);
    }
    canonical.hasher.update(&canonical.buffer);
    ContentHash(format!("v1:{}", base64_url(&canonical.hasher.finalize())))
}

/// How many bytes are gathered before they are hashed.
const FLUSH: usize = 8 << 10;

/// Where a value stands, as far as it matters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    Metadata,
    Elsewhere,
}

struct Item<'a> {
    key: Option<&'a str>,
    value: &'a Value,
    place: Place,
}

struct Canonical<'a> {
    hasher: Sha256,
    buffer: Vec<u8>,
    /// What is still to be written, the next one last.
    open: Vec<Item<'a>>,
}

impl<'a> Canonical<'a> {
    fn item(&mut self, item: &Item<'a>) {
        if let Some(key) = item.key {
            self.text(key);
        }
        match item.value {
            Value::Null => self.buffer.push(b'n'),
            Value::Bool(false) => self.buffer.push(b'f'),
            Value::Bool(true) => self.buffer.push(b't'),
            Value::Number(number) => self.number(number),
            Value::String(text) => self.text(text),
            Value::Array(items) => {
                self.length(b'l', items.len());
                self.open.extend(items.iter().rev().map(|value| Item {
                    key: None,
                    value,
                    place: Place::Elsewhere,
                }));
            }
            Value::Object(map) => self.map(map, item.place),
        }
        if self.buffer.len() >= FLUSH {
            self.hasher.update(&self.buffer);
            self.buffer.clear();
        }
    }

    fn map(&mut self, map: &'a Map<String, Value>, place: Place) {
        let start = self.open.len();
        let kept = map.iter().filter(|(key, _)| !is_left_out(place, key));
        self.open.extend(kept.map(|(key, value)| Item {
            key: Some(key),
            value,
            place: if place == Place::Root && key == "metadata" {
                Place::Metadata
            } else {
                Place::Elsewhere
            },
        }));
        self.length(b'm', self.open.len() - start);
        if let Some(entries) = self.open.get_mut(start..) {
            entries.sort_unstable_by(|a, b| b.key.cmp(&a.key));
        }
    }

    fn number(&mut self, number: &serde_json::Number) {
        let (tag, bytes) = if let Some(whole) = number.as_u64() {
            (b'u', whole.to_le_bytes())
        } else if let Some(whole) = number.as_i64() {
            (b'i', whole.to_le_bytes())
        } else {
            let double = number.as_f64().unwrap_or(f64::NAN);
            (b'd', double.to_bits().to_le_bytes())
        };
        self.buffer.push(tag);
        self.buffer.extend_from_slice(&bytes);
    }

    fn text(&mut self, text: &str) {
        self.length(b's', text.len());
        self.buffer.extend_from_slice(text.as_bytes());
    }

    fn length(&mut self, tag: u8, length: usize) {
        self.buffer.push(tag);
        self.buffer
            .extend_from_slice(&(length as u64).to_le_bytes());
    }
}

fn is_left_out(place: Place, key: &str) -> bool {
    match place {
        Place::Root => key == "status",
        Place::Metadata => matches!(
            key,
            "managedFields"
                | "resourceVersion"
                | "uid"
                | "generation"
                | "creationTimestamp"
                | "selfLink"
        ),
        Place::Elsewhere => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Random;
    use super::*;

    #[test]
    fn the_form_is_the_documented_one() {
        let object = json!({"b": [1, -1, 0.5], "a": {"x": "é", "n": null, "t": true, "f": false}});
        let mut form = Vec::new();
        let length = |form: &mut Vec<u8>, tag: u8, length: u64| {
            form.push(tag);
            form.extend_from_slice(&length.to_le_bytes());
        };
        let text = |form: &mut Vec<u8>, text: &str| {
            length(form, b's', text.len() as u64);
            form.extend_from_slice(text.as_bytes());
        };
        length(&mut form, b'm', 2);
        text(&mut form, "a");
        length(&mut form, b'm', 4);
        text(&mut form, "f");
        form.push(b'f');
        text(&mut form, "n");
        form.push(b'n');
        text(&mut form, "t");
        form.push(b't');
        text(&mut form, "x");
        text(&mut form, "é");
        text(&mut form, "b");
        length(&mut form, b'l', 3);
        length(&mut form, b'u', 1);
        form.push(b'i');
        form.extend_from_slice(&(-1_i64).to_le_bytes());
        form.push(b'd');
        form.extend_from_slice(&0.5_f64.to_bits().to_le_bytes());
        let expected = format!("v1:{}", base64_url(&Sha256::digest(&form)));
        assert_eq!(content_hash(&object).as_str(), expected);
    }

    #[test]
    fn the_hash_of_version_1_never_changes() {
        let object = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}},
            "spec": {"replicas": 3, "template": {"spec": {"containers": [
                {"name": "web", "image": "nginx:1.27", "resources": {"limits": {"cpu": 0.5}}}]}}},
        });
        // Calculated apart from this program, from the documentation alone.
        let hash = "v1:41orQTEQ8Z-NAIIWsbQlQVEKLx1IEgp2pjt4d2Zk0N0";
        assert_eq!(content_hash(&object).as_str(), hash);
    }

    #[test]
    fn what_the_server_sets_and_the_order_of_keys_do_not_count() {
        let sent =
            json!({"kind": "Pod", "metadata": {"name": "a", "labels": {"x": "1", "y": "2"}}});
        let live = json!({
            "status": {"phase": "Running"},
            "metadata": {"labels": {"y": "2", "x": "1"}, "uid": "u", "resourceVersion": "7",
                "generation": 2, "creationTimestamp": null, "selfLink": "/", "name": "a",
                "managedFields": [{"manager": "kubectl"}]},
            "kind": "Pod",
        });
        assert_eq!(content_hash(&sent), content_hash(&live));
    }

    #[test]
    fn whatever_else_differs_counts() {
        let objects = [
            json!({}),
            json!([]),
            json!(null),
            json!({"a": null}),
            json!({"a": ""}),
            json!({"a": "1"}),
            json!({"a": 1}),
            json!({"a": 1.0}),
            json!({"a": -1}),
            json!({"a": true}),
            json!({"a": [1]}),
            json!({"a": [1, 2]}),
            json!({"a": [2, 1]}),
            json!({"a": [[1], 2]}),
            json!({"a": {"b": 1}}),
            json!({"a": 1, "b": 1}),
            json!({"ab": 1}),
            // Only at the top, and only below metadata.
            json!({"spec": {"status": 1}}),
            json!({"spec": {"metadata": {"uid": 1}}}),
            json!({"metadata": {"annotations": {"uid": "1"}}}),
            json!({"metadata": {"status": 1}}),
            json!({"uid": 1}),
            json!({"a": u64::MAX}),
            json!({"a": i64::MIN}),
        ];
        for (at, one) in objects.iter().enumerate() {
            for other in &objects[at + 1..] {
                assert_ne!(content_hash(one), content_hash(other), "{one} {other}");
            }
        }
    }

    /// The same value with its keys turned around, at every depth.
    fn shuffled(value: &Value, random: &mut Random) -> Value {
        match value {
            Value::Object(map) => {
                let mut entries: Vec<_> = map.iter().collect();
                for at in (1..entries.len()).rev() {
                    let other = usize::try_from(random.below(at as u64 + 1)).unwrap_or(0);
                    entries.swap(at, other);
                }
                let entries = entries.into_iter();
                let entries = entries.map(|(key, value)| (key.clone(), shuffled(value, random)));
                Value::Object(entries.collect())
            }
            Value::Array(items) => items.iter().map(|item| shuffled(item, random)).collect(),
            other => other.clone(),
        }
    }

    #[test]
    fn real_objects_keep_their_hash_in_any_order_and_after_json() {
        let text = include_str!("../../../testdata/design/secrets.v1beta3.yaml");
        let object =
            crate::yaml::parse_one(text, &crate::yaml::Limits::DESIGN).expect("it is YAML");
        let hash = content_hash(&object);
        for seed in 0..50 {
            let other = shuffled(&object, &mut Random::new(seed));
            assert_eq!(content_hash(&other), hash, "seed {seed}");
            let json = serde_json::to_string(&other).expect("a value has a JSON form");
            let again: Value = serde_json::from_str(&json).expect("it was just written");
            assert_eq!(content_hash(&again), hash, "seed {seed}");
        }
    }

    #[test]
    fn depth_and_size_take_no_recursion() {
        let mut deep = json!(1);
        for _ in 0..20_000 {
            deep = Value::Array(vec![deep]);
        }
        let hash = content_hash(&deep);
        assert_ne!(hash, content_hash(&json!([1])));
        // Taken apart by hand: dropping it would recurse.
        while let Value::Array(mut items) = deep {
            deep = items.pop().unwrap_or_default();
        }
        let long = json!({"data": "x".repeat(FLUSH * 3)});
        assert_ne!(content_hash(&long), content_hash(&json!({"data": "x"})));
    }
}
