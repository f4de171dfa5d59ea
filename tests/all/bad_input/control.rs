//! Control characters from outside: none of them reaches a terminal.

use std::fmt::Write as _;

use serde_json::json;

use crate::support::{Run, Sandbox};

/// What would act on a terminal: a colour, a title, a bell, an overwritten line, C1 controls,
/// reversed and hidden text.
const NASTY: &str =
    "x\u{1b}[31m\u{1b}]0;t\u{7}\rOK\u{9b}31m\u{85}\u{202e}y\u{2066}\u{200b}\u{7f}\u{8}z";

/// JSON with everything beyond ASCII escaped: YAML has no raw controls.
fn escaped(value: &serde_json::Value) -> String {
    let text = value.to_string();
    let mut units = [0; 2];
    text.chars().fold(String::new(), |mut text, c| {
        if matches!(c, ' '..='~') {
            text.push(c);
        } else {
            for unit in c.encode_utf16(&mut units) {
                write!(text, "\\u{unit:04x}").expect("a string takes it");
            }
        }
        text
    })
}

/// Whether a character acts on a terminal.
fn acts(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[track_caller]
fn is_clean(run: &Run, field: &str) {
    for (name, stream) in [("stdout", &run.stdout), ("stderr", &run.stderr)] {
        if let Some(found) = stream.chars().find(|c| acts(*c)) {
            panic!("{field}: a raw {found:?} on {name}: {:?}", run.transcript());
        }
    }
    assert_ne!(run.code, Some(70), "{field}: {run}");
    assert!(run.code.is_some(), "{field}: {run}");
}

/// All that prints something of a source.
fn commands(source: &str) -> Vec<Vec<&str>> {
    let mut commands = Vec::new();
    for format in ["table", "wide", "name", "json", "yaml"] {
        commands.push(vec![
            "design",
            "import",
            source,
            "--allow-unknown-kinds",
            "-o",
            format,
        ]);
        commands.push(vec!["design", "validate", source, "-o", format]);
        commands.push(vec![
            "design",
            "deploy",
            source,
            "--dry-run=client",
            "-o",
            format,
        ]);
    }
    for format in ["junit", "sarif"] {
        commands.push(vec!["design", "validate", source, "-o", format]);
    }
    commands
}

#[test]
fn no_field_of_an_object_acts_on_a_terminal() {
    let object = |patch: serde_json::Value| {
        let mut object =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}});
        for (key, value) in patch.as_object().expect("a mapping") {
            object[key] = value.clone();
        }
        object
    };
    for (field, object) in [
        ("name", object(json!({"metadata": {"name": NASTY}}))),
        (
            "namespace",
            object(json!({"metadata": {"name": "a", "namespace": NASTY}})),
        ),
        (
            "generateName",
            object(json!({"metadata": {"generateName": NASTY}})),
        ),
        ("kind", object(json!({"kind": NASTY}))),
        ("apiVersion", object(json!({"apiVersion": NASTY}))),
        (
            "group",
            object(json!({"apiVersion": format!("{NASTY}/v1")})),
        ),
        (
            "label",
            object(json!({"metadata": {"name": "a", "labels": {NASTY: NASTY}}})),
        ),
        (
            "annotation",
            object(json!({"metadata": {"name": "a", "annotations": {NASTY: NASTY}}})),
        ),
        (
            "policy",
            object(
                json!({"metadata": {"name": "a", "annotations": {"weftctl.dev/deletion-policy": NASTY}}}),
            ),
        ),
        (
            "depends-on",
            object(
                json!({"metadata": {"name": "a", "annotations": {"weftctl.dev/depends-on": NASTY}}}),
            ),
        ),
        ("data", object(json!({"data": {NASTY: NASTY}}))),
        ("unknown field", object(json!({NASTY: 1}))),
        ("wrong type", object(json!({"data": {NASTY: [NASTY]}}))),
        (
            "reference",
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [{"name": "a", "image": NASTY, "envFrom": [{"configMapRef": {"name": NASTY}}]}]}}),
        ),
    ] {
        let sandbox = Sandbox::new();
        sandbox.write("a.json", escaped(&object));
        for command in commands("a.json") {
            is_clean(&sandbox.run(command), field);
        }
        for command in [
            vec!["design", "view", "a"],
            vec!["design", "view", "a", "-o", "json"],
            vec!["design", "view", "a", "-o", "yaml"],
        ] {
            is_clean(&sandbox.run(command), field);
        }
        // YAML that is wrong behind the character.
        sandbox.write("a.yaml", escaped(&object) + "\na: [");
        is_clean(&sandbox.run(["design", "import", "a.yaml"]), field);
    }
}

#[test]
fn json_holds_the_characters_escaped() {
    let sandbox = Sandbox::new();
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": NASTY}});
    sandbox.write("a.json", escaped(&object));
    sandbox.run(["design", "import", "a.json"]).succeeds();
    let view = sandbox.run(["design", "view", "a", "-o", "json"]);
    is_clean(&view, "data");
    let data = &view.json()["design"]["components"][0]["configuration"]["data"]["k"];
    assert_eq!(data, NASTY, "and nothing is lost");
}

#[test]
fn no_name_of_a_design_acts_on_a_terminal() {
    let sandbox = Sandbox::new();
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}});
    sandbox.write("a.json", escaped(&object));
    let run = sandbox.run(["design", "import", "a.json", "--name", NASTY]);
    is_clean(&run, "--name");
    run.fails(10, "E0109");
    // Not a control, but it turns the line around.
    for name in ["a\u{202e}b", "a\u{200b}b"] {
        is_clean(
            &sandbox.run(["design", "import", "a.json", "--name", name]),
            "--name",
        );
        let listed = sandbox.run(["design", "list"]);
        is_clean(&listed, "list");
        for verb in ["view", "validate", "render"] {
            for name in [name, "a\u{202e}", NASTY] {
                is_clean(&sandbox.run(["design", verb, name]), verb);
            }
        }
        is_clean(&sandbox.run(["design", "view", name, "-o", "name"]), "view");
        is_clean(&sandbox.run(["design", "search", NASTY]), "search");
        is_clean(&sandbox.run(["design", "delete", name, "--yes"]), "delete");
        is_clean(&sandbox.run(["system", "operation", "list"]), "operations");
    }
    let design = json!({"schemaVersion": "designs.meshery.io/v1beta3", "name": NASTY, "version": NASTY, "components": []});
    sandbox.write("d.json", escaped(&design));
    for command in commands("d.json") {
        is_clean(&sandbox.run(command), "design");
    }
    for (key, value) in [
        ("components", json!(NASTY)),
        (
            "schemaVersion",
            json!(format!("designs.meshery.io/{NASTY}")),
        ),
        ("id", json!(NASTY)),
        (NASTY, json!([NASTY])),
    ] {
        let mut design = design.clone();
        design["name"] = "d".into();
        design["version"] = "0.0.1".into();
        design[key] = value;
        sandbox.write("d.json", escaped(&design));
        for command in commands("d.json") {
            is_clean(&sandbox.run(command), key);
        }
    }
}

#[test]
fn no_file_name_and_no_argument_acts_on_a_terminal() {
    let sandbox = Sandbox::new();
    let file = NASTY.to_owned() + ".yaml";
    for text in [
        "a: [",
        "# nothing",
        "x: 1",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: A}\n",
    ] {
        sandbox.write(&file, text);
        for command in commands(&file) {
            is_clean(&sandbox.run(command), "file");
        }
        sandbox.write(&format!("f/{file}"), text);
        sandbox.write("f/other.yaml", text);
        is_clean(&sandbox.run(["design", "import", "f"]), "folder");
    }
    for command in [
        vec!["design", "import", NASTY],
        vec!["design", NASTY],
        vec!["design", "list", "-o", NASTY],
        vec!["design", "list", "--server", NASTY],
        vec!["design", "import", "-f", NASTY, "--set", NASTY],
        vec!["explain", NASTY],
        vec!["schema", "print", NASTY],
        vec!["config", "set", NASTY, NASTY],
        vec!["system", "context", "switch", NASTY],
        vec!["system", "operation", "view", NASTY],
    ] {
        is_clean(&sandbox.run(command), "argument");
    }
}

#[test]
fn no_word_of_a_compose_file_acts_on_a_terminal() {
    let sandbox = Sandbox::new();
    for project in [
        json!({"name": NASTY, "services": {"a": {"image": "x"}}}),
        json!({"services": {NASTY: {"image": "x"}}}),
        json!({"services": {"a": {"image": NASTY, "ports": [NASTY]}}}),
        json!({"services": {"a": {"image": "x", NASTY: NASTY}}}),
        json!({"services": {"a": {"image": "x", "environment": {NASTY: NASTY}, "depends_on": [NASTY]}}}),
    ] {
        sandbox.write("compose.yaml", escaped(&project));
        for command in commands("compose.yaml") {
            is_clean(&sandbox.run(command), "compose");
        }
    }
}
