//! `healthcheck` as probes.
//! What is not said takes Docker's defaults, which differ from those of Kubernetes.

use serde_json::{Value, json};

use super::{Error, Notes, read, units, words};

/// The probes of a container.
#[derive(Debug, PartialEq)]
pub(super) struct Probes {
    /// Decides whether the container gets traffic.
    pub(super) readiness: Value,
    /// Decides whether the container is restarted.
    pub(super) liveness: Value,
}

/// Reads a health check; `None` means that there is none.
pub(super) fn probes(
    path: &str,
    value: &Value,
    notes: &mut Notes,
) -> Result<Option<Probes>, Error> {
    let entries = read::mapping(path, value)?;
    let mut test = None;
    let mut disabled = false;
    let (mut interval, mut timeout, mut retries, mut start) = (30, 30, 3, 0);
    for (key, value) in entries {
        if value.is_null() {
            continue;
        }
        let path = format!("{path}.{key}");
        match key.as_str() {
            "test" => test = Some(command(&path, value)?),
            "disable" => disabled = read::flag(&path, value)?,
            "interval" => interval = duration(&path, value)?,
            "timeout" => timeout = duration(&path, value)?,
            "start_period" => start = duration(&path, value)?,
            "retries" => retries = read::count(&path, value)?,
            "start_interval" => notes.add(path, "a probe has one interval only; left out"),
            key if key.starts_with("x-") => {}
            _ => notes.add(path, "not known here; left out"),
        }
    }
    if disabled {
        return Ok(None);
    }
    let command = match test {
        Some(Some(command)) => command,
        Some(None) => return Ok(None),
        None => {
            notes.add(
                path,
                "has no test; the image's own check is not known, so there is no probe",
            );
            return Ok(None);
        }
    };
    let or = |seconds: u32, default: u32| if seconds == 0 { default } else { seconds };
    let readiness = json!({
        "exec": {"command": command},
        "periodSeconds": or(interval, 30),
        "timeoutSeconds": or(timeout, 30),
        "failureThreshold": or(retries, 3),
    });
    let mut liveness = readiness.clone();
    if start > 0 {
        liveness["initialDelaySeconds"] = json!(start);
    }
    Ok(Some(Probes {
        readiness,
        liveness,
    }))
}

fn duration(path: &str, value: &Value) -> Result<u32, Error> {
    read::scalar(value)
        .and_then(|text| units::seconds(&text))
        .ok_or_else(|| read::invalid(path, "a duration such as 1m30s", value))
}

/// Reads the test; `None` is the test that switches the check off.
fn command(path: &str, value: &Value) -> Result<Option<Vec<String>>, Error> {
    let shell = |text: &str| {
        Some(vec![
            "/bin/sh".to_owned(),
            "-c".to_owned(),
            words::escape_dollars(text),
        ])
    };
    let Value::Array(_) = value else {
        return Ok(shell(&read::text(path, value)?));
    };
    let items = read::texts(path, value)?;
    let error = || {
        read::invalid(
            path,
            "a list that starts with CMD, CMD-SHELL or NONE",
            value,
        )
    };
    let (kind, rest) = items.split_first().ok_or_else(error)?;
    match (kind.as_str(), rest) {
        ("NONE", _) => Ok(None),
        ("CMD", rest) if !rest.is_empty() => Ok(Some(
            rest.iter()
                .map(|word| words::escape_dollars(word))
                .collect(),
        )),
        ("CMD-SHELL", [line]) => Ok(shell(line)),
        _ => Err(error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_becomes_two_probes() {
        let mut notes = Notes::default();
        let value = json!({"test": ["CMD-SHELL", "curl -f http://x || exit $$?"], "interval": "1m30s",
            "timeout": "500ms", "retries": "5", "start_period": "1.5s", "start_interval": "1s"});
        let probes = probes("p", &value, &mut notes)
            .expect("a valid check")
            .expect("a probe");
        assert_eq!(
            probes.liveness,
            json!({
                "exec": {"command": ["/bin/sh", "-c", "curl -f http://x || exit $$$?"]},
                "periodSeconds": 90, "timeoutSeconds": 1, "failureThreshold": 5, "initialDelaySeconds": 2,
            })
        );
        assert_eq!(probes.readiness.get("initialDelaySeconds"), None);
        assert_eq!(notes.list.len(), 1);
    }

    #[test]
    fn forms_of_the_test() {
        for (value, expected) in [
            (
                json!({"test": "true"}),
                Some(json!(["/bin/sh", "-c", "true"])),
            ),
            (
                json!({"test": ["CMD", "pg_isready", "-U", "x"]}),
                Some(json!(["pg_isready", "-U", "x"])),
            ),
            (json!({"test": ["NONE"]}), None),
            (json!({"test": ["CMD", "a"], "disable": true}), None),
            (json!({"interval": "5s"}), None),
        ] {
            let probes = probes("p", &value, &mut Notes::default()).expect("a valid check");
            let command = probes.map(|probes| probes.readiness["exec"]["command"].clone());
            assert_eq!(command, expected, "{value}");
        }
        for value in [
            json!({"test": []}),
            json!({"test": ["CMD"]}),
            json!({"test": ["pg_isready"]}),
            json!({"test": ["CMD", "a"], "interval": "10"}),
            json!({"test": ["CMD", "a"], "retries": -1}),
            json!("x"),
        ] {
            assert!(
                probes("p", &value, &mut Notes::default()).is_err(),
                "{value}"
            );
        }
    }
}
