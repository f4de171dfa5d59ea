//! Owners, selectors and events.

use super::*;

#[test]
fn owners_are_known_by_their_uid() {
    let owner = json!({"metadata": {"uid": "u-1", "name": "web"}});
    let object = |uids: &[&str]| {
        let references: Vec<Value> = uids.iter().map(|uid| json!({"uid": uid})).collect();
        json!({"metadata": {"ownerReferences": references}})
    };
    assert!(owns(&owner, &object(&["u-1"])));
    assert!(owns(&owner, &object(&["u-0", "u-1"])));
    assert!(!owns(&owner, &object(&["u-2"])));
    assert!(!owns(&owner, &object(&[])));
    assert!(!owns(&owner, &owner));
    // A UID that is missing or empty is nobody's.
    assert!(!owns(&json!({}), &object(&[""])));
    assert!(!owns(&json!({"metadata": {"uid": ""}}), &object(&[""])));
    assert!(!owns(
        &owner,
        &json!({"metadata": {"ownerReferences": "u-1"}})
    ));
}

#[test]
fn a_selector_is_written_as_a_query() {
    let set = |selector: Value| {
        live(
            "apps/v1",
            "Deployment",
            &json!({"spec": {"selector": selector}}),
        )
    };
    let plain =
        |kind: &str, selector: Value| live("v1", kind, &json!({"spec": {"selector": selector}}));
    let expression = |key: &str, operator: &str, values: Value| {
        set(json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]}))
    };
    let cases = [
        (set(json!({"matchLabels": {"app": "web"}})), Some("app=web")),
        (
            set(json!({"matchLabels": {"app.kubernetes.io/name": "web", "tier": ""}})),
            Some("app.kubernetes.io/name=web,tier="),
        ),
        (
            set(json!({"matchLabels": {"app": "web"}, "matchExpressions": [
                {"key": "tier", "operator": "In", "values": ["a", "b"]},
                {"key": "env", "operator": "NotIn", "values": ["dev"]},
                {"key": "gpu", "operator": "Exists"},
                {"key": "old", "operator": "DoesNotExist", "values": []},
            ]})),
            Some("app=web,tier in (a,b),env notin (dev),gpu,!old"),
        ),
        (
            set(json!({"matchLabels": null, "matchExpressions": null})),
            None,
        ),
        (set(json!({})), None),
        (set(json!({"matchLabels": {"app": 1}})), None),
        (set(json!({"matchLabels": {"app": "a,b"}})), None),
        (set(json!({"matchLabels": {"": "a"}})), None),
        (set(json!({"matchLabels": ["app"]})), None),
        (expression("a", "In", json!([])), None),
        (expression("a", "Exists", json!(["x"])), None),
        (expression("a", "Gt", json!(["1"])), None),
        (expression("a", "In", json!(["x)"])), None),
        (
            plain("ReplicationController", json!({"app": "web"})),
            Some("app=web"),
        ),
        (
            plain("Service", json!({"app": "web", "matchLabels": "x"})),
            Some("app=web,matchLabels=x"),
        ),
        // A Service without selector, and a kind without any.
        (plain("Service", json!(null)), None),
        (plain("ConfigMap", json!("app=web")), None),
        (
            json!({"spec": {"selector": {"matchLabels": {"app": "web"}}}}),
            None,
        ),
    ];
    for (object, expected) in cases {
        assert_eq!(pod_selector(&object).as_deref(), expected, "{object:#}");
    }
}

/// Events, and reason and count of the last one.
type Case<'a> = (&'a [&'a Value], Option<(&'a str, u64)>);

#[test]
fn the_last_event_is_the_latest_and_a_warning_if_in_doubt() {
    let core = |kind: &str, reason: &str, time: &str, count: u64| {
        json!({"apiVersion": "v1", "kind": "Event", "type": kind, "reason": reason,
            "message": format!("{reason}\nhappened "), "count": count,
            "involvedObject": {"kind": "Pod", "uid": "u-1"},
            "firstTimestamp": "2026-03-01T09:00:00Z", "lastTimestamp": time, "eventTime": null})
    };
    let new = |kind: &str, reason: &str, first: &str, series: Value| {
        json!({"apiVersion": "events.k8s.io/v1", "kind": "Event", "type": kind, "reason": reason,
            "note": format!("{reason} happened"), "regarding": {"kind": "Pod", "uid": "u-1"},
            "eventTime": first, "series": series, "deprecatedFirstTimestamp": null})
    };
    let pulling = core("Normal", "Pulling", "2026-03-01T10:00:05Z", 2);
    let failed = core("Warning", "Failed", "2026-03-01T10:00:05Z", 4);
    let earlier = core("Warning", "FailedMount", "2026-03-01T10:00:04Z", 9);
    let scheduled = new(
        "Normal",
        "Scheduled",
        "2026-03-01T10:00:05.900001Z",
        Value::Null,
    );
    let unscheduled = new(
        "Warning",
        "FailedScheduling",
        "2026-03-01T09:00:00.000001Z",
        json!({"count": 7, "lastObservedTime": "2026-03-01T10:00:06.100000Z"}),
    );
    let elsewhere = core("Normal", "Started", "2026-03-01T12:30:00+02:30", 1);
    let mut other = core("Warning", "Other", "2026-03-02T10:00:00Z", 1);
    other["involvedObject"]["uid"] = json!("u-2");
    let timeless = json!({"type": "Warning", "reason": "Odd", "regarding": {"uid": "u-1"}});

    let cases: &[Case<'_>] = &[
        (&[], None),
        (&[&other], None),
        (&[&pulling, &earlier], Some(("Pulling", 2))),
        (&[&failed, &pulling], Some(("Failed", 4))),
        // In the same second a fraction doesn't beat a warning.
        (&[&failed, &scheduled], Some(("Failed", 4))),
        (&[&pulling, &scheduled], Some(("Scheduled", 1))),
        (
            &[&unscheduled, &failed, &scheduled, &other],
            Some(("FailedScheduling", 7)),
        ),
        // Half past twelve there is ten here.
        (&[&elsewhere, &pulling], Some(("Pulling", 2))),
        (
            &[
                &elsewhere,
                &core("Normal", "Old", "2026-03-01T09:59:59Z", 1),
            ],
            Some(("Started", 1)),
        ),
        (&[&timeless], Some(("Odd", 1))),
        (&[&timeless, &earlier], Some(("FailedMount", 9))),
    ];
    for (events, expected) in cases {
        let found = last_event(events.iter().copied(), "u-1");
        let found = found
            .as_ref()
            .map(|event| (event.reason.as_str(), event.count));
        assert_eq!(found, *expected);
        // The order in which a server lists them doesn't matter.
        let found = last_event(events.iter().rev().copied(), "u-1");
        let found = found
            .as_ref()
            .map(|event| (event.reason.as_str(), event.count));
        assert_eq!(found, *expected);
    }
    let listed = vec![failed];
    let line = EventLine {
        event_type: "Warning".to_owned(),
        reason: "Failed".to_owned(),
        message: "Failed happened".to_owned(),
        count: 4,
        time: Some("2026-03-01T10:00:05Z".to_owned()),
    };
    assert_eq!(last_event(&listed, "u-1"), Some(line));
    assert_eq!(last_event(&listed, ""), None);
}
