//! `completion`, and the values that complete arguments: from local files, and from the chosen
//! server or else the store, which is only read; within 300 ms, at most 200, silent when anything
//! fails. Flags that stand on the line already (`--config`, `--server`) count.

use std::time::Duration;

use clap_complete::{
    CompleteEnv,
    engine::{ArgValueCompleter, CompletionCandidate},
    env::{EnvCompleter, Shells},
};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{Outcome, findings};
use crate::{
    api::{design::ListDesigns, operation::ListOperations},
    cli::Global,
    config::KEYS,
    context::{Context, Surrounding},
    error::{Code, Error, Result},
    output::{FORMATS, Human, Report, View},
    store::{self, Store},
};

/// How long the chosen server may take, and then the store.
const DEADLINE: Duration = Duration::from_millis(120);
const MOST: usize = 200;

/// The commands that print reports; a test compares them with what the commands say.
pub(super) const REPORTS: &[(&str, &[Report])] = &[
    ("design validate", findings::REPORTS),
    ("tenant lint", findings::REPORTS),
    ("model validate", findings::REPORTS),
];

/// Print a completion script; it calls back into this program, so it always fits.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl completion bash\n  weftctl completion fish\n\nTo use it: source <(weftctl completion bash), or in ~/.zshrc: source <(weftctl completion zsh)"
)]
pub struct Completion {
    /// The shell
    #[arg(value_parser = ["bash", "zsh", "fish", "powershell", "elvish"])]
    shell: String,
}

/// A completion script.
#[derive(Serialize, schemars::JsonSchema)]
pub struct CompletionScript {
    /// The shell.
    shell: String,
    /// The script.
    script: String,
}

impl View for CompletionScript {
    const KIND: &'static str = "CompletionScript";

    fn human(&self) -> Human {
        Human::Text(self.script.clone())
    }

    fn names(&self) -> Vec<String> {
        vec![format!("completion/{}", self.shell)]
    }
}

impl Completion {
    /// Makes the script.
    pub fn run(self) -> Result<Outcome> {
        let script = script(&self.shell)?;
        Ok(CompletionScript {
            shell: self.shell,
            script,
        }
        .into())
    }
}

/// The completion script of a shell.
///
/// # Errors
/// When the shell is unknown.
pub fn script(shell: &str) -> Result<String> {
    let shells = Shells::builtins();
    let unknown = || {
        Error::new(
            Code::Usage,
            format!("no completion for the shell {shell:?}"),
        )
    };
    let completer: &dyn EnvCompleter = shells.completer(shell).ok_or_else(unknown)?;
    let mut script = Vec::new();
    completer
        .write_registration("COMPLETE", "weftctl", "weftctl", "weftctl", &mut script)
        .map_err(|error| Error::internal("a completion script could not be made").because(error))?;
    String::from_utf8(script)
        .map_err(|error| Error::internal("a completion script is not text").because(error))
}

/// Answers a completion script that called back, and ends; does nothing otherwise.
pub fn complete_if_asked() {
    if std::env::var_os("COMPLETE").is_some_and(|shell| !shell.is_empty()) {
        CompleteEnv::with_factory(crate::cli::command).complete();
    }
}

/// Completes from a list that is made on demand.
fn values<F, I>(list: F) -> ArgValueCompleter
where
    F: Fn(&str) -> I + Send + Sync + 'static,
    I: IntoIterator<Item = CompletionCandidate>,
{
    ArgValueCompleter::new(move |current: &std::ffi::OsStr| {
        let Some(current) = current.to_str() else {
            return Vec::new();
        };
        list(current)
            .into_iter()
            .filter(|candidate| candidate.get_value().to_string_lossy().starts_with(current))
            .take(MOST)
            .collect()
    })
}

fn candidates<T: Into<String>>(list: impl IntoIterator<Item = T>) -> Vec<CompletionCandidate> {
    list.into_iter()
        .map(|value| CompletionCandidate::new(value.into()))
        .collect()
}

/// Output formats, and the reports of the command on the line.
pub fn formats() -> ArgValueCompleter {
    values(|_| {
        let common = FORMATS
            .iter()
            .map(|(name, help)| CompletionCandidate::new(*name).help(Some((*help).into())));
        let command = command_on_the_line();
        let own = REPORTS.iter().filter(|(name, _)| *name == command);
        let own = own.flat_map(|(_, reports)| reports.iter());
        common
            .chain(own.map(|report| CompletionCandidate::new(report.name())))
            .collect::<Vec<_>>()
    })
}

/// Error codes.
pub fn codes() -> ArgValueCompleter {
    values(|_| {
        Code::ALL
            .iter()
            .map(|code| CompletionCandidate::new(code.id()).help(Some(code.entry().title.into())))
            .collect::<Vec<_>>()
    })
}

/// Kinds of documents.
pub fn schemas() -> ArgValueCompleter {
    values(|_| candidates(super::schema::kinds().iter().map(|kind| kind.name)))
}

/// Configuration keys.
pub fn keys() -> ArgValueCompleter {
    values(|_| {
        KEYS.iter()
            .map(|key| CompletionCandidate::new(key.name).help(Some(key.help.into())))
            .collect::<Vec<_>>()
    })
}

/// Command names and help topics; behind a noun its verbs.
pub fn topics() -> ArgValueCompleter {
    values(|_| {
        let words = words();
        let before = words.iter().position(|word| word == "help");
        let before = words.get(before.map_or(words.len(), |at| at + 1)..words.len() - 1);
        let command = crate::cli::command();
        match before.unwrap_or_default() {
            [] => candidates(super::help::topics()),
            nouns => match descend(&command, nouns) {
                Some(noun) => candidates(noun.get_subcommands().map(clap::Command::get_name)),
                None => Vec::new(),
            },
        }
    })
}

/// Named contexts.
pub fn contexts() -> ArgValueCompleter {
    values(|_| candidates(context_names()))
}

/// What `--server` takes by name.
pub fn servers() -> ArgValueCompleter {
    values(|_| candidates(context_names().into_iter().chain(["local".to_owned()])))
}

/// Contexts of the kubeconfig.
pub fn kubeconfig_contexts() -> ArgValueCompleter {
    values(|_| candidates(crate::cluster::context_names(None).unwrap_or_default()))
}

/// Stored designs, and files.
pub fn designs() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &std::ffi::OsStr| {
        use clap_complete::engine::{PathCompleter, ValueCompleter};
        let text = current.to_string_lossy();
        let mut found: Vec<CompletionCandidate> = Vec::new();
        if !text.contains(['/', '\\']) {
            found = candidates(stored_designs(&text));
            found.retain(|c| c.get_value().to_string_lossy().starts_with(&*text));
        }
        found.extend(PathCompleter::any().complete(current));
        found.truncate(MOST);
        found
    })
}

/// Operations, by id.
pub fn operations() -> ArgValueCompleter {
    values(|_| candidates(stored_names(&Operations)))
}

/// Stored designs only.
pub fn stored() -> ArgValueCompleter {
    values(|current| candidates(stored_designs(current)))
}

/// The words of the line that is completed, the last one perhaps incomplete; never none.
fn words() -> Vec<String> {
    let mut words: Vec<String> = std::env::args_os()
        .skip_while(|word| word != "--")
        .skip(2)
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    if words.is_empty() {
        words.push(String::new());
    }
    words
}

/// The value of a flag on the line.
fn flag(words: &[String], name: &str) -> Option<String> {
    let mut words = words.iter();
    let mut found = None;
    while let Some(word) = words.next() {
        if word == name {
            found = words.next().cloned();
        } else if let Some(value) = word.strip_prefix(name).and_then(|v| v.strip_prefix('=')) {
            found = Some(value.to_owned());
        }
    }
    found.filter(|value| !value.is_empty())
}

/// Noun and verb of the line.
fn command_on_the_line() -> String {
    let command = crate::cli::command();
    let (mut at, mut names) = (&command, Vec::new());
    for word in words() {
        if let Some(below) = at.find_subcommand(&word) {
            names.push(word);
            at = below;
        }
    }
    names.join(" ")
}

fn descend<'a>(command: &'a clap::Command, words: &[String]) -> Option<&'a clap::Command> {
    let mut words = words.iter();
    words.try_fold(command, |above, word| above.find_subcommand(word))
}

/// What the line's command would run in.
fn context() -> Option<Context> {
    let words = words();
    let global = Global {
        output: Some("table".to_owned()),
        config: flag(&words, "--config").map(Into::into),
        server: flag(&words, "--server"),
        token_file: flag(&words, "--token-file").map(Into::into),
        ..Global::default()
    };
    Context::new(
        &global,
        &[],
        Surrounding::read(),
        CancellationToken::new(),
        true,
    )
    .ok()
}

fn context_names() -> Vec<String> {
    context().map_or_else(Vec::new, |cx| {
        cx.config.contexts().keys().cloned().collect()
    })
}

/// Something that a server lists, and the store behind it.
trait Listed {
    async fn at_server(&self, cx: &Context) -> Result<Vec<String>>;
    async fn in_store(&self, store: &Store) -> Result<Vec<String>>;
}

struct Operations;

impl Listed for Operations {
    async fn at_server(&self, cx: &Context) -> Result<Vec<String>> {
        let list = cx.client().await?.call(&ListOperations::default()).await?;
        Ok(list.items.into_iter().map(|item| item.id).collect())
    }

    async fn in_store(&self, store: &Store) -> Result<Vec<String>> {
        let list = store.list_operations(None).await?;
        Ok(list.into_iter().map(|item| item.id.to_string()).collect())
    }
}

/// Designs whose name contains a text.
struct Designs<'a>(&'a str);

impl Designs<'_> {
    fn search(&self) -> Option<String> {
        (!self.0.is_empty()).then(|| self.0.to_owned())
    }
}

impl Listed for Designs<'_> {
    async fn at_server(&self, cx: &Context) -> Result<Vec<String>> {
        let request = ListDesigns {
            search: self.search(),
            ..ListDesigns::default()
        };
        let list = cx.client().await?.call(&request).await?;
        Ok(list.items.into_iter().map(|item| item.name).collect())
    }

    async fn in_store(&self, store: &Store) -> Result<Vec<String>> {
        let request = store::ListDesigns {
            search: self.search(),
            ..store::ListDesigns::default()
        };
        let list = store.list_designs(&request).await?;
        Ok(list.items.into_iter().map(|item| item.name).collect())
    }
}

fn stored_designs(current: &str) -> Vec<String> {
    stored_names(&Designs(current))
}

/// Asks the chosen server; where none is chosen, or it is silent, the store.
fn stored_names(listed: &impl Listed) -> Vec<String> {
    let Some(cx) = context() else {
        return Vec::new();
    };
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    else {
        return Vec::new();
    };
    let found = runtime.block_on(async {
        if !cx.config.get("server").is_empty() {
            let asked = tokio::time::timeout(DEADLINE, listed.at_server(&cx)).await;
            if let Ok(Ok(names)) = asked {
                return names;
            }
        }
        let asked = async {
            let options = cx.services().await.store_options();
            listed
                .in_store(&Store::open_read_only(options).await?)
                .await
        };
        match tokio::time::timeout(DEADLINE, asked).await {
            Ok(Ok(names)) => names,
            _ => Vec::new(),
        }
    });
    runtime.shutdown_background();
    found
}
