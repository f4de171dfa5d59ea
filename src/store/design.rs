//! Designs and their versions.
//!
//! A design is its name; each save of other content adds a version. Listing reads only the
//! `design` table, which repeats what its newest version says; documents are compressed and read
//! one at a time. A design and its secrets are written in one transaction, as is a whole import.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

use super::body::{self, Body};
use super::error::{Candidate, Error, Result};
use super::seal::{Binding, SecretBytes};
use super::{Store, Writing};

/// The fewest characters of an id that stand for it.
const SHORTEST_PREFIX: usize = 4;

/// A design to save.
#[derive(Debug, Clone)]
pub struct NewDesign {
    /// The id it gets if its name is new.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// The version it gets if its content is new.
    pub version: NewVersion,
    /// The form of its source, such as "compose" or "helm".
    pub form: String,
    /// Where it came from: a path, a URL, a reference.
    pub origin: String,
    /// How many components it has.
    pub components: u32,
    /// How many components of each kind it has.
    pub kinds: BTreeMap<String, u32>,
    /// The design itself, without secret values.
    pub document: Value,
    /// The secret values that were taken out of the document; sealed before they are written.
    pub secrets: Option<SecretBytes>,
}

/// How a new version gets its name.
#[derive(Debug, Clone)]
pub enum NewVersion {
    /// It is given. An existing version of this name must have the same content.
    Explicit(String),
    /// It follows from the stored versions, if the content differs from the current one.
    Next(fn(stored: &[String]) -> String),
}

/// What a save did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The name is new.
    Created,
    /// The design has a new version.
    Updated,
    /// The content was there already; nothing was written.
    Unchanged,
}

/// Where a saved design is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// The id of the design.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// The version that has the content.
    pub version: String,
    /// What was done.
    pub outcome: Outcome,
}

/// One version of a design, the current one unless another was asked for, without its document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesignSummary {
    /// The id of the design.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// The version.
    pub version: String,
    /// The form of its source.
    pub form: String,
    /// Where it came from.
    pub origin: String,
    /// How many components it has.
    pub components: u32,
    /// How many components of each kind it has.
    pub kinds: BTreeMap<String, u32>,
    /// Whether it has sealed secrets.
    pub has_secrets: bool,
    /// When the design was first saved.
    pub created_at: Timestamp,
    /// When this version was saved.
    pub updated_at: Timestamp,
}

/// One version of a design.
#[derive(Debug, Clone, PartialEq)]
pub struct DesignRecord {
    /// All but the document.
    pub summary: DesignSummary,
    /// The document as it was saved.
    pub document: Value,
}

/// One line of a design's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionSummary {
    /// The version.
    pub version: String,
    /// Its place in the history, from 1.
    pub sequence: u32,
    /// When it was saved.
    pub created_at: Timestamp,
    /// The form of its source.
    pub form: String,
    /// Where it came from.
    pub origin: String,
    /// How many components it has.
    pub components: u32,
    /// Whether it has sealed secrets.
    pub has_secrets: bool,
    /// The digest (SHA-256) of form and document.
    pub hash: [u8; 32],
}

/// Which designs to list.
#[derive(Debug, Clone, Default)]
pub struct ListDesigns {
    /// Only those whose name contains this, in any case.
    pub search: Option<String>,
    /// Their order.
    pub sort: Sort,
    /// Leave out this many from the start.
    pub offset: u32,
    /// Stop after this many.
    pub limit: Option<u32>,
}

/// The order of a list of designs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sort {
    /// By name.
    #[default]
    Name,
    /// The oldest first.
    Created,
    /// The longest unchanged first.
    Updated,
}

/// A page of designs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesignList {
    /// The designs.
    pub items: Vec<DesignSummary>,
    /// How many there are without limit and offset.
    pub total: u64,
}

const SUMMARY: &str = "SELECT id, name, version, form, origin, components, kinds, secrets, \
                       created_at, updated_at FROM design";

impl Store {
    /// Saves a design, as new or as another version of the one of its name.
    pub async fn save_design(&self, design: NewDesign) -> Result<Saved> {
        let mut saved = self.save_designs(vec![design]).await?;
        saved.pop().ok_or_else(|| Error::File {
            path: self.options.path.clone(),
            attempting: "save a design in",
            source: std::io::ErrorKind::InvalidData.into(),
        })
    }

    /// Saves several designs in one transaction: all of them or none.
    pub async fn save_designs(&self, designs: Vec<NewDesign>) -> Result<Vec<Saved>> {
        const ATTEMPT: &str = "save a design";
        let limit = self.options.document_limit;
        let prepared = body::aside(ATTEMPT, move || {
            designs
                .into_iter()
                .map(|design| {
                    let body = Body::pack(&design.name, &design.form, &design.document, limit)?;
                    Ok((design, body))
                })
                .collect::<Result<Vec<_>>>()
        })
        .await??;
        let mut writing = self.write(ATTEMPT).await?;
        let mut saved = Vec::with_capacity(prepared.len());
        for (design, body) in prepared {
            saved.push(self.save_within(&mut writing, design, body).await?);
        }
        if saved.iter().all(|one| one.outcome == Outcome::Unchanged) {
            writing.abandon().await?;
        } else {
            writing.commit().await?;
        }
        Ok(saved)
    }

    async fn save_within(
        &self,
        writing: &mut Writing<'_>,
        design: NewDesign,
        body: Body,
    ) -> Result<Saved> {
        let connection = writing.connection();
        let current = self.current(connection, &design.name).await?;
        let id = current.as_ref().map_or(design.id, |current| current.id);
        let done = |version: String, outcome| Saved {
            id,
            name: design.name.clone(),
            version,
            outcome,
        };
        let version = match &design.version {
            NewVersion::Explicit(version) => version.clone(),
            NewVersion::Next(next) => {
                if let Some(current) = &current
                    && self
                        .has_content(connection, id, &current.version, &design, &body)
                        .await?
                        == Some(true)
                {
                    return Ok(done(current.version.clone(), Outcome::Unchanged));
                }
                let stored = match current {
                    Some(_) => self.versions_within(connection, id).await?,
                    None => Vec::new(),
                };
                let stored: Vec<String> = stored.into_iter().map(|one| one.version).collect();
                next(&stored)
            }
        };
        let same = match current {
            None => None,
            Some(_) => {
                self.has_content(connection, id, &version, &design, &body)
                    .await?
            }
        };
        match same {
            None => {}
            Some(true) => return Ok(done(version, Outcome::Unchanged)),
            Some(false) => {
                return Err(Error::VersionExists {
                    name: design.name,
                    version,
                });
            }
        }
        let binding = Binding {
            design: id,
            version: &version,
        };
        let sealed = match &design.secrets {
            Some(secrets) => Some(
                self.key_to_seal(connection)
                    .await?
                    .seal(&binding, secrets)?,
            ),
            None => None,
        };
        let at = self.now();
        let kinds = kinds_text(&design.kinds);
        let outcome = if current.is_none() {
            self.insert_design(connection, &design, &version, &kinds, at)
                .await?;
            Outcome::Created
        } else {
            self.update_design(connection, id, &design, &version, &kinds, at)
                .await?;
            Outcome::Updated
        };
        sqlx::query(
            "INSERT INTO design_version (design, version, sequence, name, form, origin, \
             components, kinds, created_at, size, hash, sealed, body) \
             SELECT ?1, ?2, coalesce(max(sequence), 0) + 1, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, \
             ?12 FROM design_version WHERE design = ?1",
        )
        .bind(id.to_string())
        .bind(&version)
        .bind(&design.name)
        .bind(&design.form)
        .bind(&design.origin)
        .bind(design.components)
        .bind(kinds)
        .bind(at.as_microsecond())
        .bind(i64::try_from(body.size).unwrap_or(i64::MAX))
        .bind(body.hash.to_vec())
        .bind(sealed)
        .bind(body.packed)
        .execute(connection)
        .await
        .map_err(self.failed("save a design"))?;
        Ok(done(version, outcome))
    }

    async fn current(
        &self,
        connection: &mut SqliteConnection,
        name: &str,
    ) -> Result<Option<Current>> {
        let failed = self.failed("look for a design");
        let row = sqlx::query("SELECT id, version FROM design WHERE name = ?")
            .bind(name)
            .fetch_optional(connection)
            .await
            .map_err(&failed)?;
        row.map(|row| {
            Ok(Current {
                id: self.uuid(&row, 0)?,
                version: row.try_get(1).map_err(&failed)?,
            })
        })
        .transpose()
    }

    /// Tells whether a version has this content; `None` if there is no such version.
    async fn has_content(
        &self,
        connection: &mut SqliteConnection,
        id: Uuid,
        version: &str,
        design: &NewDesign,
        body: &Body,
    ) -> Result<Option<bool>> {
        let failed = self.failed("compare a design with its version");
        let row =
            sqlx::query("SELECT hash, sealed FROM design_version WHERE design = ? AND version = ?")
                .bind(id.to_string())
                .bind(version)
                .fetch_optional(&mut *connection)
                .await
                .map_err(&failed)?;
        let Some(row) = row else {
            return Ok(None);
        };
        let hash: Vec<u8> = row.try_get(0).map_err(&failed)?;
        let sealed: Option<Vec<u8>> = row.try_get(1).map_err(&failed)?;
        if hash != body.hash {
            return Ok(Some(false));
        }
        match (&design.secrets, sealed) {
            (None, None) => Ok(Some(true)),
            (Some(secrets), Some(sealed)) => {
                let binding = Binding {
                    design: id,
                    version,
                };
                let there = self
                    .key_to_open(connection)
                    .await?
                    .open(&binding, &sealed)?;
                Ok(Some(there == *secrets))
            }
            _ => Ok(Some(false)),
        }
    }

    async fn insert_design(
        &self,
        connection: &mut SqliteConnection,
        design: &NewDesign,
        version: &str,
        kinds: &str,
        at: Timestamp,
    ) -> Result<()> {
        let inserted = sqlx::query(
            "INSERT INTO design (id, name, version, form, origin, components, kinds, secrets, \
             created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9)",
        )
        .bind(design.id.to_string())
        .bind(&design.name)
        .bind(version)
        .bind(&design.form)
        .bind(&design.origin)
        .bind(design.components)
        .bind(kinds)
        .bind(design.secrets.is_some())
        .bind(at.as_microsecond())
        .execute(connection)
        .await;
        match inserted {
            Ok(_) => Ok(()),
            // The name was looked for in this transaction: it can only be the id.
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                Err(Error::IdTaken {
                    noun: "design",
                    id: design.id,
                })
            }
            Err(error) => Err(self.failed("save a design")(error)),
        }
    }

    async fn update_design(
        &self,
        connection: &mut SqliteConnection,
        id: Uuid,
        design: &NewDesign,
        version: &str,
        kinds: &str,
        at: Timestamp,
    ) -> Result<()> {
        sqlx::query(
            "UPDATE design SET version = ?, form = ?, origin = ?, components = ?, kinds = ?, \
             secrets = ?, updated_at = ? WHERE id = ?",
        )
        .bind(version)
        .bind(&design.form)
        .bind(&design.origin)
        .bind(design.components)
        .bind(kinds)
        .bind(design.secrets.is_some())
        .bind(at.as_microsecond())
        .bind(id.to_string())
        .execute(connection)
        .await
        .map_err(self.failed("save a design"))?;
        Ok(())
    }

    /// Lists designs without reading their documents.
    pub async fn list_designs(&self, list: &ListDesigns) -> Result<DesignList> {
        let failed = self.failed("list the designs");
        // Names are compared in any case of any script, which `SQLite` does for ASCII only.
        let wanted = list.search.as_deref().map(str::to_lowercase);
        let (limit, offset) = match wanted {
            None => (list.limit.map_or(-1, i64::from), i64::from(list.offset)),
            Some(_) => (-1, 0),
        };
        let order = match list.sort {
            Sort::Name => " ORDER BY name LIMIT ? OFFSET ?",
            Sort::Created => " ORDER BY created_at, name LIMIT ? OFFSET ?",
            Sort::Updated => " ORDER BY updated_at, name LIMIT ? OFFSET ?",
        };
        let mut reading = self.read().await?;
        let rows = sqlx::query(sqlx::AssertSqlSafe([SUMMARY, order].concat()))
            .bind(limit)
            .bind(offset)
            .fetch_all(reading.connection())
            .await
            .map_err(&failed)?;
        let Some(wanted) = wanted else {
            let all = list.limit.is_none() && list.offset == 0;
            let total = if all {
                rows.len() as u64
            } else {
                let counted: i64 = sqlx::query("SELECT count(*) FROM design")
                    .fetch_one(reading.connection())
                    .await
                    .and_then(|row| row.try_get(0))
                    .map_err(&failed)?;
                u64::try_from(counted).unwrap_or(0)
            };
            drop(reading);
            let items = rows.iter().map(|row| self.summary(row));
            return Ok(DesignList {
                items: items.collect::<Result<_>>()?,
                total,
            });
        };
        drop(reading);
        let mut found = Vec::new();
        for row in &rows {
            let name: &str = row.try_get(1).map_err(&failed)?;
            if name.to_lowercase().contains(&wanted) {
                found.push(row);
            }
        }
        let page = found
            .iter()
            .skip(list.offset as usize)
            .take(list.limit.map_or(usize::MAX, |limit| limit as usize));
        Ok(DesignList {
            items: page.map(|row| self.summary(row)).collect::<Result<_>>()?,
            total: found.len() as u64,
        })
    }

    /// Finds a design by its name, its id, or at least four characters of its id, in this order;
    /// its current version unless another is asked for.
    pub async fn find_design(&self, key: &str, version: Option<&str>) -> Result<DesignRecord> {
        let mut reading = self.read().await?;
        let connection = reading.connection();
        let mut summary = self.resolve(connection, key).await?;
        let mut wanted = version.unwrap_or(&summary.version).to_owned();
        let failed = self.failed("read a design");
        let row = loop {
            let row = sqlx::query(
                "SELECT form, origin, components, kinds, created_at, sealed IS NOT NULL, size, \
                 hash, body FROM design_version WHERE design = ? AND version = ?",
            )
            .bind(summary.id.to_string())
            .bind(&wanted)
            .fetch_optional(&mut *connection)
            .await
            .map_err(&failed)?;
            if let Some(row) = row {
                break row;
            }
            if version.is_some() {
                let known = self.versions_within(connection, summary.id).await?;
                return Err(Error::NoSuchVersion {
                    name: summary.name,
                    version: wanted,
                    known: known.into_iter().map(|known| known.version).collect(),
                });
            }
            // Another process may have deleted or replaced it between the two questions.
            summary = self.resolve(connection, key).await?;
            if summary.version == wanted {
                return Err(self.damaged(format!(
                    "design {:?} has no row for its current version {wanted:?}",
                    summary.name
                )));
            }
            wanted.clone_from(&summary.version);
        };
        drop(reading);
        summary.form = row.try_get(0).map_err(&failed)?;
        summary.origin = row.try_get(1).map_err(&failed)?;
        summary.components = row.try_get(2).map_err(&failed)?;
        summary.kinds = self.kinds(&row, 3)?;
        summary.updated_at = self.timestamp(&row, 4)?;
        summary.has_secrets = row.try_get(5).map_err(&failed)?;
        let size: i64 = row.try_get(6).map_err(&failed)?;
        let hash = row.try_get(7).map_err(&failed)?;
        let packed = row.try_get(8).map_err(&failed)?;
        summary.version = wanted;
        let size = u64::try_from(size).unwrap_or(0);
        let document = body::unpack_aside(packed, size, summary.form.clone(), Some(hash))
            .await?
            .map_err(|what| {
                self.damaged(format!(
                    "the document of design {:?} version {:?} {what}",
                    summary.name, summary.version
                ))
            })?;
        Ok(DesignRecord { summary, document })
    }

    /// Opens the secrets of a version, `None` if it has none.
    pub async fn design_secrets(&self, id: Uuid, version: &str) -> Result<Option<SecretBytes>> {
        let failed = self.failed("read the secrets of a design");
        let mut reading = self.read().await?;
        let connection = reading.connection();
        let row = sqlx::query("SELECT sealed FROM design_version WHERE design = ? AND version = ?")
            .bind(id.to_string())
            .bind(version)
            .fetch_optional(&mut *connection)
            .await
            .map_err(&failed)?
            .ok_or_else(|| Error::NotFound {
                noun: "design",
                key: format!("{id} version {version}"),
                near: Vec::new(),
            })?;
        let sealed: Option<Vec<u8>> = row.try_get(0).map_err(&failed)?;
        let Some(sealed) = sealed else {
            return Ok(None);
        };
        let key = self.key_to_open(connection).await?;
        let binding = Binding {
            design: id,
            version,
        };
        key.open(&binding, &sealed).map(Some)
    }

    /// Returns the versions of a design, the oldest first.
    pub async fn design_versions(&self, id: Uuid) -> Result<Vec<VersionSummary>> {
        let mut reading = self.read().await?;
        let versions = self.versions_within(reading.connection(), id).await?;
        if versions.is_empty() {
            return Err(Error::NotFound {
                noun: "design",
                key: id.to_string(),
                near: Vec::new(),
            });
        }
        Ok(versions)
    }

    async fn versions_within(
        &self,
        connection: &mut SqliteConnection,
        id: Uuid,
    ) -> Result<Vec<VersionSummary>> {
        let failed = self.failed("list the versions of a design");
        let rows = sqlx::query(
            "SELECT version, sequence, created_at, form, origin, components, sealed IS NOT NULL, \
             hash FROM design_version WHERE design = ? ORDER BY sequence",
        )
        .bind(id.to_string())
        .fetch_all(connection)
        .await
        .map_err(&failed)?;
        let version = |row: &SqliteRow| {
            let hash: &[u8] = row.try_get(7).map_err(&failed)?;
            Ok(VersionSummary {
                version: row.try_get(0).map_err(&failed)?,
                sequence: row.try_get(1).map_err(&failed)?,
                created_at: self.timestamp(row, 2)?,
                form: row.try_get(3).map_err(&failed)?,
                origin: row.try_get(4).map_err(&failed)?,
                components: row.try_get(5).map_err(&failed)?,
                has_secrets: row.try_get(6).map_err(&failed)?,
                hash: hash
                    .try_into()
                    .map_err(|_| self.damaged("a digest has the wrong length".to_owned()))?,
            })
        };
        rows.iter().map(version).collect()
    }

    /// Deletes a design with all its versions and returns how many those were.
    pub async fn delete_design(&self, id: Uuid) -> Result<u64> {
        const ATTEMPT: &str = "delete a design";
        let failed = self.failed(ATTEMPT);
        let mut writing = self.write(ATTEMPT).await?;
        let versions = sqlx::query("DELETE FROM design_version WHERE design = ?")
            .bind(id.to_string())
            .execute(writing.connection())
            .await
            .map_err(&failed)?
            .rows_affected();
        let designs = sqlx::query("DELETE FROM design WHERE id = ?")
            .bind(id.to_string())
            .execute(writing.connection())
            .await
            .map_err(&failed)?
            .rows_affected();
        if designs == 0 && versions == 0 {
            writing.abandon().await?;
            return Err(Error::NotFound {
                noun: "design",
                key: id.to_string(),
                near: Vec::new(),
            });
        }
        writing.commit().await?;
        Ok(versions)
    }

    async fn resolve(&self, connection: &mut SqliteConnection, key: &str) -> Result<DesignSummary> {
        let failed = self.failed("look for a design");
        let exact = sqlx::query(sqlx::AssertSqlSafe([SUMMARY, " WHERE name = ?"].concat()))
            .bind(key)
            .fetch_optional(&mut *connection)
            .await
            .map_err(&failed)?;
        if let Some(row) = exact {
            return self.summary(&row);
        }
        if let Some(prefix) = id_prefix(key) {
            // An id is lower-case hexadecimal with hyphens: "g" sorts after all that follow.
            let sql = [SUMMARY, " WHERE id >= ?1 AND id < ?1 || 'g' ORDER BY name"].concat();
            let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
                .bind(prefix)
                .fetch_all(&mut *connection)
                .await
                .map_err(&failed)?;
            match &*rows {
                [] => {}
                [row] => return self.summary(row),
                rows => {
                    let candidate = |row| {
                        let DesignSummary { id, name, .. } = self.summary(row)?;
                        Ok(Candidate { id, name })
                    };
                    return Err(Error::Ambiguous {
                        noun: "design",
                        key: key.to_owned(),
                        candidates: rows.iter().map(candidate).collect::<Result<_>>()?,
                    });
                }
            }
        }
        let names = sqlx::query("SELECT name FROM design ORDER BY name")
            .fetch_all(connection)
            .await
            .map_err(&failed)?;
        let names = names.iter().filter_map(|row| row.try_get(0).ok());
        Err(Error::NotFound {
            noun: "design",
            key: key.to_owned(),
            near: near(key, names),
        })
    }

    fn summary(&self, row: &SqliteRow) -> Result<DesignSummary> {
        let failed = self.failed("read a design");
        Ok(DesignSummary {
            id: self.uuid(row, 0)?,
            name: row.try_get(1).map_err(&failed)?,
            version: row.try_get(2).map_err(&failed)?,
            form: row.try_get(3).map_err(&failed)?,
            origin: row.try_get(4).map_err(&failed)?,
            components: row.try_get(5).map_err(&failed)?,
            kinds: self.kinds(row, 6)?,
            has_secrets: row.try_get(7).map_err(&failed)?,
            created_at: self.timestamp(row, 8)?,
            updated_at: self.timestamp(row, 9)?,
        })
    }

    pub(super) fn uuid(&self, row: &SqliteRow, column: usize) -> Result<Uuid> {
        let text: &str = row.try_get(column).map_err(self.failed("read an id"))?;
        text.parse()
            .map_err(|_| self.damaged(format!("{text:?} is not an id")))
    }

    pub(super) fn timestamp(&self, row: &SqliteRow, column: usize) -> Result<Timestamp> {
        let at = row.try_get(column).map_err(self.failed("read a time"))?;
        Timestamp::from_microsecond(at).map_err(|_| self.damaged(format!("{at} is not a time")))
    }

    fn kinds(&self, row: &SqliteRow, column: usize) -> Result<BTreeMap<String, u32>> {
        let text: &str = row.try_get(column).map_err(self.failed("read a design"))?;
        serde_json::from_str(text)
            .map_err(|_| self.damaged("a summary of kinds does not parse".to_owned()))
    }

    pub(super) fn damaged(&self, detail: String) -> Error {
        Error::Damaged {
            path: self.options.path.clone(),
            detail,
        }
    }
}

/// What is known of a design before another version is saved.
struct Current {
    id: Uuid,
    version: String,
}

pub(super) fn kinds_text(kinds: &BTreeMap<String, u32>) -> String {
    serde_json::to_string(kinds).expect("a map of text to numbers is JSON")
}

/// Returns the key in the form of ids if it can be the start of one.
pub(super) fn id_prefix(key: &str) -> Option<String> {
    let plausible = (SHORTEST_PREFIX..=36).contains(&key.len())
        && key.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    plausible.then(|| key.to_ascii_lowercase())
}

/// Returns up to three names that are spelled like the key, nearest first.
fn near(key: &str, names: impl Iterator<Item = String>) -> Vec<String> {
    let key = key.to_lowercase();
    let allowed = (key.chars().count() / 3).max(1);
    let mut close: Vec<_> = names
        .filter_map(|name| {
            let distance = weft_domain::near::distance(&key, &name.to_lowercase());
            (distance <= allowed).then_some((distance, name))
        })
        .collect();
    close.sort();
    close.into_iter().take(3).map(|(_, name)| name).collect()
}
