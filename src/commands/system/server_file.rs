//! Where the user's running server is: address, token and process id in a private file that the
//! server writes when it listens and removes when it ends. A lock beside it says whether the
//! writer still lives, whatever became of the file.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use crate::{
    config::{edit::create_private_folder, home::Home},
    error::{Code, Error, Place, Result},
    secret::Secret,
};

/// A running server.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerFile {
    address: SocketAddr,
    token: String,
    pid: u32,
    #[serde(default)]
    started_at: Option<jiff::Timestamp>,
}

impl ServerFile {
    /// A server that is about to run.
    pub fn new(address: SocketAddr, token: &Secret, now: jiff::Timestamp) -> Self {
        Self {
            address,
            token: token.expose().to_owned(),
            pid: std::process::id(),
            started_at: Some(now),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The server's URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its token.
    pub fn token(&self) -> Secret {
        Secret::new(self.token.as_str())
    }

    /// Reads the file of a server that still lives; `None` when there's none.
    ///
    /// # Errors
    /// When the file is there and can't be used, or others may read it.
    pub fn read(home: &Home) -> Result<Option<Self>> {
        let path = home.server_file();
        let fail = |code, text: &str| {
            Error::new(code, text).at(Place::file(path.display().to_string(), None))
        };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(fail(Code::Unreadable, "cannot read the server's file").because(error));
            }
        };
        refuse_shared(&path)?;
        if !is_locked(home) {
            return Ok(None);
        }
        serde_json::from_str(&text).map(Some).map_err(|error| {
            fail(Code::Unreadable, "the server's file is malformed").because(error)
        })
    }
}

/// Refuses a file with a token that others than its user may read.
///
/// # Errors
/// With the command that mends it.
pub fn refuse_shared(path: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(path).map_or(0, |meta| meta.permissions().mode());
        if mode & 0o077 != 0 {
            let error = Error::new(Code::TokenRefused, "others may read the server's token");
            return Err(error
                .at(Place::file(path.display().to_string(), None))
                .hint(format!("chmod 600 {}", path.display())));
        }
    }
    let _ = path;
    Ok(())
}

/// The error of whoever would be the second server: it names the first.
pub fn already_running(home: &Home) -> Error {
    let text = match ServerFile::read(home) {
        Ok(Some(file)) => {
            let since = file.started_at.map(|time| format!(", since {time}"));
            let since = since.unwrap_or_default();
            format!(
                "a server runs already: process {} at {}{since}",
                file.pid,
                file.url()
            )
        }
        // It has the lock, and no address yet.
        _ => "a server of this user runs already".to_owned(),
    };
    Error::new(Code::AlreadyRunning, text)
}

/// Marks this process as the user's server; dropped with it.
pub struct Claim {
    home: Home,
    _lock: File,
}

impl Claim {
    /// Takes the lock.
    ///
    /// # Errors
    /// When another server holds it.
    pub fn take(home: &Home) -> Result<Self> {
        let fail = |error| {
            Error::new(Code::FileNotWritten, "cannot write the server's files")
                .at(Place::file(home.state().display().to_string(), None))
                .because(error)
        };
        create_private_folder(home.state()).map_err(fail)?;
        let lock = open_lock(home, true).map_err(fail)?;
        // Whoever looks whether a server runs holds the lock for a moment, and one that ends removes
        // its file a moment before it lets go.
        let deadline = Instant::now() + Duration::from_millis(500);
        while lock.try_lock().is_err() {
            if Instant::now() > deadline {
                return Err(already_running(home));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(Self {
            home: home.clone(),
            _lock: lock,
        })
    }

    /// Publishes address and token.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn publish(&self, file: &ServerFile) -> Result<()> {
        let write = || {
            let mut temporary = tempfile::NamedTempFile::new_in(self.home.state())?;
            temporary.write_all(&serde_json::to_vec(file)?)?;
            temporary.as_file().sync_all()?;
            temporary.persist(self.home.server_file())?;
            Ok::<_, std::io::Error>(())
        };
        write().map_err(|error| {
            Error::new(Code::FileNotWritten, "cannot write the server's file").because(error)
        })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // Nothing is lost when it stays: the lock goes with the process.
        let _ = std::fs::remove_file(self.home.server_file());
    }
}

fn open_lock(home: &Home, create: bool) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(create).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(home.state().join("server.lock"))
}

fn is_locked(home: &Home) -> bool {
    open_lock(home, false).is_ok_and(|lock| lock.try_lock().is_err())
}
