//! What is generated from the program and committed: `man/`, `completions/`, and the JSON Schemas of
//! its documents in `testdata/schemas/`, which may only grow.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use serde_json::{Value, json};

use weftctl::commands::reference::{self, File};

const FIX: &str = "WEFT_REGENERATE=1 cargo test --test all generated";

/// Compares a folder with what it should hold, or writes it.
fn check(folder: &str, files: Vec<File>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let wanted: BTreeMap<String, String> = files.into_iter().map(|f| (f.name, f.text)).collect();
    let found: BTreeMap<String, String> = std::fs::read_dir(&folder)
        .map(|entries| {
            entries
                .map(|entry| {
                    let path = entry.expect("an entry").path();
                    let name = path.file_name().expect("a name").to_string_lossy();
                    let text = std::fs::read(&path).expect("a file");
                    (
                        name.into_owned(),
                        String::from_utf8_lossy(&text).into_owned(),
                    )
                })
                .collect()
        })
        .unwrap_or_default();
    let missing = wanted.keys().filter(|name| !found.contains_key(*name));
    let extra = found.keys().filter(|name| !wanted.contains_key(*name));
    let different = wanted
        .iter()
        .filter(|(name, text)| found.get(*name).is_some_and(|found| found != *text))
        .map(|(name, _)| name);
    let problems: Vec<String> = missing
        .map(|name| format!("missing: {name}"))
        .chain(extra.clone().map(|name| format!("extra: {name}")))
        .chain(different.map(|name| format!("different: {name}")))
        .collect();
    if std::env::var("WEFT_REGENERATE").is_ok_and(|value| value == "1") {
        std::fs::create_dir_all(&folder).expect("the folder");
        for name in extra {
            std::fs::remove_file(folder.join(name)).expect("an extra file goes");
        }
        for (name, text) in &wanted {
            std::fs::write(folder.join(name), text).expect("a file is written");
        }
        return;
    }
    assert!(
        problems.is_empty(),
        "{} is stale; write it anew with {FIX}\n{}",
        folder.display(),
        problems.join("\n")
    );
}

#[test]
fn generated_man_pages_and_reference_are_current() {
    check("man", reference::manual().expect("a manual"));
}

#[test]
fn generated_completion_scripts_are_current() {
    check("completions", reference::completions().expect("scripts"));
}

#[test]
fn generated_files_name_no_place_of_this_machine_and_nothing_twice() {
    let mut files = reference::manual().expect("a manual");
    files.extend(reference::completions().expect("scripts"));
    let home = std::env::var("HOME").unwrap_or_else(|_| "/root".into());
    for file in &files {
        for place in [
            env!("CARGO_MANIFEST_DIR"),
            &format!("{home}/"),
            "target/debug",
        ] {
            assert!(!file.text.contains(place), "{} names {place}", file.name);
        }
        assert!(
            file.text.ends_with('\n') && file.text.len() > 100,
            "{}",
            file.name
        );
    }
    let names: std::collections::BTreeSet<&str> = files.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(names.len(), files.len());
}

#[test]
fn generated_man_pages_have_every_section() {
    for file in reference::manual().expect("a manual") {
        if !file.name.ends_with(".1") {
            continue;
        }
        for section in [
            "NAME",
            "SYNOPSIS",
            "DESCRIPTION",
            "OPTIONS",
            "\"EXIT STATUS\"",
            "ENVIRONMENT",
            "\"SEE ALSO\"",
        ] {
            let heading = format!(".SH {section}");
            assert!(
                file.text.lines().any(|line| line == heading),
                "{} has no section {section}",
                file.name
            );
        }
    }
}

// Schemas

/// What a reader of documents of the old schema would miss in those of the new one.
fn lost(old: &Value, new: &Value, at: &str, found: &mut Vec<String>) {
    let types = |schema: &Value| -> Option<BTreeSet<String>> {
        match &schema["type"] {
            Value::Null => None,
            Value::Array(all) => Some(all.iter().map(Value::to_string).collect()),
            one => Some([one.to_string()].into()),
        }
    };
    if let Some(old) = types(old)
        && types(new).is_none_or(|new| !new.is_subset(&old))
    {
        found.push(format!("{at} has another type"));
    }
    for same in ["$ref", "const"] {
        if old.get(same).is_some() && old.get(same) != new.get(same) {
            found.push(format!("{at} has another {same}"));
        }
    }
    for field in old["required"].as_array().into_iter().flatten() {
        let still = new["required"].as_array();
        if !still.is_some_and(|fields| fields.contains(field)) {
            found.push(format!("{at}.{field} is not always there any more"));
        }
    }
    for group in ["properties", "$defs"] {
        for (name, old) in old[group].as_object().into_iter().flatten() {
            let place = format!("{at}.{name}");
            match new[group].get(name) {
                None => found.push(format!("{place} is gone")),
                Some(new) => lost(old, new, &place, found),
            }
        }
    }
    for group in ["items", "additionalProperties"] {
        if old[group].is_object() {
            lost(&old[group], &new[group], &format!("{at}[]"), found);
        }
    }
    for group in ["anyOf", "oneOf", "allOf"] {
        let of = |schema: &Value| schema[group].as_array().cloned().unwrap_or_default();
        let new = of(new);
        for (index, old) in of(old).iter().enumerate() {
            let next = new.get(index).unwrap_or(&Value::Null);
            lost(old, next, &format!("{at}.{group}[{index}]"), found);
        }
    }
}

/// The schemas as they are published, by file name.
fn schemas() -> Vec<File> {
    let kinds = weftctl::commands::schema::kinds().into_iter();
    kinds
        .map(|kind| File {
            name: format!("{}.json", kind.name),
            text: format!(
                "{}\n",
                serde_json::to_string_pretty(&kind.schema()).expect("JSON")
            ),
        })
        .collect()
}

#[test]
fn generated_schemas_are_current_and_only_grow() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/schemas");
    let new = schemas();
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&folder).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy();
        let text = std::fs::read_to_string(&path).expect("a file");
        let old: Value = serde_json::from_str(&text).expect("JSON");
        match new.iter().find(|file| file.name == name) {
            None => found.push(format!("{name} is gone")),
            Some(file) => {
                let new = serde_json::from_str(&file.text).expect("JSON");
                lost(&old, &new, &name, &mut found);
            }
        }
    }
    assert!(
        found.is_empty(),
        "documents of version {} lost something that programs may read:\n{}",
        weftctl::api::API_VERSION,
        found.join("\n")
    );
    check("testdata/schemas", new);
}

#[test]
fn a_schema_that_loses_a_property_is_noticed() {
    let old = json!({"properties": {"a": {"type": "string"}, "b": {"items": {"type": "integer"}}},
        "required": ["a"]});
    let cases = [
        (
            json!({"properties": {"a": {"type": "string"}}, "required": ["a"]}),
            1,
        ),
        (
            json!({"properties": {"a": {"type": ["string", "null"]}, "b": {"items": {"type": "integer"}}},
            "required": ["a"]}),
            1,
        ),
        (
            json!({"properties": {"a": {"type": "string"}, "b": {"items": {"type": "string"}}}}),
            2,
        ),
        (
            json!({"properties": {"a": {"type": "string"}, "b": {"items": {"type": "integer"}},
            "c": {"type": "string"}}, "required": ["a", "c"]}),
            0,
        ),
    ];
    for (new, count) in cases {
        let mut found = Vec::new();
        lost(&old, &new, "", &mut found);
        assert_eq!(found.len(), count, "{found:?}");
    }
}
