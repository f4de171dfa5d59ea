//! `system start`. A local command: it runs the router of this process behind a socket.

use std::{
    fs::OpenOptions,
    net::{SocketAddr, ToSocketAddrs},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use super::{
    server_file::{Claim, ServerFile, already_running},
    status::{self, Change, ServerState},
};
use crate::{
    api::system::ReadVersion,
    client::{Client, Remote, Transport},
    commands::{DryRun, Outcome},
    config::edit::create_private_folder,
    context::Context,
    error::{Code, Error, Place, Result},
    secret::Secret,
    server,
};

const UP_WITHIN: Duration = Duration::from_secs(10);

/// Start the server: the same commands, behind a socket on loopback.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl system start --listen 127.0.0.1:0\n  weftctl system status"
)]
pub(super) struct Start {
    /// Stay in the foreground, log to stderr
    #[arg(long)]
    foreground: bool,
    /// Where to listen: a loopback address; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    #[command(flatten)]
    dry_run: DryRun,
}

impl Start {
    /// Serves until told to stop, or has a child do so.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let address = address(cx, self.listen.as_deref())?;
        let change = Change::started(false, self.dry_run.is_set());
        if self.dry_run.is_set() {
            return match ServerFile::read(&cx.home)? {
                Some(_) => Err(already_running(&cx.home)),
                None => Ok(ServerState::dry_run(format!("http://{address}"), false, change).into()),
            };
        }
        let state = if self.foreground {
            serve(cx, address).await?
        } else {
            spawn(cx, address).await?.after(change)
        };
        Ok(state.into())
    }
}

/// Where to listen: what the flag says, or else the settings.
pub(super) fn address(cx: &Context, listen: Option<&str>) -> Result<SocketAddr> {
    let listen = listen.unwrap_or(cx.config.get("listen"));
    let found = listen
        .to_socket_addrs()
        .ok()
        .and_then(|mut found| found.next());
    let address = found.ok_or_else(|| {
        Error::new(Code::Usage, format!("{listen:?} is not an address"))
            .hint("an address and a port: 127.0.0.1:9081")
    })?;
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err(Error::new(
            Code::ListenRefused,
            format!("cannot listen at {address}: it is not a loopback address"),
        ))
    }
}

async fn serve(cx: &Context, address: SocketAddr) -> Result<ServerState> {
    let claim = Claim::take(&cx.home)?;
    crate::cli::log(match cx.terminal.verbosity() {
        0 => tracing::Level::INFO,
        _ => tracing::Level::DEBUG,
    });
    let listener = server::listen::bind(address).await?;
    let address = listener
        .local_addr()
        .map_err(|error| Error::internal("a listener without an address").because(error))?;
    let token = new_token()?;
    let services = cx.services().await;
    let file = ServerFile::new(address, &token, cx.now());
    claim.publish(&file)?;
    tracing::info!(%address, pid = std::process::id(), "listening");
    let stop = services.stopping();
    let signal = cx.cancel.clone();
    let ended = tokio::spawn({
        let stop = stop.clone();
        async move {
            signal.cancelled().await;
            stop.cancel();
        }
    });
    let router = server::router(services.clone());
    let result = server::listen::serve(listener, router, token, stop).await;
    ended.abort();
    services.finish().await;
    drop(claim);
    tracing::info!("stopped");
    result?;
    // Being told to stop is how a server ends.
    Ok(ServerState::stopped(file.url()))
}

/// Has a child serve, and waits until it answers.
pub(super) async fn spawn(cx: &Context, address: SocketAddr) -> Result<ServerState> {
    if ServerFile::read(&cx.home)?.is_some() {
        return Err(already_running(&cx.home));
    }
    let log = cx.home.log_file();
    let fail = |error: std::io::Error| {
        Error::new(Code::FileNotWritten, "cannot start the server")
            .at(Place::file(log.display().to_string(), None))
            .because(error)
    };
    create_private_folder(cx.home.state()).map_err(fail)?;
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let output = options.open(&log).map_err(fail)?;
    let length = output.metadata().map_or(0, |meta| meta.len());
    let program = std::env::current_exe().map_err(fail)?;
    let mut command = Command::new(program);
    command
        .args([
            "system",
            "start",
            "--foreground",
            "--output",
            "table",
            "--listen",
            &address.to_string(),
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(output);
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command.spawn().map_err(fail)?;
    let deadline = Instant::now() + UP_WITHIN;
    loop {
        if let Some(file) = ServerFile::read(&cx.home)?
            && ping(&file).await.is_ok()
        {
            return status::of(&file).await;
        }
        if child.try_wait().map_err(fail)?.is_some() {
            let said = said(&log, length);
            if said.contains("[E0403]") {
                return Err(already_running(&cx.home));
            }
            let code = if said.contains("[E0406]") {
                Code::ListenFailed
            } else {
                Code::Failed
            };
            return Err(with_last_lines(
                Error::new(code, "the server did not start"),
                &said,
            ));
        }
        if Instant::now() > deadline {
            // What doesn't answer now must not do so later, when nobody expects it.
            let _ = child.kill();
            let _ = child.wait();
            let seconds = UP_WITHIN.as_secs();
            let text = format!("the server did not answer within {seconds} s, and was ended");
            return Err(with_last_lines(
                Error::new(Code::TimedOut, text),
                &said(&log, length),
            ));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// What the log has behind its first `length` bytes.
fn said(log: &Path, length: u64) -> String {
    let bytes = std::fs::read(log).unwrap_or_default();
    let new = bytes.get(usize::try_from(length).unwrap_or(0)..);
    String::from_utf8_lossy(new.unwrap_or_default()).into_owned()
}

fn with_last_lines(error: Error, said: &str) -> Error {
    const LAST: usize = 5;
    let lines: Vec<&str> = said.lines().collect();
    let last = lines.iter().skip(lines.len().saturating_sub(LAST));
    last.fold(error, |error, line| error.because(line.trim()))
        .hint("see all it said: weftctl system logs")
}

async fn ping(file: &ServerFile) -> Result<()> {
    let remote = Remote::new(&file.url(), Some(file.token()), Duration::from_secs(2))?;
    Client::new(Transport::Remote(remote))
        .call(&ReadVersion {})
        .await
        .map(|_| ())
}

/// 256 random bits in hexadecimal.
fn new_token() -> Result<Secret> {
    use std::fmt::Write;
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::internal("no randomness"))?;
    let mut token = String::with_capacity(64);
    for byte in bytes {
        let _ = write!(token, "{byte:02x}");
    }
    Ok(Secret::new(token))
}
