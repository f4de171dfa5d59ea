//! Tables for what is compared, and objects recorded from an API server.

mod server;

use serde_json::{Value, json};

use super::*;
use crate::secret::MASK;
use crate::yaml::{Limits, parse_one};

const OURS: &str = "weftctl-0123456789";

/// Objects as they were sent and as a kube-apiserver of v1.35.4 returned them. Afterwards `kubectl` had
/// scaled and annotated the first one; the last one was made by `kubectl create` alone.
const RECORDED: &str = include_str!("tests/recorded.json");

fn recorded(kind: &str, name: &str) -> (Value, Value) {
    let pairs: Vec<Value> = serde_json::from_str(RECORDED).expect("the recording is JSON");
    let pair = pairs
        .into_iter()
        .find(|pair| pair["live"]["kind"] == kind && pair["live"]["metadata"]["name"] == name);
    let mut pair = pair.expect("it was recorded");
    (pair["desired"].take(), pair["live"].take())
}

fn ignore(texts: &[&str]) -> Vec<IgnorePath> {
    let paths = texts.iter().map(|text| IgnorePath::parse(text));
    paths
        .collect::<Result<_, _>>()
        .expect("the paths are sound")
}

fn path(text: &str) -> Path {
    let segments = text.split('/').map(|step| match step.parse::<usize>() {
        Ok(index) => Segment::Index(index),
        Err(_) => Segment::from(step),
    });
    segments.collect()
}

fn names(owners: &[Owner]) -> Vec<&str> {
    owners.iter().map(|owner| owner.manager.as_str()).collect()
}

/// `same`, or `? path`, or `path: wanted, live (owners)`.
fn told(comparison: Comparison) -> Vec<String> {
    let text = |value: Option<Value>| value.map_or("-".to_owned(), |value| value.to_string());
    match comparison {
        Comparison::Same => vec!["same".to_owned()],
        Comparison::Unsure(paths) => paths.iter().map(|path| format!("? {path}")).collect(),
        Comparison::Different(drifts) => {
            let drifts = drifts.into_iter().map(|drift| {
                let owners = names(&drift.owners).join(" ");
                let (wanted, live) = (text(drift.wanted), text(drift.live));
                format!("{}: {wanted}, {live} ({owners})", drift.path)
            });
            drifts.collect()
        }
    }
}

fn entry(manager: &str, operation: &str, fields: &Value) -> Value {
    json!({"manager": manager, "operation": operation, "apiVersion": "v1", "fieldsType": "FieldsV1",
        "time": "2026-01-01T00:00:00Z", "fieldsV1": fields})
}

/// An object with a name and more.
fn object(more: &Value) -> Value {
    let mut object = json!({"apiVersion": "v1", "kind": "Thing", "metadata": {"name": "a"}});
    for (key, value) in more.as_object().expect("more is a mapping") {
        object[key] = value.clone();
    }
    object
}

/// A live object of which we hold fields.
fn held(more: &Value, fields: &Value) -> Value {
    let mut live = object(more);
    live["metadata"]["managedFields"] = json!([entry(OURS, "Apply", fields)]);
    live
}

#[test]
fn what_an_api_server_made_of_our_objects_is_recognised() {
    let replicas = ignore(&["spec.replicas"]);
    let cases: &[(&str, &str, &[&str])] = &[
        (
            "Deployment",
            "odd",
            &[
                "? metadata.labels",
                "? spec.paused",
                "? spec.strategy",
                "? spec.template.spec.containers[name=side].command",
                "? spec.template.spec.containers[name=web].env[name=A].value",
                "? spec.template.spec.containers[name=web].env[name=LIM].valueFrom.resourceFieldRef.divisor",
                "? spec.template.spec.containers[name=web].env[name=NODE].valueFrom.fieldRef.apiVersion",
                "? spec.template.spec.containers[name=web].livenessProbe.initialDelaySeconds",
                "? spec.template.spec.containers[name=web].securityContext.capabilities.add",
                "? spec.template.spec.containers[name=web].volumeMounts[mountPath=/tmp].readOnly",
                "? spec.template.spec.hostNetwork",
                "? spec.template.spec.nodeSelector",
                "? spec.template.spec.serviceAccountName",
                "? spec.template.spec.tolerations",
                "? spec.template.spec.volumes[name=all].projected.sources[0].serviceAccountToken.expirationSeconds",
                "? spec.template.spec.volumes[name=all].projected.sources[1].downwardAPI.items[0].fieldRef.apiVersion",
            ],
        ),
        (
            "StatefulSet",
            "db",
            &[
                "? spec.volumeClaimTemplates[0].apiVersion",
                "? spec.volumeClaimTemplates[0].kind",
                "? spec.volumeClaimTemplates[0].spec.volumeMode",
                "? spec.volumeClaimTemplates[0].status",
            ],
        ),
        // Ports 53 with UDP and without a protocol, quantities in other words.
        ("Service", "odd", &["same"]),
        ("HorizontalPodAutoscaler", "odd", &["same"]),
        ("ResourceQuota", "q", &["same"]),
        ("PersistentVolume", "pv1", &["? spec.storageClassName"]),
        ("CronJob", "cj", &["same"]),
    ];
    for (kind, name, expected) in cases {
        let (desired, live) = recorded(kind, name);
        let comparison = compare(&desired, &live, OURS, &replicas);
        assert_eq!(told(comparison), *expected, "{kind}");
        let comparison = compare_as_applied(&desired, &live, OURS, &replicas);
        assert_eq!(told(comparison), ["same"], "{kind}");
    }
    let (desired, live) = recorded("Deployment", "odd");
    for compared in [
        compare(&desired, &live, OURS, &[]),
        compare_as_applied(&desired, &live, OURS, &[]),
    ] {
        assert_eq!(told(compared), ["spec.replicas: 2, 5 (kubectl)"]);
    }
}

#[test]
fn what_changed_in_a_recorded_object_is_named() {
    let (desired, live) = recorded("Deployment", "odd");
    let web = "/spec/template/spec/containers/0";
    let set = |pointer: &str, value: Value| {
        let mut changed = desired.clone();
        match (changed.pointer_mut(pointer), value) {
            (Some(place), value) => *place = value,
            (None, _) => panic!("there is no {pointer}"),
        }
        changed
    };
    let cases = [
        (
            set(&format!("{web}/image"), json!("nginx:1.28")),
            "spec.template.spec.containers[name=web].image: \"nginx:1.28\", \"nginx:1.27\" (weftctl-0123456789)",
        ),
        (
            set(&format!("{web}/ports/2/name"), json!("tcp")),
            "spec.template.spec.containers[name=web].ports[containerPort=53,protocol=TCP].name: \"tcp\", \
             \"dnst\" (weftctl-0123456789)",
        ),
        (
            set(&format!("{web}/resources/limits/memory"), json!("2Gi")),
            "spec.template.spec.containers[name=web].resources.limits.memory: \"2Gi\", \"1Gi\" \
             (weftctl-0123456789)",
        ),
        (
            set(
                "/metadata/annotations",
                json!({"example.com/a": "1", "foreign": "no"}),
            ),
            "metadata.annotations.foreign: \"no\", \"yes\" (kubectl-annotate)",
        ),
        (
            set("/metadata/finalizers", json!(["example.com/other"])),
            "metadata.finalizers[\"example.com/other\"]: \"example.com/other\", - ()",
        ),
        (
            set(
                "/spec/template/spec/initContainers",
                json!([
                    {"name": "a", "image": "busybox"}, {"name": "b", "image": "busybox", "args": ["x", "y"]},
                ]),
            ),
            "spec.template.spec.initContainers: [\"name=a\",\"name=b\"], [\"name=b\",\"name=a\"] \
             (weftctl-0123456789)",
        ),
    ];
    for (changed, expected) in cases {
        let drifts = told(compare(&changed, &live, OURS, &ignore(&["spec.replicas"])));
        assert_eq!(drifts.first().map(String::as_str), Some(expected));
    }
}

#[test]
fn who_moved_the_items_of_a_list_is_nowhere_written() {
    let (desired, mut live) = recorded("Deployment", "odd");
    let items = live.pointer_mut("/spec/template/spec/initContainers");
    let items = items.and_then(Value::as_array_mut);
    items.expect("it is a list").reverse();
    let ignored = ignore(&["spec.replicas"]);
    assert_eq!(
        told(compare_as_applied(&desired, &live, OURS, &ignored)),
        ["? spec.template.spec.initContainers"]
    );
    assert!(matches!(
        compare(&desired, &live, OURS, &ignored),
        Comparison::Different(_)
    ));
}

#[test]
fn entries_and_owners_are_read_from_a_live_object() {
    let (_, live) = recorded("Deployment", "odd");
    assert!(is_applied_by(&live, OURS));
    assert!(!is_applied_by(&live, "kubectl"));
    let all = managers(&live);
    let expected = [
        (OURS, Operation::Apply, None, Some("2026-11-21T13:42:28Z")),
        ("kubectl", Operation::Update, Some("scale"), None),
        (
            "kubectl-annotate",
            Operation::Update,
            None,
            Some("2026-11-21T13:42:30Z"),
        ),
    ];
    for (owner, (manager, operation, subresource, time)) in all.iter().zip(expected) {
        assert_eq!(owner.manager, manager);
        assert_eq!(owner.operation, operation);
        assert_eq!(owner.subresource.as_deref(), subresource);
        assert_eq!(owner.time.as_deref(), time);
    }
    assert_eq!(all.len(), expected.len());
    let cases: &[(&str, &[&str])] = &[
        ("spec/replicas", &["kubectl"]),
        ("spec", &[OURS, "kubectl"]),
        ("metadata/annotations/foreign", &["kubectl-annotate"]),
        ("metadata/annotations/example.com~a", &[]),
        ("metadata/finalizers/0", &[OURS]),
        // Part of a selector, which is held as a whole.
        ("spec/selector/matchLabels/app", &[OURS]),
        ("spec/template/spec/containers/0/image", &[OURS]),
        ("spec/template/spec/containers/0/ports/1/protocol", &[OURS]),
        // The server filled these in.
        ("spec/template/spec/containers/0/ports/0/protocol", &[]),
        ("spec/revisionHistoryLimit", &[]),
        ("spec/template/spec/containers/7/image", &[]),
        ("status", &[]),
    ];
    for (text, expected) in cases {
        assert_eq!(names(&owners(&live, &path(text))), *expected, "{text}");
    }
    let serialised = serde_json::to_value(&all[1]).expect("an owner has a JSON form");
    let expected = json!({"manager": "kubectl", "operation": "Update", "subresource": "scale"});
    assert_eq!(serialised, expected);
}

#[test]
fn an_empty_mapping_of_ours_does_not_make_the_fields_of_others_ours() {
    let mut live = held(&json!({}), &json!({"f:metadata": {"f:labels": {}}}));
    live["metadata"]["labels"] = json!({"a": "b"});
    live["metadata"]["managedFields"]
        .as_array_mut()
        .expect("it is a list")
        .push(entry(
            "x",
            "Update",
            &json!({"f:metadata": {"f:labels": {".": {}, "f:a": {}}}}),
        ));
    assert_eq!(names(&owners(&live, &path("metadata/labels/a"))), ["x"]);
    assert_eq!(names(&owners(&live, &path("metadata/labels"))), [OURS, "x"]);
    let mut desired = object(&json!({}));
    desired["metadata"]["labels"] = json!({});
    assert_eq!(compare(&desired, &live, OURS, &[]), Comparison::Same);
    // Now one that another holds: we don't yet.
    desired["metadata"]["labels"] = json!({"a": "b"});
    assert_eq!(
        told(compare(&desired, &live, OURS, &[])),
        ["metadata.labels.a: \"b\", \"b\" (x)"]
    );
}

#[test]
fn only_an_apply_to_the_object_itself_is_ours() {
    let with = |more: &Value| {
        let mut live = object(&json!({}));
        let mut own = entry(OURS, "Apply", &json!({"f:data": {"f:a": {}}}));
        for (key, value) in more.as_object().expect("more is a mapping") {
            own[key] = value.clone();
        }
        live["metadata"]["managedFields"] = json!([own]);
        live
    };
    let ours = [
        json!({}),
        json!({"subresource": ""}),
        json!({"subresource": null}),
        json!({"time": null}),
    ];
    for more in ours {
        assert!(is_applied_by(&with(&more), OURS), "{more}");
    }
    let others = [
        json!({"operation": "Update"}),
        json!({"operation": "apply"}),
        json!({"operation": null}),
        json!({"subresource": "status"}),
        json!({"manager": "weftctl"}),
        json!({"manager": null}),
        json!({"manager": 7}),
        json!({"fieldsType": "FieldsV2"}),
        json!({"fieldsV1": []}),
        json!({"fieldsV1": null}),
        json!({"time": 7}),
    ];
    for more in others {
        assert!(!is_applied_by(&with(&more), OURS), "{more}");
    }
}

#[test]
fn field_sets_are_walked_and_bad_parts_of_them_named() {
    let fields = json!({
        "f:a": {".": {}, "f:b": {}},
        "k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}},
        "v:\"x:y\"": {}, "v:5": {}, "i:3": {}, "f:": {}, "f:x:y": {"f:z": {}},
        "k:{": {}, "k:{}": {}, "k:[]": {}, "v:": {}, "i:-1": {}, "i:x": {}, "x:y": {}, "f": {}, "": {}, "f:n": 7,
    });
    let set = FieldSet::of(&fields).expect("it is a mapping");
    let (mut read, mut bad) = (Vec::new(), Vec::new());
    for child in set.children() {
        match child {
            Ok((element, below)) => read.push((element, below.owns_itself(), below.is_leaf())),
            Err(Malformed(key)) => bad.push(key),
        }
    }
    let keys = json!({"port": 80, "protocol": "TCP"});
    let keys = keys.as_object().expect("it is a mapping").clone();
    assert_eq!(
        read,
        [
            (Element::Field("a"), true, false),
            (Element::Key(keys), true, true),
            (Element::Value(json!("x:y")), true, true),
            (Element::Value(json!(5)), true, true),
            (Element::Index(3), true, true),
            (Element::Field(""), true, true),
            (Element::Field("x:y"), false, false),
        ]
    );
    let expected = [
        "k:{", "k:{}", "k:[]", "v:", "i:-1", "i:x", "x:y", "f", "", "f:n",
    ];
    assert_eq!(bad, expected);
    assert!(set.field("a").and_then(|a| a.field("b")).is_some());
    assert!(set.field("c").is_none());
}

#[test]
fn fields_are_compared_by_what_we_hold() {
    let mut count = 0;
    for text in include_str!("tests/cases.yaml").split("---\n") {
        let case = parse_one(text, &Limits::STREAM).expect("a case is YAML");
        let desired = object(&case["wanted"]);
        let live = held(&case["live"], &case["held"]);
        let ignored = case["ignored"].as_array().into_iter().flatten();
        let ignored: Vec<_> = ignored.filter_map(Value::as_str).collect();
        let found = told(compare(&desired, &live, OURS, &ignore(&ignored)));
        let found: Vec<_> = found
            .iter()
            .map(|line| line.replace(OURS, "ours"))
            .collect();
        assert_eq!(json!(found), case["told"], "{text}");
        count += 1;
    }
    assert!(count > 90, "{count}");
}

#[test]
fn what_names_an_object_is_held_by_nobody() {
    let compared = |metadata: &Value, live: &Value| {
        let fields = json!({"f:data": {"f:a": {}}});
        let mut desired = object(&json!({"data": {"a": "x"}, "metadata": metadata}));
        let mut object = held(&json!({"data": {"a": "x"}}), &fields);
        for (key, value) in live.as_object().expect("it is a mapping") {
            object["metadata"][key] = value.clone();
        }
        desired["metadata"]["name"] = json!("a");
        told(compare(&desired, &object, OURS, &[]))
    };
    let cases: &[(Value, Value, &[&str])] = &[
        (
            json!({"namespace": "n"}),
            json!({"namespace": "n", "uid": "u", "generation": 3}),
            &["same"],
        ),
        (json!({}), json!({"namespace": "n"}), &["same"]),
        (
            json!({"namespace": "n"}),
            json!({"namespace": "m"}),
            &["metadata.namespace: \"n\", \"m\" ()"],
        ),
        (
            json!({"namespace": "n"}),
            json!({}),
            &["? metadata.namespace"],
        ),
        (
            json!({"creationTimestamp": null, "generation": 1, "selfLink": "x"}),
            json!({"creationTimestamp": "t", "generation": 2}),
            &["same"],
        ),
        (
            json!({"uid": "u", "resourceVersion": "1"}),
            json!({"uid": "u", "resourceVersion": "1"}),
            &["same"],
        ),
        (
            json!({"uid": "u", "resourceVersion": "1"}),
            json!({"uid": "v", "resourceVersion": "2"}),
            &["? metadata.resourceVersion", "? metadata.uid"],
        ),
        (
            json!({"managedFields": []}),
            json!({}),
            &["? metadata.managedFields"],
        ),
        (json!({"labels": {}}), json!({}), &["? metadata.labels"]),
    ];
    for (metadata, live, expected) in cases {
        assert_eq!(compared(metadata, live), *expected, "{metadata} {live}");
    }
}

#[test]
fn another_version_is_unclear_and_another_kind_is_not() {
    let compared = |wanted: (&str, &str), live: (&str, &str), held: &str| {
        let object = |(version, kind): (&str, &str)| json!({"apiVersion": version, "kind": kind, "metadata": {"name": "a"}, "spec": {"a": 1}});
        let mut own = entry(OURS, "Apply", &json!({"f:spec": {"f:a": {}}}));
        own["apiVersion"] = json!(held);
        let mut other = object(live);
        other["metadata"]["managedFields"] = json!([own]);
        told(compare(&object(wanted), &other, OURS, &[]))
    };
    let (v1, v2) = ("autoscaling/v1", "autoscaling/v2");
    assert_eq!(compared((v2, "X"), (v2, "X"), v2), ["same"]);
    assert_eq!(compared((v1, "X"), (v2, "X"), v2), ["? apiVersion"]);
    assert_eq!(compared((v2, "X"), (v2, "X"), v1), ["? apiVersion"]);
    let moved = compared(
        ("extensions/v1beta1", "Ingress"),
        ("networking.k8s.io/v1", "Ingress"),
        "networking.k8s.io/v1",
    );
    assert_eq!(moved, ["? apiVersion"]);
    assert_eq!(
        compared(("apps/v1", "X"), ("batch/v1", "X"), "batch/v1"),
        ["apiVersion: \"apps/v1\", \"batch/v1\" ()"]
    );
    assert_eq!(
        compared((v2, "X"), (v2, "Y"), v2),
        ["kind: \"X\", \"Y\" ()"]
    );
    let live = held(&json!({}), &json!({"f:a": {}}));
    assert_eq!(
        told(compare(&json!({"a": 1}), &live, OURS, &[])),
        ["? apiVersion", "? kind"]
    );
    assert_eq!(told(compare(&json!([]), &live, OURS, &[])), ["? "]);
    assert_eq!(told(compare(&live, &json!(null), OURS, &[])), ["? "]);
}

#[test]
fn an_object_that_we_never_applied_differs_in_who_holds_it() {
    let (desired, live) = recorded("Deployment", "csa");
    assert_eq!(
        told(compare(&desired, &live, OURS, &[])),
        [
            "spec.template.spec.containers[name=nginx].image: \"nginx:1.27\", \"nginx\" (kubectl-create)",
            "metadata.managedFields: \"weftctl-0123456789\", - ()",
        ]
    );
    let mut alike = desired.clone();
    alike["spec"]["template"]["spec"]["containers"][0]["image"] = json!("nginx");
    let told_of_entry = ["metadata.managedFields: \"weftctl-0123456789\", - ()"];
    assert_eq!(told(compare(&alike, &live, OURS, &[])), told_of_entry);
    assert_eq!(
        told(compare_as_applied(&alike, &live, OURS, &[])),
        told_of_entry
    );
    // Of an object with nothing but a name nothing can be held, and the server keeps no entry.
    let bare = object(&json!({}));
    let mut live = object(&json!({"secrets": [{"name": "x"}]}));
    live["metadata"]["uid"] = json!("u");
    assert_eq!(compare(&bare, &live, OURS, &[]), Comparison::Same);
    let empty = object(&json!({"data": {}}));
    let live = object(&json!({"data": {}}));
    assert_eq!(
        told(compare(&empty, &live, OURS, &[])),
        ["? metadata.managedFields"]
    );
    let ignored = object(&json!({"data": {"a": "x"}}));
    assert_eq!(
        compare(&ignored, &live, OURS, &ignore(&["data"])),
        Comparison::Same
    );
    assert_eq!(
        told(compare(&ignored, &live, OURS, &ignore(&["data.a"]))),
        ["? metadata.managedFields"]
    );
}

#[test]
fn unreadable_entries_make_unsure_only_where_they_may_be_ours() {
    let fields = json!({"f:data": {"f:a": {}}});
    let compared = |list: Value| {
        let mut live = object(&json!({"data": {"a": "x"}}));
        live["metadata"]["managedFields"] = list;
        told(compare(
            &object(&json!({"data": {"a": "x"}})),
            &live,
            OURS,
            &[],
        ))
    };
    let ours = entry(OURS, "Apply", &fields);
    let broken = |manager: Value| json!({"manager": manager, "operation": 7});
    assert_eq!(compared(json!([ours, broken(json!("x"))])), ["same"]);
    assert_eq!(compared(json!([broken(json!("x")), ours])), ["same"]);
    assert_eq!(compared(json!([ours, 7])), ["? metadata.managedFields[1]"]);
    assert_eq!(
        compared(json!([broken(json!(null)), ours])),
        ["? metadata.managedFields[0]"]
    );
    assert_eq!(
        compared(json!([broken(json!(OURS))])),
        ["? metadata.managedFields[0]"]
    );
    assert_eq!(compared(json!({})), ["? metadata.managedFields"]);
    assert_eq!(
        compared(json!(null)),
        ["metadata.managedFields: \"weftctl-0123456789\", - ()"]
    );
    let malformed: Vec<_> = {
        let mut live = object(&json!({}));
        live["metadata"]["managedFields"] = json!([1, ours, {}]);
        entries(&live)
            .filter_map(Result::err)
            .map(|error| error.to_string())
            .collect()
    };
    assert_eq!(
        malformed,
        [
            "managed fields cannot be read at metadata.managedFields[0]",
            "managed fields cannot be read at metadata.managedFields[2]",
        ]
    );
}

#[test]
fn values_of_secrets_never_show() {
    let (mut desired, live) = recorded("Secret", "s");
    // Base64 over two lines is the same bytes; what was sent as a text is in data now.
    desired
        .as_object_mut()
        .expect("it is a mapping")
        .shift_remove("stringData");
    let mut known = live.clone();
    known["metadata"]["managedFields"] = json!([entry(
        OURS,
        "Apply",
        &json!({"f:type": {}, "f:data": {"f:k": {}}})
    )]);
    assert_eq!(compare(&desired, &known, OURS, &[]), Comparison::Same);
    desired["data"] = json!({"k": "Q0FOQVJZ", "new": "Q0FOQVJZMg==", "plain": "dGV4dA=="});
    let mut before = json!({"f:type": {}, "f:data": {"f:k": {}, "f:plain": {}, "f:gone": {}}});
    let mut live = known;
    live["data"]["gone"] = json!("Q0FOQVJZ");
    live["metadata"]["managedFields"] = json!([entry(OURS, "Apply", &before)]);
    let drifts = compare(&desired, &live, OURS, &[]);
    let shown = format!("{drifts:?}");
    assert!(
        !shown.contains("Q0FOQVJZ") && !shown.contains("aHVudGVyMg"),
        "{shown}"
    );
    assert_eq!(
        told(drifts),
        [
            format!("data.k: \"{MASK}\", \"{MASK} (differs)\" (weftctl-0123456789)"),
            format!("data.new: \"{MASK}\", - ()"),
            format!("data.gone: -, \"{MASK}\" (weftctl-0123456789)"),
        ]
    );
    // Equal, and not ours yet.
    before["f:data"] = json!({"f:k": {}, "f:gone": {}});
    live["metadata"]["managedFields"] = json!([entry(OURS, "Apply", &before)]);
    desired["data"] = json!({"k": live["data"]["k"], "plain": "dGV4dA==", "gone": "Q0FOQVJZ"});
    let expected = format!("data.plain: \"{MASK}\", \"{MASK}\" ()");
    assert_eq!(told(compare(&desired, &live, OURS, &[])), [expected]);
    // As a whole, malformed, misspelt, in a copy, inside of another object.
    let secret = |more: &Value| {
        let mut secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}});
        for (key, value) in more.as_object().expect("more is a mapping") {
            secret[key] = value.clone();
        }
        secret
    };
    let plain = "kubectl.kubernetes.io/last-applied-configuration";
    let template = |data: &Value| {
        json!({"apiVersion": "x.io/v1", "kind": "X", "metadata": {"name": "x"},
        "spec": {"template": secret(data)}})
    };
    let pairs = [
        (
            secret(&json!({"data": {"k": "CANARY"}})),
            secret(&json!({})),
        ),
        (
            secret(&json!({"data": "CANARY"})),
            secret(&json!({"data": {"k": "CANARY"}})),
        ),
        (
            secret(&json!({"stringdata": {"k": {"CANARY": "CANARY"}}})),
            secret(&json!({"stringdata": ["CANARY"]})),
        ),
        (
            secret(&json!({"metadata": {"name": "s", "annotations": {plain: "CANARY"}}})),
            secret(&json!({"metadata": {"name": "s", "annotations": {plain: "CANARY2"}}})),
        ),
        (
            template(&json!({"data": {"k": "CANARY"}})),
            template(&json!({"data": {"k": "CANARY2"}})),
        ),
    ];
    for (desired, live) in pairs {
        let Comparison::Different(drifts) = compare(&desired, &live, OURS, &[]) else {
            panic!("{desired} differs from {live}");
        };
        assert_eq!(drifts.len(), 2, "one of a value, one of our entry");
        for drift in &drifts {
            let json = serde_json::to_string(&(&drift.wanted, &drift.live));
            let json = json.expect("values have a JSON form");
            let shown = json.replace("{\"CANARY\":", "");
            assert!(!shown.contains("CANARY"), "{shown}");
        }
    }
}

#[test]
fn managers_whose_fields_we_want_are_found_for_adoption() {
    let (desired, live) = recorded("Deployment", "csa");
    let overlap = overlaps(&desired, &live, &[]);
    assert_eq!(overlap.len(), 1);
    assert_eq!(overlap[0].owner.manager, "kubectl-create");
    assert!(overlap[0].is_client_side);
    assert_eq!(
        overlap[0].fields,
        [
            "spec.replicas",
            "spec.selector",
            "spec.template.metadata.labels.app",
            "spec.template.spec.containers[name=nginx].image",
            "spec.template.spec.containers[name=nginx].name",
        ]
    );
    let ignored = ignore(&["spec.template", "spec.selector"]);
    assert_eq!(
        overlaps(&desired, &live, &ignored)[0].fields,
        ["spec.replicas"]
    );
    assert_eq!(overlaps(&desired, &live, &ignore(&["spec"])), []);
    // A controller and a subresource are no tools of people; who holds nothing of it doesn't matter.
    let (desired, live) = recorded("Deployment", "odd");
    let overlap = overlaps(&desired, &live, &[]);
    assert_eq!(overlap.len(), 1);
    assert_eq!(
        (overlap[0].owner.manager.as_str(), overlap[0].is_client_side),
        ("kubectl", false)
    );
    assert_eq!(overlap[0].fields, ["spec.replicas"]);
    let mut live = object(
        &json!({"spec": {"tags": ["a"], "ports": [{"port": 1, "protocol": "TCP"}]}, "status": {"x": 1}}),
    );
    let fields = json!({"f:spec": {"f:tags": {"v:\"a\"": {}, "v:\"b\"": {}}, "f:ports": {"k:{\"port\":1,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}}}},
        "f:status": {"f:x": {}}, "f:gone": {}});
    live["metadata"]["managedFields"] = json!([
        entry("kube-controller-manager", "Update", &fields),
        entry("helm", "Apply", &fields),
        7,
        entry(
            "before-first-apply",
            "Update",
            &json!({"f:spec": {"f:tags": {"v:\"a\"": {}}}})
        ),
    ]);
    let desired = object(
        &json!({"spec": {"tags": ["a"], "ports": [{"port": 1}]}, "status": {"x": 1}, "gone": null}),
    );
    let overlap = overlaps(&desired, &live, &[]);
    let told: Vec<_> = overlap
        .iter()
        .map(|one| {
            (
                one.owner.manager.as_str(),
                one.is_client_side,
                one.fields.join(" "),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (
                "kube-controller-manager",
                false,
                "spec.tags[\"a\"] spec.ports[port=1,protocol=TCP].port".to_owned()
            ),
            ("before-first-apply", true, "spec.tags[\"a\"]".to_owned()),
        ]
    );
    for name in [
        "kubectl",
        "kubectl-client-side-apply",
        "kubectl-create",
        "kubectl-edit",
        "kubectl-set",
        "helm",
        "before-first-apply",
    ] {
        assert!(is_client_side(name), "{name}");
    }
    for name in [
        "kube-controller-manager",
        "kubectlx",
        "argocd-controller",
        OURS,
        "",
    ] {
        assert!(!is_client_side(name), "{name}");
    }
}

#[test]
fn depth_has_an_end() {
    let (mut desired, mut live, mut fields) = (json!(1), json!(1), json!({}));
    for _ in 0..3_000 {
        desired = json!({"a": desired});
        live = json!({"a": live});
        fields = json!({"f:a": fields});
    }
    let deep = "spec".to_owned() + &".a".repeat(DEPTH - 1);
    let wanted = object(&json!({"spec": desired}));
    let held_live = held(&json!({"spec": live}), &json!({"f:spec": fields}));
    assert_eq!(
        told(compare(&wanted, &held_live, OURS, &[])),
        [format!("? {deep}")]
    );
    let nothing = object(&json!({}));
    let drifts = told(compare(&nothing, &held_live, OURS, &[]));
    assert!(
        drifts.len() == 1 && drifts[0].starts_with(&deep),
        "{drifts:?}"
    );
    let missing = held(&json!({}), &json!({"f:spec": {"f:b": {}}}));
    assert_eq!(told(compare(&wanted, &missing, OURS, &[])).len(), 1);
    let mut other = held_live;
    other["metadata"]["managedFields"][0]["operation"] = json!("Update");
    assert_eq!(overlaps(&wanted, &other, &[])[0].fields, [deep]);
    assert_eq!(
        owners(&other, &Path(vec![Segment::from("spec"); 5_000])),
        []
    );
}
