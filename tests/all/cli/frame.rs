//! What holds for every command, where the harness can't see it.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    process::Stdio,
    time::{Duration, Instant},
};

use crate::support::{SHOP, Sandbox, server};

#[test]
fn a_noun_without_a_verb_is_an_error_of_the_asked_format() {
    let sandbox = Sandbox::new();
    let plain = sandbox.run(["design"]).ends(2);
    assert!(plain.stderr.contains("Usage: weftctl design"), "{plain}");
    let json = sandbox.run(["design", "-o", "json"]).ends(2);
    let error: serde_json::Value = serde_json::from_str(&json.stderr).expect("one object");
    assert_eq!(
        (&error["code"], &error["exitCode"]),
        (&"E0002".into(), &2.into())
    );
    assert!(
        error["cause"][0]
            .as_str()
            .is_some_and(|c| c.contains("weftctl design"))
    );
}

#[test]
fn help_is_ascii_where_the_locale_is() {
    let sandbox = Sandbox::new();
    for arguments in [
        &["--help"][..],
        &["design", "list", "-h"],
        &["help", "design"],
    ] {
        let mut command = sandbox.command(arguments);
        let run = sandbox.finish(command.env("LANG", "C"), None).succeeds();
        assert!(run.stdout.is_ascii(), "{run}");
    }
}

#[test]
fn near_misses_are_quoted_wherever_they_are_suggested() {
    let sandbox = Sandbox::with_shop();
    for (arguments, near) in [
        (
            &["schema", "print", "DesignLst"][..],
            "did you mean \"DesignList\"?",
        ),
        (
            &["config", "set", "outptu", "json"],
            "did you mean \"output\"?",
        ),
        (&["help", "desing"], "did you mean \"design\"?"),
        (&["design", "view", "shpo"], "did you mean \"shop\"?"),
    ] {
        let run = sandbox.run(arguments);
        assert!(run.stderr.contains(near), "{run}");
    }
}

#[test]
fn exit_3_for_a_question_that_could_not_be_answered() {
    let sandbox = Sandbox::with_shop();
    std::fs::write(sandbox.home().join("weft.db"), "no store").expect("a file");
    let run = sandbox.run(["design", "diff", "shop", "shop", "-o", "json"]);
    let error: serde_json::Value = serde_json::from_str(&run.stderr).expect("one object");
    assert_eq!(error["exitCode"], 3, "{run}");
    run.ends(3);
    sandbox.run(["design", "view", "shop"]).ends(1);
}

/// A listener that takes connections and says nothing.
fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    (listener, url)
}

#[test]
fn a_server_has_as_long_as_request_timeout_says() {
    let sandbox = Sandbox::new();
    let (_listener, url) = silent();
    let begun = Instant::now();
    sandbox
        .run([
            "design",
            "list",
            "--server",
            &url,
            "--request-timeout",
            "1s",
        ])
        .fails(7, "E0009");
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_signal_ends_a_call_to_a_silent_server_at_once() {
    let sandbox = Sandbox::new();
    for (signal, code, id) in [("INT", 130, "E0006"), ("TERM", 143, "E0007")] {
        let (listener, url) = silent();
        let mut command = sandbox.command(["design", "list", "--server", &url]);
        let mut child = command.stderr(Stdio::piped()).spawn().expect("it starts");
        let (mut peer, _) = listener.accept().expect("a request");
        peer.read_exact(&mut [0]).expect("its first byte");
        let begun = Instant::now();
        server::signal(child.id(), signal);
        assert_eq!(child.wait().expect("it ends").code(), Some(code));
        assert!(begun.elapsed() < Duration::from_secs(5));
        let mut said = String::new();
        let mut pipe = child.stderr.take().expect("a pipe");
        pipe.read_to_string(&mut said).expect("text");
        assert!(said.contains(id), "{said}");
    }
}

#[test]
fn what_explains_and_mends_works_with_wrong_settings() {
    let sandbox = Sandbox::new();
    sandbox.write(".weft.yaml", "outptu: json\n");
    for arguments in [
        &["explain", "E0600"][..],
        &["help", "environment"],
        &["completion", "bash"],
        &["schema", "list"],
        &["version"],
    ] {
        sandbox.run(arguments).succeeds();
    }
    sandbox.run(["design", "list"]).fails(10, "E0600");
    std::fs::remove_file(sandbox.path(".weft.yaml")).expect("a file");
    sandbox.write("home/weft/config.yaml", "output: xml\n");
    sandbox.run(["design", "list"]).fails(2, "E0002");
    sandbox.run(["config", "set", "output", "json"]).succeeds();
    sandbox.run(["design", "list"]).succeeds().json();
}

#[test]
fn a_completion_script_is_a_script_whatever_the_output_setting() {
    let sandbox = Sandbox::new();
    let plain = sandbox.run(["completion", "bash"]).succeeds();
    let mut command = sandbox.command(["completion", "bash"]);
    let set = sandbox.finish(command.env("WEFT_OUTPUT", "json"), None);
    assert_eq!(set.succeeds().stdout, plain.stdout);
    let asked = sandbox.run(["completion", "bash", "-o", "json"]).succeeds();
    asked.json();
}

#[test]
fn a_template_that_does_not_fit_is_a_mistake_of_the_caller() {
    let sandbox = Sandbox::with_shop();
    let template = "template={{ items[0].name + 1 }}";
    sandbox
        .run(["design", "list", "-o", template])
        .fails(2, "E0002");
}

#[test]
fn v_shows_what_is_tried_again() {
    let sandbox = Sandbox::new();
    let (listener, url) = silent();
    let server = std::thread::spawn(move || {
        for answer in [
            "HTTP/1.1 503 Later\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned(),
            format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{SHOP}",
                SHOP.len()
            ),
        ] {
            let (mut peer, _) = listener.accept().expect("a request");
            let _ = peer.read(&mut [0; 4096]);
            peer.write_all(answer.as_bytes()).expect("it is read");
        }
    });
    let address = format!("{url}/shop.yaml");
    let run = sandbox
        .run(["design", "validate", &address, "-v"])
        .succeeds();
    server.join().expect("a server");
    assert!(
        run.stderr.contains("503") && run.stderr.contains("attempt=1"),
        "{run}"
    );
}

#[test]
fn errors_of_one_cause_stand_together_with_one_hint() {
    let sandbox = Sandbox::new();
    let objects: Vec<String> = (0..15)
        .map(|n| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a{n}}}\ndota: {{}}\n"))
        .collect();
    sandbox.write("many.yaml", objects.join("---\n"));
    let arguments = ["design", "deploy", "many.yaml", "--dry-run=client"];
    let run = sandbox.run(arguments).fails(10, "E0115");
    let count = |text: &str, run: &crate::support::Run| run.stderr.matches(text).count();
    assert_eq!(
        (count("error[E0115]", &run), count("hint:", &run)),
        (10, 1),
        "{run}"
    );
    assert!(run.stderr.contains("and 5 more; -v lists them"), "{run}");
    let all = sandbox.run(arguments.iter().chain(&["-v"])).ends(10);
    assert_eq!(count("error[E0115]", &all), 15, "{all}");
}

#[test]
fn a_flag_of_one_value_is_given_once() {
    let sandbox = Sandbox::new();
    sandbox
        .run(["-o", "json", "config", "view", "-o", "name"])
        .fails(2, "E0002");
    sandbox
        .run(["config", "view", "-o", "json", "-o", "json"])
        .ends(2);
}

#[test]
fn a_no_form_on_the_command_line_wins_over_the_environment() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.command(["--input", "config", "view", "-o", "json"]);
    let run = sandbox
        .finish(command.env("WEFT_NO_INPUT", "1"), None)
        .succeeds();
    let items = run.json()["items"].as_array().cloned().expect("a list");
    let item = items.iter().find(|item| item["name"] == "no-input");
    assert_eq!(item.expect("the key")["value"], "false", "{run}");
}

#[test]
fn what_o_name_prints_is_taken_as_a_name() {
    let sandbox = Sandbox::with_shop();
    let names = sandbox.run(["design", "list", "-o", "name"]).succeeds();
    assert_eq!(names.stdout, "design/shop\n");
    for verb in [
        &["view"][..],
        &["render"],
        &["deploy", "--dry-run=client"],
        &["delete", "--yes"],
    ] {
        sandbox
            .run([&["design"], verb, &["design/shop"]].concat())
            .succeeds();
    }
    sandbox
        .run(["system", "context", "create", "staging"])
        .succeeds();
    sandbox
        .run(["system", "context", "view", "context/staging"])
        .succeeds();
}

#[test]
fn a_context_that_no_kubeconfig_has_is_not_planned_for() {
    let sandbox = Sandbox::with_shop();
    let kubeconfig = "apiVersion: v1\nkind: Config\ncontexts:\n- name: staging\n  context: {cluster: a, user: a}\n";
    sandbox.write("kubeconfig", kubeconfig);
    let deploy = |context| {
        let arguments = [
            "design",
            "deploy",
            "shop",
            "--dry-run=client",
            "--kubeconfig",
        ];
        sandbox.run(
            arguments
                .iter()
                .chain(&["kubeconfig", "--context", context]),
        )
    };
    deploy("staging").succeeds();
    let run = deploy("stagin").fails(5, "E0502");
    assert!(run.stderr.contains("did you mean \"staging\"?"), "{run}");
}
