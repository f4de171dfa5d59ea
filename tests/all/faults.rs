//! What can happen to a store while it is in use: killed processes, several writers, a full disk,
//! a newer or damaged file, a lost key, a read-only folder. All at the level of the program.
//!
//! Mounts live in a mount namespace of their own (`unshare`), in which a test runs itself again:
//! whatever happens to it, nothing stays mounted.

#![allow(clippy::print_stdout, reason = "counts are printed")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    io::Read as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Mutex,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    seeded::{Seeded, full},
    support::{Run, SHOP, Sandbox},
};

/// A design of three components that all carry one mark.
fn marked(mark: &str) -> String {
    ["one", "two", "three"]
        .map(|name| {
            format!(
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{mark: {mark}}}\n"
            )
        })
        .join("---\n")
}

/// The one mark of a design as `design view -o json` shows it.
#[track_caller]
fn mark_of(view: &Value) -> String {
    let components = view["design"]["components"].as_array().expect("components");
    let marks: BTreeSet<&str> = components
        .iter()
        .map(|c| c["configuration"]["data"]["mark"].as_str().expect("a mark"))
        .collect();
    assert_eq!(components.len(), 3, "a design is whole: {view:#}");
    assert_eq!(marks.len(), 1, "a design is of one piece: {view:#}");
    marks.into_iter().next().unwrap_or_default().to_owned()
}

fn view(sandbox: &Sandbox, name: &str, version: &str) -> Value {
    sandbox
        .run(["design", "view", name, "--version", version, "-o", "json"])
        .succeeds()
        .json()
}

/// Names of the stored designs.
fn names(sandbox: &Sandbox) -> BTreeSet<String> {
    let list = sandbox
        .run(["design", "list", "-o", "json"])
        .succeeds()
        .json();
    let items = list["items"].as_array().expect("items").iter();
    items
        .map(|item| item["name"].as_str().expect("a name").to_owned())
        .collect()
}

/// An import that was acknowledged, or only attempted.
struct Import {
    name: String,
    mark: String,
    /// The version that was printed.
    version: Option<String>,
}

/// Imports a design and kills the process after some time, if it still runs then.
fn import_and_kill(sandbox: &Sandbox, name: &str, mark: &str, after: Option<Duration>) -> Import {
    let file = sandbox.write(&format!("{mark}.yaml"), marked(mark));
    let mut command = sandbox.command(["design", "import", "--name", name, "-o", "json"]);
    command
        .arg(&file)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let killed = after.is_some_and(|after| {
        std::thread::sleep(after);
        child.kill().expect("kill -9");
        true
    });
    let output = child.wait_with_output().expect("the program ends");
    assert!(
        output.status.success() || (killed && output.status.code().is_none()),
        "{name} {mark}: {} {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    let said: Option<Value> = serde_json::from_slice(&output.stdout).ok();
    if output.status.success() {
        assert!(said.is_some(), "success says so");
    }
    Import {
        name: name.to_owned(),
        mark: mark.to_owned(),
        version: said.and_then(|said| said["version"].as_str().map(str::to_owned)),
    }
}

#[test]
fn kill_9_during_imports_loses_nothing_acknowledged() {
    const WRITERS: usize = 4;
    let count = if full() { 500 } else { 40 };
    let seed = Seeded::seed();
    let sandbox = Sandbox::new();
    let started = Instant::now();
    let first = import_and_kill(&sandbox, "d0", "m-first", None);
    // Kills fall on the whole life of a process, and some come too late.
    let life = started.elapsed() * 2;
    let done = Mutex::new(vec![first]);
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (sandbox, done) = (&sandbox, &done);
            scope.spawn(move || {
                let mut random = Seeded::new(seed.wrapping_add(writer as u64));
                for round in 0..count / WRITERS {
                    let name = format!("d{}", random.below(6));
                    let part = u32::try_from(random.below(1000)).unwrap_or(0);
                    let after = life * part / 1000;
                    // Every fifth one lives, so that there is always something to lose.
                    let after = (round % 5 != 0).then_some(after);
                    let mark = format!("m-{writer}-{round}");
                    let import = import_and_kill(sandbox, &name, &mark, after);
                    done.lock().expect("no panic").push(import);
                }
            });
        }
    });
    sandbox.run(["system", "store", "check"]).succeeds();
    let done = done.into_inner().expect("no panic");
    let attempted: BTreeSet<(&str, &str)> = done
        .iter()
        .map(|import| (import.name.as_str(), import.mark.as_str()))
        .collect();
    let mut acknowledged = 0;
    for import in &done {
        if let Some(version) = &import.version {
            acknowledged += 1;
            let stored = view(&sandbox, &import.name, version);
            assert_eq!(mark_of(&stored), import.mark, "{} {version}", import.name);
        }
    }
    let mut stored = 0;
    for name in names(&sandbox) {
        let newest = sandbox
            .run(["design", "view", &name, "-o", "json"])
            .succeeds()
            .json();
        for version in newest["versions"].as_array().expect("versions") {
            let version = version["version"].as_str().expect("a version");
            let mark = mark_of(&view(&sandbox, &name, version));
            assert!(
                attempted.contains(&(name.as_str(), mark.as_str())),
                "{name} {version} {mark}"
            );
            stored += 1;
        }
    }
    println!(
        "{} imports, {acknowledged} acknowledged, {stored} stored",
        done.len()
    );
    assert!(stored >= acknowledged && acknowledged > count / 5);
    import_and_kill(&sandbox, "afterwards", "m-afterwards", None);
}

#[test]
fn kill_9_while_the_store_is_made_leaves_none_or_a_whole_one() {
    let mut random = Seeded::new(Seeded::seed());
    for round in 0..if full() { 100 } else { 8 } {
        let sandbox = Sandbox::new();
        let after = Duration::from_millis(random.below(120) as u64);
        let import = import_and_kill(&sandbox, "early", "m-early", Some(after));
        let found = names(&sandbox);
        if import.version.is_some() {
            assert!(found.contains("early"), "round {round}");
        }
        let later = import_and_kill(&sandbox, "early", "m-later", None);
        let version = later.version.expect("an acknowledged version");
        assert_eq!(mark_of(&view(&sandbox, "early", &version)), "m-later");
        sandbox.run(["system", "store", "check"]).succeeds();
    }
}

#[test]
fn many_processes_write_at_once_and_all_succeed() {
    let sandbox = Sandbox::new();
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let sandbox = &sandbox;
            scope.spawn(move || {
                for round in 0..10 {
                    // Half of them share one name, so that versions are fought over.
                    let name = if round % 2 == 0 {
                        "shared".to_owned()
                    } else {
                        format!("own-{writer}-{round}")
                    };
                    let mark = format!("m-{writer}-{round}");
                    let import = import_and_kill(sandbox, &name, &mark, None);
                    let version = import.version.expect("an acknowledged version");
                    assert_eq!(mark_of(&view(sandbox, &name, &version)), mark);
                }
            });
        }
    });
    assert_eq!(names(&sandbox).len(), 1 + 8 * 5);
    let shared = sandbox
        .run(["design", "view", "shared", "-o", "json"])
        .succeeds()
        .json();
    assert_eq!(shared["versions"].as_array().map(Vec::len), Some(8 * 5));
    sandbox.run(["system", "store", "check"]).succeeds();
}

/// Runs a test again in a mount namespace of its own, and tells whether this is that run.
fn in_own_namespace(test: &str) -> bool {
    const INSIDE: &str = "WEFT_TEST_NAMESPACE";
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let mut command = Command::new("unshare");
    if !is_root() {
        command.arg("--map-root-user");
    }
    let output = command
        .arg("--mount")
        .arg(std::env::current_exe().expect("this test"))
        .args(["--exact", &format!("faults::{test}"), "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .expect("unshare of util-linux is there");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "in a mount namespace (this test needs `unshare --mount`):\n{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    false
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata("/proc/self").is_ok_and(|found| found.uid() == 0)
}

fn mount(arguments: &[&str], at: &Path) {
    let status = Command::new("mount").args(arguments).arg(at).status();
    assert!(
        status.expect("mount of util-linux").success(),
        "{arguments:?}"
    );
}

/// The same command for a user who may only do what file modes allow, also where tests are root.
pub fn unprivileged(command: &Command) -> Command {
    if !is_root() {
        let mut same = Command::new(command.get_program());
        copy(command, &mut same);
        return same;
    }
    let mut wrapped = Command::new("setpriv");
    wrapped
        .args(["--bounding-set=-all", "--inh-caps=-all", "--"])
        .arg(command.get_program());
    copy(command, &mut wrapped);
    wrapped
}

fn copy(from: &Command, to: &mut Command) {
    to.args(from.get_args()).env_clear().stdin(Stdio::null());
    for (name, value) in from.get_envs() {
        if let Some(value) = value {
            to.env(name, value);
        }
    }
    if let Some(folder) = from.get_current_dir() {
        to.current_dir(folder);
    }
}

/// Fills the disk that a folder is on, except for some bytes.
fn fill(folder: &Path, leave: usize) -> PathBuf {
    let path = folder.join("filler");
    let mut file = fs::File::create(&path).expect("a file");
    let piece = vec![0; 4096];
    while std::io::Write::write_all(&mut file, &piece).is_ok() {}
    let length = file.metadata().expect("a file").len();
    file.set_len(length.saturating_sub(leave as u64))
        .expect("a shorter file");
    path
}

#[test]
fn a_full_disk_loses_nothing_and_ends_with_the_space() {
    if !in_own_namespace("a_full_disk_loses_nothing_and_ends_with_the_space") {
        return;
    }
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.home()).expect("a folder");
    mount(
        &["-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs"],
        &sandbox.home(),
    );
    import_and_kill(&sandbox, "old", "m-old", None);
    let large = (0..3000).fold(String::new(), |mut text, n| {
        writeln!(text, "  key-{n}: {:x}", Seeded::new(n).next()).expect("a string takes it");
        text
    });
    sandbox.write(
        "large.yaml",
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: large}}\ndata:\n{large}"),
    );
    let mut refused = 0;
    for leave in [
        0, 4096, 8192, 16_384, 32_768, 40_960, 49_152, 65_536, 81_920, 98_304,
    ] {
        let filler = fill(&sandbox.home(), leave);
        let run = sandbox.run(["design", "import", "large.yaml"]);
        if run.code == Some(0) {
            sandbox
                .run(["design", "delete", "large", "--yes"])
                .succeeds();
        } else {
            run.fails(1, "E0302");
            refused += 1;
            assert_eq!(names(&sandbox), BTreeSet::from(["old".to_owned()]));
        }
        assert_eq!(mark_of(&view(&sandbox, "old", "0.0.1")), "m-old");
        fs::remove_file(filler).expect("space is freed");
        sandbox.run(["system", "store", "check"]).succeeds();
    }
    assert!(refused >= 3, "the disk was full {refused} times");
    sandbox.run(["design", "import", "large.yaml"]).succeeds();
    assert_eq!(names(&sandbox).len(), 2);
}

#[test]
fn a_full_disk_behind_standard_output_is_an_error() {
    let sandbox = Sandbox::with_shop();
    for arguments in [
        &["design", "list"][..],
        &["design", "list", "-o", "json"],
        &["design", "view", "shop", "-o", "yaml"],
        &["version"],
        &["design", "--help"],
    ] {
        let full = fs::File::options().write(true).open("/dev/full");
        let output = sandbox
            .command(arguments)
            .stdout(full.expect("/dev/full"))
            .stderr(Stdio::piped())
            .output()
            .expect("the program ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains("E0008"), "{arguments:?}: {said}");
    }
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let sandbox = Sandbox::with_shop();
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = sandbox
        .command(["design", "view", "shop", "-o", "json"])
        .stdout(writer)
        .output()
        .expect("the program ends");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

/// Whether a file holds nothing: the index of the log, and a log without entries.
fn is_index(path: &Path) -> bool {
    let name = path.to_string_lossy();
    name.ends_with("-shm")
        || name.ends_with("-wal") && fs::metadata(path).is_ok_and(|found| found.len() == 0)
}

/// The files of a folder with their bytes.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else if !is_index(&path) {
                let mut bytes = Vec::new();
                let mut file = fs::File::open(&path).expect("a file");
                file.read_to_end(&mut bytes).expect("bytes");
                found.insert(path, bytes);
            }
        }
    }
    found
}

/// The files that differ.
fn changed(before: &BTreeMap<PathBuf, Vec<u8>>, folder: &Path) -> Vec<PathBuf> {
    let after = contents(folder);
    let paths: BTreeSet<&PathBuf> = before.keys().chain(after.keys()).collect();
    let differs = |path: &&PathBuf| before.get(*path) != after.get(*path);
    paths.into_iter().filter(differs).cloned().collect()
}

/// Nothing.
const NONE: [PathBuf; 0] = [];

fn database(sandbox: &Sandbox) -> PathBuf {
    sandbox.home().join("weft.db")
}

/// Changes bytes of the database.
fn patch(sandbox: &Sandbox, at: usize, bytes: &[u8]) {
    let path = database(sandbox);
    let mut content = fs::read(&path).expect("a store");
    content[at..at + bytes.len()].copy_from_slice(bytes);
    fs::write(&path, content).expect("a store");
}

#[test]
fn a_store_of_a_newer_version_is_refused_and_left_alone() {
    let sandbox = Sandbox::with_shop();
    // The user version of the header (sqlite.org/fileformat.html §1.3).
    patch(&sandbox, 60, &99_u32.to_be_bytes());
    let before = contents(&sandbox.home());
    for arguments in [
        &["design", "list"][..],
        &["design", "view", "shop"],
        &["design", "import", "shop.yaml", "--name", "other"],
        &["design", "delete", "shop", "--yes"],
        &["system", "store", "backup", "--to", "backup.db"],
        &["system", "operation", "list"],
    ] {
        let run = sandbox.run(arguments).fails(1, "E0301");
        assert!(run.stderr.contains("99"), "{run}");
        assert_eq!(run.stdout, "", "{run}");
        assert_eq!(changed(&before, &sandbox.home()), NONE, "{run}");
    }
    sandbox.run(["system", "store", "check"]).ends(1);
    assert_eq!(changed(&before, &sandbox.home()), NONE);
    assert!(!sandbox.path("backup.db").exists());
}

/// What happened to a store, and how.
type Damage = (&'static str, fn(&Sandbox));

#[test]
fn a_damaged_store_is_refused_left_alone_and_recovered_on_request() {
    let damages: [Damage; 4] = [
        ("the header is overwritten", |sandbox| {
            patch(sandbox, 0, &[0xff; 100]);
        }),
        ("the file is cut", |sandbox| {
            let path = database(sandbox);
            let bytes = fs::read(&path).expect("a store");
            fs::write(&path, &bytes[..bytes.len() / 2]).expect("a store");
        }),
        ("the file is empty", |sandbox| {
            fs::write(database(sandbox), "").expect("a store");
        }),
        ("the file is a text", |sandbox| {
            fs::write(database(sandbox), SHOP).expect("a store");
        }),
    ];
    for (what, damage) in damages {
        let sandbox = Sandbox::with_shop();
        for n in 0..30 {
            if n % 10 == 0 {
                import_and_kill(&sandbox, &format!("d{n}"), "m", None);
            }
        }
        damage(&sandbox);
        let before = contents(&sandbox.home());
        for arguments in [
            &["design", "import", "shop.yaml", "--name", "other"][..],
            &["design", "list"],
        ] {
            let run = sandbox.run(arguments).fails(1, "E0305");
            assert!(run.stderr.contains("recover"), "{what}: {run}");
            assert_eq!(changed(&before, &sandbox.home()), NONE, "{what}: {run}");
        }
        sandbox.run(["system", "store", "check"]).ends(1);
        let unconfirmed = sandbox
            .run(["system", "store", "recover"])
            .fails(12, "E0005");
        assert_eq!(
            changed(&before, &sandbox.home()),
            NONE,
            "{what}: {unconfirmed}"
        );
        sandbox
            .run(["system", "store", "recover", "--yes"])
            .succeeds();
        let kept = contents(&sandbox.home());
        let original = &before[&database(&sandbox)];
        assert!(
            kept.values().any(|bytes| bytes == original),
            "{what}: the damaged file is kept"
        );
        sandbox.run(["system", "store", "check"]).succeeds();
        sandbox
            .run(["design", "import", "shop.yaml", "--name", "anew"])
            .succeeds();
        assert!(names(&sandbox).contains("anew"), "{what}");
    }
}

#[test]
fn garbage_in_a_page_is_found_by_check_and_recover_saves_the_rest() {
    let sandbox = Sandbox::with_shop();
    for n in 0..6 {
        import_and_kill(&sandbox, &format!("d{n}"), &format!("m{n}"), None);
    }
    let backup = sandbox.run(["system", "store", "backup", "--to", "backup.db"]);
    backup.succeeds();
    let length = fs::metadata(database(&sandbox)).expect("a store").len();
    let pages = usize::try_from(length / 4096).expect("a small store");
    let whole = fs::read(database(&sandbox)).expect("a store");
    let mut found = 0;
    for page in 1..pages {
        fs::write(database(&sandbox), &whole).expect("a store");
        patch(&sandbox, page * 4096, &[0xa5; 4096]);
        let check = sandbox.run(["system", "store", "check"]);
        if check.code == Some(0) {
            continue; // A free page.
        }
        check.ends(1);
        found += 1;
        if found > 4 && !full() {
            break;
        }
        sandbox
            .run(["system", "store", "recover", "--yes"])
            .succeeds();
        sandbox.run(["system", "store", "check"]).succeeds();
        for name in names(&sandbox) {
            if name.starts_with('d') {
                let newest = sandbox.run(["design", "view", &name, "-o", "json"]);
                mark_of(&newest.succeeds().json());
            }
        }
    }
    assert!(found > 0, "no page of {pages} was missed");
    fs::write(database(&sandbox), &whole[..100]).expect("a store");
    sandbox
        .run(["system", "store", "recover", "--from", "backup.db", "--yes"])
        .succeeds();
    assert_eq!(names(&sandbox).len(), 7, "a backup brings everything back");
}

const SECRET: &str = "apiVersion: v1
kind: Secret
metadata: {name: login}
stringData: {password: CANARY-plain-7c1f}
data: {token: Q0FOQVJZLWJhc2U2NC03YzFm}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: public}
data: {greeting: hello}
";

/// The forms in which the values could show.
const CANARIES: [&str; 4] = [
    "CANARY-plain-7c1f",
    "CANARY-base64-7c1f",
    "Q0FOQVJZLWJhc2U2NC03YzFm",
    // The base64 form of the plain one.
    "Q0FOQVJZLXBsYWluLTdjMWY",
];

fn with_secret() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("secret.yaml", SECRET);
    sandbox.run(["design", "import", "secret.yaml"]).succeeds();
    sandbox
}

#[test]
fn secrets_need_their_own_key_in_a_private_file() {
    let sandbox = with_secret();
    let key = sandbox.home().join("store.key");
    let plan = ["design", "deploy", "secret", "--dry-run=client"];
    sandbox.run(plan).succeeds();
    let right = fs::read(&key).expect("a key");
    let mode = fs::metadata(&key).expect("a key").permissions().mode();
    assert_eq!((right.len(), mode & 0o777), (32, 0o600));
    let set_mode = |mode| {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).expect("a mode");
    };
    let refused = |says: &str| {
        let before = contents(&sandbox.home());
        let run = sandbox.run(plan).fails(4, "E0306");
        assert!(run.stderr.contains(says), "{run}");
        assert_eq!(run.stdout, "", "{run}");
        // A new secret would need the key as well.
        sandbox.write("secret.yaml", SECRET.replace("plain", "other"));
        let run = sandbox
            .run(["design", "import", "secret.yaml", "--name", "second"])
            .fails(4, "E0306");
        assert!(run.stderr.contains(says), "{run}");
        let after = contents(&sandbox.home());
        assert_eq!(after.get(&key), before.get(&key), "the key is left alone");
        // What needs no key works.
        assert_eq!(names(&sandbox), BTreeSet::from(["secret".to_owned()]));
        sandbox
            .run(["design", "view", "secret", "-o", "json"])
            .succeeds();
    };
    fs::remove_file(&key).expect("a key");
    refused("missing");
    fs::write(&key, [7; 32]).expect("a key");
    set_mode(0o600);
    refused("not the one");
    fs::write(&key, &right).expect("a key");
    for mode in [0o644, 0o640, 0o604] {
        set_mode(mode);
        refused("chmod 600");
    }
    set_mode(0o600);
    fs::write(&key, &right[..31]).expect("a key");
    refused("31 bytes");
    fs::write(&key, &right).expect("a key");
    sandbox.run(plan).succeeds();
}

#[test]
fn secrets_are_in_no_file_and_no_output() {
    let sandbox = Sandbox::new();
    let temporary = sandbox.path("tmp");
    fs::create_dir(&temporary).expect("a folder");
    let mut said = Vec::new();
    let mut run = |arguments: &[&str], stdin: Option<&str>| {
        let mut command = sandbox.command(arguments);
        command.env("TMPDIR", &temporary);
        let run = sandbox.finish(&mut command, stdin.map(str::as_bytes));
        for canary in CANARIES {
            assert!(!run.transcript().contains(canary), "{canary} in {run}");
        }
        said.push(run.clone());
        run
    };
    let import = ["design", "import", "-", "--name", "secret"];
    run(&import, Some(SECRET)).succeeds();
    run(&import, Some(&SECRET.replace("hello", "again"))).succeeds();
    run(&["design", "view", "secret", "-o", "json"], None).succeeds();
    run(&["design", "view", "secret", "-o", "yaml"], None).succeeds();
    run(&["design", "render", "secret"], None).succeeds();
    run(&["design", "deploy", "secret", "--dry-run=client"], None).succeeds();
    let validate = ["design", "validate", "-", "-o", "json"];
    // Values at fault must not be quoted either.
    let wrong = SECRET
        .replace("{password: CANARY", "{password: [CANARY")
        .replace("7c1f}\ndata", "7c1f]}\ndata");
    run(&validate, Some(&wrong)).ends(1);
    run(
        &["design", "import", "-", "--name", "x"],
        Some(&format!("{SECRET}: :")),
    );
    let versions = ["design", "diff", "secret", "--version", "0.0.1..0.0.2"];
    run(&versions, None).ends(1);
    run(&["system", "store", "backup", "--to", "backup.db"], None).succeeds();
    let length = fs::metadata(database(&sandbox)).expect("a store").len();
    patch(
        &sandbox,
        usize::try_from(length).expect("small") - 4096,
        &[0xa5; 4096],
    );
    run(&["system", "store", "recover", "--yes"], None).succeeds();
    run(
        &["system", "store", "recover", "--from", "backup.db", "--yes"],
        None,
    )
    .succeeds();
    run(&["system", "operation", "list", "-o", "json"], None).succeeds();
    for (path, bytes) in contents(sandbox.folder()) {
        let text = String::from_utf8_lossy(&bytes);
        for canary in CANARIES {
            assert!(!text.contains(canary), "{canary} in {}", path.display());
        }
    }
}

/// What a store that can't be written answers.
fn reads_work_and_writes_are_refused(run: impl Fn(&[&str]) -> Run, what: &str) {
    for arguments in [
        &["design", "list"][..],
        &["design", "view", "shop", "-o", "json"],
        &["design", "validate", "shop"],
        &["design", "deploy", "shop", "--dry-run=client"],
        &["design", "import", "shop.yaml", "--dry-run=client"],
        &["system", "operation", "list"],
    ] {
        let run = run(arguments);
        assert_eq!(run.code, Some(0), "{what}: {run}");
    }
    for arguments in [
        &["design", "import", "shop.yaml", "--name", "other"][..],
        &["design", "delete", "shop", "--yes"],
    ] {
        let run = run(arguments).fails(4, "E0303");
        assert!(run.stderr.contains("read-only"), "{what}: {run}");
    }
}

#[test]
fn in_a_read_only_folder_reads_work_and_writes_are_refused() {
    let sandbox = Sandbox::with_shop();
    let home = sandbox.home();
    let before = contents(&home);
    let modes = |folder, file| {
        for path in before.keys() {
            fs::set_permissions(path, fs::Permissions::from_mode(file)).expect("a mode");
        }
        fs::set_permissions(&home, fs::Permissions::from_mode(folder)).expect("a mode");
    };
    for (folder, file) in [(0o500, 0o400), (0o700, 0o400), (0o500, 0o600)] {
        modes(folder, file);
        let run = |arguments: &[&str]| {
            let command = sandbox.command(arguments);
            sandbox.finish(&mut unprivileged(&command), None)
        };
        let what = format!("folder {folder:o}, file {file:o}");
        if (folder, file) == (0o500, 0o600) {
            // SQLite can neither make its log nor replace it.
            run(&["design", "import", "shop.yaml", "--name", "other"]).fails(4, "E0303");
            run(&["design", "list"]).succeeds();
        } else {
            reads_work_and_writes_are_refused(run, &what);
        }
        modes(0o700, 0o600);
        assert_eq!(changed(&before, &home), NONE, "{what}");
    }
    sandbox
        .run(["design", "import", "shop.yaml", "--name", "other"])
        .succeeds();
}

#[test]
fn on_a_read_only_disk_reads_work_and_writes_are_refused() {
    if !in_own_namespace("on_a_read_only_disk_reads_work_and_writes_are_refused") {
        return;
    }
    let sandbox = Sandbox::with_shop();
    let home = sandbox.home();
    let path = home.to_string_lossy().into_owned();
    mount(&["--bind", &path], &home);
    mount(&["-o", "remount,ro,bind"], &home);
    let before = contents(&home);
    reads_work_and_writes_are_refused(|arguments| sandbox.run(arguments), "a read-only disk");
    assert_eq!(changed(&before, &home), NONE);
}
