//! The verbs on objects of a cluster: on a real API server, and on one that misbehaves as told.

use std::{
    error::Error,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures::{Stream, StreamExt, stream};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use weftctl::cluster::{
    Access, Cluster, Conflict, Delete, Deletion, Event, KindRef, Kinds, Missing, ObjectError,
    Objects, Problem, Question, Retry, Selector, Validation, Write,
};

use crate::support::ApiServer;

const DEADLINE: Duration = Duration::from_secs(60);

async fn cluster(context: &str) -> Cluster {
    let kubeconfig = &ApiServer::shared().kubeconfig;
    let cluster = Cluster::connect(Some(kubeconfig), Some(context), DEADLINE).await;
    cluster.expect("a client")
}

/// The administrator's verbs, what is served, and a namespace of the test's own.
async fn prepared(namespace: &str) -> (Objects, Kinds) {
    let cluster = cluster("sandbox").await;
    let kinds = cluster.kinds(None).await.expect("discovery");
    let objects = cluster.objects();
    let kind = kinds.find("v1", "Namespace").expect("a kind");
    let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
    let applied = objects
        .apply(&kind, None, namespace, &object, &Write::by("test"))
        .await;
    applied.expect("a namespace");
    (objects, kinds)
}

fn config_map(name: &str, value: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"key": value}})
}

/// The error with all its causes.
fn chain(error: &ObjectError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[track_caller]
fn conflict_of(error: &ObjectError) -> (Conflict, &Value) {
    match &*error.problem {
        Problem::Conflict { conflict, status } => (*conflict, status),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn each_verb_does_what_it_says() {
    let (objects, kinds) = prepared("verbs-each").await;
    let namespace = Some("verbs-each");
    let kind = &kinds.find("v1", "ConfigMap").expect("a kind");
    let (us, others) = (Write::by("us"), Write::by("others"));

    let made = objects
        .create(kind, namespace, &config_map("a", "1"), &us)
        .await;
    assert!(made.expect("an object").created);
    let again = objects
        .create(kind, namespace, &config_map("a", "1"), &us)
        .await;
    let again = again.expect_err("a conflict");
    assert_eq!(conflict_of(&again).0, Conflict::Exists);
    assert_eq!(
        again.to_string(),
        r#"cannot create ConfigMap verbs-each/a in context "sandbox""#
    );

    let apply = async |name: &str, value: &str, write: &Write| {
        let object = config_map(name, value);
        objects.apply(kind, namespace, name, &object, write).await
    };
    assert!(apply("b", "1", &us).await.expect("an object").created);
    assert!(!apply("b", "2", &us).await.expect("an object").created);
    let taken = apply("b", "3", &others).await.expect_err("a conflict");
    let (conflict, status) = conflict_of(&taken);
    assert_eq!(conflict, Conflict::Fields);
    assert_eq!(status["details"]["causes"][0]["field"], ".data.key");
    assert!(chain(&taken).contains("\"us\""), "{}", chain(&taken));
    let dry = Write {
        force: true,
        dry_run: true,
        ..others.clone()
    };
    let dry = apply("b", "3", &dry).await.expect("what would be");
    assert_eq!(dry.object["data"]["key"], "3");
    let forced = Write {
        force: true,
        ..others.clone()
    };
    let kept = objects.get(kind, namespace, "b").await.expect("an object");
    assert_eq!(kept.object["data"]["key"], "2");
    apply("b", "3", &forced).await.expect("an object");

    let patch = json!({"data": {"more": "x", "key": null}});
    let merged = objects.merge_patch(kind, namespace, "b", &patch, &us).await;
    assert_eq!(
        merged.expect("an object").object["data"],
        json!({"more": "x"})
    );
    let operations = json!([{"op": "replace", "path": "/data/more", "value": "y"}]);
    let patched = objects
        .json_patch(kind, namespace, "b", &operations, &us)
        .await;
    let mut current = patched.expect("an object").object;
    assert_eq!(current["data"], json!({"more": "y"}));

    let old = current.clone();
    current["data"]["more"] = "z".into();
    let replaced = objects.replace(kind, namespace, "b", &current, &us).await;
    let current = replaced.expect("an object").object;
    assert_eq!(current["data"]["more"], "z");
    let stale = objects.replace(kind, namespace, "b", &old, &us).await;
    assert_eq!(
        conflict_of(&stale.expect_err("a conflict")).0,
        Conflict::Stale
    );

    let text = |object: &Value, name: &str| Some(object["metadata"][name].as_str()?.to_owned());
    let delete = async |delete: Delete| objects.delete(kind, namespace, "b", &delete).await;
    let wrong = Delete {
        uid: Some("00000000-0000-0000-0000-000000000000".to_owned()),
        ..Delete::default()
    };
    let outdated = Delete {
        resource_version: text(&old, "resourceVersion"),
        ..Delete::default()
    };
    for refused in [wrong, outdated] {
        let error = delete(refused).await.expect_err("a conflict");
        assert_eq!(conflict_of(&error).0, Conflict::Stale);
    }
    let right = Delete {
        uid: text(&current, "uid"),
        resource_version: text(&current, "resourceVersion"),
        ..Delete::default()
    };
    let dry = Delete {
        dry_run: true,
        ..right.clone()
    };
    delete(dry).await.expect("what would be");
    assert_eq!(delete(right.clone()).await.ok(), Some(Deletion::Gone));
    let gone = delete(right).await.expect_err("nothing to delete");
    assert!(matches!(
        *gone.problem,
        Problem::NotFound {
            missing: Missing::Object,
            ..
        }
    ));

    let mut held = config_map("held", "1");
    held["metadata"]["finalizers"] = json!(["weftctl.dev/test"]);
    let made = objects.create(kind, namespace, &held, &us).await;
    made.expect("an object");
    let pending = objects
        .delete(kind, namespace, "held", &Delete::default())
        .await;
    assert!(matches!(pending, Ok(Deletion::Pending(_))));
    let free = json!({"metadata": {"finalizers": null}});
    let freed = objects
        .merge_patch(kind, namespace, "held", &free, &us)
        .await;
    freed.expect("an object");
}

#[tokio::test]
async fn errors_of_a_real_server_are_told_apart() {
    let (objects, kinds) = prepared("verbs-errors").await;
    let namespace = Some("verbs-errors");
    let find = |version: &str, kind: &str| kinds.find(version, kind).expect("a kind");
    let (maps, secrets) = (find("v1", "ConfigMap"), find("v1", "Secret"));
    let us = Write::by("us");
    let loose = Write {
        validation: Validation::Warn,
        ..us.clone()
    };
    let gadgets = KindRef {
        group: "nowhere.example.org".to_owned(),
        plural: "gadgets".to_owned(),
        kind: "Gadget".to_owned(),
        ..(*maps).clone()
    };
    for (kind, namespace, expected) in [
        (&*maps, "verbs-errors", Missing::Object),
        (&gadgets, "verbs-errors", Missing::Kind),
    ] {
        let error = objects.get(kind, Some(namespace), "x").await;
        match *error.expect_err("an error").problem {
            Problem::NotFound { missing, .. } => assert_eq!(missing, expected),
            other => panic!("{other:?}"),
        }
    }
    let nowhere = objects
        .create(&maps, Some("verbs-none"), &config_map("x", "1"), &us)
        .await;
    assert!(matches!(
        *nowhere.expect_err("an error").problem,
        Problem::NotFound {
            missing: Missing::Namespace,
            ..
        }
    ));

    let mut odd = config_map("odd", "1");
    odd["dta"] = json!({"key": "1"});
    odd["metadata"]["lables"] = json!({});
    let strict = objects.create(&maps, namespace, &odd, &us).await;
    let strict = strict.expect_err("an error");
    assert!(
        chain(&strict).contains("unknown field \"dta\""),
        "{}",
        chain(&strict)
    );
    let warned = objects.create(&maps, namespace, &odd, &loose).await;
    let warned = warned.expect("an object").warnings;
    assert_eq!(warned.len(), 2, "{warned:?}");
    assert!(warned[0].contains("unknown field"), "{warned:?}");

    let bad = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}, "data": {"a/b": "1"}});
    let invalid = objects.apply(&maps, namespace, "b", &bad, &us).await;
    match *invalid.expect_err("an error").problem {
        Problem::Invalid { causes, message } => {
            assert_eq!(causes[0].field, "data[a/b]");
            assert!(message.contains("a/b"), "{message}");
        }
        other => panic!("{other:?}"),
    }
    for data in [
        json!({"data": {"key": "hunter2 is not base64"}}),
        json!({"type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": "hunter2"}}),
        json!({"stringData": {"key": {"hunter2": 1}}}),
        json!({"type": "kubernetes.io/tls", "stringData": {"hunter2/": "hunter2"}}),
    ] {
        let mut secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}});
        let fields = data.as_object().expect("fields").clone();
        secret.as_object_mut().expect("fields").extend(fields);
        for error in [
            objects.create(&secrets, namespace, &secret, &us).await,
            objects.apply(&secrets, namespace, "s", &secret, &us).await,
        ] {
            let error = error.expect_err("an error");
            let text = format!("{} {error:?}", chain(&error));
            assert!(text.contains("Secret verbs-errors/s"), "{text}");
            // A key is a field's name, no value.
            assert!(
                !text.replace("data[hunter2/]", "").contains("hunter2"),
                "{text}"
            );
        }
    }

    for (name, namespace) in [
        ("..", namespace),
        ("a/b", namespace),
        ("", namespace),
        ("a", None),
    ] {
        let error = objects.get(&maps, namespace, name).await;
        let error = error.expect_err("an error");
        assert!(
            matches!(*error.problem, Problem::Address { .. }),
            "{}",
            chain(&error)
        );
    }
    let logs = objects
        .logs("verbs-errors", "none", None, Some(5), false)
        .await;
    let logs = logs.expect_err("no pod");
    assert_eq!(
        logs.to_string(),
        r#"cannot read the logs of Pod verbs-errors/none in context "sandbox""#
    );
    assert!(matches!(*logs.problem, Problem::NotFound { .. }));

    let nobody = cluster("nobody").await.objects();
    let denied = nobody.get(&secrets, namespace, "s").await;
    let denied = denied.expect_err("an error");
    assert!(
        chain(&denied).contains("User \"nobody\" cannot get"),
        "{}",
        chain(&denied)
    );
    let question = Question {
        verb: "patch",
        resource: "secrets",
        namespace,
        ..Question::default()
    };
    let ask = async |objects: &Objects| objects.access_review(&question).await;
    assert_eq!(ask(&objects).await.ok(), Some(Access::Allowed));
    assert!(matches!(ask(&nobody).await, Ok(Access::Denied(_))));
}

#[tokio::test]
async fn a_list_of_several_pages_is_whole() {
    let (objects, kinds) = prepared("verbs-pages").await;
    let kind = &kinds.find("v1", "ConfigMap").expect("a kind");
    let (objects, namespace) = (&objects, Some("verbs-pages"));
    let made = stream::iter(0..1_010).map(|number| async move {
        let mut object = config_map(&format!("map-{number}"), "1");
        object["metadata"]["labels"] =
            json!({"parity": if number % 2 == 0 { "even" } else { "odd" }});
        let made = objects
            .create(kind, namespace, &object, &Write::by("us"))
            .await;
        made.expect("an object");
    });
    made.buffer_unordered(16).collect::<Vec<()>>().await;
    let count = async |selector: Selector| {
        let listed = objects.list(kind, namespace, &selector).await;
        let listed = listed.expect("a list");
        assert!(
            listed
                .objects
                .iter()
                .all(|object| object["kind"] == "ConfigMap")
        );
        listed.objects.len()
    };
    assert_eq!(count(Selector::default()).await, 1_010);
    assert_eq!(count(Selector::labels("parity in (even)")).await, 505);
    let fields = Selector {
        fields: Some("metadata.name=map-7".to_owned()),
        ..Selector::default()
    };
    assert_eq!(count(fields).await, 1);
}

#[tokio::test]
async fn kinds_are_cached_until_the_server_has_others() {
    let cluster = cluster("sandbox").await;
    let folder = tempfile::tempdir().expect("a folder");
    let cache = folder.path().join("discovery");
    let read = async || cluster.kinds(Some(&cache)).await.expect("discovery");
    let kinds = read().await;
    let deployment = kinds.find("apps/v1", "Deployment").expect("a kind");
    assert!(deployment.namespaced && deployment.can("patch"));
    assert_eq!(deployment.plural, "deployments");
    assert!(kinds.find("apps/v1", "Nothing").is_none());
    assert!(kinds.find("v1", "Deployment").is_none());
    let horizontal = kinds.versions("autoscaling", "HorizontalPodAutoscaler");
    assert_eq!(horizontal[0].version, "v2");
    assert_eq!(horizontal.len(), 2);

    let files: Vec<_> = std::fs::read_dir(&cache)
        .expect("a folder")
        .flatten()
        .collect();
    assert_eq!(files.len(), 1);
    let file = files[0].path();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&file)
            .expect("a file")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    for damaged in ["", "{}", "[1]", "{\"form\": 1"] {
        std::fs::write(&file, damaged).expect("a file");
        assert_eq!(read().await.iter().count(), kinds.iter().count());
        assert!(std::fs::read(&file).expect("a file").len() > 1_000);
    }

    let crd = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "gadgets.verbs.example.org"},
        "spec": {
            "group": "verbs.example.org", "scope": "Namespaced",
            "names": {"kind": "Gadget", "plural": "gadgets", "singular": "gadget"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}],
        },
    });
    let kind = kinds.find("apiextensions.k8s.io/v1", "CustomResourceDefinition");
    let objects = cluster.objects();
    let name = "gadgets.verbs.example.org";
    let applied = objects
        .apply(&kind.expect("a kind"), None, name, &crd, &Write::by("us"))
        .await;
    applied.expect("a definition");
    let until = Instant::now() + DEADLINE;
    let refresh = cluster
        .refresh_kinds(Some(&cache), "verbs.example.org/v1", "Gadget", until)
        .await;
    let kinds = refresh.expect("discovery");
    let gadget = kinds
        .find("verbs.example.org/v1", "Gadget")
        .expect("the new kind");
    assert_eq!(gadget.plural, "gadgets");
    let soon = Instant::now() + Duration::from_millis(100);
    let none = cluster
        .refresh_kinds(None, "verbs.example.org/v1", "Nothing", soon)
        .await;
    assert!(
        none.expect("discovery")
            .find("verbs.example.org/v1", "Nothing")
            .is_none()
    );
}

/// The next event that isn't a bookmark.
async fn next(events: &mut (impl Stream<Item = Result<Event, ObjectError>> + Unpin)) -> Event {
    loop {
        let event = tokio::time::timeout(DEADLINE, events.next()).await;
        match event.expect("an event in time").expect("an event") {
            Ok(Event::Bookmark(_)) => {}
            Ok(event) => return event,
            Err(error) => panic!("{}", chain(&error)),
        }
    }
}

#[tokio::test]
async fn a_watch_tells_what_happens() {
    let (objects, kinds) = prepared("verbs-watch").await;
    let namespace = Some("verbs-watch");
    let kind = &kinds.find("v1", "ConfigMap").expect("a kind");
    let us = Write::by("us");
    let made = objects
        .create(kind, namespace, &config_map("a", "1"), &us)
        .await;
    made.expect("an object");
    let all = Selector::default();
    let mut events = objects.watch(kind, namespace, &all, None);
    assert_eq!(format!("{:?}", next(&mut events).await), "Relisted(a)");
    let listed = objects.list(kind, namespace, &all).await.expect("a list");
    let mut later = objects.watch(kind, namespace, &all, Some(listed.resource_version));
    let made = objects
        .create(kind, namespace, &config_map("b", "1"), &us)
        .await;
    made.expect("an object");
    let patch = json!({"data": {"key": "2"}});
    let patched = objects.merge_patch(kind, namespace, "b", &patch, &us).await;
    patched.expect("an object");
    let deleted = objects
        .delete(kind, namespace, "b", &Delete::default())
        .await;
    deleted.expect("a deletion");
    for expected in ["Added(b)", "Modified(b)", "Deleted(b)"] {
        assert_eq!(format!("{:?}", next(&mut events).await), expected);
        assert_eq!(format!("{:?}", next(&mut later).await), expected);
    }
    let ancient = objects.watch(kind, namespace, &all, Some("1".to_owned()));
    let first = next(&mut pin!(ancient)).await;
    // A server that has been up for a short time still has everything.
    assert!(
        matches!(first, Event::Relisted(_) | Event::Added(_)),
        "{first:?}"
    );
}

/// What a server does with one request.
#[derive(Clone, Debug)]
enum Step {
    /// It answers: status line, further headers, body.
    Say(&'static str, &'static str, Value),
    /// It sends the lines of a watch and closes the connection.
    Lines(Vec<Value>),
    /// It says that what the client has is right.
    Unchanged,
    /// It closes the connection without an answer.
    Reset,
    /// It closes the connection in the middle of the answer.
    Cut,
    /// It never answers.
    Silent,
    /// It answers after a while.
    Slow(u64),
    /// It answers, some bytes at a time, so many milliseconds apart.
    Trickle(u64, Value),
}

/// A server that does as it is told, request by request; at the end of the script it repeats the last step.
struct Misbehaving {
    cluster: Cluster,
    /// Method and path with query, of each request.
    seen: Arc<Mutex<Vec<String>>>,
    /// Most requests at a time.
    most: Arc<AtomicUsize>,
    _kubeconfig: tempfile::NamedTempFile,
}

impl Misbehaving {
    async fn start(script: Vec<Step>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (most, now) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (log, peak) = (seen.clone(), most.clone());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (log, script, peak, now) =
                    (log.clone(), script.clone(), peak.clone(), now.clone());
                tokio::spawn(async move {
                    while let Some(line) = request(&mut stream).await {
                        let step = {
                            let mut log = log.lock().expect("a log");
                            log.push(line);
                            script[(log.len() - 1).min(script.len() - 1)].clone()
                        };
                        peak.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        let goes_on = step.perform(&mut stream).await;
                        now.fetch_sub(1, Ordering::SeqCst);
                        if !goes_on {
                            return;
                        }
                    }
                });
            }
        });
        let file = tempfile::NamedTempFile::new().expect("a file");
        let text = format!(
            "apiVersion: v1\nkind: Config\nclusters: [{{name: c, cluster: {{server: 'http://{address}'}}}}]\nusers: [{{name: u, user: {{token: hunter2}}}}]\ncontexts: [{{name: bad, context: {{cluster: c, user: u}}}}]\ncurrent-context: bad\n"
        );
        std::fs::write(file.path(), text).expect("a kubeconfig");
        let cluster = Cluster::connect(Some(file.path()), None, Duration::from_secs(20)).await;
        Self {
            cluster: cluster.expect("a client"),
            seen,
            most,
            _kubeconfig: file,
        }
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().expect("a log").clone()
    }

    /// Verbs that try quickly.
    fn objects(&self) -> Objects {
        self.cluster.objects().with_retry(Retry {
            attempts: 3,
            first: Duration::from_millis(10),
            longest: Duration::from_millis(50),
            reading: Duration::from_millis(300),
            writing: Duration::from_millis(300),
        })
    }
}

impl Step {
    async fn perform(&self, stream: &mut TcpStream) -> bool {
        match self {
            Self::Say(status, headers, body) => {
                let body = body.to_string();
                let length = body.len();
                let text =
                    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n{body}");
                stream.write_all(text.as_bytes()).await.is_ok()
            }
            Self::Lines(lines) => {
                let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
                let text = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{lines}{{\"cut");
                let _ = stream.write_all(text.as_bytes()).await;
                false
            }
            Self::Unchanged => {
                let text = b"HTTP/1.1 304 Not Modified\r\n\r\n";
                stream.write_all(text).await.is_ok()
            }
            Self::Reset => false,
            Self::Cut => {
                let _ = stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{")
                    .await;
                false
            }
            Self::Silent => {
                tokio::time::sleep(DEADLINE).await;
                false
            }
            Self::Trickle(milliseconds, body) => {
                let body = body.to_string();
                let text = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
                for part in std::iter::once(text.as_bytes()).chain(body.as_bytes().chunks(20)) {
                    if stream.write_all(part).await.is_err() {
                        return false;
                    }
                    tokio::time::sleep(Duration::from_millis(*milliseconds)).await;
                }
                true
            }
            Self::Slow(milliseconds) => {
                tokio::time::sleep(Duration::from_millis(*milliseconds)).await;
                let text = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
                stream.write_all(text).await.is_ok()
            }
        }
    }
}

/// Reads one request with its body; its method and path.
async fn request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let mut part = [0; 4096];
        let count = stream
            .read(&mut part)
            .await
            .ok()
            .filter(|count| *count > 0)?;
        bytes.extend_from_slice(&part[..count]);
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.map_or(0, |length| length.parse().expect("a length")) {
            let line = String::from_utf8_lossy(&bytes).lines().next()?.to_owned();
            return Some(line.trim_end_matches(" HTTP/1.1").to_owned());
        }
    }
}

fn maps() -> KindRef {
    KindRef {
        group: String::new(),
        version: "v1".to_owned(),
        kind: "ConfigMap".to_owned(),
        plural: "configmaps".to_owned(),
        namespaced: true,
        verbs: Vec::new(),
    }
}

/// Does one of the verbs that write or read; `uid` and resource version are given to those that take them.
async fn perform(objects: &Objects, verb: &str) -> Result<(), ObjectError> {
    let (kind, namespace, write) = (&maps(), Some("shop"), &Write::by("us"));
    let mut object = config_map("a", "1");
    let uid = Delete {
        uid: Some("u".to_owned()),
        ..Delete::default()
    };
    match verb {
        "get" => objects.get(kind, namespace, "a").await.map(drop),
        "list" => objects
            .list(kind, namespace, &Selector::default())
            .await
            .map(drop),
        "create" => objects
            .create(kind, namespace, &object, write)
            .await
            .map(drop),
        "apply" => objects
            .apply(kind, namespace, "a", &object, write)
            .await
            .map(drop),
        "merge" => objects
            .merge_patch(kind, namespace, "a", &object, write)
            .await
            .map(drop),
        "replace" => {
            object["metadata"]["resourceVersion"] = "7".into();
            objects
                .replace(kind, namespace, "a", &object, write)
                .await
                .map(drop)
        }
        "overwrite" => objects
            .replace(kind, namespace, "a", &object, write)
            .await
            .map(drop),
        "delete" => objects.delete(kind, namespace, "a", &uid).await.map(drop),
        "remove" => objects
            .delete(kind, namespace, "a", &Delete::default())
            .await
            .map(drop),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn only_what_cannot_be_done_twice_is_repeated() {
    let ok = || Step::Say("200 OK", "", json!({}));
    let failed = |status| Step::Say(status, "", json!({"message": "m"}));
    let busy = || Step::Say("429 Busy", "retry-after: 0\r\n", json!({"message": "m"}));
    let webhook = || {
        let message = "failed calling webhook \"w\": refused";
        Step::Say("500 Oops", "", json!({"message": message}))
    };
    let quota = || {
        let status =
            json!({"reason": "Conflict", "message": "m", "details": {"kind": "resourcequotas"}});
        Step::Say("409 Conflict", "", status)
    };
    let unknown = "nobody knows whether it was done";
    let repeated = ["get", "list", "apply", "replace", "delete"];
    let once = ["create", "merge", "overwrite", "remove"];
    // The step before an answer, what those that aren't repeated say, and what all say if it goes on.
    let cases = [
        (busy(), "", "the server is too busy (HTTP 429): m"),
        (webhook(), "", "the webhook \"w\" cannot be called"),
        (quota(), "", "it has changed (HTTP 409): m"),
        (
            failed("500 Oops"),
            unknown,
            "the server failed (HTTP 500): m",
        ),
        (
            failed("503 Oops"),
            unknown,
            "the server failed (HTTP 503): m",
        ),
        (
            failed("504 Oops"),
            unknown,
            "the server failed (HTTP 504): m",
        ),
        (Step::Reset, unknown, "there is no connection"),
        (Step::Cut, unknown, "there is no connection"),
        (Step::Silent, unknown, "no answer within 0.3 s"),
    ];
    for (step, refused, exhausted) in &cases {
        for verb in repeated.into_iter().chain(once) {
            let is_repeated = repeated.contains(&verb) || refused.is_empty();
            let server = Misbehaving::start(vec![step.clone(), ok()]).await;
            let done = perform(&server.objects(), verb).await;
            let seen = server.seen();
            if is_repeated {
                done.unwrap_or_else(|error| panic!("{verb} {step:?}: {}", chain(&error)));
                assert_eq!(seen.len(), 2, "{verb} {step:?}");
                assert_eq!(seen[0], seen[1]);
            } else {
                let text = chain(&done.expect_err("an error"));
                assert!(
                    text.contains(refused) && text.contains(exhausted),
                    "{verb}: {text}"
                );
                assert_eq!(seen.len(), 1, "{verb} {step:?}");
            }
        }
        let server = Misbehaving::start(vec![step.clone()]).await;
        let error = perform(&server.objects(), "apply")
            .await
            .expect_err("an error");
        let text = chain(&error);
        assert!(
            text.contains(exhausted) && !text.contains("hunter2"),
            "{text}"
        );
        assert_eq!(server.seen().len(), 3, "{step:?}");
    }
}

#[tokio::test]
async fn what_no_repetition_mends_is_not_repeated() {
    for (status, expected) in [
        ("400 Bad", "refused (HTTP 400)"),
        ("401 Who", "not logged in"),
        ("403 No", "not allowed"),
        ("404 None", "(HTTP 404)"),
        ("409 Conflict", "it has changed"),
        ("410 Gone", "too old"),
        ("422 Invalid", "it is not valid"),
        ("501 Never", "the server failed (HTTP 501)"),
        ("302 Found", "refused (HTTP 302)"),
    ] {
        let server = Misbehaving::start(vec![Step::Say(status, "", json!({}))]).await;
        let error = perform(&server.objects(), "apply")
            .await
            .expect_err("an error");
        assert!(chain(&error).contains(expected), "{}", chain(&error));
        assert_eq!(server.seen().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_deletion_whose_answer_was_lost_is_done_when_nothing_is_left() {
    let none = json!({"message": "m", "details": {"name": "a", "kind": "configmaps"}});
    let none = Step::Say("404 Not Found", "", none);
    let server = Misbehaving::start(vec![Step::Reset, none.clone()]).await;
    perform(&server.objects(), "delete").await.expect("done");
    let server = Misbehaving::start(vec![none]).await;
    perform(&server.objects(), "delete")
        .await
        .expect_err("nothing to delete");
    // A replacement may have been ours.
    let stale = Step::Say("409 Conflict", "", json!({"reason": "Conflict"}));
    let server = Misbehaving::start(vec![Step::Reset, stale]).await;
    let error = perform(&server.objects(), "replace").await;
    assert!(error.expect_err("a conflict").uncertain);
}

#[tokio::test]
async fn the_server_may_ask_for_a_longer_wait_but_not_beyond_the_deadline() {
    let asks = |seconds: &'static str| Step::Say("429 Busy", seconds, json!({}));
    let server = Misbehaving::start(vec![asks("retry-after: 1\r\n"), Step::Slow(0)]).await;
    let waits = Arc::new(Mutex::new(Vec::new()));
    let told = waits.clone();
    let objects = server.objects().on_retry(move |retrying| {
        let mut told = told.lock().expect("a list");
        told.push(format!(
            "{} {} {}",
            retrying.verb, retrying.object, retrying.attempt
        ));
    });
    let started = Instant::now();
    perform(&objects, "create").await.expect("an answer");
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!(
        *waits.lock().expect("a list"),
        ["create ConfigMap shop/a 1"]
    );

    let server = Misbehaving::start(vec![asks("retry-after: 600\r\n")]).await;
    let started = Instant::now();
    let objects = server.objects().until(started + Duration::from_secs(5));
    let error = perform(&objects, "apply").await.expect_err("an error");
    assert_eq!(error.problem.retry_after(), Some(Duration::from_mins(10)));
    assert!(started.elapsed() < Duration::from_secs(5));

    let server = Misbehaving::start(vec![Step::Silent]).await;
    let started = Instant::now();
    let objects = server
        .cluster
        .objects()
        .until(started + Duration::from_millis(400));
    let error = perform(&objects, "get").await.expect_err("an error");
    assert!(
        chain(&error).ends_with("no answer within 0.4 s") || chain(&error).contains("within 0.39"),
        "{}",
        chain(&error)
    );
}

#[tokio::test]
async fn an_answer_that_comes_slowly_is_read_and_one_that_stops_is_not_waited_for() {
    let body =
        json!({"metadata": {"name": "x", "namespace": "t"}, "data": {"key": "v".repeat(400)}});
    let server = Misbehaving::start(vec![Step::Trickle(40, body.clone())]).await;
    let started = Instant::now();
    perform(&server.objects(), "get").await.expect("an answer");
    // Longer than the server may be silent, and in one go.
    assert!(started.elapsed() > Duration::from_millis(600));
    assert_eq!(server.seen().len(), 1);

    let server = Misbehaving::start(vec![Step::Trickle(400, body.clone())]).await;
    let error = perform(&server.objects(), "get").await;
    let error = chain(&error.expect_err("an error"));
    assert!(error.ends_with("no answer within 0.3 s"), "{error}");

    let server = Misbehaving::start(vec![Step::Trickle(40, body)]).await;
    let objects = server
        .objects()
        .until(Instant::now() + Duration::from_millis(500));
    let error = perform(&objects, "get").await;
    let error = chain(&error.expect_err("an error"));
    assert!(error.contains("no answer within 0."), "{error}");
}

#[tokio::test]
async fn no_more_requests_are_under_way_than_allowed() {
    let server = Misbehaving::start(vec![Step::Slow(20)]).await;
    let objects = server.cluster.clone().with_concurrency(3).objects();
    let calls = (0..12).map(|_| perform(&objects, "get"));
    for done in futures::future::join_all(calls).await {
        done.expect("an answer");
    }
    assert_eq!(server.most.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn an_expired_list_starts_again() {
    let page = |names: &[&str], next: &str| {
        let items: Vec<Value> = names
            .iter()
            .map(|name| json!({"metadata": {"name": name}}))
            .collect();
        Step::Say(
            "200 OK",
            "warning: 299 - \"old\"\r\n",
            json!({"metadata": {"resourceVersion": "9", "continue": next}, "items": items}),
        )
    };
    let gone = Step::Say("410 Gone", "", json!({"reason": "Expired"}));
    let script = vec![
        page(&["a"], "x y"),
        gone,
        page(&["a"], "z"),
        page(&["b"], ""),
    ];
    let server = Misbehaving::start(script).await;
    let listed = server
        .objects()
        .list(&maps(), Some("shop"), &Selector::default())
        .await;
    let listed = listed.expect("a list");
    let names: Vec<_> = listed
        .objects
        .iter()
        .map(|object| &object["metadata"]["name"])
        .collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(
        (listed.resource_version.as_str(), listed.warnings.len()),
        ("9", 1)
    );
    let path = "GET /api/v1/namespaces/shop/configmaps?limit=500";
    let continued = |next: &str| format!("{path}&continue={next}");
    assert_eq!(
        server.seen(),
        [
            path.to_owned(),
            continued("x+y"),
            path.to_owned(),
            continued("z")
        ]
    );
}

#[tokio::test]
async fn a_watch_goes_on_where_it_was_and_lists_again_when_that_is_too_old() {
    let object = |version: &str| json!({"metadata": {"name": format!("v{version}"), "resourceVersion": version}});
    let added = |version: &str| json!({"type": "ADDED", "object": object(version)});
    let bookmark = |version: &str| json!({"type": "BOOKMARK", "object": object(version)});
    let list = |version: &str| {
        Step::Say(
            "200 OK",
            "",
            json!({"metadata": {"resourceVersion": version}, "items": [object(version)]}),
        )
    };
    let expired =
        json!({"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}});
    let script = vec![
        Step::Lines(vec![added("6"), bookmark("8")]),
        Step::Reset,
        Step::Say("500 Oops", "", json!({})),
        Step::Say("410 Gone", "", json!({})),
        list("20"),
        Step::Lines(vec![added("21"), expired]),
        list("30"),
        Step::Say("403 Forbidden", "", json!({"message": "no"})),
    ];
    let server = Misbehaving::start(script).await;
    let events = server.objects().watch(
        &maps(),
        None,
        &Selector::labels("a=b"),
        Some("5".to_owned()),
    );
    let events: Vec<String> = events
        .map(|event| event.map_or_else(|error| chain(&error), |event| format!("{event:?}")))
        .collect()
        .await;
    assert_eq!(
        events,
        [
            "Added(v6)",
            "Bookmark(8)",
            "Relisted(v20)",
            "Added(v21)",
            "Relisted(v30)",
            "cannot watch configmaps in context \"bad\": not allowed (HTTP 403): no",
        ]
    );
    let versions: Vec<String> = server
        .seen()
        .iter()
        .map(|line| match line.split_once("resourceVersion=") {
            Some((_, version)) => version.to_owned(),
            None => "list".to_owned(),
        })
        .collect();
    assert_eq!(versions, ["5", "8", "8", "8", "list", "20", "list", "30"]);
    assert!(server.seen()[0].contains("labelSelector=a%3Db&watch=true&allowWatchBookmarks=true"));
}

#[tokio::test]
async fn kinds_of_an_old_server_are_read_group_by_group_and_one_that_is_down_is_told() {
    let ok = |body: Value| Step::Say("200 OK", "", body);
    // The two roots are read at the same time, so one answer fits both.
    let groups = json!({"kind": "APIGroupList", "groups": [{"name": "down.example.org", "versions": [{"groupVersion": "down.example.org/v1"}]}]});
    let down = Step::Say("404 Not Found", "", json!({"message": "down"}));
    let server = Misbehaving::start(vec![ok(groups.clone()), ok(groups), down]).await;
    let kinds = server.cluster.kinds(None).await.expect("discovery");
    assert_eq!(kinds.iter().count(), 0);
    let broken = kinds.broken();
    assert_eq!(
        (broken[0].group.as_str(), broken[0].message.as_str()),
        ("down.example.org", "down")
    );
}

#[tokio::test]
async fn kinds_that_the_server_still_has_are_not_read_again() {
    let resources = json!([{"resource": "widgets", "scope": "Cluster", "verbs": ["get"], "responseKind": {"kind": "Widget"}}]);
    let versions = json!([{"version": "v1", "freshness": "Current", "resources": resources}]);
    let groups = json!({"kind": "APIGroupDiscoveryList", "items": [{"metadata": {"name": "g"}, "versions": versions}]});
    let tagged = Step::Say("200 OK", "etag: \"one\"\r\n", groups);
    let server = Misbehaving::start(vec![tagged.clone(), tagged, Step::Unchanged]).await;
    let cache = tempfile::tempdir().expect("a folder");
    for reads in 1..=3 {
        let kinds = server.cluster.kinds(Some(cache.path())).await;
        let kinds = kinds.expect("discovery");
        assert!(kinds.find("g/v1", "Widget").is_some());
        assert_eq!(server.seen().len(), 2 * reads);
    }
}

#[tokio::test]
#[ignore = "a measurement, not a check: 1,000 applies one by one and 16 at a time"]
async fn applies_in_flight_are_bound_by_the_server() {
    let (objects, kinds) = prepared("verbs-speed").await;
    let kind = &kinds.find("v1", "ConfigMap").expect("a kind");
    let objects = &objects;
    for round in 0..3 {
        for flight in [1, 16, 64] {
            let count = if flight == 1 { 300 } else { 1_000 };
            let started = Instant::now();
            let applies = stream::iter(0..count).map(|number| async move {
                let name = format!("m-{round}-{flight}-{number}");
                let object = config_map(&name, "1");
                let applied = objects
                    .apply(kind, Some("verbs-speed"), &name, &object, &Write::by("us"))
                    .await;
                applied.expect("an object");
            });
            applies.buffer_unordered(flight).collect::<Vec<()>>().await;
            let each = started.elapsed().as_secs_f64() * 1000.0 / f64::from(count);
            println!("{round}: {flight} offered: {each:.2} ms per apply");
        }
    }
}
