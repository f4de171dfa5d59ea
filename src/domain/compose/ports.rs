//! Ports: short and long forms, ranges, and the two lists that Kubernetes wants of them.

use serde_json::{Map, Value, json};

use super::{Error, MOST_PORTS, Notes, read, words};

/// One port of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Port {
    /// The port that the container listens on.
    pub(super) target: u16,
    /// The port that it is published as.
    pub(super) published: Option<u16>,
    /// `TCP`, `UDP` or `SCTP`.
    pub(super) protocol: &'static str,
    /// The name given to it.
    pub(super) name: Option<String>,
    /// What is spoken on it.
    pub(super) application: Option<String>,
    /// Whether it is published on each node by itself.
    pub(super) on_host: bool,
    /// The place in the compose file.
    pub(super) path: String,
}

/// Reads the `ports` of a service.
pub(super) fn published(path: &str, value: &Value, notes: &mut Notes) -> Result<Vec<Port>, Error> {
    let mut ports = Vec::new();
    for (index, item) in read::list(path, value)?.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let more = match item {
            Value::Object(entries) => long(&path, entries, notes)?,
            other => short(&path, &read::text(&path, other)?, other, notes)?,
        };
        ports.extend(more);
        limit(&path, &ports)?;
    }
    Ok(ports)
}

/// Reads the `expose` of a service.
pub(super) fn exposed(path: &str, value: &Value) -> Result<Vec<Port>, Error> {
    let mut ports = Vec::new();
    for (index, item) in read::list(path, value)?.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let text = read::text(&path, item)?;
        let error = || read::invalid(&path, "a port or a range of ports", item);
        let (range, protocol) = protocol(&text).ok_or_else(error)?;
        let (first, last) = span(range).ok_or_else(error)?;
        ports.extend((first..=last).map(|target| Port::plain(target, protocol, &path)));
        limit(&path, &ports)?;
    }
    Ok(ports)
}

impl Port {
    /// A port that is not published.
    pub(super) fn plain(target: u16, protocol: &'static str, path: &str) -> Self {
        Self {
            target,
            published: None,
            protocol,
            name: None,
            application: None,
            on_host: false,
            path: path.to_owned(),
        }
    }
}

fn limit(path: &str, ports: &[Port]) -> Result<(), Error> {
    if ports.len() > MOST_PORTS {
        return Err(Error::TooManyPorts {
            path: path.to_owned(),
            limit: MOST_PORTS,
        });
    }
    Ok(())
}

/// Splits the protocol off the end.
fn protocol(text: &str) -> Option<(&str, &'static str)> {
    let (rest, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    Some((rest, named_protocol(protocol)?))
}

fn named_protocol(text: &str) -> Option<&'static str> {
    match text.to_ascii_lowercase().as_str() {
        "tcp" | "" => Some("TCP"),
        "udp" => Some("UDP"),
        "sctp" => Some("SCTP"),
        _ => None,
    }
}

/// Reads `80` or `80-90`.
fn span(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let first: u16 = first.trim().parse().ok().filter(|port| *port > 0)?;
    let last: u16 = last.trim().parse().ok()?;
    (first <= last).then_some((first, last))
}

/// Splits `[host:]container`, where the host part may start with an address.
fn sides(text: &str) -> Option<(Option<&str>, Option<&str>, &str)> {
    let Some((before, container)) = text.rsplit_once(':') else {
        return Some((None, None, text));
    };
    if let Some(rest) = before.strip_prefix('[') {
        let (address, host) = rest.split_once(']')?;
        let host = host.strip_prefix(':').unwrap_or(host);
        return Some((Some(address), Some(host), container));
    }
    Some(match before.rsplit_once(':') {
        Some((address, host)) => (Some(address), Some(host), container),
        // `127.0.0.1::80` has an address and any port; `127.0.0.1:80` has the address in the port's place.
        None if before.contains('.') => (Some(before), None, container),
        None => (None, Some(before), container),
    })
}

fn short(path: &str, text: &str, value: &Value, notes: &mut Notes) -> Result<Vec<Port>, Error> {
    let error = || read::invalid(path, "a port such as 8080:80/tcp", value);
    let (text, protocol) = protocol(text.trim()).ok_or_else(error)?;
    let (address, host, container) = sides(text).ok_or_else(error)?;
    let (first, last) = span(container).ok_or_else(error)?;
    note_address(path, address.unwrap_or_default(), notes);
    let host = host.filter(|host| !host.is_empty() && *host != "0");
    let host = match host {
        Some(host) => Some(span(host).ok_or_else(error)?),
        None => None,
    };
    pairs(path, (first, last), host, notes)
        .ok_or_else(error)
        .map(|pairs| {
            pairs
                .map(|(target, published)| Port {
                    published,
                    ..Port::plain(target, protocol, path)
                })
                .take(MOST_PORTS + 1)
                .collect()
        })
}

/// Joins the ports of the container with those of the host.
fn pairs(
    path: &str,
    (first, last): (u16, u16),
    host: Option<(u16, u16)>,
    notes: &mut Notes,
) -> Option<impl Iterator<Item = (u16, Option<u16>)> + use<>> {
    let start = match host {
        None => None,
        Some((from, to)) if to - from == last - first => Some(from),
        Some((from, to)) if first == last => {
            notes.add(
                path,
                format!("any of the ports {from}-{to} became the first of them"),
            );
            Some(from)
        }
        Some(_) => return None,
    };
    Some((first..=last).map(move |target| {
        let published = start.and_then(|start| start.checked_add(target - first));
        (target, published)
    }))
}

fn note_address(path: &str, address: &str, notes: &mut Notes) {
    if !matches!(address, "" | "0.0.0.0" | "::" | "*") {
        notes.add(
            path,
            format!("the address {address} was left out; a Service is not bound to an address of the host"),
        );
    }
}

fn long(path: &str, entries: &Map<String, Value>, notes: &mut Notes) -> Result<Vec<Port>, Error> {
    let mut target = None;
    let mut host = None;
    let mut protocol = "TCP";
    let mut name = None;
    let mut application = None;
    let mut on_host = false;
    for (key, value) in entries {
        let path = format!("{path}.{key}");
        if value.is_null() {
            continue;
        }
        match key.as_str() {
            "target" => {
                let text = read::text(&path, value)?;
                target = Some(span(&text).ok_or_else(|| read::invalid(&path, "a port", value))?);
            }
            "published" => {
                let text = read::text(&path, value)?;
                if !text.is_empty() && text != "0" {
                    host = Some(span(&text).ok_or_else(|| read::invalid(&path, "a port", value))?);
                }
            }
            "protocol" => {
                protocol = named_protocol(&read::text(&path, value)?)
                    .ok_or_else(|| read::invalid(&path, "tcp, udp or sctp", value))?;
            }
            "name" => name = Some(read::text(&path, value)?),
            "app_protocol" => application = Some(read::text(&path, value)?),
            "host_ip" => note_address(&path, &read::text(&path, value)?, notes),
            "mode" => match read::text(&path, value)?.as_str() {
                "host" => on_host = true,
                "ingress" | "" => {}
                _ => return Err(read::invalid(&path, "host or ingress", value)),
            },
            key if key.starts_with("x-") => {}
            _ => notes.add(path, "not known here; left out"),
        }
    }
    let error = || {
        read::invalid(
            path,
            "a port with a target",
            &Value::Object(entries.clone()),
        )
    };
    let target = target.ok_or_else(error)?;
    let pairs = pairs(path, target, host, notes).ok_or_else(error)?;
    let several = target.0 != target.1;
    Ok(pairs
        .take(MOST_PORTS + 1)
        .map(|(target, published)| Port {
            published,
            protocol,
            name: name.clone().filter(|_| !several),
            application: application.clone(),
            on_host,
            ..Port::plain(target, "TCP", path)
        })
        .map(|port| Port { protocol, ..port })
        .collect())
}

/// Builds the `ports` of a container.
pub(super) fn of_container(ports: &[Port]) -> Vec<Value> {
    let mut seen = Vec::new();
    let mut built = Vec::new();
    for port in ports {
        let key = (port.target, port.protocol);
        if seen.contains(&key) {
            continue;
        }
        seen.push(key);
        let mut entry = json!({"containerPort": port.target});
        if port.on_host {
            entry["hostPort"] = json!(port.published.unwrap_or(port.target));
        }
        if port.protocol != "TCP" {
            entry["protocol"] = json!(port.protocol);
        }
        built.push(entry);
    }
    built
}

/// Builds the `ports` of a Service.
///
/// A published port is there under its published number and, as inside a compose network, under the
/// container's own, unless another one has that number.
pub(super) fn of_service(ports: &[Port], notes: &mut Notes) -> Vec<Value> {
    let mut taken: Vec<(u16, &str, u16)> = Vec::new();
    let mut names = Vec::new();
    let mut built = Vec::new();
    let outer = ports
        .iter()
        .map(|port| (port.published.unwrap_or(port.target), port));
    let inner = ports.iter().map(|port| (port.target, port));
    for (number, port) in outer.chain(inner) {
        if let Some((_, _, target)) = taken
            .iter()
            .find(|(other, protocol, _)| *other == number && *protocol == port.protocol)
        {
            if *target != port.target {
                notes.add(
                    &port.path,
                    format!(
                        "port {number} of the Service leads to {target} of the container, not to {}",
                        port.target
                    ),
                );
            }
            continue;
        }
        taken.push((number, port.protocol, port.target));
        let given = port
            .name
            .as_deref()
            .and_then(words::object_name)
            .map(|name| name.chars().take(50).collect::<String>())
            .filter(|name| !names.contains(name));
        let name =
            given.unwrap_or_else(|| format!("{}-{number}", port.protocol.to_ascii_lowercase()));
        names.push(name.clone());
        let mut entry = json!({"name": name, "port": number, "targetPort": port.target});
        if port.protocol != "TCP" {
            entry["protocol"] = json!(port.protocol);
        }
        if let Some(application) = &port.application {
            entry["appProtocol"] = json!(application);
        }
        built.push(entry);
    }
    built
}

#[cfg(test)]
mod tests {
    use super::*;

    type Short = (u16, Option<u16>, &'static str);

    fn short_form(text: &str) -> Result<Vec<Short>, Error> {
        let ports = published("p", &json!([text]), &mut Notes::default())?;
        Ok(ports
            .into_iter()
            .map(|port| (port.target, port.published, port.protocol))
            .collect())
    }

    #[test]
    fn short_forms_are_read() {
        for (text, expected) in [
            ("80", vec![(80, None, "TCP")]),
            ("8080:80", vec![(80, Some(8080), "TCP")]),
            ("127.0.0.1:8080:80/udp", vec![(80, Some(8080), "UDP")]),
            ("127.0.0.1::80", vec![(80, None, "TCP")]),
            ("[::1]:53:5353/UDP", vec![(5353, Some(53), "UDP")]),
            ("80-81", vec![(80, None, "TCP"), (81, None, "TCP")]),
            (
                "90-91:80-81",
                vec![(80, Some(90), "TCP"), (81, Some(91), "TCP")],
            ),
            ("8000-9000:80", vec![(80, Some(8000), "TCP")]),
            ("0:80", vec![(80, None, "TCP")]),
        ] {
            assert_eq!(short_form(text).as_deref(), Ok(&expected[..]), "{text}");
        }
        for text in [
            "", "x", "0", "70000", "80/icmp", "81-80", "1-2:3-5", "a:80", "80:", "[::1:80", "-",
            "65536:1",
        ] {
            assert!(short_form(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_range_is_bounded() {
        assert!(short_form("1-1000").is_ok());
        assert_eq!(
            short_form("1-65535").map_err(|error| error.to_string()),
            Err("p[0]: more than 1000 ports".to_owned())
        );
        let long = json!([{"target": "1-65535"}]);
        assert!(published("p", &long, &mut Notes::default()).is_err());
        assert!(exposed("p", &json!(["1-600", "601-1200"])).is_err());
        assert!(short_form("65000-65535:65000-65535").is_ok());
    }

    #[test]
    fn a_service_has_the_published_and_the_inner_port() {
        let mut notes = Notes::default();
        let ports =
            published("p", &json!(["8080:80", "80:8080", 9000]), &mut notes).expect("valid ports");
        let numbers: Vec<_> = of_service(&ports, &mut notes)
            .iter()
            .map(|port| (port["port"].clone(), port["targetPort"].clone()))
            .collect();
        assert_eq!(
            json!(numbers),
            json!([[8080, 80], [80, 8080], [9000, 9000]])
        );
        assert_eq!(notes.list.len(), 2, "{:?}", notes.list);
    }

    #[test]
    fn the_long_form_keeps_its_names() {
        let mut notes = Notes::default();
        let value = json!([{"target": 80, "published": "8080", "protocol": "tcp", "mode": "host",
            "name": "web_ui", "app_protocol": "http", "host_ip": "10.0.0.1", "other": 1}]);
        let ports = published("p", &value, &mut notes).expect("valid ports");
        assert_eq!(
            json!(of_service(&ports, &mut notes)),
            json!([
                {"name": "web-ui", "port": 8080, "targetPort": 80, "appProtocol": "http"},
                {"name": "tcp-80", "port": 80, "targetPort": 80, "appProtocol": "http"},
            ])
        );
        assert_eq!(
            json!(of_container(&ports)),
            json!([{"containerPort": 80, "hostPort": 8080}])
        );
        let paths: Vec<_> = notes.list.iter().map(|note| note.path.as_str()).collect();
        assert_eq!(paths, ["p[0].host_ip", "p[0].other"]);
        assert!(published("p", &json!([{"published": 1}]), &mut notes).is_err());
    }
}
