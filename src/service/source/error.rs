//! Why a source could not be read. Each variant carries its data; messages never hold credentials,
//! because whatever names an address was masked when it was put in.

use std::io;
use std::time::Duration;

/// The flags that raise a limit or steer the reading, as messages name them.
pub mod flag {
    /// Raises [`Limits::input`](crate::service::source::Limits::input) and the output of tools.
    pub const INPUT: &str = "--max-input-size";
    /// Raises [`Limits::files`](crate::service::source::Limits::files).
    pub const FILES: &str = "--max-files";
    /// Raises [`Limits::unpacked`](crate::service::source::Limits::unpacked).
    pub const UNPACKED: &str = "--max-unpacked-size";
    /// Raises [`Limits::ratio`](crate::service::source::Limits::ratio).
    pub const RATIO: &str = "--max-archive-ratio";
    /// Raises [`Limits::entries`](crate::service::source::Limits::entries).
    pub const ENTRIES: &str = "--max-archive-entries";
    /// Raises [`TextLimits::document_bytes`](weft_domain::source::TextLimits::document_bytes).
    pub const DOCUMENT: &str = "--max-document-size";
    /// Raises [`TextLimits::nodes`](weft_domain::source::TextLimits::nodes).
    pub const NODES: &str = "--max-nodes";
    /// Raises [`TextLimits::documents`](weft_domain::source::TextLimits::documents).
    pub const DOCUMENTS: &str = "--max-documents";
    /// Raises [`Options::timeout`](crate::service::source::Options::timeout).
    pub const TIMEOUT: &str = "--request-timeout";
    /// Names a chart's release.
    pub const RELEASE: &str = "--release-name";
    /// Chooses a chart's version.
    pub const VERSION: &str = "--chart-version";
    /// Speaks to a registry on this machine without TLS.
    pub const PLAIN_HTTP: &str = "--plain-http";
    /// Names a chart repository.
    pub const REPO: &str = "--repo";
}

/// The kind of an [`Error`], for its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The command line is at fault (2).
    Usage,
    /// The other side did not let us (4).
    Denied,
    /// What was named does not exist (5).
    NotFound,
    /// The deadline passed (7).
    TimedOut,
    /// The other side could not be reached or is overloaded (8).
    Unavailable,
    /// The input is malformed, unsafe or over a limit (10).
    Refused,
    /// Interrupted (130).
    Cancelled,
    /// None of these (1).
    Failed,
}

/// Why a source could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The command was interrupted.
    #[error("interrupted while reading {origin}")]
    Cancelled {
        /// The source.
        origin: String,
    },
    /// Standard input was asked for and is a terminal.
    #[error("standard input is a terminal; pipe a file into it or name the file")]
    Terminal,
    /// A file, a body or an archive is over a limit.
    #[error("{what} is larger than {}{}", bytes(*.limit), raised_by(*.flag))]
    TooLarge {
        /// What is too large.
        what: String,
        /// The limit in bytes.
        limit: u64,
        /// The flag that raises it, if one does.
        flag: Option<&'static str>,
    },
    /// A folder or an archive has too many files.
    #[error("{what} has more than {limit} files ({flag} raises the limit)")]
    TooMany {
        /// The folder or archive.
        what: String,
        /// The limit.
        limit: usize,
        /// The flag that raises it.
        flag: &'static str,
    },
    /// The path does not exist.
    #[error("{path} does not exist")]
    NotFound {
        /// The path as typed.
        path: String,
    },
    /// A file or folder cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The path.
        path: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A file is a device, a socket or a named pipe.
    #[error("{path} is {kind}, not a file")]
    Special {
        /// The path.
        path: String,
        /// What it is.
        kind: &'static str,
    },
    /// A link in a folder leads out of it.
    #[error("{path} is a link that leads out of the folder")]
    LinkOutside {
        /// The link's path.
        path: String,
    },
    /// A text is not valid in its encoding.
    #[error("{path}:{line}:{column}: not valid {encoding}")]
    Encoding {
        /// The file.
        path: String,
        /// The line of the first wrong byte, from 1.
        line: usize,
        /// The column of the first wrong byte in characters, from 1.
        column: usize,
        /// The encoding that was expected there.
        encoding: &'static str,
    },
    /// The source holds nothing that could be read.
    #[error("{what} holds {missing}{}", listed(.notes))]
    Empty {
        /// The source.
        what: String,
        /// What it does not hold.
        missing: &'static str,
        /// What was seen and left out.
        notes: Vec<String>,
    },
    /// Several files of one source could not be read.
    #[error("{} files of {what} cannot be read:{}", .errors.len(), lines(.errors))]
    Several {
        /// The folder or archive.
        what: String,
        /// One error for each file, in the order of the paths.
        errors: Vec<Error>,
    },
    /// A folder has more than one compose project.
    #[error("{folder} has several compose files ({}); name one of them", .files.join(", "))]
    SeveralCompose {
        /// The folder.
        folder: String,
        /// The compose files.
        files: Vec<String>,
    },

    /// The address cannot be used.
    #[error("cannot use the address {url}: {reason}")]
    Url {
        /// The address, masked.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No HTTP client could be built on this machine.
    #[error("cannot set up HTTP on this machine")]
    Client {
        /// The cause.
        #[source]
        source: reqwest::Error,
    },
    /// A redirect leads to a place that is not followed.
    #[error("{url} redirects to {to}, which is not followed: {reason}")]
    Redirect {
        /// The address that redirects, masked.
        url: String,
        /// Where it leads, masked.
        to: String,
        /// Why it is not followed.
        reason: &'static str,
    },
    /// Too many redirects in a row.
    #[error("{url} redirects more than {limit} times")]
    Redirects {
        /// The address that was asked first, masked.
        url: String,
        /// The limit.
        limit: u32,
    },
    /// The server answered with another status than success.
    #[error("{url} answered {status}{}{}", tried(*.attempts), asked_to_wait(*.retry_after))]
    Status {
        /// The address, masked.
        url: String,
        /// The status with its phrase.
        status: reqwest::StatusCode,
        /// How often it was asked.
        attempts: u32,
        /// How long the server asked to wait, where that did not fit into the deadline.
        retry_after: Option<Duration>,
    },
    /// The server could not be reached.
    #[error("cannot reach {url}{}", tried(*.attempts))]
    Connect {
        /// The address, masked.
        url: String,
        /// How often it was tried.
        attempts: u32,
        /// The last cause.
        #[source]
        source: reqwest::Error,
    },
    /// The server went silent.
    #[error("{url} sent nothing for {}s", .limit.as_secs_f64())]
    Idle {
        /// The address, masked.
        url: String,
        /// The time allowed between two pieces.
        limit: Duration,
    },
    /// The deadline passed while an address was read.
    #[error("{url} was not read within {}s{}{} ({} allows more)", .limit.as_secs_f64(), tried(*.attempts), last_outcome(.last.as_deref()), flag::TIMEOUT)]
    FetchDeadline {
        /// The address, masked.
        url: String,
        /// The time allowed.
        limit: Duration,
        /// How often it was asked.
        attempts: u32,
        /// The outcome of the last attempt that ended.
        last: Option<String>,
    },
    /// The answer broke off or is not HTTP.
    #[error("the answer of {url} broke off after {received} bytes{}", of(*.declared))]
    Body {
        /// The address, masked.
        url: String,
        /// How much arrived.
        received: u64,
        /// How much was promised.
        declared: Option<u64>,
        /// The cause.
        #[source]
        source: Option<reqwest::Error>,
    },
    /// The answer is a web page.
    #[error("{url} is an HTML page, not a file; use the address of the raw file")]
    Html {
        /// The address, masked.
        url: String,
    },

    /// The content is compressed or packed in a way that is not read.
    #[error("{what} is {format}, which is not read; a .tgz or the plain files are")]
    Compression {
        /// The source.
        what: String,
        /// The format.
        format: &'static str,
    },
    /// A compressed file or an archive is damaged.
    #[error("{what} is damaged")]
    Archive {
        /// The source.
        what: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// An entry of an archive is not allowed.
    #[error("{what}: entry {entry:?} {reason}")]
    Entry {
        /// The archive.
        what: String,
        /// The entry's path.
        entry: String,
        /// What is wrong with it.
        reason: &'static str,
    },

    /// A program that is needed is not installed.
    #[error("{needed} on PATH, and {purpose}; {fix}")]
    NoTool {
        /// The program or programs, any of which would do.
        needed: &'static str,
        /// What it is needed for.
        purpose: &'static str,
        /// How to get it, and what works without.
        fix: &'static str,
    },
    /// A program could not be started or spoken to.
    #[error("cannot run {tool}")]
    Start {
        /// The program's path.
        tool: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A program failed.
    #[error("{tool} failed on {what} ({status}){}", quoted(.stderr))]
    Tool {
        /// The program's name.
        tool: &'static str,
        /// The source.
        what: String,
        /// Its exit status.
        status: String,
        /// The last lines of its error output, masked.
        stderr: String,
    },
    /// A temporary folder could not be made or filled.
    #[error("cannot write to a temporary folder")]
    Temporary {
        /// The cause.
        #[source]
        source: io::Error,
    },

    /// Flags of charts were given for something that is none.
    #[error("{origin} is not a chart, so {} cannot apply to it", .flags.join(" and "))]
    NotAChart {
        /// The source.
        origin: String,
        /// The flags.
        flags: Vec<&'static str>,
    },
    /// A flag's value cannot be used.
    #[error("{flag}: {reason}")]
    Flag {
        /// The flag.
        flag: &'static str,
        /// What is wrong.
        reason: String,
    },
}

impl Error {
    /// Returns what kind of error this is; of several, the first in the order of the exit codes' precedence.
    pub fn class(&self) -> Class {
        match self {
            Self::Cancelled { .. } => Class::Cancelled,
            Self::FetchDeadline { .. } => Class::TimedOut,
            Self::Terminal | Self::NotAChart { .. } | Self::Flag { .. } | Self::Url { .. } => {
                Class::Usage
            }
            Self::NotFound { .. } => Class::NotFound,
            Self::Read { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => Class::NotFound,
                io::ErrorKind::PermissionDenied => Class::Denied,
                _ => Class::Failed,
            },
            Self::Status { status, .. } => match status.as_u16() {
                401 | 403 | 407 => Class::Denied,
                404 | 410 => Class::NotFound,
                429 | 500.. => Class::Unavailable,
                _ => Class::Failed,
            },
            Self::Connect { .. } | Self::Idle { .. } | Self::Body { .. } => Class::Unavailable,
            Self::TooLarge { .. }
            | Self::TooMany { .. }
            | Self::Special { .. }
            | Self::LinkOutside { .. }
            | Self::Encoding { .. }
            | Self::Empty { .. }
            | Self::SeveralCompose { .. }
            | Self::Redirect { .. }
            | Self::Redirects { .. }
            | Self::Html { .. }
            | Self::Compression { .. }
            | Self::Archive { .. }
            | Self::Entry { .. }
            | Self::Tool { .. } => Class::Refused,
            Self::Several { errors, .. } => [
                Class::Denied,
                Class::Refused,
                Class::NotFound,
                Class::Unavailable,
            ]
            .into_iter()
            .find(|class| errors.iter().any(|error| error.class() == *class))
            .unwrap_or(Class::Failed),
            Self::Client { .. }
            | Self::NoTool { .. }
            | Self::Start { .. }
            | Self::Temporary { .. } => Class::Failed,
        }
    }
}

/// Writes a number of bytes with the largest binary unit that fits it exactly.
pub(super) fn bytes(count: u64) -> String {
    match count {
        0 => "0 bytes".to_owned(),
        count if count % (1 << 30) == 0 => format!("{} GiB", count >> 30),
        count if count % (1 << 20) == 0 => format!("{} MiB", count >> 20),
        count if count % (1 << 10) == 0 => format!("{} KiB", count >> 10),
        count => format!("{count} bytes"),
    }
}

fn raised_by(flag: Option<&'static str>) -> String {
    flag.map_or_else(String::new, |flag| format!(" ({flag} raises the limit)"))
}

fn listed(notes: &[String]) -> String {
    if notes.is_empty() {
        String::new()
    } else {
        format!(" ({})", notes.join("; "))
    }
}

/// How many of several errors a message lists; all of them are in its data.
const LINES: usize = 50;

fn lines(errors: &[Error]) -> String {
    let mut text = String::new();
    for error in errors.iter().take(LINES) {
        text.push_str("\n  ");
        text.push_str(&chain(error));
    }
    match errors.len().saturating_sub(LINES) {
        0 => text,
        more => format!("{text}\n  and {more} more"),
    }
}

/// Writes an error and its causes in one line.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}

fn tried(attempts: u32) -> String {
    match attempts {
        0 | 1 => String::new(),
        attempts => format!(" after {attempts} attempts"),
    }
}

fn asked_to_wait(retry_after: Option<Duration>) -> String {
    retry_after.map_or_else(String::new, |wait| {
        format!(
            " and asks to wait {}s, which is longer than {} allows",
            wait.as_secs(),
            flag::TIMEOUT
        )
    })
}

fn last_outcome(last: Option<&str>) -> String {
    last.map_or_else(String::new, |last| format!(", the last: {last}"))
}

fn of(declared: Option<u64>) -> String {
    declared.map_or_else(String::new, |declared| format!(" of {declared}"))
}

fn quoted(stderr: &str) -> String {
    if stderr.is_empty() {
        ", without a message".to_owned()
    } else {
        format!(":\n  {}", stderr.replace('\n', "\n  "))
    }
}
