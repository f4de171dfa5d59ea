//! Files, folders, streams and compose projects.

use std::io::{self, Cursor};
use std::os::unix::fs::symlink;

use super::super::file;
use super::*;

fn work(options: &Options) -> Work<'_> {
    Work {
        origin: "-".into(),
        options,
        cancel: CancellationToken::new(),
    }
}

fn pipe(path: &Path) {
    let status = std::process::Command::new("mkfifo").arg(path).status();
    assert!(status.expect("mkfifo runs").success());
}

#[tokio::test]
async fn a_file_is_recognised_by_content_under_any_name() {
    let design = "{\"schemaVersion\": \"designs.meshery.io/v1beta3\", \"name\": \"x\"}";
    let folder = folder(&[("shop.txt", POD), ("design", design)]);
    let bundle = load_path(folder.path().join("shop.txt"), &options())
        .await
        .expect("a bundle");
    assert_eq!(bundle.form, Form::Manifest);
    assert_eq!(bundle.name, "shop.txt");
    assert_eq!(bundle.files[0].text, POD);
    let bundle = load_path(folder.path().join("design"), &options())
        .await
        .expect("a bundle");
    assert_eq!(bundle.form, Form::Design);
    assert_eq!(paths(&bundle), ["design"]);
}

#[test]
fn texts_are_decoded_by_their_byte_order_mark() {
    let utf16 = |big: bool| -> Vec<u8> {
        "\u{FEFF}a: h\u{e9}\u{1F600}\n"
            .encode_utf16()
            .flat_map(|unit| {
                if big {
                    unit.to_be_bytes()
                } else {
                    unit.to_le_bytes()
                }
            })
            .collect()
    };
    for bytes in [
        b"\xEF\xBB\xBFa: h\xC3\xA9\xF0\x9F\x98\x80\n".to_vec(),
        "a: h\u{e9}\u{1F600}\n".as_bytes().to_vec(),
        utf16(true),
        utf16(false),
    ] {
        let text = file::decode("x", bytes).expect("a text");
        assert_eq!(text, "a: h\u{e9}\u{1F600}\n");
    }
    for (bytes, expected) in [
        (&b"a: 1\nb: \xC3\xA9\xFF"[..], "x:2:5: not valid UTF-8"),
        (b"\xEF\xBB\xBF\xFF", "x:1:1: not valid UTF-8"),
        (b"\x89PNG", "x:1:1: not valid UTF-8"),
        (b"\xFF\xFEa\0\n\0\x00\xD8", "x:2:1: not valid UTF-16"),
        (b"\xFE\xFF\0a\0", "x:1:2: not valid UTF-16"),
    ] {
        let error = file::decode("x", bytes.to_vec()).expect_err("no text");
        assert_eq!(error.to_string(), expected);
    }
}

#[tokio::test]
async fn a_folder_is_read_in_the_order_of_its_paths() {
    let folder = folder(&[
        ("b.yaml", POD),
        ("a/z.yml", POD),
        ("a/b/c.json", "{}"),
        (".hidden.yaml", "x"),
        (".git/x.yaml", "x"),
        ("a/readme.md", "x"),
        ("B.YAML", POD),
    ]);
    let bundle = load_path(folder.path(), &options())
        .await
        .expect("a bundle");
    assert_eq!(
        paths(&bundle),
        ["B.YAML", "a/b/c.json", "a/z.yml", "b.yaml"]
    );
    assert_eq!(bundle.form, Form::Manifest);
    let last = folder.path().file_name().expect("a name");
    assert_eq!(bundle.name, last.to_string_lossy());
    assert!(bundle.notes.is_empty());
}

#[tokio::test]
async fn all_that_is_wrong_with_a_folder_is_reported_together() {
    let folder = folder(&[("good.yaml", POD)]);
    let root = folder.path();
    put(root, "bad.yaml", b"a: \xFF");
    put(root, "sub/worse.yaml", b"\n\n\xFF");
    symlink("nowhere", root.join("dangling.yaml")).expect("a link");
    symlink("/etc/hostname", root.join("outside.yaml")).expect("a link");
    pipe(&root.join("pipe.yaml"));
    pipe(&root.join("pipe.txt"));
    let text = message(load_path(root, &options()).await, root);
    assert_eq!(
        text,
        "5 files of FOLDER cannot be read:\n  \
         cannot read dangling.yaml: No such file or directory (os error 2)\n  \
         outside.yaml is a link that leads out of the folder\n  \
         pipe.yaml is a named pipe, not a file\n  \
         bad.yaml:1:4: not valid UTF-8\n  \
         sub/worse.yaml:3:1: not valid UTF-8"
    );
}

#[tokio::test]
async fn links_inside_a_folder_are_read_once() {
    let folder = folder(&[("a.yaml", POD), (".data/b.yaml", POD)]);
    let root = folder.path();
    symlink("a.yaml", root.join("again.yaml")).expect("a link");
    symlink(".data/b.yaml", root.join("b.yaml")).expect("a link");
    symlink(".", root.join("loop")).expect("a link");
    symlink("/", root.join("everything")).expect("a link");
    let bundle = load_path(root, &options()).await.expect("a bundle");
    assert_eq!(paths(&bundle), ["a.yaml", "b.yaml"]);
    assert_eq!(
        bundle.notes,
        [
            "again.yaml is a link to a file that is read already",
            "everything is a link to a folder and was not followed",
            "loop is a link to a folder and was not followed",
        ]
    );
}

#[tokio::test]
async fn limits_hold_before_reading() {
    let folder = folder(&[]);
    let root = folder.path();
    let huge = fs::File::create(root.join("huge.yaml")).expect("a file");
    huge.set_len(1 << 40).expect("a sparse file");
    let text = message(load_path(root.join("huge.yaml"), &options()).await, root);
    assert_eq!(
        text,
        "FOLDER/huge.yaml is larger than 256 MiB (--max-input-size raises the limit)"
    );
    let text = message(load_path(root, &options()).await, root);
    assert_eq!(
        text,
        "huge.yaml is larger than 256 MiB (--max-input-size raises the limit)"
    );
}

#[tokio::test]
async fn limits_hold_for_a_folder_as_a_whole() {
    let folder = folder(&[("a.yaml", POD), ("b.yaml", POD), ("c.yaml", POD)]);
    let root = folder.path();
    let mut options = options();
    options.limits.input = 2 * POD.len() as u64;
    let text = message(load_path(root, &options).await, root);
    assert_eq!(
        text,
        "FOLDER up to c.yaml is larger than 94 bytes (--max-input-size raises the limit)"
    );
    options.limits.input = 3 * POD.len() as u64;
    options.limits.files = 2;
    let text = message(load_path(root, &options).await, root);
    assert_eq!(
        text,
        "FOLDER has more than 2 files (--max-files raises the limit)"
    );
    options.limits.files = 3;
    assert!(load_path(root, &options).await.is_ok());
}

#[tokio::test]
async fn nothing_to_read_is_an_error() {
    let folder = folder(&[("readme.md", "x"), ("empty", " \n")]);
    let root = folder.path();
    for (path, expected) in [
        ("", "FOLDER/ holds no .yaml, .yml or .json files"),
        ("empty", "FOLDER/empty holds nothing"),
        ("missing", "FOLDER/missing does not exist"),
    ] {
        let text = message(load_path(root.join(path), &options()).await, root);
        assert_eq!(text, expected);
    }
    put(root, "charts/shop/Chart.yaml", "name: shop\n");
    put(root, "charts/shop/templates/x.yaml", "{{ x }}");
    put(root, "base/Kustomization", "resources: [x.yaml]\n");
    put(root, "base/x.yaml", POD);
    let text = message(load_path(root, &options()).await, root);
    assert_eq!(
        text,
        "FOLDER holds no .yaml, .yml or .json files (base is a kustomization and was left out; \
         import it by itself; charts/shop is a chart and was left out; import it by itself)"
    );
    put(root, "web.yaml", POD);
    let bundle = load_path(root, &options()).await.expect("a bundle");
    assert_eq!(paths(&bundle), ["web.yaml"]);
    assert_eq!(bundle.notes.len(), 2);
}

#[tokio::test]
async fn special_files_are_refused() {
    let folder = folder(&[]);
    let root = folder.path();
    pipe(&root.join("pipe"));
    let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).expect("a socket");
    for (path, expected) in [
        (root.join("pipe"), "FOLDER/pipe is a named pipe, not a file"),
        (root.join("socket"), "FOLDER/socket is a socket, not a file"),
        ("/dev/zero".into(), "/dev/zero is a device, not a file"),
    ] {
        assert_eq!(message(load_path(path, &options()).await, root), expected);
    }
}

#[tokio::test]
async fn streams_stop_at_the_limit() {
    let mut options = options();
    options.limits.input = 1 << 20;
    let read = file::read_stream(&work(&options), "standard input", || Ok(Cursor::new(POD))).await;
    assert_eq!(read.expect("a text"), POD.as_bytes());
    let read = file::read_stream(&work(&options), "standard input", || Ok(io::repeat(b'#'))).await;
    assert_eq!(
        read.expect_err("endless").to_string(),
        "standard input is larger than 1 MiB (--max-input-size raises the limit)"
    );
}

#[tokio::test]
async fn streams_that_hang_can_be_cancelled() {
    let options = Options {
        timeout: Duration::ZERO,
        ..options()
    };
    let (reader, mut writer) = io::pipe().expect("a pipe");
    let late = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        io::Write::write_all(&mut writer, b"late")
    });
    let read = file::read_stream(&work(&options), "standard input", || Ok(reader)).await;
    assert_eq!(read.expect("no deadline but that of remote calls"), b"late");
    late.join().expect("it ends").expect("written");
    let (reader, _writer) = io::pipe().expect("a pipe");
    let work = work(&options);
    work.cancel.cancel();
    let read = file::read_stream(&work, "standard input", || Ok(reader)).await;
    assert!(matches!(read, Err(Error::Cancelled { .. })));
}

#[tokio::test]
async fn a_compose_file_brings_the_files_it_names() {
    let text = "include: [more/other.yaml]\nservices:\n  web:\n    image: x\n    env_file: [web.env, gone.env]\n    \
        volumes: ['./conf/app.conf:/etc/app.conf', './conf:/c', '../up:/u', './link:/l', './pic.png:/p', \
        './big:/b', '${HOME}/x:/x', '/var/run/docker.sock:/s', 'data:/d']\n\
        configs: {c: {file: ./conf/app.conf}}\nsecrets: {s: {file: s.txt}}\n";
    let other = "services:\n  db:\n    image: y\n    env_file: db.env\n";
    let folder = folder(&[
        ("shop/compose.yaml", text),
        ("shop/more/other.yaml", other),
        ("shop/more/db.env", "A=1\n"),
        ("shop/web.env", "B=2\n"),
        ("shop/conf/app.conf", "x\n"),
        ("shop/s.txt", "s\n"),
        ("shop/.env", "C=3\n"),
        ("shop/unused.yaml", "x: 1\n"),
        ("up", "no"),
    ]);
    let root = folder.path().join("shop");
    put(&root, "pic.png", b"\x89PNG\xFF");
    put(&root, "big", vec![b'x'; (1 << 20) + 1]);
    symlink("../up", root.join("link")).expect("a link");
    let read = [
        "compose.yaml",
        "more/other.yaml",
        "web.env",
        "conf/app.conf",
        "s.txt",
        "more/db.env",
        ".env",
    ];
    for source in [root.join("compose.yaml"), root.clone()] {
        let bundle = load_path(&source, &options()).await.expect("a bundle");
        assert_eq!(bundle.form, Form::Compose);
        assert_eq!(bundle.name, "shop");
        assert_eq!(paths(&bundle), read);
        let notes: Vec<_> = bundle
            .notes
            .iter()
            .map(|note| {
                note.trim_start_matches("compose.yaml: services.web.")
                    .trim_end_matches("; it was not read")
            })
            .collect();
        assert_eq!(
            notes,
            [
                "env_file names \"gone.env\", which does not exist or cannot be read",
                "volumes names \"./conf\", which is a folder",
                "volumes names \"../up\", which is outside of the folder",
                "volumes names \"./link\", which is a link that leads out of the folder",
                "volumes names \"./pic.png\", which is not a text",
                "volumes names \"./big\", which is larger than 1 MiB",
                "volumes names \"${HOME}/x\", which depends on a variable",
                "volumes names \"/var/run/docker.sock\", which is outside of the folder",
            ]
        );
    }
}

#[tokio::test]
async fn a_folder_has_one_compose_project() {
    let folder = folder(&[("a/one.yaml", COMPOSE), ("a/two.yaml", COMPOSE)]);
    let root = folder.path();
    let text = message(load_path(root, &options()).await, root);
    assert_eq!(
        text,
        "FOLDER has several compose files (a/one.yaml, a/two.yaml); name one of them"
    );
    put(root, "docker-compose.yml", COMPOSE);
    let bundle = load_path(root, &options()).await.expect("a bundle");
    assert_eq!(paths(&bundle), ["docker-compose.yml"]);
    assert_eq!(
        bundle.notes,
        [
            "a/one.yaml is another compose file and was not merged",
            "a/two.yaml is another compose file and was not merged",
        ]
    );
    put(root, "web.yaml", POD);
    let bundle = load_path(root, &options()).await.expect("a bundle");
    assert_eq!(bundle.form, Form::Manifest);
    assert_eq!(paths(&bundle), ["web.yaml"]);
    assert_eq!(
        bundle.notes[0],
        "a/one.yaml is a compose file and was left out; import it by itself"
    );
}

#[tokio::test]
async fn a_failing_read_names_the_file() {
    let error = load_path("/proc/self/mem", &options())
        .await
        .expect_err("it cannot be read");
    assert!(
        told(&error).starts_with("cannot read /proc/self/mem: "),
        "{error}"
    );
}

#[tokio::test]
async fn many_errors_are_counted_and_the_first_are_shown() {
    let folder = folder(&[]);
    for index in 0..60 {
        put(folder.path(), &format!("{index:02}.yaml"), b"\xFF");
    }
    let error = load_path(folder.path(), &options())
        .await
        .expect_err("all are bad");
    let text = error.to_string();
    assert!(
        text.contains("60 files") && text.ends_with("49.yaml:1:1: not valid UTF-8\n  and 10 more")
    );
    assert!(matches!(error, Error::Several { errors, .. } if errors.len() == 60));
}

#[tokio::test]
async fn a_design_folder_is_told_from_manifests() {
    let design = "schemaVersion: designs.meshery.io/v1beta3\nname: x\n";
    let folder = folder(&[("a.yaml", design), ("b.yaml", design)]);
    let bundle = load_path(folder.path(), &options())
        .await
        .expect("a bundle");
    assert_eq!(bundle.form, Form::Design);
    put(folder.path(), "c.yaml", POD);
    let bundle = load_path(folder.path(), &options())
        .await
        .expect("a bundle");
    assert_eq!(bundle.form, Form::Manifest);
}

#[tokio::test]
async fn flags_of_charts_need_a_chart() {
    let folder = folder(&[("web.yaml", POD)]);
    let mut options = options();
    options.repo = None;
    options.version = Some("1".into());
    options.release = Some("x".into());
    let root = folder.path();
    let text = message(load_path(root.join("web.yaml"), &options).await, root);
    assert_eq!(
        text,
        "FOLDER/web.yaml is not a chart, so --release-name and --chart-version cannot apply to it"
    );
}

#[tokio::test]
async fn a_cancelled_load_reads_nothing() {
    let folder = folder(&[("web.yaml", POD)]);
    let cancel = CancellationToken::new();
    cancel.cancel();
    let source = Source::Path(folder.path().to_path_buf());
    let outcome = load(&source, &options(), cancel).await;
    assert!(matches!(outcome, Err(Error::Cancelled { .. })));
}
