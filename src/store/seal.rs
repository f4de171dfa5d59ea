//! Secrets at rest: AES-256-GCM under a key file that only the owner can read.
//!
//! A sealed blob is a format byte, a random 96-bit nonce, and the ciphertext with its tag. The
//! row that it belongs to is authenticated along with it, so a blob moved to another row does
//! not open. A key is made only while nothing sealed exists; it is never replaced.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::{hmac, rand};
use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

use super::error::{Error, Result};
use super::{Store, files};

const KEY_LENGTH: usize = 32;
const FORMAT: u8 = 1;

/// Secret bytes: shown as dots, wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretBytes(Vec<u8>);

impl SecretBytes {
    /// Returns the bytes themselves.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for SecretBytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("••••")
    }
}

impl Drop for SecretBytes {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

/// Overwrites bytes; `black_box` keeps the compiler from dropping a write that nobody reads.
fn wipe(bytes: &mut [u8]) {
    bytes.fill(0);
    std::hint::black_box(bytes);
}

/// The key of a store. The library wipes its copy when it is dropped.
pub(super) struct Key {
    cipher: RandomizedNonceKey,
    id: [u8; 16],
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(••••)")
    }
}

impl Key {
    /// Reads the key file, `None` if there is none.
    fn load(path: &Path) -> Result<Option<Self>> {
        let failed = |source| Error::file(path, "read", source);
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let found = file.metadata().map_err(failed)?;
        if let Some(mode) = files::exposed(&found) {
            return Err(Error::KeyExposed {
                key: path.to_owned(),
                mode,
            });
        }
        if found.len() != KEY_LENGTH as u64 {
            return Err(Error::KeyMalformed {
                key: path.to_owned(),
                size: found.len(),
            });
        }
        let mut bytes = SecretBytes(vec![0; KEY_LENGTH]);
        file.read_exact(&mut bytes.0).map_err(failed)?;
        Self::new(&bytes).map(Some)
    }

    /// Writes a new key file, complete from the moment it has its name, and reads it back: the
    /// key in force is the one on disk, whoever wrote it.
    fn create(path: &Path) -> Result<Self> {
        let mut bytes = SecretBytes(vec![0; KEY_LENGTH]);
        rand::fill(&mut bytes.0).map_err(|_| Error::Crypto {
            attempting: "make a key",
        })?;
        files::create_private_folder(files::folder(path))?;
        let mut file = files::temporary_beside(path, "new")?;
        file.write_all(&bytes.0)
            .map_err(|source| Error::file(path, "write", source))?;
        files::publish(file, path, false)?;
        Self::load(path)?.ok_or_else(|| {
            Error::file(
                path,
                "read",
                io::Error::new(
                    io::ErrorKind::NotFound,
                    "it vanished just after its creation",
                ),
            )
        })
    }

    fn new(bytes: &SecretBytes) -> Result<Self> {
        let cipher =
            RandomizedNonceKey::new(&AES_256_GCM, &bytes.0).map_err(|_| Error::Crypto {
                attempting: "use the key",
            })?;
        // A name for the key that tells nothing about it.
        let tag = hmac::sign(
            &hmac::Key::new(hmac::HMAC_SHA256, &bytes.0),
            b"weftctl store key id",
        );
        let mut id = [0; 16];
        id.copy_from_slice(&tag.as_ref()[..16]);
        Ok(Self { cipher, id })
    }

    /// Seals the secrets of one version of a design.
    pub(super) fn seal(&self, row: &Binding<'_>, secrets: &SecretBytes) -> Result<Vec<u8>> {
        // Encrypted in place: the copy of the plain text is gone as soon as this succeeds.
        let mut text = secrets.clone();
        let (nonce, tag) = self
            .cipher
            .seal_in_place_separate_tag(Aad::from(row.bytes()), &mut text.0)
            .map_err(|_| Error::Crypto {
                attempting: "seal secrets",
            })?;
        let blob = [&[FORMAT], &nonce.as_ref()[..], &text.0, tag.as_ref()].concat();
        Ok(blob)
    }

    /// Opens the secrets of one version of a design.
    pub(super) fn open(&self, row: &Binding<'_>, blob: &[u8]) -> Result<SecretBytes> {
        let failed = || Error::Sealed {
            design: row.design,
            version: row.version.to_owned(),
        };
        let Some((&FORMAT, rest)) = blob.split_first() else {
            return Err(failed());
        };
        let (nonce, ciphertext) = rest.split_at_checked(NONCE_LEN).ok_or_else(failed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| failed())?;
        let mut plain = SecretBytes(ciphertext.to_vec());
        let length = self
            .cipher
            .open_in_place(nonce, Aad::from(row.bytes()), &mut plain.0)
            .map_err(|_| failed())?
            .len();
        plain.0.truncate(length);
        Ok(plain)
    }
}

/// The row that a sealed blob belongs to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Binding<'a> {
    pub(super) design: Uuid,
    pub(super) version: &'a str,
}

impl Binding<'_> {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = b"weftctl/design/".to_vec();
        bytes.extend_from_slice(self.design.as_bytes());
        bytes.extend_from_slice(self.version.as_bytes());
        bytes
    }
}

impl Store {
    /// Returns the key for new secrets, made now if nothing is sealed yet. Call it within a
    /// write transaction: that keeps two processes from making a key each.
    pub(super) async fn key_to_seal(&self, connection: &mut SqliteConnection) -> Result<&Key> {
        if let Some(key) = self.key.get() {
            // Recorded when it was loaded, unless that transaction was rolled back.
            self.record_key(connection, key).await?;
            return Ok(key);
        }
        let key = match Key::load(&self.options.key_path)? {
            Some(key) => key,
            None if self.has_sealed(connection).await? => return Err(self.key_missing()),
            None => Key::create(&self.options.key_path)?,
        };
        self.record_key(connection, &key).await?;
        Ok(self.key.get_or_init(|| key))
    }

    /// Returns the key that existing secrets were sealed with.
    pub(super) async fn key_to_open(&self, connection: &mut SqliteConnection) -> Result<&Key> {
        if let Some(key) = self.key.get() {
            return Ok(key);
        }
        let key = Key::load(&self.options.key_path)?.ok_or_else(|| self.key_missing())?;
        match self.recorded_key(connection).await? {
            Some(id) if id != key.id => Err(self.key_wrong()),
            _ => Ok(self.key.get_or_init(|| key)),
        }
    }

    async fn record_key(&self, connection: &mut SqliteConnection, key: &Key) -> Result<()> {
        match self.recorded_key(connection).await? {
            Some(id) if id == key.id => return Ok(()),
            Some(_) if self.has_sealed(connection).await? => return Err(self.key_wrong()),
            _ => {}
        }
        sqlx::query("INSERT OR REPLACE INTO meta (name, value) VALUES ('key', ?)")
            .bind(key.id.to_vec())
            .execute(connection)
            .await
            .map_err(self.failed("record the key"))?;
        Ok(())
    }

    async fn recorded_key(&self, connection: &mut SqliteConnection) -> Result<Option<Vec<u8>>> {
        let failed = self.failed("read the name of the key");
        sqlx::query("SELECT value FROM meta WHERE name = 'key'")
            .fetch_optional(connection)
            .await
            .map_err(&failed)?
            .map(|row| row.try_get(0).map_err(&failed))
            .transpose()
    }

    async fn has_sealed(&self, connection: &mut SqliteConnection) -> Result<bool> {
        let failed = self.failed("look for sealed secrets");
        sqlx::query("SELECT EXISTS (SELECT 1 FROM design_version WHERE sealed IS NOT NULL)")
            .fetch_one(connection)
            .await
            .and_then(|row| row.try_get(0))
            .map_err(failed)
    }

    fn key_missing(&self) -> Error {
        Error::KeyMissing {
            key: PathBuf::from(&self.options.key_path),
            store: self.options.path.clone(),
        }
    }

    fn key_wrong(&self) -> Error {
        Error::KeyWrong {
            key: PathBuf::from(&self.options.key_path),
            store: self.options.path.clone(),
        }
    }
}
