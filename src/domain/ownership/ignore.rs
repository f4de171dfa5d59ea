//! Fields that are left to others: `spec.replicas`, `spec.list[0].x`, `spec.list[*].image`,
//! `metadata.annotations["a/b"]`, each with or without `$.` before it.

use std::borrow::Cow;
use std::fmt;

use serde_json::Value;

use super::DEPTH;

/// What names the object cannot be left to others.
const IDENTITY: &[&[&str]] = &[
    &["apiVersion"],
    &["kind"],
    &["metadata"],
    &["metadata", "name"],
    &["metadata", "namespace"],
];

/// The path of fields that are left to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IgnorePath {
    text: String,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
    /// Every item of a list, or every value of a mapping.
    Any,
}

/// A text that is no path of ignored fields.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a path of fields to ignore, such as spec.replicas")]
pub struct InvalidPath {
    /// The text.
    pub text: String,
}

impl IgnorePath {
    /// Reads a path.
    ///
    /// # Errors
    /// When it has another syntax, or would ignore what names the object.
    pub fn parse(text: &str) -> Result<Self, InvalidPath> {
        let error = || InvalidPath {
            text: text.to_owned(),
        };
        let path = text.strip_prefix('$').unwrap_or(text);
        let path = path.strip_prefix('.').unwrap_or(path);
        let steps = steps(path).filter(|steps| (1..=DEPTH).contains(&steps.len()));
        let steps = steps.ok_or_else(error)?;
        let is_identity = IDENTITY.iter().any(|keys| {
            let pairs = || steps.iter().zip(*keys);
            steps.len() == keys.len()
                && pairs().all(|(step, key)| match step {
                    Step::Key(own) => own == key,
                    Step::Any => true,
                    Step::Index(_) => false,
                })
        });
        if is_identity {
            return Err(error());
        }
        Ok(Self {
            text: path.to_owned(),
            steps,
        })
    }
}

impl fmt::Display for IgnorePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn steps(path: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let quote = inner.chars().next().filter(|c| matches!(c, '"' | '\''));
            if let Some(quote) = quote {
                let (key, after) = inner.get(1..)?.split_once(quote)?;
                steps.push(Step::Key(key.to_owned()));
                rest = after.strip_prefix(']')?;
            } else {
                let (step, after) = inner.split_once(']')?;
                steps.push(match step {
                    "*" => Step::Any,
                    index if index.bytes().all(|byte| byte.is_ascii_digit()) => {
                        Step::Index(index.parse().ok()?)
                    }
                    _ => return None,
                });
                rest = after;
            }
        } else {
            let text = if steps.is_empty() {
                rest
            } else {
                rest.strip_prefix('.')?
            };
            let end = text.find(['.', '[']).unwrap_or(text.len());
            let (key, after) = text.split_at(end);
            if key.is_empty() || key.contains(|c: char| c.is_whitespace() || c == ']') {
                return None;
            }
            steps.push(Step::Key(key.to_owned()));
            rest = after;
        }
    }
    Some(steps)
}

/// What the paths still say at one place of a document.
#[derive(Debug, Default)]
pub(super) struct Ignored<'a>(Vec<&'a [Step]>);

impl<'a> Ignored<'a> {
    pub(super) fn of(paths: &'a [IgnorePath]) -> Self {
        Self(paths.iter().map(|path| path.steps.as_slice()).collect())
    }

    /// Tells whether nothing at or below the place is ignored.
    pub(super) fn is_nothing(&self) -> bool {
        self.0.is_empty()
    }

    /// Tells whether the place itself is ignored, with everything below.
    pub(super) fn is_whole(&self) -> bool {
        self.0.iter().any(|rest| rest.is_empty())
    }

    /// Tells whether every item of the list at this place is ignored.
    pub(super) fn is_every_item(&self) -> bool {
        self.0.iter().any(|rest| matches!(rest, [Step::Any]))
    }

    pub(super) fn key(&self, key: &str) -> Self {
        self.down(|step| match step {
            Step::Key(own) => own == key,
            Step::Any => true,
            Step::Index(_) => false,
        })
    }

    pub(super) fn index(&self, index: usize) -> Self {
        self.down(|step| match step {
            Step::Index(own) => *own == index,
            Step::Any => true,
            Step::Key(_) => false,
        })
    }

    fn down(&self, fits: impl Fn(&Step) -> bool) -> Self {
        let below = self.0.iter().filter_map(|rest| {
            let (step, rest) = rest.split_first()?;
            fits(step).then_some(rest)
        });
        Self(below.collect())
    }
}

/// Removes ignored fields from an object before it is sent; indexes are those that its items had before.
///
/// A list all of whose items are ignored goes as well, because an empty list would ask for one. A mapping
/// stays, since an empty one often says something.
///
/// A field that was applied before it was ignored, and that nobody else holds, is removed by the server
/// when it is no longer sent; [`owners`](super::owners) tells.
pub fn strip(object: &mut Value, paths: &[IgnorePath]) {
    if !paths.is_empty() {
        strip_below(object, &Ignored::of(paths));
    }
}

/// Returns an object without its ignored fields; borrowed when it has none.
pub fn without_ignored<'a>(object: &'a Value, paths: &[IgnorePath]) -> Cow<'a, Value> {
    if !paths.iter().any(|path| has(object, &path.steps)) {
        return Cow::Borrowed(object);
    }
    let mut stripped = object.clone();
    strip(&mut stripped, paths);
    Cow::Owned(stripped)
}

/// Recursion ends with the paths, which have a limited length.
fn strip_below(value: &mut Value, ignored: &Ignored<'_>) {
    match value {
        Value::Object(map) => map.retain(|key, value| {
            let below = ignored.key(key);
            if below.is_whole() {
                return false;
            }
            let had_items = has_items(value);
            if !below.is_nothing() {
                strip_below(value, &below);
            }
            !had_items || has_items(value)
        }),
        Value::Array(items) => {
            let mut index = 0;
            items.retain_mut(|item| {
                let below = ignored.index(index);
                index += 1;
                if !below.is_whole() && !below.is_nothing() {
                    strip_below(item, &below);
                }
                !below.is_whole()
            });
        }
        _ => {}
    }
}

fn has_items(value: &Value) -> bool {
    value.as_array().is_some_and(|items| !items.is_empty())
}

fn has(value: &Value, steps: &[Step]) -> bool {
    let Some((step, rest)) = steps.split_first() else {
        return true;
    };
    let below = |found: Option<&Value>| found.is_some_and(|value| has(value, rest));
    match (step, value) {
        (Step::Key(key), _) => below(value.get(key)),
        (Step::Index(index), _) => below(value.get(index)),
        (Step::Any, Value::Object(map)) => map.values().any(|value| has(value, rest)),
        (Step::Any, Value::Array(items)) => items.iter().any(|item| has(item, rest)),
        (Step::Any, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn paths(texts: &[&str]) -> Vec<IgnorePath> {
        let paths = texts.iter().map(|text| IgnorePath::parse(text));
        paths
            .collect::<Result<_, _>>()
            .expect("the paths are sound")
    }

    #[test]
    fn paths_are_read_as_the_annotation_writes_them() {
        let key = |key: &str| Step::Key(key.to_owned());
        let cases = [
            ("spec.replicas", vec![key("spec"), key("replicas")]),
            ("$.spec.replicas", vec![key("spec"), key("replicas")]),
            (".spec.replicas", vec![key("spec"), key("replicas")]),
            (
                "spec.l[0].x",
                vec![key("spec"), key("l"), Step::Index(0), key("x")],
            ),
            ("l[*].a[*]", vec![key("l"), Step::Any, key("a"), Step::Any]),
            ("[0]", vec![Step::Index(0)]),
            (
                r#"metadata.annotations["a.b/c"]"#,
                vec![key("metadata"), key("annotations"), key("a.b/c")],
            ),
            ("metadata['x'].y", vec![key("metadata"), key("x"), key("y")]),
            ("a['b\"]c']", vec![key("a"), key("b\"]c")]),
            ("a['']", vec![key("a"), key("")]),
            ("a[99]", vec![key("a"), Step::Index(99)]),
        ];
        for (text, steps) in cases {
            let path = IgnorePath::parse(text).expect(text);
            assert_eq!(path.steps, steps, "{text}");
            assert_eq!(IgnorePath::parse(&path.to_string()), Ok(path), "{text}");
        }
        let deep = "a.".repeat(200) + "a";
        let bad = [
            "",
            "$",
            "$.",
            "a..b",
            "a.",
            "a[",
            "a[]x",
            "a[b]",
            "a[-1]",
            "a[0",
            "a[\"b]",
            "a['b'",
            "a b",
            "a]b",
            "a[99999999999999999999999]",
            "a[0]b",
            "é[\"",
            &deep,
            // What names the object.
            "metadata",
            "metadata.name",
            "$.metadata.namespace",
            "kind",
            "apiVersion",
            "metadata[*]",
            "[*]",
        ];
        for text in bad {
            let error = IgnorePath::parse(text).expect_err(text);
            assert_eq!(
                error.to_string(),
                format!("{text:?} is not a path of fields to ignore, such as spec.replicas")
            );
        }
    }

    type Case = (&'static [&'static str], &'static str, Value);

    #[test]
    fn stripping_takes_out_fields_and_items() {
        let object = || {
            json!({
                "metadata": {"name": "a", "annotations": {"a/b": "1", "c": "2"}},
                "spec": {
                    "replicas": 3,
                    "list": [{"image": "x", "name": "a"}, {"image": "y", "name": "b"}, 7],
                    "empty": [],
                    "volume": {"sizeLimit": "1Gi"},
                    "nested": [[1, 2], [3]],
                },
            })
        };
        let cases: Vec<Case> = vec![
            (&["spec.replicas"], "/spec/replicas", Value::Null),
            (
                &["metadata.annotations[\"a/b\"]"],
                "/metadata/annotations",
                json!({"c": "2"}),
            ),
            (
                &["metadata.annotations[*]"],
                "/metadata/annotations",
                json!({}),
            ),
            (
                &["spec.list[*].image"],
                "/spec/list",
                json!([{"name": "a"}, {"name": "b"}, 7]),
            ),
            (
                &["spec.list[0]", "spec.list[1].image", "spec.list[2]"],
                "/spec/list",
                json!([{"name": "b"}]),
            ),
            (&["spec.list[*]"], "/spec/list", Value::Null),
            (
                &["spec.list[0].name.deeper"],
                "/spec/list/0/name",
                json!("a"),
            ),
            (&["spec.list[9]", "nothing.here"], "/spec/list/2", json!(7)),
            // An empty mapping or list that was written stays.
            (&["spec.volume.sizeLimit"], "/spec/volume", json!({})),
            (&["spec.empty[*]"], "/spec/empty", json!([])),
            (&["spec.nested[*][0]"], "/spec/nested", json!([[2], []])),
            (&["spec"], "/metadata/name", json!("a")),
        ];
        for (texts, pointer, expected) in cases {
            let paths = paths(texts);
            let mut stripped = object();
            strip(&mut stripped, &paths);
            let found = stripped.pointer(pointer).cloned().unwrap_or_default();
            assert_eq!(found, expected, "{texts:?}");
            let before = object();
            let without = without_ignored(&before, &paths);
            assert_eq!(*without, stripped, "{texts:?}");
            // Nothing is copied when nothing is ignored.
            assert!(matches!(without, Cow::Owned(_)) || stripped == object());
        }
        let whole = object();
        let nothing = paths(&["spec.other", "spec.list[7]", "spec.replicas.x"]);
        assert!(matches!(
            without_ignored(&whole, &nothing),
            Cow::Borrowed(_)
        ));
        assert!(matches!(without_ignored(&whole, &[]), Cow::Borrowed(_)));
    }
}
