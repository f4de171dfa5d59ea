//! The conflicts that a server names when it refuses an apply.

use serde_json::Value;

use crate::path::Path;
use crate::resource::dig;

/// A field that another manager holds with another value.
#[derive(
    Debug,
    Clone,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub struct FieldConflict {
    /// The manager that holds it.
    pub manager: String,
    /// The subresource through which that manager wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subresource: Option<String>,
    /// The field, such as `spec.template.spec.containers[name=web].image`.
    pub field: String,
}

/// Reads the conflicts out of the body of a refused apply (409), in the server's order; a `Status` that
/// tells of something else has none.
///
/// The texts are those of `printManager` in `k8s.io/apimachinery/pkg/util/managedfields`: `conflict with
/// "x" with subresource "scale" using apps/v1 at 2026-01-01T00:00:00Z`, the name as Go quotes it.
pub fn conflicts(status: &Value) -> Vec<FieldConflict> {
    let causes = dig(status, &["details", "causes"]).and_then(Value::as_array);
    let conflicts = causes.into_iter().flatten().filter_map(|cause| {
        let text = |key| cause.get(key).and_then(Value::as_str);
        if text("reason") != Some("FieldManagerConflict") {
            return None;
        }
        let message = text("message").unwrap_or_default();
        let (manager, subresource) = manager(message);
        Some(FieldConflict {
            manager,
            subresource,
            field: readable(text("field").unwrap_or_default()),
        })
    });
    conflicts.collect()
}

/// Reads the manager and the subresource; what has another form is the manager as it stands.
fn manager(message: &str) -> (String, Option<String>) {
    let text = message.strip_prefix("conflict with ").unwrap_or(message);
    let Some((manager, rest)) = unquote(text) else {
        return (text.to_owned(), None);
    };
    let subresource = rest.strip_prefix(" with subresource ").and_then(unquote);
    (manager, subresource.map(|(subresource, _)| subresource))
}

/// Reads a text that Go quoted (`%q`), and returns what follows it.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut rest = text.strip_prefix('"')?.chars();
    let mut read = String::new();
    loop {
        match rest.next()? {
            '"' => return Some((read, rest.as_str())),
            '\\' => {
                let code = |rest: &mut std::str::Chars<'_>, length: usize| {
                    let digits = rest.as_str().get(..length)?;
                    *rest = rest.as_str().get(length..)?.chars();
                    char::from_u32(u32::from_str_radix(digits, 16).ok()?)
                };
                read.push(match rest.next()? {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    'a' => '\x07',
                    'b' => '\x08',
                    'f' => '\x0c',
                    'v' => '\x0b',
                    // A byte of what is no text.
                    'x' => code(&mut rest, 2)?,
                    'u' => code(&mut rest, 4)?,
                    'U' => code(&mut rest, 8)?,
                    other => other,
                });
            }
            other => read.push(other),
        }
    }
}

/// Writes a field as the rest of the program does: no dot before it, no quotes around the values of keys
/// (`.spec.ports[port=80,protocol="TCP"]`), and quotes around keys of labels and annotations that need
/// them. Elsewhere the server's text doesn't tell a dot in a key from one between keys.
fn readable(field: &str) -> String {
    let mut field = field.strip_prefix('.').unwrap_or(field);
    let mut text = String::with_capacity(field.len());
    let mut key = None;
    for map in [".labels.", ".annotations."] {
        if let Some((before, after)) = field.split_once(map)
            && !after.is_empty()
            && (before == "metadata" || before.ends_with(".metadata"))
        {
            key = Some(after);
            field = &field[..field.len() - after.len() - 1];
        }
    }
    while let Some(open) = field.find('[') {
        let (before, inner) = field.split_at(open + 1);
        text.push_str(before);
        let (item, after) = item(inner);
        text.push_str(&item);
        field = after;
    }
    text.push_str(field);
    if let Some(key) = key {
        let step = Path::root().join(key).to_string();
        if !step.starts_with('[') {
            text.push('.');
        }
        text.push_str(&step);
    }
    text
}

/// Reads what stands in brackets up to the closing one, which it keeps.
fn item(inner: &str) -> (String, &str) {
    // The item of a set keeps its quotes, as in all our paths.
    let (inner, is_value) = match inner.strip_prefix('=') {
        Some(value) => (value, true),
        None => (inner, false),
    };
    let mut text = String::new();
    let mut rest = inner;
    while let Some(at) = rest.find(['"', ']']) {
        let (before, found) = rest.split_at(at);
        text.push_str(before);
        if let Some((value, after)) = unquote(found) {
            if is_value {
                text.push_str(&Value::from(value).to_string());
            } else {
                text.push_str(&value);
            }
            rest = after;
            continue;
        }
        let (one, after) = found.split_at(1);
        text.push_str(one);
        rest = after;
        if one == "]" {
            break;
        }
    }
    // Without a closing bracket the rest is taken as it is.
    if !text.ends_with(']') {
        text.push_str(rest);
        rest = "";
    }
    (text, rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn cause(message: &str, field: &str) -> Value {
        json!({"reason": "FieldManagerConflict", "message": message, "field": field})
    }

    fn told(causes: &[Value]) -> Vec<String> {
        let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "reason": "Conflict", "details": {"causes": causes}, "code": 409});
        let conflicts = conflicts(&status).into_iter();
        let conflicts = conflicts.map(|conflict| {
            let subresource = conflict.subresource.map(|name| format!("/{name}"));
            format!(
                "{}{}: {}",
                conflict.manager,
                subresource.unwrap_or_default(),
                conflict.field
            )
        });
        conflicts.collect()
    }

    #[test]
    fn managers_and_fields_are_read_from_the_causes() {
        let cases = [
            (
                "conflict with \"kubectl\" with subresource \"scale\" using apps/v1",
                ".spec.replicas",
                "kubectl/scale: spec.replicas",
            ),
            (
                "conflict with \"weftctl-0123456789\"",
                ".metadata.labels.app.kubernetes.io/part-of",
                r#"weftctl-0123456789: metadata.labels["app.kubernetes.io/part-of"]"#,
            ),
            (
                "conflict with \"kubectl-set\" using apps/v1 at 2026-11-21T13:42:30Z",
                ".spec.template.spec.containers[name=\"web\"].env[name=\"A\"].value",
                "kubectl-set: spec.template.spec.containers[name=web].env[name=A].value",
            ),
            (
                "conflict with \"helm\" using v1",
                ".spec.ports[port=53,protocol=\"UDP\"].targetPort",
                "helm: spec.ports[port=53,protocol=UDP].targetPort",
            ),
            (
                "conflict with \"a \\\"b\\\" \\\\ \\u00e9\\x07\\n\" using v1",
                ".metadata.finalizers[=\"example.com/hold\"]",
                "a \"b\" \\ é\u{7}\n: metadata.finalizers[\"example.com/hold\"]",
            ),
            (
                "conflict with \"x\"",
                ".spec.template.metadata.annotations.plain",
                "x: spec.template.metadata.annotations.plain",
            ),
            (
                "conflict with \"x\"",
                ".metadata.labels",
                "x: metadata.labels",
            ),
            (
                "conflict with \"x\"",
                ".spec.volumes[name=\"a]\\\"b\"].emptyDir",
                "x: spec.volumes[name=a]\"b].emptyDir",
            ),
            (
                "conflict with \"x\"",
                ".spec.list[3].a",
                "x: spec.list[3].a",
            ),
            ("conflict with \"x\"", ".spec.set[=5]", "x: spec.set[5]"),
            (
                "conflict with \"x\"",
                ".data.application.properties",
                "x: data.application.properties",
            ),
            // Other forms are shown as they are.
            ("conflict with x using v1", "spec", "x using v1: spec"),
            ("other", ".a[b=\"c", "other: a[b=\"c"),
            ("", "", ": "),
            ("conflict with \"open", ".a[", "\"open: a["),
            ("conflict with \"\\u00\"", "é.[]x", "\"\\u00\": é.[]x"),
        ];
        for (message, field, expected) in cases {
            assert_eq!(told(&[cause(message, field)]), [expected]);
        }
    }

    #[test]
    fn only_conflicts_of_managers_are_told_and_in_order() {
        let other = json!({"reason": "FieldValueInvalid", "message": "m", "field": "spec"});
        let causes = vec![
            cause("conflict with \"b\"", ".b"),
            other,
            json!(7),
            cause("conflict with \"a\"", ".a"),
            json!({"reason": "FieldManagerConflict"}),
        ];
        assert_eq!(told(&causes), ["b: b", "a: a", ": "]);
        let others = [
            json!(null),
            json!("conflict"),
            json!({"details": []}),
            json!({"details": {"causes": {}}}),
            json!({"kind": "Status", "code": 409, "reason": "Conflict", "message": "the object has been modified"}),
        ];
        for status in others {
            assert_eq!(conflicts(&status), [], "{status}");
        }
    }
}
