use super::*;
use crate::merge_key::{item_name, naming};

/// Who set what, as `path: overlay line`.
fn told(applied: &Applied, object: &Value) -> Vec<String> {
    let fields = applied.provenance.fields(object).into_iter();
    let fields = fields.map(|(path, source)| {
        let line = source.origin().and_then(|origin| origin.line).unwrap_or(0);
        format!("{path}: {} {line}", source.overlay().unwrap_or("-"))
    });
    fields.collect()
}

#[test]
fn every_field_of_a_patch_is_named_with_its_line() {
    let mut objects = objects(&format!(
        "{WEB}spec:
  replicas: 1
  strategy: {{type: Recreate}}
  template:
    spec:
      containers:
      - {{name: web, image: a, ports: [{{containerPort: 80, name: http}}, {{containerPort: 81}}]}}
      - {{name: old}}
"
    ));
    let patch = format!(
        "{WEB}  labels: {{x.y/z: '1'}}
spec:
  replicas: 3
  strategy: null
  template:
    spec:
      containers:
      - name: web
        image: b
        ports:
        - containerPort: 80
          name: http
        args: [a, b]
        resources: {{}}
      - name: old
        $patch: delete
      - name: new
        image: c
        env:
        - name: A
          value: '1'
"
    )
    .replace("metadata: {name: web}\n", "metadata:\n  name: web\n");
    let applied = apply(&mut objects, &patch).expect("it fits");
    let object = &objects[0].0;
    assert_eq!(
        told(&applied, object),
        [
            "metadata.labels[\"x.y/z\"]: o 5",
            "spec.replicas: o 7",
            "spec.template.spec.containers[name=web].image: o 13",
            "spec.template.spec.containers[name=web].ports[containerPort=80].name: o 16",
            "spec.template.spec.containers[name=web].args[0]: o 17",
            "spec.template.spec.containers[name=web].args[1]: o 17",
            "spec.template.spec.containers[name=web].resources: o 18",
            "spec.template.spec.containers[name=new].name: o 21",
            "spec.template.spec.containers[name=new].image: o 22",
            "spec.template.spec.containers[name=new].env[name=A].name: o 24",
            "spec.template.spec.containers[name=new].env[name=A].value: o 25",
            "spec.template.spec.containers[name=old]: o 19",
            "spec.strategy: o 8",
        ]
    );
    let by = |path: &str| {
        let source = applied.provenance.of(object, path);
        source
            .and_then(Source::origin)
            .and_then(|origin| origin.line)
    };
    let pod = "spec.template.spec.containers";
    let cases = [
        // Every name of an item leads to it, and its place.
        (format!("{pod}[name=web].ports[name=http].name"), Some(16)),
        (format!("{pod}[0].ports[0].name"), Some(16)),
        (format!("{pod}[name=new].env[name=A]"), Some(24)),
        (format!("{pod}[1].env[0].value"), Some(25)),
        (format!("{pod}[name=new]"), Some(21)),
        (format!("{pod}[name=old]"), Some(19)),
        (format!("{pod}[name=old].image"), Some(19)),
        // Items were removed from the list.
        (pod.to_owned(), Some(19)),
        // Removed with everything in it.
        ("spec.strategy.type".to_owned(), Some(8)),
        ("metadata.labels[\"x.y/z\"]".to_owned(), Some(5)),
        // What the patch only names isn't from it.
        (format!("{pod}[name=web].name"), None),
        (format!("{pod}[name=web].ports[containerPort=81]"), None),
        (format!("{pod}[name=web]"), None),
        (format!("{pod}[name=x].image"), None),
        ("spec".to_owned(), None),
        ("spec.paused".to_owned(), None),
        ("metadata.name".to_owned(), None),
        ("apiVersion".to_owned(), None),
        (String::new(), None),
        ("spec[".to_owned(), None),
        ("[\"spec".to_owned(), None),
    ];
    for (path, line) in cases {
        assert_eq!(by(&path), line, "{path}");
    }
    // Another object has nothing from anywhere.
    let other = parse(&WEB.replace("web", "other"));
    assert_eq!(applied.provenance.of(&other, "spec.replicas"), None);
}

#[test]
fn the_last_one_that_says_so_is_named() {
    let one = format!(
        "{WEB}spec: {{template: {{spec: {{containers: [{{name: web, image: b}}, {{name: log}}]}}}}}}\n"
    );
    let two = format!(
        "{WEB}spec: {{replicas: 2, template: {{spec: {{containers: [{{name: web, tty: true}}]}}}}}}\n"
    );
    let files: Vec<File> = [
        File::all("one", "overlays/one/web.yaml", &one),
        File::all("two", "overlays/two/web.yaml", &two),
    ]
    .into_iter()
    .flatten()
    .collect();
    let overlays = read_files(&files).expect("they are right");
    let base = format!("{WEB}spec: {{replicas: 1, template: {{spec: {{containers: []}}}}}}\n");
    for (names, image, tty) in [
        (["one", "two"], "one", "two"),
        (["two", "one"], "one", "two"),
    ] {
        let mut objects = objects(&base);
        let applied = overlays.apply(&mut objects, &names, &Values::default());
        let applied = applied.expect("both fit");
        let by = |path: &str| {
            let path = format!("spec.template.spec.containers[name=web].{path}");
            let source = applied.provenance.of(&objects[0].0, &path);
            source.and_then(Source::overlay).map(str::to_owned)
        };
        assert_eq!(by("image").as_deref(), Some(image), "{names:?}");
        assert_eq!(by("tty").as_deref(), Some(tty), "{names:?}");
    }
    let again = [files, File::all("three", "x.yaml", &two)]
        .into_iter()
        .flatten();
    let overlays = read_files(&again.collect::<Vec<_>>()).expect("they are right");
    let mut objects = objects(&base);
    let names = ["one", "two", "three"];
    let applied = overlays.apply(&mut objects, &names, &Values::default());
    let applied = applied.expect("all fit");
    let source = applied.provenance.of(&objects[0].0, "spec.replicas");
    assert_eq!(
        source.map(ToString::to_string).as_deref(),
        Some("overlay three (x.yaml:4)")
    );
}

#[test]
fn operations_keep_the_places_of_a_list_in_step() {
    let mut objects = objects(&format!(
        "{WEB}spec: {{args: [a, b, c], ports: [{{name: x}}, {{name: y}}]}}\n"
    ));
    let patch = "\
target: {kind: Deployment}
patch:
- {op: replace, path: /spec/args/2, value: C}
- {op: add, path: /spec/args/0, value: z}
- {op: remove, path: /spec/args/1}
- {op: add, path: /spec/args/-, value: [d, {e: 1}]}
- {op: remove, path: /spec/ports/0}
- {op: move, from: /spec/args/3, path: /spec/last}
- {op: copy, from: /spec/ports, path: /spec/more}
- {op: test, path: /spec/more/0/name, value: y}
";
    let applied = apply(&mut objects, patch).expect("it fits");
    let object = &objects[0].0;
    let expected = "{args: [z, b, C], ports: [{name: y}], last: [d, {e: 1}], more: [{name: y}]}";
    assert_eq!(object["spec"], parse(expected));
    let by = |path: &str| {
        let source = applied.provenance.of(object, path);
        source
            .and_then(Source::origin)
            .and_then(|origin| origin.line)
    };
    let cases = [
        ("spec.args[0]", Some(4)),
        ("spec.args[2]", Some(3)),
        // `b` stands there as before, with another one before it: nobody moved it twice.
        ("spec.args[1]", Some(5)),
        ("spec.args", Some(8)),
        ("spec.ports[name=x]", Some(7)),
        ("spec.ports[name=y].name", None),
        ("spec.last[1].e", Some(8)),
        ("spec.more[name=y].name", Some(9)),
    ];
    for (path, line) in cases {
        assert_eq!(by(path), line, "{path}");
    }
}

#[test]
fn what_is_folded_in_a_secret_is_found_where_it_goes() {
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n";
    let mut objects = objects(&format!(
        "{secret}stringData: {{a: x, b: y}}\ndata: {{c: eA==}}\n"
    ));
    let patch = format!("{secret}stringData:\n  a: z\ndata:\n  b: eA==\n  c: eQ==\n");
    let applied = apply(&mut objects, &patch).expect("it fits");
    let object = &objects[0].0;
    // `stringData.b` would have hidden what the patch says.
    assert_eq!(object["stringData"], json!({"a": "z"}));
    assert_eq!(object["data"], json!({"c": "eQ==", "b": "eA=="}));
    let by = |path: &str| {
        let source = applied.provenance.of(object, path);
        source
            .and_then(Source::origin)
            .and_then(|origin| origin.line)
    };
    assert_eq!(
        ["data.a", "data.b", "data.c"].map(by),
        [Some(5), Some(7), Some(8)]
    );
    assert_eq!(
        ["stringData.a", "stringData.c", "type"].map(by),
        [Some(5), None, None]
    );
}

#[test]
fn a_patch_in_a_quoted_text_has_the_line_of_its_key() {
    let mut objects = objects(&format!("{WEB}spec: {{}}\n"));
    let patch = "patches:\n- target: {kind: Deployment}\n  patch: \"spec: {replicas: 2}\"\n";
    let applied = apply(&mut objects, patch).expect("it fits");
    assert_eq!(told(&applied, &objects[0].0), ["spec.replicas: o 3"]);
}

/// Random values; the same every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    fn text(&mut self) -> Value {
        json!(["a", "b", "c", "d"][usize::try_from(self.below(4)).expect("below four")])
    }

    fn mapping(&mut self) -> Value {
        let keys = ["x", "y.z", "w"].into_iter();
        let entries = keys.filter_map(|key| {
            let value = self.text();
            (self.below(3) > 0).then(|| (key.to_owned(), value))
        });
        Value::Object(entries.collect())
    }

    fn items(
        &mut self,
        key: &str,
        more: &mut dyn FnMut(&mut Self) -> Vec<(&'static str, Value)>,
    ) -> Value {
        let mut names: Vec<u64> = (0..4).collect();
        let mut items = Vec::new();
        for _ in 0..self.below(4) {
            let index = usize::try_from(self.below(names.len() as u64)).expect("below four");
            let name = names.remove(index);
            let mut item = json!({});
            item[key] = if key.ends_with("Port") {
                json!(80 + name)
            } else {
                json!(format!("n{name}"))
            };
            for (field, value) in more(self) {
                if self.below(3) > 0 {
                    item[field] = value;
                }
            }
            items.push(item);
        }
        Value::Array(items)
    }

    fn containers(&mut self) -> Value {
        self.items("name", &mut |dice| {
            vec![
                ("image", dice.text()),
                ("args", json!([dice.text(), dice.text()])),
                (
                    "env",
                    dice.items("name", &mut |dice| vec![("value", dice.text())]),
                ),
                (
                    "ports",
                    dice.items("containerPort", &mut |dice| vec![("name", dice.text())]),
                ),
                (
                    "volumeMounts",
                    dice.items("mountPath", &mut |dice| vec![("name", dice.text())]),
                ),
                ("resources", json!({"limits": dice.mapping()})),
            ]
        })
    }

    fn workload(&mut self, api_version: &str) -> Value {
        json!({"apiVersion": api_version, "kind": "Deployment",
            "metadata": {"name": "web", "labels": self.mapping()},
            "spec": {"replicas": self.below(3), "selector": self.mapping(), "template": {"spec": {
                "containers": self.containers(), "initContainers": self.containers(),
                "tolerations": [self.mapping()], "nodeSelector": self.mapping(),
                "imagePullSecrets": self.items("name", &mut |_| Vec::new())}}}})
    }
}

/// Returns the readable path of every scalar and every empty collection, with its value.
fn leaves(value: &Value, path: &str, list: &str, found: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                let step = Path::root().join(key.as_str()).to_string();
                let dot = if path.is_empty() || step.starts_with('[') {
                    ""
                } else {
                    "."
                };
                leaves(value, &format!("{path}{dot}{step}"), key, found);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            let keys = naming(list, &[items.iter()]);
            for (index, item) in items.iter().enumerate() {
                let name = keys.and_then(|keys| item_name(item, keys));
                let name = name.unwrap_or_else(|| index.to_string());
                leaves(item, &format!("{path}[{name}]"), "", found);
            }
        }
        other => found.push((path.to_owned(), other.clone())),
    }
}

/// An overlay of one patch that was never a text.
fn overlay_of(patch: &Value) -> Overlays {
    let origin = Origin {
        file: "o.yaml".into(),
        line: Some(1),
        inside: crate::path::Path::root(),
        part: None,
    };
    let document = Document {
        value: patch,
        origin: &origin,
        positions: None,
    };
    Overlays::read(None, &[("o".to_owned(), document)]).expect("it is a patch")
}

fn base(object: &Value) -> Vec<(Value, Origin)> {
    let origin = Origin {
        file: "base.yaml".into(),
        line: Some(1),
        inside: crate::path::Path::root(),
        part: None,
    };
    vec![(object.clone(), origin)]
}

#[test]
fn an_overlay_that_says_what_is_there_changes_nothing_and_is_named() {
    let mut dice = Dice(7);
    for round in 0..300 {
        let api_version = ["apps/v1", "example.com/v1"][round % 2];
        let object = dice.workload(api_version);
        let mut objects = base(&object);
        let applied = overlay_of(&object).apply(&mut objects, &["o"], &Values::default());
        let applied = applied.expect("it fits");
        assert_eq!(objects, base(&object));
        assert_eq!(
            serde_json::to_string(&objects[0].0).ok(),
            serde_json::to_string(&object).ok(),
            "the order of keys stays too"
        );
        let mut all = Vec::new();
        leaves(&object, "", "", &mut all);
        let fields = applied.provenance.fields(&object);
        for (path, value) in all {
            let is_identity = ["apiVersion", "kind", "metadata.name"].contains(&path.as_str());
            let is_key = ["].name", "].containerPort", "].mountPath"]
                .iter()
                .any(|key| path.ends_with(key));
            let source = applied.provenance.of(&object, &path);
            if !is_identity && !is_key {
                assert!(source.is_some(), "{path} {value}");
                assert!(
                    fields
                        .iter()
                        .any(|(field, _)| path.starts_with(field.as_str())),
                    "{path}"
                );
            }
            if is_identity {
                assert_eq!(source, None, "{path}");
            }
        }
    }
}

#[test]
fn what_a_patch_says_is_so_afterwards_and_is_named() {
    let mut dice = Dice(99);
    for round in 0..1_000 {
        let api_version = ["apps/v1", "example.com/v1"][round % 2];
        let (object, patch) = (dice.workload(api_version), dice.workload(api_version));
        let mut objects = base(&object);
        let applied = overlay_of(&patch).apply(&mut objects, &["o"], &Values::default());
        let applied = applied.expect("it fits");
        let done = &objects[0].0;
        let (mut said, mut there, mut before) = (Vec::new(), Vec::new(), Vec::new());
        leaves(&patch, "", "", &mut said);
        leaves(done, "", "", &mut there);
        leaves(&object, "", "", &mut before);
        for (path, value) in &said {
            // A list may have got another key to name its items by: the provenance knows all of them.
            let source = applied.provenance.of(done, path);
            let is_empty = value.as_object().is_some_and(serde_json::Map::is_empty)
                || value.as_array().is_some_and(Vec::is_empty);
            let is_key = ["].name", "].containerPort", "].mountPath"]
                .iter()
                .any(|key| path.ends_with(key));
            if !path.starts_with("spec") || is_empty || is_key {
                continue;
            }
            assert!(source.is_some(), "{path}\n{object}\n{patch}\n{done}");
        }
        for (path, value) in &there {
            let changed = !before
                .iter()
                .any(|(known, old)| known == path && old == value);
            let by = applied.provenance.of(done, path);
            if changed && !path.contains(".ports[") {
                assert!(by.is_some(), "{path} {value}\n{object}\n{patch}\n{done}");
            }
            // What nobody set is as it was.
            if by.is_none() && !path.contains(".ports[") {
                assert!(!changed, "{path}");
            }
        }
        // Saying it twice is saying it once.
        let once = objects.clone();
        let again = overlay_of(&patch).apply(&mut objects, &["o"], &Values::default());
        assert!(again.is_ok());
        assert_eq!(objects, once);
    }
}

/// A small document of mappings and lists whose items have no name.
fn tree(dice: &mut Dice, depth: u64) -> Value {
    match dice.below(if depth == 0 { 2 } else { 5 }) {
        0 => dice.text(),
        1 => json!(dice.below(3)),
        2 | 3 => {
            let keys = ["a", "b", "c"].into_iter();
            let entries = keys.map(|key| (key.to_owned(), tree(dice, depth - 1)));
            Value::Object(entries.collect())
        }
        _ => (0..dice.below(4)).map(|_| tree(dice, depth - 1)).collect(),
    }
}

#[test]
fn what_operations_change_is_named_at_its_place() {
    let mut dice = Dice(5);
    let (mut done, mut failed) = (0, 0);
    for _ in 0..5_000 {
        let mut object = parse(WEB);
        object["spec"] = json!({"a": tree(&mut dice, 3), "b": tree(&mut dice, 3), "c": [1, 2, 3]});
        let pointer = |dice: &mut Dice| {
            let steps = (0..=dice.below(3)).map(|_| {
                ["a", "b", "c", "0", "1", "2", "-"]
                    [usize::try_from(dice.below(7)).expect("below seven")]
            });
            format!("/spec/{}", steps.collect::<Vec<_>>().join("/"))
        };
        let operations: Vec<Value> = (0..=dice.below(2))
            .map(|_| {
                let names = ["add", "remove", "replace", "move", "copy"];
                let op = names[usize::try_from(dice.below(5)).expect("below five")];
                json!({"op": op, "path": pointer(&mut dice), "from": pointer(&mut dice),
                    "value": tree(&mut dice, 1)})
            })
            .collect();
        let patch = json!({"target": {"kind": "Deployment"}, "patch": operations});
        let mut objects = base(&object);
        let result = overlay_of(&patch).apply(&mut objects, &["o"], &Values::default());
        let Ok(applied) = result else {
            assert_eq!(objects, base(&object));
            failed += 1;
            continue;
        };
        done += 1;
        let (mut before, mut after) = (Vec::new(), Vec::new());
        leaves(&object, "", "", &mut before);
        leaves(&objects[0].0, "", "", &mut after);
        for leaf in after.iter().filter(|leaf| !before.contains(leaf)) {
            // An emptied collection is nobody's, but something was taken out of it.
            let is_empty = leaf.1.is_object() || leaf.1.is_array();
            let by = applied.provenance.of(&objects[0].0, &leaf.0);
            assert!(
                by.is_some() || is_empty,
                "{leaf:?}\n{object}\n{patch}\n{}",
                objects[0].0
            );
        }
    }
    assert!(done > 300 && failed > 300, "{done} {failed}");
}

#[test]
fn an_error_in_one_patch_leaves_everything_as_it_was() {
    let good = format!("{WEB}spec: {{replicas: 2}}\n");
    let remove = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n$patch: delete\n";
    let bad = [
        "target: {kind: Deployment}\npatch: [{op: remove, path: /spec/replicas}, {op: remove, path: /x}]\n",
        "target: {kind: Nothing}\npatch: [{op: remove, path: /x}]\n",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\n",
    ];
    let base = format!(
        "{WEB}spec: {{replicas: 1}}\n---\n{}",
        remove.replace("$patch: delete\n", "")
    );
    for bad in bad {
        let patches = format!("{good}---\n{remove}---\n{bad}---\n{good}");
        let mut objects = objects(&base);
        // `apply` compares the objects with what they were.
        let errors = apply(&mut objects, &patches).map(drop).expect_err(bad);
        assert_eq!(errors.len(), 1, "{errors:?}");
    }
    // Every patch that fails is told, once for each object.
    let both = format!("{}---\n{}---\n{}", bad[0], bad[1], bad[2]);
    let errors = apply(&mut objects(&base), &both).map(drop);
    assert_eq!(errors.map_err(|errors| errors.len()), Err(3));
}

#[test]
fn what_was_text_of_a_secret_is_listed_where_the_cluster_has_it() {
    let head = "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\n";
    let mut all = objects(&format!(
        "{head}data: {{a: eA==}}\nstringData: {{b: two}}\n"
    ));
    let applied = overlay(&format!("{head}stringData: {{c: three}}\ntype: Opaque\n"))
        .and_then(|overlays| overlays.apply(&mut all, &["o"], &Values::default()))
        .expect("fits");
    let scope = |_: &str, _: &str| Some(true);
    let (set, _) = crate::resource::ResourceSet::from_manifests(all, &scope, Some("shop"));
    let resource = set.iter().next().expect("one");
    let fields = applied.provenance.fields(&resource.object).into_iter();
    let fields: Vec<String> = fields.map(|(path, _)| path).collect();
    assert_eq!(fields, ["type", "data.c"]);
}
