//! What is generated from the command tree and committed: `man/` and `completions/`.

use std::{collections::BTreeMap, path::Path};

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
