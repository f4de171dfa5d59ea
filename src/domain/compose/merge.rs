//! `extends`: a service on top of another one of the same file.
//! Mappings merge key by key, pair lists by their key, mounts and devices by their place in the container,
//! other lists add up, and everything else is replaced.

use serde_json::{Map, Value};

use super::{Error, read};

/// Keys that are pairs, written either as a mapping or as a list.
const PAIRS: [&str; 5] = ["environment", "labels", "annotations", "sysctls", "args"];

/// Keys whose whole value is replaced.
const REPLACED: [&str; 3] = ["command", "entrypoint", "test"];

/// The longest chain of bases.
const LONGEST: usize = 64;

/// Returns the service with everything that it inherits.
pub(super) fn resolve(
    name: &str,
    services: &Map<String, Value>,
    through: &mut Vec<String>,
) -> Result<Map<String, Value>, Error> {
    let path = format!("services.{name}");
    let service = match services.get(name) {
        Some(Value::Null) | None => Map::new(),
        Some(value) => read::mapping(&path, value)?.clone(),
    };
    if through.iter().any(|seen| seen == name) {
        return Err(Error::ExtendsCycle {
            service: name.to_owned(),
            through: std::mem::take(through),
        });
    }
    let path = format!("{path}.extends");
    if through.len() > LONGEST {
        return Err(Error::Unsupported {
            path,
            what: "a chain of more than 64 bases",
        });
    }
    let base = match service.get("extends") {
        None | Some(Value::Null) => return Ok(service),
        Some(Value::Object(extends)) => {
            if extends.get("file").is_some_and(|file| !file.is_null()) {
                return Err(Error::Unsupported {
                    path,
                    what: "a base in another file",
                });
            }
            match extends.get("service") {
                Some(base) => read::text(&path, base)?,
                None => {
                    return Err(read::invalid(
                        &path,
                        "a service",
                        &Value::Object(extends.clone()),
                    ));
                }
            }
        }
        Some(other) => read::text(&path, other)?,
    };
    if !services.contains_key(&base) {
        return Err(Error::Undeclared {
            path,
            kind: "service",
            name: base,
        });
    }
    through.push(name.to_owned());
    let mut merged = resolve(&base, services, through)?;
    through.pop();
    // A profile says when its own service runs; one that extends it decides for itself.
    merged.remove("profiles");
    over(&mut merged, &service);
    merged.remove("extends");
    Ok(merged)
}

/// Lays one mapping over another.
fn over(base: &mut Map<String, Value>, top: &Map<String, Value>) {
    for (key, value) in top {
        let Some(below) = base.get_mut(key) else {
            base.insert(key.clone(), value.clone());
            continue;
        };
        if key == "depends_on" || key == "networks" {
            keyed(below, |item| item.as_str().map(str::to_owned));
            let mut value = value.clone();
            keyed(&mut value, |item| item.as_str().map(str::to_owned));
            merge(key, below, &value);
        } else if PAIRS.contains(&key.as_str()) {
            let (Some(mut pairs), Some(more)) = (pairs(below), pairs(value)) else {
                *below = value.clone();
                continue;
            };
            pairs.extend(more);
            *below = Value::Object(pairs);
        } else {
            merge(key, below, value);
        }
    }
}

fn merge(key: &str, below: &mut Value, value: &Value) {
    match (below, value) {
        (below, value) if REPLACED.contains(&key) => *below = value.clone(),
        (Value::Object(below), Value::Object(value)) => over(below, value),
        (Value::Array(below), Value::Array(value)) => {
            for item in value {
                let same = |other: &Value| match key {
                    "volumes" | "devices" => place(other).is_some() && place(other) == place(item),
                    _ => other == item,
                };
                match below.iter_mut().find(|other| same(other)) {
                    Some(other) => *other = item.clone(),
                    None => below.push(item.clone()),
                }
            }
        }
        (below, value) => *below = value.clone(),
    }
}

/// Turns a list into a mapping by the key of each item.
fn keyed(value: &mut Value, key: impl Fn(&Value) -> Option<String>) {
    if let Value::Array(items) = value
        && let Some(keys) = items.iter().map(key).collect::<Option<Vec<_>>>()
    {
        *value = Value::Object(keys.into_iter().map(|key| (key, Value::Null)).collect());
    }
}

fn pairs(value: &Value) -> Option<Map<String, Value>> {
    match value {
        Value::Null => Some(Map::new()),
        value => Some(read::pairs("", value).ok()?.into_iter().collect()),
    }
}

/// Returns where in the container a volume or a device is.
fn place(item: &Value) -> Option<&str> {
    match item {
        Value::Object(entries) => entries.get("target")?.as_str(),
        Value::String(text) => {
            let mut parts = text.split(':');
            let first = parts.next()?;
            Some(parts.next().unwrap_or(first))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn resolved(name: &str, services: &Value) -> Result<Value, Error> {
        let services = services.as_object().expect("a mapping");
        resolve(name, services, &mut Vec::new()).map(Value::Object)
    }

    #[test]
    fn a_service_extends_another() {
        let services = json!({
            "base": {"image": "a", "command": ["x"], "environment": ["A=1", "B=2"], "ports": ["80:80"],
                "volumes": ["d:/data", "e:/etc"], "depends_on": ["db"], "profiles": ["off"],
                "healthcheck": {"test": ["CMD", "a"], "interval": "5s"}},
            "middle": {"extends": "base", "environment": {"B": "3"}},
            "top": {"extends": {"service": "middle"}, "image": "b", "command": ["y"],
                "environment": {"C": null}, "ports": ["80:80", "81:81"], "volumes": ["f:/data"],
                "depends_on": {"cache": {"condition": "service_healthy"}},
                "healthcheck": {"test": ["CMD", "b"]}},
        });
        assert_eq!(
            resolved("top", &services),
            Ok(json!({
                "image": "b", "command": ["y"], "environment": {"A": "1", "B": "3", "C": null},
                "ports": ["80:80", "81:81"], "volumes": ["f:/data", "e:/etc"],
                "depends_on": {"db": null, "cache": {"condition": "service_healthy"}},
                "healthcheck": {"test": ["CMD", "b"], "interval": "5s"},
            }))
        );
    }

    #[test]
    fn a_base_must_be_in_the_file_and_no_circle() {
        let services = json!({
            "a": {"extends": "b"}, "b": {"extends": "a"}, "c": {"extends": "none"},
            "d": {"extends": {"file": "x.yml", "service": "y"}}, "e": {"extends": {}}, "f": {"extends": []},
        });
        for (name, message) in [
            ("a", "services.a.extends: goes in a circle through a, b"),
            ("c", "services.c.extends: service 'none' is not declared"),
            (
                "d",
                "services.d.extends: a base in another file is not supported",
            ),
            (
                "e",
                "services.e.extends: expected a service, found a mapping",
            ),
            ("f", "services.f.extends: expected a text, found a list"),
        ] {
            let error = resolved(name, &services).expect_err(name);
            assert_eq!(error.to_string(), message);
        }
    }
}
