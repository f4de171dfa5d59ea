//! Fields that an API server refuses to change: only a new object can have another value there.
//!
//! The table is that of the validation of updates in `k8s.io/kubernetes` (`pkg/apis/*/validation`) and of
//! the API reference. What isn't in it is left to the server to refuse.

use serde_json::Value;

use crate::ownership::{FieldDrift, Quantity};
use crate::resource::dig;

/// What cannot be changed of a kind.
struct Rule {
    group: &'static str,
    kind: &'static str,
    /// The fields, with all below them.
    fixed: &'static [&'static str],
    /// What is free below them; `[*]` stands for any item.
    free: &'static [&'static str],
    /// What is free while it has no value.
    settable: &'static [&'static str],
}

const fn rule(group: &'static str, kind: &'static str, fixed: &'static [&'static str]) -> Rule {
    Rule {
        group,
        kind,
        fixed,
        free: &[],
        settable: &[],
    }
}

const RULES: &[Rule] = &[
    Rule {
        settable: &["spec.managedBy"],
        ..rule(
            "batch",
            "Job",
            &[
                "spec.selector",
                "spec.template",
                "spec.completions",
                "spec.completionMode",
                "spec.podFailurePolicy",
                "spec.successPolicy",
                "spec.backoffLimitPerIndex",
                "spec.managedBy",
            ],
        )
    },
    rule("apps", "Deployment", &["spec.selector"]),
    rule("apps", "DaemonSet", &["spec.selector"]),
    rule("apps", "ReplicaSet", &["spec.selector"]),
    Rule {
        free: &[
            "spec.replicas",
            "spec.template",
            "spec.updateStrategy",
            "spec.minReadySeconds",
            "spec.persistentVolumeClaimRetentionPolicy",
            "spec.ordinals",
            "spec.revisionHistoryLimit",
        ],
        ..rule("apps", "StatefulSet", &["spec"])
    },
    Rule {
        free: &[
            "spec.containers[*].image",
            "spec.initContainers[*].image",
            "spec.activeDeadlineSeconds",
            "spec.tolerations",
            "spec.terminationGracePeriodSeconds",
            "spec.schedulingGates",
        ],
        ..rule("", "Pod", &["spec"])
    },
    Rule {
        free: &[
            "spec.resources.requests.storage",
            "spec.volumeAttributesClassName",
        ],
        settable: &["spec.volumeName", "spec.storageClassName"],
        ..rule("", "PersistentVolumeClaim", &["spec"])
    },
    Rule {
        free: &[
            "spec.capacity",
            "spec.accessModes",
            "spec.claimRef",
            "spec.persistentVolumeReclaimPolicy",
            "spec.storageClassName",
            "spec.mountOptions",
            "spec.volumeAttributesClassName",
        ],
        settable: &["spec.nodeAffinity"],
        ..rule("", "PersistentVolume", &["spec"])
    },
    Rule {
        settable: &[
            "spec.clusterIP",
            "spec.clusterIPs",
            "spec.loadBalancerClass",
        ],
        ..rule(
            "",
            "Service",
            &[
                "spec.clusterIP",
                "spec.clusterIPs",
                "spec.loadBalancerClass",
            ],
        )
    },
    rule("", "Secret", &["type"]),
    rule("rbac.authorization.k8s.io", "RoleBinding", &["roleRef"]),
    rule(
        "rbac.authorization.k8s.io",
        "ClusterRoleBinding",
        &["roleRef"],
    ),
    rule(
        "storage.k8s.io",
        "StorageClass",
        &[
            "parameters",
            "provisioner",
            "reclaimPolicy",
            "volumeBindingMode",
        ],
    ),
    rule(
        "storage.k8s.io",
        "VolumeAttributesClass",
        &["driverName", "parameters"],
    ),
    rule(
        "storage.k8s.io",
        "CSIDriver",
        &["spec.attachRequired", "spec.volumeLifecycleModes"],
    ),
    rule(
        "scheduling.k8s.io",
        "PriorityClass",
        &["value", "preemptionPolicy"],
    ),
    rule("node.k8s.io", "RuntimeClass", &["handler"]),
    rule("networking.k8s.io", "IngressClass", &["spec.controller"]),
    rule(
        "certificates.k8s.io",
        "CertificateSigningRequest",
        &["spec"],
    ),
    rule("resource.k8s.io", "ResourceClaim", &["spec"]),
    rule("resource.k8s.io", "ResourceClaimTemplate", &["spec"]),
    rule(
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        &[
            "spec.group",
            "spec.scope",
            "spec.names.kind",
            "spec.names.plural",
        ],
    ),
];

/// What drifts say of immutable fields.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Immutable {
    /// The fields that would have to change.
    pub(super) changed: Vec<String>,
    /// The fields that we no longer want. They get their defaults, which may be what they have: only
    /// the server can tell.
    pub(super) dropped: Vec<String>,
}

/// Finds the immutable fields among drifts.
pub(super) fn of(
    group: &str,
    kind: &str,
    desired: &Value,
    live: &Value,
    drifts: &[FieldDrift],
) -> Immutable {
    let mut found = Immutable::default();
    for drift in drifts.iter().filter(|drift| drift.wanted != drift.live) {
        let Some(name) = field(group, kind, desired, live, &drift.path) else {
            continue;
        };
        let list = if drift.wanted.is_some() {
            &mut found.changed
        } else {
            &mut found.dropped
        };
        if !list.contains(&name) {
            list.push(name);
        }
    }
    found.dropped.retain(|name| !found.changed.contains(name));
    found
}

/// Tells whether objects of a kind have immutable fields.
pub(super) fn has_any(group: &str, kind: &str) -> bool {
    let mut rules = RULES.iter();
    rules.any(|rule| rule.group == group && rule.kind == kind)
}

/// Returns the immutable field that a path leads to or into.
pub(super) fn field(
    group: &str,
    kind: &str,
    desired: &Value,
    live: &Value,
    path: &str,
) -> Option<String> {
    if group.is_empty()
        && matches!(kind, "ConfigMap" | "Secret")
        && live.get("immutable") == Some(&Value::Bool(true))
    {
        let fixed = ["data", "binaryData", "stringData", "immutable"];
        if let Some(name) = fixed.into_iter().find(|fixed| is_within(path, fixed)) {
            return Some(name.to_owned());
        }
    }
    if is_shrunk_claim(group, kind, desired, live, path) {
        return Some(path.to_owned());
    }
    let rule = RULES
        .iter()
        .find(|rule| rule.group == group && rule.kind == kind)?;
    let fixed = rule.fixed.iter().find(|fixed| is_within(path, fixed))?;
    let is_free = rule.free.iter().any(|free| is_within(path, free));
    let is_unset = |field: &&str| {
        let keys: Vec<_> = field.split('.').collect();
        is_within(path, field) && dig(live, &keys).is_none_or(is_empty)
    };
    if is_free || rule.settable.iter().any(is_unset) || is_excepted(kind, desired, live, path) {
        return None;
    }
    Some(if *fixed == "spec" {
        second(path)
    } else {
        (*fixed).to_owned()
    })
}

/// What may be changed of a job that hasn't been started.
const SCHEDULING: &[&str] = &[
    "spec.template.metadata.labels",
    "spec.template.metadata.annotations",
    "spec.template.spec.nodeSelector",
    "spec.template.spec.affinity",
    "spec.template.spec.tolerations",
    "spec.template.spec.schedulingGates",
];

/// What is free because of other fields.
fn is_excepted(kind: &str, desired: &Value, live: &Value, path: &str) -> bool {
    let text = |object: &'_ Value, keys: &[&str]| {
        let text = dig(object, keys).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    match kind {
        "Job" => {
            if is_within(path, "spec.completions") {
                // Elastic indexed jobs.
                let number = |key| dig(desired, &["spec", key]);
                return text(live, &["spec", "completionMode"]) == "Indexed"
                    && number("completions") == number("parallelism");
            }
            dig(live, &["spec", "suspend"]) == Some(&Value::Bool(true))
                && dig(live, &["status", "startTime"]).is_none_or(Value::is_null)
                && SCHEDULING.iter().any(|field| is_within(path, field))
        }
        // An address that isn't asked for is kept, and given up for a name.
        "Service" => {
            text(desired, &["spec", "type"]) == "ExternalName"
                || text(live, &["spec", "type"]) == "ExternalName"
                || is_within(path, "spec.clusterIP")
                    && text(desired, &["spec", "clusterIP"]).is_empty()
                || is_within(path, "spec.loadBalancerClass")
                    && text(desired, &["spec", "type"]) != "LoadBalancer"
        }
        _ => false,
    }
}

/// A claim can grow and not shrink.
fn is_shrunk_claim(group: &str, kind: &str, desired: &Value, live: &Value, path: &str) -> bool {
    if !group.is_empty()
        || kind != "PersistentVolumeClaim"
        || path != "spec.resources.requests.storage"
    {
        return false;
    }
    let size = |object| {
        let size = dig(object, &["spec", "resources", "requests", "storage"])?;
        Quantity::parse(
            &size
                .as_str()
                .map_or_else(|| size.to_string(), str::to_owned),
        )
    };
    matches!((size(desired), size(live)), (Some(wanted), Some(live)) if wanted < live)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

/// Tells whether a path leads to a field or into it; `[*]` in the field stands for any item.
fn is_within(path: &str, field: &str) -> bool {
    let mut rest = path;
    for (index, part) in field.split("[*]").enumerate() {
        if index > 0 {
            let Some((_, after)) = rest.strip_prefix('[').and_then(|item| item.split_once(']'))
            else {
                return false;
            };
            rest = after;
        }
        let Some(after) = rest.strip_prefix(part) else {
            return false;
        };
        rest = after;
    }
    rest.is_empty() || rest.starts_with(['.', '['])
}

/// Returns the first two steps of a path.
fn second(path: &str) -> String {
    let start = path.find('.').map_or(path.len(), |dot| dot + 1);
    let rest = path.get(start..).unwrap_or_default();
    let end = rest.find(['.', '[']).unwrap_or(rest.len());
    path.get(..start + end).unwrap_or(path).to_owned()
}
