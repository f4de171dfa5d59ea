//! Tables of live objects: what is said of each.

mod custom;
mod malformed;
mod pod;
mod related;
mod workload;

use serde_json::{Value, json};

use super::*;

/// What is said of an object when nothing else is known: the state, and the reason after a colon.
fn said(object: &Value) -> String {
    said_with(object, &Related::default())
}

fn said_with(object: &Value, related: &Related<'_>) -> String {
    let readiness = readiness(object, related);
    match readiness.reason() {
        Some(reason) => format!("{}: {reason}", readiness.name()),
        None => readiness.name().to_owned(),
    }
}

/// Makes a live object of generation 2; the fields of `parts` replace those that it brings.
fn live(api_version: &str, kind: &str, parts: &Value) -> Value {
    let mut object = json!({
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": "web", "namespace": "shop", "uid": "u-1", "generation": 2},
    });
    for (key, value) in parts.as_object().expect("parts are a mapping") {
        object[key] = value.clone();
    }
    object
}

fn check(api_version: &str, kind: &str, cases: &[(Value, &str)]) {
    for (parts, expected) in cases {
        let object = live(api_version, kind, parts);
        assert_eq!(said(&object), *expected, "{object:#}");
    }
}

fn condition(name: &str, status: &str, reason: &str, message: &str) -> Value {
    json!({
        "type": name, "status": status, "reason": reason, "message": message,
        "lastTransitionTime": "2026-03-01T10:00:00Z",
    })
}

#[test]
fn a_claim_is_ready_when_it_is_bound_or_nobody_needs_it_yet() {
    let late = Related {
        volume_binding_mode: Some("WaitForFirstConsumer"),
        ..Related::default()
    };
    let now = Related {
        volume_binding_mode: Some("Immediate"),
        ..late
    };
    let none = Related::default();
    let pending = json!({"phase": "Pending"});
    let selected = json!({"annotations": {"volume.kubernetes.io/selected-node": "node-1"}});
    let class = json!({"storageClassName": "fast"});
    let named = json!({"storageClassName": "", "volumeName": "pv-1"});
    let cases = [
        (
            json!({"spec": class}),
            &none,
            "waiting: waits for a volume of storage class fast",
        ),
        (
            json!({"spec": class, "status": pending}),
            &now,
            "waiting: waits for a volume of storage class fast",
        ),
        (
            json!({"spec": class, "status": pending}),
            &late,
            "ready: waits for its first consumer",
        ),
        (
            json!({"spec": class}),
            &late,
            "ready: waits for its first consumer",
        ),
        (
            json!({"spec": {}, "status": pending}),
            &none,
            "waiting: waits for a volume; it names no storage class",
        ),
        // It has its first consumer, and now waits for the volume.
        (
            json!({"metadata": selected, "spec": class, "status": pending}),
            &late,
            "waiting: waits for a volume of storage class fast on node node-1",
        ),
        (
            json!({"spec": named, "status": pending}),
            &late,
            "waiting: waits to be bound to volume pv-1",
        ),
        (
            json!({"spec": named, "status": {"phase": "Bound"}}),
            &late,
            "ready",
        ),
        (
            json!({"spec": named, "status": {"phase": "Lost"}}),
            &late,
            "failed: has lost its volume pv-1",
        ),
    ];
    for (parts, related, expected) in cases {
        let claim = live("v1", "PersistentVolumeClaim", &parts);
        assert_eq!(said_with(&claim, related), expected, "{claim:#}");
    }
    let cases = [
        (json!({"status": {"phase": "Available"}}), "ready"),
        (json!({"status": {"phase": "Released"}}), "ready"),
        (
            json!({"status": {"phase": "Failed", "message": "error deleting EBS volume."}}),
            "failed: error deleting EBS volume",
        ),
        (
            json!({"status": {"phase": "Failed"}}),
            "failed: could not be reclaimed",
        ),
    ];
    check("v1", "PersistentVolume", &cases);
}

#[test]
fn a_service_waits_only_for_the_address_of_its_load_balancer() {
    let spec = json!({"type": "LoadBalancer", "clusterIP": "10.0.0.5"});
    let cases = [
        (
            json!({"spec": {"type": "ClusterIP"}, "status": {"loadBalancer": {}}}),
            "ready",
        ),
        (json!({"spec": {"clusterIP": "None"}}), "ready"),
        (
            json!({"spec": {"type": "ExternalName", "externalName": "a.example"}}),
            "ready",
        ),
        (
            json!({"spec": spec, "status": {"loadBalancer": {}}}),
            "waiting: its load balancer has no address yet",
        ),
        (
            json!({"spec": spec, "status": {"loadBalancer": {"ingress": [{"ipMode": "VIP"}]}}}),
            "waiting: its load balancer has no address yet",
        ),
        (
            json!({"spec": spec, "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.9"}]}}}),
            "ready",
        ),
        (
            json!({"spec": spec,
                "status": {"loadBalancer": {"ingress": [{"hostname": "lb.example"}]}}}),
            "ready",
        ),
    ];
    check("v1", "Service", &cases);
    // A service of another group is another kind.
    let knative = json!({"spec": spec, "status": {"observedGeneration": 2, "conditions": [
        condition("ConfigurationsReady", "True", "", ""), condition("Ready", "True", "", "")]}});
    check("serving.knative.dev/v1", "Service", &[(knative, "ready")]);
}

#[test]
fn a_namespace_is_ready_when_it_is_active() {
    let content = condition(
        "NamespaceContentRemaining",
        "True",
        "SomeResourcesRemain",
        "Some resources are remaining: widgets.example.com has 1 resource instances",
    );
    let finalizers = condition(
        "NamespaceFinalizersRemaining",
        "True",
        "SomeFinalizersRemain",
        "Some content in the namespace has finalizers remaining: example.com/w in 1 resource \
         instances",
    );
    let gone = condition(
        "NamespaceDeletionContentFailure",
        "False",
        "ContentDeleted",
        "All done",
    );
    let cases = [
        (json!({"status": {"phase": "Active"}}), "ready"),
        (json!({}), "waiting: is not active yet"),
        (
            json!({"status": {"phase": "New"}}),
            "waiting: its phase is New, not Active",
        ),
        (
            json!({
                "metadata": {"deletionTimestamp": "2026-03-01T10:00:00Z"},
                "spec": {"finalizers": ["kubernetes"]},
                "status": {"phase": "Terminating", "conditions": [gone, content, finalizers]},
            }),
            "terminating: is being deleted, held by finalizer kubernetes (its content goes first); \
             Some resources are remaining: widgets.example.com has 1 resource instances; \
             Some content in the namespace has finalizers remaining: example.com/w in 1 resource \
             instances",
        ),
        (
            json!({"status": {"phase": "Terminating"}}),
            "terminating: is being deleted",
        ),
    ];
    check("v1", "Namespace", &cases);
}

#[test]
fn what_is_deleted_is_terminating_and_names_its_finalizers() {
    let deleted = "2026-03-01T10:00:00Z";
    let cases = [
        (
            json!({"metadata": {"deletionTimestamp": deleted}}),
            "terminating: is being deleted",
        ),
        (
            json!({"metadata": {"deletionTimestamp": deleted, "finalizers": ["a/b"]},
                "spec": {"finalizers": ["not of metadata"]}}),
            "terminating: is being deleted, held by finalizer a/b",
        ),
        (
            json!({"metadata": {"deletionTimestamp": deleted,
                "finalizers": ["kubernetes.io/pvc-protection", "a/b"]}}),
            "terminating: is being deleted, \
             held by finalizers kubernetes.io/pvc-protection (a pod still uses it), a/b",
        ),
        // Whatever else is wrong with it.
        (
            json!({"metadata": {"deletionTimestamp": 5, "finalizers": {"a": 1}}, "status": 7}),
            "terminating: is being deleted",
        ),
        (
            json!({"metadata": {"deletionTimestamp": null}, "status": {"phase": "Bound"}}),
            "ready",
        ),
    ];
    check("v1", "PersistentVolumeClaim", &cases);
    let remaining = condition(
        "Terminating",
        "True",
        "InstanceDeletionInProgress",
        "CustomResource deletion is in progress",
    );
    let definition = json!({
        "metadata": {"deletionTimestamp": deleted,
            "finalizers": ["customresourcecleanup.apiextensions.k8s.io"]},
        "status": {"conditions": [remaining]},
    });
    check(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        &[(
            definition,
            "terminating: is being deleted, held by finalizer \
         customresourcecleanup.apiextensions.k8s.io (its custom resources go first); \
         CustomResource deletion is in progress",
        )],
    );
}

#[test]
fn a_definition_is_ready_when_its_kind_can_be_written() {
    let names = || condition("NamesAccepted", "True", "NoConflicts", "no conflicts found");
    let installing = condition(
        "Established",
        "False",
        "Installing",
        "the initial names have been accepted",
    );
    let refused = condition(
        "NamesAccepted",
        "False",
        "KindConflict",
        "\"Widget\" is already in use",
    );
    let not_accepted = condition(
        "Established",
        "False",
        "NotAccepted",
        "not all names are accepted",
    );
    let established = || condition("Established", "True", "InitialNamesAccepted", "");
    let cases = [
        (json!({}), "waiting: is not established yet"),
        (
            json!({"status": {"conditions": [names(), installing]}}),
            "waiting: is not established yet",
        ),
        (
            json!({"status": {"conditions": [refused, not_accepted.clone()]}}),
            "failed: KindConflict: \"Widget\" is already in use",
        ),
        (
            json!({"status": {"conditions": [not_accepted]}}),
            "failed: NotAccepted: not all names are accepted",
        ),
        (
            json!({"status": {"conditions": [names(), established()]}}),
            "ready",
        ),
    ];
    check(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        &cases,
    );
    let parts = json!({"status": {"conditions": [names(), established()]}});
    let definition = live(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        &parts,
    );
    for (discoverable, expected) in [
        (Some(true), "ready"),
        (None, "ready"),
        (
            Some(false),
            "waiting: is established, but the API server does not list its kind yet",
        ),
    ] {
        let related = Related {
            discoverable,
            ..Related::default()
        };
        assert_eq!(said_with(&definition, &related), expected);
    }
}

#[test]
fn an_api_service_is_ready_when_it_is_available() {
    let missing = condition(
        "Available",
        "False",
        "MissingEndpoints",
        "endpoints for service/metrics in \"shop\" have no addresses with port name \"https\"",
    );
    let cases = [
        (json!({}), "waiting: is not known to be available yet"),
        (
            json!({"status": {"conditions": [missing]}}),
            "waiting: MissingEndpoints: endpoints for service/metrics in \"shop\" have no \
             addresses with port name \"https\"",
        ),
        (
            json!({"status": {"conditions": [condition("Available", "True", "Passed", "")]}}),
            "ready",
        ),
    ];
    check("apiregistration.k8s.io/v1", "APIService", &cases);
}

#[test]
fn a_disruption_budget_is_ready_when_it_was_computed() {
    let short = condition("DisruptionAllowed", "False", "InsufficientPods", "");
    let failed = condition(
        "DisruptionAllowed",
        "False",
        "SyncFailed",
        "found no controllers",
    );
    let cases = [
        (json!({}), "waiting: its controller has not seen it yet"),
        (
            json!({"status": {"observedGeneration": 1}}),
            "waiting: its controller has seen generation 1 of 2",
        ),
        (
            json!({"status": {"observedGeneration": 2, "conditions": [short]}}),
            "ready",
        ),
        (
            json!({"status": {"observedGeneration": 2, "conditions": [failed]}}),
            "waiting: SyncFailed: found no controllers",
        ),
    ];
    check("policy/v1", "PodDisruptionBudget", &cases);
}

#[test]
fn an_autoscaler_is_ready_when_it_has_something_to_scale_by() {
    let able = || condition("AbleToScale", "True", "ReadyForNewScale", "");
    let unable = condition(
        "AbleToScale",
        "False",
        "FailedGetScale",
        "the HPA controller was unable to get the target's current scale: \
         deployments.apps \"web\" not found",
    );
    let blind = condition(
        "ScalingActive",
        "False",
        "FailedGetResourceMetric",
        "the HPA was unable to compute the replica count",
    );
    let off = condition(
        "ScalingActive",
        "False",
        "ScalingDisabled",
        "the replica count is zero",
    );
    let active = || condition("ScalingActive", "True", "ValidMetricFound", "");
    let limited = condition("ScalingLimited", "True", "TooFewReplicas", "");
    let first = json!([able(), active()]).to_string();
    let cases = [
        (
            json!({}),
            "waiting: its controller has not looked at its target yet",
        ),
        (
            json!({"status": {"conditions": [unable]}}),
            "waiting: FailedGetScale: the HPA controller was unable to get the target's current \
             scale: deployments.apps \"web\" not found",
        ),
        (
            json!({"status": {"conditions": [able(), blind]}}),
            "waiting: FailedGetResourceMetric: the HPA was unable to compute the replica count",
        ),
        (
            json!({"status": {"conditions": [able(), off]}}),
            "ready: is off while its target has zero replicas",
        ),
        (
            json!({"status": {"conditions": [able(), active(), limited]}}),
            "ready",
        ),
    ];
    check("autoscaling/v2", "HorizontalPodAutoscaler", &cases);
    let annotation = "autoscaling.alpha.kubernetes.io/conditions";
    let cases = [
        (
            json!({}),
            "waiting: its controller has not looked at its target yet",
        ),
        (
            json!({"metadata": {"annotations": {annotation: first}}}),
            "ready",
        ),
        (
            json!({"metadata": {"annotations": {annotation: "[[["}}}),
            "waiting: its state cannot be read: \
             the annotation of its conditions is a string, not a list",
        ),
    ];
    check("autoscaling/v1", "HorizontalPodAutoscaler", &cases);
}

#[test]
fn kinds_that_do_nothing_are_ready_when_they_exist() {
    for (api_version, kind) in [
        ("v1", "ConfigMap"),
        ("v1", "Secret"),
        ("v1", "ServiceAccount"),
        ("networking.k8s.io/v1", "Ingress"),
        ("networking.k8s.io/v1", "NetworkPolicy"),
        ("rbac.authorization.k8s.io/v1", "Role"),
        ("storage.k8s.io/v1", "StorageClass"),
        ("example.com/v1", "Widget"),
    ] {
        check(api_version, kind, &[(json!({}), "ready")]);
    }
    let waiting = json!({"status": {"loadBalancer": {}}});
    check("networking.k8s.io/v1", "Ingress", &[(waiting, "ready")]);
}

#[test]
fn a_readiness_reads_in_json_as_it_is_named() {
    let waiting = Readiness::waiting("a\n  b");
    let json = json!({"state": "waiting", "reason": "a b"});
    assert_eq!(
        serde_json::to_value(&waiting).expect("it has a JSON form"),
        json
    );
    for readiness in [
        Readiness::READY,
        Readiness::ready_but("is suspended"),
        waiting,
        Readiness::failed("x"),
        Readiness::Terminating {
            reason: "y".to_owned(),
        },
    ] {
        let json = serde_json::to_value(&readiness).expect("it has a JSON form");
        assert_eq!(json["state"], readiness.name());
        let back: Readiness = serde_json::from_value(json).expect("it reads its own form");
        assert_eq!(back, readiness);
    }
}
