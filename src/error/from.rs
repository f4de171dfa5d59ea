//! Errors of the layers below, as the user meets them.

use weft_domain::{
    check::{Finding, Rule},
    compose, design, export, model, overlay, yaml,
};

use super::{Code, Error, Place};
use crate::{
    cluster::{ClusterError, Conflict, ObjectError, Problem},
    output::PrintError,
    service::source::{self, flag},
    store,
};

/// A text that was refused, with its file.
pub(crate) fn yaml(error: &yaml::Error, file: &str) -> Error {
    let code = match error.problem {
        yaml::Problem::DuplicateKey { .. } => Code::DuplicateKey,
        yaml::Problem::Limit { .. } => Code::OverLimit,
        _ => Code::NotYaml,
    };
    let mapped = Error::new(code, error.to_string()).at(Place::file(file, Some(error.location)));
    match error.problem {
        yaml::Problem::Limit { what, .. } => match what {
            yaml::Measure::Bytes => mapped.hint(raise(flag::DOCUMENT)),
            yaml::Measure::Nodes => mapped.hint(raise(flag::NODES)),
            yaml::Measure::Depth => mapped.hint("nest less deeply; this limit is fixed"),
        },
        _ => mapped,
    }
}

/// The hint that names the flag of a limit.
pub(crate) fn raise(flag: &str) -> String {
    format!("if the input is meant to be so large, raise the limit with {flag}")
}

/// A finding that stops the command.
pub(crate) fn finding(finding: &Finding) -> Error {
    let code = match finding.rule {
        Rule::MissingIdentity | Rule::InvalidIdentity => Code::NotAResource,
        Rule::GeneratedName | Rule::InvalidName => Code::BadName,
        Rule::DuplicateIdentity => Code::DuplicateResource,
        Rule::InvalidPolicy => Code::BadAnnotation,
        Rule::UnknownDependency => Code::BadDependency,
        Rule::DependencyCycle => Code::Cycle,
        Rule::UnknownKind => Code::UnknownKind,
        _ => Code::Invalid,
    };
    let subject = match (&finding.resource, &finding.path) {
        (Some(resource), Some(path)) => format!("{resource}, {path}"),
        (Some(resource), None) => resource.clone(),
        (None, path) => path.clone().unwrap_or_default(),
    };
    let error = Error::new(code, finding.message.clone()).at(Place {
        file: finding.file.clone(),
        line: finding.line,
        column: finding.column,
        context: None,
        object: (!subject.is_empty()).then_some(subject),
    });
    match &finding.hint {
        Some(hint) => error.hint(hint.clone()),
        None => error,
    }
}

impl From<source::Error> for Error {
    fn from(error: source::Error) -> Self {
        use source::{Class, Error as Source};
        if let Source::Several { errors, .. } = error {
            return Self::all(errors.into_iter().map(Self::from))
                .unwrap_or_else(|| Self::internal("several errors, but none"));
        }
        let code = match &error {
            Source::TooLarge { .. } | Source::TooMany { .. } => Code::OverLimit,
            Source::NotFound { .. } => Code::SourceNotFound,
            Source::Read { .. } | Source::Special { .. } | Source::LinkOutside { .. } => {
                Code::Unreadable
            }
            Source::Encoding { .. } => Code::BadEncoding,
            Source::Empty { .. } => Code::NothingThere,
            Source::Redirect { .. } | Source::Redirects { .. } => Code::RedirectRefused,
            Source::Body { .. } => Code::RemoteLied,
            Source::Archive { .. } | Source::Entry { .. } | Source::Compression { .. } => {
                Code::UnsafeArchive
            }
            Source::NoTool { .. } => Code::ToolMissing,
            Source::Tool { .. } => Code::ToolFailed,
            other => match other.class() {
                Class::Cancelled => Code::Interrupted,
                Class::TimedOut => Code::TimedOut,
                Class::Usage => Code::Usage,
                Class::NotFound => Code::RemoteNotFound,
                Class::Denied => Code::RemoteDenied,
                Class::Unavailable => Code::Unreachable,
                Class::Refused => Code::NotAResource,
                Class::Failed if matches!(error, Source::Status { .. }) => Code::RemoteRefused,
                Class::Failed => Code::Failed,
            },
        };
        let mapped = Self::new(code, error.to_string()).at(place_of(&error));
        match std::error::Error::source(&error) {
            Some(cause) => mapped.because_of(cause),
            None => mapped,
        }
    }
}

/// The file, folder or address that a source's error is about.
fn place_of(error: &source::Error) -> Place {
    use source::Error as Source;
    let place = Place::default();
    match error {
        Source::Encoding {
            path, line, column, ..
        } => Place {
            file: Some(path.clone()),
            line: u32::try_from(*line).ok(),
            column: u32::try_from(*column).ok(),
            ..place
        },
        Source::NotFound { path }
        | Source::Read { path, .. }
        | Source::Special { path, .. }
        | Source::LinkOutside { path } => Place {
            file: Some(path.clone()),
            ..place
        },
        Source::TooLarge { what, .. }
        | Source::TooMany { what, .. }
        | Source::Empty { what, .. }
        | Source::Compression { what, .. }
        | Source::Archive { what, .. }
        | Source::Entry { what, .. }
        | Source::Tool { what, .. } => Place::object(what),
        Source::Url { url, .. }
        | Source::Redirect { url, .. }
        | Source::Redirects { url, .. }
        | Source::Status { url, .. }
        | Source::Connect { url, .. }
        | Source::Idle { url, .. }
        | Source::FetchDeadline { url, .. }
        | Source::Body { url, .. }
        | Source::Html { url } => Place::object(url),
        Source::NotAChart { origin, .. } => Place::object(origin),
        Source::SeveralCompose { folder, .. } => Place::object(folder),
        _ => place,
    }
}

impl From<ClusterError> for Error {
    fn from(error: ClusterError) -> Self {
        let code = match &error {
            ClusterError::NoContext { .. } | ClusterError::NoCurrentContext { .. } => {
                Code::ContextNotFound
            }
            ClusterError::NoKubeconfig { .. } => Code::SourceNotFound,
            ClusterError::Kubeconfig { .. } => Code::KubeconfigBad,
            ClusterError::Denied { .. }
            | ClusterError::Plugin { .. }
            | ClusterError::Credentials { .. } => Code::ClusterDenied,
            ClusterError::Timeout { .. } => Code::TimedOut,
            error if error.is_retryable() => Code::ClusterUnreachable,
            _ => Code::ClusterAnswer,
        };
        let mapped = Self::new(code, error.to_string()).at(Place {
            file: error.kubeconfig().map(|path| path.display().to_string()),
            context: error.context().map(str::to_owned),
            ..Place::default()
        });
        let mapped = match code {
            Code::SourceNotFound => {
                mapped.hint("name a kubeconfig with --kubeconfig or in KUBECONFIG")
            }
            _ => mapped,
        };
        match std::error::Error::source(&error) {
            Some(cause) => mapped.because_of(cause),
            None => mapped,
        }
    }
}

impl From<ObjectError> for Error {
    fn from(error: ObjectError) -> Self {
        let code = match error.problem.decisive() {
            Problem::Conflict {
                conflict: Conflict::Fields,
                status,
            } => {
                // Each set has a manager of its own, so the label of a set is held by that set.
                let conflicts = weft_domain::ownership::conflicts(status);
                let mut fields = conflicts.iter().map(|conflict| &conflict.field);
                if fields.any(|field| field.contains(weft_domain::inventory::PART_OF_LABEL)) {
                    Code::OwnedBySet
                } else {
                    Code::FieldConflict
                }
            }
            Problem::Conflict { .. } | Problem::Gone { .. } => Code::PlanChanged,
            Problem::Invalid { .. }
            | Problem::Rejected { .. }
            | Problem::Refused { .. }
            | Problem::Address { .. } => Code::ObjectRefused,
            Problem::Unauthorized { .. } | Problem::Forbidden { .. } => Code::ClusterDenied,
            Problem::NotFound { .. } => Code::ObjectNotFound,
            Problem::Timeout { .. } => Code::TimedOut,
            Problem::Webhook { .. } => Code::WebhookFailed,
            _ => Code::ClusterUnreachable,
        };
        let mapped = Self::new(code, error.to_string()).at(Place {
            context: Some(error.context.clone()),
            object: Some(error.object.clone()),
            ..Place::default()
        });
        match std::error::Error::source(&error) {
            Some(cause) => mapped.because_of(cause),
            None => mapped,
        }
    }
}

impl From<PrintError> for Error {
    fn from(error: PrintError) -> Self {
        match error {
            PrintError::Write(source) => {
                let cause = std::error::Error::source(&source).map(ToString::to_string);
                Self::new(Code::OutputFailed, source.to_string()).because(cause.unwrap_or_default())
            }
            PrintError::Template(source) => {
                Self::new(Code::Usage, "the template does not fit the output").because_of(&source)
            }
            PrintError::NoReport { .. } | PrintError::Document { .. } => {
                Self::internal("a result has no such form").because_of(&error)
            }
        }
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        use store::Error as Store;
        let mut hints = Vec::new();
        let code = match &error {
            Store::Newer { .. } | Store::Older { .. } => Code::StoreNewer,
            Store::Damaged { .. } | Store::Foreign { .. } => Code::StoreDamaged,
            Store::Full { .. } => Code::StoreFull,
            Store::ReadOnly { .. } => Code::StoreReadOnly,
            Store::Busy { .. } | Store::Locked { .. } => Code::StoreBusy,
            Store::VersionExists { .. } | Store::IdTaken { .. } => Code::Overtaken,
            Store::NotFound { noun, near, .. } => {
                if let Some(near) = near.first() {
                    hints.push(format!("did you mean {near:?}?"));
                }
                match *noun {
                    "operation" => Code::OperationNotFound,
                    _ => Code::DesignNotFound,
                }
            }
            Store::NoSuchVersion { .. } => Code::VersionNotFound,
            Store::Ambiguous { candidates, .. } => {
                hints.extend(candidates.iter().map(|c| format!("{} is {}", c.id, c.name)));
                Code::Ambiguous
            }
            Store::Exists { .. } => Code::BackupExists,
            Store::TooLarge { .. } | Store::TooDeep { .. } => Code::OverLimit,
            Store::KeyMissing { .. }
            | Store::KeyWrong { .. }
            | Store::KeyExposed { .. }
            | Store::KeyMalformed { .. }
            | Store::Sealed { .. } => Code::KeyMissing,
            Store::File { source, .. } => match source.kind() {
                std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                    Code::StoreReadOnly
                }
                std::io::ErrorKind::StorageFull => Code::StoreFull,
                _ => Code::StoreFailed,
            },
            _ => Code::StoreFailed,
        };
        let mut mapped = Self::new(code, error.to_string());
        for hint in hints {
            mapped = mapped.hint(hint);
        }
        match std::error::Error::source(&error) {
            Some(cause) => mapped.because_of(cause),
            None => mapped,
        }
    }
}

impl From<design::Error> for Error {
    fn from(error: design::Error) -> Self {
        let code = match &error {
            design::Error::Dependency { .. } => Code::BadDependency,
            _ => Code::BadDesign,
        };
        let mapped = Self::new(code, error.to_string());
        match error.path() {
            Some(path) => mapped.at(Place::object(path.to_string())),
            None => mapped,
        }
    }
}

impl From<overlay::Error> for Error {
    fn from(error: overlay::Error) -> Self {
        use overlay::Problem;
        let is_typed = error.origin.is_none();
        let code = match &error.problem {
            Problem::UnknownOverlay { .. } => Code::OverlayNotFound,
            Problem::MissingValue { .. } => Code::ValueMissing,
            Problem::Limit { .. } => Code::OverLimit,
            Problem::Assignment { .. } => Code::Usage,
            Problem::NoValues | Problem::UndeclaredValue { .. } | Problem::ValueShape { .. }
                if is_typed =>
            {
                Code::Usage
            }
            Problem::NoValues
            | Problem::UndeclaredValue { .. }
            | Problem::ValueShape { .. }
            | Problem::NotText { .. } => Code::BadValues,
            _ => Code::BadOverlay,
        };
        let message = match &error.overlay {
            Some(overlay) => format!("overlay {overlay}: {}", error.problem),
            None => error.problem.to_string(),
        };
        let path = (!error.path.is_root()).then(|| error.path.to_string());
        let object: Vec<String> = error.target.into_iter().chain(path).collect();
        let mapped = Self::new(code, message).at(Place {
            file: error.origin.as_ref().map(|origin| origin.file.to_string()),
            line: error.origin.and_then(|origin| origin.line),
            object: (!object.is_empty()).then(|| object.join(", ")),
            ..Place::default()
        });
        match (error.hint, &error.problem) {
            (Some(hint), _) => mapped.hint(hint),
            (None, Problem::NoValues) => mapped.hint(
                "name its values, with defaults, in a section values, or in values.yaml in its folder",
            ),
            (None, _) => mapped,
        }
    }
}

impl From<compose::Error> for Error {
    fn from(error: compose::Error) -> Self {
        Self::new(Code::BadCompose, error.to_string())
    }
}

impl From<export::Error> for Error {
    fn from(error: export::Error) -> Self {
        Self::new(Code::BadDesign, "the design can't be exported in this form").because(error)
    }
}

impl From<model::ArchiveError> for Error {
    fn from(error: model::ArchiveError) -> Self {
        Self::new(Code::BadModel, "a model archive can't be used").because(error)
    }
}

impl From<model::CatalogError> for Error {
    fn from(error: model::CatalogError) -> Self {
        Self::new(Code::BadModel, error.to_string())
    }
}
