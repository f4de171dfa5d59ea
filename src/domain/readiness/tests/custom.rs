//! Custom resources, those of the Gateway API among them.

use super::*;

#[test]
fn a_custom_resource_is_as_ready_as_its_conditions_say() {
    let ready = |status: &str| condition("Ready", status, "Issuing", "Waiting for the issuer.");
    let of = |generation: Value, mut condition: Value| {
        condition["observedGeneration"] = generation;
        condition
    };
    let is = |name: &str, status: &str| condition(name, status, "", "");
    let with = |conditions: Value| json!({"status": {"conditions": conditions}});
    let cases = [
        (json!({"status": {}}), "ready"),
        (json!({"status": {"phase": "Creating"}}), "ready"),
        (with(json!([])), "ready"),
        (with(json!([is("Synced", "False")])), "ready"),
        (with(json!([ready("True")])), "ready"),
        (
            with(json!([ready("False")])),
            "waiting: Issuing: Waiting for the issuer",
        ),
        (
            with(json!([ready("Unknown")])),
            "waiting: Issuing: Waiting for the issuer",
        ),
        (
            with(json!([{"type": "Ready"}])),
            "waiting: condition Ready is Unknown",
        ),
        (
            with(json!([is("Available", "False")])),
            "waiting: condition Available is False",
        ),
        (with(json!([is("Healthy", "True")])), "ready"),
        // The first of the three decides, wherever it stands.
        (
            with(json!([
                is("Healthy", "True"),
                is("Available", "True"),
                is("Ready", "False")
            ])),
            "waiting: condition Ready is False",
        ),
        (
            with(json!([is("Healthy", "False"), is("Available", "True")])),
            "ready",
        ),
        // What was said of an older generation doesn't count.
        (
            with(json!([of(json!(1), ready("True"))])),
            "waiting: condition Ready is of generation 1, not yet of 2",
        ),
        (with(json!([of(json!(2), ready("True"))])), "ready"),
        (with(json!([of(json!("2"), ready("True"))])), "ready"),
        (
            json!({"status": {"observedGeneration": 1, "conditions": [of(json!(2), ready("True"))]}}),
            "waiting: its controller has seen generation 1 of 2",
        ),
        (
            json!({"status": {"observedGeneration": 2, "conditions": [ready("True")]}}),
            "ready",
        ),
        (
            json!({"status": {"observedGeneration": "2", "conditions": [ready("True")]}}),
            "ready",
        ),
    ];
    check("cert-manager.io/v1", "Certificate", &cases);
}

#[test]
fn a_custom_resource_may_say_that_it_is_stalled_reconciling_or_failed() {
    let ready = |status: &str| condition("Ready", status, "Issuing", "Waiting for the issuer.");
    let is = |name: &str, status: &str| condition(name, status, "", "");
    let with = |conditions: Value| json!({"status": {"conditions": conditions}});
    let old = {
        let mut stalled = is("Stalled", "True");
        stalled["observedGeneration"] = json!(1);
        stalled
    };
    let cases = [
        (
            with(json!([
                condition("Stalled", "True", "BuildFailed", "no such path"),
                ready("False")
            ])),
            "failed: BuildFailed: no such path",
        ),
        (
            with(json!([is("Stalled", "False"), ready("True")])),
            "ready",
        ),
        (
            with(json!([old, ready("False")])),
            "waiting: Issuing: Waiting for the issuer",
        ),
        (
            with(json!([
                condition("Reconciling", "True", "Progressing", "building"),
                ready("True")
            ])),
            "waiting: Progressing: building",
        ),
        (
            with(json!([
                condition("Failed", "True", "Quota", "too many"),
                ready("False")
            ])),
            "failed: Quota: too many",
        ),
        (
            with(json!([is("Failed", "True"), ready("False")])),
            "failed: Issuing: Waiting for the issuer",
        ),
        (
            with(json!([is("Failed", "True")])),
            "failed: condition Failed is True",
        ),
        (with(json!([is("Failed", "True"), ready("True")])), "ready"),
        (with(json!([is("Failed", "False"), ready("True")])), "ready"),
    ];
    check("kustomize.toolkit.fluxcd.io/v1", "Kustomization", &cases);
}

#[test]
fn a_condition_that_a_kind_is_known_to_report_is_waited_for() {
    let column = |path: &str| json!({"name": "X", "type": "string", "jsonPath": path});
    let definition = |paths: &[&str]| {
        let columns: Vec<Value> = paths.iter().map(|path| column(path)).collect();
        json!({"spec": {"versions": [
            {"name": "v1alpha1", "additionalPrinterColumns": [column(".spec.x")]},
            {"name": "v1", "additionalPrinterColumns": columns},
        ]}})
    };
    let age = ".metadata.creationTimestamp";
    let cases: &[(&[&str], Option<&str>)] = &[
        (&[], None),
        (&[age, ".status.phase"], None),
        (
            &[r#".status.conditions[?(@.type=="Ready")].status"#, age],
            Some("Ready"),
        ),
        (
            &[r#".status.conditions[?(@.type == "Ready")].status"#],
            Some("Ready"),
        ),
        (
            &["$.status.conditions[?(@.type=='Healthy')].status"],
            Some("Healthy"),
        ),
        (
            &["{.status.conditions[?(@.type=='Available')].status}"],
            Some("Available"),
        ),
        // Ours in their order, others not at all, and no other field of the condition.
        (
            &[
                ".status.conditions[?(@.type=='Synced')].status",
                ".status.conditions[?(@.type=='Healthy')].status",
                ".status.conditions[?(@.type=='Ready')].status",
            ],
            Some("Ready"),
        ),
        (&[".status.conditions[?(@.type=='Ready')].message"], None),
        (&[".status.conditions[?(@.type=='Ready"], None),
        (&[".status.conditions[?(@.type==é)].status"], None),
    ];
    for (paths, expected) in cases {
        assert_eq!(
            reported_condition(&definition(paths), "v1"),
            *expected,
            "{paths:?}"
        );
        assert_eq!(reported_condition(&definition(paths), "v1alpha1"), None);
        assert_eq!(reported_condition(&definition(paths), "v2"), None);
    }
    assert_eq!(
        reported_condition(&json!({"spec": {"versions": 1}}), "v1"),
        None
    );

    let related = Related {
        condition: Some("Ready"),
        ..Related::default()
    };
    let object = |conditions: Value| {
        live(
            "example.com/v1",
            "Widget",
            &json!({"status": {"conditions": conditions}}),
        )
    };
    let just_made = "waiting: condition Ready is not reported yet";
    let fresh = live("example.com/v1", "Widget", &json!({}));
    assert_eq!(said_with(&fresh, &related), just_made);
    assert_eq!(said_with(&object(json!([])), &related), just_made);
    let ready = json!([condition("Ready", "True", "", "")]);
    assert_eq!(said_with(&object(ready), &related), "ready");
    let failed = json!([condition("Failed", "True", "Broken", "")]);
    assert_eq!(said_with(&object(failed), &related), "failed: Broken");
}

#[test]
fn a_gateway_is_ready_when_it_is_programmed() {
    let pending = |name: &str| condition(name, "Unknown", "Pending", "Waiting for controller");
    let is = |name: &str, status: &str, reason: &str| {
        let mut condition = condition(name, status, reason, "");
        condition["observedGeneration"] = json!(2);
        condition
    };
    let old = |name: &str| {
        let mut condition = is(name, "True", name);
        condition["observedGeneration"] = json!(1);
        condition
    };
    let broken = json!([
        {"name": "http", "conditions": [is("Programmed", "True", "Programmed")]},
        {"name": "https", "conditions": [
            condition("ResolvedRefs", "False", "InvalidCertificateRef", "no secret tls"),
            is("Programmed", "False", "Invalid"),
        ]},
    ]);
    let cases = [
        (json!({}), "waiting: condition Accepted is not reported yet"),
        (
            json!({"status": {"conditions": [pending("Accepted"), pending("Programmed")]}}),
            "waiting: Pending: Waiting for controller",
        ),
        (
            json!({"status": {"conditions": [is("Accepted", "True", "Accepted")]}}),
            "waiting: condition Programmed is not reported yet",
        ),
        (
            json!({"status": {
                "conditions": [is("Accepted", "True", "Accepted"), is("Programmed", "False", "Invalid")],
                "listeners": broken,
            }}),
            "waiting: Invalid; listener https: InvalidCertificateRef: no secret tls",
        ),
        (
            json!({"status": {"conditions": [old("Accepted"), old("Programmed")]}}),
            "waiting: condition Accepted is of generation 1, not yet of 2",
        ),
        (
            json!({"status": {"conditions": [
                is("Accepted", "True", "Accepted"), is("Programmed", "True", "Programmed")]}}),
            "ready",
        ),
    ];
    check("gateway.networking.k8s.io/v1", "Gateway", &cases);
    let cases = [
        (json!({}), "waiting: its controller has not seen it yet"),
        (
            json!({"status": {"conditions": [is("Accepted", "True", "Accepted")]}}),
            "ready",
        ),
    ];
    check("gateway.networking.k8s.io/v1", "GatewayClass", &cases);
}

#[test]
fn a_route_is_ready_when_all_its_parents_take_it() {
    let is = |name: &str, status: &str, reason: &str| condition(name, status, reason, "");
    let taken = || json!([is("Accepted", "True", ""), is("ResolvedRefs", "True", "")]);
    let answer = |parent: Value, conditions: Value| json!({"parentRef": parent, "controllerName": "example.com/c", "conditions": conditions});
    let two = json!({"parentRefs": [{"name": "a"}, {"name": "b", "sectionName": "https"}]});
    // Controllers write defaults out.
    let a = || {
        json!({"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": "shop",
            "name": "a"})
    };
    let b = || json!({"name": "b", "sectionName": "https"});
    let old = {
        let mut accepted = is("Accepted", "True", "");
        accepted["observedGeneration"] = json!(1);
        json!([accepted])
    };
    let cases = [
        (json!({"spec": {}}), "ready"),
        (
            json!({"spec": two}),
            "waiting: gateway a: has not answered yet",
        ),
        (
            json!({"spec": two, "status": {"parents": [answer(a(), taken())]}}),
            "waiting: gateway b: has not answered yet",
        ),
        (
            json!({"spec": two, "status": {"parents": [
                answer(a(), taken()), answer(json!({"name": "b"}), taken())]}}),
            "waiting: gateway b: has not answered yet",
        ),
        (
            json!({"spec": two, "status": {"parents": [answer(b(), taken()), answer(a(), taken())]}}),
            "ready",
        ),
        (
            json!({"spec": two, "status": {"parents": [answer(a(), json!([]))]}}),
            "waiting: gateway a: has not accepted it yet",
        ),
        (
            json!({"spec": two, "status": {"parents": [
                answer(a(), json!([is("Accepted", "False", "NotAllowedByListeners")]))]}}),
            "waiting: gateway a: NotAllowedByListeners",
        ),
        (
            json!({"spec": two, "status": {"parents": [answer(a(), old)]}}),
            "waiting: gateway a: condition Accepted is of generation 1, not yet of 2",
        ),
        (
            json!({"spec": two, "status": {"parents": [answer(a(), json!([
                is("Accepted", "True", ""),
                condition("ResolvedRefs", "False", "BackendNotFound", "service web not found")]))]}}),
            "waiting: gateway a: BackendNotFound: service web not found",
        ),
        // A mesh: the parent is a service of the core group.
        (
            json!({"spec": {"parentRefs": [{"group": "", "kind": "Service", "name": "web"}]},
                "status": {"parents": [answer(
                    json!({"group": "", "kind": "Service", "name": "web"}), taken())]}}),
            "ready",
        ),
        (
            json!({"spec": {"parentRefs": [{"group": "", "kind": "Service", "name": "web"}]},
                "status": {"parents": [answer(json!({"kind": "Service", "name": "web"}), taken())]}}),
            "waiting: service web: has not answered yet",
        ),
    ];
    for kind in ["HTTPRoute", "GRPCRoute", "TLSRoute"] {
        check("gateway.networking.k8s.io/v1", kind, &cases);
    }
}
