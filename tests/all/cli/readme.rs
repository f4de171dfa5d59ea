//! The README's transcripts: each `console` block is run, and prints what it shows.

use std::path::Path;

use crate::support::{SHOP, Sandbox, WEFTCTL};

const README: &str = include_str!("../../../README.md");

/// The `console` blocks: each line behind `$ `, with the output below it.
fn transcripts() -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut inside = false;
    for line in README.lines() {
        match line {
            "```console" => inside = true,
            "```" => inside = false,
            _ if !inside => {}
            _ => match (line.strip_prefix("$ "), found.last_mut()) {
                (Some(command), _) => found.push((command.to_owned(), String::new())),
                (None, Some((_, output))) => {
                    output.push_str(line);
                    output.push('\n');
                }
                (None, None) => panic!("output before any command: {line}"),
            },
        }
    }
    found
}

#[test]
fn the_readme_shows_what_the_program_prints() {
    let sandbox = Sandbox::new();
    sandbox.write("shop.yaml", SHOP);
    sandbox.write("typo.yaml", SHOP.replace("replicas: 2", "replica: 2"));
    let programs = Path::new(WEFTCTL).parent().expect("a folder").to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::iter::once(programs).chain(std::env::split_paths(&path));
    let path = std::env::join_paths(path).expect("a path");
    let transcripts = transcripts();
    assert!(transcripts.len() >= 4, "{transcripts:?}");
    for (command, output) in transcripts {
        let line = format!("exec 2>&1; {command}");
        let mut shell = sandbox.command_of("sh", ["-c", &line]);
        let run = sandbox.finish(shell.env("PATH", &path), None);
        assert_eq!(run.stdout, output, "$ {command}");
    }
}
