//! Waits until what was written is ready, says what it waits for, and at the deadline names every
//! blocker with its last event and the trouble of its pods.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
    time::Duration,
};

use futures::{
    StreamExt,
    future::join_all,
    stream::{self, BoxStream},
};
use serde_json::Value;
use tokio::time::{Instant, interval, sleep_until};
use weft_domain::{
    inventory::PART_OF_LABEL,
    plan::Action,
    readiness::{
        EventLine, Readiness, Related, last_event, pod_problem, pod_selector, readiness,
        reported_condition,
    },
    resource::{Cleanup, ResourceId, ResourceSet, is_built_in_group, split_api_version},
};

use super::{
    follow::{Seen, follow},
    observe::{self, Sought},
    perform::Run,
    site::{Site, id_of},
};
use crate::{
    api::design::{BlockedPod, Blocker, DeployResult},
    cluster::{KindRef, ObjectError, Objects, Problem, Retry, Selector},
    error::{Code, Error, Result},
    service::operation::Handle,
};

/// How often it is said what is waited for.
const TELL: Duration = Duration::from_secs(1);
/// How many blockers are looked into.
const BLOCKERS: usize = 20;
/// How many pods of one blocker are looked into, and how many lines of their logs are shown.
const PODS: usize = 3;
const LINES: u32 = 5;
/// How long is looked into all blockers together, and how long a single answer is waited for.
const LOOKING: Duration = Duration::from_secs(10);
const EACH: Duration = Duration::from_secs(4);

/// What is known of kinds beside their objects, as far as the cluster tells it.
#[derive(Default)]
pub(super) struct Known {
    /// By group and kind of custom objects, the condition by which they say that they are ready.
    conditions: HashMap<(String, String), &'static str>,
    /// The binding modes of storage classes.
    binding: HashMap<String, String>,
}

impl Known {
    /// Learns what there is to know of some kinds: from the definitions of a set, else from the
    /// cluster's. What can't be learned isn't needed.
    pub(super) async fn learn<'a>(
        site: &Site,
        set: &ResourceSet,
        kinds: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let mut known = Self::default();
        let kinds: std::collections::BTreeSet<_> = kinds.collect();
        for (api_version, kind) in kinds {
            let (group, version) = split_api_version(api_version);
            if kind == "PersistentVolumeClaim" && group.is_empty() {
                known.binding = binding_modes(site).await;
            }
            if is_built_in_group(group) {
                continue;
            }
            let own = set.iter().find(|resource| {
                let text = |pointer: &str| resource.object.pointer(pointer).and_then(Value::as_str);
                resource.kind == DEFINITION
                    && text("/spec/group") == Some(group)
                    && text("/spec/names/kind") == Some(kind)
            });
            let condition = match own {
                Some(own) => reported_condition(&own.object, version),
                None => definition_of(site, api_version, kind)
                    .await
                    .and_then(|definition| reported_condition(&definition, version)),
            };
            if let Some(condition) = condition {
                let key = (group.to_owned(), kind.to_owned());
                known.conditions.insert(key, condition);
            }
        }
        known
    }

    /// What is known beside one object.
    pub(super) fn of(&self, live: &Value) -> Related<'_> {
        let text = |pointer: &str| live.pointer(pointer).and_then(Value::as_str);
        let kind = text("/kind").unwrap_or_default();
        let (group, _) = split_api_version(text("/apiVersion").unwrap_or_default());
        let class = text("/spec/storageClassName").filter(|_| kind == "PersistentVolumeClaim");
        Related {
            condition: self
                .conditions
                .get(&(group.to_owned(), kind.to_owned()))
                .copied(),
            volume_binding_mode: class
                .and_then(|class| self.binding.get(class))
                .map(String::as_str),
            ..Related::default()
        }
    }
}

pub(super) const DEFINITION: &str = "CustomResourceDefinition";

async fn definition_of(site: &Site, api_version: &str, kind: &str) -> Option<Value> {
    let kind = site.kind(api_version, kind)?;
    let definitions = site.kind("apiextensions.k8s.io/v1", DEFINITION)?;
    let name = format!("{}.{}", kind.plural, kind.group);
    let reply = site.objects.get(&definitions, None, &name).await;
    reply.ok().map(|reply| reply.object)
}

async fn binding_modes(site: &Site) -> HashMap<String, String> {
    let Some(kind) = site.kind("storage.k8s.io/v1", "StorageClass") else {
        return HashMap::new();
    };
    let listed = site.objects.list(&kind, None, &Selector::default()).await;
    let classes = listed.map(|listed| listed.objects).unwrap_or_default();
    let text = |class: &Value, pointer: &str| Some(class.pointer(pointer)?.as_str()?.to_owned());
    let modes = classes.iter().filter_map(|class| {
        Some((
            text(class, "/metadata/name")?,
            text(class, "/volumeBindingMode")?,
        ))
    });
    modes.collect()
}

/// How a live object is.
pub(super) fn judge(site: &Site, known: &Known, live: &Value) -> Readiness {
    readiness(live, &related(site, known, live))
}

/// What is known beside a live object, discovery included.
pub(super) fn related<'k>(site: &Site, known: &'k Known, live: &Value) -> Related<'k> {
    Related {
        discoverable: discoverable(site, live),
        ..known.of(live)
    }
}

/// Objects that are waited for: those of these names.
#[derive(Clone)]
struct Followed {
    kind: KindRef,
    namespace: Option<String>,
    names: Vec<String>,
}

/// The states of the resources that a result shows.
struct States<'a> {
    site: &'a Site,
    set: &'a ResourceSet,
    known: &'a Known,
    by_id: HashMap<ResourceId, Readiness>,
}

impl<'a> States<'a> {
    /// How everything is that the run has not failed to write. What is known to be ready is not
    /// looked at again.
    async fn look(
        site: &'a Site,
        set: &'a ResourceSet,
        known: &'a Known,
        result: &DeployResult,
        seen: HashMap<ResourceId, Readiness>,
    ) -> Result<Self> {
        let shown = result.resources.iter();
        let shown = shown.filter(|shown| shown.action != Action::Failed);
        let ids = shown.map(|shown| ResourceId::from(shown.id.clone()));
        let ids: Vec<ResourceId> = ids.filter(|id| set.by_id(id).is_some()).collect();
        let mut states = Self {
            site,
            set,
            known,
            by_id: seen,
        };
        let is_open = |id: &&ResourceId| !states.by_id.get(*id).is_some_and(Readiness::is_ready);
        let open = ids.iter().filter(is_open).filter_map(|id| set.by_id(id));
        let keep = |_: &ResourceId, object: Value| judge(site, known, &object);
        let mut found = observe::looked(site, open.map(Sought::of_resource), keep).await?;
        let open: Vec<&ResourceId> = ids.iter().filter(is_open).collect();
        for id in open {
            match found.remove(id).flatten() {
                Some(state) => _ = states.by_id.insert(id.clone(), state),
                None => states.see(id, None),
            }
        }
        Ok(states)
    }

    /// Notes how an object is now.
    fn see(&mut self, id: &ResourceId, live: Option<&Value>) {
        let Some(resource) = self.set.by_id(id) else {
            return;
        };
        let state = match live {
            Some(live) => judge(self.site, self.known, live),
            None if resource.policies.cleanup == Cleanup::OnSuccess => Readiness::Ready {
                reason: Some("has run, and was cleaned up".to_owned()),
            },
            None => Readiness::Waiting {
                reason: "it is not there".to_owned(),
            },
        };
        self.by_id.insert(id.clone(), state);
    }

    /// Writes the states into a result.
    fn mark(&self, result: &mut DeployResult) {
        for shown in &mut result.resources {
            if let Some(state) = self.by_id.get(shown.id.as_str()) {
                shown.ready = state.is_ready();
                shown.failed = state.is_failed();
                state
                    .reason()
                    .unwrap_or_default()
                    .clone_into(&mut shown.waiting_for);
            }
        }
    }

    /// What is not ready and counts, by id.
    fn waiting(&self) -> Vec<(&ResourceId, &Readiness)> {
        let counts = |id: &ResourceId| self.set.by_id(id).is_some_and(|r| r.policies.wait);
        let waiting = self.by_id.iter();
        let waiting = waiting.filter(|(id, state)| !state.is_ready() && counts(id));
        let mut waiting: Vec<_> = waiting.collect();
        waiting.sort_unstable_by_key(|(id, _)| *id);
        waiting
    }

    /// Follows what is not ready yet.
    fn follow(&self) -> BoxStream<'static, Result<(Followed, Seen)>> {
        let mut groups: BTreeMap<(&str, &str, Option<&str>), Vec<String>> = BTreeMap::new();
        for (id, _) in self.waiting() {
            if let Some(resource) = self.set.by_id(id) {
                let (api_version, kind) = (&*resource.api_version, &*resource.kind);
                let group = (api_version, kind, resource.namespace.as_deref());
                groups.entry(group).or_default().push(resource.name.clone());
            }
        }
        let mut followed = Vec::new();
        for ((api_version, kind, namespace), names) in groups {
            let Some(kind) = self.site.kind(api_version, kind) else {
                continue;
            };
            let selector = Selector::labels(format!("{PART_OF_LABEL}={}", self.site.id.as_str()));
            let seen = follow(self.site, &kind, namespace, selector);
            let of = Followed {
                kind: (*kind).clone(),
                namespace: namespace.map(str::to_owned),
                names,
            };
            let seen = seen.map(move |seen| Ok((of.clone(), seen?)));
            followed.push(seen.boxed());
        }
        stream::select_all(followed).boxed()
    }

    /// Notes what was seen of objects that are followed.
    fn take(&mut self, of: &Followed, seen: Seen) {
        let id = |live: &Value| {
            let text = |pointer: &str| live.pointer(pointer).and_then(Value::as_str);
            let name = text("/metadata/name").unwrap_or_default();
            id_of(&of.kind, text("/metadata/namespace"), name)
        };
        match seen {
            Seen::All(all) => {
                let there = all
                    .iter()
                    .filter_map(|live| live["metadata"]["name"].as_str());
                let there: HashSet<&str> = there.collect();
                for name in of.names.iter().filter(|name| !there.contains(&***name)) {
                    self.see(&id_of(&of.kind, of.namespace.as_deref(), name), None);
                }
                for live in &all {
                    self.see(&id(live), Some(live));
                }
            }
            Seen::One(live) => self.see(&id(&live), Some(&live)),
            Seen::Gone(live) => self.see(&id(&live), None),
        }
    }
}

/// The kind that a definition defines, and the versions that it serves it in.
fn defined(definition: &Value) -> Option<(Vec<String>, &str)> {
    let text = |pointer: &str| definition.pointer(pointer).and_then(Value::as_str);
    let (group, kind) = (text("/spec/group")?, text("/spec/names/kind")?);
    let versions = definition.pointer("/spec/versions")?.as_array()?.iter();
    let served = versions.filter(|version| version["served"] == true);
    let names = served.filter_map(|version| version["name"].as_str());
    let versions = names.map(|name| format!("{group}/{name}")).collect();
    Some((versions, kind))
}

/// Whether a set brings the definition of a kind, or the server of its group.
pub(super) fn is_brought(set: &ResourceSet, (api_version, kind): (&str, &str)) -> bool {
    let (group, _) = split_api_version(api_version);
    set.iter().any(|resource| match &*resource.kind {
        DEFINITION => defined(&resource.object).is_some_and(|(versions, defined)| {
            defined == kind && versions.iter().any(|version| version == api_version)
        }),
        "APIService" => resource.object["spec"]["group"] == group,
        _ => false,
    })
}

/// Whether the API server lists the kind of a definition in all its versions.
fn discoverable(site: &Site, live: &Value) -> Option<bool> {
    (live.pointer("/kind")? == DEFINITION).then_some(())?;
    let (versions, kind) = defined(live)?;
    let mut versions = versions.iter();
    Some(versions.all(|version| site.exactly(version, kind).is_some()))
}

/// Reads again what is served, if the set has definitions that were not yet served when it was read
/// last.
async fn discover(site: &Site, set: &ResourceSet, until: Instant) {
    for definition in set.iter().filter(|resource| resource.kind == DEFINITION) {
        let Some((versions, kind)) = defined(&definition.object) else {
            continue;
        };
        for version in versions {
            if site.exactly(&version, kind).is_some() {
                continue;
            }
            if let Err(error) = site.refresh(&version, kind, until).await {
                tracing::debug!(%error, "what is served was not read again");
            }
        }
    }
}

/// Looks once; `seen` is what is known already.
pub(super) async fn look(
    site: &Site,
    set: &ResourceSet,
    result: &mut DeployResult,
    run: &Run<'_>,
    seen: HashMap<ResourceId, Readiness>,
) -> Result<()> {
    discover(site, set, Instant::now()).await;
    let states = States::look(site, set, run.known, result, seen).await?;
    states.mark(result);
    Ok(())
}

/// How long something that had failed before a run may take to recover by it.
pub(super) const RECOVERY: Duration = Duration::from_secs(30);

/// Waits until everything is ready; what has failed for good ends the wait at once. What isn't ready
/// in the end is among the failures and the blockers of the result.
///
/// # Errors
/// When the cluster can't be asked, or the run is interrupted.
pub(super) async fn wait(
    site: &Site,
    set: &ResourceSet,
    result: &mut DeployResult,
    run: &Run<'_>,
    seen: HashMap<ResourceId, Readiness>,
) -> Result<()> {
    let begun = Instant::now();
    discover(site, set, run.deadline).await;
    let mut states = States::look(site, set, run.known, result, seen).await?;
    let deadline = |id: &ResourceId| {
        let own = set
            .by_id(id)
            .and_then(|resource| resource.policies.deadline);
        own.map_or(run.deadline, |own| begun + own)
    };
    // What had failed before the run may recover by what the run has written; a job can't.
    let recovered = begun + RECOVERY;
    let has_written = result
        .resources
        .iter()
        .any(|shown| shown.action.is_change());
    let may_recover = result
        .resources
        .iter()
        .filter(|shown| has_written && !shown.action.is_change() && shown.kind != "Job");
    let may_recover: HashSet<ResourceId> = may_recover
        .map(|shown| ResourceId::from(shown.id.clone()))
        .collect();
    let mut seen = states.follow();
    let mut is_followed = true;
    let mut tick = interval(TELL);
    let mut told = String::new();
    loop {
        let waiting = states.waiting();
        let Some((first, state)) = waiting.first() else {
            states.mark(result);
            return Ok(());
        };
        let now = Instant::now();
        let has_failed = |(id, state): &(&ResourceId, &Readiness)| {
            state.is_failed() && (now >= recovered || !may_recover.contains(*id))
        };
        let failed = waiting.iter().any(has_failed);
        // One that is late keeps nobody from becoming ready in time.
        let ends = waiting.iter().map(|(id, _)| deadline(id));
        let end = ends.filter(|end| *end > now).min();
        let Some(end) = end.filter(|_| !failed) else {
            states.mark(result);
            return blockers(&states, failed, begun, run.handle, result).await;
        };
        let end = if now < recovered && waiting.iter().any(|(_, state)| state.is_failed()) {
            end.min(recovered)
        } else {
            end
        };
        let reason = state.reason().unwrap_or_default();
        let now = format!("waiting for {first}: {reason} ({} left)", waiting.len());
        tokio::select! {
            next = seen.next(), if is_followed => match next {
                Some(next) => {
                    let (of, next) = next?;
                    states.take(&of, next);
                }
                // Nothing of what is waited for is served.
                None => is_followed = false,
            },
            _ = tick.tick() => if now != told {
                run.handle.step(now.clone());
                told = now;
            },
            () = sleep_until(end) => {}
            () = run.handle.cancelled() => {
                states.mark(result);
                let message = format!("interrupted while {now}");
                return Err(Error::new(Code::Interrupted, message).at(site.place(None)));
            }
        }
    }
}

/// Says of everything that isn't ready what happened to it last.
async fn blockers(
    states: &States<'_>,
    failed: bool,
    begun: Instant,
    handle: &Handle,
    result: &mut DeployResult,
) -> Result<()> {
    let site = states.site;
    let waited = begun.elapsed().as_secs();
    let waiting = states.waiting();
    let sought = waiting.iter().take(BLOCKERS);
    let sought = sought.filter_map(|(id, _)| states.set.by_id(id));
    let mut found = looked_into(site, sought.map(Sought::of_resource), handle).await;
    for (id, state) in waiting {
        let troubles = found.remove(id).unwrap_or_default();
        let reason = state.reason().unwrap_or("it is not ready");
        let message = if state.is_failed() {
            Some((Code::Failed, format!("{id} has failed: {reason}{troubles}")))
        } else if failed {
            // It was not waited for to the end.
            None
        } else {
            let message = format!("{id} is not ready after {waited} s: {reason}{troubles}");
            Some((Code::NotReady, message))
        };
        let error = message.map(|(code, message)| Error::new(code, message));
        let error = error.map(|error| error.at(site.place(Some(id.as_str()))));
        result.failures.extend(error.map(Into::into));
        result.blockers.push(Blocker {
            id: id.to_string(),
            context: site.context().to_owned(),
            failed: state.is_failed(),
            reason: reason.to_owned(),
            last_event: troubles.last_event,
            pods: troubles.pods,
        });
    }
    handle.check()
}

/// Looks at objects that aren't ready, and into each of them.
async fn looked_into(
    site: &Site,
    sought: impl Iterator<Item = Sought>,
    handle: &Handle,
) -> HashMap<ResourceId, Troubles> {
    let until = Instant::now() + LOOKING;
    let live = tokio::select! {
        live = observe::live(site, sought) => live,
        () = sleep_until(until) => Ok(HashMap::new()),
        () = handle.cancelled() => return HashMap::new(),
    };
    let live = live.unwrap_or_else(|error| {
        tracing::debug!(%error, "what isn't ready was not looked at again");
        HashMap::new()
    });
    let live = live.into_iter().filter_map(|(id, live)| Some((id, live?)));
    let (ids, live): (Vec<_>, Vec<_>) = live.unzip();
    let troubles = troubles(site, &live, until, handle).await;
    ids.into_iter().zip(troubles).collect()
}

/// What happened to an object last, and what is wrong with its pods.
#[derive(Default)]
pub(super) struct Troubles {
    last_event: Option<EventLine>,
    pods: Vec<BlockedPod>,
    /// Whether the cluster did not tell all of it in time.
    late: bool,
}

/// As the rest of a sentence.
impl fmt::Display for Troubles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for pod in &self.pods {
            write!(f, "; pod {}: {}", pod.problem.pod, pod.problem)?;
            if let Some(event) = &pod.last_event {
                write!(f, " (last event: {} {})", event.reason, event.message)?;
            }
            if let Some(line) = pod.log.last() {
                write!(f, ", its log ends with {line:?}")?;
            }
        }
        if let Some(event) = &self.last_event {
            write!(f, "; last event: {} {}", event.reason, event.message)?;
        }
        if self.late {
            f.write_str("; its events or logs were not told in time")?;
        }
        Ok(())
    }
}

/// Looks into what keeps one object from being ready.
pub(super) async fn trouble(site: &Site, object: &Value, handle: &Handle) -> Troubles {
    let object = std::slice::from_ref(object);
    let found = troubles(site, object, Instant::now() + LOOKING, handle).await;
    found.into_iter().next().unwrap_or_default()
}

/// Looks into what keeps objects from being ready, as far as the cluster tells at once: all of them
/// side by side, until a time or an interrupt. Logs come last, since those of a dead node never do.
async fn troubles(site: &Site, live: &[Value], until: Instant, handle: &Handle) -> Vec<Troubles> {
    let objects = site.cluster().objects().with_retry(Retry {
        reading: EACH,
        ..Retry::NEVER
    });
    let look = Look {
        site,
        objects: objects.until(until),
    };
    let all = async {
        let mut found = join_all(live.iter().map(|object| look.events(object))).await;
        let pods = live.iter().zip(&mut found).flat_map(|(object, found)| {
            let namespace = namespace_of(object).unwrap_or_default();
            let late = &mut found.late;
            let logs = found.pods.iter_mut().map(|pod| look.log(namespace, pod));
            [async move {
                *late |= join_all(logs).await.into_iter().any(|late| late);
            }]
        });
        join_all(pods).await;
        found
    };
    tokio::select! {
        found = all => found,
        () = handle.cancelled() => live.iter().map(|_| Troubles::default()).collect(),
    }
}

fn namespace_of(object: &Value) -> Option<&str> {
    object.pointer("/metadata/namespace")?.as_str()
}

/// Asks for what is known of objects that aren't ready.
struct Look<'a> {
    site: &'a Site,
    objects: Objects,
}

impl Look<'_> {
    /// The last events of an object and of its pods that have a problem.
    async fn events(&self, object: &Value) -> Troubles {
        let mut found = Troubles::default();
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
        let Some(namespace) = namespace_of(object) else {
            return found;
        };
        let (event, pods) = tokio::join!(
            self.event(namespace, text("/metadata/uid")),
            self.pods(namespace, object)
        );
        found.last_event = found.take(event);
        let pods = found.take(pods);
        let problems = pods.iter().filter_map(|pod| Some((pod, pod_problem(pod)?)));
        let looks = problems.take(PODS).map(|(pod, problem)| async move {
            let uid = pod.pointer("/metadata/uid").and_then(Value::as_str);
            (problem, self.event(namespace, uid).await)
        });
        for (problem, event) in join_all(looks).await {
            let last_event = found.take(event);
            found.pods.push(BlockedPod {
                last_event,
                log: Vec::new(),
                problem,
            });
        }
        found
    }

    /// The pods of a workload, or the pod itself.
    async fn pods(&self, namespace: &str, object: &Value) -> Told<Vec<Value>> {
        if object["kind"] == "Pod" {
            return Ok(vec![object.clone()]);
        }
        let (Some(kind), Some(selector)) = (self.site.kind("v1", "Pod"), pod_selector(object))
        else {
            return Ok(Vec::new());
        };
        let selector = Selector::labels(selector);
        let listed = self.objects.list(&kind, Some(namespace), &selector).await;
        Ok(listed?.objects)
    }

    async fn event(&self, namespace: &str, uid: Option<&str>) -> Told<Option<EventLine>> {
        let (Some(kind), Some(uid)) = (self.site.kind("v1", "Event"), uid) else {
            return Ok(None);
        };
        let selector = Selector {
            labels: None,
            fields: Some(format!("involvedObject.uid={uid}")),
        };
        let listed = self.objects.list(&kind, Some(namespace), &selector).await;
        Ok(last_event(&listed?.objects, uid))
    }

    /// Adds the end of a pod's log; tells whether it came too late.
    async fn log(&self, namespace: &str, pod: &mut BlockedPod) -> bool {
        let problem = &pod.problem;
        let container = problem.container.as_deref();
        let previous = problem.restarts > 0;
        let log = self
            .objects
            .logs(namespace, &problem.pod, container, Some(LINES), previous)
            .await;
        match log {
            Ok(log) => {
                pod.log = log.lines().map(str::to_owned).collect();
                false
            }
            Err(error) => is_late(&error),
        }
    }
}

/// What the cluster tells of one thing.
type Told<T> = Result<T, ObjectError>;

fn is_late(error: &ObjectError) -> bool {
    matches!(*error.problem, Problem::Timeout { .. })
}

impl Troubles {
    /// Takes what is told; what is not told counts only if it came too late.
    fn take<T: Default>(&mut self, told: Told<T>) -> T {
        told.unwrap_or_else(|error| {
            self.late |= is_late(&error);
            T::default()
        })
    }
}
