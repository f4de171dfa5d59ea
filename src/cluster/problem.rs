//! Why a verb on an object failed, told apart as far as callers decide differently.
//!
//! Messages are the server's, on one line and cut. A server repeats values that it doesn't like, so of what it says
//! about a Secret only what cannot hold a value is kept.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use http::StatusCode;
use serde_json::Value;

use super::request::Answer;
use super::retry::retry_after;
use super::{ClusterError, detail, message_of, shorten};

/// Most causes of an error that are kept.
const CAUSES: usize = 50;

/// What was being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Reading one object.
    Get,
    /// Reading all objects of a kind.
    List,
    /// Following the objects of a kind.
    Watch,
    /// Creating an object that isn't there.
    Create,
    /// Server-side apply.
    Apply,
    /// A merge patch or a JSON patch.
    Patch,
    /// Replacing an object whole.
    Replace,
    /// Deleting an object.
    Delete,
    /// Reading what a container wrote.
    Logs,
    /// Asking what is allowed.
    Review,
}

impl fmt::Display for Verb {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Apply => "apply",
            Self::Patch => "patch",
            Self::Replace => "replace",
            Self::Delete => "delete",
            Self::Logs => "read the logs of",
            Self::Review => "ask for access to",
        })
    }
}

/// A verb that failed. Displayed without the problem, which is the source.
#[derive(Debug)]
pub struct ObjectError {
    /// What was being done.
    pub verb: Verb,
    /// To what, such as `Deployment shop/web`.
    pub object: String,
    /// The context of the cluster.
    pub context: String,
    /// What went wrong.
    pub problem: Box<Problem>,
    /// Whether an attempt of this call got no clear answer, so that it may have been carried out: a conflict may then
    /// be with ourselves.
    pub uncertain: bool,
}

impl fmt::Display for ObjectError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            verb,
            object,
            context,
            ..
        } = self;
        write!(out, "cannot {verb} {object} in context {context:?}")
    }
}

impl StdError for ObjectError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.problem)
    }
}

/// Which conflict there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conflict {
    /// Other field managers own fields that an apply would change.
    Fields,
    /// The object that was to be created is there.
    Exists,
    /// The object is not, or no longer, the one that the caller saw: its UID or resource version differs.
    Stale,
}

/// What isn't there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// The object.
    Object,
    /// The namespace that it should be in.
    Namespace,
    /// The kind: it isn't served, or no longer.
    Kind,
}

/// One thing that is wrong with an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Where, such as `spec.replicas`; may be empty.
    pub field: String,
    /// The word for it, such as `FieldValueInvalid`.
    pub reason: String,
    /// What the server says; empty for a Secret.
    pub message: String,
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// HTTP 409.
    #[error("{}", conflict_text(*conflict, status))]
    Conflict {
        /// Which.
        conflict: Conflict,
        /// The server's whole answer; an apply's `details.causes` name fields and managers.
        status: Value,
    },
    /// The object breaks the rules of its kind (HTTP 422).
    #[error("it is not valid{}", causes_text(message, causes))]
    Invalid {
        /// What the server says; empty for a Secret.
        message: String,
        /// Field by field.
        causes: Vec<Cause>,
    },
    /// An admission webhook or policy doesn't allow the object.
    #[error("{by} denied it{}", detail(message))]
    Rejected {
        /// The webhook or policy.
        by: String,
        /// What it says; empty for a Secret.
        message: String,
    },
    /// An admission webhook could not be asked.
    #[error("the webhook {webhook:?} cannot be called{}", detail(message))]
    Webhook {
        /// Its name.
        webhook: String,
        /// What the server says; empty for a Secret.
        message: String,
    },
    /// The server doesn't know who is asking (HTTP 401).
    #[error("not logged in (HTTP 401){}", detail(message))]
    Unauthorized {
        /// What the server says.
        message: String,
    },
    /// It isn't allowed (HTTP 403).
    #[error("not allowed (HTTP 403){}", detail(message))]
    Forbidden {
        /// What the server says.
        message: String,
        /// Whether that is so because the namespace is being deleted.
        terminating: bool,
    },
    /// It isn't there (HTTP 404).
    #[error("{} (HTTP 404){}", missing_text(*missing), detail(message))]
    NotFound {
        /// What isn't.
        missing: Missing,
        /// What the server says.
        message: String,
    },
    /// The resource version or page is too old (HTTP 410).
    #[error("too old for the server (HTTP 410){}", detail(message))]
    Gone {
        /// What the server says.
        message: String,
    },
    /// The server is too busy (HTTP 429).
    #[error("the server is too busy (HTTP 429){}", detail(message))]
    TooMany {
        /// How long it asks to wait.
        retry_after: Option<Duration>,
        /// What it says.
        message: String,
    },
    /// The server failed (HTTP 5xx).
    #[error("the server failed (HTTP {status}){}", detail(message))]
    Server {
        /// The status.
        status: u16,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
        /// What the server says; empty for a Secret.
        message: String,
    },
    /// The server refused for another reason: fields that the kind doesn't have, say (HTTP 400).
    #[error("refused (HTTP {status}){}", detail(message))]
    Refused {
        /// The status.
        status: u16,
        /// What the server says; empty for a Secret.
        message: String,
    },
    /// The server cannot be reached, or the connection broke.
    #[error("there is no connection")]
    Unreachable {
        /// Why not.
        #[source]
        source: ClusterError,
    },
    /// There was no answer in time.
    #[error("no answer within {} s", after.as_secs_f32())]
    Timeout {
        /// The deadline.
        after: Duration,
    },
    /// The request may have been carried out or not, and isn't one that may be repeated: look before trying again.
    #[error("nobody knows whether it was done")]
    Unanswered {
        /// Why not.
        #[source]
        source: Box<Problem>,
    },
    /// What was asked for cannot be a path: a namespace is missing, or a name has a slash.
    #[error("{message}")]
    Address {
        /// What is wrong with it.
        message: String,
    },
    /// The cluster cannot be used: credentials, answers that aren't JSON, answers that are too large.
    #[error(transparent)]
    Cluster(ClusterError),
}

impl Problem {
    /// Returns what lies behind an unclear end.
    pub fn decisive(&self) -> &Self {
        match self {
            Self::Unanswered { source } => source.decisive(),
            problem => problem,
        }
    }

    /// Reads an answer that is an error.
    pub(super) fn of(answer: &Answer, secret: bool) -> Self {
        let status: Option<Value> = serde_json::from_slice(&answer.body).ok();
        let status = status.filter(Value::is_object);
        let message = message_of(&answer.body);
        let asked = retry_after(&answer.headers);
        Self::from_status(
            answer.status,
            status.unwrap_or_default(),
            message,
            asked,
            secret,
        )
    }

    /// Reads the `Status` that an event of a watch holds.
    pub(super) fn of_event(status: Value, secret: bool) -> Self {
        let code = status.get("code").and_then(Value::as_u64);
        let code = code.and_then(|code| StatusCode::from_u16(u16::try_from(code).ok()?).ok());
        let message = text(&status, "/message").map(shorten).unwrap_or_default();
        let code = code.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self::from_status(code, status, message, None, secret)
    }

    fn from_status(
        code: StatusCode,
        status: Value,
        message: String,
        asked: Option<Duration>,
        secret: bool,
    ) -> Self {
        let details = |name: &str| status.pointer(&format!("/details/{name}"));
        let asked = asked.or_else(|| {
            let seconds = details("retryAfterSeconds").and_then(Value::as_u64);
            seconds.filter(|s| *s > 0).map(Duration::from_secs)
        });
        // What cannot be told from a value is not repeated.
        let unseen = |message: &str| {
            if secret {
                String::new()
            } else {
                message.to_owned()
            }
        };
        if let Some(webhook) = quoted_after(&message, "failed calling webhook ") {
            return Self::Webhook {
                webhook,
                message: unseen(&message),
            };
        }
        if code.is_client_error()
            && let Some((by, why)) = denial(&message)
        {
            return Self::Rejected {
                by,
                message: unseen(&why),
            };
        }
        let has_cause = |reason: &str| {
            let causes = details("causes").and_then(Value::as_array);
            causes.is_some_and(|causes| {
                let mut reasons = causes.iter().filter_map(|cause| text(cause, "/reason"));
                reasons.any(|found| found == reason)
            })
        };
        // A field that the definition of a kind doesn't have: an answer about the object, whatever the
        // status says.
        if code.as_u16() == 500 && message.contains("failed to create typed patch object") {
            return Self::Invalid {
                message: unseen(&message),
                causes: Vec::new(),
            };
        }
        // Rights are those of a user; everything else that is forbidden is so for anybody.
        let is_admission = message.contains(" is forbidden: ") && !message.contains("User \"");
        if code.as_u16() == 403 && is_admission && !has_cause("NamespaceTerminating") {
            return Self::Rejected {
                by: "the API server".to_owned(),
                message: unseen(&message),
            };
        }
        match code.as_u16() {
            401 => Self::Unauthorized { message },
            403 => Self::Forbidden {
                terminating: has_cause("NamespaceTerminating"),
                message: if message.contains(" is forbidden: User ") {
                    message
                } else {
                    unseen(&message)
                },
            },
            404 => {
                let missing = if text(&status, "/details/kind") == Some("namespaces") {
                    Missing::Namespace
                } else if text(&status, "/details/name").is_none() {
                    Missing::Kind
                } else {
                    Missing::Object
                };
                Self::NotFound { missing, message }
            }
            409 => {
                let conflict = if text(&status, "/reason") == Some("AlreadyExists") {
                    Conflict::Exists
                } else if has_cause("FieldManagerConflict") {
                    Conflict::Fields
                } else {
                    Conflict::Stale
                };
                Self::Conflict { conflict, status }
            }
            410 => Self::Gone { message },
            422 => Self::Invalid {
                message: unseen(&message),
                causes: causes(&status, secret),
            },
            429 => Self::TooMany {
                retry_after: asked,
                message,
            },
            status @ 500.. => Self::Server {
                status,
                retry_after: asked,
                message: unseen(&message),
            },
            status => Self::Refused {
                status,
                message: unseen(&message),
            },
        }
    }

    /// Sorts an error without an answer.
    pub(super) fn broken(error: ClusterError) -> Self {
        match error {
            ClusterError::Unreachable { .. } => Self::Unreachable { source: error },
            ClusterError::Timeout { after, .. } => Self::Timeout { after },
            error => Self::Cluster(error),
        }
    }

    /// Tells whether the same call may succeed later without anyone doing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::TooMany { .. }
            | Self::Webhook { .. }
            | Self::Unreachable { .. }
            | Self::Timeout { .. } => true,
            Self::Server { status, .. } => *status != 501,
            Self::Conflict { conflict, status } => is_quota(*conflict, status),
            Self::Unanswered { source } => source.is_transient(),
            _ => false,
        }
    }

    /// Tells whether a transient problem that a server answered with means that nothing has been written. A server's
    /// own failure doesn't: its database may have taken what it doesn't answer for.
    pub(super) fn is_without_effect(&self) -> bool {
        matches!(
            self,
            Self::TooMany { .. } | Self::Webhook { .. } | Self::Conflict { .. }
        )
    }

    /// Returns how long the server asks to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooMany { retry_after, .. } | Self::Server { retry_after, .. } => *retry_after,
            Self::Unanswered { source } => source.retry_after(),
            _ => None,
        }
    }
}

/// Tells whether only the count of a quota was taken from under us: the server wrote nothing.
fn is_quota(conflict: Conflict, status: &Value) -> bool {
    conflict == Conflict::Stale && text(status, "/details/kind") == Some("resourcequotas")
}

fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}

fn causes(status: &Value, secret: bool) -> Vec<Cause> {
    let causes = status.pointer("/details/causes").and_then(Value::as_array);
    let part = |cause: &Value, name| text(cause, name).map(shorten).unwrap_or_default();
    causes
        .into_iter()
        .flatten()
        .take(CAUSES)
        .map(|cause| Cause {
            field: part(cause, "/field"),
            reason: part(cause, "/reason"),
            message: if secret {
                String::new()
            } else {
                part(cause, "/message")
            },
        })
        .collect()
}

/// Returns what stands in quotes behind some words.
fn quoted_after(message: &str, words: &str) -> Option<String> {
    let (_, rest) = message.split_once(words)?;
    let (name, _) = rest.strip_prefix('"')?.split_once('"')?;
    Some(name.to_owned())
}

/// Returns who denied a request, and why.
fn denial(message: &str) -> Option<(String, String)> {
    if let Some(webhook) = quoted_after(message, "admission webhook ") {
        let why = message.split_once(" denied the request")?.1;
        let why = why.strip_prefix(':').unwrap_or_default().trim();
        return Some((format!("the webhook {webhook:?}"), why.to_owned()));
    }
    let (_, rest) = message.split_once("ValidatingAdmissionPolicy '")?;
    let (policy, rest) = rest.split_once('\'')?;
    let why = rest
        .split_once("denied request:")
        .map_or("", |(_, why)| why)
        .trim();
    Some((format!("the policy {policy:?}"), why.to_owned()))
}

fn conflict_text(conflict: Conflict, status: &Value) -> String {
    let message = text(status, "/message").map(shorten).unwrap_or_default();
    let what = match conflict {
        Conflict::Fields => "others own fields that it would change",
        Conflict::Exists => "it is there already",
        Conflict::Stale => "it has changed",
    };
    format!("{what} (HTTP 409){}", detail(&message))
}

fn causes_text(message: &str, causes: &[Cause]) -> String {
    if !message.is_empty() {
        return format!(" (HTTP 422): {message}");
    }
    let fields: Vec<String> = causes
        .iter()
        .map(|cause| format!("{} ({})", cause.field, cause.reason))
        .collect();
    format!(" (HTTP 422){}", detail(&fields.join(", ")))
}

fn missing_text(missing: Missing) -> &'static str {
    match missing {
        Missing::Object => "it is not there",
        Missing::Namespace => "there is no such namespace",
        Missing::Kind => "the server has no such kind",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;
    use serde_json::json;

    fn problem(code: u16, status: &Value, secret: bool) -> Problem {
        let answer = Answer {
            status: StatusCode::from_u16(code).expect("a status"),
            headers: HeaderMap::new(),
            body: status.to_string().into(),
        };
        Problem::of(&answer, secret)
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table of cases")]
    fn answers_are_told_apart_as_callers_decide() {
        let cases = [
            (
                409,
                json!({"reason": "AlreadyExists", "message": "x"}),
                "it is there already (HTTP 409): x",
                false,
            ),
            (
                409,
                json!({"reason": "Conflict", "details": {"causes": [{"reason": "FieldManagerConflict"}]}}),
                "others own fields that it would change (HTTP 409)",
                false,
            ),
            (
                409,
                json!({"reason": "Conflict", "message": "modified"}),
                "it has changed (HTTP 409): modified",
                false,
            ),
            (
                409,
                json!({"reason": "Conflict", "details": {"kind": "resourcequotas"}}),
                "it has changed (HTTP 409)",
                true,
            ),
            (
                422,
                json!({"message": "m", "details": {"causes": [{"field": "f"}]}}),
                "it is not valid (HTTP 422): m",
                false,
            ),
            (
                403,
                json!({"message": "admission webhook \"a.b\" denied the request: no\nway"}),
                "the webhook \"a.b\" denied it: no way",
                false,
            ),
            (
                422,
                json!({"message": "pods \"x\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: why"}),
                "the policy \"p\" denied it: why",
                false,
            ),
            (
                500,
                json!({"message": "Internal error occurred: failed calling webhook \"a.b\": refused"}),
                "the webhook \"a.b\" cannot be called: Internal error occurred: failed calling webhook \"a.b\": refused",
                true,
            ),
            (
                401,
                json!({"message": "m"}),
                "not logged in (HTTP 401): m",
                false,
            ),
            (
                403,
                json!({"message": "m"}),
                "not allowed (HTTP 403): m",
                false,
            ),
            (
                404,
                json!({"details": {"name": "x", "kind": "pods"}}),
                "it is not there (HTTP 404)",
                false,
            ),
            (
                404,
                json!({"details": {"name": "x", "kind": "namespaces"}}),
                "there is no such namespace (HTTP 404)",
                false,
            ),
            (
                404,
                json!({"message": "the server could not find the requested resource", "details": {}}),
                "the server has no such kind (HTTP 404): the server could not find the requested resource",
                false,
            ),
            (410, json!({}), "too old for the server (HTTP 410)", false),
            (
                429,
                json!({"details": {"retryAfterSeconds": 7}}),
                "the server is too busy (HTTP 429)",
                true,
            ),
            (503, json!({}), "the server failed (HTTP 503)", true),
            (501, json!({}), "the server failed (HTTP 501)", false),
            (
                400,
                json!({"message": "strict decoding error"}),
                "refused (HTTP 400): strict decoding error",
                false,
            ),
        ];
        for (code, mut status, expected, transient) in cases {
            // Without a message the text that was sent is repeated.
            if status.get("message").is_none() {
                status["message"] = "".into();
            }
            let problem = problem(code, &status, false);
            assert_eq!(problem.to_string(), expected, "{code} {status}");
            assert_eq!(problem.is_transient(), transient, "{code} {status}");
        }
        let busy = problem(429, &json!({"details": {"retryAfterSeconds": 7}}), false);
        assert_eq!(busy.retry_after(), Some(Duration::from_secs(7)));
    }

    #[test]
    fn what_a_server_says_of_a_secret_is_kept_only_where_it_holds_no_value() {
        let said = "Secret \"s\" is invalid: data[x]: Invalid value: \"hunter2\": too short";
        let cause = json!({"field": "data[x]", "reason": "FieldValueInvalid", "message": said});
        let policy =
            format!("ValidatingAdmissionPolicy 'p' with binding 'b' denied request: {said}");
        for (code, message) in [
            (422, said.to_owned()),
            (400, said.to_owned()),
            (500, said.to_owned()),
            (403, said.to_owned()),
            (
                403,
                format!("admission webhook \"w\" denied the request: {said}"),
            ),
            (500, format!("failed calling webhook \"w\": {said}")),
            (422, policy),
        ] {
            let status = json!({"message": message, "details": {"causes": [cause]}});
            let problem = problem(code, &status, true);
            let shown = format!("{problem} {problem:?}");
            assert!(!shown.contains("hunter2"), "{shown}");
        }
        let invalid = problem(
            422,
            &json!({"message": said, "details": {"causes": [cause]}}),
            true,
        );
        assert_eq!(
            invalid.to_string(),
            "it is not valid (HTTP 422): data[x] (FieldValueInvalid)"
        );
        let rights = "secrets \"s\" is forbidden: User \"viewer\" cannot get resource";
        let forbidden = problem(403, &json!({"message": rights}), true);
        assert!(forbidden.to_string().ends_with(rights), "{forbidden}");
    }
}
