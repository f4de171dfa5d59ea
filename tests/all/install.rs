//! `install.sh` and `.ci/release`: a release is made with a key of its own, served on loopback, and
//! installed as a user would. Most tests package a small script in place of the program, so that a
//! release takes a second. The build that `install.sh` does in a checkout is left to the release
//! itself: it would take minutes here.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::LazyLock,
};

use crate::support::{Run, Sandbox, WEFTCTL};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Stands in for the program.
const PROGRAM: &str = "#!/bin/sh\necho weftctl 9.8.7\n";

/// The files of a release of [`PROGRAM`], made once; every test gets its own copy.
static FILES: LazyLock<BTreeMap<String, Vec<u8>>> = LazyLock::new(|| {
    let sandbox = Sandbox::new();
    let release = Release::of(&sandbox.write("program", PROGRAM));
    list(release.sandbox.folder())
});

/// The folder of a release, and the keys beside it.
struct Release {
    sandbox: Sandbox,
    /// `weftctl-VERSION-ARCH-OS`.
    name: String,
}

impl Release {
    /// A release of [`PROGRAM`], to be changed at will.
    fn new() -> Self {
        let sandbox = Sandbox::new();
        for (name, bytes) in &*FILES {
            sandbox.write(name, bytes);
        }
        Self::in_sandbox(sandbox)
    }

    /// Makes the release of a program.
    fn of(program: &Path) -> Self {
        let sandbox = Sandbox::new();
        make_key(&sandbox.path("key.pem"));
        make_release(&sandbox.path("key.pem"), &sandbox.path("dist"), program);
        Self::in_sandbox(sandbox)
    }

    fn in_sandbox(sandbox: Sandbox) -> Self {
        let name = list(&sandbox.path("dist"))
            .into_keys()
            .find_map(|file| file.strip_suffix(".tar.gz").map(str::to_owned))
            .expect("an archive");
        Self { sandbox, name }
    }

    fn folder(&self) -> PathBuf {
        self.sandbox.path("dist")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    fn archive(&self) -> String {
        format!("{}.tar.gz", self.name)
    }

    fn public_key(&self) -> PathBuf {
        self.path("weftctl.pub")
    }

    /// Changes the archive and signs the result: what a careless publisher would do.
    fn repack(&self, script: &str) {
        let (name, archive) = (&self.name, self.archive());
        shell(
            &self.folder(),
            &format!(
                "gunzip {archive} && tar -xf {name}.tar && {script} && gzip {name}.tar && rm -rf {name}"
            ),
        );
        self.sign();
    }

    /// Lists and signs what is there.
    fn sign(&self) {
        shell(
            &self.folder(),
            "sha256sum weftctl-*.* >SHA256SUMS && openssl dgst -sha256 -sign ../key.pem SHA256SUMS | openssl base64 -A >SHA256SUMS.sig",
        );
    }

    /// Installs from a source into the home of a sandbox.
    fn install(&self, home: &Sandbox, from: &str) -> Run {
        let key = self.public_key();
        run_installer(
            home,
            ["--from", from, "--key", key.to_str().expect("a path")],
        )
    }

    /// Demands that the installer refuses this release and leaves nothing.
    #[track_caller]
    fn is_refused(&self, faults: Faults, words: &str) {
        let home = empty_home();
        let url = serve(&self.folder(), faults);
        let run = self.install(&home, &url);
        assert!(run.stderr.contains(words), "expected {words:?}: {run}");
        assert_eq!(run.stderr.lines().count(), 1, "{run}");
        assert_eq!(list(&home.path("home")), BTreeMap::new(), "{run}");
        run.ends(1);
    }
}

fn make_key(path: &Path) {
    shell(
        path.parent().expect("a folder"),
        &format!(
            "openssl ecparam -genkey -name prime256v1 -noout -out '{}'",
            path.display()
        ),
    );
}

fn make_release(key: &Path, out: &Path, program: &Path) {
    let output = Command::new(format!("{ROOT}/.ci/release"))
        .arg("--key")
        .arg(key)
        .arg("--out")
        .arg(out)
        .arg("--binary")
        .arg(program)
        .output()
        .expect(".ci/release starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
}

/// Runs a line of shell that has to succeed.
#[track_caller]
fn shell(folder: &Path, script: &str) {
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", script])
        .current_dir(folder)
        .output()
        .expect("bash starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {stderr}");
}

/// A sandbox whose home is there, and empty.
fn empty_home() -> Sandbox {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("home")).expect("a folder");
    sandbox
}

/// An `install.sh`, with the environment of a new user.
fn installer(home: &Sandbox, script: &Path) -> Command {
    let mut command = Command::new("sh");
    command
        .arg(script)
        .current_dir(home.folder())
        .env_clear()
        .env("HOME", home.path("home"))
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .stdin(Stdio::null());
    command
}

fn run_installer<const N: usize>(home: &Sandbox, arguments: [&str; N]) -> Run {
    let script = Path::new(ROOT).join("install.sh");
    home.finish(installer(home, &script).args(arguments), None)
}

/// Every file below a folder, with its bytes.
fn list(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path
                .strip_prefix(folder)
                .expect("below")
                .display()
                .to_string();
            files.insert(name, fs::read(&path).expect("a file"));
        }
    }
    files
}

/// What a server does to the file of a name, instead of sending it.
#[derive(Default)]
struct Faults {
    /// Promises all and sends half.
    cut: Option<String>,
    /// Points elsewhere.
    moved: Option<(String, String)>,
    /// Never stops sending.
    endless: Option<String>,
}

/// Serves a folder on loopback until the tests end; returns its address.
fn serve(folder: &Path, faults: Faults) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let folder = folder.to_owned();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that leaves early is the business of its test.
            drop(answer(&stream, &folder, &faults));
        }
    });
    format!("http://{address}")
}

fn answer(mut stream: &TcpStream, folder: &Path, faults: &Faults) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    for line in lines.by_ref() {
        if line?.is_empty() {
            break;
        }
    }
    let name = request
        .split(' ')
        .nth(1)
        .unwrap_or("/")
        .trim_start_matches('/');
    let is = |fault: &Option<String>| fault.as_deref() == Some(name);
    if let Some((_, location)) = faults.moved.as_ref().filter(|(moved, _)| moved == name) {
        let head =
            format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
        return stream.write_all(head.as_bytes());
    }
    if is(&faults.endless) {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
        // Not for ever, so that an installer which takes it all fails its test soon.
        for _ in 0..64 {
            stream.write_all(&vec![b'x'; 65_536])?;
        }
        return Ok(());
    }
    let Ok(bytes) = fs::read(folder.join(name)) else {
        return stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    };
    let sent = if is(&faults.cut) {
        bytes.len() / 2
    } else {
        bytes.len()
    };
    let length = bytes.len();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(&bytes[..sent])
}

#[test]
fn a_release_of_this_program_installs_into_an_empty_home_runs_and_uninstalls() {
    let home = empty_home();
    let program = home.path("program");
    shell(home.folder(), &format!("strip -o program '{WEFTCTL}'"));
    let release = Release::of(&program);

    let run = release.install(&home, &serve(&release.folder(), Faults::default()));
    let said = format!("installed weftctl {} as", env!("CARGO_PKG_VERSION"));
    assert!(run.stderr.contains(&said), "{run}");
    run.succeeds();
    let installed = list(&home.path("home/.local"));
    assert_eq!(
        installed["bin/weftctl"],
        fs::read(&program).expect("a file")
    );
    let man = list(&Path::new(ROOT).join("man"));
    assert!(man.contains_key("weftctl.1"));
    for (name, page) in man.iter().filter(|(name, _)| name.ends_with(".1")) {
        assert_eq!(&installed[&format!("share/man/man1/{name}")], page);
    }
    let rest: Vec<_> = (installed.keys())
        .filter(|name| !name.starts_with("share/man/"))
        .collect();
    assert_eq!(
        rest,
        [
            "bin/weftctl",
            "share/bash-completion/completions/weftctl",
            "share/doc/weftctl/LICENSE",
            "share/doc/weftctl/README.md",
            "share/elvish/lib/weftctl.elv",
            "share/fish/vendor_completions.d/weftctl.fish",
            "share/powershell/completions/weftctl.ps1",
            "share/zsh/site-functions/_weftctl",
        ]
    );

    let mut version = Command::new(home.path("home/.local/bin/weftctl"));
    let run = home.finish(version.arg("version").env("HOME", home.path("home")), None);
    assert!(run.stdout.contains(env!("CARGO_PKG_VERSION")), "{run}");
    run.succeeds();

    home.write("home/.local/share/weft/weft.db", "precious");
    let run = run_installer(&home, ["--uninstall"]);
    assert!(
        run.stderr.contains("[SANDBOX]/home/.local/share/weft"),
        "{run}"
    );
    run.succeeds();
    let left: Vec<_> = list(&home.path("home")).into_keys().collect();
    assert_eq!(left, [".local/share/weft/weft.db"]);
}

#[test]
fn a_release_lists_what_it_is_made_of() {
    let release = Release::new();
    let text = fs::read(release.path(&format!("{}.spdx.json", release.name))).expect("the list");
    let sbom: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    assert_eq!(sbom["spdxVersion"], "SPDX-2.3");
    let packages = sbom["packages"].as_array().expect("packages");
    assert_eq!(packages[0]["name"], "weftctl");
    let serde = (packages.iter())
        .find(|package| package["name"] == "serde")
        .expect("a dependency");
    assert_eq!(serde["licenseDeclared"], "MIT OR Apache-2.0");
    assert!(
        serde["checksums"][0]["checksumValue"].is_string(),
        "{serde}"
    );
    assert_eq!(
        serde["externalRefs"][0]["referenceLocator"],
        format!(
            "pkg:cargo/serde@{}",
            serde["versionInfo"].as_str().expect("a version")
        )
    );
    let known: Vec<_> = packages.iter().map(|package| &package["SPDXID"]).collect();
    for link in sbom["relationships"].as_array().expect("relationships") {
        assert!(known.contains(&&link["relatedSpdxElement"]), "{link}");
    }
    // The tests' own dependencies are not part of it.
    assert!(!packages.iter().any(|package| package["name"] == "insta"));
}

#[test]
fn the_same_program_makes_the_same_archive_and_list() {
    let release = Release::new();
    let again = Sandbox::new();
    let program = again.write("program", PROGRAM);
    make_release(
        &release.sandbox.path("key.pem"),
        &again.path("dist"),
        &program,
    );
    let (mut one, mut two) = (list(&release.folder()), list(&again.path("dist")));
    for files in [&mut one, &mut two] {
        // ECDSA signs with a random number.
        files.remove("SHA256SUMS.sig").expect("a signature");
    }
    assert!(one == two);
}

#[test]
fn the_installer_of_a_release_knows_its_key_and_takes_the_release_beside_it() {
    let release = Release::new();
    let home = empty_home();
    let prefix = home.path("prefix/bin");
    let mut command = installer(&home, &release.path("install.sh"));
    home.finish(command.arg("--dir").arg(&prefix), None)
        .succeeds();
    let installed = list(&home.path("prefix"));
    assert!(installed.contains_key("bin/weftctl"));
    assert!(installed.contains_key("share/man/man1/weftctl.1"));
    assert_eq!(list(&home.path("home")), BTreeMap::new());

    let mut command = installer(&home, &release.path("install.sh"));
    home.finish(command.args(["--uninstall", "--dir", "prefix/bin/"]), None)
        .succeeds();
    assert_eq!(list(&home.path("prefix")), BTreeMap::new());
}

#[test]
fn the_version_chooses_the_archive() {
    let release = Release::new();
    let other = release.name.replace(env!("CARGO_PKG_VERSION"), "9.9.9");
    release.repack(&format!(
        "cp -R {name} {other} && tar -czf {other}.tar.gz {other} && rm -r {other}",
        name = release.name
    ));
    release.is_refused(Faults::default(), "choose one with --version");

    let home = empty_home();
    let (from, key) = (release.folder(), release.public_key());
    let install = |version: &str| {
        let script = Path::new(ROOT).join("install.sh");
        let mut command = installer(&home, &script);
        command.args(["--version", version, "--from"]).arg(&from);
        home.finish(command.arg("--key").arg(&key), None)
    };
    let run = install("1.2.3").ends(1);
    assert!(
        run.stderr.contains("the release has no weftctl-1.2.3-"),
        "{run}"
    );
    install("../9.9.9").ends(2);
    assert_eq!(list(&home.path("home")), BTreeMap::new());
    install("v9.9.9").succeeds();
}

#[test]
fn a_changed_archive_is_refused() {
    let release = Release::new();
    let mut bytes = fs::read(release.path(&release.archive())).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(release.path(&release.archive()), bytes).expect("a file");
    release.is_refused(Faults::default(), "the checksum of");
}

#[test]
fn changed_checksums_are_refused() {
    let release = Release::new();
    let signature = fs::read(release.path("SHA256SUMS.sig")).expect("a file");
    release.repack("echo evil >>$(echo weftctl-*/weftctl)");
    fs::write(release.path("SHA256SUMS.sig"), signature).expect("a file");
    release.is_refused(Faults::default(), "does not fit the key");
}

#[test]
fn a_missing_empty_or_wrong_signature_is_refused() {
    let release = Release::new();
    fs::remove_file(release.path("SHA256SUMS.sig")).expect("a file");
    release.is_refused(Faults::default(), "SHA256SUMS.sig");
    for text in ["", "bm90IGEgc2lnbmF0dXJl", "\u{0}\u{1}"] {
        fs::write(release.path("SHA256SUMS.sig"), text).expect("a file");
        release.is_refused(Faults::default(), "does not fit the key");
    }
}

#[test]
fn a_release_signed_with_another_key_is_refused() {
    let release = Release::new();
    make_key(&release.sandbox.path("key.pem"));
    release.sign();
    release.is_refused(Faults::default(), "does not fit the key");
}

#[test]
fn without_a_key_nothing_is_installed() {
    let release = Release::new();
    let home = empty_home();
    let run = run_installer(
        &home,
        ["--from", release.folder().to_str().expect("a path")],
    )
    .ends(1);
    assert!(run.stderr.contains("give --key FILE"), "{run}");
    assert_eq!(list(&home.path("home")), BTreeMap::new());
}

#[test]
fn a_cut_or_endless_download_is_refused() {
    let release = Release::new();
    let cut = |name: &str| Faults {
        cut: Some(name.to_owned()),
        ..Faults::default()
    };
    release.is_refused(cut("SHA256SUMS"), "cannot get");
    release.is_refused(cut(&release.archive()), "cannot get");
    let endless = Faults {
        endless: Some("SHA256SUMS".to_owned()),
        ..Faults::default()
    };
    release.is_refused(endless, "cannot get");
    // Cut before it was served, so that the length fits.
    shell(
        &release.folder(),
        &format!("truncate -s -100 {}", release.archive()),
    );
    release.is_refused(Faults::default(), "the checksum of");
}

#[test]
fn a_redirect_is_refused() {
    let release = Release::new();
    let secret = release.path("SHA256SUMS");
    let elsewhere = serve(&release.folder(), Faults::default());
    for location in [
        format!("file://{}", secret.display()),
        format!("{elsewhere}/SHA256SUMS"),
        "ftp://127.0.0.1/SHA256SUMS".to_owned(),
    ] {
        let faults = Faults {
            moved: Some(("SHA256SUMS".to_owned(), location)),
            ..Faults::default()
        };
        release.is_refused(faults, "cannot get");
    }
}

#[test]
fn an_archive_with_entries_that_lead_elsewhere_is_refused() {
    let name = &Release::new().name;
    let append = |entry: &str| {
        format!(
            "echo evil >evil && tar -rf {name}.tar -P --transform 's,^evil$,{entry},' evil && rm evil"
        )
    };
    let link = |option: &str| {
        format!(
            "rm {name}/LICENSE && ln {option} /etc/hostname {name}/LICENSE && tar -rf {name}.tar {name}/LICENSE"
        )
    };
    for script in [
        append("../evil"),
        append(&format!("{name}/../../evil")),
        append(&format!("{name}/man/..")),
        append("/tmp/weft-test-evil"),
        append("evil"),
        append(&format!("{name}/a\\nb")),
        link("-s"),
        format!("ln {name}/LICENSE {name}/copy && tar -rf {name}.tar {name}/LICENSE {name}/copy"),
        format!("mkfifo {name}/pipe && tar -rf {name}.tar {name}/pipe"),
    ] {
        let release = Release::new();
        release.repack(&script);
        release.is_refused(Faults::default(), "entries that do not belong there");
    }
}

#[test]
fn an_archive_without_a_working_program_is_refused() {
    for script in [
        "rm weftctl-*/weftctl",
        "printf '\\177ELF' >$(echo weftctl-*/weftctl)",
    ] {
        let release = Release::new();
        let name = &release.name;
        release.repack(&format!("{script} && tar -cf {name}.tar {name}"));
        let home = empty_home();
        release
            .install(&home, release.folder().to_str().expect("a path"))
            .ends(1);
        assert_eq!(list(&home.path("home")), BTreeMap::new());
    }
}

#[test]
fn a_failed_update_leaves_the_installed_version() {
    let release = Release::new();
    let home = empty_home();
    release
        .install(&home, release.folder().to_str().expect("a path"))
        .succeeds();
    let before = list(&home.path("home"));

    let changed = Release::new();
    fs::write(changed.path(&changed.archive()), "other").expect("a file");
    changed
        .install(&home, changed.folder().to_str().expect("a path"))
        .ends(1);
    assert!(list(&home.path("home")) == before);

    // A folder where a file should go: seen before the first file is in place.
    fs::remove_file(home.path("home/.local/bin/weftctl")).expect("a file");
    fs::create_dir(home.path("home/.local/bin/weftctl")).expect("a folder");
    let before = list(&home.path("home"));
    let run = release
        .install(&home, release.folder().to_str().expect("a path"))
        .ends(1);
    assert!(run.stderr.contains("is a folder"), "{run}");
    assert!(list(&home.path("home")) == before);
}

#[test]
fn an_update_replaces_everything_and_removes_pages_of_commands_that_are_no_more() {
    let release = Release::new();
    let home = empty_home();
    home.write("home/.local/bin/weftctl", "old");
    home.write("home/.local/share/man/man1/weftctl-gone.1", "old");
    home.write("home/.local/share/man/man1/other.1", "not ours");
    release
        .install(&home, release.folder().to_str().expect("a path"))
        .succeeds();
    let installed = list(&home.path("home/.local"));
    assert_eq!(installed["bin/weftctl"], PROGRAM.as_bytes());
    assert!(!installed.contains_key("share/man/man1/weftctl-gone.1"));
    assert_eq!(installed["share/man/man1/other.1"], b"not ours");
    let mode = fs::metadata(home.path("home/.local/bin/weftctl")).expect("a file");
    assert_eq!(mode.permissions().mode() & 0o777, 0o755);
}

#[test]
fn an_installer_that_arrives_cut_off_does_nothing() {
    let release = Release::new();
    let script = fs::read(Path::new(ROOT).join("install.sh")).expect("a file");
    let pipe = |length: usize| {
        let home = empty_home();
        let mut command = installer(&home, Path::new("-s"));
        command.arg("--").arg("--from").arg(release.folder());
        command.arg("--key").arg(release.public_key());
        let run = home.finish(&mut command, Some(&script[..length]));
        (run, list(&home.path("home")))
    };
    // Every tenth, and just before the last line.
    let last_line = script.len() - "main \"$@\"\n".len();
    for length in (1..10)
        .map(|tenth| script.len() * tenth / 10)
        .chain([last_line])
    {
        let (run, files) = pipe(length);
        assert_eq!(files, BTreeMap::new(), "{length}: {run}");
    }
    let (run, files) = pipe(script.len());
    run.succeeds();
    assert!(files.contains_key(".local/bin/weftctl"));
}

#[test]
fn wrong_arguments_and_sources_end_with_2() {
    let home = empty_home();
    let run = run_installer(&home, ["--help"]).succeeds();
    assert!(run.stdout.contains("--from URL|DIR"), "{run}");
    assert_eq!(run.stderr, "");
    let refused = |arguments: &[&str]| {
        let mut command = installer(&home, &Path::new(ROOT).join("install.sh"));
        let run = home.finish(command.args(arguments), None).ends(2);
        assert!(run.stderr.starts_with("install.sh: error: "), "{run}");
        assert_eq!(run.stderr.lines().count(), 1, "{run}");
    };
    refused(&["--frm", "x"]);
    refused(&["--from"]);
    refused(&["--from", ""]);
    refused(&["--uninstall", "--from", "."]);
    refused(&["--from", "no-such-folder"]);
    refused(&["--from", ".", "--key", "no-such-key"]);
    for url in [
        "http://example.org/weft",
        "http://127.0.0.1@example.org/weft",
        "http://[::1]:80@example.org/weft",
        "http://localhost.example.org/weft",
        "http://127.0.0.1.example.org",
        "ftp://127.0.0.1/weft",
        "file:///etc",
    ] {
        refused(&["--from", url]);
    }
    assert_eq!(list(&home.path("home")), BTreeMap::new());

    // Alone, it has nothing to install.
    fs::copy(Path::new(ROOT).join("install.sh"), home.path("install.sh")).expect("a copy");
    let run = home
        .finish(&mut installer(&home, &home.path("install.sh")), None)
        .ends(2);
    assert!(run.stderr.contains("nothing to install"), "{run}");
}

#[test]
fn a_machine_that_lacks_what_is_needed_is_told_so() {
    let release = Release::new();
    let home = empty_home();
    let tools = home.path("tools");
    fs::create_dir(&tools).expect("a folder");
    for tool in [
        "awk", "cat", "cp", "cut", "dirname", "mktemp", "rm", "sh", "tail", "tar", "tr", "wc",
    ] {
        let found = std::env::split_paths(&std::env::var_os("PATH").expect("PATH"))
            .map(|folder| folder.join(tool))
            .find(|path| path.exists())
            .expect("a usual tool");
        symlink(found, tools.join(tool)).expect("a link");
    }
    let uname = |machine: &str| {
        let path = home.write(
            "tools/uname",
            format!("#!/bin/sh\ncase $1 in -s) echo Linux ;; *) echo {machine} ;; esac\n"),
        );
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("permissions");
    };
    let run = || {
        let mut command = installer(&home, &Path::new(ROOT).join("install.sh"));
        command
            .env("PATH", &tools)
            .arg("--from")
            .arg(release.folder());
        home.finish(command.arg("--key").arg(release.public_key()), None)
            .ends(1)
    };
    uname("x86_64");
    let without_openssl = run();
    assert!(
        without_openssl.stderr.contains("openssl is missing"),
        "{without_openssl}"
    );
    shell(&tools, "ln -s \"$(command -v openssl)\" openssl");
    uname("sparc64");
    let elsewhere = run();
    assert!(
        elsewhere.stderr.contains("no releases for sparc64"),
        "{elsewhere}"
    );
    assert_eq!(list(&home.path("home")), BTreeMap::new());
}
