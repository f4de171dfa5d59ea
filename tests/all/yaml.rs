//! Awkward scalars, both ways: what `kubectl` reads in a text is what we read in it, and what we
//! write is what `kubectl` reads.
//!
//! `kubectl annotate --local` takes any object and needs no server. Many scalars go through one
//! run, each under a key of its own; only when that run disagrees, each goes alone, to name it.

use std::process::{Command, Stdio};

use serde_json::{Map, Value, json};

use crate::support::{
    Sandbox,
    api_server::ApiServer,
    tools::{path, tools},
};

/// Scalars, and what may stand in their place, that both sides read as the same.
const READ: &[&str] = &[
    "0",
    "00",
    "0400",
    "0o644",
    "0O17",
    "0o8",
    "08",
    "09.5",
    "0777_7",
    "0_7",
    "-0400",
    "+0400",
    "007",
    "0x1F",
    "0X1f",
    "-0x1f",
    "+0x1F",
    "0xG",
    "0x",
    "0x_1",
    "0b11",
    "0B11",
    "-0b1",
    "+0b1",
    "0b2",
    "0b1_1",
    "1_000",
    "1__0",
    "_1",
    "1_",
    "-1_0",
    "+12",
    "-12",
    "--1",
    "+-1",
    "-0",
    "+0",
    "-0.0",
    "0.0",
    "1.",
    "1.0",
    "1.50",
    ".5",
    "-.5",
    "+.5",
    "._5",
    "1_0.5",
    "1.5_0",
    ".",
    "+",
    "-.",
    "1e3",
    "1E3",
    "1e+3",
    "1e-3",
    "1e",
    "1e+",
    "1.5e3",
    "-1e3",
    ".1e1",
    ".e1",
    "1e400",
    "1e308",
    "1e-400",
    "1e21",
    "1e20",
    "1.0e15",
    "123456789012345678",
    "1234567890.123456789",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775808",
    "-9223372036854775809",
    "99999999999999999999999",
    "0xFFFFFFFFFFFFFFFF",
    "0x1p4",
    "0x1.8p1",
    "inf",
    "Inf",
    "+inf",
    "nan",
    "NaN",
    "infinity",
    "1,000",
    "1.2.3",
    "v1",
    "1a",
    "12h",
    "1Gi",
    "500m",
    "y",
    "Y",
    "n",
    "N",
    "yes",
    "Yes",
    "YES",
    "yEs",
    "no",
    "No",
    "NO",
    "nO",
    "on",
    "On",
    "ON",
    "oN",
    "off",
    "Off",
    "OFF",
    "oFF",
    "true",
    "True",
    "TRUE",
    "tRUE",
    "t",
    "false",
    "False",
    "FALSE",
    "f",
    "~",
    "null",
    "Null",
    "NULL",
    "nULL",
    "None",
    "nil",
    "2001-01-01",
    "2001-12-14t21:59:43.10-05:00",
    "2001-12-14 21:59:43.10 -5",
    "2026-01-02T03:04:05Z",
    "12:30",
    "12:30:45",
    "190:20:30",
    "1:30.5",
    "-1:30",
    "60:00",
    "=",
    "<",
    r#""0400""#,
    "'0400'",
    r#""true""#,
    "'null'",
    r#""~""#,
    r#""""#,
    "''",
    r#""a\tb""#,
    r#""a\x41\u00e9\U0001F680""#,
    "'it''s'",
    r#""a\0b""#,
    r#""\e[31m""#,
    r#""\N\_\L\P""#,
    "!!str 1",
    "!!str true",
    "!!str 0400",
    "!!str",
    "!!str null",
    "!!int 1",
    r#"!!int "1""#,
    "!!int 0x10",
    "!!int 0400",
    "!!float 1",
    r#"!!float "1.5""#,
    "!!float 1e3",
    "!!bool yes",
    r#"!!bool "true""#,
    r#"!!null """#,
    "!!null null",
    "!!binary aGVsbG8=",
    "!!binary AAECAw==",
    "!!timestamp 2001-01-01",
    "!custom text",
    "!custom 12",
    "! 12",
    r#"! "12""#,
    "!!map {a: 1}",
    "!!seq [1, 2]",
    "{a: 1, b: [x, y]}",
    "{}",
    "[]",
    r#"[1, "1", 01, yes]"#,
    "{a, b: }",
    "{? a : b}",
    "{01: a}",
    "{2001-01-01: d}",
    "{a: &x 1, b: *x}",
    "{<<: {a: 1}, b: 2}",
    "{<<: [{a: 1, b: 1}, {b: 2, c: 3}], c: 4}",
    r#"{"<<": {a: 1}}"#,
    "{'<<': 1}",
    r#"{a: b, "a b": c d}"#,
    "a b c",
    "a:b",
    "a#b",
    "a # comment",
    "|1-\n    x",
    "http://x:80/a?b=c#d",
    r"C:\Program Files",
    r"a\nb",
    "漢字",
    "é",
    "🚀",
    " spaced out ",
    "&a",
    "&a b",
    "!!set {a, b}",
    "!!omap [a: 1]",
    "!<tag:yaml.org,2002:str> 12",
    r#"!<tag:yaml.org,2002:int> "12""#,
    ".iNF",
    ".nAN",
    "|\n    a\n    b\n",
    "|+\n    a\n\n\n",
    "|-\n    a\n\n",
    ">\n    a\n    b\n\n    c\n",
    ">-\n    a\n     more\n    b\n",
    ">+\n    a\n\n",
    "|2\n      two\n    none\n",
    "|\n",
    ">-\n",
    "|\n    0400\n",
    "a\n    b\n\n    c",
    "\"a\n    b\n\n    c\"",
    "'a\n    b'",
    "\n    - 1\n    - - 2\n      - 3\n",
    "\n  - 1\n",
    "\n    ? a\n    : b\n",
    "\n    ? |\n      key\n    : value\n",
    "|\n    a\r\n    b\r\n",
    "|\n    trailing  \n    \n",
    ">\n\n    first empty\n",
    "|\n    a\n   # less\n",
    "",
    r#"{1: a, true: b, 1.5: c, 0x10: d, "": f}"#,
    "\"line\\\n      joined\"",
    "|\n    spaces\n    # no comment\n",
];

/// What both sides refuse.
const REFUSED: &[&str] = &[
    "-",
    "[a, , b]",
    r#"{1: a, true: b, 1.5: c, 0x10: d, ~: e, "": f}"#,
    "%a",
    "|literal",
    "@a",
    "`a",
    "`",
    "*a",
    "!!int a",
    "!!float a",
    "!!bool maybe",
    "!!null x",
    "!!binary ***",
    ".inf",
    "-.inf",
    "+.inf",
    ".Inf",
    ".INF",
    ".nan",
    ".NaN",
    ".NAN",
    "{[a]: b}",
    "{{a: 1}: b}",
    r#""line\"#,
];

/// Where we read what `kubectl` doesn't, or the reverse; with the reason.
const DEVIATIONS: &[(&str, Reads, Reads)] = &[
    // JSON has this escape, and what is JSON is YAML; Go's reader only knows it in JSON.
    (r#""a\/b""#, Ok("\"a/b\""), Err(())),
    (r#"!!binary "aGVs bG8=""#, Ok("\"hello\""), Err(())),
    // Go reads bytes that are no text as U+FFFD, which loses them.
    ("!!binary //79", Err(()), Ok("\"\u{fffd}\u{fffd}\u{fffd}\"")),
    // Go takes the last of two keys; of two that only JSON makes equal, `1` and "1", either.
    ("{yes: a, on: b}", Err(()), Ok(r#"{"true":"b"}"#)),
    ("{a: 1, a: 2}", Err(()), Ok(r#"{"a":2}"#)),
    // YAML says that a mapping's own keys win wherever the merge key stands.
    ("{b: 2, <<: {b: 1}}", Ok(r#"{"b":2}"#), Ok(r#"{"b":1}"#)),
    // Go reads a tab at the beginning of a block as indentation.
    ("|\n    \ttab\n", Ok(r#""\ttab\n""#), Err(())),
];

/// What a side reads, as JSON; an error where it refuses.
type Reads = Result<&'static str, ()>;

/// Strings that writers get wrong: what looks like another type, and what breaks a syntax.
const WRITTEN: &[&str] = &[
    "\ta\nb",
    "\ta",
    "\ta\n",
    "\n\ta",
    "\t\na",
    " \ta\nb",
    "a\n\tb\n",
    "\n",
    "\n\n",
    " \n",
    "  a\nb",
    "a\n  \n",
    "a\n\n\n",
    "\n\na\n",
    "a\r\nb",
    "a\rb",
    "\r",
    "a\tb",
    "a \nb",
    "a\n b\n",
    " a\n",
    "---",
    "---\n",
    "...",
    "a\n---\nb",
    "--- a",
    "a\n...\nb",
    "# a",
    "#",
    "a #",
    "#a\nb",
    "\n#a\n",
    "- a",
    "-",
    "? a",
    "?",
    "? ",
    ": a",
    ":",
    "a:",
    "a: b",
    "a:\n",
    "a :b",
    "a: \n b",
    "key: |\n  x\n",
    "[",
    "{",
    "]",
    "}",
    ",",
    "a,b",
    "&",
    "*",
    "!",
    "|",
    ">",
    "%",
    "@",
    "`",
    "\"",
    "'",
    "\\",
    "\0",
    "\u{1}",
    "\u{7}",
    "\u{8}",
    "\u{b}",
    "\u{c}",
    "\u{1b}[31m",
    "\u{1f}",
    "\u{7f}",
    "\u{80}",
    "\u{84}",
    "\u{85}",
    "\u{9f}",
    "\u{a0}",
    "\u{ad}",
    "\u{2028}",
    "\u{2029}",
    "\u{feff}",
    "\u{feff}a",
    "a\u{feff}b",
    "\u{202e}",
    "\u{202e}\nx",
    "\u{fffd}",
    "\u{fffe}",
    "\u{ffff}",
    "\u{1f680}",
    "\u{10ffff}",
    "a\u{2028}b\nc",
    "a\u{85}b",
    "a\nb\u{85}",
    "a\n\n b\n\n\n  c\n",
    "\n \n",
    "a\u{7}\nb\n",
    "{{ x }}\n{{ y }}\n",
    "%YAML 1.2\n---\n",
    "!!str a\nb",
    "*a\nb",
    "&a\nb",
    ">-\n x",
    "-\n-",
    "- -",
    "--",
    "- - a",
    "\"\n\"",
    "'\n",
    "\\\n",
    "a\\\nb",
    "\u{e9}\n\t",
    "null ",
    "true\n",
    "1\n",
    "-1\n-2",
    " ",
    "  ",
    "\t",
    "\t\t",
];

/// A document with each text under a key of its own.
fn document(texts: &[&str]) -> String {
    let mut document =
        "apiVersion: weftctl.dev/v1\nkind: Scalars\nmetadata: {name: scalars}\nspec:\n".to_owned();
    for (index, text) in texts.iter().enumerate() {
        document.push_str(&format!("  k{index}: {text}\n"));
    }
    document
}

/// JSON of nothing but ASCII: raw, some characters are no YAML.
fn ascii(value: &Value) -> String {
    let mut text = String::new();
    for unit in value.to_string().encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte @ b' '..=b'~') => text.push(char::from(byte)),
            _ => text.push_str(&format!("\\u{unit:04x}")),
        }
    }
    text
}

/// What `kubectl` reads in a document, its `spec`; its message where it refuses.
fn kubectl(document: &str) -> Result<Value, String> {
    let home = tempfile::tempdir().expect("a temporary folder");
    let file = home.path().join("in.yaml");
    std::fs::write(&file, document).expect("a file");
    let output = Command::new(tools().join("kubectl"))
        .args(["annotate", "--local", "a=b", "-o", "json", "-f"])
        .arg(&file)
        .env_clear()
        .env("HOME", home.path())
        .stdin(Stdio::null())
        .output()
        .expect("kubectl starts");
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let read: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    Ok(read["spec"].clone())
}

/// What we read in a document.
fn weftctl(document: &str) -> Result<Value, String> {
    let run = Sandbox::new().run_with(["design", "render", "-", "-o", "json"], document.as_bytes());
    match run.code {
        Some(0) => Ok(run.json()["items"][0]["spec"].clone()),
        _ => Err(run.stderr),
    }
}

/// Tells whether two values say the same. `kubectl` holds what is beyond 64 bits with a sign as a
/// float; so do we with what is beyond 64 bits without one.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            a == b || (a.as_i64().is_none() && a.as_f64() == b.as_f64())
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

#[test]
fn scalars_are_read_as_kubectl_reads_them() {
    assert!(READ.len() >= 200, "{}", READ.len());
    let all = document(READ);
    if let (Ok(theirs), Ok(ours)) = (kubectl(&all), weftctl(&all))
        && same(&ours, &theirs)
    {
        return;
    }
    let wrong: Vec<String> = READ
        .iter()
        .filter_map(|text| {
            let document = document(&[text]);
            match (kubectl(&document), weftctl(&document)) {
                (Ok(theirs), Ok(ours)) if same(&ours, &theirs) => None,
                (theirs, ours) => Some(format!("{text:?}: kubectl {theirs:?}, weftctl {ours:?}")),
            }
        })
        .collect();
    panic!("read otherwise: {}", wrong.join("\n"));
}

#[test]
fn what_kubectl_refuses_is_refused() {
    for text in REFUSED {
        let document = document(&[text]);
        assert!(kubectl(&document).is_err(), "kubectl reads {text:?}");
        assert!(weftctl(&document).is_err(), "weftctl reads {text:?}");
    }
}

#[test]
fn where_we_read_otherwise_is_on_purpose() {
    for (text, ours, theirs) in DEVIATIONS {
        let document = document(&[text]);
        for (who, read, want) in [
            ("weftctl", weftctl(&document), ours),
            ("kubectl", kubectl(&document), theirs),
        ] {
            let read = read.map(|spec| spec["k0"].to_string()).map_err(drop);
            assert_eq!(read, want.map(str::to_owned), "{who} on {text:?}");
        }
    }
}

#[test]
fn strings_are_written_so_that_kubectl_reads_them_back() {
    let long = "word ".repeat(200);
    let lines = format!("{long}\n").repeat(3);
    let mut strings: Vec<&str> = vec![&long, &lines];
    strings.extend(WRITTEN);
    strings.extend(READ);
    strings.extend(REFUSED);
    let spec_of = |strings: &[&str]| -> Value {
        let mut keys = Map::new();
        for string in strings.iter().filter(|string| string.len() < 900) {
            keys.insert((*string).to_owned(), json!({"a": string}));
        }
        json!({"fields": strings.iter().enumerate().map(|(index, string)| (format!("k{index}"), json!(string))).collect::<Map<_, _>>(),
            "list": strings, "nested": strings.iter().map(|string| json!([[string], {"a": string, "z": 1}])).collect::<Vec<_>>(),
            "keys": keys})
    };
    let sandbox = Sandbox::new();
    let written = |spec: &Value| -> Vec<String> {
        let object = json!({"apiVersion": "weftctl.dev/v1", "kind": "Strings", "metadata": {"name": "strings"}, "spec": spec});
        sandbox.write("in.json", ascii(&object));
        let render = sandbox
            .run(["design", "render", "in.json"])
            .succeeds()
            .stdout;
        let export = [
            "design", "export", "in.json", "--as", "manifest", "--force", "--to", "out.yaml",
        ];
        sandbox.run(export).succeeds();
        let file = std::fs::read_to_string(sandbox.path("out.yaml")).expect("the export");
        let list = sandbox
            .run(["design", "render", "in.json", "-o", "yaml"])
            .succeeds()
            .stdout;
        vec![render, file, list]
    };
    let fine = |strings: &[&str]| -> Result<(), String> {
        let spec = spec_of(strings);
        for (index, text) in written(&spec).iter().enumerate() {
            let read = if index == 2 {
                // A list of ours: kubectl takes it for one object with `items`.
                kubectl(&text.replacen("\nitems:", "\nmetadata: {name: a}\nspec:", 1))
                    .map(|items| items[0]["spec"].clone())
            } else {
                kubectl(text)
            };
            match read {
                Ok(read) if read == spec => {}
                read => return Err(format!("{read:?}\n{text}")),
            }
        }
        Ok(())
    };
    if fine(&strings).is_ok() {
        return;
    }
    let wrong = strings.iter().filter_map(|string| {
        fine(&[string])
            .err()
            .map(|why| format!("{string:?}: {why}"))
    });
    panic!(
        "written otherwise: {}",
        wrong.collect::<Vec<_>>().join("\n")
    );
}

#[test]
fn config_map_data_reaches_an_api_server_as_it_was() {
    let server = ApiServer::shared();
    let strings: Map<String, Value> = WRITTEN
        .iter()
        .enumerate()
        .map(|(index, text)| (format!("k{index}"), json!(text)))
        .collect();
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "strings"}, "data": strings});
    let sandbox = Sandbox::new();
    sandbox.write("in.json", ascii(&object));
    let mut command = sandbox.command(["design", "render", "in.json"]);
    let text = sandbox
        .finish(command.env("PATH", path()), None)
        .succeeds()
        .stdout;
    for how in ["client", "server"] {
        let arguments = [
            "create",
            &format!("--dry-run={how}"),
            "-o",
            "json",
            "-f",
            "-",
        ];
        let read: Value = serde_json::from_str(&server.kubectl(&arguments, &text)).expect("JSON");
        assert_eq!(read["data"], object["data"], "{how}");
    }
}
