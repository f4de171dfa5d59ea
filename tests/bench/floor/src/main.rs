//! floor apply|clear NAMESPACE FILE: sends the requests that no deployment can do without, and
//! nothing else.
//!
//! `apply` reads the manifests of a file, and applies each with one server-side apply, over eight
//! HTTP/1.1 connections that are kept: namespaces first, then all the rest in the order of the file.
//! Path, query and body are those that weftctl sends, part-of label included; what names no namespace
//! goes into NAMESPACE. The current context of KUBECONFIG (one file, a token, an authority) says
//! where. It knows no discovery, no inventory and no readiness, looks at nothing that is there, tries
//! nothing again, and fails unless each answer is 200 or 201. So it is the floor under the time that
//! a tool with all of these can take.
//!
//! `clear` makes room for another run, whoever made the last one: it deletes all objects of the
//! file's kinds in the file's namespaces, these namespaces themselves, and whatever inventories and
//! leases there are in NAMESPACE. It ends namespaces itself, for a cluster without controllers.

mod http;
mod kubeconfig;

use std::{
    collections::BTreeSet,
    env, fs,
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};

use serde_json::{Map, Value, json};

use self::{
    http::{Connection, Request},
    kubeconfig::Server,
};

type Error = Box<dyn std::error::Error + Send + Sync>;
type Result<T> = std::result::Result<T, Error>;

/// How many connections there are.
const CONNECTIONS: usize = 8;
/// A field manager as long as ours.
const MANAGER: &str = "floor-000000000000";
/// The part-of label.
const LABEL: &str = "applyset.kubernetes.io/part-of";
/// A value of it as long as ours.
const PART_OF: &str = "applyset-0000000000000000000000000000000000000000000-v1";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("floor: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [verb, namespace, file] = arguments.as_slice() else {
        return Err("usage: floor apply|clear NAMESPACE FILE".into());
    };
    let mut connections = Connections::to(Server::of_kubeconfig()?);
    let text = fs::read_to_string(file).map_err(|error| format!("cannot read {file}: {error}"))?;
    let unbounded = serde_saphyr::options! { budget: None };
    let objects: Vec<Value> = serde_saphyr::from_multiple_with_options(&text, unbounded)?;
    let objects = objects
        .into_iter()
        .map(|object| Object::of(object, namespace));
    let objects = objects.collect::<Result<Vec<_>>>()?;
    match verb.as_str() {
        "apply" => apply(&mut connections, objects),
        "clear" => clear(&mut connections, &objects, namespace),
        _ => Err(format!("floor cannot {verb}").into()),
    }
}

fn apply(connections: &mut Connections, objects: Vec<Object>) -> Result<()> {
    let (namespaces, rest): (Vec<_>, Vec<_>) =
        objects.into_iter().partition(|object| object.is_namespace);
    for objects in [namespaces, rest] {
        let requests = objects.into_iter().map(Object::into_apply);
        connections.send(&requests.collect::<Result<Vec<_>>>()?, &[200, 201])?;
    }
    Ok(())
}

fn clear(connections: &mut Connections, objects: &[Object], namespace: &str) -> Result<()> {
    let (namespaces, rest): (Vec<_>, Vec<_>) =
        objects.iter().partition(|object| object.is_namespace);
    let mut collections: BTreeSet<String> = rest
        .iter()
        .map(|object| object.collection.clone())
        .collect();
    collections.insert(format!("/api/v1/namespaces/{namespace}/secrets"));
    collections.insert(format!(
        "/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
    ));
    // By default a Job waits for a controller to let go of its pods.
    let delete = |path| {
        let path = format!("{path}?propagationPolicy=Background");
        Request::new("DELETE", path, "application/json", Vec::new())
    };
    let deletions: Vec<_> = collections.into_iter().map(delete).collect();
    connections.send(&deletions, &[200])?;
    let deletions = namespaces.iter().map(|object| delete(object.path()));
    connections.send(&deletions.collect::<Vec<_>>(), &[200, 404])?;
    let ends = namespaces.iter().map(|object| {
        let body = json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": object.name },
        });
        let path = format!("{}/finalize", object.path());
        Request::new("PUT", path, "application/json", body.to_string().into())
    });
    connections.send(&ends.collect::<Vec<_>>(), &[200, 404])
}

/// An object, and where it is.
struct Object {
    value: Value,
    /// The path of all objects of its kind and namespace.
    collection: String,
    name: String,
    is_namespace: bool,
}

impl Object {
    /// Places an object: in its own namespace, or in the one that is given.
    fn of(mut value: Value, namespace: &str) -> Result<Self> {
        let text = |at: &str| {
            let text = value.pointer(at).and_then(Value::as_str).map(str::to_owned);
            text.ok_or_else(|| format!("an object without {at}"))
        };
        let (api_version, kind) = (text("/apiVersion")?, text("/kind")?);
        let name = text("/metadata/name")?;
        let namespace = text("/metadata/namespace").unwrap_or_else(|_| namespace.to_owned());
        let is_namespace = (api_version.as_str(), kind.as_str()) == ("v1", "Namespace");
        let root = if api_version.contains('/') {
            "apis"
        } else {
            "api"
        };
        let plural = plural(&kind);
        let collection = if is_namespace {
            format!("/{root}/{api_version}/{plural}")
        } else {
            value["metadata"]["namespace"] = namespace.as_str().into();
            format!("/{root}/{api_version}/namespaces/{namespace}/{plural}")
        };
        Ok(Self {
            value,
            collection,
            name,
            is_namespace,
        })
    }

    fn path(&self) -> String {
        format!("{}/{}", self.collection, self.name)
    }

    /// Makes the request that applies it.
    fn into_apply(mut self) -> Result<Request> {
        let labels = &mut self.value["metadata"]["labels"];
        if labels.is_null() {
            *labels = Map::new().into();
        }
        labels[LABEL] = PART_OF.into();
        let query = format!("fieldManager={MANAGER}&fieldValidation=Strict&force=false");
        Ok(Request::new(
            "PATCH",
            format!("{}?{query}", self.path()),
            "application/apply-patch+yaml",
            serde_json::to_vec(&self.value)?,
        ))
    }
}

/// Returns the name of a kind in paths; that of all kinds which the benchmarks have is regular.
fn plural(kind: &str) -> String {
    let lower = kind.to_lowercase();
    if lower.ends_with('s') {
        return lower + "es";
    }
    match lower.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None => lower + "s",
    }
}

/// Connections to a server, each made when it is needed first.
struct Connections {
    server: Server,
    connections: Vec<Option<Connection>>,
}

impl Connections {
    fn to(server: Server) -> Self {
        let connections = (0..CONNECTIONS).map(|_| None).collect();
        Self {
            server,
            connections,
        }
    }

    /// Sends all requests, each connection the next one that no other has sent. Every answer must
    /// have one of these statuses.
    fn send(&mut self, requests: &[Request], statuses: &[u16]) -> Result<()> {
        let server = &self.server;
        let next = AtomicUsize::new(0);
        let failure = Mutex::new(None);
        thread::scope(|scope| {
            for connection in &mut self.connections {
                scope.spawn(|| {
                    let sent = send_some(server, connection, requests, &next, statuses);
                    if let Err(error) = sent {
                        // The others take no further one.
                        next.store(requests.len(), Relaxed);
                        failure.lock().expect("no thread panics").replace(error);
                    }
                });
            }
        });
        match failure.into_inner().expect("no thread panics") {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

fn send_some(
    server: &Server,
    connection: &mut Option<Connection>,
    requests: &[Request],
    next: &AtomicUsize,
    statuses: &[u16],
) -> Result<()> {
    while let Some(request) = requests.get(next.fetch_add(1, Relaxed)) {
        let connection = match connection {
            Some(connection) => connection,
            None => connection.insert(Connection::open(server)?),
        };
        let (status, body) = connection
            .exchange(server, request)
            .map_err(|error| format!("{request}: {error}"))?;
        if !statuses.contains(&status) {
            let said = String::from_utf8_lossy(&body);
            return Err(format!("{request}: HTTP {status}: {said}").into());
        }
    }
    Ok(())
}
