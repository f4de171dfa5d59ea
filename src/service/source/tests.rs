//! Sources read for real: folders, archives, a hostile HTTP server on loopback, and the tools themselves.

mod fetch;
mod files;
mod packed;
mod server;
mod tools;

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::*;

const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n";
const COMPOSE: &str = "services:\n  web:\n    image: nginx\n";

/// Options that lose no time, with an empty environment.
fn options() -> Options {
    Options {
        timeout: Duration::from_secs(20),
        network: Network {
            connect: Duration::from_secs(5),
            idle: Duration::from_secs(10),
            pause: Duration::from_millis(4),
            ..Network::default()
        },
        environment: Vec::new(),
        ..Options::default()
    }
}

/// Makes a folder with these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (path, text) in files {
        put(folder.path(), path, text);
    }
    folder
}

fn put(folder: &Path, path: &str, content: impl AsRef<[u8]>) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
    fs::write(path, content).expect("a file");
}

async fn load_path(path: impl AsRef<Path>, options: &Options) -> Result<Bundle, Error> {
    let source = Source::Path(path.as_ref().to_path_buf());
    load(&source, options, CancellationToken::new()).await
}

async fn load_url(url: &str, options: &Options) -> Result<Bundle, Error> {
    let source = url.parse().expect("an address");
    load(&source, options, CancellationToken::new()).await
}

fn paths(bundle: &Bundle) -> Vec<&str> {
    bundle.files.iter().map(|file| file.path.as_str()).collect()
}

/// Writes an error and its causes in one line.
fn told(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}

/// Returns the message of a failure with the temporary folder's path replaced.
fn message(outcome: Result<Bundle, Error>, folder: &Path) -> String {
    let error = outcome.expect_err("it was read");
    told(&error).replace(&folder.display().to_string(), "FOLDER")
}
