//! `completion`, and the values that complete arguments: from the store and local files only,
//! within 300 ms, at most 200, silent when anything fails.

use std::time::Duration;

use clap_complete::{
    CompleteEnv,
    engine::{ArgValueCompleter, CompletionCandidate},
    env::{EnvCompleter, Shells},
};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::Outcome;
use crate::{
    api::design::ListDesigns,
    config::{Config, KEYS, home::Home},
    error::{Code, Error, Result},
    output::{FORMATS, Human, View},
    service::{Clock, Ids, Services, design},
};

const DEADLINE: Duration = Duration::from_millis(250);
const MOST: usize = 200;

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

/// Output formats.
pub fn formats() -> ArgValueCompleter {
    values(|_| {
        FORMATS
            .iter()
            .map(|(name, help)| CompletionCandidate::new(*name).help(Some((*help).into())))
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

/// Command names and help topics.
pub fn topics() -> ArgValueCompleter {
    values(|_| candidates(super::help::topics()))
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

/// Stored designs only.
pub fn stored() -> ArgValueCompleter {
    values(|current| candidates(stored_designs(current)))
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn context_names() -> Vec<String> {
    let config = Home::find(variable)
        .and_then(|home| Config::load(home.config_file(), None, variable, &[]).ok());
    config.map_or_else(Vec::new, |config| {
        config.contexts().keys().cloned().collect()
    })
}

fn stored_designs(current: &str) -> Vec<String> {
    let Some(home) = Home::find(variable).filter(|home| home.store().exists()) else {
        return Vec::new();
    };
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    else {
        return Vec::new();
    };
    let request = ListDesigns {
        search: (!current.is_empty()).then(|| current.to_owned()),
        ..ListDesigns::default()
    };
    let found = runtime.block_on(async {
        let services = Services::new(home, Clock::System, Ids::Random, CancellationToken::new());
        tokio::time::timeout(DEADLINE, design::list(&services, request)).await
    });
    runtime.shutdown_background();
    match found {
        Ok(Ok(list)) => list.items.into_iter().map(|design| design.name).collect(),
        _ => Vec::new(),
    }
}
