//! A service that was read as objects: its workload, its Service, its `ConfigMap` of bound files.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::service::{Mode, Restart, Service};
use super::{Error, LARGEST_FILE, Notes, ports};

/// The annotation that carries `depends_on`.
const DEPENDS_ON: &str = "weftctl.dev/depends-on";

/// The fields of a container, in the order in which people write them.
const CONTAINER: [&str; 14] = [
    "name",
    "image",
    "imagePullPolicy",
    "command",
    "args",
    "workingDir",
    "ports",
    "env",
    "resources",
    "volumeMounts",
    "readinessProbe",
    "livenessProbe",
    "securityContext",
    "stdin",
];

/// Decides the kinds of the workloads, then what each of them waits for.
pub(super) fn settle(services: &mut [Service], notes: &mut Notes) -> Result<(), Error> {
    for service in services.iter_mut() {
        let ends = matches!(service.restart, Restart::Never | Restart::OnFailure(_));
        service.kind = match service.mode {
            Mode::Global => "DaemonSet",
            Mode::Job => "Job",
            Mode::Replicated if ends && service.ports.is_empty() => "Job",
            Mode::Replicated => "Deployment",
        };
        if ends && service.kind != "Job" {
            notes.add(
                format!("{}.restart", service.path),
                format!("a {} starts its pods again always", service.kind),
            );
        }
    }
    let known: BTreeMap<String, (String, &'static str, bool)> = services
        .iter()
        .map(|service| {
            let about = (service.name.clone(), service.kind, service.probes.is_some());
            (service.key.clone(), about)
        })
        .collect();
    for service in services.iter_mut() {
        for need in &service.needs {
            let Some((name, kind, healthy)) = known.get(&need.service) else {
                if need.optional || notes.skipped(&need.service) {
                    notes.add(
                        &need.path,
                        format!("{} is not there; left out", need.service),
                    );
                    continue;
                }
                return Err(Error::Undeclared {
                    path: need.path.clone(),
                    kind: "service",
                    name: need.service.clone(),
                });
            };
            match need.condition.as_str() {
                "service_started" => {}
                "service_healthy" => {
                    if !healthy {
                        notes.add(
                            &need.path,
                            format!(
                                "{} has no health check here; it counts as healthy when it runs",
                                need.service
                            ),
                        );
                    }
                }
                "service_completed_successfully" => {
                    if *kind != "Job" {
                        notes.add(
                            &need.path,
                            format!("{} is a {kind}, which never completes; it is waited for until it runs (restart: \"no\" makes it a Job)", need.service),
                        );
                    }
                }
                other => notes.add(
                    &need.path,
                    format!("the condition {other} is not known here; left out"),
                ),
            }
            service.waits_for.push(format!("{kind}/{name}"));
        }
    }
    Ok(())
}

impl Notes {
    /// Says whether a service was skipped on purpose.
    fn skipped(&self, service: &str) -> bool {
        let path = format!("services.{service}");
        self.list
            .iter()
            .any(|note| note.path == path && note.message.starts_with("skipped"))
    }
}

fn labels(service: &Service, part_of: &str, more: &[&Map<String, Value>]) -> Value {
    let mut labels = Map::new();
    labels.insert("app.kubernetes.io/name".into(), json!(service.name));
    labels.insert("app.kubernetes.io/part-of".into(), json!(part_of));
    for more in more {
        labels.extend((*more).clone());
    }
    Value::Object(labels)
}

/// Builds the `ConfigMap` of the files that the service binds.
pub(super) fn files(service: &Service, part_of: &str) -> Result<Option<Value>, Error> {
    let files = &service.mounts.files;
    if files.is_empty() {
        return Ok(None);
    }
    let size = files
        .values()
        .filter_map(Value::as_str)
        .fold(0_usize, |sum, text| sum.saturating_add(text.len()));
    if size > LARGEST_FILE {
        return Err(Error::TooLarge {
            path: format!("{}.volumes", service.path),
            file: "all bound files together".to_owned(),
            limit: LARGEST_FILE,
        });
    }
    Ok(Some(json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": format!("{}-files", service.name),
            "labels": labels(service, part_of, &[]),
        },
        "data": files,
    })))
}

/// Builds the Service; `None` where no port is known.
pub(super) fn service(
    service: &Service,
    all: &[Service],
    part_of: &str,
    notes: &mut Notes,
) -> Option<Value> {
    if service.ports.is_empty() {
        let needed = all
            .iter()
            .any(|other| other.needs.iter().any(|need| need.service == service.key));
        if needed && service.kind != "Job" {
            notes.add(
                &service.path,
                "others need it, but no port of it is known, so it has no Service (expose names its ports)",
            );
        }
        return None;
    }
    Some(json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": service.name,
            "labels": labels(service, part_of, &[]),
        },
        "spec": {
            "selector": {"app.kubernetes.io/name": service.name},
            "ports": ports::of_service(&service.ports, notes),
        },
    }))
}

/// Builds the Deployment, the `DaemonSet` or the Job.
pub(super) fn workload(service: &Service, part_of: &str, notes: &mut Notes) -> Value {
    let own = [&service.labels, &service.workload_labels];
    let mut metadata = json!({"name": service.name, "labels": labels(service, part_of, &own)});
    let mut annotations = service.annotations.clone();
    annotations.extend(service.workload_annotations.clone());
    if !service.waits_for.is_empty() {
        annotations.insert(DEPENDS_ON.into(), json!(service.waits_for.join(",")));
    }
    if !annotations.is_empty() {
        metadata["annotations"] = Value::Object(annotations);
    }
    let mut pod_metadata = json!({"labels": labels(service, part_of, &own[..1])});
    if !service.annotations.is_empty() {
        pod_metadata["annotations"] = Value::Object(service.annotations.clone());
    }
    let mut spec = Map::new();
    let selector = json!({"matchLabels": {"app.kubernetes.io/name": service.name}});
    match service.kind {
        "Job" => job(service, &mut spec, notes),
        "DaemonSet" => {
            if service.replicas.is_some() {
                notes.add(
                    format!("{}.deploy.replicas", service.path),
                    "left out; there is one pod on each node",
                );
            }
            spec.insert("selector".into(), selector);
        }
        _ => {
            if let Some(replicas) = service.replicas {
                spec.insert("replicas".into(), json!(replicas));
            }
            spec.insert("selector".into(), selector);
            if !service.mounts.claims.is_empty() {
                // A claim that one node holds cannot be taken over while the old pod runs.
                spec.insert("strategy".into(), json!({"type": "Recreate"}));
            }
        }
    }
    spec.insert(
        "template".into(),
        json!({"metadata": pod_metadata, "spec": pod(service)}),
    );
    json!({
        "apiVersion": if service.kind == "Job" { "batch/v1" } else { "apps/v1" },
        "kind": service.kind,
        "metadata": metadata,
        "spec": spec,
    })
}

fn job(service: &Service, spec: &mut Map<String, Value>, notes: &mut Notes) {
    if let Some(replicas) = service.replicas {
        spec.insert("parallelism".into(), json!(replicas));
        spec.insert("completions".into(), json!(replicas));
    }
    match service.restart {
        Restart::OnFailure(Some(times)) => {
            spec.insert("backoffLimit".into(), json!(times));
        }
        Restart::OnFailure(None) => notes.add(
            format!("{}.restart", service.path),
            "is tried again 6 times, not without end (on-failure:N sets another number)",
        ),
        Restart::Never | Restart::Unsaid | Restart::Always => {
            spec.insert("backoffLimit".into(), json!(0));
        }
    }
}

fn pod(service: &Service) -> Value {
    let mut pod = Map::new();
    if service.kind == "Job" {
        let policy = match service.restart {
            Restart::OnFailure(_) => "OnFailure",
            Restart::Never | Restart::Unsaid | Restart::Always => "Never",
        };
        pod.insert("restartPolicy".into(), json!(policy));
    }
    // As under compose: no variables that name every Service, no way into the cluster's API.
    pod.insert("enableServiceLinks".into(), json!(false));
    pod.insert("automountServiceAccountToken".into(), json!(false));
    pod.extend(service.pod.clone());
    let mut security = service.pod_security.clone();
    if !service.mounts.claims.is_empty()
        && let Some(group) = service.security.get("runAsGroup")
    {
        // A claim belongs to root; the group of the container's user must be able to write.
        security.insert("fsGroup".into(), group.clone());
    }
    if !security.is_empty() {
        pod.insert("securityContext".into(), Value::Object(security));
    }
    pod.insert("containers".into(), json!([container(service)]));
    if !service.mounts.volumes.is_empty() {
        pod.insert("volumes".into(), json!(service.mounts.volumes));
    }
    Value::Object(pod)
}

fn container(service: &Service) -> Value {
    let mut fields = service.container.clone();
    fields.insert("name".into(), json!(service.name));
    let ports = ports::of_container(&service.ports);
    if !ports.is_empty() {
        fields.insert("ports".into(), json!(ports));
    }
    let mut resources = Map::new();
    for (kind, amounts) in [("limits", &service.limits), ("requests", &service.requests)] {
        if !amounts.is_empty() {
            resources.insert(kind.into(), Value::Object(amounts.clone()));
        }
    }
    if !resources.is_empty() {
        fields.insert("resources".into(), Value::Object(resources));
    }
    if !service.mounts.places.is_empty() {
        fields.insert("volumeMounts".into(), json!(service.mounts.places));
    }
    if let Some(probes) = &service.probes {
        fields.insert("readinessProbe".into(), probes.readiness.clone());
        fields.insert("livenessProbe".into(), probes.liveness.clone());
    }
    if !service.security.is_empty() {
        fields.insert(
            "securityContext".into(),
            Value::Object(service.security.clone()),
        );
    }
    let mut ordered = Map::new();
    for key in CONTAINER {
        if let Some(value) = fields.shift_remove(key) {
            ordered.insert(key.to_owned(), value);
        }
    }
    ordered.extend(fields);
    Value::Object(ordered)
}
