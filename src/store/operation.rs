//! Finished operations: what was asked, when, and how it came out.
//!
//! Callers mask secrets before they hand over a request or an outcome. The newest 1,000 are kept;
//! the insertion that exceeds this drops the oldest in the same transaction.

use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::Store;
use super::body::{self, Body};
use super::design::id_prefix;
use super::error::{Candidate, Error, Result};

/// How many operations are kept.
pub const KEPT: u32 = 1_000;

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationState {
    /// It did what was asked.
    Succeeded,
    /// It did not.
    Failed,
    /// It was stopped.
    Cancelled,
}

impl OperationState {
    /// Returns the word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    pub(super) fn parse(word: &str) -> Option<Self> {
        [Self::Succeeded, Self::Failed, Self::Cancelled]
            .into_iter()
            .find(|state| state.as_str() == word)
    }
}

/// A finished operation without its outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationSummary {
    /// Its id.
    pub id: Uuid,
    /// What it was, such as "design deploy".
    pub kind: String,
    /// How it ended.
    pub state: OperationState,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// What was asked, in a line.
    pub request: String,
    /// Why it did not succeed, in a line.
    pub error: Option<String>,
}

/// A finished operation.
#[derive(Debug, Clone, PartialEq)]
pub struct OperationRecord {
    /// All but the outcome.
    pub summary: OperationSummary,
    /// The outcome; of what did not succeed the store keeps the error in its place.
    pub outcome: Value,
}

/// What the store keeps as the outcome of an operation that did not succeed.
#[derive(serde::Serialize, serde::Deserialize)]
struct Unsuccessful {
    error: String,
}

impl Store {
    /// Records a finished operation.
    pub async fn save_operation(&self, operation: OperationRecord) -> Result<()> {
        const ATTEMPT: &str = "record an operation";
        let failed = self.failed(ATTEMPT);
        let limit = self.options.document_limit;
        let OperationRecord { summary, outcome } = operation;
        let (summary, body) = body::aside(ATTEMPT, move || {
            let outcome = match &summary.error {
                Some(error) => json!(Unsuccessful {
                    error: error.clone()
                }),
                None => outcome,
            };
            let body = Body::pack(&summary.kind, "", &outcome, limit);
            (summary, body)
        })
        .await?;
        let body = body?;
        let mut writing = self.write(ATTEMPT).await?;
        let inserted = sqlx::query(
            "INSERT INTO operation (id, kind, state, started_at, finished_at, request, size, \
             outcome) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(summary.id.to_string())
        .bind(&summary.kind)
        .bind(summary.state.as_str())
        .bind(summary.started_at.as_microsecond())
        .bind(summary.finished_at.as_microsecond())
        .bind(&summary.request)
        .bind(i64::try_from(body.size).unwrap_or(i64::MAX))
        .bind(body.packed)
        .execute(writing.connection())
        .await;
        match inserted {
            Ok(_) => {}
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                return Err(Error::IdTaken {
                    noun: "operation",
                    id: summary.id,
                });
            }
            Err(error) => return Err(failed(error)),
        }
        sqlx::query(
            "DELETE FROM operation WHERE row <= \
             (SELECT row FROM operation ORDER BY row DESC LIMIT 1 OFFSET ?)",
        )
        .bind(KEPT)
        .execute(writing.connection())
        .await
        .map_err(failed)?;
        writing.commit().await
    }

    /// Lists operations, the newest first, without the outcomes of those that succeeded.
    pub async fn list_operations(&self, limit: Option<u32>) -> Result<Vec<OperationSummary>> {
        let mut reading = self.read().await?;
        let rows = sqlx::query(
            "SELECT id, kind, state, started_at, finished_at, request, size, \
             iif(state = 'succeeded', NULL, outcome) FROM operation ORDER BY row DESC LIMIT ?",
        )
        .bind(limit.map_or(-1, i64::from))
        .fetch_all(reading.connection())
        .await
        .map_err(self.failed("list the operations"))?;
        drop(reading);
        let mut found = Vec::with_capacity(rows.len());
        for row in &rows {
            let mut summary = self.operation(row)?;
            if summary.state != OperationState::Succeeded {
                let outcome = self.outcome(row, &summary).await?;
                summary.error = error_in(outcome);
            }
            found.push(summary);
        }
        Ok(found)
    }

    /// Finds an operation by its id or at least four characters of it.
    pub async fn find_operation(&self, key: &str) -> Result<OperationRecord> {
        let failed = self.failed("read an operation");
        let missing = || Error::NotFound {
            noun: "operation",
            key: key.to_owned(),
            near: Vec::new(),
        };
        let prefix = id_prefix(key).ok_or_else(missing)?;
        let mut reading = self.read().await?;
        let rows = sqlx::query(
            "SELECT id, kind, state, started_at, finished_at, request FROM operation \
             WHERE id >= ?1 AND id < ?1 || 'g' ORDER BY row DESC",
        )
        .bind(prefix)
        .fetch_all(reading.connection())
        .await
        .map_err(&failed)?;
        let mut summary = match &*rows {
            [] => return Err(missing()),
            [row] => self.operation(row)?,
            rows => {
                let candidate = |row| {
                    let OperationSummary { id, kind, .. } = self.operation(row)?;
                    Ok(Candidate { id, name: kind })
                };
                return Err(Error::Ambiguous {
                    noun: "operation",
                    key: key.to_owned(),
                    candidates: rows.iter().map(candidate).collect::<Result<_>>()?,
                });
            }
        };
        let row = sqlx::query(
            "SELECT id, kind, state, started_at, finished_at, request, size, outcome \
             FROM operation WHERE id = ?",
        )
        .bind(summary.id.to_string())
        .fetch_optional(reading.connection())
        .await
        .map_err(&failed)?
        // Pruned by another process just now.
        .ok_or_else(missing)?;
        drop(reading);
        let outcome = self.outcome(&row, &summary).await?;
        if summary.state != OperationState::Succeeded {
            summary.error = error_in(outcome.clone());
        }
        Ok(OperationRecord { summary, outcome })
    }

    /// Reads the last two columns of a row: size and outcome.
    async fn outcome(&self, row: &SqliteRow, summary: &OperationSummary) -> Result<Value> {
        let failed = self.failed("read an operation");
        let size: i64 = row.try_get(6).map_err(&failed)?;
        let packed = row.try_get(7).map_err(&failed)?;
        let size = u64::try_from(size).unwrap_or(0);
        body::unpack_aside(packed, size, String::new(), None)
            .await?
            .map_err(|what| self.damaged(format!("the outcome of operation {} {what}", summary.id)))
    }

    fn operation(&self, row: &SqliteRow) -> Result<OperationSummary> {
        let failed = self.failed("read an operation");
        let word: &str = row.try_get(2).map_err(&failed)?;
        Ok(OperationSummary {
            id: self.uuid(row, 0)?,
            kind: row.try_get(1).map_err(&failed)?,
            state: OperationState::parse(word)
                .ok_or_else(|| self.damaged(format!("{word:?} is not a state")))?,
            started_at: self.timestamp(row, 3)?,
            finished_at: self.timestamp(row, 4)?,
            request: row.try_get(5).map_err(&failed)?,
            error: None,
        })
    }
}

fn error_in(outcome: Value) -> Option<String> {
    serde_json::from_value(outcome)
        .ok()
        .map(|Unsuccessful { error }| error)
}
