//! Parts the fields of an entry: those that an object names, and the rest.

use serde_json::{Map, Value};

use super::DEPTH;
use super::fields::{Element, may_have_keys};

/// Parts `fieldsV1` into what an object names and what it doesn't. A mapping or list itself (`.`) goes with
/// whatever part of it there is.
pub fn split(fields: &Value, object: &Value) -> (Value, Value) {
    let none = Map::new();
    let fields = fields.as_object().unwrap_or(&none);
    let (named, rest) = parts(fields, object, 0);
    (named.into(), rest.into())
}

fn parts(
    fields: &Map<String, Value>,
    object: &Value,
    depth: usize,
) -> (Map<String, Value>, Map<String, Value>) {
    let (mut named, mut rest) = (Map::new(), Map::new());
    for (key, below) in fields.iter().filter(|(key, _)| *key != ".") {
        let found = match Element::parse(key) {
            Some(Element::Field(name)) => object.get(name),
            Some(Element::Key(keys)) => item(object, |item| may_have_keys(item, &keys)),
            Some(Element::Value(value)) => item(object, |item| *item == value),
            Some(Element::Index(_)) | None => None,
        };
        let below_fields = below.as_object().filter(|below| !below.is_empty());
        match (found, below_fields) {
            (None, _) => _ = rest.insert(key.clone(), below.clone()),
            (Some(found), Some(below)) if depth < DEPTH && !found.is_null() => {
                let (inner, outer) = parts(below, found, depth + 1);
                if !inner.is_empty() {
                    named.insert(key.clone(), inner.into());
                }
                if !outer.is_empty() {
                    rest.insert(key.clone(), outer.into());
                }
            }
            (Some(_), _) => _ = named.insert(key.clone(), below.clone()),
        }
    }
    if let Some(own) = fields.get(".") {
        if !named.is_empty() || rest.is_empty() {
            named.insert(".".to_owned(), own.clone());
        }
        if !rest.is_empty() {
            rest.insert(".".to_owned(), own.clone());
        }
    }
    (named, rest)
}

fn item(list: &Value, fits: impl Fn(&Value) -> bool) -> Option<&Value> {
    list.as_array()?.iter().find(|item| fits(item))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_an_object_names_is_parted_from_the_rest() {
        let fields = json!({
            "f:metadata": {"f:labels": {".": {}, "f:app": {}, "f:team": {}}, "f:annotations": {".": {}, "f:a": {}}},
            "f:data": {".": {}, "f:key": {}, "f:more": {}},
            "f:spec": {
                "f:replicas": {},
                "f:containers": {
                    "k:{\"name\":\"web\"}": {".": {}, "f:name": {}, "f:image": {}, "f:tty": {}},
                    "k:{\"name\":\"log\"}": {".": {}, "f:name": {}},
                },
                "f:finalizers": {"v:\"a\"": {}, "v:\"b\"": {}},
            },
        });
        let object = json!({
            "metadata": {"labels": {"app": "x"}},
            "data": {"key": "one"},
            "spec": {"containers": [{"name": "web", "image": "w"}], "finalizers": ["b"]},
        });
        let (named, rest) = split(&fields, &object);
        assert_eq!(
            named,
            json!({
                "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
                "f:data": {".": {}, "f:key": {}},
                "f:spec": {
                    "f:containers": {"k:{\"name\":\"web\"}": {".": {}, "f:name": {}, "f:image": {}}},
                    "f:finalizers": {"v:\"b\"": {}},
                },
            })
        );
        assert_eq!(
            rest,
            json!({
                "f:metadata": {"f:labels": {".": {}, "f:team": {}}, "f:annotations": {".": {}, "f:a": {}}},
                "f:data": {".": {}, "f:more": {}},
                "f:spec": {
                    "f:replicas": {},
                    "f:containers": {
                        "k:{\"name\":\"web\"}": {".": {}, "f:tty": {}},
                        "k:{\"name\":\"log\"}": {".": {}, "f:name": {}},
                    },
                    "f:finalizers": {"v:\"a\"": {}},
                },
            })
        );
    }
}
