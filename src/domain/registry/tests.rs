use serde_json::{Value, json};

use super::definition::{Definition, DefinitionKind};
use super::package::{Document, packages, schema_of};
use crate::path::Path;
use crate::resource::Origin;

fn definition(value: Value) -> Definition {
    Definition::read(value)
        .expect("a known version")
        .expect("a definition")
}

fn document(file: &str, value: Value) -> Document {
    let origin = Origin {
        file: file.into(),
        line: Some(1),
        inside: Path::root(),
        part: None,
    };
    Document {
        definition: definition(value),
        origin,
    }
}

fn model(name: &str) -> Value {
    json!({
        "schemaVersion": "models.meshery.io/v1beta2", "version": "v1.0.0", "name": name, "displayName": "Any",
        "registrant": {"kind": "github"}, "category": {"name": "Database"}, "subCategory": "Storage",
        "model": {"version": "1.2.3"},
    })
}

fn component(model: &str, kind: &str) -> Value {
    json!({
        "schemaVersion": "components.meshery.io/v1beta3", "version": "v1.0.0", "model": {"name": model},
        "component": {"version": "x.example/v1", "kind": kind, "schema": "{\"type\":\"object\"}"},
    })
}

fn relationship(model: &str, from: &str, to: &str) -> Value {
    let end = |kind: &str| json!({"kind": kind, "model": {"name": model}});
    json!({
        "schemaVersion": "relationships.meshery.io/v1beta3", "version": "v1.0.0", "model": {"name": model},
        "kind": "edge", "type": "non-binding", "subType": "network",
        "selectors": [{"allow": {"from": [end(from)], "to": [end(to)]}}],
    })
}

/// What is found: `error rule at path: message`, sorted.
fn found(documents: Vec<Document>) -> Vec<String> {
    let (packages, mut findings) = packages(documents);
    findings.extend(packages.iter().flat_map(super::package::Package::check));
    let findings = findings.into_iter().map(|finding| {
        let subject = finding.resource.unwrap_or_default();
        let path = finding.path.unwrap_or_default();
        format!(
            "{subject} {path} {}: {}",
            finding.rule.name(),
            finding.message
        )
    });
    let mut findings: Vec<String> = findings.collect();
    findings.sort();
    findings
}

#[test]
fn every_published_version_is_read_and_the_newest_written() {
    for kind in DefinitionKind::ALL {
        for version in kind.schema_versions() {
            let text = format!(r#"{{"schemaVersion": "{version}", "kept": [1.5, null]}}"#);
            let read = definition(serde_json::from_str(&text).expect("JSON"));
            assert_eq!(read.kind, kind);
            let newest = Value::Object(read.newest());
            assert_eq!(newest["schemaVersion"], kind.newest());
            assert_eq!(newest["kept"].to_string(), "[1.5,null]");
        }
    }
    let error = Definition::read(json!({"schemaVersion": "models.meshery.io/v1beta9"}));
    let error = error.expect_err("unknown");
    assert_eq!(
        error.near.map(|near| &near[..24]),
        Some("models.meshery.io/v1beta")
    );
    for other in [
        json!({"kind": "List"}),
        json!([1]),
        json!({"schemaVersion": 2}),
    ] {
        assert_eq!(Definition::read(other), Ok(None));
    }
}

#[test]
fn older_spellings_become_those_of_the_newest_in_their_places() {
    let old = definition(json!({
        "schemaVersion": "components.meshery.io/v1beta1",
        "created_at": "then", "mine_too": 1,
        "model": {"components_count": 3, "registrant": {"sub_type": "x", "user_id": null}},
        "styles": {"primary-color": "#fff", "z": 1},
        "configuration": {"created_at": "a field of the user"},
        "metadata": {"styles": {"svg-white": "<svg/>"}, "sub_type": "free"},
    }));
    let expected = json!({
        "schemaVersion": "components.meshery.io/v1beta3",
        "createdAt": "then", "mine_too": 1,
        "model": {"componentsCount": 3, "registrant": {"subType": "x", "userId": null}},
        "styles": {"primaryColor": "#fff", "z": 1},
        "configuration": {"created_at": "a field of the user"},
        "metadata": {"styles": {"svgWhite": "<svg/>"}, "sub_type": "free"},
    });
    // In the same order, too.
    assert_eq!(
        Value::Object(old.newest()).to_string(),
        expected.to_string()
    );
    // What is there in both spellings loses nothing.
    let both = definition(json!({
        "schemaVersion": "models.meshery.io/v1beta1", "created_at": "a", "createdAt": "b",
    }));
    let both = Value::Object(both.newest());
    assert_eq!(
        (&both["created_at"], &both["createdAt"]),
        (&"a".into(), &"b".into())
    );
}

#[test]
fn a_good_package_has_no_finding() {
    let good = vec![
        document("m/model.json", model("acme")),
        document("m/components/A.json", component("acme", "A")),
        document("m/components/B.json", component("acme", "B")),
        document("m/relationships/r.json", relationship("acme", "A", "B")),
        document("m/relationships/s.json", relationship("acme", "*", "A")),
    ];
    assert_eq!(found(good), [""; 0]);
}

#[test]
fn what_is_wrong_is_named_where_it_is() {
    let with = |mut value: Value, pointer: &str, new: Value| {
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
        value.pointer_mut(parent).expect("a parent")[key] = new;
        value
    };
    let base = || document("m/components/A.json", component("acme", "A"));
    let of_model = |pointer: &str, new: Value| {
        vec![
            document("m/model.json", with(model("acme"), pointer, new)),
            base(),
        ]
    };
    let of_component = |pointer: &str, new: Value| {
        let component = with(component("acme", "B"), pointer, new);
        vec![
            document("m/model.json", model("acme")),
            document("m/b.json", component),
        ]
    };
    let cases: [(Vec<Document>, &str); 13] = [
        (
            of_model("/registrant", Value::Null),
            "Model/acme  missing-field: missing field \"registrant\"",
        ),
        (
            of_model("/registrant", json!({})),
            "Model/acme registrant missing-field: ",
        ),
        (
            of_model("/name", "Acme Queue".into()),
            "Model/Acme Queue name invalid-value: ",
        ),
        (
            of_model("/category/name", "Databse".into()),
            "Model/acme category.name unknown-category: ",
        ),
        (
            of_model("/subCategory", "Cheese".into()),
            "Model/acme subCategory unknown-category: ",
        ),
        (
            of_model("/metadata", json!({"shape": "blob"})),
            "Model/acme metadata.shape invalid-value: ",
        ),
        (
            of_component("/component/schema", "no".into()),
            "Component/B component.schema invalid-schema: it is not JSON",
        ),
        (
            of_component("/component/schema", "".into()),
            "Component/B component.schema invalid-schema: it has no schema",
        ),
        (
            of_component("/component/kind", 5.into()),
            "Component/ component.kind wrong-type: ",
        ),
        (
            of_component("/model/name", "other".into()),
            "Component/B model.name other-model: ",
        ),
        (
            of_component("/version", Value::Null),
            "Component/B  missing-field: \"version\" is missing",
        ),
        (
            vec![
                document("m/model.json", model("acme")),
                base(),
                document("m/r.json", relationship("acme", "A", "Bee")),
            ],
            "Relationship/edge-non-binding-network selectors[0].allow.to[0].kind unknown-component: the model has no \
             component \"Bee\"",
        ),
        (
            vec![document("m/model.json", model("acme"))],
            "Model/acme  empty-model: ",
        ),
    ];
    for (documents, expected) in cases {
        let found = found(documents);
        assert!(
            found.iter().any(|one| one.starts_with(expected)),
            "{expected} in {found:#?}"
        );
    }
}

#[test]
fn paths_are_those_that_the_document_has() {
    let mut old = component("acme", "A");
    old["schemaVersion"] = "components.meshery.io/v1beta1".into();
    old["styles"] = json!({"primary-color": 7});
    old["model"]["registrant"] = json!({"kind": 1});
    let documents = vec![
        document("m/model.json", model("acme")),
        document("m/a.json", old),
    ];
    let found = found(documents);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(
        found[0].starts_with("Component/A model.registrant.kind wrong-type"),
        "{found:#?}"
    );
    assert!(found[1].contains("primary-color"), "{found:#?}");
}

#[test]
fn parts_go_to_the_model_whose_folder_they_are_in_or_that_they_name() {
    let two = vec![
        document("x/one/model.json", model("one")),
        document("x/two/model.json", model("two")),
        document("x/one/c/A.json", component("one", "A")),
        document("x/two/c/B.json", component("two", "B")),
        document("y/C.json", component("two", "C")),
        document("y/D.json", component("three", "D")),
    ];
    let (packages, findings) = packages(two);
    let parts: Vec<usize> = packages.iter().map(|package| package.parts.len()).collect();
    assert_eq!(parts, [1, 2]);
    let findings: Vec<_> = findings
        .iter()
        .map(|one| (one.rule.name(), one.file.as_deref()))
        .collect();
    assert_eq!(findings, [("no-model", Some("y/D.json"))]);
    // Two in one folder, and one thing twice.
    let wrong = vec![
        document("m/a.json", model("one")),
        document("m/b.json", model("two")),
        document("m/c.json", component("one", "A")),
        document("m/d.json", component("one", "A")),
    ];
    let found = found(wrong);
    assert!(
        found
            .iter()
            .any(|one| one.contains("several-models: m/a.json:1")),
        "{found:#?}"
    );
    assert!(
        found
            .iter()
            .any(|one| one.contains("duplicate-definition: m/c.json:1")),
        "{found:#?}"
    );
}

#[test]
fn a_schema_is_told_from_other_texts() {
    let of = |schema: &str, is_annotation: bool| {
        let mut value = component("acme", "A");
        value["component"]["schema"] = schema.into();
        value["metadata"] = json!({"isAnnotation": is_annotation});
        schema_of(&definition(value)).map(|schema| schema.is_some())
    };
    assert_eq!(
        of(r##"{"properties": {"a": {"$ref": "#"}}}"##, false),
        Ok(true)
    );
    assert_eq!(of("", true), Ok(None::<Value>.is_some()));
    for (schema, why) in [
        ("", "no schema"),
        ("{", "not JSON"),
        ("[]", "an object"),
        (r#"{"type": 5}"#, "type"),
        (r#"{"properties": []}"#, "properties"),
        (
            r##"{"$ref": "#/a", "a": {"$ref": "#/b"}, "b": {"$ref": "#/a"}}"##,
            "back to itself",
        ),
    ] {
        let error = of(schema, false).expect_err(schema);
        assert!(error.contains(why), "{schema}: {error}");
    }
}
