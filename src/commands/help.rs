//! `help`: the help of a command, and topics that belong to no single one.

use serde::Serialize;

use super::{Outcome, completion};
use crate::{
    config::KEYS,
    error::{Code, Error, Kind, Result},
    output::{FORMATS, Human, View, human},
    service::source::{Limits, flag},
};

/// Print the help of a command, or a topic: annotations, environment, exit-codes, formats, limits.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  weftctl help design import\n  weftctl help exit-codes")]
pub struct Help {
    /// A command, or a topic
    #[arg(add = completion::topics())]
    topic: Vec<String>,
}

/// A page of help.
#[derive(Serialize, schemars::JsonSchema)]
pub struct HelpText {
    /// The command or topic.
    topic: String,
    /// The page.
    text: String,
}

impl View for HelpText {
    const KIND: &'static str = "HelpText";

    fn human(&self) -> Human {
        Human::Page(self.text.clone())
    }

    fn names(&self) -> Vec<String> {
        vec![format!("help/{}", self.topic)]
    }
}

type Topic = (&'static str, fn() -> String);

const TOPICS: &[Topic] = &[
    ("annotations", annotations),
    ("environment", environment),
    ("exit-codes", exit_codes),
    ("formats", formats),
    ("limits", limits),
];

/// Command names and topics, for completion.
pub fn topics() -> Vec<String> {
    let command = crate::cli::command();
    let commands = command.get_subcommands().map(|c| c.get_name().to_owned());
    commands
        .chain(TOPICS.iter().map(|t| t.0.to_owned()))
        .collect()
}

impl Help {
    /// Finds the page.
    pub fn run(self) -> Result<Outcome> {
        let topic = self.topic.join(" ");
        if let Some((_, page)) = TOPICS.iter().find(|(name, _)| *name == topic) {
            return Ok(HelpText {
                topic,
                text: page(),
            }
            .into());
        }
        let mut command = crate::cli::command();
        command.build();
        let mut found = &mut command;
        for word in &self.topic {
            let names: Vec<String> = found
                .get_subcommands()
                .map(|c| c.get_name().to_owned())
                .collect();
            let Some(next) = found.find_subcommand_mut(word) else {
                return Err(Error::new(
                    Code::CodeUnknown,
                    format!("no command or topic {topic:?}"),
                )
                .did_you_mean(word, names.iter().map(String::as_str))
                .hint("see what there is: weftctl help"));
            };
            found = next;
        }
        let text = found.render_long_help().to_string() + &more();
        Ok(HelpText { topic, text }.into())
    }
}

/// What every long help ends with.
pub fn more() -> String {
    let codes: Vec<String> = Kind::ALL.iter().map(|row| row.1.to_string()).collect();
    format!(
        "\nMore:\n  \
         exit codes   0 is success, the others are {}: weftctl help exit-codes\n  \
         environment  WEFT_OUTPUT, WEFT_SERVER and others: weftctl help environment\n  \
         formats      of -o: weftctl help formats\n  \
         limits       of input, and their flags: weftctl help limits\n  \
         related      commands beside this one: the man page, and man/weftctl.md\n",
        codes.join(", ")
    )
}

fn annotations() -> String {
    use std::fmt::Write;
    let mut text = String::from("Annotations of objects that say how a deployment treats them:\n");
    for (name, values, meaning) in weft_domain::resource::ANNOTATIONS {
        let _ = write!(text, "\n  {name}: {values}\n      {meaning}\n");
    }
    text
}

fn exit_codes() -> String {
    use std::fmt::Write;
    let mut text = String::from("Exit codes:\n\n    0  success; for predicate commands \"yes\"\n");
    for (_, code, meaning) in Kind::ALL {
        let _ = writeln!(text, "  {code:>3}  {meaning}");
    }
    text.push_str(
        "\nPredicate commands answer a question: diff, validate, system check, doctor.\n\
         If several errors happen, the first in the order 70, 2, 4, 11, 10, 6, 5, 7, 8, 9, 1 wins.\n",
    );
    text
}

/// The text of the topic `environment`.
pub(super) fn environment() -> String {
    use std::fmt::Write;
    let mut text = String::from("Environment variables:\n\n");
    for (name, help) in variables() {
        let _ = writeln!(text, "  {name}\n      {help}");
    }
    text.push_str("\nAn empty variable counts as unset. Booleans are 1, 0, true or false.\n");
    text
}

/// The environment variables that count, with a line on each: our own by name, then the others.
pub(super) fn variables() -> impl Iterator<Item = (&'static str, &'static str)> {
    let own = [
        (
            "WEFT_HOME",
            "one folder for configuration, store, state and cache",
        ),
        ("WEFT_CONFIG", "another configuration file (--config)"),
        (
            "WEFT_CONTEXT",
            "kubeconfig contexts, separated by commas (--context)",
        ),
        (
            "WEFT_PAGER",
            "the pager of long text on a terminal; then PAGER; cat for none",
        ),
    ];
    let settings = KEYS.iter().map(|key| (key.variable, key.help));
    let standard = [
        ("CI", "set: never ask"),
        ("CLICOLOR_FORCE", "colours even in a pipe"),
        ("HTTP_PROXY, HTTPS_PROXY, NO_PROXY", "proxies for URLs"),
        ("KUBECONFIG", "kubeconfig files"),
        ("NO_COLOR", "no colours"),
        (
            "SSL_CERT_FILE, SSL_CERT_DIR",
            "trusted certificates instead of the system's",
        ),
        ("TMPDIR", "where temporary files are"),
        ("TERM", "dumb: no colours"),
        (
            "XDG_CONFIG_HOME, XDG_DATA_HOME, XDG_STATE_HOME, XDG_CACHE_HOME",
            "where files are",
        ),
        (
            "WEFT_TEST_NOW, WEFT_TEST_SEED",
            "a fixed time and counted ids, for tests",
        ),
    ];
    let mut rows: Vec<(&str, &str)> = own.into_iter().chain(settings).collect();
    rows.sort_unstable();
    rows.into_iter().chain(standard)
}

fn formats() -> String {
    use std::fmt::Write;
    let mut text = String::from("Output formats (-o):\n\n");
    for (name, help) in FORMATS {
        let _ = writeln!(text, "  {name:<10} {help}");
    }
    text.push_str("\nSome commands have more:\n\n");
    for (command, reports) in completion::REPORTS {
        let names: Vec<&str> = reports.iter().map(|report| report.name()).collect();
        let _ = writeln!(text, "  {command}: {}", names.join(", "));
    }
    text
}

fn limits() -> String {
    use std::fmt::Write;
    let text = weft_domain::yaml::Limits::STREAM;
    let design = weft_domain::yaml::Limits::DESIGN;
    let source = Limits::default();
    let rows = [
        ("one input", human::size(source.input), flag::INPUT),
        (
            "documents of one input",
            text.documents.to_string(),
            flag::DOCUMENTS,
        ),
        (
            "one document",
            human::size(text.document_bytes as u64),
            flag::DOCUMENT,
        ),
        (
            "one design",
            human::size(design.document_bytes as u64),
            flag::DOCUMENT,
        ),
        (
            "nodes of one document, aliases expanded",
            text.nodes.to_string(),
            flag::NODES,
        ),
        ("nodes of one design", design.nodes.to_string(), flag::NODES),
        ("depth of one document", text.depth.to_string(), ""),
        ("files per folder", source.files.to_string(), flag::FILES),
        (
            "an archive, unpacked",
            human::size(source.unpacked),
            flag::UNPACKED,
        ),
        (
            "the same, times its size",
            source.ratio.to_string(),
            flag::RATIO,
        ),
        (
            "entries of an archive",
            source.entries.to_string(),
            flag::ENTRIES,
        ),
        ("request over a socket", "128 MiB".to_owned(), ""),
        ("its headers", "64 KiB, 100".to_owned(), ""),
        ("redirects, retries", "5, 5".to_owned(), ""),
    ];
    let mut page = String::from("Limits of input, and the flags that change them:\n\n");
    for (what, limit, flag) in rows {
        let row = format!("  {what:<40} {limit:>11}  {flag}");
        let _ = writeln!(page, "{}", row.trim_end());
    }
    page
}
