//! `system` and `version`: the server, what it says, and what is checked.

use std::{
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    process::Stdio,
    time::Duration,
};

use crate::support::{Sandbox, server};

#[test]
fn a_second_start_names_the_first_server() {
    let sandbox = Sandbox::new();
    let server = sandbox.start_server();
    for more in [&[][..], &["--foreground"], &["--dry-run=client"]] {
        let mut line = vec!["system", "start", "--listen", "127.0.0.1:0"];
        line.extend(more);
        let run = sandbox.run(&line).fails(6, "E0403");
        let pid = format!("process {}", server.pid);
        for part in [pid.as_str(), &server.url, "since 2026-01-02T03:04:05Z"] {
            assert!(run.stderr.contains(part), "{part}: {run}");
        }
    }
}

#[test]
fn a_restart_keeps_the_address() {
    let sandbox = Sandbox::new();
    let before = sandbox.start_server();
    let run = sandbox.run(["system", "restart", "-o", "json"]).succeeds();
    assert_eq!(run.json()["action"], "replaced", "{run}");
    let after = sandbox.server().expect("a server");
    assert_eq!(after.address, before.address);
    assert_ne!(after.pid, before.pid);
}

#[cfg(target_os = "linux")]
#[test]
fn a_server_that_does_not_come_up_is_ended_and_its_start_times_out() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.command(["system", "start", "--listen", "127.0.0.1:0"]);
    let mut start = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    // The child is held before it can do anything.
    let child: u32 = loop {
        assert!(start.try_wait().expect("a child").is_none(), "it ended");
        let mut found = String::new();
        for task in std::fs::read_dir(format!("/proc/{}/task", start.id()))
            .into_iter()
            .flatten()
            .flatten()
        {
            let path = task.path().join("children");
            found += &std::fs::read_to_string(path).unwrap_or_default();
        }
        // One that is still the copy of its parent holds that up, too.
        let begun = |pid: &&str| {
            std::fs::read_to_string(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|line| line.contains("--foreground"))
        };
        match found.split_whitespace().find(begun) {
            Some(pid) => break pid.parse().expect("a number"),
            None => std::thread::sleep(Duration::from_micros(200)),
        }
    };
    server::signal(child, "STOP");
    assert!(
        sandbox.server().is_none(),
        "the child was quicker than the test"
    );
    let mut said = String::new();
    let mut pipe = start.stderr.take().expect("a pipe");
    pipe.read_to_string(&mut said).expect("text");
    assert_eq!(start.wait().expect("it ends").code(), Some(7), "{said}");
    assert!(
        said.contains("E0009") && said.contains("was ended"),
        "{said}"
    );
    assert!(!server::is_alive(child), "the child goes on");
}

#[test]
fn followed_logs_are_lines_or_documents_until_the_reader_leaves() {
    let sandbox = Sandbox::new();
    sandbox.start_server();
    let follow = ["system", "logs", "--follow"];
    for format in ["yaml", "name", "jsonpath={.line}"] {
        sandbox
            .run(follow.iter().chain(&["-o", format]))
            .fails(2, "E0002");
    }
    let mut command = sandbox.command(follow.iter().chain(&["-o", "json"]));
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let line = lines.next().expect("a line").expect("text");
    let document: serde_json::Value = serde_json::from_str(&line).expect("a document");
    assert_eq!(document["apiVersion"], "weftctl.dev/v1");
    assert_eq!(document["kind"], "LogLine");
    assert!(
        document["line"]
            .as_str()
            .is_some_and(|l| l.contains("listening"))
    );
    drop(lines);
    // The next line finds nobody.
    sandbox.run_remote(&["design", "list"]).succeeds();
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    let mut said = String::new();
    child
        .stderr
        .take()
        .expect("a pipe")
        .read_to_string(&mut said)
        .expect("text");
    assert_eq!(said, "");
}

#[test]
fn followed_logs_on_a_full_disk_are_an_error() {
    let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") else {
        return;
    };
    let sandbox = Sandbox::new();
    sandbox.start_server();
    let mut command = sandbox.command(["system", "logs", "--follow"]);
    let output = command
        .stdout(full)
        .stderr(Stdio::piped())
        .output()
        .expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("E0008"), "{said}");
}

#[test]
fn version_tells_of_the_client_whatever_becomes_of_the_server() {
    let sandbox = Sandbox::new();
    for server in ["http://127.0.0.1:1", "local"] {
        let run = sandbox
            .run(["version", "--server", server, "-o", "json"])
            .succeeds();
        let version = run.json();
        assert!(version.get("server").is_none(), "{run}");
        let target = version["client"]["target"].as_str().expect("a target");
        assert!(target.split('-').count() >= 3, "a triple: {run}");
        assert!(run.stderr.contains("warning"), "{run}");
    }
}

/// A host that takes no connection, and whether one was tried.
fn untouched(listener: &TcpListener) -> bool {
    listener.set_nonblocking(true).expect("a listener");
    listener.accept().is_err()
}

fn check<'a>(document: &'a serde_json::Value, name: &str) -> &'a serde_json::Value {
    let items = document["items"].as_array().expect("items");
    let found = items.iter().find(|item| item["name"] == name);
    found.unwrap_or_else(|| panic!("no check {name}: {document:#}"))
}

#[test]
fn only_the_current_cluster_is_asked_and_offline_nobody() {
    let sandbox = Sandbox::new();
    let [current, other, server] =
        [0; 3].map(|_| TcpListener::bind("127.0.0.1:0").expect("a port"));
    let url =
        |listener: &TcpListener| format!("http://{}", listener.local_addr().expect("an address"));
    let mut text = "apiVersion: v1\nkind: Config\ncurrent-context: current\n".to_owned();
    for (list, entry) in [
        ("clusters", "cluster: {server: URL}"),
        ("contexts", "context: {cluster: NAME, user: me}"),
    ] {
        text += &format!("{list}:\n");
        for (name, listener) in [("current", &current), ("other", &other)] {
            let entry = entry.replace("URL", &url(listener)).replace("NAME", name);
            text += &format!("- name: {name}\n  {entry}\n");
        }
    }
    text += "users:\n- name: me\n  user: {token: t}\n";
    sandbox.write("kubeconfig", text);
    let doctor = |more: &[&str]| {
        let mut command = sandbox.command(["doctor", "-o", "json"].iter().chain(more));
        command.env("KUBECONFIG", "kubeconfig");
        sandbox.finish(&mut command, None)
    };
    let far = url(&server);
    let offline = doctor(&["--offline", "--server", &far]).succeeds();
    assert!(
        [&current, &other, &server].into_iter().all(untouched),
        "{offline}"
    );
    check(&offline.json(), "server");
    let online = doctor(&[]).succeeds();
    assert!(!untouched(&current) && untouched(&other), "{online}");
    let item = check(&online.json(), "cluster/current")["result"].clone();
    assert_eq!(item, "warning", "{online}");
    let named = doctor(&["--context", "other"]).succeeds();
    assert!(!untouched(&other), "{named}");
}

#[test]
fn doctor_names_what_is_wrong_with_the_configuration_and_its_fix() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.command(["doctor", "--offline", "-o", "json"]);
    command.env("WEFT_CURRENT_CONTEXT", "prdo");
    for run in [
        sandbox.finish(&mut command, None),
        sandbox.run(["doctor", "--offline", "-o", "json", "--config", "nope.yaml"]),
    ] {
        let run = run.ends(1);
        let document = run.json();
        assert_eq!(
            check(&document, "configuration")["result"],
            "failed",
            "{run}"
        );
        for item in document["items"].as_array().expect("items") {
            assert!(
                item["result"] != "failed" || item["fix"].is_string(),
                "{run}"
            );
        }
    }
}

#[test]
fn kustomize_alone_renders_kustomizations() {
    let sandbox = Sandbox::new();
    let program = sandbox.write("bin/kustomize", "#!/bin/sh\n");
    #[cfg(unix)]
    std::fs::set_permissions(program, std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("a mode");
    let mut command = sandbox.command(["doctor", "--offline", "-o", "json"]);
    let run = sandbox
        .finish(command.env("PATH", sandbox.path("bin")), None)
        .succeeds();
    assert_eq!(check(&run.json(), "kubectl")["result"], "passed", "{run}");
    assert_eq!(check(&run.json(), "helm")["result"], "warning", "{run}");
}
