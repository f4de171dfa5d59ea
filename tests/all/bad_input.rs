//! What a command does with input that is wrong: the exact code, exit status and place, nothing
//! stored, nothing lost. Large inputs are files of `testdata/bad`, whose names announce the code.

pub mod archives;
mod control;
mod corpus;
mod files;
mod mutation;
mod urls;

use std::fmt::Write as _;

use serde_json::Value;

use crate::support::{Run, SHOP, Sandbox};

/// A `ConfigMap` of a name, with further lines.
fn config_map(name: &str, more: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n{more}")
}

/// The error on standard error under `-o json`.
#[track_caller]
fn error_of(run: &Run) -> Value {
    assert_eq!(run.stdout, "", "{run}");
    serde_json::from_str(&run.stderr).unwrap_or_else(|error| panic!("{error}: {run}"))
}

/// A sandbox with the design `kept`, and what it looks like.
fn with_kept() -> (Sandbox, String) {
    let sandbox = Sandbox::new();
    sandbox.write("kept.yaml", SHOP);
    sandbox.run(["design", "import", "kept.yaml"]).succeeds();
    let kept = stored(&sandbox);
    (sandbox, kept)
}

/// The list of designs and all of `kept`.
fn stored(sandbox: &Sandbox) -> String {
    let list = sandbox.run(["design", "list", "-o", "json"]).succeeds();
    let view = sandbox
        .run(["design", "view", "kept", "-o", "json"])
        .succeeds();
    list.stdout + &view.stdout
}

/// What `validate` and `deploy --dry-run=client` say.
#[derive(Clone, Copy)]
enum Judged {
    /// It can't be read: the error of the import, exit 10.
    Unreadable,
    /// It can be read and isn't valid: exit 1 with this rule, and the plan has the import's code.
    Invalid(&'static str),
    /// The import doesn't mind, `validate` names this rule, and the plan has this code.
    Late(&'static str, &'static str),
}

struct Case {
    /// The file's name.
    file: &'static str,
    text: Vec<u8>,
    /// The code and where: line and column, from 1.
    code: &'static str,
    at: Option<(u64, u64)>,
    /// Part of the message or its hint.
    says: &'static str,
    judged: Judged,
}

fn case(
    file: &'static str,
    text: impl Into<Vec<u8>>,
    code: &'static str,
    at: (u64, u64),
    says: &'static str,
    judged: Judged,
) -> Case {
    Case {
        file,
        text: text.into(),
        code,
        at: (at != (0, 0)).then_some(at),
        says,
        judged,
    }
}

fn annotated(name: &str, annotation: &str) -> String {
    config_map(name, &format!("  annotations:\n    {annotation}\n"))
}

fn cases() -> Vec<Case> {
    use Judged::{Invalid, Late, Unreadable};
    let design =
        |lines: &str| format!("schemaVersion: designs.meshery.io/v1beta3\nname: x\n{lines}");
    let mut cases = unreadable();
    cases.extend([
        case("twice.yaml", config_map("a", "---\n") + &config_map("a", ""), "E0107", (9, 9), "twice.yaml:4:9", Invalid("duplicate-identity")),
        case("misspelt.yaml", "apiVersion: apps/v1\nkind: Deploymnt\nmetadata:\n  name: a\n", "E0116", (2, 7), "did you mean \"Deployment\"?", Invalid("unknown-kind")),
        case("core.yaml", "apiVersion: v1\nkind: Thing\nmetadata:\n  name: a\n", "E0116", (2, 7), "unknown kind \"Thing\"", Invalid("unknown-kind")),
        case("custom.yaml", "apiVersion: example.com/v1\nkind: Thing\nmetadata:\n  name: a\n", "", (2, 7), "unknown kind \"Thing\"", Late("unknown-kind", "E0116")),
        case("name.yaml", config_map("Bad_Name", ""), "E0109", (4, 9), "RFC 1123", Invalid("invalid-name")),
        case("long.yaml", config_map(&"a".repeat(254), ""), "E0109", (4, 9), "at most 253", Invalid("invalid-name")),
        case("service.yaml", format!("apiVersion: v1\nkind: Service\nmetadata:\n  name: {}\nspec: {{}}\n", "a".repeat(64)), "E0109", (4, 9), "63", Invalid("invalid-name")),
        case("path.yaml", config_map("../../etc", ""), "E0109", (4, 9), "", Invalid("invalid-name")),
        case("namespace.yaml", config_map("a", "  namespace: A.b\n"), "E0109", (5, 14), "", Invalid("invalid-name")),
        case("generated.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  generateName: a-\n", "E0109", (4, 17), "generateName", Invalid("generated-name")),
        case("nameless.yaml", "apiVersion: v1\nkind: ConfigMap\n", "E0108", (1, 1), "", Invalid("missing-identity")),
        case("kindless.yaml", "apiVersion: v1\nmetadata:\n  name: a\n", "E0108", (1, 1), "kind", Invalid("missing-identity")),
        case("metadata.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: x\n", "E0108", (3, 11), "mapping", Invalid("invalid-identity")),
        case("itself.yaml", annotated("a", "weftctl.dev/depends-on: ConfigMap/a"), "E0111", (6, 29), "ConfigMap/default/a → ConfigMap/default/a", Invalid("dependency-cycle")),
        case(
            "cycle.yaml",
            annotated("a", "weftctl.dev/depends-on: ConfigMap/b")
                + "---\n"
                + &annotated("b", "weftctl.dev/depends-on: ConfigMap/a"),
            "E0111",
            (6, 29),
            "ConfigMap/default/a → ConfigMap/default/b → ConfigMap/default/a",
            Invalid("dependency-cycle"),
        ),
        case("missing.yaml", annotated("a", "weftctl.dev/depends-on: ConfigMap/b"), "E0118", (6, 29), "ConfigMap/b", Invalid("unknown-dependency")),
        case("policy.yaml", annotated("a", "weftctl.dev/deletion-policy: Sometimes"), "E0110", (6, 34), "not Delete or Retain", Invalid("invalid-policy")),
        case("components.yaml", design("components: 5\n"), "E0113", (3, 13), "components must be a list", Unreadable),
        case("component.yaml", design("components:\n- displayName: a\n  configuration: [1]\n"), "E0113", (5, 18), "configuration", Unreadable),
        case("version.yaml", "schemaVersion: designs.meshery.io/v9\ncomponents: []\n", "E0113", (1, 16), "designs.meshery.io/v1beta3", Unreadable),
        case("designs.yaml", design("components: []\n---\n") + &design("components: []\n"), "E0113", (0, 0), "2 documents", Unreadable),
        case("dependency.yaml", design("components:\n- displayName: a\n  component: {version: v1, kind: ConfigMap, schema: ''}\n  configuration: {metadata: {name: a}}\n  metadata: {dependsOn: [nobody]}\n"), "E0118", (0, 0), "nobody", Unreadable),
        case("compose.yaml", "services:\n  a:\n    image: [1]\n", "E0114", (0, 0), "", Unreadable),
        case("type.yaml", config_map("a", "data: 5\n"), "", (5, 7), "expected object", Late("wrong-type", "E0115")),
        case("field.yaml", config_map("a", "dta: {}\n"), "", (5, 1), "data", Late("unknown-field", "E0115")),
    ]);
    cases
}

/// File, text, code, line and column, part of the message.
type Row = (
    &'static str,
    Vec<u8>,
    &'static str,
    (u64, u64),
    &'static str,
);

#[expect(clippy::too_many_lines, reason = "a table")]
fn unreadable() -> Vec<Case> {
    let bomb = (1..12).fold(
        String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"),
        |mut text, level| {
            let alias = format!("*a{}, ", level - 1).repeat(10);
            writeln!(text, "a{level}: &a{level} [{alias}]").expect("a string takes it");
            text
        },
    );
    let many = |count: usize| {
        (0..count).fold(String::new(), |mut text, n| {
            writeln!(
                text,
                "---\n{{apiVersion: v1, kind: ConfigMap, metadata: {{name: c{n}}}}}"
            )
            .expect("a string takes it");
            text
        })
    };
    let nodes = config_map("a", &format!("data: {{x: [{}1]}}\n", "1,".repeat(100_001)));
    let large = config_map("a", &format!("data:\n  x: {}\n", "y".repeat(16 << 20)));
    let all: Vec<Row> = vec![
        (
            "bracket.yaml",
            "a: [1,\n".into(),
            "E0100",
            (1, 4),
            "unclosed bracket",
        ),
        (
            "quote.yaml",
            config_map("\"a", "").into(),
            "E0100",
            (5, 1),
            "",
        ),
        ("tab.yaml", "a:\n\t- 1\n".into(), "E0100", (2, 2), "tab"),
        ("colon.yaml", "a: b: c\n".into(), "E0100", (1, 5), ""),
        ("alias.yaml", "a: *nope\n".into(), "E0100", (1, 4), ""),
        (
            "garbage.json",
            "{\"a\": 1".into(),
            "E0100",
            (1, 1),
            "unclosed",
        ),
        (
            "garbage2.json",
            "{\"apiVersion\": \"v1\",, \"kind\"}".into(),
            "E0100",
            (1, 21),
            "",
        ),
        (
            "binary.yaml",
            b"\x00\x01\x02\x7fELF".to_vec(),
            "E0100",
            (1, 1),
            "",
        ),
        (
            "second.yaml",
            (config_map("a", "---\n") + "a: [\n").into(),
            "E0100",
            (6, 4),
            "",
        ),
        (
            "infinite.yaml",
            config_map("a", "data: {x: .inf}\n").into(),
            "E0100",
            (5, 11),
            ".inf",
        ),
        (
            "recursive.yaml",
            config_map("a", "data: &x {y: *x}\n").into(),
            "E0100",
            (5, 14),
            "contains it",
        ),
        (
            "key.yaml",
            config_map("a", "metadata: {}\n").into(),
            "E0101",
            (5, 1),
            "\"metadata\" stands twice",
        ),
        (
            "key.json",
            "{\"a\": 1,\n \"a\": 2}".into(),
            "E0101",
            (2, 2),
            "\"a\" stands twice",
        ),
        ("bomb.yaml", bomb.into(), "E0102", (0, 0), "100000"),
        (
            "deep.yaml",
            ("a: ".to_owned() + &"[".repeat(200) + &"]".repeat(200)).into(),
            "E0102",
            (1, 133),
            "128",
        ),
        (
            "deep.json",
            ("{\"a\":".repeat(100_000)).into(),
            "E0102",
            (0, 0),
            "128",
        ),
        ("nodes.yaml", nodes.into(), "E0102", (0, 0), "100000"),
        ("large.yaml", large.into(), "E0102", (1, 1), "16777216"),
        ("many.yaml", many(50_001).into(), "E0102", (0, 0), "50000"),
        (
            "latin.yaml",
            b"a: 1\nb: gr\xfc\xdfe\n".to_vec(),
            "E0103",
            (2, 6),
            "UTF-8",
        ),
        (
            "half.yaml",
            b"\xff\xfea\x00:\x00 ".to_vec(),
            "E0103",
            (1, 3),
            "UTF-16",
        ),
        (
            "surrogate.yaml",
            b"\xff\xfea\x00\x00\xd8b\x00".to_vec(),
            "E0103",
            (1, 2),
            "UTF-16",
        ),
        ("empty.yaml", Vec::new(), "E0106", (0, 0), "empty.yaml"),
        ("blank.yaml", "\n \n".into(), "E0106", (0, 0), "blank.yaml"),
        (
            "comments.yaml",
            "# one\n---\n# two\n---\n".into(),
            "E0106",
            (0, 0),
            "comments.yaml",
        ),
        ("text.yaml", "just a text\n".into(), "E0108", (1, 1), ""),
        ("number.json", "42".into(), "E0108", (1, 1), ""),
        ("list.yaml", "# c\n- a\n- b\n".into(), "E0108", (2, 1), ""),
        (
            "html.yaml",
            "<!doctype html>\n<html></html>\n".into(),
            "E0108",
            (1, 1),
            "",
        ),
    ];
    all.into_iter()
        .map(|(file, text, code, at, says)| case(file, text, code, at, says, Judged::Unreadable))
        .collect()
}

#[test]
fn each_bad_input_has_its_code_exit_status_and_place_and_leaves_the_store_alone() {
    let mut failures = String::new();
    let (sandbox, kept) = with_kept();
    for case in cases() {
        sandbox.write(case.file, &case.text);
        let mut problems = Vec::new();
        import(&sandbox, &case, &mut problems);
        judge(&sandbox, &case, &mut problems);
        if stored(&sandbox) != kept {
            problems.push("the store has changed".to_owned());
        }
        std::fs::remove_file(sandbox.path(case.file)).expect("a file");
        for problem in problems {
            writeln!(failures, "{}: {problem}", case.file).expect("a string takes it");
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}

fn import(sandbox: &Sandbox, case: &Case, problems: &mut Vec<String>) {
    // Where it works, it would change what is kept.
    let late = matches!(case.judged, Judged::Late(..));
    let mut arguments = vec![
        "design", "import", case.file, "--name", "kept", "-o", "json",
    ];
    if late {
        arguments.push("--dry-run=client");
    }
    let run = sandbox.run(arguments);
    if late {
        if run.code != Some(0) {
            problems.push(format!("is imported: {run}"));
        }
    } else {
        check_error(&run, case, case.code, problems);
    }
}

fn check_error(run: &Run, case: &Case, code: &str, problems: &mut Vec<String>) {
    let error = error_of(run);
    let exit = (run.code, error["exitCode"].as_i64());
    if error["code"] != code || exit != (Some(10), Some(10)) {
        problems.push(format!("wants {code} and 10: {run}"));
    }
    let object = &error["object"];
    let at = (object["line"].as_u64(), object["column"].as_u64());
    if let Some((line, column)) = case.at
        && (at != (Some(line), Some(column)) || object["file"] != case.file)
    {
        problems.push(format!("wants {line}:{column}: {run}"));
    }
    if !error.to_string().replace("\\\"", "\"").contains(case.says) {
        problems.push(format!("wants {:?}: {run}", case.says));
    }
    if !error.to_string().contains(case.file) {
        problems.push(format!("doesn't name its file: {run}"));
    }
}

fn judge(sandbox: &Sandbox, case: &Case, problems: &mut Vec<String>) {
    let validate = sandbox.run(["design", "validate", case.file, "-o", "json"]);
    let plan = sandbox.run([
        "design",
        "deploy",
        case.file,
        "--dry-run=client",
        "-o",
        "json",
    ]);
    let rule = match case.judged {
        Judged::Unreadable => {
            check_error(&validate, case, case.code, problems);
            check_error(&plan, case, case.code, problems);
            return;
        }
        Judged::Invalid(rule) => {
            let codes: Vec<Value> = std::iter::once(error_of(&plan))
                .flat_map(|error| {
                    let others = error["others"].as_array().cloned().unwrap_or_default();
                    std::iter::once(error).chain(others)
                })
                .map(|error| error["code"].clone())
                .collect();
            if plan.code != Some(10) || !codes.contains(&case.code.into()) {
                problems.push(format!("wants {}: {plan}", case.code));
            }
            rule
        }
        Judged::Late(rule, code) => {
            check_error(&plan, case, code, problems);
            rule
        }
    };
    if validate.code != Some(1) {
        problems.push(format!("wants 1: {validate}"));
        return;
    }
    let report = validate.json();
    let findings = report["findings"].as_array().cloned().unwrap_or_default();
    let found = findings.iter().find(|finding| finding["rule"] == rule);
    let Some(found) = found else {
        problems.push(format!("wants {rule}: {validate}"));
        return;
    };
    let at = (found["line"].as_u64(), found["column"].as_u64());
    if let Some((line, column)) = case.at
        && at != (Some(line), Some(column))
    {
        problems.push(format!("wants {rule} at {line}:{column}: {validate}"));
    }
}

#[test]
fn a_bad_import_into_an_empty_home_stores_nothing() {
    let sandbox = Sandbox::new();
    for case in cases() {
        if matches!(case.judged, Judged::Late(..)) || case.text.len() > 1 << 20 {
            continue;
        }
        let run = sandbox.run_with(["design", "import", "-", "--name", "x"], &case.text);
        assert_eq!(run.code, Some(10), "{}: {run}", case.file);
    }
    let list = sandbox.run(["design", "list", "-o", "json"]).succeeds();
    assert_eq!(list.json()["items"], serde_json::json!([]));
}

#[test]
fn unknown_kinds_are_imported_when_that_is_asked_for() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "a.yaml",
        "apiVersion: apps/v1\nkind: Deploymnt\nmetadata: {name: a}\n",
    );
    sandbox
        .run(["design", "import", "a.yaml", "--allow-unknown-kinds"])
        .succeeds();
}

#[test]
fn texts_in_utf_16_are_read_when_they_say_so() {
    let sandbox = Sandbox::new();
    let text = config_map("a", "data: {x: grüße 🦀}\n");
    let little: Vec<u8> = "\u{feff}"
        .encode_utf16()
        .chain(text.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    let big: Vec<u8> = "\u{feff}"
        .encode_utf16()
        .chain(text.encode_utf16())
        .flat_map(u16::to_be_bytes)
        .collect();
    for (name, bytes) in [
        ("little", little),
        ("big", big),
        ("mark", ("\u{feff}".to_owned() + &text).into_bytes()),
    ] {
        sandbox.write("a.yaml", bytes);
        sandbox
            .run(["design", "import", "a.yaml", "--name", name])
            .succeeds();
        let view = sandbox.run(["design", "view", name, "-o", "json"]).json();
        assert_eq!(
            view["design"]["components"][0]["configuration"]["data"]["x"], "grüße 🦀",
            "{name}"
        );
    }
}
