//! The store on a real file system: several handles, full and read-only disks, damage.
//!
//! Files are compared byte by byte only while no handle of this process has them open.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use super::*;

mod damage;
mod designs;
mod opening;
mod sealing;

/// Appears in every secret of these tests and must appear in no file.
const CANARY: &[u8] = b"canary-5f1d9c-do-not-leak";

/// A folder with a store in it.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        Self { folder }
    }

    /// The folder of the store; it exists only once the store does.
    fn home(&self) -> PathBuf {
        self.folder.path().join("weft")
    }

    fn path(&self) -> PathBuf {
        self.home().join("weft.db")
    }

    fn options(&self) -> Options {
        options_in(&self.home())
    }

    async fn open(&self) -> Store {
        Store::open(self.options()).await.expect("the store opens")
    }

    /// The names in the folder, sorted.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(self.home())
            .expect("the folder")
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .into_string()
                    .expect("text")
            })
            .collect();
        names.sort();
        names
    }

    /// All files with their bytes.
    fn bytes(&self) -> BTreeMap<String, Vec<u8>> {
        self.names()
            .into_iter()
            .map(|name| {
                let bytes = fs::read(self.home().join(&name)).expect("a file");
                (name, bytes)
            })
            .collect()
    }

    /// Runs statements on the database, past the store.
    async fn tamper(&self, statements: &'static str) {
        let mut connection = connect(&self.options(), &self.path()).await.expect("opens");
        sqlx::raw_sql(statements)
            .execute(&mut connection)
            .await
            .expect("the statements run");
        connection.close().await.expect("closes");
    }
}

fn options_in(home: &Path) -> Options {
    // Starts at 2026-01-01 and ticks a second per question.
    let seconds = AtomicI64::new(1_767_225_600);
    let clock: Clock = Arc::new(move || {
        let now = seconds.fetch_add(1, Ordering::Relaxed);
        Timestamp::from_second(now).expect("in range")
    });
    Options::new(home.join("weft.db"), home.join("store.key"), clock)
}

fn next(stored: &[String]) -> String {
    let numbers = stored.iter().map(|text| text.parse().expect("a number"));
    (numbers.max().unwrap_or(0) + 1).to_string()
}

fn design(name: &str, document: Value) -> NewDesign {
    NewDesign {
        id: Uuid::new_v4(),
        name: name.to_owned(),
        version: NewVersion::Next(next),
        form: "compose".to_owned(),
        origin: format!("{name}.yaml"),
        components: 2,
        kinds: BTreeMap::from([("Deployment".to_owned(), 1), ("Service".to_owned(), 1)]),
        document,
        secrets: None,
    }
}

fn secret_design(name: &str, secret: &str) -> NewDesign {
    let mut secrets = CANARY.to_vec();
    secrets.extend_from_slice(secret.as_bytes());
    NewDesign {
        secrets: Some(secrets.into()),
        ..design(name, json!({"name": name}))
    }
}

/// Mounts something for as long as it lives.
struct Mount(PathBuf);

impl Mount {
    fn new(arguments: &[&str], at: &Path) -> Self {
        files::create_private_folder(at).expect("a mount point");
        let mount = Self(at.to_owned());
        mount.run("mount", arguments);
        mount
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let output = Command::new(program)
            .args(arguments)
            .arg(&self.0)
            .output()
            .expect("mount(8) is installed");
        assert!(
            output.status.success(),
            "this test mounts a file system; run it as root or under `unshare -rm`: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}
