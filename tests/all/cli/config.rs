//! `config` and `system context`: the user's file, and what it chooses.

use std::process::Stdio;

use crate::support::Sandbox;

/// A sandbox with the contexts `prod` and `staging`.
fn with_contexts() -> Sandbox {
    let sandbox = Sandbox::new();
    for name in ["prod", "staging"] {
        sandbox
            .run(["system", "context", "create", name, "--namespace", "shop"])
            .succeeds();
    }
    sandbox
}

#[test]
fn comments_in_the_file_outlive_every_change_of_contexts() {
    let sandbox = Sandbox::new();
    let file = sandbox.write(
        "home/weft/config.yaml",
        "# mine\ncontexts:\n  # the real one\n  prod:\n    namespace: shop # never default\n",
    );
    sandbox
        .run(["system", "context", "create", "spare", "--set"])
        .succeeds();
    sandbox
        .run(["system", "context", "delete", "spare", "--confirm", "spare"])
        .succeeds();
    sandbox.run(["config", "set", "output", "json"]).succeeds();
    insta::assert_snapshot!(std::fs::read_to_string(file).expect("the file"), @r"
    # mine
    contexts:
      # the real one
      prod:
        namespace: shop # never default
    output: json
    ");
}

#[test]
fn of_several_who_create_one_context_one_wins() {
    let sandbox = Sandbox::new();
    let mut children: Vec<_> = (0..6)
        .map(|_| {
            let mut command = sandbox.command(["system", "context", "create", "race"]);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            command.spawn().expect("it starts")
        })
        .collect();
    let mut codes: Vec<_> = children
        .iter_mut()
        .map(|child| child.wait().expect("it ends").code())
        .collect();
    codes.sort_unstable();
    assert_eq!(codes, [[Some(0)].as_slice(), &[Some(6); 5]].concat());
}

#[test]
fn a_current_context_that_is_not_there_is_refused_wherever_it_counts() {
    let sandbox = with_contexts();
    let set = ["config", "set", "current-context"];
    let run = sandbox.run(set.iter().chain(&["prdo"])).fails(5, "E0502");
    assert!(run.stderr.contains("did you mean \"prod\"?"), "{run}");
    let list = |variable: Option<&str>| {
        let mut command = sandbox.command(["design", "list"]);
        if let Some(name) = variable {
            command.env("WEFT_CURRENT_CONTEXT", name);
        }
        sandbox.finish(&mut command, None)
    };
    list(None).succeeds();
    let run = list(Some("prdo")).fails(5, "E0502");
    assert!(run.stderr.contains("did you mean \"prod\"?"), "{run}");
    let text = std::fs::read_to_string(sandbox.home().join("config.yaml")).expect("the file");
    sandbox.write(
        "home/weft/config.yaml",
        format!("current-context: prdo\n{text}"),
    );
    list(None).fails(5, "E0502");
    sandbox.run(["system", "context", "view"]).fails(5, "E0502");
    // What mends it isn't held up by it.
    sandbox
        .run(["system", "context", "switch", "prod"])
        .succeeds();
    list(None).succeeds();
}

#[test]
fn a_configuration_file_that_is_named_must_be_there_unless_it_is_made() {
    let sandbox = Sandbox::with_shop();
    for line in [
        &["design", "list"][..],
        &["version"],
        &["config", "view"],
        &["system", "context", "list"],
    ] {
        let named = line.iter().chain(&["--config", "nope.yaml"]);
        let run = sandbox.run(named).fails(5, "E0105");
        assert!(run.stderr.contains("nope.yaml"), "{run}");
        let mut command = sandbox.command(line);
        command.env("WEFT_CONFIG", "nope.yaml");
        sandbox.finish(&mut command, None).fails(5, "E0105");
    }
    sandbox
        .run(["config", "set", "output", "json", "--config", "one.yaml"])
        .succeeds();
    sandbox
        .run([
            "system", "context", "create", "prod", "--config", "two.yaml",
        ])
        .succeeds();
    sandbox
        .run(["system", "context", "view", "prod", "--config", "two.yaml"])
        .succeeds();
}

#[cfg(unix)]
#[test]
fn a_token_goes_to_the_server_of_its_context_and_others_may_not_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = Sandbox::with_shop();
    let server = sandbox.start_server();
    let token = sandbox.write("token", &server.token);
    let mode = |mode| {
        std::fs::set_permissions(&token, std::fs::Permissions::from_mode(mode)).expect("a mode");
    };
    sandbox.write("wrong", "f".repeat(64));
    mode(0o600);
    let create = ["system", "context", "create", "prod", "--url", &server.url];
    sandbox
        .run(create.iter().chain(&["--token-file", "token"]))
        .succeeds();
    sandbox
        .run(["config", "set", "token-file", "wrong"])
        .succeeds();
    let list = ["design", "list", "--server", "prod"];
    sandbox.run(list).succeeds();
    mode(0o644);
    let run = sandbox.run(list).fails(4, "E0401");
    assert!(run.stderr.contains("chmod 600"), "{run}");
}

#[test]
fn a_contexts_token_file_is_kept_with_it() {
    let sandbox = Sandbox::new();
    sandbox
        .run([
            "system",
            "context",
            "create",
            "prod",
            "--url",
            "http://127.0.0.1:1",
            "--token-file",
            "token",
        ])
        .succeeds();
    let view = sandbox.run(["system", "context", "view", "prod", "-o", "json"]);
    let view = view.succeeds().json();
    assert_eq!(view["tokenFile"], "[SANDBOX]/token");
}
