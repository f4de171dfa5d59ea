//! The same commands behind a socket: byte-equal output, and a gate that lets nobody else in.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use weftctl::api::{BASE, Method};

use crate::harness;
use crate::support::{
    Run, SHOP, Sandbox,
    server::{self, Server},
};

/// A sandbox with two versions of a design, and its server.
fn served() -> (Sandbox, Server) {
    let sandbox = Sandbox::with_shop();
    sandbox.write("shop.yaml", SHOP.replace("web:1.4.2", "web:1.4.3"));
    sandbox.run(["design", "import", "shop.yaml"]).succeeds();
    let server = sandbox.start_server();
    (sandbox, server)
}

/// What only reads, in ways that the harness doesn't know: errors, versions, files.
const READS: &[&[&str]] = &[
    &["design", "list"],
    &["design", "search", "sho"],
    &["design", "search", "none"],
    &["design", "view", "shop", "--version", "0.0.1"],
    &["design", "view", "none"],
    &["design", "validate", "shop"],
    &["design", "validate", "shop.yaml", "-o", "junit"],
    &["design", "validate", "shop.yaml", "-o", "sarif"],
    &["design", "diff", "shop", "shop.yaml"],
    &["design", "deploy", "shop", "--dry-run=client"],
    &["design", "render", "shop", "--version", "0.0.1"],
    &["design", "export", "shop", "--to", "-"],
    &["design", "export", "shop", "--as", "manifest", "--to", "-"],
    &["design", "import", "shop.yaml", "--dry-run=client"],
];

/// Who answers is what these tell, the id that a new design would have, or how long something took.
const DIFFERS: &[&str] = &[
    "version",
    "doctor",
    "system check",
    "design import",
    "tenant test-connection",
];

#[test]
fn every_read_command_prints_the_same_bytes_over_a_server() {
    let sandbox = harness::read_sandbox();
    let kubeconfig = &harness::deployed().kubeconfig;
    let run = |line: &[String]| {
        let mut command = sandbox.command(line);
        sandbox.finish(command.env("KUBECONFIG", kubeconfig), None)
    };
    run(&["system", "start", "--listen", "127.0.0.1:0"].map(str::to_owned)).succeeds();
    let server = sandbox.server().expect("a server that runs");
    sandbox.write("token", format!("{}\n", server.token));
    private(&sandbox.path("token"));
    let own = READS.iter();
    let own = own.map(|line| line.iter().map(|word| (*word).to_owned()).collect());
    let same = |line: &Vec<String>| {
        let words = format!("{} ", line.join(" "));
        let differs = |name: &&str| words.starts_with(&format!("{name} "));
        !DIFFERS.iter().any(differs)
    };
    let lines: Vec<Vec<String>> = own
        .chain(harness::reads().into_iter().filter(same))
        .collect();
    let mut compared = 0;
    for line in lines {
        let reports = line.iter().any(|word| word == "-o");
        for format in ["table", "wide", "name", "json", "yaml"] {
            if reports && format != "table" {
                continue;
            }
            let mut embedded = line.clone();
            if !reports {
                embedded.extend(["-o".to_owned(), format.to_owned()]);
            }
            let mut here = None;
            for how in [
                vec!["--server", "local"],
                vec!["--server", &server.url, "--token-file", "token"],
                vec!["--server", &server.url],
            ] {
                let mut remote = embedded.clone();
                remote.extend(how.into_iter().map(str::to_owned));
                let there = run(&remote);
                // The harness demands that nothing but a local command says so.
                if there.stderr.contains("acts on this machine only") {
                    break;
                }
                let here = here.get_or_insert_with(|| run(&embedded));
                assert_eq!(here.code, there.code, "{here}\n{there}");
                assert_eq!(here.stdout, there.stdout, "{}", there.command);
                let (here, said) = (untimed(&here.stderr), untimed(&there.stderr));
                assert_eq!(here, said, "{}", there.command);
                compared += 1;
            }
        }
    }
    assert!(compared > 300, "{compared}");
}

/// Without the steps that took so long that they were told, with their time.
fn untimed(stderr: &str) -> Vec<&str> {
    let is_timed = |line: &str| {
        let time = line
            .rsplit_once(" (")
            .and_then(|(_, time)| time.strip_suffix("s)"));
        time.is_some_and(|time| time.starts_with(|c: char| c.is_ascii_digit()))
    };
    stderr.lines().filter(|line| !is_timed(line)).collect()
}

/// Makes a file readable by its user only, as files with tokens must be.
fn private(path: &std::path::Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("a mode");
    }
    let _ = path;
}

#[test]
fn writes_over_a_server_and_without_it_meet_in_one_store() {
    let (sandbox, _server) = served();
    sandbox.write("other.yaml", SHOP);
    let made = sandbox.run_remote(&["design", "import", "other.yaml", "-o", "json"]);
    assert_eq!(made.succeeds().json()["action"], "created");
    let again = sandbox.run(["design", "import", "other.yaml", "-o", "json"]);
    assert_eq!(again.succeeds().json()["action"], "unchanged");
    sandbox
        .run_remote(&["design", "delete", "other", "--yes"])
        .succeeds();
    sandbox.run(["design", "view", "other"]).fails(5, "E0200");
}

// The gate

#[test]
fn a_wrong_token_and_none_are_refused() {
    let (sandbox, server) = served();
    private(&sandbox.write("wrong", "f".repeat(64)));
    for line in READS.iter().take(3) {
        let mut line = line.to_vec();
        line.extend(["--server", &server.url, "--token-file", "wrong"]);
        let run = sandbox.run(&line).fails(4, "E0401");
        assert_eq!(run.stdout, "", "{run}");
    }
    let stranger = Sandbox::new();
    stranger
        .run(["design", "list", "--server", &server.url])
        .fails(4, "E0401");
    for token in [None, Some(""), Some("f"), Some(&server.token[1..])] {
        let answer = Ask {
            token,
            ..server_ask(&server)
        }
        .get("/version");
        answer.refused(401, "E0401", 4);
    }
}

#[test]
fn another_host_and_a_foreign_origin_are_refused() {
    let (_sandbox, server) = served();
    let port = server.address.rsplit(':').next().expect("a port");
    let ask = || server_ask(&server);
    let localhost = format!("localhost:{port}");
    for host in [server.address.as_str(), &localhost] {
        assert_eq!(Ask { host, ..ask() }.get("/version").status, 200, "{host}");
    }
    let rebound = format!("evil.example:{port}");
    for host in ["evil.example", &rebound, "127.0.0.1", "127.0.0.1:1", ""] {
        Ask { host, ..ask() }
            .get("/version")
            .refused(403, "E0402", 4);
    }
    let own = format!("http://{}", server.address);
    let answer = Ask {
        origin: Some(&own),
        ..ask()
    }
    .get("/version");
    assert_eq!(answer.status, 200);
    for origin in [
        "http://evil.example",
        "null",
        "https://127.0.0.1",
        "http://127.0.0.1:1",
    ] {
        Ask {
            origin: Some(origin),
            ..ask()
        }
        .get("/version")
        .refused(403, "E0402", 4);
    }
    let answer = ask().get("/version");
    assert!(
        !answer.head.to_lowercase().contains("access-control"),
        "{}",
        answer.head
    );
}

#[test]
fn oversize_heads_and_bodies_are_refused() {
    let (sandbox, server) = served();
    let long = |size: usize| format!("X-Long: {}\r\n", "x".repeat(size));
    let many = "X-Many: 1\r\n".repeat(150);
    for more in [long(400 << 10), many] {
        let answer = Ask {
            more: &more,
            ..server_ask(&server)
        }
        .get("/version");
        assert_eq!(answer.status, 431, "{}", answer.head);
    }
    // What one read of the socket may bring at once is refused behind the parser.
    for size in [65 << 10, 100 << 10] {
        let answer = Ask {
            more: &long(size),
            ..server_ask(&server)
        }
        .get("/version");
        assert!(
            [400, 431].contains(&answer.status),
            "{size}: {}",
            answer.head
        );
    }
    // The body is announced and not sent: the announcement is enough.
    let length = format!("Content-Length: {}\r\n", 200_u64 << 20);
    let answer = Ask {
        more: &length,
        ..server_ask(&server)
    }
    .send("POST", "/designs/plan", None);
    assert_eq!(answer.body_json()["code"], "E0102", "{}", answer.body);
    sandbox.run(["design", "list", "--server", "local"]).ends(0);
}

/// A request by hand.
struct Ask<'a> {
    address: &'a str,
    host: &'a str,
    origin: Option<&'a str>,
    token: Option<&'a str>,
    more: &'a str,
}

fn server_ask(server: &Server) -> Ask<'_> {
    Ask {
        address: &server.address,
        host: &server.address,
        origin: None,
        token: Some(&server.token),
        more: "",
    }
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Ask<'_> {
    fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None)
    }

    /// Sends a request to a path below the API's base.
    fn send(&self, method: &str, path: &str, body: Option<&str>) -> Answer {
        self.send_to(method, &format!("{BASE}{path}"), body)
    }

    fn send_to(&self, method: &str, path: &str, body: Option<&str>) -> Answer {
        let mut stream = TcpStream::connect(self.address).expect("a server");
        stream
            .set_read_timeout(Some(Duration::from_mins(1)))
            .expect("a deadline");
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n",
            self.host
        );
        if let Some(token) = self.token {
            let _ = write!(head, "Authorization: Bearer {token}\r\n");
        }
        if let Some(origin) = self.origin {
            let _ = write!(head, "Origin: {origin}\r\n");
        }
        if let Some(body) = body {
            let _ = write!(
                head,
                "Content-Type: application/json\r\nContent-Length: {}\r\n",
                body.len()
            );
        }
        let text = format!("{head}{}\r\n{}", self.more, body.unwrap_or_default());
        // A server that refuses may hang up before it has read everything.
        let _ = stream.write_all(text.as_bytes());
        let mut answer = Vec::new();
        let mut part = [0; 4096];
        while let Ok(count) = stream.read(&mut part) {
            if count == 0 {
                break;
            }
            answer.extend_from_slice(&part[..count]);
        }
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        Answer {
            status: status.unwrap_or_else(|| panic!("no answer to {method} {path}: {answer:?}")),
            head: head.to_owned(),
            body: if head.to_lowercase().contains("transfer-encoding: chunked") {
                unchunk(body)
            } else {
                body.to_owned()
            },
        }
    }
}

fn unchunk(body: &str) -> String {
    let mut text = String::new();
    let mut rest = body;
    while let Some((length, after)) = rest.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap_or(0);
        if length == 0 {
            break;
        }
        text.push_str(&after[..length]);
        rest = after[length..].trim_start_matches("\r\n");
    }
    text
}

impl Answer {
    #[track_caller]
    fn body_json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// Demands a status and our error in the body.
    #[track_caller]
    fn refused(&self, status: u16, code: &str, exit: i32) {
        assert_eq!(self.status, status, "{}\n{}", self.head, self.body);
        let error = self.body_json();
        assert_eq!(error["code"], code, "{error}");
        assert_eq!(error["exitCode"], exit, "{error}");
        assert!(
            error["message"].as_str().is_some_and(|m| !m.is_empty()),
            "{error}"
        );
        assert!(
            self.head
                .to_lowercase()
                .contains("content-type: application/json"),
            "{}",
            self.head
        );
    }
}

// Routes

/// A visit to a route: what is asked, the status, and the error's code where it is one.
type Visit<'a> = (Method, &'static str, String, Option<Value>, u16, &'a str);

#[expect(clippy::too_many_lines, reason = "a table")]
#[test]
fn every_route_is_visited() {
    let (sandbox, server) = served();
    let list = sandbox
        .run(["system", "operation", "list", "-o", "json"])
        .succeeds()
        .json();
    let id = list["items"][0]["id"].as_str().expect("an id").to_owned();
    let stored = json!({ "stored": { "name": "shop" } });
    let missing = json!({ "stored": { "name": "none" } });
    let none = "00000000-0000-4000-8000-000000000000";
    let (get, post, delete) = (Method::Get, Method::Post, Method::Delete);
    let visit = |method, route: &'static str, path: &str, body, status, code| {
        (method, route, path.to_owned(), body, status, code)
    };
    let visits: Vec<Visit<'_>> = vec![
        visit(get, "/version", "/version", None, 200, ""),
        visit(get, "/status", "/status", None, 200, ""),
        visit(get, "/store/check", "/store/check", None, 200, ""),
        visit(get, "/designs", "/designs", None, 200, ""),
        visit(
            get,
            "/designs",
            "/designs?search=sho&sort=updated&limit=1",
            None,
            200,
            "",
        ),
        visit(get, "/designs", "/designs?limit=many", None, 400, "E0407"),
        visit(get, "/designs", "/designs?sort=size", None, 400, "E0407"),
        visit(get, "/designs/{design}", "/designs/shop", None, 200, ""),
        visit(
            get,
            "/designs/{design}",
            "/designs/shop?version=0.0.1",
            None,
            200,
            "",
        ),
        visit(
            get,
            "/designs/{design}",
            "/designs/shop?version=7",
            None,
            404,
            "E0201",
        ),
        visit(
            get,
            "/designs/{design}",
            "/designs/none",
            None,
            404,
            "E0200",
        ),
        visit(
            get,
            "/designs/{design}",
            "/designs/..%2F..%2Fetc%2Fpasswd",
            None,
            404,
            "E0200",
        ),
        visit(
            post,
            "/designs/validate",
            "/designs/validate",
            Some(json!({ "design": stored })),
            200,
            "",
        ),
        visit(
            post,
            "/designs/validate",
            "/designs/validate",
            Some(json!({ "design": missing })),
            404,
            "E0200",
        ),
        visit(
            post,
            "/designs/validate",
            "/designs/validate",
            Some(json!({})),
            400,
            "E0407",
        ),
        visit(
            post,
            "/designs/deploy",
            "/designs/deploy",
            Some(json!({})),
            400,
            "E0407",
        ),
        visit(
            post,
            "/designs/status",
            "/designs/status",
            Some(json!({ "name": "shop", "target": { "kubeconfig": "/nowhere" } })),
            404,
            "E0105",
        ),
        visit(
            post,
            "/designs/history",
            "/designs/history",
            Some(json!({ "name": "shop", "target": { "kubeconfig": "/nowhere" } })),
            404,
            "E0105",
        ),
        visit(
            post,
            "/designs/diff/deployed",
            "/designs/diff/deployed",
            Some(json!({})),
            400,
            "E0407",
        ),
        visit(
            post,
            "/designs/diff/revisions",
            "/designs/diff/revisions",
            Some(json!({ "name": "shop", "from": 1, "target": { "kubeconfig": "/nowhere" } })),
            404,
            "E0105",
        ),
        visit(
            post,
            "/designs/events",
            "/designs/events",
            Some(json!({ "name": "shop", "target": { "kubeconfig": "/nowhere" } })),
            404,
            "E0105",
        ),
        visit(
            post,
            "/designs/logs",
            "/designs/logs",
            Some(json!({ "name": "shop", "target": { "kubeconfig": "/nowhere" } })),
            404,
            "E0105",
        ),
        visit(
            post,
            "/designs/inspect",
            "/designs/inspect",
            Some(json!({ "source": {
                "name": "map",
                "origin": "map.yaml",
                "form": "Kubernetes Manifest",
                "files": [{ "path": "map.yaml", "text": "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}" }],
            } })),
            200,
            "",
        ),
        visit(
            post,
            "/designs/plan",
            "/designs/plan",
            Some(json!({ "design": stored })),
            200,
            "",
        ),
        visit(
            post,
            "/designs/plan",
            "/designs/plan",
            Some(json!({ "design": missing })),
            404,
            "E0200",
        ),
        visit(
            post,
            "/designs/plan",
            "/designs/plan",
            Some(json!([])),
            400,
            "E0407",
        ),
        visit(
            post,
            "/designs/render",
            "/designs/render",
            Some(json!({ "design": stored, "form": "manifest" })),
            200,
            "",
        ),
        visit(
            post,
            "/designs/render",
            "/designs/render",
            Some(json!({ "design": stored, "form": "poem" })),
            400,
            "E0407",
        ),
        visit(
            post,
            "/designs/diff",
            "/designs/diff",
            Some(json!({ "from": stored, "to": stored })),
            200,
            "",
        ),
        visit(
            post,
            "/designs/diff",
            "/designs/diff",
            Some(json!({ "from": stored, "to": missing })),
            404,
            "E0200",
        ),
        visit(
            post,
            "/designs",
            "/designs",
            Some(json!("text")),
            400,
            "E0407",
        ),
        visit(
            post,
            "/tenants/test-connections",
            "/tenants/test-connections",
            Some(json!({
                "folder": "/nowhere",
                "source": {
                    "name": "hub",
                    "origin": "hub.yaml",
                    "form": "Kubernetes Manifest",
                    "files": [{
                        "path": "hub.yaml",
                        "text": "apiVersion: operator.lynq.sh/v1\nkind: LynqHub\nmetadata: {name: hub}\nspec:\n  \
                                 source: {type: sqlite, sqlite: {path: none.db, table: t}}\n  \
                                 valueMappings: {uid: id, activate: active}\n",
                    }],
                    "notes": [],
                },
            })),
            200,
            "",
        ),
        visit(
            post,
            "/tenants/list",
            "/tenants/list",
            Some(json!({  "target": { "kubeconfig": "/nowhere" } })),
            404,
            "E0105",
        ),
        visit(
            post,
            "/tenants/status",
            "/tenants/status",
            Some(json!({ "hub": "shop", "target": { "kubeconfig": "/nowhere" } })),
            404,
            "E0105",
        ),
        visit(
            post,
            "/tenants/view",
            "/tenants/view",
            Some(json!({ "hub": "shop", "row": "acme", "target": { "kubeconfig": "/nowhere" } })),
            404,
            "E0105",
        ),
        visit(
            post,
            "/tenants/render",
            "/tenants/render",
            Some(json!({ "rows": [] })),
            400,
            "E0407",
        ),
        visit(
            post,
            "/tenants/lint",
            "/tenants/lint",
            Some(json!({ "offline": true })),
            400,
            "E0407",
        ),
        visit(
            post,
            "/tenants/manifests",
            "/tenants/manifests",
            Some(json!({ "target": { "kubeconfig": "/nowhere" } })),
            404,
            "E0105",
        ),
        visit(
            post,
            "/tenants/watch",
            "/tenants/watch",
            Some(json!({ "passes": 1 })),
            400,
            "E0407",
        ),
        visit(
            post,
            "/tenants/test-connections",
            "/tenants/test-connections",
            Some(json!({ "folder": "/nowhere" })),
            400,
            "E0407",
        ),
        visit(get, "/operations", "/operations", None, 200, ""),
        visit(get, "/operations", "/operations?limit=1", None, 200, ""),
        visit(
            get,
            "/operations/{id}",
            &format!("/operations/{id}"),
            None,
            200,
            "",
        ),
        visit(
            get,
            "/operations/{id}",
            &format!("/operations/{none}"),
            None,
            404,
            "E0203",
        ),
        visit(
            delete,
            "/operations/{id}",
            &format!("/operations/{id}"),
            None,
            200,
            "",
        ),
        visit(
            delete,
            "/operations/{id}",
            &format!("/operations/{none}"),
            None,
            404,
            "E0203",
        ),
        visit(
            get,
            "/operations/{id}/events",
            &format!("/operations/{none}/events"),
            None,
            404,
            "E0203",
        ),
        visit(
            delete,
            "/designs/{design}",
            "/designs/none",
            None,
            404,
            "E0200",
        ),
        visit(
            delete,
            "/designs/{design}",
            "/designs/shop?dryRun=true",
            None,
            200,
            "",
        ),
        visit(delete, "/designs/{design}", "/designs/shop", None, 200, ""),
        visit(post, "/stop", "/stop", Some(json!({})), 200, ""),
    ];
    let visited: BTreeSet<(Method, &str)> = visits.iter().map(|v| (v.0, v.1)).collect();
    for endpoint in weftctl::server::endpoints() {
        assert!(visited.contains(&endpoint), "nobody visits {endpoint:?}");
    }
    for (method, _, path, body, status, code) in visits {
        let body = body.map(|body| body.to_string());
        let answer = server_ask(&server).send(method.as_str(), &path, body.as_deref());
        assert_eq!(answer.status, status, "{method:?} {path}: {}", answer.body);
        let reply = answer.body_json();
        if code.is_empty() {
            assert!(reply.get("code").is_none(), "{path}: {reply}");
        } else {
            answer.refused(
                status,
                code,
                match code {
                    "E0407" => 10,
                    _ => 5,
                },
            );
        }
    }
    assert!(server::wait_for_end(server.pid, Duration::from_secs(20)));
}

#[test]
fn unknown_paths_and_methods_answer_in_our_form() {
    let (_sandbox, server) = served();
    server_ask(&server).get("/nothing").refused(404, "E0408", 5);
    server_ask(&server)
        .send_to("GET", "/", None)
        .refused(404, "E0408", 5);
    let answer = server_ask(&server).send("PATCH", "/designs", Some("{}"));
    assert_eq!(answer.status, 405, "{}", answer.body);
    for body in ["", "{", "{}{}", "\u{0}"] {
        server_ask(&server)
            .send("POST", "/designs/plan", Some(body))
            .refused(400, "E0407", 10);
    }
}

// Operations

/// The body of an import of a text.
fn import_body(text: &str, name: &str) -> Value {
    json!({
        "name": name,
        "source": {
            "name": "inline",
            "origin": "inline.yaml",
            "form": "Kubernetes Manifest",
            "files": [{ "path": "inline.yaml", "text": text }],
        },
    })
}

#[test]
fn an_import_is_an_operation_whose_events_can_be_resumed() {
    let (sandbox, server) = served();
    let body = import_body(SHOP, "wired").to_string();
    let started = server_ask(&server).send("POST", "/designs", Some(&body));
    assert_eq!(started.status, 200, "{}", started.body);
    let id = started.body_json()["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let path = format!("/operations/{id}/events");
    let all = server_ask(&server).get(&path);
    assert!(all.head.contains("text/event-stream"), "{}", all.head);
    let all = events(&all.body);
    let numbers: Vec<u64> = all.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=all.len() as u64).collect::<Vec<_>>());
    let (last, outcome) = all.last().expect("an event");
    assert_eq!(outcome["type"], "succeeded", "{outcome}");
    assert_eq!(outcome["outcome"]["action"], "created", "{outcome}");
    for after in 0..*last {
        let more = format!("Last-Event-ID: {after}\r\n");
        let rest = Ask {
            more: &more,
            ..server_ask(&server)
        }
        .get(&path);
        let skipped = usize::try_from(after).expect("small");
        assert_eq!(events(&rest.body), all[skipped..], "after {after}");
    }
    let view = sandbox.run_remote(&["system", "operation", "view", &id, "-o", "json"]);
    assert_eq!(view.succeeds().json()["state"], "succeeded");
    sandbox.run(["design", "view", "wired"]).succeeds();
}

fn events(body: &str) -> Vec<(u64, Value)> {
    let field = |block: &str, name: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(name));
        line.map(|value| value.trim().to_owned())
    };
    body.split("\n\n")
        .filter_map(|block| {
            let data = serde_json::from_str(&field(block, "data:")?).expect("JSON");
            Some((field(block, "id:")?.parse().expect("a number"), data))
        })
        .collect()
}

#[test]
fn cancelling_ends_an_operation_or_leaves_what_has_ended() {
    let (sandbox, server) = served();
    // Large enough that it is at work when the second request comes.
    let mut many = String::new();
    for n in 0..3000 {
        let _ = write!(
            many,
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: map-{n}}}\ndata: {{key: value}}\n"
        );
    }
    let body = import_body(&many, "many").to_string();
    let started = server_ask(&server).send("POST", "/designs", Some(&body));
    let id = started.body_json()["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let path = format!("/operations/{id}");
    let cancelled = server_ask(&server).send("DELETE", &path, None);
    assert_eq!(cancelled.status, 200, "{}", cancelled.body);
    let last = events(&server_ask(&server).get(&format!("{path}/events")).body);
    let (_, last) = last.last().expect("an event").clone();
    let view = server_ask(&server).get(&path).body_json();
    let stored = sandbox.run(["design", "view", "many"]);
    if last["type"] == "failed" {
        assert_eq!(last["error"]["code"], "E0006", "{last}");
        assert_eq!(view["state"], "cancelled", "{view}");
        stored.fails(5, "E0200");
    } else {
        // It was quicker than we: then it stays done.
        assert_eq!(view["state"], "succeeded", "{view}");
        stored.succeeds();
    }
    let again = server_ask(&server).send("DELETE", &path, None);
    assert_eq!(again.body_json()["state"], view["state"]);
}

// Life and death

#[test]
fn a_second_server_is_refused_and_another_address_than_loopback_too() {
    let (sandbox, server) = served();
    for more in [&[][..], &["--foreground"]] {
        let mut line = vec!["system", "start", "--listen", "127.0.0.1:0"];
        line.extend(more);
        sandbox.run(&line).fails(6, "E0403");
    }
    let other = Sandbox::new();
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:9081"] {
        for more in [&[][..], &["--foreground"]] {
            let mut line = vec!["system", "start", "--listen", address];
            line.extend(more);
            other.run(&line).fails(2, "E0405");
        }
    }
    // A port that is taken, by the first server.
    other
        .run(["system", "start", "--listen", &server.address])
        .fails(6, "E0406");
    assert!(other.server().is_none());
}

#[cfg(unix)]
#[test]
fn the_servers_files_are_private_and_its_token_is_in_no_log() {
    use std::os::unix::fs::PermissionsExt;
    let (sandbox, server) = served();
    let mode = |name: &str| {
        let meta = std::fs::metadata(sandbox.home().join(name)).expect(name);
        meta.permissions().mode() & 0o777
    };
    assert_eq!(mode("state/server.json"), 0o600);
    assert_eq!(mode("state/server.log"), 0o600);
    assert_eq!(mode("state"), 0o700);
    assert_eq!(server.token.len(), 64);
    sandbox.run_remote(&["design", "list", "-vv"]).succeeds();
    private(&sandbox.write("wrong", "f".repeat(64)));
    sandbox
        .run([
            "design",
            "list",
            "-vv",
            "--server",
            &server.url,
            "--token-file",
            "wrong",
        ])
        .fails(4, "E0401");
    for line in [
        &["system", "status", "-o", "json"][..],
        &["system", "logs"],
        &["system", "check", "--offline", "-o", "json"],
        &["config", "view", "--show-origin"],
    ] {
        let run: Run = sandbox.run(line);
        assert!(!run.stdout.contains(&server.token), "{run}");
        assert!(!run.stderr.contains(&server.token), "{run}");
    }
    let log = std::fs::read_to_string(sandbox.home().join("state/server.log")).expect("a log");
    assert!(log.contains("request") && log.contains("E0401"), "{log}");
    assert!(
        !log.contains(&server.token) && !log.contains(&"f".repeat(64)),
        "{log}"
    );
}

#[test]
fn a_new_start_makes_a_new_token() {
    let sandbox = Sandbox::new();
    let first = sandbox.start_server();
    sandbox.run(["system", "stop"]).succeeds();
    assert!(sandbox.server().is_none(), "its file is gone");
    let second = sandbox.start_server();
    assert_ne!(first.token, second.token);
    sandbox
        .run(["system", "restart", "--listen", "127.0.0.1:0"])
        .succeeds();
    let third = sandbox.server().expect("a server");
    assert!(third.pid != second.pid && third.token != second.token);
    assert!(!server::is_alive(second.pid));
}

#[test]
fn sigterm_ends_the_server_cleanly() {
    let (sandbox, server) = served();
    let begun = Instant::now();
    server::signal(server.pid, "TERM");
    assert!(
        server::wait_for_end(server.pid, Duration::from_secs(20)),
        "goes on"
    );
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert!(sandbox.server().is_none(), "its file is gone");
    let logs = sandbox.run(["system", "logs"]).succeeds();
    assert!(logs.stdout.contains("stopped"), "{logs}");
    sandbox.run(["system", "status"]).fails(5, "E0404");
    sandbox
        .run(["design", "list", "--server", "local"])
        .fails(5, "E0404");
    sandbox.run(["system", "store", "check"]).ends(0);
}

#[test]
fn a_killed_server_leaves_nothing_to_unlock() {
    let (sandbox, server) = served();
    server::signal(server.pid, "KILL");
    assert!(server::wait_for_end(server.pid, Duration::from_secs(20)));
    sandbox.run(["system", "status"]).fails(5, "E0404");
    let next = sandbox.start_server();
    assert_ne!(next.pid, server.pid);
    sandbox.run_remote(&["design", "view", "shop"]).succeeds();
}
