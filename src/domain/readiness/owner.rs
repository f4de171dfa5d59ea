//! What belongs to an object: by owner reference, and by the labels that it selects.

use serde_json::{Map, Value};

use crate::resource::dig;

/// Tells whether an object names another as one of its owners.
pub fn owns(owner: &Value, object: &Value) -> bool {
    let uid = dig(owner, &["metadata", "uid"]).and_then(Value::as_str);
    let references = dig(object, &["metadata", "ownerReferences"]).and_then(Value::as_array);
    let (Some(uid), Some(references)) = (uid, references) else {
        return false;
    };
    let mut owners = references
        .iter()
        .filter_map(|reference| reference.get("uid"));
    !uid.is_empty() && owners.any(|owner| owner.as_str() == Some(uid))
}

/// Returns the pods that a workload selects as the text of a `labelSelector` query.
///
/// Nothing is returned for kinds without a selector, for one that would select everything, and for
/// one that cannot be written as a query: better no pods than those of others.
pub fn pod_selector(object: &Value) -> Option<String> {
    let selector = dig(object, &["spec", "selector"])?.as_object()?;
    let is_plain = object.get("apiVersion")? == "v1"
        && matches!(
            object.get("kind")?.as_str()?,
            "ReplicationController" | "Service"
        );
    let mut query = Vec::new();
    if is_plain {
        equalities(selector, &mut query)?;
    } else {
        match selector.get("matchLabels") {
            Some(Value::Object(labels)) => equalities(labels, &mut query)?,
            Some(Value::Null) | None => {}
            Some(_) => return None,
        }
        match selector.get("matchExpressions") {
            Some(Value::Array(expressions)) => {
                for expression in expressions {
                    query.push(requirement(expression)?);
                }
            }
            Some(Value::Null) | None => {}
            Some(_) => return None,
        }
    }
    (!query.is_empty()).then(|| query.join(","))
}

fn equalities(labels: &Map<String, Value>, query: &mut Vec<String>) -> Option<()> {
    for (key, value) in labels {
        let (key, value) = (word(key).filter(|key| !key.is_empty())?, label(value)?);
        query.push(format!("{key}={value}"));
    }
    Some(())
}

fn requirement(expression: &Value) -> Option<String> {
    let key = label(expression.get("key")?).filter(|key| !key.is_empty())?;
    let values = match expression.get("values") {
        Some(Value::Array(values)) => values.iter().map(label).collect::<Option<Vec<_>>>()?,
        Some(Value::Null) | None => Vec::new(),
        Some(_) => return None,
    };
    let list = values.join(",");
    match (expression.get("operator")?.as_str()?, values.is_empty()) {
        ("In", false) => Some(format!("{key} in ({list})")),
        ("NotIn", false) => Some(format!("{key} notin ({list})")),
        ("Exists", true) => Some(key.to_owned()),
        ("DoesNotExist", true) => Some(format!("!{key}")),
        _ => None,
    }
}

fn label(value: &Value) -> Option<&str> {
    word(value.as_str()?)
}

/// Returns a text when it has only what keys and values of labels are made of, so that it cannot
/// mean anything else in a query.
fn word(text: &str) -> Option<&str> {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/');
    text.bytes().all(is_plain).then_some(text)
}
