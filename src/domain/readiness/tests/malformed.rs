//! Objects that no honest server would send.

use super::pod::{crash_loop, pod, unschedulable};
use super::*;
use crate::numbers::Numbers;

/// Objects that are ready, of whose status every field is read: kind, spec and status.
const READY: &[(&str, &str, &str)] = &[
    (
        "apps/v1 Deployment",
        r#"{"replicas": 2, "progressDeadlineSeconds": 600}"#,
        r#"{"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2,
            "availableReplicas": 2, "conditions": [
            {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
            {"type": "Available", "status": "True"}]}"#,
    ),
    (
        "apps/v1 StatefulSet",
        r#"{"replicas": 2}"#,
        r#"{"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2,
            "availableReplicas": 2, "currentReplicas": 2, "currentRevision": "a",
            "updateRevision": "a"}"#,
    ),
    (
        "apps/v1 DaemonSet",
        "{}",
        r#"{"observedGeneration": 2, "desiredNumberScheduled": 2, "currentNumberScheduled": 2,
            "updatedNumberScheduled": 2, "numberReady": 2, "numberAvailable": 2}"#,
    ),
    (
        "apps/v1 ReplicaSet",
        r#"{"replicas": 2}"#,
        r#"{"observedGeneration": 2, "replicas": 2, "fullyLabeledReplicas": 2,
            "readyReplicas": 2, "availableReplicas": 2}"#,
    ),
    (
        "batch/v1 Job",
        "{}",
        r#"{"conditions": [{"type": "Complete", "status": "True"}]}"#,
    ),
    (
        "v1 Pod",
        "{}",
        r#"{"phase": "Running", "containerStatuses": [], "initContainerStatuses": [],
            "conditions": [{"type": "Ready", "status": "True"}]}"#,
    ),
    ("v1 PersistentVolumeClaim", "{}", r#"{"phase": "Bound"}"#),
    ("v1 PersistentVolume", "{}", r#"{"phase": "Bound"}"#),
    (
        "v1 Service",
        r#"{"type": "LoadBalancer"}"#,
        r#"{"loadBalancer": {"ingress": [{"ip": "203.0.113.9"}]}}"#,
    ),
    ("v1 Namespace", "{}", r#"{"phase": "Active"}"#),
    (
        "policy/v1 PodDisruptionBudget",
        "{}",
        r#"{"observedGeneration": 2, "conditions": [
            {"type": "DisruptionAllowed", "status": "True", "reason": "SufficientPods"}]}"#,
    ),
    (
        "autoscaling/v2 HorizontalPodAutoscaler",
        "{}",
        r#"{"conditions": [{"type": "AbleToScale", "status": "True"},
            {"type": "ScalingActive", "status": "True", "reason": "ValidMetricFound"}]}"#,
    ),
    (
        "apiextensions.k8s.io/v1 CustomResourceDefinition",
        "{}",
        r#"{"conditions": [{"type": "NamesAccepted", "status": "True"},
            {"type": "Established", "status": "True"}]}"#,
    ),
    (
        "apiregistration.k8s.io/v1 APIService",
        "{}",
        r#"{"conditions": [{"type": "Available", "status": "True", "message": "all is well"}]}"#,
    ),
    (
        "gateway.networking.k8s.io/v1 Gateway",
        "{}",
        r#"{"conditions": [{"type": "Accepted", "status": "True", "observedGeneration": 2},
            {"type": "Programmed", "status": "True"}]}"#,
    ),
    (
        "gateway.networking.k8s.io/v1 HTTPRoute",
        r#"{"parentRefs": [{"name": "a"}]}"#,
        r#"{"parents": [{"parentRef": {"name": "a", "port": 80}},
            {"parentRef": {"name": "a"}, "conditions": [{"type": "Accepted", "status": "True"}]}]}"#,
    ),
    (
        "example.com/v1 Widget",
        "{}",
        r#"{"observedGeneration": 2, "conditions": [
            {"type": "Synced"}, {"type": "Ready", "status": "True", "reason": "Ready",
            "message": "", "observedGeneration": 2}]}"#,
    ),
];

fn ready_objects() -> Vec<Value> {
    let parse = |text: &str| -> Value { serde_json::from_str(text).expect("the text is JSON") };
    let objects = READY.iter().map(|(kind, spec, status)| {
        let (api_version, kind) = kind.split_once(' ').expect("a version and a kind");
        let parts = json!({"spec": parse(spec), "status": parse(status)});
        live(api_version, kind, &parts)
    });
    objects.collect()
}

/// Returns the JSON pointers of a value and of everything in it.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                pointers(value, &format!("{at}/{key}"), found);
            }
        }
        Value::Array(entries) => {
            for (index, value) in entries.iter().enumerate() {
                pointers(value, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

fn wrong_values() -> Vec<Value> {
    vec![
        json!(true),
        json!(-1),
        json!(1.5),
        json!(u64::MAX),
        json!("x"),
        json!([]),
        json!([[]]),
        json!({}),
        json!({"a": null}),
    ]
}

fn has_same_type(a: &Value, b: &Value) -> bool {
    std::mem::discriminant(a) == std::mem::discriminant(b)
}

#[test]
fn a_status_with_a_wrong_type_anywhere_is_waiting() {
    for ready in ready_objects() {
        assert!(
            readiness(&ready, &Related::default()).is_ready(),
            "{ready:#}"
        );
        let mut places = Vec::new();
        pointers(&ready["status"], "/status", &mut places);
        places.push("/metadata/generation".to_owned());
        for place in places {
            for wrong in wrong_values() {
                let mut object = ready.clone();
                let field = object.pointer_mut(&place).expect("the place exists");
                // A negative count or one with a fraction is of a wrong type too.
                let is_odd_number = field.is_u64() && wrong.is_number() && !wrong.is_u64();
                if has_same_type(field, &wrong) && !is_odd_number {
                    continue;
                }
                *field = wrong;
                let said = said(&object);
                let expected = "waiting: its state cannot be read: ";
                assert!(said.starts_with(expected), "{place} {said} {object:#}");
            }
        }
    }
}

#[test]
fn malformed_fields_are_named() {
    let cases = [
        (
            json!({"status": "done"}),
            "status is a string, not a mapping",
        ),
        (
            json!({"status": {"conditions": {}}}),
            "status.conditions is a mapping, not a list",
        ),
        (
            json!({"status": {"conditions": [7]}}),
            "status.conditions is a number, not a mapping",
        ),
        (
            json!({"status": {"conditions": [{"status": "True"}]}}),
            "status.conditions.type is missing, not a string",
        ),
        (
            json!({"status": {"conditions": [{"type": "Ready", "status": true}]}}),
            "status.conditions.status is a boolean, not a string",
        ),
        (
            json!({"status": {"conditions": [{"type": "Ready", "status": "true"}]}}),
            "status.conditions.status is another word, not True, False or Unknown",
        ),
        (
            json!({"status": {"observedGeneration": "7c8d"}}),
            "status.observedGeneration is a string, not a generation",
        ),
    ];
    for (parts, expected) in cases {
        let expected = format!("waiting: its state cannot be read: {expected}");
        check("example.com/v1", "Widget", &[(parts, &expected)]);
    }
    for (object, expected) in [
        (json!(null), "the object is null, not a mapping"),
        (json!([]), "the object is a list, not a mapping"),
        (json!({}), "kind is missing, not a string"),
        (
            json!({"kind": "Pod"}),
            "apiVersion is missing, not a string",
        ),
    ] {
        assert_eq!(
            said(&object),
            format!("waiting: its state cannot be read: {expected}")
        );
    }
}

#[test]
fn nothing_that_a_server_may_send_panics_or_breaks_the_line() {
    let mut numbers = Numbers(0x5eed);
    let mut objects = ready_objects();
    objects.push(pod("Running", &json!([crash_loop(5, "Error", 1)])));
    objects.push(unschedulable(
        "Unschedulable",
        "0/3 nodes\nare available\u{1b}[31m",
    ));
    objects.push(
        json!({"apiVersion": "v1", "kind": "Event", "type": "Warning", "reason": "X",
        "involvedObject": {"uid": "u"}, "lastTimestamp": "2026-03-01T10:00:00Z"}),
    );
    let mut values = wrong_values();
    values.extend([
        json!(null),
        json!(i64::MIN),
        json!("line\nbreak \u{1b}[31m\u{0}"),
        json!("é".repeat(2000)),
        json!("2026-13-40T99:99:99.999999999999Z"),
        json!("CrashLoopBackOff"),
    ]);
    for round in 0..20_000 {
        let mut object = objects[numbers.below(objects.len())].clone();
        for _ in 0..=numbers.below(3) {
            let mut places = Vec::new();
            pointers(&object, "", &mut places);
            let place = &places[numbers.below(places.len())];
            let wrong = values[numbers.below(values.len())].clone();
            *object.pointer_mut(place).expect("the place exists") = wrong;
        }
        let pods = [&object];
        let related = Related {
            pods: &pods,
            ..Related::default()
        };
        let readiness = readiness(&object, &related);
        let problem = pod_problem(&object).map(|problem| problem.to_string());
        let _ = (owns(&object, &object), pod_selector(&object));
        let event = last_event([&object], "u").map(|event| event.message);
        let lines = [readiness.reason(), problem.as_deref(), event.as_deref()];
        for text in lines.into_iter().flatten() {
            assert!(!text.contains(char::is_control), "round {round}: {text:?}");
        }
        let reason = readiness.reason().unwrap_or_default();
        assert!(reason.chars().count() <= 501, "round {round}: {reason:?}");
    }
}
