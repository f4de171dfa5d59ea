//! Archives, honest and hostile.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{EntryType, Header};

use super::*;

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("in memory");
    encoder.finish().expect("in memory")
}

/// Makes an archive whose paths are written as they are, however wrong.
pub(super) fn tar(entries: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, kind, content) in entries {
        let mut header = Header::new_ustar();
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append(&header, *content).expect("in memory");
    }
    builder.into_inner().expect("in memory")
}

pub(super) fn files(entries: &[(&str, &str)]) -> Vec<u8> {
    let entries: Vec<_> = entries
        .iter()
        .map(|(path, text)| (*path, EntryType::Regular, text.as_bytes()))
        .collect();
    tar(&entries)
}

async fn load_bytes(bytes: &[u8], options: &Options) -> Result<Bundle, Error> {
    let folder = folder(&[]);
    put(folder.path(), "input.bin", bytes);
    load_path(folder.path().join("input.bin"), options).await
}

async fn refusal(bytes: &[u8]) -> String {
    let error = load_bytes(bytes, &options()).await.expect_err("refused");
    assert_eq!(error.class(), Class::Refused);
    told(&error)
}

#[tokio::test]
async fn archives_are_recognised_by_content_and_a_single_folder_is_entered() {
    let archive = files(&[
        ("top/b.yaml", POD),
        ("top/a/c.json", "{}"),
        ("top/.hidden/d.yaml", "x"),
        ("top/readme.md", "x"),
    ]);
    for bytes in [archive.clone(), gzip(&archive), gzip(&gzip(&archive))] {
        let bundle = load_bytes(&bytes, &options()).await.expect("a bundle");
        assert_eq!(paths(&bundle), ["a/c.json", "b.yaml"]);
        assert_eq!(bundle.form, Form::Manifest);
    }
    let archive = files(&[("./one.yaml", POD), ("two/x.yaml", POD)]);
    let bundle = load_bytes(&archive, &options()).await.expect("a bundle");
    assert_eq!(paths(&bundle), ["one.yaml", "two/x.yaml"]);
}

#[tokio::test]
async fn long_names_in_both_extensions_of_tar_are_read() {
    let path = format!("{}/{}.yaml", "d".repeat(120), "f".repeat(120));
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = Header::new_gnu();
    header.set_size(POD.len() as u64);
    header.set_mode(0o644);
    builder
        .append_data(&mut header, &path, POD.as_bytes())
        .expect("in memory");
    let mut header = Header::new_ustar();
    header.set_size(POD.len() as u64);
    header.set_path("short.yaml").expect("a short path");
    header.set_cksum();
    let other = format!("e/{path}");
    builder
        .append_pax_extensions([("path", other.as_bytes())])
        .expect("in memory");
    builder.append(&header, POD.as_bytes()).expect("in memory");
    let bytes = builder.into_inner().expect("in memory");
    let bundle = load_bytes(&bytes, &options()).await.expect("a bundle");
    assert_eq!(paths(&bundle), [path, other]);
}

#[tokio::test]
async fn compressed_texts_are_read() {
    let bundle = load_bytes(&gzip(POD.as_bytes()), &options())
        .await
        .expect("a bundle");
    assert_eq!(bundle.files[0].text, POD);
    let twice = [gzip(POD.as_bytes()), gzip(b"# more\n")].concat();
    let bundle = load_bytes(&twice, &options()).await.expect("a bundle");
    assert_eq!(bundle.files[0].text, format!("{POD}# more\n"));
}

#[tokio::test]
async fn hostile_entries_are_refused() {
    let long = "x".repeat(60);
    for (path, kind, reason) in [
        ("../x.yaml", EntryType::Regular, "leads out of the archive"),
        (
            "a/../../x.yaml",
            EntryType::Regular,
            "leads out of the archive",
        ),
        ("a/..", EntryType::Directory, "leads out of the archive"),
        ("/etc/x.yaml", EntryType::Regular, "has an absolute path"),
        (
            "a\\x.yaml",
            EntryType::Regular,
            "has a backslash or a zero byte in its name",
        ),
        ("x.yaml", EntryType::Symlink, "is a link"),
        ("x.yaml", EntryType::Link, "is a link"),
        ("x.yaml", EntryType::Char, "is a device or a pipe"),
        ("x.yaml", EntryType::Block, "is a device or a pipe"),
        ("x.yaml", EntryType::Fifo, "is a device or a pipe"),
        ("./", EntryType::Regular, "has no name"),
        (
            "x.yaml",
            EntryType::new(b'Z'),
            "is of a kind that is not read",
        ),
        (&long, EntryType::Regular, "has a name that is too long"),
        (
            "a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u",
            EntryType::Regular,
            "has a path that is too long",
        ),
    ] {
        let bytes = tar(&[
            ("a.yaml", EntryType::Regular, POD.as_bytes()),
            (path, kind, b""),
        ]);
        let mut options = options();
        options.limits.component = 50;
        options.limits.path = if path == long { 4096 } else { 40 };
        let error = load_bytes(&bytes, &options).await.expect_err(path);
        assert_eq!(
            error.to_string(),
            format!("input.bin: entry {path:?} {reason}")
        );
    }
    let twice = files(&[("a.yaml", POD), ("./a.yaml", POD)]);
    assert_eq!(
        refusal(&twice).await,
        "input.bin: entry \"./a.yaml\" appears twice"
    );
}

#[tokio::test]
async fn an_entry_that_claims_more_than_there_is_is_refused() {
    let mut bytes = files(&[("a.yaml", POD)]);
    let mut header = Header::new_ustar();
    header.set_path("a.yaml").expect("a short path");
    header.set_entry_type(EntryType::Regular);
    for size in [1 << 40, bytes.len() as u64] {
        header.set_size(size);
        header.set_cksum();
        bytes[..512].copy_from_slice(header.as_bytes());
        let text = refusal(&bytes).await;
        assert!(
            text.contains("is larger than the archive") || text.contains("is cut off"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn limits_of_archives_hold() {
    let entries: Vec<_> = (0..5).map(|index| (format!("{index}.yaml"), POD)).collect();
    let entries: Vec<_> = entries
        .iter()
        .map(|(path, text)| (path.as_str(), *text))
        .collect();
    let archive = files(&entries);
    let mut options = options();
    options.limits.entries = 4;
    let error = load_bytes(&archive, &options).await.expect_err("too many");
    assert_eq!(
        error.to_string(),
        "input.bin has more than 4 files (--max-archive-entries raises the limit)"
    );
    options.limits.entries = 5;
    assert!(load_bytes(&archive, &options).await.is_ok());
    options.limits.unpacked = 1024;
    let error = load_bytes(&gzip(&archive), &options)
        .await
        .expect_err("too large");
    assert_eq!(
        error.to_string(),
        "input.bin, unpacked, is larger than 1 KiB (--max-unpacked-size raises the limit)"
    );
}

#[tokio::test]
async fn compression_is_bounded_by_its_ratio_and_its_depth() {
    let bomb = gzip(&vec![0; 64 << 20]);
    let text = refusal(&bomb).await;
    assert!(
        text.starts_with("input.bin, unpacked, is larger than "),
        "{text}"
    );
    let bomb_in_bomb = gzip(&gzip(&vec![0; 256 << 20]));
    let text = refusal(&bomb_in_bomb).await;
    assert!(text.contains("larger than"), "{text}");
    let thrice = gzip(&gzip(&gzip(POD.as_bytes())));
    assert_eq!(
        refusal(&thrice).await,
        "input.bin is compressed more than twice, which is not read; a .tgz or the plain files are"
    );
}

#[tokio::test]
async fn other_formats_and_damage_are_named() {
    for (bytes, expected) in [
        (&b"PK\x03\x04rest"[..], "a zip archive"),
        (b"\xFD7zXZ\0rest", "compressed with xz"),
        (b"\x28\xB5\x2F\xFDrest", "compressed with zstd"),
        (b"BZh9rest", "compressed with bzip2"),
    ] {
        let expected =
            format!("input.bin is {expected}, which is not read; a .tgz or the plain files are");
        assert_eq!(refusal(bytes).await, expected);
    }
    let mut cut = gzip(files(&[("a.yaml", POD)]).as_slice());
    cut.truncate(cut.len() / 2);
    assert!(refusal(&cut).await.starts_with("input.bin is damaged: "));
    let mut flipped = gzip(POD.as_bytes());
    let last = flipped.len() - 5;
    flipped[last] ^= 0xFF;
    assert!(
        refusal(&flipped)
            .await
            .starts_with("input.bin is damaged: ")
    );
    let layout = files(&[("oci-layout", "{}"), ("index.json", "{}")]);
    assert!(refusal(&layout).await.contains("an OCI image layout"));
    let empty = files(&[("readme.md", "x")]);
    assert!(
        refusal(&empty)
            .await
            .ends_with("holds no .yaml, .yml or .json files")
    );
}

#[tokio::test]
async fn random_damage_never_panics() {
    let good = files(&[("a/b.yaml", POD), ("a/c.yaml", POD)]);
    let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
    let limits = Limits::default();
    for _ in 0..3000 {
        let mut bytes = good.clone();
        for _ in 0..4 {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            let at = usize::try_from(seed % 1100).expect("a small number");
            bytes[at] = seed.to_le_bytes()[7];
        }
        for bytes in [bytes.clone(), gzip(&bytes)] {
            if let Ok(Opened::Archive(tree)) =
                archive::open(bytes, "x", &limits, &CancellationToken::new())
            {
                assert!(
                    tree.keys()
                        .all(|path| !path.starts_with('/') && !path.contains(".."))
                );
            }
        }
    }
}

#[tokio::test]
async fn a_compose_project_in_an_archive_brings_its_files() {
    let text = "services:\n  web:\n    image: x\n    env_file: [web.env, gone.env]\n";
    let archive = files(&[
        ("shop/compose.yaml", text),
        ("shop/web.env", "A=1\n"),
        ("shop/.env", "B=2\n"),
    ]);
    let bundle = load_bytes(&gzip(&archive), &options())
        .await
        .expect("a bundle");
    assert_eq!(bundle.form, Form::Compose);
    assert_eq!(paths(&bundle), ["compose.yaml", "web.env", ".env"]);
    assert_eq!(bundle.notes.len(), 1);
}
