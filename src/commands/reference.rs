//! The reference: man pages, a Markdown page and completion scripts, all made from the command
//! tree. They are committed; a test compares them, and writes them when `WEFT_REGENERATE=1`.

use std::fmt::Write;

use clap::{Arg, Command};
use clap_mangen::{
    Man,
    roff::{Roff, bold, roman},
};

use super::{completion, help};
use crate::{
    error::{Error, Kind, Result},
    service::system::VERSION,
};

/// The shells that have a completion script, with the name of its file.
const SCRIPTS: &[(&str, &str)] = &[
    ("bash", "weftctl.bash"),
    ("zsh", "_weftctl"),
    ("fish", "weftctl.fish"),
    ("powershell", "weftctl.ps1"),
    ("elvish", "weftctl.elv"),
];

/// A generated file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name within its folder.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// What belongs into `completions/`.
///
/// # Errors
/// When a script can't be made: a bug.
pub fn completions() -> Result<Vec<File>> {
    let files = SCRIPTS.iter().map(|(shell, name)| {
        Ok(File {
            name: (*name).to_owned(),
            text: format!("{}\n", completion::script(shell)?.trim()),
        })
    });
    files.collect()
}

/// What belongs into `man/`: a page per command, nouns included, and the Markdown reference.
///
/// # Errors
/// When a page can't be made: a bug.
pub fn manual() -> Result<Vec<File>> {
    let mut files = vec![File {
        name: "weftctl.md".to_owned(),
        text: markdown(),
    }];
    let root = built();
    for (command, above) in commands(&root) {
        files.push(File {
            name: format!("{}.1", page_name(command)),
            text: page(command, above)?,
        });
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

fn built() -> Command {
    let mut root = crate::cli::command();
    root.build();
    root
}

/// Every command in the order of its help, each with the one above it.
fn commands(root: &Command) -> Vec<(&Command, Option<&Command>)> {
    fn visit<'a>(
        command: &'a Command,
        above: Option<&'a Command>,
        found: &mut Vec<(&'a Command, Option<&'a Command>)>,
    ) {
        found.push((command, above));
        for below in verbs(command) {
            visit(below, Some(command), found);
        }
    }
    let mut found = Vec::new();
    visit(root, None, &mut found);
    found
}

fn verbs(command: &Command) -> impl Iterator<Item = &Command> {
    command
        .get_subcommands()
        .filter(|below| !below.is_hide_set())
}

fn page_name(command: &Command) -> &str {
    command.get_display_name().unwrap_or(command.get_name())
}

fn full_name(command: &Command) -> &str {
    command.get_bin_name().unwrap_or(command.get_name())
}

/// The help behind the options, without its heading.
fn examples(command: &Command) -> Vec<String> {
    let text = command.get_after_help().map(ToString::to_string);
    let text = text.unwrap_or_default();
    text.lines()
        .filter(|line| *line != "Examples:")
        .map(|line| line.trim_start().to_owned())
        .collect()
}

fn page(command: &Command, above: Option<&Command>) -> Result<String> {
    // A man page has no terminal that help could be wrapped for.
    let whole = command.clone().mut_args(|arg| arg.hide_short_help(false));
    let man = Man::new(whole)
        .title(page_name(command).to_uppercase())
        .source(format!("weftctl {VERSION}"))
        .manual("weftctl manual");
    let mut page = Vec::new();
    let fail = |error| Error::internal("a man page could not be made").because(error);
    man.render_title(&mut page)
        .and_then(|()| man.render_name_section(&mut page))
        .and_then(|()| synopsis(command).to_writer(&mut page))
        .and_then(|()| man.render_description_section(&mut page))
        .and_then(|()| man.render_options_section(&mut page))
        .map_err(fail)?;
    let mut rest = Roff::new();
    let mut below = verbs(command).peekable();
    if below.peek().is_some() {
        rest.control("SH", ["COMMANDS"]);
        for verb in below {
            rest.control("TP", []);
            rest.text([bold(format!("{}(1)", page_name(verb)))]);
            let about = verb.get_about().map(ToString::to_string);
            rest.text([roman(about.unwrap_or_default())]);
        }
    }
    let examples = examples(command);
    if !examples.is_empty() {
        rest.control("SH", ["EXAMPLES"]);
        verbatim(&mut rest, examples.iter().map(String::as_str));
    }
    rest.control("SH", ["EXIT STATUS"]);
    for (code, meaning) in exit_codes() {
        rest.control("TP", []);
        rest.text([bold(code.to_string())]);
        rest.text([roman(meaning)]);
    }
    rest.control("SH", ["ENVIRONMENT"]);
    if above.is_none() {
        let text = help::environment();
        verbatim(&mut rest, text.lines().skip(2));
    } else {
        let mut names = help::variables().map(|(name, _)| name).collect::<Vec<_>>();
        names.sort_unstable();
        rest.text([roman(format!(
            "The variables of every command are explained in weftctl(1): {}.",
            names.join(", ")
        ))]);
    }
    rest.control("SH", ["SEE ALSO"]);
    let mut others: Vec<String> = Vec::new();
    if let Some(above) = above {
        others.push("weftctl(1)".to_owned());
        let siblings = std::iter::once(above).chain(verbs(above));
        others.extend(
            siblings
                .map(page_name)
                .filter(|name| *name != "weftctl" && *name != page_name(command))
                .map(|name| format!("{name}(1)")),
        );
    } else {
        others.push("weftctl-help(1)".to_owned());
        others.push("weftctl-explain(1)".to_owned());
    }
    rest.text([roman(others.join(", "))]);
    rest.to_writer(&mut page).map_err(fail)?;
    let text = String::from_utf8(page)
        .map_err(|error| Error::internal("a man page is not text").because(error))?;
    // Each section brings the preamble anew.
    let mut lines: Vec<&str> = Vec::new();
    for line in text.lines().map(str::trim_end) {
        let preamble = line.starts_with(".ie ") || line.starts_with(".el ");
        if !preamble || lines.len() < 2 {
            lines.push(line);
        }
    }
    Ok(format!("{}\n", lines.join("\n")))
}

fn synopsis(command: &Command) -> Roff {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    let mut section = Roff::new();
    section.control("SH", ["SYNOPSIS"]);
    verbatim(&mut section, usage.lines().map(str::trim_start));
    section
}

fn verbatim<'a>(page: &mut Roff, lines: impl Iterator<Item = &'a str>) {
    page.control("nf", []);
    for line in lines {
        page.text([roman(line)]);
    }
    page.control("fi", []);
}

fn exit_codes() -> impl Iterator<Item = (i32, &'static str)> {
    std::iter::once((0, "success; for predicate commands \"yes\"")).chain(
        Kind::ALL
            .into_iter()
            .map(|(_, code, meaning)| (code, meaning)),
    )
}

/// The Markdown reference: one page for all commands.
fn markdown() -> String {
    let root = built();
    let mut text = String::from(
        "# weftctl\n\n<!-- Generated from the command tree: WEFT_REGENERATE=1 cargo test --test all generated -->\n",
    );
    let _ = write!(text, "\n{}\n", about(&root));
    text.push_str("\n## Options of every command\n\n");
    for arg in root.get_arguments().filter(|arg| !arg.is_hide_set()) {
        option(&mut text, arg);
    }
    text.push_str("\n## Exit codes\n\n| Code | Meaning |\n| --- | --- |\n");
    for (code, meaning) in exit_codes() {
        let _ = writeln!(text, "| {code} | {meaning} |");
    }
    text.push_str("\n## Environment\n\n| Variable | Meaning |\n| --- | --- |\n");
    for (name, meaning) in help::variables() {
        let _ = writeln!(text, "| `{name}` | {meaning} |");
    }
    text.push_str("\n## Commands\n\n");
    let leaves = |command: &Command| verbs(command).next().is_none();
    for (command, _) in commands(&root).into_iter().filter(|(c, _)| leaves(c)) {
        let name = full_name(command);
        let _ = writeln!(
            text,
            "- [`{name}`](#{}): {}",
            name.replace(' ', "-"),
            short(command)
        );
    }
    for (command, _) in commands(&root).into_iter().filter(|(c, _)| leaves(c)) {
        section(&mut text, command);
    }
    text
}

fn section(text: &mut String, command: &Command) {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    let _ = write!(
        text,
        "\n### {}\n\n{}\n\n```text\n{usage}\n```\n",
        full_name(command),
        about(command)
    );
    let own = || {
        command
            .get_arguments()
            .filter(|arg| !arg.is_hide_set() && !arg.is_global_set() && arg.get_id() != "help")
    };
    if own().next().is_some() {
        text.push('\n');
        own().for_each(|arg| option(text, arg));
    }
    let examples = examples(command);
    if !examples.is_empty() {
        let _ = write!(text, "\n```sh\n{}\n```\n", examples.join("\n"));
    }
}

fn about(command: &Command) -> String {
    command
        .get_long_about()
        .or(command.get_about())
        .map(ToString::to_string)
        .unwrap_or_default()
}

fn short(command: &Command) -> String {
    command
        .get_about()
        .map(ToString::to_string)
        .unwrap_or_default()
}

/// One line of a list: the flag or argument, what it is, what it may be.
fn option(text: &mut String, arg: &Arg) {
    let values: Vec<String> = arg
        .get_possible_values()
        .iter()
        .map(|v| v.get_name().to_owned())
        .collect();
    let takes_values = arg.get_num_args().is_none_or(|n| n.takes_values());
    let mut name = String::new();
    if arg.is_positional() {
        let _ = write!(name, "{arg}");
    } else {
        if let Some(short) = arg.get_short() {
            let _ = write!(name, "-{short}, ");
        }
        let _ = write!(name, "--{}", arg.get_long().unwrap_or_default());
        if takes_values && let Some(names) = arg.get_value_names() {
            for value in names {
                let _ = write!(name, " {value}");
            }
        }
    }
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let _ = write!(text, "- `{name}`: {help}");
    if takes_values && !values.is_empty() {
        let _ = write!(text, " ({})", values.join(", "));
    }
    text.push('\n');
}
