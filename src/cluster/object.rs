//! The verbs on any object of a cluster, as JSON: what the server has is never forced into types of ours.
//!
//! Each call is bounded by a deadline and repeated only where that cannot do a thing twice: reads; applies; deletions
//! of a UID; replacements of a resource version. A creation or patch is sent again only when the server surely has
//! not carried it out, and otherwise ends as [`Problem::Unanswered`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::discovery::KindRef;
use super::problem::{Conflict, Missing, ObjectError, Problem, Verb};
use super::request::{Answer, Call, JSON, Limit};
use super::retry::{Retry, Retrying};
use super::{Cluster, ClusterError, shorten};

/// Largest answer that is one object, in bytes; a server stores no more than 3 MB.
const OBJECT: usize = 16 << 20;
/// Largest page of a list, in bytes.
const PAGE: usize = 256 << 20;
/// How many objects a page has.
const PAGE_OBJECTS: u32 = 500;
/// Most pages of a list: ten million objects.
const PAGES: usize = 20_000;

/// Asks for the metadata of the objects of a list alone.
const METADATA: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
const APPLY: &str = "application/apply-patch+yaml";
const MERGE: &str = "application/merge-patch+json";
const PATCH: &str = "application/json-patch+json";

type OnRetry = Arc<dyn Fn(&Retrying<'_>) + Send + Sync>;

/// The verbs on objects of a cluster. Cheap to clone.
#[derive(Clone)]
pub struct Objects {
    pub(super) cluster: Cluster,
    pub(super) retry: Retry,
    pub(super) until: Option<Instant>,
    pub(super) on_retry: Option<OnRetry>,
    pub(super) permission: Option<Arc<dyn Fn() -> Permission + Send + Sync>>,
}

/// Whether a write may be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// It may.
    Granted,
    /// Not yet.
    Pending,
    /// It must not any more.
    Denied,
}

impl fmt::Debug for Objects {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Objects")
            .field("cluster", &self.cluster)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}

/// An object as the server has it.
#[derive(Clone, PartialEq)]
pub struct Reply {
    /// The object.
    pub object: Value,
    /// What the server warns of, each warning once.
    pub warnings: Vec<String>,
    /// Whether the call created it.
    pub created: bool,
    /// Whether an earlier attempt of the call got no clear answer, so that it may have done it all.
    pub repeated: bool,
}

/// Without the object, which may be a Secret.
impl fmt::Debug for Reply {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Reply")
            .field("warnings", &self.warnings)
            .field("created", &self.created)
            .finish_non_exhaustive()
    }
}

/// The objects of a kind.
#[derive(Clone, PartialEq)]
pub struct Listed<T = Value> {
    /// The objects; each has its `apiVersion` and `kind`.
    pub objects: Vec<T>,
    /// What a watch goes on from.
    pub resource_version: String,
    /// What the server warns of, each warning once.
    pub warnings: Vec<String>,
}

/// Without the objects, which may be Secrets.
impl<T> fmt::Debug for Listed<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Listed")
            .field("objects", &self.objects.len())
            .field("resource_version", &self.resource_version)
            .field("warnings", &self.warnings)
            .finish()
    }
}

/// Which objects of a kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector {
    /// By label, such as `app=web,tier!=cache`.
    pub labels: Option<String>,
    /// By field, such as `metadata.name=web`.
    pub fields: Option<String>,
}

impl Selector {
    /// Selects by label.
    pub fn labels(selector: impl Into<String>) -> Self {
        Self {
            labels: Some(selector.into()),
            fields: None,
        }
    }

    pub(super) fn query(&self) -> Vec<(&'static str, String)> {
        let labels = self.labels.clone().map(|text| ("labelSelector", text));
        let fields = self.fields.clone().map(|text| ("fieldSelector", text));
        labels.into_iter().chain(fields).collect()
    }
}

/// What the server does with fields that a kind doesn't have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Validation {
    /// It refuses the object.
    #[default]
    Strict,
    /// It drops them and warns.
    Warn,
    /// It drops them.
    Ignore,
}

/// How something is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Write {
    /// The field manager.
    pub manager: String,
    /// Whether an apply takes fields from other managers.
    pub force: bool,
    /// Whether the server only tells what it would do.
    pub dry_run: bool,
    /// What happens to fields that the kind doesn't have.
    pub validation: Validation,
}

impl Write {
    /// Writes as a field manager.
    pub fn by(manager: impl Into<String>) -> Self {
        Self {
            manager: manager.into(),
            ..Self::default()
        }
    }

    fn query(&self) -> Vec<(&'static str, String)> {
        let validation = match self.validation {
            Validation::Strict => "Strict",
            Validation::Warn => "Warn",
            Validation::Ignore => "Ignore",
        };
        let mut query = vec![
            ("fieldManager", self.manager.clone()),
            ("fieldValidation", validation.to_owned()),
        ];
        if self.dry_run {
            query.push(("dryRun", "All".to_owned()));
        }
        query
    }
}

/// What becomes of the dependents of a deleted object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Propagation {
    /// The object goes first, its dependents afterwards.
    #[default]
    Background,
    /// The object goes when its dependents have gone.
    Foreground,
}

/// How an object is deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delete {
    /// The UID that the object must have; with it the call may be repeated.
    pub uid: Option<String>,
    /// The resource version that the object must have.
    pub resource_version: Option<String>,
    /// What becomes of its dependents.
    pub propagation: Propagation,
    /// How long a pod has to end, in seconds; the object's own wish otherwise.
    pub grace: Option<u32>,
    /// Whether the server only tells what it would do.
    pub dry_run: bool,
}

/// How far a deletion is.
#[derive(Clone, PartialEq)]
pub enum Deletion {
    /// The object is no longer there.
    Gone,
    /// It is there until its finalizers, or its pods, are done.
    Pending(Value),
}

/// Without the object, which may be a Secret.
impl fmt::Debug for Deletion {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Gone => "Gone",
            Self::Pending(_) => "Pending",
        })
    }
}

/// A call whose permission is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Question<'a> {
    /// The verb of the API, such as `patch`.
    pub verb: &'a str,
    /// The group, empty for the core.
    pub group: &'a str,
    /// The plural of the kind.
    pub resource: &'a str,
    /// The namespace; none for all of them, or for a kind without.
    pub namespace: Option<&'a str>,
    /// The object; none for all of them.
    pub name: Option<&'a str>,
}

/// Whether a call is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// It is.
    Allowed,
    /// It isn't; what the server says.
    Denied(String),
    /// The server doesn't tell; why.
    Unknown(String),
}

/// Whether a call may be sent again although an earlier attempt may have been carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    Always,
    Unsent,
}

/// A call with what its errors say.
pub(super) struct Deed {
    pub(super) verb: Verb,
    pub(super) object: String,
    pub(super) secret: bool,
    pub(super) repeat: Repeat,
    pub(super) call: Call,
}

impl Cluster {
    /// Returns the verbs on its objects.
    pub fn objects(&self) -> Objects {
        Objects {
            cluster: self.clone(),
            retry: Retry::default(),
            until: None,
            on_retry: None,
            permission: None,
        }
    }
}

impl Objects {
    /// Changes how calls are repeated.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Ends each call, with all its repetitions, at a time. Without it each call has the cluster's deadline.
    #[must_use]
    pub fn until(mut self, deadline: impl Into<Instant>) -> Self {
        self.until = Some(deadline.into());
        self
    }

    /// Tells of each call that will be repeated.
    #[must_use]
    pub fn on_retry(mut self, tell: impl Fn(&Retrying<'_>) + Send + Sync + 'static) -> Self {
        self.on_retry = Some(Arc::new(tell));
        self
    }

    /// Repeats what writes only as long as it is permitted.
    #[must_use]
    pub fn while_permitted(
        mut self,
        permission: impl Fn() -> Permission + Send + Sync + 'static,
    ) -> Self {
        self.permission = Some(Arc::new(permission));
        self
    }

    /// Gets an object.
    pub async fn get(
        &self,
        kind: &KindRef,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Reply, ObjectError> {
        let deed = self.on_item(Verb::Get, kind, namespace, name)?;
        self.reply(deed).await
    }

    /// Lists the objects of a kind, in one namespace or in all.
    pub async fn list(
        &self,
        kind: &KindRef,
        namespace: Option<&str>,
        selector: &Selector,
    ) -> Result<Listed, ObjectError> {
        self.list_with(kind, namespace, selector, Some).await
    }

    /// The same, keeping of each object only what is made of it: lists can be long, and objects large.
    pub async fn list_with<T>(
        &self,
        kind: &KindRef,
        namespace: Option<&str>,
        selector: &Selector,
        keep: impl Fn(Value) -> Option<T> + Send + Sync,
    ) -> Result<Listed<T>, ObjectError> {
        self.listed(kind, namespace, selector, JSON, keep).await
    }

    /// Lists the objects of a kind without what they hold: their metadata alone.
    pub async fn list_metadata(
        &self,
        kind: &KindRef,
        namespace: Option<&str>,
        selector: &Selector,
    ) -> Result<Listed, ObjectError> {
        self.listed(kind, namespace, selector, METADATA, Some).await
    }

    async fn listed<T>(
        &self,
        kind: &KindRef,
        namespace: Option<&str>,
        selector: &Selector,
        accept: &'static str,
        keep: impl Fn(Value) -> Option<T> + Send + Sync,
    ) -> Result<Listed<T>, ObjectError> {
        // A page can be too old for the next one. The third try asks for everything at once, which cannot.
        for limit in [PAGE_OBJECTS, PAGE_OBJECTS, 0] {
            match self
                .pages(kind, namespace, selector, (accept, limit), &keep)
                .await
            {
                Err(error) if limit > 0 && matches!(*error.problem, Problem::Gone { .. }) => {
                    tracing::info!(
                        object = error.object,
                        "the list has expired and starts again"
                    );
                }
                listed => return listed,
            }
        }
        self.pages(kind, namespace, selector, (accept, 0), &keep)
            .await
    }

    async fn pages<T>(
        &self,
        kind: &KindRef,
        namespace: Option<&str>,
        selector: &Selector,
        (accept, limit): (&'static str, u32),
        keep: &(impl Fn(Value) -> Option<T> + Send + Sync),
    ) -> Result<Listed<T>, ObjectError> {
        let object = describe_all(kind, namespace);
        let path = kind.collection(namespace);
        let path = path.map_err(|problem| self.error(Verb::List, &object, problem))?;
        let mut listed = Listed {
            objects: Vec::new(),
            resource_version: String::new(),
            warnings: Vec::new(),
        };
        let mut next = String::new();
        for _ in 0..PAGES {
            let mut query = selector.query();
            if limit > 0 {
                query.push(("limit", limit.to_string()));
            }
            if !next.is_empty() {
                query.push(("continue", next));
            }
            let deed = Deed {
                verb: Verb::List,
                object: object.clone(),
                secret: kind.is_secret(),
                repeat: Repeat::Always,
                call: Call {
                    accept,
                    ..Call::get(with_query(&path, &query), PAGE)
                },
            };
            let answer = self.run(&deed).await?;
            let mut page = self.json(&deed, &answer)?;
            warnings(&answer, deed.secret, &mut listed.warnings);
            let meta = |name: &str| {
                let text = page.pointer(&format!("/metadata/{name}"));
                text.and_then(Value::as_str).unwrap_or_default().to_owned()
            };
            (next, listed.resource_version) = (meta("continue"), meta("resourceVersion"));
            if let Some(Value::Array(objects)) = page.get_mut("items").map(Value::take) {
                let named = objects.into_iter().map(|object| with_kind(object, kind));
                listed.objects.extend(named.filter_map(keep));
            }
            if next.is_empty() {
                return Ok(listed);
            }
        }
        let problem = ClusterError::TooLarge {
            context: self.cluster.context.clone(),
            path,
            limit: PAGE,
        };
        Err(self.error(Verb::List, &object, Problem::Cluster(problem)))
    }

    /// Creates an object, which must have a name.
    pub async fn create(
        &self,
        kind: &KindRef,
        namespace: Option<&str>,
        object: &Value,
        write: &Write,
    ) -> Result<Reply, ObjectError> {
        let name = object.pointer("/metadata/name").and_then(Value::as_str);
        let deed = self.on_item(Verb::Create, kind, namespace, name.unwrap_or_default())?;
        let path = kind.collection(namespace);
        let path = path.map_err(|problem| self.error(Verb::Create, &deed.object, problem))?;
        let repeat = if write.dry_run {
            Repeat::Always
        } else {
            Repeat::Unsent
        };
        let call = Call {
            method: Method::POST,
            path: with_query(&path, &write.query()),
            body: Some((JSON, bytes_of(object))),
            ..deed.call
        };
        self.reply(Deed {
            repeat,
            call,
            ..deed
        })
        .await
    }

    /// Applies an object server-side: creates it, or sets the fields that it names and drops those that the same
    /// manager named before.
    pub async fn apply(
        &self,
        kind: &KindRef,
        namespace: Option<&str>,
        name: &str,
        object: &Value,
        write: &Write,
    ) -> Result<Reply, ObjectError> {
        let mut query = write.query();
        query.push(("force", write.force.to_string()));
        let mut deed = self.on_item(Verb::Apply, kind, namespace, name)?;
        deed.call.method = Method::PATCH;
        deed.call.path = with_query(&deed.call.path, &query);
        deed.call.body = Some((APPLY, bytes_of(object)));
        self.reply(deed).await
    }

    /// Merges some fields into an object; `null` removes one.
    pub async fn merge_patch(
        &self,
        kind: &KindRef,
        namespace: Option<&str>,
        name: &str,
        patch: &Value,
        write: &Write,
    ) -> Result<Reply, ObjectError> {
        self.patch(kind, namespace, name, (MERGE, patch), write)
            .await
    }

    /// Changes an object by the operations of a JSON patch, all or none.
    pub async fn json_patch(
        &self,
        kind: &KindRef,
        namespace: Option<&str>,
        name: &str,
        operations: &Value,
        write: &Write,
    ) -> Result<Reply, ObjectError> {
        self.patch(kind, namespace, name, (PATCH, operations), write)
            .await
    }

    async fn patch(
        &self,
        kind: &KindRef,
        namespace: Option<&str>,
        name: &str,
        (media_type, patch): (&'static str, &Value),
        write: &Write,
    ) -> Result<Reply, ObjectError> {
        let mut deed = self.on_item(Verb::Patch, kind, namespace, name)?;
        if !write.dry_run {
            deed.repeat = Repeat::Unsent;
        }
        deed.call.method = Method::PATCH;
        deed.call.path = with_query(&deed.call.path, &write.query());
        deed.call.body = Some((media_type, bytes_of(patch)));
        self.reply(deed).await
    }

    /// Replaces an object whole. With its `metadata.resourceVersion` it must not have changed since; without, whatever
    /// is there is overwritten.
    pub async fn replace(
        &self,
        kind: &KindRef,
        namespace: Option<&str>,
        name: &str,
        object: &Value,
        write: &Write,
    ) -> Result<Reply, ObjectError> {
        let mut deed = self.on_item(Verb::Replace, kind, namespace, name)?;
        let version = object.pointer("/metadata/resourceVersion");
        let is_bound = version
            .and_then(Value::as_str)
            .is_some_and(|version| !version.is_empty());
        if !is_bound && !write.dry_run {
            deed.repeat = Repeat::Unsent;
        }
        deed.call.method = Method::PUT;
        deed.call.path = with_query(&deed.call.path, &write.query());
        deed.call.body = Some((JSON, bytes_of(object)));
        self.reply(deed).await
    }

    /// Deletes an object.
    pub async fn delete(
        &self,
        kind: &KindRef,
        namespace: Option<&str>,
        name: &str,
        delete: &Delete,
    ) -> Result<Deletion, ObjectError> {
        let mut options = json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": match delete.propagation {
                Propagation::Background => "Background",
                Propagation::Foreground => "Foreground",
            },
        });
        if let Some(uid) = &delete.uid {
            options["preconditions"]["uid"] = uid.as_str().into();
        }
        if let Some(version) = &delete.resource_version {
            options["preconditions"]["resourceVersion"] = version.as_str().into();
        }
        if let Some(grace) = delete.grace {
            options["gracePeriodSeconds"] = grace.into();
        }
        if delete.dry_run {
            options["dryRun"] = json!(["All"]);
        }
        let mut deed = self.on_item(Verb::Delete, kind, namespace, name)?;
        if delete.uid.is_none() && !delete.dry_run {
            deed.repeat = Repeat::Unsent;
        }
        deed.call.method = Method::DELETE;
        deed.call.body = Some((JSON, bytes_of(&options)));
        let answer = match self.run(&deed).await {
            Ok(answer) => answer,
            // An earlier attempt has deleted it. Another object of that name has another UID.
            Err(error) if error.uncertain && is_done(&error.problem) => return Ok(Deletion::Gone),
            Err(error) => return Err(error),
        };
        let object = self.json(&deed, &answer)?;
        let is_pending = object.pointer("/metadata/deletionTimestamp").is_some();
        Ok(if is_pending && !delete.dry_run {
            Deletion::Pending(object)
        } else {
            Deletion::Gone
        })
    }

    /// Asks whether the caller is allowed to do something. A server that refuses to say, or can't, is no error.
    pub async fn access_review(&self, question: &Question<'_>) -> Result<Access, ObjectError> {
        let Question {
            verb,
            group,
            resource,
            namespace,
            name,
        } = question;
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {
                "verb": verb, "group": group, "resource": resource,
                "namespace": namespace.unwrap_or_default(), "name": name.unwrap_or_default(),
            }},
        });
        let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        let deed = Deed {
            verb: Verb::Review,
            object: format!("{resource} ({verb})"),
            secret: false,
            repeat: Repeat::Always,
            call: Call {
                method: Method::POST,
                body: Some((JSON, bytes_of(&review))),
                ..Call::get(path, OBJECT)
            },
        };
        let answer = match self.run(&deed).await {
            Ok(answer) => answer,
            Err(error)
                if error.problem.is_transient()
                    || matches!(
                        *error.problem,
                        Problem::Forbidden { .. }
                            | Problem::NotFound { .. }
                            | Problem::Server { .. }
                    ) =>
            {
                return Ok(Access::Unknown(error.problem.to_string()));
            }
            Err(error) => return Err(error),
        };
        let review = self.json(&deed, &answer)?;
        let status = |name: &str| review.pointer(&format!("/status/{name}"));
        let text = |name: &str| status(name).and_then(Value::as_str).unwrap_or_default();
        Ok(match status("allowed").and_then(Value::as_bool) {
            Some(true) => Access::Allowed,
            Some(false) if text("evaluationError").is_empty() || is_true(status("denied")) => {
                Access::Denied(shorten(text("reason")))
            }
            Some(false) => Access::Unknown(shorten(text("evaluationError"))),
            None => Access::Unknown("the answer has no status".to_owned()),
        })
    }

    fn on_item(
        &self,
        verb: Verb,
        kind: &KindRef,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Deed, ObjectError> {
        let object = kind.describe(namespace, name);
        let path = kind.item(namespace, name);
        let path = path.map_err(|problem| self.error(verb, &object, problem))?;
        Ok(Deed {
            verb,
            object,
            secret: kind.is_secret(),
            repeat: Repeat::Always,
            call: Call::get(path, OBJECT),
        })
    }

    async fn reply(&self, deed: Deed) -> Result<Reply, ObjectError> {
        let (answer, repeated) = self.insist(&deed).await?;
        let object = self.json(&deed, &answer)?;
        let mut found = Vec::new();
        warnings(&answer, deed.secret, &mut found);
        Ok(Reply {
            object,
            warnings: found,
            created: answer.status == StatusCode::CREATED,
            repeated,
        })
    }

    fn json(&self, deed: &Deed, answer: &Answer) -> Result<Value, ObjectError> {
        let path = deed.call.path.split('?').next().unwrap_or_default();
        serde_json::from_slice(&answer.body).map_err(|error| {
            let problem = Problem::Cluster(self.cluster.malformed(path, error));
            self.error(deed.verb, &deed.object, problem)
        })
    }

    pub(super) fn error(&self, verb: Verb, object: &str, problem: Problem) -> ObjectError {
        ObjectError {
            verb,
            object: object.to_owned(),
            context: self.cluster.context.clone(),
            problem: Box::new(problem),
            uncertain: false,
        }
    }

    pub(super) fn tell(&self, retrying: &Retrying<'_>) {
        let Retrying {
            verb,
            object,
            attempt,
            wait,
            problem,
            ..
        } = retrying;
        let wait = wait.as_secs_f32();
        tracing::info!(%verb, object, attempt, wait, %problem, "tries again");
        if let Some(tell) = &self.on_retry {
            tell(retrying);
        }
    }

    /// Sends a call until it succeeds or may not be repeated.
    pub(super) async fn run(&self, deed: &Deed) -> Result<Answer, ObjectError> {
        self.insist(deed).await.map(|(answer, _)| answer)
    }

    /// The same, and whether an attempt before got no clear answer.
    async fn insist(&self, deed: &Deed) -> Result<(Answer, bool), ObjectError> {
        let attempt = |started, until| self.attempt(deed, started, until);
        self.repeated(deed, attempt).await
    }

    /// Makes attempts at a call, of which each has its beginning and the end of all of them, until one
    /// succeeds or none may follow. With a problem comes whether the server surely did nothing.
    pub(super) async fn repeated<T, F>(
        &self,
        deed: &Deed,
        attempt_once: impl Fn(Instant, Instant) -> F,
    ) -> Result<(T, bool), ObjectError>
    where
        F: Future<Output = Result<T, (Problem, bool)>>,
    {
        let started = Instant::now();
        let until = self.until.unwrap_or(started + self.cluster.deadline);
        let mut uncertain = false;
        let mut attempt = 1;
        loop {
            let (problem, is_without_effect) = match attempt_once(started, until).await {
                Ok(answer) => return Ok((answer, uncertain)),
                Err(failed) => failed,
            };
            let mut wait = self.retry.wait(attempt, problem.retry_after());
            if matches!(problem, Problem::Conflict { .. }) {
                // The count of a quota is right again at once.
                wait /= 4;
            }
            let is_last = attempt >= self.retry.attempts || Instant::now() + wait >= until;
            let problem = if !problem.is_transient() || is_without_effect {
                problem
            } else if deed.repeat == Repeat::Always {
                uncertain = true;
                problem
            } else {
                let source = Box::new(problem);
                Problem::Unanswered { source }
            };
            let is_final =
                is_last || !problem.is_transient() || matches!(problem, Problem::Unanswered { .. });
            if is_final {
                return Err(ObjectError {
                    uncertain,
                    ..self.error(deed.verb, &deed.object, problem)
                });
            }
            self.tell(&Retrying {
                verb: deed.verb,
                object: &deed.object,
                attempt,
                attempts: Some(self.retry.attempts),
                wait,
                problem: &problem,
            });
            sleep(wait).await;
            if !self.is_permitted(&deed.call.method, until).await {
                return Err(ObjectError {
                    uncertain,
                    ..self.error(deed.verb, &deed.object, problem)
                });
            }
            attempt += 1;
        }
    }

    /// Waits until a call may be repeated, and tells whether it may.
    async fn is_permitted(&self, method: &Method, until: Instant) -> bool {
        const LOOK: Duration = Duration::from_millis(100);
        let Some(permission) = self.permission.as_ref().filter(|_| *method != Method::GET) else {
            return true;
        };
        loop {
            match permission() {
                Permission::Granted => return true,
                Permission::Denied => return false,
                Permission::Pending if Instant::now() + LOOK >= until => return false,
                Permission::Pending => sleep(LOOK).await,
            }
        }
    }

    /// Sends a call once. With the problem comes whether the server surely did nothing.
    async fn attempt(
        &self,
        deed: &Deed,
        started: Instant,
        until: Instant,
    ) -> Result<Answer, (Problem, bool)> {
        let Some(permit) = self.cluster.permit(until).await else {
            let after = until - started;
            return Err((Problem::Timeout { after }, true));
        };
        let limit = Limit {
            silence: match deed.call.method {
                Method::GET => self.retry.reading,
                _ => self.retry.writing,
            },
            until,
            after: until.saturating_duration_since(started),
        };
        let answer = self.cluster.exchange(&deed.call, limit).await;
        drop(permit);
        match answer {
            Ok(answer) if answer.status.is_success() => Ok(answer),
            Ok(answer) => {
                let problem = Problem::of(&answer, deed.secret);
                let is_without_effect = problem.is_without_effect();
                Err((problem, is_without_effect))
            }
            Err(unanswered) => Err((Problem::broken(unanswered.error), !unanswered.sent)),
        }
    }
}

/// Describes all objects of a kind.
pub(super) fn describe_all(kind: &KindRef, namespace: Option<&str>) -> String {
    match namespace.filter(|_| kind.namespaced) {
        Some(namespace) => format!("{} of namespace {namespace}", kind.plural),
        None => kind.plural.clone(),
    }
}

/// Adds a query to a path.
pub(super) fn with_query(path: &str, query: &[(&'static str, String)]) -> String {
    if query.is_empty() {
        return path.to_owned();
    }
    let query = serde_urlencoded::to_string(query).unwrap_or_default();
    format!("{path}?{query}")
}

/// Gives an object of a list its `apiVersion` and `kind`, which servers leave out there.
fn with_kind(mut object: Value, kind: &KindRef) -> Value {
    if let Some(fields) = object.as_object_mut() {
        let entry = fields.entry("apiVersion");
        entry.or_insert_with(|| kind.api_version().into());
        let entry = fields.entry("kind");
        entry.or_insert_with(|| kind.kind.as_str().into());
    }
    object
}

fn bytes_of(value: &Value) -> Bytes {
    value.to_string().into()
}

fn is_true(value: Option<&Value>) -> bool {
    value.and_then(Value::as_bool) == Some(true)
}

/// Tells whether an answer to a repeated deletion shows that the first one was carried out.
fn is_done(problem: &Problem) -> bool {
    match problem {
        Problem::NotFound { missing, .. } => *missing == Missing::Object,
        Problem::Conflict { conflict, status } => {
            let message = status.get("message").and_then(Value::as_str);
            *conflict == Conflict::Stale
                && message.is_some_and(|message| message.contains("UID in precondition"))
        }
        _ => false,
    }
}

/// Adds the warnings of an answer that aren't known yet: `299 - "text"`, one or more per header. Those about a Secret
/// are anyone's words and may hold its values, apart from the server's own about fields.
fn warnings(answer: &Answer, secret: bool, found: &mut Vec<String>) {
    for header in answer.headers.get_all("warning") {
        let header = String::from_utf8_lossy(header.as_bytes());
        for warning in quoted(&header) {
            let is_about_fields = ["unknown field ", "duplicate field "]
                .iter()
                .any(|start| warning.starts_with(start));
            let warning = shorten(&warning);
            if (!secret || is_about_fields) && !warning.is_empty() && !found.contains(&warning) {
                found.push(warning);
            }
        }
    }
}

/// Returns the quoted strings of a header.
fn quoted(header: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut current: Option<String> = None;
    let mut letters = header.chars();
    while let Some(letter) = letters.next() {
        match (&mut current, letter) {
            (None, '"') => current = Some(String::new()),
            (None, _) => {}
            (Some(text), '\\') => text.extend(letters.next()),
            (Some(_), '"') => all.extend(current.take()),
            (Some(text), letter) => text.push(letter),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_the_quoted_strings_of_the_header() {
        for (header, expected) in [
            (r#"299 - "plain""#, &["plain"][..]),
            (
                r#"299 - "unknown field \"spec.x\"""#,
                &["unknown field \"spec.x\""],
            ),
            (
                r#"299 host "a, b" "Sat, 1 Jan 2028 00:00:00 GMT""#,
                &["a, b", "Sat, 1 Jan 2028 00:00:00 GMT"],
            ),
            (r#"299 - "a",299 - "b""#, &["a", "b"]),
            ("299 -", &[]),
            (r#"299 - "cut"#, &[]),
        ] {
            assert_eq!(quoted(header), expected, "{header}");
        }
    }
}
