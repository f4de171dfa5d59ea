//! Why rows could not be read, and what that is to a user.

use std::time::Duration;

use super::Missing;
use crate::{
    error::{self, Code, Place},
    output::human,
};

/// Why rows could not be read.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{problem}")]
pub struct Error {
    /// Where the database is, without credentials.
    pub address: String,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong. Texts of the server have no password in them.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Problem {
    /// The settings or credentials are of no use, whatever the server says.
    #[error("the settings of the connection cannot be used")]
    Unusable {
        /// Why.
        cause: String,
    },
    /// There is no connection.
    #[error("the database cannot be reached")]
    Unreachable {
        /// Why.
        cause: String,
    },
    /// The TLS of the server, or its absence, is not what is demanded.
    #[error("the database cannot be reached as safely as the hub demands")]
    Untrusted {
        /// Why.
        cause: String,
    },
    /// The server doesn't let the user in, or not that far.
    #[error("the database refuses the user")]
    Denied {
        /// What it says.
        cause: String,
    },
    /// The server wants the password as it is, and the connection is open to read.
    #[error("the database wants the password in clear text, and the connection has no TLS")]
    Cleartext,
    /// There is no such database.
    #[error("there is no such database")]
    Database {
        /// What the server says.
        cause: String,
    },
    /// There is no such table or view, or it may not be seen.
    #[error("there is no table or view {table:?}")]
    Table {
        /// Its name.
        table: String,
    },
    /// The table lacks columns.
    #[error("the table {table:?} lacks {}", names(.missing))]
    Columns {
        /// Its name.
        table: String,
        /// What it lacks.
        missing: Vec<Missing>,
    },
    /// All connections that may be open are at work.
    #[error("all of the {limit} connections that the hub allows are at work")]
    Busy {
        /// How many there may be.
        limit: usize,
    },
    /// Connecting took too long.
    #[error("the database did not answer within {}", human::duration(*.after))]
    ConnectTimeout {
        /// How long was waited.
        after: Duration,
    },
    /// A statement took too long.
    #[error("reading took longer than {}", human::duration(*.after))]
    QueryTimeout {
        /// How long it might have taken.
        after: Duration,
    },
    /// The rows ended before their end.
    #[error("reading broke off before the end")]
    BrokenOff {
        /// Why.
        cause: String,
    },
    /// The server refuses a statement.
    #[error("the database refuses to be read")]
    Refused {
        /// What it says.
        cause: String,
    },
}

fn names(missing: &[Missing]) -> String {
    let names: Vec<String> = missing
        .iter()
        .map(|missing| format!("{:?}", missing.column))
        .collect();
    let count = if names.len() == 1 {
        "column"
    } else {
        "columns"
    };
    format!("the {count} {}", human::list(&names, 10))
}

impl Problem {
    const fn code(&self) -> Code {
        match self {
            Self::Unusable { .. } => Code::CredentialUnusable,
            Self::Unreachable { .. } | Self::ConnectTimeout { .. } | Self::BrokenOff { .. } => {
                Code::DatabaseUnreachable
            }
            Self::Untrusted { .. } | Self::Cleartext => Code::DatabaseUntrusted,
            Self::Denied { .. } => Code::DatabaseDenied,
            Self::Database { .. } | Self::Table { .. } => Code::TableNotFound,
            Self::Columns { .. } => Code::ColumnNotFound,
            Self::Busy { .. } | Self::QueryTimeout { .. } => Code::QueryTimedOut,
            Self::Refused { .. } => Code::DatabaseRefused,
        }
    }

    fn cause(&self) -> Option<&str> {
        match self {
            Self::Unusable { cause }
            | Self::Unreachable { cause }
            | Self::Untrusted { cause }
            | Self::Denied { cause }
            | Self::Database { cause }
            | Self::BrokenOff { cause }
            | Self::Refused { cause } => Some(cause),
            _ => None,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Columns { missing, .. } => {
                let near = missing.iter();
                let near: Vec<String> = near
                    .filter_map(|missing| Some(format!("{:?}", missing.near.as_ref()?)))
                    .collect();
                (!near.is_empty()).then(|| format!("did you mean {}?", human::list(&near, 10)))
            }
            Self::Busy { .. } => Some("raise maxOpenConns of the hub".into()),
            Self::ConnectTimeout { .. } => {
                Some("check host and port; connectTimeout of the hub is how long is waited".into())
            }
            _ => None,
        }
    }
}

impl From<Error> for error::Error {
    fn from(error: Error) -> Self {
        let problem = &error.problem;
        let mut mapped =
            Self::new(problem.code(), problem.to_string()).at(Place::object(error.address));
        if let Some(cause) = problem.cause() {
            mapped = mapped.because(cause);
        }
        match problem.hint() {
            Some(hint) => mapped.hint(hint),
            None => mapped,
        }
    }
}
