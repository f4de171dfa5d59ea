//! Archives that are damaged or unsafe.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};

use super::{config_map, error_of, stored, with_kept};

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

/// A tar archive of entries; names are written as they are.
pub fn tar(entries: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, kind, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_mode(0o644);
        if kind.is_symlink() {
            header.set_link_name("/etc/passwd").expect("a link");
        }
        header.set_size(content.len() as u64);
        header.set_cksum();
        builder.append(&header, *content).expect("memory");
    }
    builder.into_inner().expect("memory")
}

#[expect(clippy::too_many_lines, reason = "a table")]
#[test]
fn an_archive_that_is_damaged_or_unsafe_is_refused() {
    use tar::EntryType::{Block, Fifo, Link, Regular, Symlink};
    let (sandbox, kept) = with_kept();
    let good = config_map("packed", "");
    let good = good.as_bytes();
    let whole = gzip(&tar(&[
        ("a.yaml", Regular, good),
        ("b/c.yaml", Regular, b""),
    ]));
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0xff;
    let zeros = vec![0; 20 << 20];
    let many: Vec<(String, Vec<u8>)> = (0..50)
        .map(|n| {
            (
                format!("{n}.yaml"),
                config_map(&format!("c{n}"), "").into_bytes(),
            )
        })
        .collect();
    let many: Vec<_> = many
        .iter()
        .map(|(name, text)| (name.as_str(), Regular, text.as_slice()))
        .collect();
    for (name, bytes, code, says) in [
        (
            "cut.tgz",
            whole[..whole.len() / 2].to_vec(),
            "E0112",
            "damaged",
        ),
        ("head.tgz", whole[..5].to_vec(), "E0112", ""),
        ("flipped.tgz", flipped, "E0112", ""),
        (
            "short.tar",
            tar(&[("a.yaml", Regular, good)])[..600].to_vec(),
            "E0112",
            "",
        ),
        (
            "up.tgz",
            gzip(&tar(&[("../a.yaml", Regular, good)])),
            "E0112",
            "../a.yaml",
        ),
        (
            "in.tgz",
            gzip(&tar(&[("x/../../a.yaml", Regular, good)])),
            "E0112",
            "",
        ),
        (
            "root.tgz",
            gzip(&tar(&[("/etc/a.yaml", Regular, good)])),
            "E0112",
            "/etc/a.yaml",
        ),
        (
            "link.tgz",
            gzip(&tar(&[("a.yaml", Symlink, b"")])),
            "E0112",
            "link",
        ),
        (
            "hard.tgz",
            gzip(&tar(&[("a.yaml", Link, b"")])),
            "E0112",
            "link",
        ),
        (
            "device.tgz",
            gzip(&tar(&[("a.yaml", Block, b"")])),
            "E0112",
            "",
        ),
        (
            "fifo.tgz",
            gzip(&tar(&[("a.yaml", Fifo, b"")])),
            "E0112",
            "",
        ),
        ("bomb.gz", gzip(&zeros), "E0102", "--max-unpacked-size"),
        (
            "bomb.tgz",
            gzip(&tar(&[("a.yaml", Regular, &zeros)])),
            "E0102",
            "--max-unpacked-size",
        ),
        ("twice.gz", gzip(&gzip(&gzip(good))), "E0112", ""),
        (
            "many.tgz",
            gzip(&tar(&many)),
            "E0102",
            "--max-archive-entries",
        ),
        (
            "bad.tgz",
            gzip(&tar(&[("a.yaml", Regular, b"a: [")])),
            "E0100",
            "a.yaml",
        ),
        ("zip.zip", b"PK\x03\x04\x14\0\0\0".to_vec(), "E0112", "zip"),
    ] {
        sandbox.write(name, bytes);
        let run = sandbox.run([
            "design",
            "import",
            name,
            "--name",
            "kept",
            "-o",
            "json",
            "--max-archive-entries",
            "40",
            "--max-unpacked-size",
            "1MiB",
        ]);
        let error = error_of(&run);
        assert_eq!(error["code"], code, "{name}: {run}");
        assert!(error.to_string().contains(says), "{name}: {run}");
        run.ends(10);
        assert_eq!(stored(&sandbox), kept, "{name}");
        assert!(!sandbox.path("../a.yaml").exists());
    }
    sandbox.write("good.tgz", whole);
    sandbox.run(["design", "import", "good.tgz"]).succeeds();
}
