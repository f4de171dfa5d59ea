//! The root of the command line: global flags and nouns, and the way from arguments to an exit
//! code. Rules that hold for every flag are put into the tree here, once.

use std::{ffi::OsString, process::ExitCode, time::Duration};

use clap::{Arg, ArgAction, CommandFactory, FromArgMatches, Parser, Subcommand};
use tokio_util::sync::CancellationToken;

use crate::{
    commands::{
        Outcome, completion, config, design, explain, help, model, schema, system, tenant, version,
    },
    config::Origin,
    context::{Context, Surrounding},
    error::{Code, Error, Result},
    output::{Delivered, Format, Report, page},
};

/// Designs, models and reconciliation for Kubernetes in one binary.
#[derive(Parser, Debug)]
#[command(
    name = "weftctl",
    bin_name = "weftctl",
    disable_help_subcommand = true,
    version,
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 100,
    after_help = "Examples:\n  weftctl design deploy shop.yaml --dry-run=client\n  weftctl design import shop.yaml"
)]
pub struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags of every command.
#[derive(clap::Args, Debug, Default)]
#[command(next_help_heading = "Global options")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag that is there or not"
)]
pub struct Global {
    /// Output format: table, wide, name, json, yaml, jsonpath=…, template=…
    #[arg(short, long, global = true, value_name = "FORMAT", add = completion::formats())]
    pub output: Option<String>,
    /// Leave the headings of tables out
    #[arg(long, global = true, hide_short_help = true)]
    pub no_headers: bool,
    /// When to use colours
    #[arg(long, global = true, hide_short_help = true, value_name = "WHEN", value_parser = ["auto", "always", "never"])]
    pub color: Option<String>,
    /// Say less on stderr
    #[arg(
        short,
        long,
        global = true,
        hide_short_help = true,
        conflicts_with = "verbose"
    )]
    pub quiet: bool,
    /// Say more on stderr; twice for everything
    #[arg(short, long, global = true, hide_short_help = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Never ask; fail where a question would be needed
    #[arg(long, global = true, hide_short_help = true, overrides_with = "input")]
    pub no_input: bool,
    /// Ask, whatever a setting says
    #[arg(long, global = true, hide = true, overrides_with = "no_input")]
    pub input: bool,
    /// Another configuration file than the user's own
    #[arg(long, global = true, hide_short_help = true, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub config: Option<std::path::PathBuf>,
    /// Use a server: the name of a context, "local" for the one that system start runs, or a URL
    #[arg(long, global = true, hide_short_help = true, value_name = "NAME|URL", add = completion::servers())]
    pub server: Option<String>,
    /// File that holds the server's token
    #[arg(long, global = true, hide_short_help = true, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub token_file: Option<std::path::PathBuf>,
    /// How long one call to a remote host may take, for example 90s or 5m
    #[arg(long, global = true, hide_short_help = true, value_name = "DURATION")]
    pub request_timeout: Option<String>,
}

/// How long a command may take to end after the first signal; a server may finish its requests.
const GRACE: Duration = Duration::from_secs(15);

/// The nouns, and the closed list of commands without one.
#[derive(Subcommand, Debug)]
#[expect(clippy::large_enum_variant, reason = "one value per process")]
pub enum Command {
    /// Import, check, compare, deploy and export designs
    Design(design::Design),
    /// Turn rows of a database into Kubernetes objects
    Tenant(tenant::Tenant),
    /// Models: what is known of a technology
    Model(model::Model),
    /// The server, its store, and named contexts
    System(system::System),
    /// Show and change settings
    Config(config::Config),
    /// JSON Schemas of what the commands print
    Schema(schema::Schema),
    /// Explain an error code, offline
    Explain(explain::Explain),
    /// Print a completion script
    Completion(completion::Completion),
    /// Check this machine and its settings
    Doctor(system::check::Check),
    /// Print versions
    Version(version::Version),
    /// Print the help of a command or a topic
    Help(help::Help),
}

impl Command {
    /// The report formats that the command has beside the common ones.
    fn reports(&self) -> &'static [Report] {
        match self {
            Self::Design(noun) => noun.reports(),
            Self::Tenant(noun) => noun.reports(),
            Self::Model(noun) => noun.reports(),
            _ => &[],
        }
    }

    /// Whether the command works when files or variables hold wrong settings: it needs none, or
    /// is there to find and mend them.
    fn needs_settings(&self) -> bool {
        match self {
            Self::Design(_) | Self::Tenant(_) | Self::Model(_) => true,
            Self::System(noun) => !noun.is_check(),
            Self::Config(noun) => !noun.mends(),
            Self::Schema(_)
            | Self::Explain(_)
            | Self::Completion(_)
            | Self::Doctor(_)
            | Self::Version(_)
            | Self::Help(_) => false,
        }
    }

    /// Whether the command answers a question: exit 1 is "no", and 3 is "could not tell".
    fn is_predicate(&self) -> bool {
        match self {
            Self::Design(noun) => noun.is_predicate(),
            Self::Tenant(noun) => noun.is_predicate(),
            Self::Model(noun) => noun.is_predicate(),
            Self::System(noun) => noun.is_check(),
            Self::Doctor(_) => true,
            _ => false,
        }
    }

    /// Whether the command waits for nothing: it needs no threads, no timers and no signals.
    fn is_at_once(&self, cx: &Context) -> bool {
        match self {
            Self::Config(_)
            | Self::Schema(_)
            | Self::Explain(_)
            | Self::Completion(_)
            | Self::Help(_) => true,
            Self::Version(_) => cx.config.get("server").is_empty(),
            Self::Design(_)
            | Self::Tenant(_)
            | Self::Model(_)
            | Self::System(_)
            | Self::Doctor(_) => false,
        }
    }

    /// Whether it writes the configuration file, which need not be there yet, or tells of it.
    fn makes_config(&self) -> bool {
        match self {
            Self::Config(noun) => noun.makes_config(),
            Self::System(noun) => noun.makes_config(),
            Self::Doctor(_) => true,
            _ => false,
        }
    }

    async fn run(self, cx: &Context) -> Result<Outcome> {
        match self {
            Self::Design(noun) => noun.run(cx).await,
            Self::Tenant(noun) => noun.run(cx).await,
            Self::Model(noun) => noun.run(cx).await,
            Self::System(noun) => noun.run(cx).await,
            Self::Config(noun) => noun.run(cx),
            Self::Schema(noun) => noun.run(),
            Self::Explain(verb) => verb.run(),
            Self::Completion(verb) => verb.run(),
            Self::Doctor(verb) => verb.run(cx).await,
            Self::Version(verb) => verb.run(cx).await,
            Self::Help(verb) => verb.run(),
        }
    }
}

/// The command tree with the rules that hold for every flag: each boolean has a `--no-` form.
pub fn command() -> clap::Command {
    with_negations(Cli::command())
}

fn with_negations(mut command: clap::Command) -> clap::Command {
    let flags: Vec<(String, String, bool)> = command
        .get_arguments()
        .filter(|arg| matches!(arg.get_action(), ArgAction::SetTrue))
        .filter_map(|arg| {
            Some((
                arg.get_id().to_string(),
                arg.get_long()?.to_owned(),
                arg.is_global_set(),
            ))
        })
        .collect();
    for (id, long, global) in flags {
        let opposite = match long.strip_prefix("no-") {
            Some(rest) => rest.to_owned(),
            None => format!("no-{long}"),
        };
        if command
            .get_arguments()
            .any(|arg| arg.get_long() == Some(&opposite))
        {
            continue;
        }
        let negation = Arg::new(format!("not-{id}"))
            .long(opposite)
            .action(ArgAction::SetTrue)
            .global(global)
            .hide(true)
            .overrides_with(id.clone());
        command = command.arg(negation).mut_arg(&id, |arg| {
            let other = format!("not-{id}");
            arg.overrides_with(other)
        });
    }
    command.mut_subcommands(with_negations)
}

/// Runs the program; the exit codes are those of [`crate::error::Kind`].
pub fn main() -> ExitCode {
    install_panic_hook();
    completion::complete_if_asked();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let code = run(&arguments);
    ExitCode::from(u8::try_from(code).unwrap_or(70))
}

fn run(arguments: &[OsString]) -> i32 {
    let surrounding = Surrounding::read();
    let cli = match parse(arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, arguments, &surrounding),
    };
    if let Some(name) = repeated(arguments) {
        let error = Error::new(Code::Usage, format!("{name} was given more than once"));
        let format = asked_format(arguments, &surrounding);
        return fail(&surrounding.plain_terminal(false), format.as_ref(), &error);
    }
    let cancel = CancellationToken::new();
    let (predicate, reports) = (cli.command.is_predicate(), cli.command.reports());
    let needs_settings = cli.command.needs_settings();
    let cx = Context::new(&cli.global, reports, surrounding, cancel, needs_settings);
    let mut cx = match cx {
        Ok(cx) => cx,
        Err((terminal, format, error)) => return fail(&terminal, format.as_ref(), &error),
    };
    if !cli.command.makes_config()
        && let Err(error) = cx.config.require_file()
    {
        return fail(&cx.terminal, Some(&cx.format), &error);
    }
    if matches!(cli.command, Command::Completion(_)) && *cx.config.origin("output") != Origin::Flag
    {
        // A shell reads it, whatever the user likes to read.
        cx.format = Format::Table;
    }
    log_retries(cx.terminal.verbosity());
    let at_once = cli.command.is_at_once(&cx);
    let outcome = match runtime(at_once) {
        Ok(runtime) => {
            let outcome = runtime.block_on(async {
                let signals = (!at_once)
                    .then(|| crate::context::watch_signals(cx.cancel.clone(), cx.signal.clone()));
                let outcome = Box::pin(until_interrupted(cli.command.run(&cx), &cx)).await;
                cx.finish().await;
                if let Some(signals) = signals {
                    signals.abort();
                }
                outcome
            });
            // A blocking read of standard input must not keep the process.
            runtime.shutdown_background();
            outcome
        }
        Err(error) => Err(error),
    };
    let result = outcome.and_then(|outcome| deliver(&cx, &outcome));
    result.unwrap_or_else(|error| {
        let error = match (error.code(), cx.interrupted()) {
            // What says where it was interrupted says more than the signal does.
            (Code::Interrupted, Some(signal)) if error.place().context.is_some() => {
                error.coded(signal.code())
            }
            (Code::Interrupted, Some(signal)) => signal,
            _ if predicate => error.undecided(),
            _ => error,
        };
        fail(&cx.terminal, Some(&cx.format), &error)
    })
}

/// Shows with `-v` what is tried again and waited for, with `-vv` everything.
fn log_retries(verbosity: u8) {
    let level = match verbosity {
        0 => return,
        1 => tracing::Level::INFO,
        _ => tracing::Level::DEBUG,
    };
    log(level);
}

/// Logs to stderr. What database servers have to say may be a secret: notices repeat what they like.
pub(crate) fn log(level: tracing::Level) {
    use tracing_subscriber::{
        Layer,
        filter::{LevelFilter, Targets},
        fmt,
        layer::SubscriberExt,
        registry,
        util::SubscriberInitExt,
    };
    let shown = Targets::new()
        .with_default(level)
        .with_target("sqlx", LevelFilter::OFF);
    let lines = fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false);
    let _ = registry().with(lines.with_filter(shown)).try_init();
}

/// Lets a command end by itself after the first signal, but not for ever: what it was doing is
/// undone with the process, because every write is whole or not at all.
async fn until_interrupted(
    command: impl Future<Output = Result<Outcome>>,
    cx: &Context,
) -> Result<Outcome> {
    let overdue = async {
        cx.cancel.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        outcome = command => outcome,
        () = overdue => Err(cx.interrupted().unwrap_or_else(|| Error::internal("cancelled"))),
    }
}

fn runtime(at_once: bool) -> Result<tokio::runtime::Runtime> {
    let built = if at_once {
        tokio::runtime::Builder::new_current_thread().build()
    } else {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
    };
    built.map_err(|error| Error::internal("cannot start the runtime").because(error))
}

fn parse(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    let mut matches = command().try_get_matches_from(arguments)?;
    Cli::from_arg_matches_mut(&mut matches)
}

fn deliver(cx: &Context, outcome: &Outcome) -> Result<i32> {
    let delivered = outcome.print(&cx.format, &cx.terminal)?;
    if let Some(error) = outcome.error() {
        return Err(error.clone());
    }
    if let (Delivered::All, Some(hint)) = (delivered, outcome.next()) {
        cx.terminal.hint(hint);
    }
    // A reader who went away has what it wanted.
    Ok(outcome.exit_code())
}

fn fail(terminal: &crate::output::Terminal, format: Option<&Format>, error: &Error) -> i32 {
    terminal.error(error, format.is_some_and(Format::is_json));
    error.kind().exit_code()
}

/// Help goes to stdout with exit 0, everything else is a usage error in our form.
fn usage(error: &clap::Error, arguments: &[OsString], surrounding: &Surrounding) -> i32 {
    use clap::error::ErrorKind;
    let color = asked(arguments, &["--color"]).contains(&"never");
    let terminal = surrounding.plain_terminal(color);
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        let mut text = error.render().to_string();
        if arguments.iter().any(|argument| argument == "--help") {
            text += &help::more();
        }
        return match page::print(&text, &terminal) {
            Ok(_) => 0,
            Err(error) => fail(
                &terminal,
                None,
                &Error::new(Code::OutputFailed, "cannot write to standard output").because(error),
            ),
        };
    }
    let structured = asked_format(arguments, surrounding).is_some_and(|format| format.is_json());
    let text = error.render().to_string();
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        if !structured {
            terminal.lines(text.lines().map(Into::into));
            return 2;
        }
        let mut report = Error::new(Code::Usage, "a command is missing");
        if let Some(usage) = text.lines().find_map(|line| line.strip_prefix("Usage: ")) {
            report = report.because(format!("usage: {usage}"));
        }
        terminal.error(&report, structured);
        return report.kind().exit_code();
    }
    let mut paragraphs = text.trim().split("\n\n");
    let message = paragraphs.next().unwrap_or("wrong command line");
    let message = message.strip_prefix("error: ").unwrap_or(message);
    let mut report = Error::new(
        Code::Usage,
        message.lines().map(str::trim).collect::<Vec<_>>().join(" "),
    );
    let mut found = false;
    for line in paragraphs.flat_map(str::lines).map(str::trim) {
        if let Some(tip) = line.strip_prefix("tip: ") {
            report = report.hint(tip);
            found = true;
        } else if let Some(usage) = line.strip_prefix("Usage: ") {
            report = report.because(format!("usage: {usage}"));
        }
    }
    if !found {
        report = report.hint(Code::Usage.entry().hint);
    }
    terminal.error(&report, structured);
    report.kind().exit_code()
}

/// The output format of a command line that can't be parsed, so that its error has that form.
fn asked_format(arguments: &[OsString], surrounding: &Surrounding) -> Option<Format> {
    let flag = asked(arguments, &["--output", "-o"])
        .pop()
        .map(str::to_owned);
    let found = flag.or_else(|| surrounding.variable("WEFT_OUTPUT"))?;
    Format::parse(&found, &[]).ok()
}

/// A flag of every command that has one value and was given two. Of flags that stand before and
/// behind the command clap would take one in silence.
fn repeated(arguments: &[OsString]) -> Option<&'static str> {
    const SINGLE: [&[&str]; 6] = [
        &["--output", "-o"],
        &["--color"],
        &["--config"],
        &["--server"],
        &["--token-file"],
        &["--request-timeout"],
    ];
    let mut flags = SINGLE.into_iter();
    flags
        .find(|names| asked(arguments, names).len() > 1)
        .and_then(|names| names.first().copied())
}

/// The values of a flag on a command line, parsed or not.
fn asked<'a>(arguments: &'a [OsString], names: &[&str]) -> Vec<&'a str> {
    let mut found = Vec::new();
    let mut arguments = arguments.iter().filter_map(|argument| argument.to_str());
    while let Some(argument) = arguments.next().filter(|argument| *argument != "--") {
        for name in names {
            let Some(rest) = argument.strip_prefix(name) else {
                continue;
            };
            if rest.is_empty() {
                found.extend(arguments.next());
            } else if rest.starts_with('=') || !name.starts_with("--") {
                found.push(rest.trim_start_matches('='));
            }
            break;
        }
    }
    found
}

/// A panic is a bug: one error of ours, exit 70, and no secret that a message might hold.
fn install_panic_hook() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(|location| format!("{}:{}", location.file(), location.line()))
            .unwrap_or_default();
        let error = Error::internal("the program met a state that should be impossible")
            .because(format!("panic at {place}"));
        let surrounding = Surrounding::read();
        let arguments: Vec<OsString> = std::env::args_os().collect();
        let format = asked_format(&arguments, &surrounding);
        let structured = format.is_some_and(|format| format.is_json());
        surrounding.plain_terminal(false).error(&error, structured);
        std::process::exit(error.kind().exit_code());
    }));
}
