//! A proxy on loopback between the program and an API server. It counts requests and, where it is
//! told to, misbehaves: as a network, a server or an operator with `kill -9` would.

use std::{
    fmt,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures::StreamExt;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    time::sleep,
};

use super::{
    ApiServer,
    api::{Api, runtime},
    server::{signal, wait_for_end},
};

/// What a request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verb {
    /// It asks what is served.
    Discover,
    /// It reads an object.
    Get,
    /// It reads all objects of a kind.
    List,
    /// It follows the objects of a kind.
    Watch,
    /// It creates an object.
    Create,
    /// Server-side apply.
    Apply,
    /// A merge patch or a JSON patch.
    Patch,
    /// It replaces an object.
    Put,
    /// It deletes an object.
    Delete,
    /// It asks what is allowed.
    Review,
}

/// A request that came by.
#[derive(Debug, Clone)]
pub struct Seen {
    /// What it does.
    pub verb: Verb,
    /// Its method and its path with the query.
    pub line: String,
    /// The plural of the kind; empty for discovery.
    pub plural: String,
    /// The name of the object; empty where there is none.
    pub name: String,
    /// Whether it only asks what would be.
    pub dry: bool,
}

impl Seen {
    fn of(method: &str, target: &str, media_type: &str, body: &[u8]) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut segments: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let prefix = match segments.first() {
            Some(&"api") => 2,
            Some(&"apis") => 3,
            _ => segments.len(),
        };
        let mut rest = segments.split_off(prefix.min(segments.len()));
        if rest.len() > 2 && rest[0] == "namespaces" {
            rest.drain(..2);
        }
        let plural = (*rest.first().unwrap_or(&"")).to_owned();
        let mut name = (*rest.get(1).unwrap_or(&"")).to_owned();
        if method == "POST"
            && let Ok(body) = serde_json::from_slice::<Value>(body)
        {
            name = body["metadata"]["name"].as_str().unwrap_or("").to_owned();
        }
        let verb = match method {
            _ if plural.is_empty() => Verb::Discover,
            "GET" if query.contains("watch=true") => Verb::Watch,
            "GET" if name.is_empty() => Verb::List,
            "GET" => Verb::Get,
            "POST" if plural.ends_with("reviews") => Verb::Review,
            "POST" => Verb::Create,
            "PATCH" if media_type.contains("apply-patch") => Verb::Apply,
            "PATCH" => Verb::Patch,
            "PUT" => Verb::Put,
            _ => Verb::Delete,
        };
        let dry = query.contains("dryRun=") || String::from_utf8_lossy(body).contains("\"dryRun\"");
        Self {
            verb,
            line: format!("{method} {target}"),
            plural,
            name,
            dry,
        }
    }
}

/// What is done to a request.
#[derive(Clone)]
pub enum Act {
    /// The client is killed, and the server never hears of it.
    KillBefore,
    /// The client is killed once the server has answered; it never hears the answer.
    KillAfter,
    /// The server's answer is this error, with how many seconds it asks to wait.
    Answer(u16, Option<u32>),
    /// The connection is reset, and the server never hears of it.
    ResetBefore,
    /// The server answers, and the connection is reset.
    ResetAfter,
    /// Nobody ever answers, and the connection stays.
    Swallow,
    /// It takes that much longer.
    Delay(Duration),
    /// The answer comes with that many bytes per second.
    Throttle(usize),
    /// Something is done before the server hears of it.
    Call(Arc<dyn Fn() + Send + Sync>),
}

impl fmt::Debug for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KillBefore => f.write_str("kill before"),
            Self::KillAfter => f.write_str("kill after"),
            Self::Answer(status, None) => write!(f, "{status}"),
            Self::Answer(status, Some(_)) => write!(f, "{status} with Retry-After"),
            Self::ResetBefore => f.write_str("reset before"),
            Self::ResetAfter => f.write_str("reset after"),
            Self::Swallow => f.write_str("half open"),
            Self::Delay(time) => write!(f, "{time:?} late"),
            Self::Throttle(rate) => write!(f, "{rate} B/s"),
            Self::Call(_) => f.write_str("something else"),
        }
    }
}

type Which = Box<dyn Fn(&Seen) -> bool + Send>;

/// What is done to which requests.
pub struct Fault {
    which: Which,
    skip: usize,
    times: usize,
    act: Act,
}

impl Fault {
    /// Does it to the first request.
    pub fn new(act: Act) -> Self {
        Self {
            which: Box::new(|_| true),
            skip: 0,
            times: 1,
            act,
        }
    }

    /// Counts only such requests.
    pub fn on(mut self, which: impl Fn(&Seen) -> bool + Send + 'static) -> Self {
        self.which = Box::new(which);
        self
    }

    /// Lets so many requests pass first.
    pub fn after(mut self, skip: usize) -> Self {
        self.skip = skip;
        self
    }

    /// Does it to so many requests.
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }
}

struct Shared {
    api: Api,
    faults: Mutex<Vec<Fault>>,
    seen: Mutex<Vec<Seen>>,
    struck: Mutex<Vec<Seen>>,
    victim: AtomicU32,
    busy: AtomicUsize,
}

/// A running proxy, which ends when it is dropped.
pub struct Proxy {
    /// A kubeconfig whose context `sandbox` leads through it.
    pub kubeconfig: PathBuf,
    shared: Arc<Shared>,
    _folder: tempfile::TempDir,
    _stop: oneshot::Sender<()>,
}

impl Proxy {
    /// Starts one in front of an API server.
    pub fn before(server: &ApiServer) -> Self {
        let shared = Arc::new(Shared {
            api: Api::of(&server.kubeconfig),
            faults: Mutex::default(),
            seen: Mutex::default(),
            struck: Mutex::default(),
            victim: AtomicU32::new(0),
            busy: AtomicUsize::new(0),
        });
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a listener");
        let address = listener.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel::<()>();
        let state = shared.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.expect("a runtime").block_on(async move {
                let listener = TcpListener::from_std(listener).expect("a listener");
                let accept = async {
                    loop {
                        if let Ok((stream, _)) = listener.accept().await {
                            tokio::spawn(serve(state.clone(), stream));
                        }
                    }
                };
                tokio::select! {
                    () = accept => {}
                    _ = stopped => {}
                }
            });
        });
        let folder = tempfile::tempdir().expect("a temporary folder");
        let kubeconfig = folder.path().join("kubeconfig");
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "sandbox",
            "clusters": [{"name": "proxy", "cluster": {"server": format!("http://{address}")}}],
            "users": [{"name": "admin", "user": {"token": shared.api.token}}],
            "contexts": [{"name": "sandbox", "context": {"cluster": "proxy", "user": "admin"}}],
        });
        std::fs::write(&kubeconfig, config.to_string()).expect("a file");
        Self {
            kubeconfig,
            shared,
            _folder: folder,
            _stop: stop,
        }
    }

    /// Forgets what was, and does this from now on.
    pub fn misbehave(&self, faults: Vec<Fault>) {
        *self.shared.faults.lock().expect("no panic") = faults;
        self.shared.seen.lock().expect("no panic").clear();
        self.shared.struck.lock().expect("no panic").clear();
    }

    /// Forgets what was, and only passes on from now on. Waits for requests that are under way, so
    /// that nothing of a killed client arrives later.
    pub fn behave(&self) {
        self.misbehave(Vec::new());
        let until = Instant::now() + Duration::from_secs(70);
        while self.shared.busy.load(Ordering::SeqCst) > 0 {
            assert!(Instant::now() < until, "a request never ends");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Says which process is the client.
    pub fn aim_at(&self, pid: u32) {
        self.shared.victim.store(pid, Ordering::SeqCst);
    }

    /// The requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().expect("no panic").clone()
    }

    /// Those to which something was done.
    pub fn struck(&self) -> Vec<Seen> {
        self.shared.struck.lock().expect("no panic").clone()
    }
}

impl Shared {
    /// Notes a request, and finds what is done to it.
    fn note(&self, seen: &Seen) -> Option<Act> {
        self.seen.lock().expect("no panic").push(seen.clone());
        let mut found = None;
        for fault in self.faults.lock().expect("no panic").iter_mut() {
            if !(fault.which)(seen) {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
            } else if fault.times > 0 && found.is_none() {
                fault.times -= 1;
                found = Some(fault.act.clone());
            }
        }
        if found.is_some() {
            self.struck.lock().expect("no panic").push(seen.clone());
        }
        found
    }

    fn kill(&self) {
        let pid = self.victim.load(Ordering::SeqCst);
        assert!(pid > 1, "nobody to kill");
        signal(pid, "KILL");
        assert!(wait_for_end(pid, Duration::from_secs(10)), "kill -9");
    }
}

/// A request as it came.
struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

async fn read_request(stream: &mut TcpStream, rest: &mut Vec<u8>) -> Option<Request> {
    let end = loop {
        if let Some(end) = rest.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        let mut some = [0; 16 << 10];
        let read = stream.read(&mut some).await.ok().filter(|read| *read > 0)?;
        rest.extend_from_slice(&some[..read]);
    };
    let head = String::from_utf8(rest[..end].to_vec()).expect("a head in ASCII");
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let header = |name: &str| headers.iter().find(|(known, _)| known == name);
    assert!(header("transfer-encoding").is_none(), "{head}");
    let length = header("content-length").map_or(0, |(_, value)| value.parse().expect("a length"));
    while rest.len() < end + 4 + length {
        let mut some = [0; 16 << 10];
        let read = stream.read(&mut some).await.ok().filter(|read| *read > 0)?;
        rest.extend_from_slice(&some[..read]);
    }
    let body = rest[end + 4..end + 4 + length].to_vec();
    rest.drain(..end + 4 + length);
    Some(Request {
        method,
        target,
        headers,
        body,
    })
}

/// Counts a request as long as it is under way.
struct Busy<'a>(&'a AtomicUsize);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Serves one connection.
async fn serve(shared: Arc<Shared>, mut stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let mut rest = Vec::new();
    while let Some(request) = read_request(&mut stream, &mut rest).await {
        shared.busy.fetch_add(1, Ordering::SeqCst);
        let busy = Busy(&shared.busy);
        let media_type = request.headers.iter();
        let media_type = media_type.clone().find(|(name, _)| name == "content-type");
        let media_type = media_type.map_or("", |(_, value)| value);
        let seen = Seen::of(&request.method, &request.target, media_type, &request.body);
        let act = shared.note(&seen);
        let mut rate = None;
        match &act {
            Some(Act::KillBefore) => return shared.kill(),
            Some(Act::ResetBefore) => return reset(&stream),
            Some(Act::Answer(status, after)) => {
                let answer = error_of(*status, *after, &seen);
                if stream.write_all(answer.as_bytes()).await.is_err() {
                    return;
                }
                continue;
            }
            Some(Act::Swallow) => {
                drop(busy);
                let mut some = [0; 1024];
                while stream.read(&mut some).await.is_ok_and(|read| read > 0) {}
                return;
            }
            Some(Act::Delay(time)) => sleep(*time).await,
            Some(Act::Throttle(bytes)) => rate = Some(*bytes),
            Some(Act::Call(call)) => {
                let call = call.clone();
                let called = tokio::task::spawn_blocking(move || call());
                called.await.expect("no panic");
            }
            Some(Act::KillAfter | Act::ResetAfter) | None => {}
        }
        let Ok(answer) = forward(&shared, request).await else {
            return reset(&stream);
        };
        match act {
            Some(Act::KillAfter) => {
                if seen.verb != Verb::Watch {
                    let _ = answer.bytes().await;
                }
                return shared.kill();
            }
            Some(Act::ResetAfter) => {
                if seen.verb != Verb::Watch {
                    let _ = answer.bytes().await;
                }
                return reset(&stream);
            }
            _ => {}
        }
        let busy = (seen.verb != Verb::Watch).then_some(busy);
        let passed = pass_on(&mut stream, answer, seen.verb == Verb::Watch, rate).await;
        drop(busy);
        if !passed {
            return;
        }
    }
}

/// Lets the connection end with a reset.
fn reset(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}

async fn forward(shared: &Shared, request: Request) -> reqwest::Result<reqwest::Response> {
    let mut out = shared.api.request(&request.method, &request.target);
    for (name, value) in &request.headers {
        if !matches!(
            name.as_str(),
            "host" | "connection" | "content-length" | "authorization"
        ) {
            out = out.header(name, value);
        }
    }
    let out = out.bearer_auth(&shared.api.token).body(request.body);
    // The connections to the server belong to the threads that all clients share.
    let sent = runtime().spawn(out.send());
    sent.await.expect("no panic")
}

/// Passes an answer on; tells whether the connection can be used again.
async fn pass_on(
    stream: &mut TcpStream,
    answer: reqwest::Response,
    endless: bool,
    rate: Option<usize>,
) -> bool {
    let mut head = format!("HTTP/1.1 {}\r\n", answer.status());
    for (name, value) in answer.headers() {
        if !matches!(
            name.as_str(),
            "connection" | "content-length" | "transfer-encoding"
        ) {
            let value = String::from_utf8_lossy(value.as_bytes());
            head.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    if endless && answer.status().is_success() {
        head.push_str("transfer-encoding: chunked\r\n\r\n");
        if stream.write_all(head.as_bytes()).await.is_err() {
            return false;
        }
        let mut chunks = answer.bytes_stream();
        // A client that leaves is noticed, however silent the watch is.
        let mut some = [0; 64];
        loop {
            tokio::select! {
                chunk = chunks.next() => {
                    let Some(Ok(chunk)) = chunk else { break };
                    for part in chunk.chunks(rate.map_or(usize::MAX, |rate| (rate / 10).max(1))) {
                        let mut out = format!("{:x}\r\n", part.len()).into_bytes();
                        out.extend_from_slice(part);
                        out.extend_from_slice(b"\r\n");
                        if stream.write_all(&out).await.is_err() {
                            return false;
                        }
                        if rate.is_some() {
                            sleep(Duration::from_millis(100)).await;
                        }
                    }
                }
                read = stream.read(&mut some) => {
                    if !read.is_ok_and(|read| read > 0) {
                        return false;
                    }
                }
            }
        }
        return stream.write_all(b"0\r\n\r\n").await.is_ok();
    }
    let Ok(body) = answer.bytes().await else {
        reset(stream);
        return false;
    };
    head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    let mut all = head.into_bytes();
    all.extend_from_slice(&body);
    let Some(rate) = rate else {
        return stream.write_all(&all).await.is_ok();
    };
    for part in all.chunks((rate / 10).max(1)) {
        if stream.write_all(part).await.is_err() {
            return false;
        }
        sleep(Duration::from_millis(100)).await;
    }
    true
}

/// An error as an API server words it.
fn error_of(status: u16, after: Option<u32>, seen: &Seen) -> String {
    let Seen { plural, name, .. } = seen;
    let (reason, message) = match status {
        409 if seen.verb == Verb::Create => {
            ("AlreadyExists", format!("{plural} {name:?} already exists"))
        }
        409 => (
            "Conflict",
            format!(
                "Operation cannot be fulfilled on {plural} {name:?}: the object has been modified; please apply your changes to the latest version and try again"
            ),
        ),
        410 => (
            "Expired",
            "The provided continue parameter is too old to display a consistent list result."
                .to_owned(),
        ),
        422 => (
            "Invalid",
            format!("{plural} {name:?} is invalid: metadata: Invalid value: injected"),
        ),
        429 => (
            "TooManyRequests",
            "the server has received too many requests and has asked us to try again later"
                .to_owned(),
        ),
        503 => (
            "ServiceUnavailable",
            "the server is currently unable to handle the request".to_owned(),
        ),
        504 => (
            "Timeout",
            "Timeout: request did not complete within the allotted timeout".to_owned(),
        ),
        _ => (
            "InternalError",
            "Internal error occurred: injected".to_owned(),
        ),
    };
    let mut body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": status,
        "details": {"kind": plural},
    });
    if !name.is_empty() {
        body["details"]["name"] = name.as_str().into();
    }
    if status == 422 {
        body["details"]["causes"] = json!([
            {"reason": "FieldValueInvalid", "message": "Invalid value: injected", "field": "metadata"}
        ]);
    }
    let mut more = String::new();
    if let Some(after) = after {
        body["details"]["retryAfterSeconds"] = after.into();
        more = format!("retry-after: {after}\r\n");
    }
    let body = body.to_string();
    format!(
        "HTTP/1.1 {status} injected\r\ncontent-type: application/json\r\n{more}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}
