//! Where something is inside a document: a list of keys and indexes.
//!
//! [`Path`] is the owned form that findings carry. While walking a document nothing is allocated: a
//! [`Trail`] links the steps on the stack, and becomes a `Path` only when there is something to report.

use std::fmt;

use serde_json::Value;

/// One step down into a document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// The value of a mapping's key.
    Key(String),
    /// The entry of a list, counted from zero.
    Index(usize),
}

impl Segment {
    /// Returns the key of a mapping.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Key(key) => Some(key),
            Self::Index(_) => None,
        }
    }
}

impl From<&str> for Segment {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<String> for Segment {
    fn from(key: String) -> Self {
        Self::Key(key)
    }
}

impl From<usize> for Segment {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

/// A place inside a document, from its root.
///
/// Displayed as `spec.template.containers[0].image`; keys that would be ambiguous are quoted, as in
/// `metadata.annotations["a.b/c"]`. The root itself is displayed as nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(pub Vec<Segment>);

/// Returns a key as a part of a JSON pointer (RFC 6901).
pub fn pointer_token(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

impl Path {
    /// Returns the path of the root.
    pub const fn root() -> Self {
        Self(Vec::new())
    }

    /// Tells whether this is the root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the steps from the root.
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// Goes one step down.
    pub fn push(&mut self, segment: impl Into<Segment>) {
        self.0.push(segment.into());
    }

    /// Goes one step up and returns the step that was undone.
    pub fn pop(&mut self) -> Option<Segment> {
        self.0.pop()
    }

    /// Returns the path one step further down.
    #[must_use]
    pub fn join(&self, segment: impl Into<Segment>) -> Self {
        let mut path = self.clone();
        path.push(segment);
        path
    }

    /// Returns another path as seen from where this one begins.
    #[must_use]
    pub fn under(&self, other: &Self) -> Self {
        self.0.iter().chain(&other.0).cloned().collect()
    }

    /// Returns the path one step up; the root has none.
    pub fn parent(&self) -> Option<Self> {
        let (_, parent) = self.0.split_last()?;
        Some(Self(parent.to_vec()))
    }

    /// Returns what is at this place in a document.
    pub fn find<'a>(&self, document: &'a Value) -> Option<&'a Value> {
        self.0
            .iter()
            .try_fold(document, |value, segment| match segment {
                Segment::Key(key) => value.get(key),
                Segment::Index(index) => value.get(index),
            })
    }
}

impl FromIterator<Segment> for Path {
    fn from_iter<T: IntoIterator<Item = Segment>>(segments: T) -> Self {
        Self(segments.into_iter().collect())
    }
}

impl From<Vec<Segment>> for Path {
    fn from(segments: Vec<Segment>) -> Self {
        Self(segments)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(out, "[{index}]")?,
                Segment::Key(key) if is_plain(key) => {
                    if position > 0 {
                        out.write_str(".")?;
                    }
                    out.write_str(key)?;
                }
                Segment::Key(key) => write!(out, "[{key:?}]")?,
            }
        }
        Ok(())
    }
}

impl serde::Serialize for Path {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Tells whether a key can stand between dots.
fn is_plain(key: &str) -> bool {
    !key.is_empty()
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'$'))
}

/// The steps to the value being looked at, linked on the stack.
#[derive(Debug, Clone, Copy)]
pub struct Trail<'a> {
    step: Option<(&'a Trail<'a>, Step<'a>)>,
}

#[derive(Debug, Clone, Copy)]
enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

impl<'a> Trail<'a> {
    /// The trail of the root.
    pub const ROOT: Trail<'static> = Trail { step: None };

    /// Returns the trail to the value of a key.
    #[must_use]
    pub fn key(&'a self, key: &'a str) -> Self {
        Self {
            step: Some((self, Step::Key(key))),
        }
    }

    /// Returns the trail to an entry of a list.
    #[must_use]
    pub fn index(&'a self, index: usize) -> Self {
        Self {
            step: Some((self, Step::Index(index))),
        }
    }

    /// Returns the owned form.
    pub fn path(&self) -> Path {
        let mut segments = Vec::new();
        let mut trail = self;
        while let Some((up, step)) = trail.step {
            segments.push(match step {
                Step::Key(key) => Segment::Key(key.to_owned()),
                Step::Index(index) => Segment::Index(index),
            });
            trail = up;
        }
        segments.reverse();
        Path(segments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_path_reads_as_one_would_write_it() {
        let cases: &[(&[Segment], &str)] = &[
            (&[], ""),
            (&["spec".into()], "spec"),
            (
                &[
                    "spec".into(),
                    "template".into(),
                    "containers".into(),
                    0.into(),
                    "image".into(),
                ],
                "spec.template.containers[0].image",
            ),
            (
                &["metadata".into(), "annotations".into(), "a.b/c".into()],
                r#"metadata.annotations["a.b/c"]"#,
            ),
            (&["odd key".into(), "x".into()], r#"["odd key"].x"#),
            (&["".into()], r#"[""]"#),
            (&["say \"hi\"".into()], r#"["say \"hi\""]"#),
            (&[3.into(), 4.into()], "[3][4]"),
            (&["x-kubernetes-int_or".into()], "x-kubernetes-int_or"),
        ];
        for (segments, text) in cases {
            assert_eq!(Path::from(segments.to_vec()).to_string(), *text);
        }
    }

    #[test]
    fn push_pop_join_and_parent_agree() {
        let mut path = Path::root();
        path.push("spec");
        path.push(2);
        assert_eq!(path, Path::root().join("spec").join(2));
        assert_eq!(path.parent(), Some(Path::root().join("spec")));
        assert_eq!(path.pop(), Some(Segment::Index(2)));
        assert_eq!(path.pop(), Some(Segment::Key("spec".into())));
        assert_eq!(path.pop(), None);
        assert!(path.is_root() && path.parent().is_none());
    }

    #[test]
    fn a_trail_becomes_the_same_path() {
        let root = Trail::ROOT;
        let spec = root.key("spec");
        let list = spec.key("a.b");
        let entry = list.index(7);
        assert_eq!(entry.path().to_string(), r#"spec["a.b"][7]"#);
    }

    #[test]
    fn find_follows_keys_and_indexes() {
        let document = json!({"spec": {"list": [{"name": "a"}, {"name": "b"}]}});
        let path = Path::root().join("spec").join("list").join(1).join("name");
        assert_eq!(path.find(&document), Some(&json!("b")));
        assert_eq!(path.join("more").find(&document), None);
        assert_eq!(Path::root().find(&document), Some(&document));
    }
}
