//! Files and folders that can't be read as they are.

use super::{config_map, error_of, stored, with_kept};
#[cfg(target_os = "linux")]
use crate::faults::unprivileged;
use crate::support::Run;

/// The codes of an error and its siblings, sorted.
fn codes(run: &Run) -> Vec<String> {
    let error = error_of(run);
    let others = error["others"].as_array().cloned().unwrap_or_default();
    let mut codes: Vec<String> = std::iter::once(&error)
        .chain(&others)
        .map(|error| {
            let file = error["object"]["file"].as_str().unwrap_or("?");
            format!("{} {file}", error["code"].as_str().unwrap_or("?"))
        })
        .collect();
    codes.sort();
    codes
}

#[test]
fn a_folder_with_bad_files_lists_them_all_and_stores_nothing() {
    let (sandbox, kept) = with_kept();
    for n in 0..100 {
        sandbox.write(&format!("f/{n:03}.yaml"), config_map(&format!("c{n}"), ""));
    }
    let import = ["design", "import", "f", "--name", "kept", "-o", "json"];
    sandbox.write("f/050.yaml", "a: [\n");
    let run = sandbox.run(import).ends(10);
    assert_eq!(codes(&run), ["E0100 f/050.yaml"]);
    assert_eq!(stored(&sandbox), kept);
    sandbox.write("f/010.yaml", "a: 1\na: 2\n");
    sandbox.write("f/020.json", "{\"a\": ");
    sandbox.write("f/030.yaml", "- x: &a [*a]\n");
    sandbox.write("f/040.yaml", "a: ".to_owned() + &"[".repeat(300));
    let run = sandbox.run(import).ends(10);
    let expected = [
        "E0100 f/020.json",
        "E0100 f/030.yaml",
        "E0100 f/050.yaml",
        "E0101 f/010.yaml",
        "E0102 f/040.yaml",
    ];
    assert_eq!(codes(&run), expected);
    let human = sandbox
        .run(["design", "import", "f", "--name", "kept"])
        .ends(10);
    for file in [
        "010.yaml:2:1",
        "020.json:1:1",
        "030.yaml:1:",
        "040.yaml:1:",
        "050.yaml:1:4",
    ] {
        assert!(human.stderr.contains(file), "{file}: {human}");
    }
    assert_eq!(stored(&sandbox), kept);
    // Files of a wrong encoding are found before any is parsed.
    sandbox.write("f/060.yaml", b"a: \xff\n");
    sandbox.write("f/070.yaml", b"a: 1\nb: \xfe\n");
    let run = sandbox.run(import).ends(10);
    let found = codes(&run);
    assert_eq!(found.len(), 2, "{run}");
    assert!(
        found[0].starts_with("E0103") && found[0].ends_with("060.yaml"),
        "{run}"
    );
    assert_eq!(stored(&sandbox), kept);
}

#[test]
fn bad_objects_in_many_files_are_all_listed() {
    let (sandbox, kept) = with_kept();
    for n in 0..100 {
        sandbox.write(&format!("f/{n:03}.yaml"), config_map(&format!("c{n}"), ""));
    }
    sandbox.write("f/010.yaml", config_map("c11", ""));
    sandbox.write("f/020.yaml", config_map("A", ""));
    sandbox.write(
        "f/030.yaml",
        "apiVersion: apps/v1\nkind: Deploymnt\nmetadata: {name: d}\n",
    );
    sandbox.write(
        "f/040.yaml",
        config_map("c40", "  annotations: {weftctl.dev/deletion-policy: x}\n"),
    );
    let run = sandbox
        .run(["design", "import", "f", "--name", "kept", "-o", "json"])
        .ends(10);
    let expected = [
        "E0107 f/011.yaml",
        "E0109 f/020.yaml",
        "E0110 f/040.yaml",
        "E0116 f/030.yaml",
    ];
    assert_eq!(codes(&run), expected);
    assert!(
        run.stderr.contains("f/010.yaml"),
        "both places are named: {run}"
    );
    assert_eq!(stored(&sandbox), kept);
}

#[test]
fn documents_that_are_no_objects_are_all_listed() {
    let (sandbox, kept) = with_kept();
    sandbox.write("f/a.yaml", config_map("a", "---\nx: 1\n"));
    sandbox.write("f/b.yaml", "# c\n\n[1]\n");
    let run = sandbox
        .run(["design", "import", "f", "--name", "kept"])
        .fails(10, "E0108");
    assert!(run.stderr.contains("f/a.yaml:6:1"), "{run}");
    assert!(run.stderr.contains("f/b.yaml:3:1"), "{run}");
    assert_eq!(stored(&sandbox), kept);
}

#[test]
fn a_missing_path_is_not_found() {
    let (sandbox, kept) = with_kept();
    for path in ["nowhere.yaml", "no/where", "kept.yaml/x"] {
        for verb in [
            &["import"][..],
            &["validate"],
            &["deploy", "--dry-run=client"],
        ] {
            let run = sandbox.run(["design"].iter().chain(verb).chain(&[path]));
            assert!(run.stderr.contains(path), "{run}");
            run.fails(if path.ends_with("/x") { 10 } else { 5 }, "E010");
        }
    }
    assert_eq!(stored(&sandbox), kept);
}

#[test]
fn an_empty_folder_holds_nothing() {
    let (sandbox, kept) = with_kept();
    sandbox.write("f/readme.txt", "x");
    sandbox.write("f/.hidden.yaml", "x");
    sandbox.run(["design", "import", "f"]).fails(10, "E0106");
    assert_eq!(stored(&sandbox), kept);
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_no_readable_file_is_named_and_nothing_hangs() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let (sandbox, kept) = with_kept();
    let good = config_map("good", "");
    sandbox.write("secret.yaml", &good);
    sandbox.write("f/good.yaml", &good);
    sandbox.write("f/secret.yaml", &good);
    for file in ["secret.yaml", "f/secret.yaml"] {
        let mode = std::fs::Permissions::from_mode(0o000);
        std::fs::set_permissions(sandbox.path(file), mode).expect("a mode");
    }
    for source in ["secret.yaml", "f"] {
        let command = sandbox.command(["design", "import", source, "--name", "kept"]);
        let run = sandbox.finish(&mut unprivileged(&command), None);
        assert!(run.stderr.contains("secret.yaml"), "{run}");
        assert!(run.stderr.contains("ermission denied"), "{run}");
        run.fails(10, "E0104");
    }
    let fifo = std::process::Command::new("mkfifo")
        .arg(sandbox.path("fifo.yaml"))
        .status();
    assert!(fifo.expect("mkfifo").success());
    symlink("nowhere", sandbox.path("dangling.yaml")).expect("a link");
    symlink("loop.yaml", sandbox.path("loop.yaml")).expect("a link");
    for (source, exit, code) in [
        ("fifo.yaml", 10, "E0104"),
        ("/dev/zero", 10, "E0104"),
        ("/dev/null", 10, "E0104"),
        ("dangling.yaml", 5, "E0105"),
        ("loop.yaml", 10, "E0104"),
    ] {
        let run = sandbox.run(["design", "import", source, "--name", "kept"]);
        assert!(run.stderr.contains(source), "{run}");
        run.fails(exit, code);
    }
    // In a folder they are errors as well, never left out in silence.
    sandbox.write("g/good.yaml", &good);
    symlink("nowhere", sandbox.path("g/dangling.yaml")).expect("a link");
    symlink("../kept.yaml", sandbox.path("g/outside.yaml")).expect("a link");
    let fifo = std::process::Command::new("mkfifo")
        .arg(sandbox.path("g/fifo.yaml"))
        .status();
    assert!(fifo.expect("mkfifo").success());
    let run = sandbox
        .run(["design", "import", "g", "--name", "kept"])
        .ends(10);
    for name in ["dangling.yaml", "outside.yaml", "fifo.yaml"] {
        assert!(run.stderr.contains(name), "{name}: {run}");
    }
    assert_eq!(stored(&sandbox), kept);
}
