//! What the containers of a set write: of the pods that belong to its members, one container after the
//! other, or all at once as lines come.
//!
//! ```text
//! waiting ── started ──► open ── the container ended, or its pod is gone ──► drained
//!                         │  ▲
//!            the stream broke │ from the last line on
//!                         └──┘
//! ```
//!
//! Nothing is kept but the last time of each container. While lines are followed the pods are looked
//! at every two seconds, so that new ones are followed, too; a container that was restarted is another
//! one, with a log of its own. Each line is asked for with its time: that is where a broken stream
//! goes on.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use futures::{
    FutureExt, Stream, StreamExt,
    future::join_all,
    stream::{self, BoxStream, SelectAll},
};
use serde_json::Value;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use weft_domain::inventory::Member;

use super::{
    family::{Family, Named},
    several::on_each,
    site::Site,
};
use crate::{
    api::deployed::{LogEntry, LogPart, LogSource, ReadLogs},
    cluster::{LogOptions, ObjectError, Selector},
    error::{Code, Error, Result},
    service::Services,
};

/// How often the pods are looked at while lines are followed.
const LOOK: Duration = Duration::from_secs(2);
/// For how long a stream is read on after its container has ended.
const DRAIN: Duration = Duration::from_secs(3);
/// How many logs are opened ahead.
const AHEAD: usize = 8;
/// How often a stream that breaks without a line is opened again.
const ATTEMPTS: u32 = 5;

/// Reads the logs.
///
/// # Errors
/// When something that is named doesn't belong to the design, or none of the clusters tells what does: it
/// isn't deployed there, or they can't be asked. What only some don't tell the stream says, and what
/// happens later.
pub async fn logs(
    services: Services,
    request: ReadLogs,
) -> Result<BoxStream<'static, Result<LogPart>>> {
    let ask = |context| Place::of(&services, &request, context).boxed();
    let (asked, failures) = on_each(&request.target, ask).await?;
    let (mut places, mut found, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    for (index, (mut place, containers)) in asked.into_iter().enumerate() {
        notes.append(&mut place.family.notes);
        places.push(place);
        let containers = containers.into_iter();
        found.extend(containers.map(|container| Container {
            place: index,
            ..container
        }));
    }
    if let Err(unknown) = known(&places, &found, &request) {
        // It may be in a cluster that does not answer.
        return Err(match Error::all(failures) {
            Some(failed) => unknown.along_with(failed),
            None => unknown,
        });
    }
    let notes = notes.into_iter().map(|message| LogPart::Note { message });
    let failures = failures.into_iter();
    let failures = failures.map(|error| LogPart::Unreadable { error });
    let notes = stream::iter(notes.chain(failures).collect::<Vec<_>>()).map(Ok);
    if request.follow {
        let mut followed = Followed::new(places, request);
        followed.take(found)?;
        return Ok(notes.chain(followed.parts()).boxed());
    }
    let told = told(&found, request.previous);
    let ready = found
        .into_iter()
        .filter(move |c| c.has_log(request.previous));
    let ready: Vec<Container> = ready.collect();
    let sources = ready
        .iter()
        .map(|container| LogPart::Source(container.source.clone()));
    let sources: Vec<_> = told.into_iter().chain(sources).collect();
    let logs = stream::iter(ready).map(move |container| {
        let objects = places
            .get(container.place)
            .map(|place| place.site.objects.clone());
        let options = options(&request);
        async move {
            let Some(objects) = objects else {
                return stream::empty().boxed();
            };
            let source = container.source;
            match objects
                .log_lines(&source.namespace, &source.pod, &source.container, &options)
                .await
            {
                Ok(lines) => lines.map(move |line| part(&source, line)).boxed(),
                Err(error) => stream::iter([unreadable(error)]).boxed(),
            }
        }
    });
    let logs = logs.buffered(AHEAD).flatten();
    Ok(notes
        .chain(stream::iter(sources).map(Ok))
        .chain(logs.map(Ok))
        .boxed())
}

/// A cluster that pods are in.
struct Place {
    site: Site,
    family: Family,
    /// Whether it does not answer any more.
    lost: bool,
}

/// A container as it is now, or was when it ended.
struct Container {
    /// Which cluster.
    place: usize,
    source: LogSource,
    pod: String,
    restarts: u64,
    state: State,
    /// Why it waits.
    reason: String,
    has_previous: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Running,
    Ended,
}

impl Container {
    fn has_log(&self, previous: bool) -> bool {
        if previous {
            self.has_previous
        } else {
            // One that waits to be started again has the log of its last run.
            self.state != State::Waiting || self.restarts > 0
        }
    }
}

impl Place {
    /// One of the clusters, with the containers there.
    async fn of(
        services: &Services,
        request: &ReadLogs,
        context: Option<String>,
    ) -> Result<(Self, Vec<Container>)> {
        let site = Site::at(services, &request.target, context, &request.name, true).await?;
        let mut place = Self {
            family: Family::of(&site).await?,
            site,
            lost: false,
        };
        let containers = place.containers(0, request).await?;
        Ok((place, containers))
    }

    /// The containers of the pods that belong to what is asked for, by pod and in their order.
    async fn containers(&mut self, place: usize, request: &ReadLogs) -> Result<Vec<Container>> {
        let kind = self.site.own("v1", "Pod")?;
        let mut pods = Vec::new();
        for namespace in self.family.namespaces() {
            let listed = self
                .site
                .objects
                .list_with(&kind, Some(&namespace), &Selector::default(), |pod| {
                    Some(brief(&pod))
                })
                .await?;
            pods.extend(listed.objects);
        }
        let mut owners = Vec::new();
        for pod in &pods {
            owners.extend(
                self.family
                    .knows(text(pod, "/metadata/uid"), Named::owners(pod)),
            );
        }
        self.family.trace(&self.site, owners).await?;
        pods.sort_by_key(|pod| {
            let name = |pointer| text(pod, pointer).to_owned();
            (name("/metadata/namespace"), name("/metadata/name"))
        });
        let family = &self.family;
        let pods = pods.iter().filter(|pod| {
            let member = family.member(text(pod, "/metadata/uid"));
            member.is_some_and(|member| {
                let resources = &request.resources;
                let is_named = |wanted: &String| {
                    is_member(&self.site, member, wanted)
                        || is_named(wanted, &["pod", "pods"], text(pod, "/metadata/name"))
                };
                resources.is_empty() || resources.iter().any(is_named)
            })
        });
        let context = self.site.context();
        let containers = pods.flat_map(|pod| of_pod(place, context, pod));
        let wanted = request.container.as_deref();
        Ok(containers
            .filter(|container| wanted.is_none_or(|wanted| wanted == container.source.container))
            .collect())
    }
}

/// Whether `KIND/NAME` is of one of these kinds, and this name.
fn is_named(wanted: &str, kinds: &[&str], name: &str) -> bool {
    wanted.split_once('/').is_some_and(|(kind, wanted)| {
        wanted == name && kinds.iter().any(|known| known.eq_ignore_ascii_case(kind))
    })
}

fn is_member(site: &Site, member: &Member, wanted: &str) -> bool {
    let id = member.id();
    if wanted.strip_prefix("resource/").unwrap_or(wanted) == id.as_str() {
        return true;
    }
    let kind = site.kind(&member.api_version(), &member.kind);
    let plural = kind.as_ref().map_or("", |kind| kind.plural.as_str());
    is_named(wanted, &[&member.kind, plural], &member.name)
}

/// Refuses what is named and isn't there.
fn known(places: &[Place], found: &[Container], request: &ReadLogs) -> Result<()> {
    for wanted in &request.resources {
        let is_pod = |c: &Container| is_named(wanted, &["pod", "pods"], &c.source.pod);
        let is_known = places.iter().any(|place| {
            let members = place.family.members.iter();
            members
                .into_iter()
                .any(|member| is_member(&place.site, member, wanted))
        });
        if !is_known && !found.iter().any(is_pod) {
            return Err(Error::new(
                Code::ObjectNotFound,
                format!(
                    "{wanted:?} is no object of {:?}, and no pod of one",
                    request.name
                ),
            )
            .hint(format!(
                "see what there is: weftctl design status {}",
                request.name
            )));
        }
    }
    if let (Some(container), true) = (&request.container, found.is_empty()) {
        return Err(Error::new(
            Code::ObjectNotFound,
            format!("no pod of {:?} has a container {container:?}", request.name),
        )
        .hint("leave --container out to see which there are"));
    }
    Ok(())
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    let found = object.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_default()
}

/// What matters of a pod here.
fn brief(pod: &Value) -> Value {
    let metadata = ["name", "namespace", "uid", "ownerReferences"];
    let status = ["phase", "containerStatuses", "initContainerStatuses"];
    let pick = |object: &Value, keys: &[&str]| -> Value {
        let fields = keys.iter().filter_map(|key| {
            let value = object.get(key)?;
            Some(((*key).to_owned(), value.clone()))
        });
        Value::Object(fields.collect())
    };
    let names = |key: &str| -> Value {
        let containers = pod["spec"][key].as_array().into_iter().flatten();
        containers
            .map(|container| pick(container, &["name"]))
            .collect()
    };
    serde_json::json!({
        "metadata": pick(&pod["metadata"], &metadata),
        "spec": { "initContainers": names("initContainers"), "containers": names("containers") },
        "status": pick(&pod["status"], &status),
    })
}

fn of_pod(place: usize, context: &str, pod: &Value) -> Vec<Container> {
    let has_ended = matches!(text(pod, "/status/phase"), "Succeeded" | "Failed");
    let list = |pointer| {
        pod.pointer(pointer)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    let kinds = [
        ("/spec/initContainers", "/status/initContainerStatuses"),
        ("/spec/containers", "/status/containerStatuses"),
    ];
    let of_kind = |(specs, statuses)| {
        list(specs).map(move |spec| {
            let name = text(spec, "/name");
            let status = list(statuses).find(|status| text(status, "/name") == name);
            let has = |pointer| status.and_then(|status| status.pointer(pointer)).is_some();
            let state = if has_ended || has("/state/terminated") {
                State::Ended
            } else if has("/state/running") {
                State::Running
            } else {
                State::Waiting
            };
            let restarts = status.and_then(|status| status.pointer("/restartCount")?.as_u64());
            let reason = status.map_or("", |status| text(status, "/state/waiting/reason"));
            Container {
                place,
                source: LogSource {
                    context: context.to_owned(),
                    namespace: text(pod, "/metadata/namespace").to_owned(),
                    pod: text(pod, "/metadata/name").to_owned(),
                    container: name.to_owned(),
                },
                pod: text(pod, "/metadata/uid").to_owned(),
                restarts: restarts.unwrap_or_default(),
                state,
                reason: match reason {
                    "" => "it has not been started yet".to_owned(),
                    reason => reason.to_owned(),
                },
                has_previous: has("/lastState/terminated"),
            }
        })
    };
    kinds.into_iter().flat_map(of_kind).collect()
}

/// What is said of the containers without a log.
fn told(found: &[Container], previous: bool) -> Vec<LogPart> {
    let without = found
        .iter()
        .filter(|container| !container.has_log(previous));
    let note = |container: &Container| {
        let LogSource {
            pod,
            container: name,
            ..
        } = &container.source;
        let why = if previous {
            "has not been restarted"
        } else {
            "waits"
        };
        let reason = if previous {
            String::new()
        } else {
            format!(": {}", container.reason)
        };
        LogPart::Note {
            message: format!("{pod}/{name} {why}{reason}"),
        }
    };
    without.map(note).collect()
}

fn options(request: &ReadLogs) -> LogOptions {
    LogOptions {
        tail: request.tail,
        since_seconds: request.since_seconds,
        since_time: None,
        previous: request.previous,
        timestamps: true,
        follow: request.follow,
    }
}

/// A line with its time, if it begins with one.
fn entry(source: &LogSource, line: String) -> LogEntry {
    let (time, line) = match line.split_once(' ') {
        Some((time, rest)) if time.parse::<jiff::Timestamp>().is_ok() => {
            (Some(time.to_owned()), rest.to_owned())
        }
        // An empty line has only its time.
        None if line.parse::<jiff::Timestamp>().is_ok() => (Some(line), String::new()),
        _ => (None, line),
    };
    LogEntry {
        source: source.clone(),
        time,
        line,
    }
}

fn part(source: &LogSource, line: Result<String, ObjectError>) -> LogPart {
    match line {
        Ok(line) => LogPart::Line(entry(source, line)),
        Err(error) => unreadable(error),
    }
}

fn unreadable(error: ObjectError) -> LogPart {
    LogPart::Unreadable {
        error: error.into(),
    }
}

/// One run of a container.
type Key = (usize, String, String, u64);

/// A log that is followed.
struct Open {
    source: LogSource,
    /// The time of its last line.
    last: Option<jiff::Timestamp>,
    /// How often it broke since its last line.
    broken: u32,
    /// Whether a stream is open.
    reading: bool,
    /// Since when its container has ended.
    ended: Option<Instant>,
    /// Whether it came while others were followed: all that it wrote is new.
    is_late: bool,
    /// Ends the stream.
    stop: CancellationToken,
    /// Nothing more is to come.
    over: bool,
}

/// What a stream says of a log: a line, or that it has ended.
type Said = (Key, Option<Result<String, ObjectError>>);

/// The logs that are followed.
struct Followed {
    places: Vec<Place>,
    request: ReadLogs,
    open: BTreeMap<Key, Open>,
    streams: SelectAll<BoxStream<'static, Said>>,
    ready: VecDeque<LogPart>,
    look: Interval,
    /// Whether pods may still write.
    alive: bool,
    /// What was said already of containers that wait.
    told: BTreeMap<Key, String>,
    /// Whether the pods were looked at before: what is found then is new, and followed from its first
    /// line on.
    begun: bool,
}

impl Followed {
    fn new(places: Vec<Place>, request: ReadLogs) -> Self {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick is at once, and the pods have just been looked at.
        look.reset();
        Self {
            places,
            request,
            open: BTreeMap::new(),
            streams: SelectAll::new(),
            ready: VecDeque::new(),
            look,
            alive: true,
            told: BTreeMap::new(),
            begun: false,
        }
    }

    fn parts(self) -> impl Stream<Item = Result<LogPart>> + Send {
        stream::unfold(Some(self), |state| async move {
            let mut followed = state?;
            match followed.next().await {
                Ok(Some(part)) => Some((Ok(part), Some(followed))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        })
    }

    async fn next(&mut self) -> Result<Option<LogPart>> {
        loop {
            if let Some(part) = self.ready.pop_front() {
                return Ok(Some(part));
            }
            if !self.alive && self.open.values().all(|open| open.over) {
                return Ok(None);
            }
            let said = tokio::select! {
                Some(said) = self.streams.next() => Some(said),
                _ = self.look.tick() => None,
            };
            match said {
                Some((key, said)) => self.heard(&key, said),
                None => self.look_again().await?,
            }
        }
    }

    /// Takes in what a stream says.
    fn heard(&mut self, key: &Key, said: Option<Result<String, ObjectError>>) {
        let Some(open) = self.open.get_mut(key) else {
            return;
        };
        match said {
            Some(Ok(line)) => {
                let entry = entry(&open.source, line);
                let time = entry.time.as_deref().and_then(|time| time.parse().ok());
                // A stream that goes on begins with the second of its last line.
                if open.broken > 0 && time.is_some() && time <= open.last {
                    return;
                }
                open.broken = 0;
                open.last = time.or(open.last);
                self.ready.push_back(LogPart::Line(entry));
            }
            Some(Err(error)) => {
                open.broken += 1;
                if open.broken >= ATTEMPTS || !error.problem.is_transient() {
                    open.over = true;
                    self.ready.push_back(unreadable(error));
                }
            }
            None => {
                open.reading = false;
                open.over |= open.ended.is_some();
            }
        }
    }

    /// Looks at the pods: new ones are followed, and those that have ended are read to their end.
    async fn look_again(&mut self) -> Result<()> {
        let request = &self.request;
        let looks = self.places.iter_mut().enumerate();
        let looks = looks.filter(|(_, place)| !place.lost);
        let looks = looks.map(|(index, place)| async move {
            let found = place.containers(index, request).await;
            place.lost = found.is_err();
            (found, std::mem::take(&mut place.family.notes))
        });
        let looked = join_all(looks).await;
        let is_lost = self.places.iter().all(|place| place.lost);
        let mut all = Vec::new();
        for (found, notes) in looked {
            let notes = notes.into_iter();
            self.ready
                .extend(notes.map(|message| LogPart::Note { message }));
            match found {
                Ok(found) => all.extend(found),
                Err(error) if is_lost => return Err(error),
                Err(error) => self.ready.push_back(LogPart::Unreadable { error }),
            }
        }
        self.take(all)
    }

    fn take(&mut self, found: Vec<Container>) -> Result<()> {
        self.alive = found
            .iter()
            .any(|container| container.state != State::Ended);
        let mut now: BTreeMap<Key, Container> = BTreeMap::new();
        for container in found {
            let source = &container.source;
            let key = (
                container.place,
                container.pod.clone(),
                source.container.clone(),
                container.restarts,
            );
            now.insert(key, container);
        }
        for (key, open) in &mut self.open {
            let is_running = now.get(key).is_some_and(|c| c.state == State::Running);
            if is_running {
                open.ended = None;
                continue;
            }
            let since = *open.ended.get_or_insert_with(Instant::now);
            if !open.reading {
                open.over = true;
            } else if since.elapsed() >= DRAIN {
                open.stop.cancel();
                open.over = true;
            }
        }
        self.open
            .retain(|key, open| !open.over || now.contains_key(key));
        self.told.retain(|key, _| now.contains_key(key));
        for (key, container) in now {
            if !container.has_log(false) {
                let reason = container.reason.clone();
                if self.told.get(&key) != Some(&reason) {
                    self.ready.extend(told(&[container], false));
                    self.told.insert(key, reason);
                }
                continue;
            }
            self.read(&key, &container)?;
        }
        self.begun = true;
        Ok(())
    }

    /// Opens the log of a container, or opens it again.
    fn read(&mut self, key: &Key, container: &Container) -> Result<()> {
        let followed = self.open.values().filter(|open| !open.over).count();
        let is_new = !self.open.contains_key(key);
        let limit = self.request.most_followed;
        if is_new && followed >= limit {
            return Err(Error::new(
                Code::OverLimit,
                format!("more than {limit} containers would be followed"),
            )
            .hint("name some: KIND/NAME, or --container")
            .hint("or raise the limit: --max-log-requests"));
        }
        if is_new {
            self.ready
                .push_back(LogPart::Source(container.source.clone()));
        }
        let ended = (container.state != State::Running).then(Instant::now);
        let open = self.open.entry(key.clone()).or_insert_with(|| Open {
            source: container.source.clone(),
            last: None,
            broken: 0,
            reading: false,
            ended,
            is_late: self.begun,
            stop: CancellationToken::new(),
            over: false,
        });
        if open.over || open.reading {
            return Ok(());
        }
        if !is_new {
            // It ended although its container runs: that is a break, too.
            open.broken = open.broken.max(1);
        }
        let Some(place) = self.places.get(container.place) else {
            return Ok(());
        };
        open.reading = true;
        let mut options = options(&self.request);
        if open.is_late || open.last.is_some() {
            (options.tail, options.since_seconds) = (None, None);
        }
        options.since_time = open.last.map(|last| last.to_string());
        let (objects, source) = (place.site.objects.clone(), open.source.clone());
        let stop = open.stop.clone();
        let name = key.clone();
        let lines = async move {
            let opened = objects
                .log_lines(&source.namespace, &source.pod, &source.container, &options)
                .await;
            match opened {
                Ok(lines) => lines.boxed(),
                Err(error) => stream::iter([Err(error)]).boxed(),
            }
        };
        let lines = lines.flatten_stream();
        let lines = lines.take_until(stop.cancelled_owned());
        let said = lines.map(Some).chain(stream::iter([None]));
        let said = said.map(move |said| (name.clone(), said)).boxed();
        self.streams.push(said);
        Ok(())
    }
}
