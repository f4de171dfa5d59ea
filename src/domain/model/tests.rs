//! Models from small documents, from archives right and wrong, and the built-in one.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::*;

fn documents() -> Vec<(&'static str, Value)> {
    let meta = json!({
        "type": "object", "description": "prose",
        "properties": {"name": {"type": "string"}, "labels": {"type": "object", "additionalProperties": {"type": "string"}}},
    });
    let apps = json!({
        "openapi": "3.0.0",
        "paths": {"/apis/apps/v1/": {}},
        "components": {"schemas": {
            "apps.v1.Widget": {
                "type": "object",
                "description": "prose",
                "properties": {
                    "apiVersion": {"type": "string"},
                    "kind": {"type": "string"},
                    "metadata": {"allOf": [{"$ref": "#/components/schemas/meta"}], "default": {}},
                    "spec": {"$ref": "#/components/schemas/apps.v1.WidgetSpec"},
                },
                "x-kubernetes-group-version-kind": [{"group": "apps", "version": "v1", "kind": "Widget"}],
            },
            "apps.v1.WidgetSpec": {
                "type": "object",
                "properties": {"size": {"type": "integer", "default": 1}, "description": {"type": "string"}},
                "required": ["size"],
            },
            "apps.v1.WidgetList": {
                "type": "object",
                "properties": {"items": {"type": "array", "items": {"$ref": "#/components/schemas/apps.v1.Widget"}}},
                "x-kubernetes-group-version-kind": [{"group": "apps", "version": "v1", "kind": "WidgetList"}],
            },
            "unreached": {"type": "string"},
            "meta": meta,
        }},
    });
    let core = json!({
        "openapi": "3.0.0",
        "components": {"schemas": {
            "v1.Box": {
                "properties": {"metadata": {"$ref": "#/components/schemas/meta"}},
                "x-kubernetes-group-version-kind": [{"group": "", "version": "v1", "kind": "Box"}],
            },
            "meta": meta,
        }},
    });
    // An API server of another age: its own idea of `meta`, and a definition that uses it.
    let old = json!({
        "components": {"schemas": {
            "org.example.v1.Thing": {
                "type": "object",
                "properties": {"metadata": {"$ref": "#/components/schemas/meta"}, "spec": {"type": "object"}},
                "x-kubernetes-group-version-kind": [{"group": "example.org", "version": "v1", "kind": "Thing"}],
            },
            "meta": {"type": "object", "properties": {"name": {"type": "string"}, "clusterName": {"type": "string"}}},
        }},
    });
    let version = json!({"openapi": "3.0.0", "paths": {"/version/": {}}});
    vec![
        ("apis/apps/v1", apps),
        ("api/v1", core),
        ("apis/example.org/v1", old),
        ("version", version),
    ]
}

fn aggregated() -> Vec<Value> {
    let resource = |name: &str, kind: &str, scope: &str, verbs: &[&str]| {
        json!({
            "resource": name, "responseKind": {"group": "", "version": "", "kind": kind}, "scope": scope,
            "singularResource": kind.to_lowercase(), "verbs": verbs, "shortNames": ["w"],
            "subresources": [{"subresource": "status", "responseKind": {"kind": kind}, "verbs": ["get"]}],
        })
    };
    let list = |items: Value| json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "items": items});
    vec![
        list(json!([{"metadata": {}, "versions": [
            {"version": "v1", "resources": [resource("boxes", "Box", "Cluster", &["get"]), resource("nothings", "Nothing", "Cluster", &[])]},
        ]}])),
        list(json!([
            {"metadata": {"name": "apps"}, "versions": [
                {"version": "v1", "resources": [resource("widgets", "Widget", "Namespaced", &["create", "get"])]},
                {"version": "v1beta1", "resources": [resource("widgets", "Widget", "Namespaced", &["get"])]},
            ]},
            {"metadata": {"name": "example.org"}, "versions": [
                {"version": "v1", "resources": [resource("things", "Thing", "Namespaced", &["get"])]},
            ]},
        ])),
    ]
}

fn unaggregated() -> Vec<Value> {
    let list = |version: &str, resources: Value| json!({"kind": "APIResourceList", "groupVersion": version, "resources": resources});
    vec![
        json!({"kind": "APIVersions", "versions": ["v1"]}),
        json!({"kind": "APIGroupList", "groups": [
            {"name": "apps", "preferredVersion": {"groupVersion": "apps/v1", "version": "v1"}},
            {"name": "example.org", "preferredVersion": {"version": "v1"}},
        ]}),
        list(
            "v1",
            json!([
                {"name": "boxes", "singularName": "box", "namespaced": false, "kind": "Box", "verbs": ["get"], "shortNames": ["w"]},
                {"name": "boxes/status", "singularName": "", "namespaced": false, "kind": "Box", "verbs": ["get"]},
            ]),
        ),
        list(
            "apps/v1",
            json!([
                {"name": "widgets", "singularName": "widget", "namespaced": true, "kind": "Widget", "verbs": ["create", "get"], "shortNames": ["w"]},
            ]),
        ),
        list(
            "apps/v1beta1",
            json!([
                {"name": "widgets", "singularName": "widget", "namespaced": true, "kind": "Widget", "verbs": ["get"], "shortNames": ["w"]},
            ]),
        ),
        list(
            "example.org/v1",
            json!([
                {"name": "things", "singularName": "thing", "namespaced": true, "kind": "Thing", "verbs": ["get"], "shortNames": ["w"]},
            ]),
        ),
    ]
}

fn build(documents: &[(&str, Value)], discovery: &[Value]) -> Model {
    let mut builder = ModelBuilder::new(ModelInfo::kubernetes("v1.35.4"));
    for document in discovery {
        builder.discovery(document).unwrap();
    }
    for (path, document) in documents {
        builder.openapi(path, document).unwrap();
    }
    builder.build()
}

fn model() -> Model {
    build(&documents(), &aggregated())
}

#[track_caller]
fn violations(schema: &Schema, object: &Value) -> Vec<String> {
    schema
        .violations(object)
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn kinds_come_from_discovery_and_definitions_from_what_they_reach() {
    let model = model();
    let kinds: Vec<String> = model
        .kinds()
        .iter()
        .map(|info| format!("{} {} {:?}", info.api_version(), info.kind, info.scope))
        .collect();
    assert_eq!(
        kinds,
        [
            "v1 Box Cluster",
            "example.org/v1 Thing Namespaced",
            "apps/v1 Widget Namespaced",
            "apps/v1beta1 Widget Namespaced"
        ]
    );
    assert_eq!(
        model.definitions().collect::<Vec<_>>(),
        [
            "apps.v1.Widget",
            "apps.v1.WidgetSpec",
            "meta",
            "meta+apis.example.org.v1",
            "org.example.v1.Thing",
            "v1.Box"
        ]
    );
    assert_eq!(
        model.definition("apps.v1.WidgetSpec"),
        Some(
            r#"{"properties":{"description":{"type":"string"},"size":{"default":1,"type":"integer"}},"required":["size"],"type":"object"}"#
        )
    );
    let widget = model.find("apps/v1", "Widget").unwrap();
    assert!(
        widget.preferred
            && !widget.custom
            && widget.has_verb("create")
            && !widget.has_verb("delete")
    );
    assert_eq!(
        (widget.plural.as_str(), widget.singular.as_str()),
        ("widgets", "widget")
    );
    assert!(!model.find("apps/v1beta1", "Widget").unwrap().preferred);
    assert!(model.find("example.org/v1", "Thing").unwrap().custom);
    assert_eq!(model.is_namespaced("v1", "Box"), Some(false));
    assert_eq!(model.is_namespaced("v1", "Bax"), None);
    assert_eq!(model.kinds_named("Widget").len(), 2);
    assert_eq!(model.nearest_kind("Wigdet"), Some("Widget"));
}

#[test]
fn schemas_of_a_model_check_objects() {
    let model = model();
    let schema = model.schema_for("apps/v1", "Widget").unwrap();
    let object = json!({"apiVersion": "apps/v1", "kind": "Widget", "metadata": {"nam": "a"}, "spec": {"siz": 1}});
    assert_eq!(
        violations(&schema, &object),
        [
            r#"metadata.nam: unknown field "nam", did you mean "name"?"#,
            r#"spec.siz: unknown field "siz", did you mean "size"?"#,
            r#"spec: missing field "size""#,
        ]
    );
    // Served, but not described: anything is right.
    let schema = model.schema_for("apps/v1beta1", "Widget").unwrap();
    assert!(!schema.is_known());
    assert_eq!(violations(&schema, &object), [""; 0]);
    // Each definition keeps the meaning that it had in its own document.
    let box_ = model.schema_for("v1", "Box").unwrap();
    assert_eq!(
        violations(&box_, &json!({"metadata": {"clusterName": "a"}})).len(),
        1
    );
    // A custom object without declared fields has none.
    let thing = model.schema_for("example.org/v1", "Thing").unwrap();
    assert_eq!(
        violations(&thing, &json!({"spec": {"a": 1}})),
        [r#"spec.a: unknown field "a""#]
    );
}

#[test]
fn the_same_input_in_any_order_and_form_makes_the_same_bytes() {
    let bytes = model().to_archive();
    let mut reversed = documents();
    reversed.reverse();
    let mut discovery = aggregated();
    discovery.reverse();
    assert_eq!(build(&reversed, &discovery).to_archive(), bytes);
    assert_eq!(build(&documents(), &unaggregated()).to_archive(), bytes);
}

#[test]
fn an_archive_gives_the_model_back() {
    let model = model();
    let bytes = model.to_archive();
    let read = Model::from_archive(&bytes).unwrap();
    assert_eq!(read.info(), model.info());
    assert_eq!(read.kinds(), model.kinds());
    assert_eq!((read.name(), read.version()), ("kubernetes", "v1.35.4"));
    for name in model.definitions() {
        assert_eq!(read.definition(name), model.definition(name));
    }
    assert_eq!(read.to_archive(), bytes);
    let thing = read.schema_for("example.org/v1", "Thing").unwrap();
    assert_eq!(violations(&thing, &json!({"spec": {"a": 1}})).len(), 1);
}

fn pack(text: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    out.write_all(text).unwrap();
    out.finish().unwrap()
}

#[test]
fn archives_that_are_wrong_are_refused() {
    let header = |format: u32, definitions: Value| {
        let info = serde_json::to_value(ModelInfo::kubernetes("v1")).unwrap();
        let index =
            json!({"format": format, "model": info, "kinds": [], "definitions": definitions});
        pack(format!("{index}\n{{}}é").as_bytes())
    };
    let right = header(1, json!([["a", 0, 2, false], ["b", 2, 4, true]]));
    assert!(Model::from_archive(&right).is_ok());
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("the model archive is truncated", Vec::new()),
        ("not a model archive", b"{}".to_vec()),
        (
            "the model archive is truncated",
            right[..right.len() / 2].to_vec(),
        ),
        (
            "the model archive is truncated",
            right[..right.len() - 3].to_vec(),
        ),
        ("the model archive is truncated", pack(b"{}")),
        ("the model archive is truncated", pack(b"")),
        ("the model archive has no valid index", pack(b"{}\n")),
        ("the model archive has no valid index", pack(b"nonsense\n")),
        (
            "the model archive has no valid index",
            header(1, json!([["a", -1, 2, false]])),
        ),
        ("the model archive is not valid UTF-8", pack(b"{}\n\xff")),
        (
            "the model archive has format 2, this version reads format 1",
            header(2, json!([])),
        ),
        (
            "the model archive has format 7, this version reads format 1",
            pack(b"{\"format\": 7, \"new\": true}\n"),
        ),
        (
            r#"the index of the model archive is wrong at definition "a""#,
            header(1, json!([["a", 0, 5, false]])),
        ),
        (
            r#"the index of the model archive is wrong at definition "a""#,
            header(1, json!([["a", 2, 1, false]])),
        ),
        (
            r#"the index of the model archive is wrong at definition "a""#,
            header(1, json!([["a", 0, 3, false]])),
        ),
        (
            r#"the index of the model archive is wrong at definition "a""#,
            header(1, json!([["a", usize::MAX, usize::MAX, false]])),
        ),
        (
            r#"the index of the model archive is wrong at definition "a""#,
            header(1, json!([["b", 0, 2, false], ["a", 0, 2, false]])),
        ),
        (
            r#"the index of the model archive is wrong at definition "a""#,
            header(1, json!([["a", 0, 2, false], ["a", 0, 2, false]])),
        ),
    ];
    for (expected, bytes) in cases {
        assert_eq!(
            Model::from_archive(&bytes).unwrap_err().to_string(),
            expected
        );
    }
    let bomb = pack(&vec![b' '; 10 << 20]);
    assert!(matches!(
        Model::from_archive(&bomb),
        Err(ArchiveError::TooLarge { .. })
    ));
    let mut damaged = right.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0x55;
    assert!(Model::from_archive(&damaged).is_err());
}

#[test]
fn an_archive_with_an_unreadable_definition_is_noted_not_fatal() {
    let info = serde_json::to_value(ModelInfo::kubernetes("v1")).unwrap();
    let kinds = json!([{"version": "v1", "kind": "Box", "definition": "a", "scope": "Cluster"}]);
    let index =
        json!({"format": 1, "model": info, "kinds": kinds, "definitions": [["a", 0, 2, false]]});
    let model = Model::from_archive(&pack(format!("{index}\n{{]").as_bytes())).unwrap();
    assert_eq!(
        violations(&model.schema_for("v1", "Box").unwrap(), &json!({"x": 1})),
        [""; 0]
    );
    assert_eq!(model.notes().len(), 1);
}

#[test]
fn flipped_bytes_never_panic() {
    let bytes = model().to_archive();
    for position in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[position] ^= 1 << (position % 8);
        if let Ok(model) = Model::from_archive(&damaged) {
            for info in model.kinds() {
                model.schema_of(info).violations(&json!({"spec": {}}));
            }
        }
    }
}

#[test]
fn other_documents_are_refused_by_name() {
    let mut builder = ModelBuilder::new(ModelInfo::kubernetes("v1"));
    assert_eq!(
        builder
            .openapi("openapi/v3/api/v1", &json!({"kind": "Status"}))
            .unwrap_err()
            .to_string(),
        "openapi/v3/api/v1 is not an OpenAPI document"
    );
    assert_eq!(
        builder
            .discovery(&json!({"kind": "Status"}))
            .unwrap_err()
            .to_string(),
        r#"not a discovery document: "Status""#
    );
    assert_eq!(builder.build().kinds(), []);
}

fn crd() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "gadgets.example.org"},
        "spec": {
            "group": "example.org",
            "names": {"kind": "Gadget", "plural": "gadgets", "shortNames": ["gd"]},
            "scope": "Namespaced",
            "versions": [
                {"name": "v1beta1", "served": true, "storage": false, "schema": {"openAPIV3Schema": {
                    "type": "object", "x-kubernetes-preserve-unknown-fields": true,
                }}},
                {"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                    "type": "object",
                    "required": ["spec"],
                    "properties": {
                        "metadata": {"type": "object", "properties": {"name": {"type": "string", "maxLength": 3}}},
                        "spec": {"type": "object", "properties": {
                            "mode": {"type": "string", "enum": ["fast", "slow"]},
                            "rules": {"type": "array", "items": {"type": "object", "required": ["port"], "properties": {
                                "port": {"x-kubernetes-int-or-string": true},
                            }}},
                        }},
                    },
                }}},
                {"name": "v1alpha1", "served": false, "storage": false},
            ],
        },
    })
}

#[test]
fn a_custom_resource_definition_brings_its_served_kinds() {
    let kinds = CustomKinds::from_crd(&crd()).unwrap();
    let versions: Vec<_> = kinds
        .kinds()
        .iter()
        .map(|info| (info.api_version(), info.preferred))
        .collect();
    assert_eq!(
        versions,
        [
            ("example.org/v1beta1".to_owned(), false),
            ("example.org/v1".to_owned(), true)
        ]
    );
    let info = &kinds.kinds()[0];
    assert_eq!(
        (info.singular.as_str(), info.custom, info.is_namespaced()),
        ("gadget", true, Some(true))
    );
    let model = kinds.into_model(ModelInfo::named("design", "Design", "", "design"));
    let schema = model.schema_for("example.org/v1", "Gadget").unwrap();
    let right = json!({"apiVersion": "example.org/v1", "kind": "Gadget", "metadata": {"name": "a", "labels": {"x": "y"}},
        "spec": {"mode": "fast", "rules": [{"port": "http"}]}});
    assert_eq!(violations(&schema, &right), [""; 0]);
    let wrong = json!({"apiVersion": "example.org/v1", "kind": "Gadget", "metadata": {"name": "long", "lables": {}},
        "spec": {"mode": "", "rules": [{}], "rule": 1}});
    assert_eq!(
        violations(&schema, &wrong),
        [
            r#"metadata.lables: unknown field "lables", did you mean "labels"?"#,
            "metadata.name: must have at most 3 characters, found 4",
            r#"spec.mode: string "" is not allowed, only "fast" or "slow""#,
            r#"spec.rules[0]: missing field "port""#,
            r#"spec.rule: unknown field "rule", did you mean "rules"?"#,
        ]
    );
    let schema = model.schema_for("example.org/v1beta1", "Gadget").unwrap();
    assert_eq!(
        violations(&schema, &json!({"spec": {"x": 1}, "y": 2})),
        [""; 0]
    );
}

#[test]
fn the_beta_form_of_a_custom_resource_definition_is_read() {
    let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {"a": {"type": "integer"}}}}});
    let mut crd = json!({
        "apiVersion": "apiextensions.k8s.io/v1beta1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "olds.example.org"},
        "spec": {
            "group": "example.org", "version": "v1", "scope": "Cluster",
            "names": {"kind": "Old", "plural": "olds"},
            "validation": {"openAPIV3Schema": schema},
        },
    });
    let check = |crd: &Value, object: Value| {
        let model = CustomKinds::from_crd(crd)
            .unwrap()
            .into_model(ModelInfo::named("a", "A", "", "file"));
        violations(&model.schema_for("example.org/v1", "Old").unwrap(), &object)
    };
    // Unknown fields are kept by default in this form.
    assert_eq!(
        check(&crd, json!({"x": 1, "spec": {"a": "b"}})),
        [r#"spec.a: expected integer, found string "b""#]
    );
    crd["spec"]["preserveUnknownFields"] = json!(false);
    assert_eq!(check(&crd, json!({"x": 1})), [r#"x: unknown field "x""#]);
    crd["spec"]["versions"] =
        json!([{"name": "v1", "served": true}, {"name": "v2", "served": true}]);
    assert_eq!(CustomKinds::from_crd(&crd).unwrap().kinds().len(), 2);
    assert_eq!(check(&crd, json!({"x": 1})).len(), 1);
}

#[test]
fn definitions_that_are_wrong_are_refused() {
    assert_eq!(
        CustomKinds::from_crd(&json!({"kind": "Pod"})).unwrap_err(),
        CrdError::NotACrd
    );
    assert_eq!(
        CustomKinds::from_crd(&Value::Null).unwrap_err(),
        CrdError::NotACrd
    );
    for (pointer, field) in [
        ("/spec/group", "spec.group"),
        ("/spec/names/kind", "spec.names.kind"),
        ("/spec/names/plural", "spec.names.plural"),
        ("/spec/scope", "spec.scope"),
        ("/spec/versions", "spec.versions"),
    ] {
        let mut crd = crd();
        *crd.pointer_mut(pointer).unwrap() = json!(1);
        assert_eq!(
            CustomKinds::from_crd(&crd).unwrap_err().to_string(),
            format!(r#"the CustomResourceDefinition "gadgets.example.org" has no valid {field}"#)
        );
    }
}

#[test]
fn versions_are_ranked_as_kubernetes_does() {
    let mut versions = [
        "v1alpha1", "v2", "v10", "v1", "v2beta1", "v1beta2", "v1beta10", "nightly", "v",
    ];
    versions.sort_by_key(|version| std::cmp::Reverse(version_rank(version)));
    assert_eq!(
        &versions[..7],
        [
            "v10", "v2", "v1", "v2beta1", "v1beta10", "v1beta2", "v1alpha1"
        ]
    );
}

#[test]
fn layers_are_asked_in_order() {
    let mut catalog = Catalog::of(Arc::new(model()));
    let gadget = json!({"spec": {"mode": 1}});
    assert!(catalog.find("example.org/v1", "Gadget").is_none());
    catalog.add_file("crds/gadgets.yaml", &crd()).unwrap();
    assert_eq!(
        violations(
            &catalog.schema_for("example.org/v1", "Gadget").unwrap(),
            &gadget
        )
        .len(),
        1
    );
    // The design's own definition goes first.
    let mut own = crd();
    own["spec"]["versions"][1]["schema"]["openAPIV3Schema"] =
        json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    catalog.add_own(CustomKinds::from_crd(&own).unwrap());
    assert_eq!(
        violations(
            &catalog.schema_for("example.org/v1", "Gadget").unwrap(),
            &gadget
        ),
        [""; 0]
    );
    assert_eq!(
        catalog.is_namespaced("example.org/v1", "Gadget"),
        Some(true)
    );
    assert_eq!(catalog.is_namespaced("v1", "Box"), Some(false));
    let mut empty = Catalog::empty();
    assert!(empty.find("v1", "Pod").is_none());
    empty.add_archive(&model().to_archive()).unwrap();
    assert!(empty.find("v1", "Box").is_some());
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn schema_files_are_known_by_extension_by_enum_or_by_name() {
    let schema = |extra: Value| {
        let mut schema = json!({"type": "object", "description": "prose", "properties": {
            "apiVersion": {"type": ["string", "null"]}, "kind": {"type": ["string", "null"]},
            "spec": {"type": ["object", "null"], "properties": {"a": {"type": ["integer", "null"]}}},
        }});
        schema
            .as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        schema
    };
    let cases = [
        (
            "x.json",
            json!({"x-kubernetes-group-version-kind": [{"group": "apps", "version": "v1", "kind": "Widget"}]}),
            "apps/v1",
            "Widget",
        ),
        (
            "y.json",
            json!({"properties": {"apiVersion": {"const": "a.b/v2"}, "kind": {"enum": ["One"]}, "spec": {"properties": {"a": {"type": "integer"}}}}}),
            "a.b/v2",
            "One",
        ),
        ("service-v1.json", json!({}), "v1", "Service"),
        (
            "deployment-apps-v1.json",
            json!({}),
            "apps/v1",
            "Deployment",
        ),
        (
            "v1.35-standalone/ingress-networking-v1.json",
            json!({}),
            "networking.k8s.io/v1",
            "Ingress",
        ),
        (
            "gateway-gateway.networking.k8s.io-v1beta1.json",
            json!({}),
            "gateway.networking.k8s.io/v1beta1",
            "Gateway",
        ),
        (
            "cert-manager.io/clusterissuer_v1.json",
            json!({}),
            "cert-manager.io/v1",
            "ClusterIssuer",
        ),
    ];
    for (path, extra, api_version, kind) in cases {
        let mut catalog = Catalog::empty();
        catalog.add_file(path, &schema(extra)).unwrap();
        let (info, schema) = catalog
            .find(api_version, kind)
            .unwrap_or_else(|| panic!("{path}"));
        assert_eq!(info.is_namespaced(), None);
        let object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "n"}, "spec": {"a": "x", "b": 1}});
        assert_eq!(
            violations(&schema, &object),
            [
                r#"spec.a: expected integer, found string "x""#,
                r#"spec.b: unknown field "b""#
            ],
            "{path}"
        );
        assert!(
            catalog.find("other/v1", kind).is_none() && catalog.find(api_version, "Else").is_none()
        );
    }
    let mut catalog = Catalog::of(Arc::new(model()));
    // The file tells the schema, the model below where the kind lives.
    catalog
        .add_file("widget-apps-v1.json", &schema(json!({})))
        .unwrap();
    assert_eq!(catalog.is_namespaced("apps/v1", "Widget"), Some(true));
    for (path, document, message) in [
        (
            "x.json",
            schema(json!({})),
            "x.json does not say which kind it describes: name it <kind>-<group>-<version>.json, or add x-kubernetes-group-version-kind",
        ),
        (
            "values.yaml",
            json!({"replicas": 1}),
            "values.yaml is not a JSON schema, CustomResourceDefinition or OpenAPI document",
        ),
        (
            "a.json",
            json!([]),
            "a.json is not a JSON schema, CustomResourceDefinition or OpenAPI document",
        ),
    ] {
        assert_eq!(
            catalog.add_file(path, &document).unwrap_err().to_string(),
            message
        );
    }
    let mut catalog = Catalog::empty();
    catalog
        .add_file(
            "crds.yaml",
            &json!({"apiVersion": "v1", "kind": "List", "items": [
                {"apiVersion": "v1", "kind": "Namespace"}, crd()
            ]}),
        )
        .unwrap();
    let beside = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}});
    catalog.add_file("crds.yaml", &beside).unwrap();
    catalog.add_file("openapi.json", &documents()[0].1).unwrap();
    assert!(catalog.find("example.org/v1", "Gadget").is_some());
    assert!(catalog.find("apps/v1", "Widget").is_some());
    assert!(catalog.find("apps/v1", "WidgetList").is_none());
}

#[test]
fn an_unknown_kind_is_explained() {
    let catalog = Catalog::builtin();
    let cases = [
        (
            "extensions/v1beta1",
            "Deployment",
            "Deployment is not known as extensions/v1beta1, but as apps/v1",
        ),
        (
            "apps/v1",
            "Deploymnt",
            r#"unknown kind "Deploymnt" in apps/v1, did you mean "Deployment"?"#,
        ),
        (
            "v1",
            "StatefullSet",
            r#"unknown kind "StatefullSet" in v1, did you mean "StatefulSet" (apps/v1)?"#,
        ),
        (
            "example.org/v1",
            "Gadget",
            r#"unknown kind "Gadget" in example.org/v1"#,
        ),
        ("", "", r#"unknown kind "" without an apiVersion"#),
    ];
    for (api_version, kind, expected) in cases {
        assert_eq!(catalog.explain(api_version, kind).to_string(), expected);
    }
}

#[test]
fn the_built_in_model_is_read_and_complete() {
    let model = Model::builtin();
    assert_eq!((model.name(), model.version()), ("kubernetes", "v1.35.4"));
    for (api_version, kind, namespaced) in [
        ("v1", "Pod", true),
        ("v1", "Namespace", false),
        ("apps/v1", "Deployment", true),
        ("batch/v1", "CronJob", true),
        ("networking.k8s.io/v1", "Ingress", true),
        ("autoscaling/v2", "HorizontalPodAutoscaler", true),
        ("rbac.authorization.k8s.io/v1", "ClusterRole", false),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition", false),
        ("apiregistration.k8s.io/v1", "APIService", false),
    ] {
        assert_eq!(
            model.is_namespaced(api_version, kind),
            Some(namespaced),
            "{kind}"
        );
    }
    for info in model.kinds() {
        assert!(
            info.definition.is_some() && !info.custom && !info.verbs.is_empty(),
            "{info:?}"
        );
        assert!(!info.kind.ends_with("List"), "{info:?}");
        let schema = model.schema_of(info);
        assert!(schema.is_known());
        schema.violations(&json!({"apiVersion": info.api_version(), "kind": info.kind, "metadata": {"name": "a"}}));
    }
    // Every definition can be read and every reference resolved.
    for name in model.definitions() {
        let text = model.definition(name).unwrap();
        Schema::of(&model.library, Some(name)).violations(&json!({}));
        assert!(!text.contains("description\":\""), "{name}");
    }
    assert_eq!(model.notes(), [""; 0]);
    assert_eq!(
        Model::from_archive(&model.to_archive()).unwrap().kinds(),
        model.kinds()
    );
}

#[test]
fn ordinary_objects_satisfy_the_built_in_model() {
    let texts = [
        "
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  creationTimestamp: null
  labels: {app.kubernetes.io/name: web}
spec:
  replicas: 2
  strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 25%, maxUnavailable: 0}}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}, annotations: {a.b/c: 'd'}}
    spec:
      containers:
      - name: web
        image: nginx
        ports: [{containerPort: 80, name: http}, {containerPort: 80, protocol: UDP}]
        env:
        - {name: A, value: 'b'}
        - {name: B, valueFrom: {secretKeyRef: {name: s, key: k, optional: true}}}
        resources: {limits: {cpu: 1, memory: 128Mi}, requests: {cpu: 0.5, memory: '1e6'}}
        readinessProbe: {httpGet: {path: /, port: http}, periodSeconds: 5}
        volumeMounts: [{name: data, mountPath: /data}]
        securityContext: {capabilities: {drop: [ALL]}, runAsNonRoot: true}
      topologySpreadConstraints:
      - {maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: DoNotSchedule}
      volumes: [{name: data, emptyDir: {}}]
status: {}
",
        "
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: ClusterIP, ports: [{port: 80, targetPort: http}, {port: 80, targetPort: 81, protocol: UDP, name: b}]}
",
        "
apiVersion: v1
kind: Secret
metadata: {name: s}
type: Opaque
data: {k: aGk=}
stringData: {l: text}
",
        "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: as.example.org}
spec:
  group: example.org
  scope: Namespaced
  names: {kind: A, plural: as, singular: a, listKind: AList}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              deep: {type: array, items: {type: object, additionalProperties: {type: string}, default: {}}}
              any: {x-kubernetes-preserve-unknown-fields: true}
              port: {x-kubernetes-int-or-string: true, anyOf: [{type: integer}, {type: string}]}
            x-kubernetes-validations: [{rule: 'true'}]
status: {acceptedNames: {kind: '', plural: ''}, conditions: [], storedVersions: []}
",
        "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  rules:
  - host: a.example
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
",
    ];
    for text in texts {
        let object: Value = serde_saphyr::from_str(text).unwrap();
        let schema = Model::builtin()
            .schema_for(
                object["apiVersion"].as_str().unwrap(),
                object["kind"].as_str().unwrap(),
            )
            .unwrap();
        assert_eq!(violations(&schema, &object), [""; 0], "{text}");
    }
}

#[test]
fn mistakes_are_found_with_the_built_in_model() {
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "lables": {}},
        "spec": {
            "replica": 2,
            "replicas": "two",
            "template": {"spec": {
                "restartPolicy": "always",
                "containers": [
                    {"name": "web", "ports": [{"containerPort": "80"}], "env": [{"name": "A", "value": 1}]},
                    {"name": "web", "imagePullPolcy": "Always", "resources": {"limits": {"memory": "1gb"}}},
                ],
            }},
        },
    });
    let schema = Model::builtin()
        .schema_for("apps/v1", "Deployment")
        .unwrap();
    assert_eq!(
        violations(&schema, &deployment),
        [
            r#"metadata.lables: unknown field "lables", did you mean "labels"?"#,
            r#"spec.replica: unknown field "replica", did you mean "replicas"?"#,
            r#"spec.replicas: expected integer, found string "two""#,
            r#"spec.template.spec.restartPolicy: string "always" is not allowed, only "Always", "Never" or "OnFailure""#,
            r#"spec.template.spec.containers[0].ports[0].containerPort: expected integer, found string "80""#,
            r"spec.template.spec.containers[0].env[0].value: expected string, found integer 1",
            r#"spec.template.spec.containers[1].imagePullPolcy: unknown field "imagePullPolcy", did you mean "imagePullPolicy"?"#,
            r#"spec.template.spec.containers[1].resources.limits.memory: string "1gb" is not a quantity such as 500m or 2Gi"#,
            r#"spec.template.spec.containers[1]: duplicate entry with name "web", first at index 0"#,
            r#"spec: missing field "selector""#,
        ]
    );
}
