//! Every exit code of `cli-conventions.md` §2 that can be reached today, by name.
//!
//! Not reachable yet: 3 (predicate commands: "could not tell") waits for predicates that ask a
//! cluster, 9 (partial success) for the first command that changes several remote things. 70 is a
//! bug: no input leads there, and the harness demands that nothing ends with it.

use std::{
    io::{Read, Write},
    net::TcpListener,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use weftctl::error::{Code, Kind};

use crate::support::{Run, SHOP, Sandbox, server};

#[test]
fn exit_0_for_success_and_for_an_empty_list() {
    let sandbox = Sandbox::new();
    sandbox.run(["version"]).ends(0);
    let list = sandbox.run(["design", "list"]).ends(0);
    assert_eq!(list.stdout, "", "{list}");
    let piped = ["design", "import", "-", "--name", "piped"];
    sandbox.run_with(piped, SHOP.as_bytes()).ends(0);
}

#[test]
fn exit_0_for_a_predicate_whose_answer_is_yes() {
    let sandbox = Sandbox::with_shop();
    sandbox.run(["design", "diff", "shop", "shop.yaml"]).ends(0);
    sandbox.run(["design", "validate", "shop.yaml"]).ends(0);
}

#[test]
fn exit_1_for_a_predicate_whose_answer_is_no() {
    let sandbox = Sandbox::with_shop();
    sandbox.write("other.yaml", SHOP.replace("replicas: 2", "replicas: 3"));
    let run = sandbox
        .run(["design", "diff", "shop", "other.yaml"])
        .ends(1);
    assert!(!run.stderr.contains("error"), "no is no error: {run}");
    sandbox.write("bad.yaml", SHOP.replace("replicas: 2", "replica: 2"));
    sandbox.run(["design", "validate", "bad.yaml"]).ends(1);
}

#[test]
fn exit_1_for_a_failure_without_a_finer_code() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "chart/Chart.yaml",
        "apiVersion: v2\nname: chart\nversion: 0.1.0\n",
    );
    let mut command = sandbox.command(["design", "import", "./chart"]);
    command.env("PATH", sandbox.folder());
    let run = sandbox.finish(&mut command, None).fails(1, "E0130");
    assert!(run.stderr.contains("helm"), "{run}");
}

#[test]
fn exit_2_for_an_unknown_flag() {
    Sandbox::new().run(["version", "--nope"]).fails(2, "E0002");
}

#[test]
fn exit_2_for_a_bad_value_and_a_bad_combination() {
    let sandbox = Sandbox::with_shop();
    let run = sandbox
        .run(["design", "list", "-o", "xml"])
        .fails(2, "E0002");
    assert!(run.stderr.contains("jsonpath="), "the valid ones: {run}");
    sandbox
        .run(["design", "list", "--request-timeout", "soon"])
        .fails(2, "E0002");
    sandbox
        .run(["design", "diff", "shop", "shop.yaml", "--version", "1..2"])
        .fails(2, "E0002");
    sandbox
        .run(["design", "render", "shop.yaml", "--version", "0.0.1"])
        .fails(2, "E0002");
    sandbox
        .run(["design", "list", "-q", "-v"])
        .fails(2, "E0002");
    sandbox
        .run(["design", "list", "-o", "json", "-o", "yaml"])
        .fails(2, "E0002");
    sandbox.run(["design", "import"]).fails(2, "E0002");
    let run = sandbox.run(["desing", "list"]).fails(2, "E0002");
    assert!(run.stderr.contains("design"), "the nearest: {run}");
    sandbox.run(["design"]).ends(2);
}

#[test]
fn exit_4_for_a_token_that_the_server_refuses() {
    let sandbox = Sandbox::new();
    let server = sandbox.start_server();
    sandbox.write("wrong", "0".repeat(64));
    sandbox
        .run([
            "design",
            "list",
            "--server",
            &server.url,
            "--token-file",
            "wrong",
        ])
        .fails(4, "E0401");
}

#[cfg(unix)]
#[test]
fn exit_4_for_a_server_file_that_others_may_read() {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = Sandbox::new();
    let server = sandbox.start_server();
    let file = sandbox.home().join("state/server.json");
    let mode = |mode| {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).expect("a mode");
    };
    mode(0o644);
    let run = sandbox
        .run(["design", "list", "--server", "local"])
        .fails(4, "E0401");
    assert!(run.stderr.contains("chmod 600"), "{run}");
    assert!(!run.stderr.contains(&server.token), "{run}");
    mode(0o600);
    sandbox.run(["design", "list", "--server", "local"]).ends(0);
}

#[test]
fn exit_5_for_a_name_that_is_not_there() {
    let sandbox = Sandbox::with_shop();
    let run = sandbox.run(["design", "view", "shpo"]).fails(5, "E0200");
    assert!(run.stderr.contains("shop"), "did you mean: {run}");
    sandbox
        .run(["design", "view", "shop", "--version", "9.9.9"])
        .fails(5, "E0201");
    sandbox
        .run(["design", "import", "none.yaml"])
        .fails(5, "E0105");
    sandbox
        .run([
            "system",
            "operation",
            "view",
            "00000000-0000-4000-8000-000000000000",
        ])
        .fails(5, "E0203");
    sandbox
        .run(["system", "context", "view", "none"])
        .fails(5, "E0502");
    sandbox.run(["system", "status"]).fails(5, "E0404");
    sandbox.run(["explain", "E9999"]).fails(5, "E0004");
}

#[test]
fn exit_6_for_what_exists_already() {
    let sandbox = Sandbox::with_shop();
    let create = ["system", "context", "create", "staging"];
    sandbox.run(create).ends(0);
    sandbox.run(create).fails(6, "E0601");
    sandbox
        .run(["design", "export", "shop", "--to", "shop.yaml"])
        .fails(6, "E0602");
    let backup = ["system", "store", "backup", "--to", "copy.db"];
    sandbox.run(backup).ends(0);
    sandbox.run(backup).fails(6, "E0307");
}

#[test]
fn exit_6_for_a_second_server() {
    let sandbox = Sandbox::new();
    sandbox.start_server();
    sandbox
        .run(["system", "start", "--listen", "127.0.0.1:0"])
        .fails(6, "E0403");
}

/// A host that takes connections and never says a word, for as long as it's kept.
fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!(
        "http://{}/shop.yaml",
        listener.local_addr().expect("an address")
    );
    (listener, url)
}

#[test]
fn exit_7_for_a_deadline_that_passed() {
    let sandbox = Sandbox::new();
    let (_listener, url) = silent();
    let begun = Instant::now();
    let run = sandbox
        .run(["design", "import", &url, "--request-timeout", "1s"])
        .fails(7, "E0009");
    assert!(begun.elapsed() < Duration::from_secs(30), "{run}");
}

#[test]
fn exit_8_for_a_host_that_cannot_be_reached() {
    let sandbox = Sandbox::new();
    // Nobody listens on a port that was ours a moment ago.
    let (listener, url) = silent();
    drop(listener);
    sandbox
        .run(["design", "import", &url, "--request-timeout", "20s"])
        .fails(8, "E0121");
    let server = url.trim_end_matches("/shop.yaml");
    sandbox
        .run(["design", "list", "--server", server])
        .fails(8, "E0400");
}

#[test]
fn exit_10_for_input_that_is_refused() {
    let sandbox = Sandbox::new();
    let cases: [(&str, String, &str); 8] = [
        ("not-yaml.yaml", "a: [".to_owned(), "E0100"),
        ("twice.yaml", "a: 1\na: 2\n".to_owned(), "E0101"),
        (
            "deep.yaml",
            format!("a: {}{}\n", "[".repeat(200), "]".repeat(200)),
            "E0102",
        ),
        ("empty.yaml", "---\n".to_owned(), "E0106"),
        ("same.yaml", format!("{SHOP}\n---\n{SHOP}"), "E0107"),
        ("no-object.yaml", "just: text\n".to_owned(), "E0108"),
        (
            "name.yaml",
            SHOP.replace("name: cache\n", "name: No_Name\n"),
            "E0109",
        ),
        (
            "kind.yaml",
            SHOP.replace("kind: StatefulSet", "kind: StatefulSte"),
            "E0116",
        ),
    ];
    for (file, text, code) in cases {
        sandbox.write(file, text);
        sandbox.run(["design", "import", file]).fails(10, code);
    }
    sandbox.write("encoding.yaml", b"a: \xff\xfe\n");
    sandbox
        .run(["design", "import", "encoding.yaml"])
        .fails(10, "E0103");
    assert!(
        !sandbox.home().join("weft.db").exists() || {
            let list = sandbox.run(["design", "list", "-o", "json"]).json();
            list["items"] == serde_json::json!([])
        }
    );
}

#[test]
fn exit_11_for_publishing_secrets() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "vault.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: vault}\nstringData: {key: value}\n",
    );
    sandbox.run(["design", "import", "vault.yaml"]).succeeds();
    let export = ["design", "export", "vault", "--to", "out.yaml"];
    sandbox.run(export).fails(11, "E0604");
    assert!(!sandbox.path("out.yaml").exists());
    let mut export = export.to_vec();
    export.push("--include-secrets");
    sandbox.run(export).succeeds();
}

#[test]
fn exit_12_for_a_confirmation_that_nobody_gave() {
    let sandbox = Sandbox::with_shop();
    let run = sandbox.run(["design", "delete", "shop"]).fails(12, "E0005");
    assert!(run.stderr.contains("--yes"), "{run}");
    sandbox.run(["design", "view", "shop"]).ends(0);
}

#[test]
fn exit_12_for_a_confirmation_with_a_wrong_name() {
    let sandbox = Sandbox::with_shop();
    sandbox
        .run(["system", "context", "create", "staging"])
        .succeeds();
    sandbox
        .run([
            "system",
            "context",
            "delete",
            "staging",
            "--confirm",
            "production",
        ])
        .fails(12, "E0005");
    sandbox
        .run(["system", "context", "view", "staging"])
        .ends(0);
}

/// A command at work, and what it was told to do.
struct Working {
    child: Child,
    shown: String,
}

impl Working {
    fn start(sandbox: &Sandbox, arguments: &[&str], stdin: Stdio) -> Self {
        let mut command = sandbox.command(arguments);
        command
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Self {
            shown: format!("{command:?}"),
            child: command.spawn().expect("the program starts"),
        }
    }

    /// Sends a signal and waits for the end.
    fn ended_by(mut self, signal: &str) -> Run {
        let begun = Instant::now();
        server::signal(self.child.id(), signal);
        while self.child.try_wait().expect("a child").is_none() {
            if begun.elapsed() > Duration::from_secs(20) {
                let _ = self.child.kill();
                panic!("goes on after SIG{signal}: {}", self.shown);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let mut run = Run {
            command: self.shown.clone(),
            code: self.child.wait().expect("a child").code(),
            stdout: String::new(),
            stderr: String::new(),
        };
        if let Some(mut pipe) = self.child.stdout.take() {
            pipe.read_to_string(&mut run.stdout).expect("text");
        }
        if let Some(mut pipe) = self.child.stderr.take() {
            pipe.read_to_string(&mut run.stderr).expect("text");
        }
        run
    }
}

/// An import that hangs on a host which has taken its request, and is told to end.
fn interrupted_download(signal: &str) -> Run {
    let sandbox = Sandbox::new();
    let (listener, url) = silent();
    let working = Working::start(&sandbox, &["design", "import", &url], Stdio::null());
    let (mut peer, _) = listener.accept().expect("a request");
    let mut first = [0];
    peer.read_exact(&mut first).expect("a request");
    let run = working.ended_by(signal);
    let list = sandbox.run(["design", "list", "-o", "json"]).json();
    assert_eq!(list["items"], serde_json::json!([]));
    run
}

/// An import that waits for the rest of its standard input.
fn interrupted_input(signal: &str) -> Run {
    let sandbox = Sandbox::new();
    let mut working = Working::start(
        &sandbox,
        &["design", "import", "-", "--name", "piped"],
        Stdio::piped(),
    );
    let mut pipe = working.child.stdin.take().expect("a pipe");
    // More than a pipe holds: when it is written, the program reads.
    let text = format!("{SHOP}\n{}", "# more\n".repeat(40_000));
    pipe.write_all(text.as_bytes()).expect("the program reads");
    let run = working.ended_by(signal);
    drop(pipe);
    run
}

#[test]
fn exit_130_for_sigint() {
    for run in [interrupted_download("INT"), interrupted_input("INT")] {
        run.fails(130, "E0006");
    }
}

#[test]
fn exit_143_for_sigterm() {
    for run in [interrupted_download("TERM"), interrupted_input("TERM")] {
        run.fails(143, "E0007");
    }
}

#[test]
fn the_table_of_help_is_the_table_of_the_program() {
    let help = Sandbox::new().run(["help", "exit-codes"]).ends(0);
    for (_, code, meaning) in Kind::ALL {
        let line = format!("{code:>3}  {meaning}");
        assert!(help.stdout.contains(&line), "{line:?}: {help}");
    }
}

#[test]
fn explain_knows_every_code_offline() {
    let sandbox = Sandbox::new();
    for code in Code::ALL {
        let run = sandbox.run(["explain", &code.id(), "-o", "json"]).ends(0);
        let item = &run.json()["items"][0];
        for field in ["title", "text", "hint", "example"] {
            assert!(
                item[field].as_str().is_some_and(|t| !t.is_empty()),
                "{field}: {run}"
            );
        }
        assert_eq!(item["exitCode"], code.kind().exit_code(), "{run}");
        let shown = sandbox.run(["explain", &code.id()]).ends(0);
        assert!(
            shown.stdout.contains("What to do:") && shown.stdout.contains("Example:"),
            "{shown}"
        );
    }
    assert!(!sandbox.home().exists());
}
