//! Designs against the documents of `testdata/design`, and the round trips as properties.

use serde_json::json;

use super::*;
use crate::path::Segment;
use crate::yaml::{Limits, parse_one, split};

/// Ids that are the same in every run.
fn ids() -> impl FnMut() -> Uuid {
    let mut next = 0_u128;
    move || {
        next += 1;
        Uuid::from_u128(0xfeed_0000_0000_4000_8000_0000_0000_0000 + next)
    }
}

fn read(text: &str) -> Result<Design, Error> {
    Design::read(parse_one(text, &Limits::DESIGN).unwrap(), &mut ids())
}

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../../testdata/design/", $name)))),*]
    };
}

fn accepted() -> Vec<(&'static str, &'static str)> {
    files![
        "aliases.v1beta1.yaml",
        "clouds.v1alpha2.json",
        "depends.v1beta3.yaml",
        "embedded-model.v1beta3.yaml",
        "empty.v1alpha2.yaml",
        "empty.v1beta3.yaml",
        "minimal.v1beta1.json",
        "nginx.v1alpha2.yaml",
        "nulls.v1beta3.yaml",
        "record-older.json",
        "record.yaml",
        "secrets.v1beta3.yaml",
        "shop.v1beta3.json",
        "shop.v1beta3.yaml",
    ]
    .to_vec()
}

fn load(name: &str) -> Design {
    let (_, text) = accepted().into_iter().find(|file| file.0 == name).unwrap();
    read(text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn every_design_loads_and_comes_back_as_itself() {
    for (name, text) in accepted() {
        let value = parse_one(text, &Limits::DESIGN).unwrap();
        assert!(
            matches!(
                Form::of(&value),
                Some(Form::Design | Form::ServicesMap | Form::Record)
            ),
            "{name}"
        );
        let design = load(name);
        let written = crate::yaml::to_string(&design);
        let again = read(&written).unwrap_or_else(|error| panic!("{name}: {error}\n{written}"));
        assert!(again == design, "{name}");
        assert_eq!(crate::yaml::to_string(&again), written, "{name}");
        assert_eq!(again.to_value(), design.to_value(), "{name}");
        assert!(is_design(&design.to_value()), "{name}");
        assert_eq!(design.to_value()["schemaVersion"], SCHEMA_VERSION, "{name}");
        assert!(design.manifests().iter().all(Value::is_object), "{name}");
    }
}

#[test]
fn every_refused_document_says_where_and_why() {
    let files = files![
        "refused/components-not-a-list.yaml",
        "refused/compose.yaml",
        "refused/configuration-not-a-mapping.json",
        "refused/depends-on-not-strings.yaml",
        "refused/display-name-not-a-string.yaml",
        "refused/id-not-a-uuid.yaml",
        "refused/kind-missing.yaml",
        "refused/not-a-design.yaml",
        "refused/record-in-record.yaml",
        "refused/record-not-yaml.yaml",
        "refused/service-without-type.v1alpha2.yaml",
        "refused/settings-not-a-mapping.v1alpha2.yaml",
        "refused/unknown-component-version.yaml",
        "refused/unknown-schema-version.yaml",
    ];
    let expected = [
        (3, "components must be a list, not a mapping"),
        (
            1,
            "neither a design with a schema version (designs.meshery.io/v1beta1, designs.meshery.io/v1beta3) nor a map of services",
        ),
        (
            3,
            "components[1].configuration must be a mapping, not a string",
        ),
        (
            9,
            "components[0].metadata.dependsOn[1] must be a string, not a number",
        ),
        (4, "components[0].displayName must be a string, not a list"),
        (2, "id must be a UUID, not \"shop-1\""),
        (5, "components[0].component.kind is missing"),
        (
            1,
            "neither a design with a schema version (designs.meshery.io/v1beta1, designs.meshery.io/v1beta3) nor a map of services",
        ),
        (1, "the design inside of patternFile"),
        (1, "the design inside of pattern_file, line 1"),
        (4, "services.b.type is missing"),
        (3, "services.a.settings must be a mapping, not a list"),
        (
            4,
            "the schema version \"components.meshery.io/v2\" is not known; known are components.meshery.io/v1beta1, components.meshery.io/v1beta2, components.meshery.io/v1beta3",
        ),
        (
            2,
            "the schema version \"designs.meshery.io/v1\" is not known; known are designs.meshery.io/v1beta1, designs.meshery.io/v1beta3",
        ),
    ];
    for ((name, text), (line, message)) in files.into_iter().zip(expected) {
        let error = read(text).expect_err(name);
        let document = split(text).next().unwrap();
        let place = error
            .path()
            .map_or(1, |path| crate::yaml::locate(&document, path).line);
        assert_eq!(
            (place, error.to_string().as_str()),
            (line, message),
            "{name}"
        );
    }
}

#[test]
fn unknown_fields_keep_their_values_and_null_stays_null() {
    let value = load("shop.v1beta3.yaml").to_value();
    let (_, text) = accepted()
        .into_iter()
        .find(|file| file.0 == "shop.v1beta3.yaml")
        .unwrap();
    let brought = parse_one(text, &Limits::DESIGN).unwrap();
    // Nothing is added or changed but the version of components without one.
    let mut expected = brought;
    expected["components"][3]["schemaVersion"] = json!(crate::component::SCHEMA_VERSION);
    assert_eq!(value, expected);
    assert_eq!(
        serde_json::to_string(&value["x-owner"]).unwrap(),
        r#"{"team":"shop","pager":83}"#
    );

    let nulls = load("nulls.v1beta3.yaml").to_value();
    let component = nulls["components"][0].as_object().unwrap();
    for key in [
        "model",
        "modelReference",
        "capabilities",
        "styles",
        "metadata",
        "configuration",
    ] {
        assert_eq!(component.get(key), Some(&Value::Null), "{key}");
    }
    assert_eq!(nulls.get("metadata"), Some(&Value::Null));
    assert_eq!(nulls["version"], "0.0.1");
    assert_ne!(nulls["id"], json!(Uuid::nil()));
}

#[test]
fn older_casings_become_the_one_of_the_stamped_version() {
    let design = load("aliases.v1beta1.yaml");
    let value = design.to_value();
    assert_eq!(value["createdAt"], "2024-05-06T07:08:09Z");
    assert_eq!(value.get("created_at"), None);
    let alias = &value["metadata"]["resolvedAliases"]["11111111-9d1c-4a6e-8f55-0e4a1b6e0003"];
    let keys: Vec<&str> = alias
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        keys,
        [
            "relationshipId",
            "aliasComponentId",
            "immediateParentId",
            "immediateRefFieldPath",
            "resolvedParentId",
            "resolvedRefFieldPath"
        ]
    );
    let pod = &value["components"][0];
    assert_eq!(pod["schemaVersion"], "components.meshery.io/v1beta2");
    assert_eq!(pod["created_at"], "2024-05-06T07:08:09Z");
    // Nested legacy objects and what belongs to the user keep their casing.
    assert_eq!(pod["model"]["components_count"], 3);
    assert_eq!(pod["model"]["registrant"]["sub_type"], "");
    assert_eq!(
        pod["configuration"]["metadata"]["labels"]["app_name"],
        "worker"
    );
    assert_eq!(
        pod["styles"],
        json!({"backgroundColor": "#00b39f", "backgroundFit": "none", "zIndex": 3,
            "bodyText": "worker", "my-own-style": "kept", "position": {"x": 10, "y": 20}})
    );
    let relationship = &value["relationships"][0];
    assert_eq!(
        relationship["schemaVersion"],
        "relationships.meshery.io/v1beta2"
    );
    assert_eq!(relationship["subType"], "alias");
    assert_eq!(relationship["metadata"]["styles"]["lineStyle"], "dotted");
    assert_eq!(
        relationship["selectors"][0]["allow"]["from"][0]["matchStrategyMatrix"],
        json!([["equal"]])
    );
    let position = design.components[0].position().unwrap();
    assert_eq!(
        (position.x.as_i64(), position.y.as_i64()),
        (Some(10), Some(20))
    );
    // An unquoted `y` is a boolean in YAML, and comes out as the key that was meant.
    assert_eq!(pod["styles"]["position"]["y"], 20);
    // The newer spelling of a component's times becomes the one that designs use.
    let value = load("shop.v1beta3.json").to_value();
    assert_eq!(value["components"][0]["created_at"], "2026-01-02T03:04:05Z");
}

#[test]
fn where_both_spellings_stand_nothing_is_lost() {
    let text = "schemaVersion: designs.meshery.io/v1beta1\nname: x\ncreated_at: a\ncreatedAt: b\n";
    let value = read(text).unwrap().to_value();
    assert_eq!(
        (&value["created_at"], &value["createdAt"]),
        (&json!("a"), &json!("b"))
    );
}

#[test]
fn a_services_map_becomes_one_component_per_service() {
    let design = load("nginx.v1alpha2.yaml");
    assert_eq!(
        design.id.to_string(),
        "55555555-6a0f-4c3a-8a8a-2ad7a9c80001"
    );
    assert_eq!(design.extra.get("vars"), Some(&json!({"region": "eu"})));
    let [pod, service, config, note] = design.components.as_slice() else {
        panic!("{design:?}");
    };
    assert_eq!(pod.id.to_string(), "19d2a03e-141d-41a9-bf7f-9ca12cf3b9be");
    assert_eq!(
        (pod.model_name(), pod.model_version()),
        (Some("kubernetes"), Some("1.25.2"))
    );
    assert_eq!(pod.is_namespaced(), Some(true));
    assert_eq!(
        pod.manifest(),
        json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "nginx", "namespace": "default",
                "labels": {"app.kubernetes.io/name": "proxy"},
                "annotations": {"example.org/owner": "web"}},
            "spec": {
                "containers": [{"image": "nginx:stable", "name": "nginx",
                    "imagePullPolicy": "Always",
                    "ports": [{"containerPort": 80, "name": "http-web-svc"}]}],
                "nodeSelector": {"diskType": "ssd"}}})
    );
    assert_eq!(
        pod.position().unwrap().x.as_f64(),
        Some(113.076_359_967_515_5)
    );
    assert!(pod.metadata().unwrap().contains_key("traits"));
    assert_eq!(
        service.manifest()["metadata"],
        json!({"name": "nginx-service", "labels": {"own": "kept", "more": "added"},
            "namespace": "default"})
    );
    assert_eq!(service.position().unwrap().y.as_i64(), Some(10));
    assert!(service.definition().contains_key("whiteboardData"));
    assert_eq!(config.display_name, "config");
    assert_eq!(
        config.manifest()["data"],
        json!({"some Key": "kept as it is"})
    );
    assert!(note.is_annotation() && !note.is_deployable());
    // `service_key` is no name of today: its id stands for it.
    let edges = design.depends_on().unwrap();
    let edges: Vec<_> = edges
        .iter()
        .map(|edge| {
            (
                edge.from.name.as_str(),
                edge.on.kind.as_str(),
                edge.on.name.as_str(),
            )
        })
        .collect();
    assert_eq!(
        edges,
        [
            ("nginx-service", "Pod", "nginx"),
            ("config", "Service", "nginx-service")
        ]
    );
}

#[test]
fn kinds_that_were_renamed_get_their_new_names() {
    let design = load("clouds.v1alpha2.json");
    let kinds: Vec<&str> = design.components.iter().map(Component::kind).collect();
    assert_eq!(
        kinds,
        [
            "AWSBucket",
            "GCPBucket",
            "KubernetesConnection",
            "Prometheus"
        ]
    );
    let last = design.components.last().unwrap();
    assert_eq!(
        (last.api_version(), last.namespace()),
        ("", Some("monitoring"))
    );
}

#[test]
fn a_record_gives_the_design_inside() {
    let design = load("record.yaml");
    assert_eq!(
        (design.name.as_str(), design.version.as_str()),
        ("inner name", "0.0.5")
    );
    assert_eq!(
        design.id.to_string(),
        "44444444-1d1f-4f8e-9e0e-53b3a5a40001"
    );
    let design = load("record-older.json");
    assert_eq!(design.name, "saved long ago");
    assert_eq!(
        design.id.to_string(),
        "44444444-1d1f-4f8e-9e0e-53b3a5a40002"
    );
    assert_eq!(design.manifests()[0]["metadata"]["name"], "web");
    let record = json!({"pattern_file": {"schemaVersion": SCHEMA_VERSION, "name": "as an object"}});
    assert_eq!(
        Design::read(record, &mut ids()).unwrap().name,
        "as an object"
    );
    let inner = json!({"patternFile": "schemaVersion: designs.meshery.io/v9"});
    let error = Design::read(inner, &mut ids()).unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("v9"), "{source}");
}

#[test]
fn dehydration_takes_what_the_registry_has() {
    let mut design = load("embedded-model.v1beta3.yaml");
    let before = design.to_value();
    assert_eq!(
        before["components"][1]["model"]["metadata"]["svgColor"],
        "<svg/>"
    );
    assert!(!design.components[1].schema().is_empty());
    let manifests = design.manifests();
    design.dehydrate();
    for component in design.to_value()["components"].as_array().unwrap() {
        assert_eq!(component["component"]["schema"], "");
        assert_eq!(
            (&component["capabilities"], &component["model"]),
            (&Value::Null, &Value::Null)
        );
        assert_eq!(
            component["modelReference"],
            json!({"id": "22222222-0f3d-44e5-9d1b-6d3a8f7d0099", "name": "acme-queue",
                "version": "v1.0.0", "displayName": "Acme Queue", "model": {"version": "2.4.1"},
                "registrant": {"kind": "github"}})
        );
    }
    assert_eq!(design.manifests(), manifests);
    let (first, second) = (&design.components[0], &design.components[1]);
    assert!(std::ptr::eq(first.definition(), second.definition()));
    // A second time, or where nothing is to take, nothing changes.
    let once = design.to_value();
    design.dehydrate();
    assert_eq!(design.to_value(), once);
}

#[test]
fn instances_of_a_kind_share_what_is_the_same() {
    let component = |index: usize| {
        json!({"displayName": format!("c{index}"), "component": {"version": "v1", "kind": "Pod"},
            "model": {"name": "kubernetes"}, "metadata": {"isAnnotation": false},
            "styles": {"shape": "star", "position": {"x": index, "y": 0}}})
    };
    let components: Vec<Value> = (0..3).map(component).collect();
    let value = json!({"schemaVersion": SCHEMA_VERSION, "name": "x", "components": components});
    let mut design = Design::read(value.clone(), &mut ids()).unwrap();
    let [a, b, _] = design.components.as_slice() else {
        panic!()
    };
    assert!(std::ptr::eq(a.definition(), b.definition()));
    assert!(std::ptr::eq(a.metadata().unwrap(), b.metadata().unwrap()));
    assert!(std::ptr::eq(a.styles().unwrap(), b.styles().unwrap()));
    assert!(size_of::<Component>() <= 256, "{}", size_of::<Component>());
    // A change of one is not a change of the others.
    design.components[0]
        .metadata_mut()
        .insert("isAnnotation".into(), true.into());
    assert_eq!(
        design
            .components
            .iter()
            .map(Component::is_annotation)
            .collect::<Vec<_>>(),
        [true, false, false]
    );
    // A component alone reads and writes the same.
    let alone = Component::from_value(design.components[1].to_value(), &mut ids()).unwrap();
    assert!(alone == design.components[1]);
    // Only the order of keys differs: each keeps its own.
    let mut value = value;
    value["components"][1]["model"] = json!({"a": 1, "name": "kubernetes"});
    value["components"][2]["model"] = json!({"name": "kubernetes", "a": 1});
    let written = serde_json::to_string(&Design::read(value, &mut ids()).unwrap()).unwrap();
    assert!(written.contains(r#"{"a":1,"name":"kubernetes"}"#));
    assert!(written.contains(r#"{"name":"kubernetes","a":1}"#));
}

#[test]
fn annotations_and_ignored_components_have_no_manifest() {
    let design = load("shop.v1beta3.yaml");
    let manifests = design.manifests();
    let names: Vec<&str> = manifests
        .iter()
        .filter_map(|manifest| manifest["metadata"]["name"].as_str())
        .collect();
    // The name of the configuration counts, not what people see.
    assert_eq!(names, ["shop-ns", "web"]);
    let keys: Vec<&String> = manifests[1].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["apiVersion", "kind", "metadata", "spec"]);
    assert_eq!(
        manifests[1]["metadata"]["finalizers"],
        json!(["example.org/wait"])
    );
    assert_eq!(manifests[0]["metadata"].get("namespace"), None);
    let indexes: Vec<usize> = design.resources().map(|(index, _)| index).collect();
    assert_eq!(indexes, [0, 1]);
}

#[test]
fn the_display_name_names_what_has_no_name() {
    let cases = [
        (json!({}), json!({"name": "web"})),
        (json!({"metadata": null}), json!({"name": "web"})),
        (
            json!({"metadata": {"labels": {}}}),
            json!({"name": "web", "labels": {}}),
        ),
        (json!({"metadata": {"name": "own"}}), json!({"name": "own"})),
        (
            json!({"metadata": {"generateName": "w-"}}),
            json!({"generateName": "w-"}),
        ),
    ];
    for (configuration, metadata) in cases {
        let value = json!({"schemaVersion": SCHEMA_VERSION, "components": [{"displayName": "web",
            "component": {"version": "v1", "kind": "Pod"}, "configuration": configuration}]});
        let design = Design::read(value, &mut ids()).unwrap();
        let manifest = &design.manifests()[0];
        assert_eq!(manifest["metadata"], metadata);
        let name = design.components[0].name();
        assert_eq!(name, metadata.get("name").and_then(Value::as_str));
    }
}

fn facts(api_version: &str, kind: &str) -> Option<KindFacts> {
    let known = !api_version.contains('.');
    known.then(|| KindFacts {
        namespaced: kind != "Namespace",
        model: crate::component::ModelReference {
            name: "kubernetes".into(),
            model_version: "v1.35.0".into(),
            ..Default::default()
        },
        version: "v1.0.0".into(),
    })
}

#[test]
fn manifests_become_components_as_they_are() {
    let manifests = vec![
        json!({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "shop"}, "status": {"phase": "Active"}}),
        json!({"apiVersion": "acme.io/v1", "kind": "Queue", "metadata": {"name": "q", "uid": "1"}, "spec": {"b": 1, "a": 2}}),
    ];
    let design = Design::from_manifests("shop", manifests, &facts, &mut ids()).unwrap();
    let value = design.to_value();
    assert_eq!(
        value["components"][0],
        json!({"id": "feed0000-0000-4000-8000-000000000002",
            "schemaVersion": "components.meshery.io/v1beta2", "displayName": "shop",
            "version": "v1.0.0", "format": "JSON",
            "modelReference": {"name": "kubernetes", "model": {"version": "v1.35.0"}},
            "component": {"version": "v1", "kind": "Namespace", "schema": ""},
            "status": "enabled",
            "metadata": {"isAnnotation": false, "isNamespaced": false},
            "configuration": {"metadata": {"name": "shop"}}})
    );
    let queue = &design.components[1];
    assert_eq!((queue.model_name(), queue.is_namespaced()), (None, None));
    assert_eq!(value["version"], "0.0.1");
    // The same input, the same output.
    let again = Design::read(value.clone(), &mut || panic!("all ids are there")).unwrap();
    assert_eq!(
        serde_json::to_string(&again).unwrap(),
        serde_json::to_string(&design).unwrap()
    );
}

#[test]
fn lists_are_taken_apart_in_order() {
    let config =
        |name: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}});
    let list = json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": [
        config("a"),
        {"apiVersion": "v1", "kind": "ConfigMapList", "items": [
            {"metadata": {"name": "b"}},
            {"apiVersion": "v1", "kind": "List", "items": [config("c")]},
        ]},
        {"apiVersion": "v1", "kind": "List", "items": null},
        config("d"),
    ]});
    let flat = flatten(vec![list, Value::Null, config("e")]).unwrap();
    assert_eq!(flat, ["a", "b", "c", "d", "e"].map(config));
    // Kinds that only sound like lists.
    for object in [
        json!({"apiVersion": "acme.io/v1", "kind": "AllowList", "metadata": {"name": "x"}, "items": [1]}),
        json!({"apiVersion": "acme.io/v1", "kind": "AllowList", "spec": {}}),
        json!({"apiVersion": "acme.io/v1", "kind": "List", "items": []}),
    ] {
        assert_eq!(flatten(vec![object.clone()]).unwrap(), [object]);
    }
}

#[test]
fn manifests_that_are_none_are_refused_with_their_place() {
    let cases = [
        (json!("text"), "[0] must be a mapping, not a string"),
        (json!({"kind": "Pod"}), "[0].apiVersion is missing"),
        (
            json!({"apiVersion": "v1", "kind": ""}),
            "[0].kind is missing",
        ),
        (
            json!({"apiVersion": "v1", "kind": 5}),
            "[0].kind must be a string, not a number",
        ),
        (
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": 5}}),
            "[0].metadata.name must be a string, not a number",
        ),
        (
            json!({"apiVersion": "v1", "kind": "List", "items": {}}),
            "[0].items must be a list, not a mapping",
        ),
        (
            json!({"apiVersion": "v1", "kind": "List", "items": [{"kind": "Pod"}]}),
            "[0].items[0].apiVersion is missing",
        ),
    ];
    for (manifest, message) in cases {
        let error = Design::from_manifests("x", vec![manifest], &facts, &mut ids()).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
}

/// Small deterministic random numbers (xorshift): enough for shapes of documents.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()]
    }

    fn value(&mut self, depth: u32) -> Value {
        const KEYS: [&str; 12] = [
            "name",
            "kind",
            "apiVersion",
            "status",
            "items",
            "a.b/c",
            "",
            "spec",
            "y",
            "metadata",
            "data",
            "labels",
        ];
        match self.below(if depth == 0 { 5 } else { 7 }) {
            0 => Value::Null,
            1 => json!(self.below(2) == 1),
            2 => json!(self.below(100_000)),
            3 => json!(f64::from(u32::try_from(self.below(1000)).unwrap()) + 0.5),
            4 => json!(self.pick(&["", "yes", "0x1F", "a\nb", " é", "1.0", "null"])),
            5 => (0..self.below(4)).map(|_| self.value(depth - 1)).collect(),
            _ => {
                let mut map = Object::new();
                for _ in 0..self.below(5) {
                    map.insert(self.pick(&KEYS).to_owned(), self.value(depth - 1));
                }
                Value::Object(map)
            }
        }
    }

    fn manifest(&mut self) -> Value {
        let mut map = Object::new();
        for key in ["kind", "apiVersion"] {
            let text = self.pick(&["Pod", "v1", "apps/v1", "Secret", "acme.io/v1"]);
            map.insert(key.into(), text.into());
        }
        let Value::Object(mut metadata) = json!({}) else {
            panic!()
        };
        for key in ["labels", "finalizers", "ownerReferences", "x"] {
            if self.below(2) == 0 {
                metadata.insert(key.into(), self.value(2));
            }
        }
        match self.below(6) {
            0 => {}
            1 => {
                map.insert("metadata".into(), Value::Null);
            }
            name => {
                let key = if name == 2 { "generateName" } else { "name" };
                metadata.insert(key.into(), self.pick(&["a", "b-c", "web"]).into());
                if self.below(2) == 0 {
                    metadata.insert(
                        "namespace".into(),
                        self.pick(&["shop", "", "default"]).into(),
                    );
                }
                map.insert("metadata".into(), Value::Object(metadata));
            }
        }
        for _ in 0..self.below(4) {
            let key = self.pick(&["spec", "data", "stringData", "rules", "immutable", "y"]);
            map.insert(key.into(), self.value(4));
        }
        Value::Object(map)
    }
}

#[test]
fn manifests_come_back_exactly_as_they_went_in() {
    for seed in 1..=500 {
        let mut random = Random(seed);
        let manifests: Vec<Value> = (0..random.below(6)).map(|_| random.manifest()).collect();
        // With a status, and wrapped in lists or not.
        let mut given = Vec::new();
        for manifest in &manifests {
            let mut with_status = manifest.clone();
            with_status["status"] = random.value(2);
            given.push(with_status);
        }
        if random.below(2) == 0 {
            given = vec![json!({"apiVersion": "v1", "kind": "List", "items": given})];
        }
        let design = Design::from_manifests("x", given, &facts, &mut ids()).unwrap();
        let written = crate::yaml::to_string(&design);
        for design in [design, read(&written).unwrap()] {
            let back = design.manifests();
            assert_eq!(back, manifests, "seed {seed}");
            // Keys in their order too, behind version and kind.
            for (back, manifest) in back.iter().zip(&manifests) {
                let text = |value: &Value| {
                    let mut map = value.as_object().unwrap().clone();
                    map.shift_remove("apiVersion");
                    map.shift_remove("kind");
                    serde_json::to_string(&map).unwrap()
                };
                assert_eq!(text(back), text(manifest), "seed {seed}");
            }
        }
    }
}

#[test]
fn dependencies_name_kind_and_name() {
    let design = load("depends.v1beta3.yaml");
    let edges = design.depends_on().unwrap();
    let edges: Vec<_> = edges
        .iter()
        .map(|edge| {
            let on = &edge.on;
            (
                edge.from.component,
                on.kind.as_str(),
                on.namespace.as_deref(),
                on.name.as_str(),
            )
        })
        .collect();
    assert_eq!(
        edges,
        [
            // A name that two have means both.
            (3, "StatefulSet", Some("data"), "postgres"),
            (3, "Service", None, "db"),
            // By id.
            (3, "Service", None, "db"),
            // The note is not deployed. By the name of the resource:
            (3, "StatefulSet", Some("data"), "postgres"),
        ]
    );
    let mut design = design;
    design.components[3]
        .metadata_mut()
        .insert("dependsOn".into(), json!(["db", "dbb"]));
    let error = design.depends_on().unwrap_err();
    assert_eq!(
        error.path().unwrap().segments().last(),
        Some(&Segment::Index(1))
    );
    assert_eq!(
        error.to_string(),
        "components[3].metadata.dependsOn[1] names \"dbb\", and no component of the design is called so"
    );
}

#[test]
fn equal_ids_are_found() {
    let mut design = load("depends.v1beta3.yaml");
    assert_eq!(design.duplicate_ids(), []);
    design.components[2].id = design.components[0].id;
    assert_eq!(
        design.duplicate_ids(),
        [(design.components[0].id, vec![0, 2])]
    );
}

#[test]
fn versions_go_up_by_one() {
    for (version, next) in [
        ("0.0.1", "0.0.2"),
        ("v0.0.1", "v0.0.2"),
        ("V1.2.9", "V1.2.10"),
        ("1.2.999", "1.2.1000"),
        (
            "0.0.99999999999999999999999",
            "0.0.100000000000000000000000",
        ),
        ("1", "1.0.1"),
        ("v1.2", "v1.2.1"),
        ("1.2.3-rc1", "1.2.3"),
        ("1.2.3+build5", "1.2.4"),
        ("", "0.0.1"),
        ("latest", "0.0.1"),
        ("v1x0x0", "v1x0x1"),
        ("1.2.3.4", "1.2.3.5"),
        ("release-7-é", "release-8-é"),
        ("é9", "é10"),
        (" 0.0.1 ", "0.0.2"),
        ("v", "0.0.1"),
        ("..", "0.0.1"),
    ] {
        assert_eq!(successor(version), next, "{version:?}");
    }
}

#[test]
fn the_next_version_follows_the_highest_whatever_came_last() {
    for (stored, next) in [
        (&[][..], "0.0.1"),
        (&["0.0.1"], "0.0.2"),
        (&["0.0.5", "0.0.4"], "0.0.6"),
        (&["0.0.9", "0.0.10", "0.0.2"], "0.0.11"),
        (&["1.0.0-rc1", "1.0.0"], "1.0.1"),
        (&["1.0.0-rc.10", "1.0.0-rc.9"], "1.0.0"),
        (&["v1.2", "1.1.9"], "v1.2.1"),
        // Where nothing can be counted, what is taken is passed over.
        (&["latest", "0.0.1"], "0.0.2"),
    ] {
        let stored: Vec<String> = stored.iter().map(|&version| version.to_owned()).collect();
        assert_eq!(next_version(&stored), next, "{stored:?}");
    }
}

#[test]
fn documents_are_told_by_their_content() {
    use Form::{ChartMetadata, Kustomization, Manifest, Record, ServicesMap};
    let cases = [
        ("schemaVersion: designs.meshery.io/v9", Some(Form::Design)),
        ("schemaVersion: models.meshery.io/v1beta1", None),
        ("patternFile: 'name: x'", Some(Record)),
        ("pattern_file: {name: x}", Some(Record)),
        ("services: {a: {type: Pod}}", Some(ServicesMap)),
        ("services: {a: {type: Pod, image: x}}", None),
        ("services: {a: {image: x}}", None),
        ("services: {a: {build: .}}", None),
        ("services: {a: {extends: b}}", None),
        ("services: {a: {type: Pod}, b: {build: .}}", None),
        ("name: x\nservices: {}", Some(ServicesMap)),
        ("services: {}\nvolumes: {}", None),
        ("version: '3'\nservices: {}", None),
        ("services: []", None),
        ("apiVersion: v1\nkind: Pod", Some(Manifest)),
        (
            "apiVersion: x/v1\nkind: App\nservices: {a: {type: b}}",
            Some(Manifest),
        ),
        ("apiVersion: v1\nkind: List\nitems: []", Some(Manifest)),
        (
            "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization",
            Some(Manifest),
        ),
        (
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization",
            Some(Kustomization),
        ),
        (
            "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component",
            Some(Kustomization),
        ),
        ("resources: [a.yaml]\nnamePrefix: x-", Some(Kustomization)),
        ("kind: Kustomization\npatches: []", Some(Kustomization)),
        ("resources: [a.yaml]\nother: x", None),
        ("namespace: x", None),
        (
            "apiVersion: v2\nname: web\nversion: 1.2.3",
            Some(ChartMetadata),
        ),
        ("apiVersion: v2\nname: web", None),
        ("a: 1", None),
        ("[1]", None),
        ("text", None),
        ("kind: Pod", None),
        ("apiVersion: ''\nkind: Pod", None),
    ];
    for (text, form) in cases {
        let value = parse_one(text, &Limits::STREAM).unwrap();
        assert_eq!(Form::of(&value), form, "{text}");
    }
}

#[test]
fn debug_forms_hold_no_configuration() {
    let design = load("secrets.v1beta3.yaml");
    assert!(!format!("{design:?}").contains("CANARY"));
}

#[test]
fn ten_thousand_components_are_read_and_written() {
    let component = |index: usize| {
        json!({"id": Uuid::from_u128(index as u128 + 1), "displayName": format!("c{index}"),
            "component": {"version": "v1", "kind": "ConfigMap", "schema": "x".repeat(1000)},
            "configuration": {"data": {"k": "v"}}})
    };
    let components: Vec<Value> = (0..10_000).map(component).collect();
    let value = json!({"schemaVersion": SCHEMA_VERSION, "name": "big", "components": components});
    let design = Design::read(value, &mut ids()).unwrap();
    let first = design.components[0].definition();
    assert!(
        design
            .components
            .iter()
            .all(|c| std::ptr::eq(c.definition(), first))
    );
    assert_eq!(design.manifests().len(), 10_000);
    assert!(serde_json::to_string(&design).unwrap().len() > 10_000_000);
}
