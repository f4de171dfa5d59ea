//! What every command receives: settings, a client, the terminal, the clock and the cancellation.
//! The environment of the process is read here and nowhere else.

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering},
    },
    time::Duration,
};

use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use crate::{
    api::operation::{Event, LongRequest},
    cli::Global,
    client::{Client, Remote, Transport},
    commands::system::server_file::{ServerFile, refuse_shared},
    config::{self, Config, Origin, home::Home},
    error::{Code, Error, Result},
    output::{
        ColorChoice, Delivered, Format, Options as TerminalOptions, Report, Step, Surroundings,
        Terminal,
    },
    secret::Secret,
    service::{Clock, Ids, Services},
};

/// The process around a run: its environment and its streams.
#[derive(Clone)]
pub struct Surrounding {
    streams: Surroundings,
}

impl Surrounding {
    /// Looks at the process.
    pub fn read() -> Self {
        Self {
            streams: Surroundings::read(),
        }
    }

    /// An environment variable; an empty one counts as unset.
    pub fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }

    /// A terminal before any setting is known.
    pub fn plain_terminal(&self, colourless: bool) -> Terminal {
        let color = if colourless {
            ColorChoice::Never
        } else {
            ColorChoice::Auto
        };
        let options = TerminalOptions {
            color,
            ..TerminalOptions::default()
        };
        Terminal::new(self.streams.clone(), options)
    }
}

/// What every command receives.
pub struct Context {
    /// Settings with their origins.
    pub config: Config,
    /// Where output goes.
    pub terminal: Arc<Terminal>,
    /// The form of the output.
    pub format: Format,
    /// Where our files are.
    pub home: Home,
    /// Fires at the first Ctrl-C or SIGTERM.
    pub cancel: CancellationToken,
    /// The exit code of the signal that fired it.
    pub signal: Arc<AtomicI32>,
    /// The process around.
    pub surrounding: Surrounding,
    clock: Clock,
    client: OnceCell<Client>,
    services: OnceCell<Services>,
}

impl Context {
    /// Puts the parts together. Without `needs_settings` wrong files and variables don't count.
    ///
    /// # Errors
    /// When a setting is wrong; with a terminal to say so.
    #[expect(clippy::result_large_err, reason = "built once per process")]
    pub fn new(
        global: &Global,
        reports: &[Report],
        surrounding: Surrounding,
        cancel: CancellationToken,
        needs_settings: bool,
    ) -> Result<Self, (Terminal, Option<Format>, Error)> {
        let asked = global.output.clone();
        let asked = asked.or_else(|| surrounding.variable("WEFT_OUTPUT"));
        let asked = asked.and_then(|text| Format::parse(&text, reports).ok());
        let colourless = global.color.as_deref() == Some("never");
        let fail = |error| (surrounding.plain_terminal(colourless), asked.clone(), error);
        let home = Home::find(|name| surrounding.variable(name)).ok_or_else(|| {
            fail(Error::new(Code::Usage, "no home folder is known").hint("set HOME or WEFT_HOME"))
        })?;
        let flags = Self::flags(global).map_err(fail)?;
        let config = match Self::read_config(global, &surrounding, &home, &flags) {
            Ok(config) => config,
            Err(error) if needs_settings => return Err(fail(error)),
            Err(_) => Config::of_flags(home.config_file(), &flags),
        };
        let asked = config.get("output");
        let format = match Format::parse(asked, reports) {
            Ok(format) => format,
            Err(problem) => {
                let message = format!("cannot print as {asked:?}: {problem}");
                let error = Error::new(Code::Usage, message)
                    .hint("see what there is: weftctl help formats");
                if needs_settings || *config.origin("output") == Origin::Flag {
                    return Err(fail(error));
                }
                Format::Table
            }
        };
        let options = TerminalOptions {
            color: <ColorChoice as clap::ValueEnum>::from_str(config.get("color"), false)
                .unwrap_or_default(),
            quiet: global.quiet,
            verbosity: global.verbose,
            no_input: config.is("no-input"),
            no_headers: global.no_headers,
        };
        let terminal = Arc::new(Terminal::new(surrounding.streams.clone(), options));
        let clock = match surrounding
            .variable("WEFT_TEST_NOW")
            .and_then(|now| now.parse().ok())
        {
            Some(time) => Clock::Fixed(time),
            None => Clock::System,
        };
        Ok(Self {
            config,
            terminal,
            format,
            home,
            cancel,
            signal: Arc::default(),
            surrounding,
            clock,
            client: OnceCell::new(),
            services: OnceCell::new(),
        })
    }

    /// The settings that the command line gives.
    fn flags(global: &Global) -> Result<Vec<(&'static str, String)>> {
        let path = |path: &PathBuf| path.to_string_lossy().into_owned();
        let no_input = match (global.no_input, global.input) {
            (true, _) => Some("true".to_owned()),
            (false, true) => Some("false".to_owned()),
            (false, false) => None,
        };
        let given = [
            ("output", global.output.clone()),
            ("color", global.color.clone()),
            ("server", global.server.clone()),
            ("token-file", global.token_file.as_ref().map(path)),
            ("request-timeout", global.request_timeout.clone()),
            ("no-input", no_input),
        ];
        if let Some(timeout) = &global.request_timeout {
            config::timeout(timeout).map_err(|problem| {
                Error::new(Code::Usage, format!("--request-timeout {problem}"))
            })?;
        }
        let given = given.into_iter();
        Ok(given
            .filter_map(|(name, value)| Some((name, value?)))
            .collect())
    }

    fn read_config(
        global: &Global,
        surrounding: &Surrounding,
        home: &Home,
        flags: &[(&'static str, String)],
    ) -> Result<Config> {
        let file = match (&global.config, surrounding.variable("WEFT_CONFIG")) {
            (Some(file), _) => file.clone(),
            (None, Some(file)) => PathBuf::from(file),
            (None, None) => home.config_file(),
        };
        let folder = std::env::current_dir().ok();
        Config::load(
            file,
            folder.as_deref(),
            |name| surrounding.variable(name),
            flags,
        )
    }

    /// Now.
    pub fn now(&self) -> jiff::Timestamp {
        self.clock.now()
    }

    /// How long one call to a remote host may take.
    pub fn request_timeout(&self) -> Duration {
        config::timeout(self.config.get("request-timeout")).unwrap_or(Duration::from_mins(1))
    }

    /// The services of this process, for local commands and the embedded server.
    pub async fn services(&self) -> &Services {
        self.services
            .get_or_init(|| async {
                let ids = match self
                    .surrounding
                    .variable("WEFT_TEST_SEED")
                    .and_then(|s| s.parse::<u64>().ok())
                {
                    Some(seed) => Ids::Seeded(seed.into()),
                    None => Ids::Random,
                };
                Services::new(self.home.clone(), self.clock, ids, CancellationToken::new())
            })
            .await
    }

    /// The client: over the embedded server, or over the one that is chosen.
    ///
    /// # Errors
    /// When the chosen server is unknown or its token can't be read.
    pub async fn client(&self) -> Result<&Client> {
        self.client
            .get_or_try_init(|| async {
                let transport = match self.remote()? {
                    Some(remote) => Transport::Remote(remote),
                    None => {
                        Transport::InProcess(crate::server::router(self.services().await.clone()))
                    }
                };
                Ok(Client::new(transport).until(self.cancel.clone()))
            })
            .await
    }

    /// Runs an operation with its progress on stderr.
    ///
    /// # Errors
    /// What the operation failed with; interrupted when a signal cancelled it.
    pub async fn run<R: LongRequest>(&self, request: &R) -> Result<R::Outcome> {
        let client = self.client().await?;
        let progress = crate::output::Progress::new(self.terminal.clone());
        let mut step: Option<Step> = None;
        let result = client
            .run(request, |event| match event {
                Event::Step { message } => {
                    let next = progress.step(message.as_str());
                    if let Some(step) = step.replace(next) {
                        step.done();
                    }
                }
                Event::Progress { done, total } => {
                    if let Some(step) = &step {
                        step.set(*done, *total);
                    }
                }
                Event::Warning { message } => self.terminal.warn(message.as_str()),
                Event::Succeeded { .. } | Event::Failed { .. } => {}
            })
            .await;
        if let (Some(step), true) = (step, result.is_ok()) {
            step.done();
        }
        result
    }

    /// Writes to standard output; a reader who left is no error.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn print(
        &self,
        write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
    ) -> Result<Delivered> {
        self.terminal.data(write).map_err(|error| {
            Error::new(Code::OutputFailed, "cannot write to standard output").because(error)
        })
    }

    /// Gives work up when the run is interrupted.
    ///
    /// # Errors
    /// What the work fails with, or that it was interrupted.
    pub async fn until_cancelled<T, E: Into<Error>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T> {
        tokio::select! {
            result = work => result.map_err(Into::into),
            () = self.cancel.cancelled() => Err(Error::new(Code::Interrupted, "interrupted")),
        }
    }

    /// The error of a run that a signal ended.
    pub fn interrupted(&self) -> Option<Error> {
        match self.signal.load(Ordering::Relaxed) {
            0 => None,
            143 => Some(Error::new(Code::Terminated, "terminated")),
            _ => Some(Error::new(Code::Interrupted, "interrupted")),
        }
    }

    /// The server that `--server`, the environment or the configuration choose.
    fn remote(&self) -> Result<Option<Remote>> {
        let chosen = self.config.get("server");
        if chosen.is_empty() {
            return Ok(None);
        }
        let local = ServerFile::read(&self.home)?;
        let url = if chosen.contains("://") {
            chosen.to_owned()
        } else if chosen == "local" {
            let Some(local) = &local else {
                return Err(Error::new(Code::NotRunning, "no server runs for this user"));
            };
            local.url()
        } else {
            match &self.config.find_context(chosen)?.server {
                Some(url) => url.clone(),
                None => return Ok(None),
            }
        };
        let token = match self.config.token_file(chosen) {
            None => local
                .filter(|local| local.url() == url.trim_end_matches('/'))
                .map(|local| local.token()),
            Some(file) => Some(read_token(file)?),
        };
        Remote::new(&url, token, self.request_timeout()).map(Some)
    }

    /// Ends what the run has started.
    pub async fn finish(&self) {
        if let Some(services) = self.services.get() {
            services.finish().await;
        }
    }
}

fn read_token(file: &str) -> Result<Secret> {
    refuse_shared(file.as_ref())?;
    let text = std::fs::read_to_string(file).map_err(|error| {
        let code = match error.kind() {
            std::io::ErrorKind::NotFound => Code::SourceNotFound,
            _ => Code::Unreadable,
        };
        Error::new(code, format!("cannot read the token file {file:?}")).because(error)
    })?;
    Ok(Secret::new(text.trim()))
}

/// Cancels at the first SIGINT or SIGTERM, ends the process at the second.
pub fn watch_signals(
    cancel: CancellationToken,
    signal: Arc<AtomicI32>,
) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            let code = wait_for_signal().await;
            if cancel.is_cancelled() {
                std::process::exit(code);
            }
            signal.store(code, Ordering::Relaxed);
            cancel.cancel();
        }
    })
}

#[cfg(unix)]
async fn wait_for_signal() -> i32 {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => 130,
        _ = terminate.recv() => 143,
    }
}

#[cfg(not(unix))]
async fn wait_for_signal() -> i32 {
    match tokio::signal::ctrl_c().await {
        Ok(()) => 130,
        Err(_) => std::future::pending().await,
    }
}
