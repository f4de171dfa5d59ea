//! Reading an address over HTTP.
//!
//! Redirects are followed here rather than in the client, so that credentials stay with the first host,
//! a scheme is never weakened, and each hop is counted. Only `GET` is sent, so overload (429, 5xx) and
//! connections that fail may be tried again, as long as the deadline allows. HTTP's own framing decides where a body
//! ends: bytes behind its `Content-Length` belong to no answer and are never seen.

use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::time::Duration;

use reqwest::header::{LOCATION, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url, redirect};
use tokio::time::Instant;
use weft_domain::source::mask;

use super::error::flag;
use super::{Error, Work};

/// The body of an answer.
#[derive(Debug)]
pub(super) struct Fetched {
    /// The last part of the address, for messages and as a name.
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
}

/// Reads an address.
pub(super) async fn fetch(work: &Work<'_>, address: &str) -> Result<Fetched, Error> {
    let url = Url::parse(address).map_err(|error| Error::Url {
        url: mask(address),
        reason: error.to_string(),
    })?;
    let mut call = Call {
        work,
        deadline: Instant::now() + work.options.timeout,
        clients: [None, None],
        first: shown(&url),
        url,
        attempts: 0,
        retries: 0,
        last: None,
    };
    tokio::select! {
        biased;
        () = work.cancel.cancelled() => Err(work.cancelled()),
        outcome = tokio::time::timeout_at(call.deadline, call.run()) => match outcome {
            Ok(outcome) => outcome,
            Err(_elapsed) => Err(Error::FetchDeadline {
                url: call.first,
                limit: work.options.timeout,
                attempts: call.attempts,
                last: call.last,
            }),
        },
    }
}

/// Writes an address without credentials.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_fragment(None);
    mask(url.as_str())
}

/// One address on its way through redirects and retries.
struct Call<'a> {
    work: &'a Work<'a>,
    deadline: Instant,
    /// The client that may use a proxy, and the one for this machine, which never does.
    clients: [Option<Client>; 2],
    first: String,
    url: Url,
    /// How often this address was asked, and how often any of them was asked again.
    attempts: u32,
    retries: u32,
    last: Option<String>,
}

impl Call<'_> {
    async fn run(&mut self) -> Result<Fetched, Error> {
        let network = &self.work.options.network;
        let mut redirects = 0;
        loop {
            self.attempts += 1;
            let client = self.client()?;
            let response = match client.get(self.url.clone()).send().await {
                Ok(response) => response,
                Err(error) => {
                    self.unanswered(error.without_url()).await?;
                    continue;
                }
            };
            let status = response.status();
            if status == StatusCode::OK {
                return self.body(response).await;
            }
            if is_redirect(status) && response.headers().contains_key(LOCATION) {
                redirects += 1;
                if redirects > network.redirects {
                    return Err(Error::Redirects {
                        url: self.first.clone(),
                        limit: network.redirects,
                    });
                }
                self.follow(&response)?;
                self.attempts = 0;
                continue;
            }
            let again = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
            let asked = retry_after(&response);
            let failure = |retry_after| Error::Status {
                url: shown(&self.url),
                status,
                attempts: self.attempts,
                retry_after,
            };
            if !again {
                return Err(failure(None));
            }
            match self.pause(asked) {
                Pause::For(pause) => self.again(pause, status.to_string()).await,
                Pause::Never => return Err(failure(None)),
                Pause::TooLong => return Err(failure(asked)),
            }
        }
    }

    /// Waits for another attempt where there was no connection, or it was gone before an answer
    /// came, as one that was kept from an earlier call may be; any other failure is final.
    async fn unanswered(&mut self, source: reqwest::Error) -> Result<(), Error> {
        let url = shown(&self.url);
        if source.is_timeout() && !source.is_connect() {
            return Err(Error::Idle {
                url,
                limit: self.work.options.network.idle,
            });
        }
        if (source.is_connect() || is_reset(&source))
            && let Pause::For(pause) = self.pause(None)
        {
            self.again(pause, causes(&source)).await;
            return Ok(());
        }
        Err(if source.is_connect() {
            Error::Connect {
                url,
                attempts: self.attempts,
                source,
            }
        } else {
            Error::Body {
                url,
                received: 0,
                declared: None,
                source: Some(source),
            }
        })
    }

    /// Waits before the next attempt.
    async fn again(&mut self, pause: Duration, last: String) {
        self.retries += 1;
        tracing::info!(
            url = shown(&self.url),
            attempt = self.attempts,
            wait = ?pause,
            "{last}, trying again"
        );
        self.last = Some(last);
        tokio::time::sleep(pause).await;
    }

    /// Decides how long to wait for the next attempt, if there is to be one.
    fn pause(&self, asked: Option<Duration>) -> Pause {
        let network = &self.work.options.network;
        if self.retries >= network.retries {
            return Pause::Never;
        }
        let pause = asked.unwrap_or_else(|| {
            let full = network.pause * 2_u32.saturating_pow(self.retries);
            // Half of the pause is random, so that many clients do not come back together.
            let random = RandomState::new().hash_one(self.retries) % 1000;
            full / 2 + full / 2 * u32::try_from(random).unwrap_or(0) / 1000
        });
        let now = Instant::now();
        match now.checked_add(pause) {
            Some(then) if then < self.deadline => Pause::For(pause),
            _ => Pause::TooLong,
        }
    }

    fn follow(&mut self, response: &Response) -> Result<(), Error> {
        let location = response.headers().get(LOCATION);
        let location = location.and_then(|value| value.to_str().ok());
        let from = shown(&self.url);
        let Some(mut next) = location.and_then(|location| self.url.join(location).ok()) else {
            return Err(Error::Redirect {
                url: from,
                to: "an unreadable address".to_owned(),
                reason: "it is malformed",
            });
        };
        if let Some(reason) = refused_change(self.url.scheme(), next.scheme()) {
            return Err(Error::Redirect {
                url: from,
                to: shown(&next),
                reason,
            });
        }
        // Credentials are for the host that the user named, at the address that the user named.
        let cleared = next.set_username("").is_ok() && next.set_password(None).is_ok();
        if !cleared || next.host_str().is_none() {
            return Err(Error::Redirect {
                url: from,
                to: shown(&next),
                reason: "it has no host",
            });
        }
        self.url = next;
        Ok(())
    }

    async fn body(&self, mut response: Response) -> Result<Fetched, Error> {
        let url = shown(&self.url);
        let limit = self.work.options.limits.input;
        let too_large = || Error::TooLarge {
            what: url.clone(),
            limit,
            flag: Some(flag::INPUT),
        };
        let declared = response.content_length();
        if declared.is_some_and(|declared| declared > limit) {
            return Err(too_large());
        }
        let mut bytes = Vec::new();
        loop {
            let received = bytes.len() as u64;
            match response.chunk().await {
                Ok(Some(piece)) => {
                    if received + piece.len() as u64 > limit {
                        return Err(too_large());
                    }
                    bytes.extend_from_slice(&piece);
                }
                Ok(None) if declared.is_none_or(|declared| declared == received) => break,
                Ok(None) => {
                    return Err(Error::Body {
                        url,
                        received,
                        declared,
                        source: None,
                    });
                }
                Err(error) if error.is_timeout() => {
                    return Err(Error::Idle {
                        url,
                        limit: self.work.options.network.idle,
                    });
                }
                Err(error) => {
                    return Err(Error::Body {
                        url,
                        received,
                        declared,
                        source: Some(error.without_url()),
                    });
                }
            }
        }
        if is_html(&bytes) {
            return Err(Error::Html { url });
        }
        Ok(Fetched {
            name: name(&self.url),
            bytes,
        })
    }

    fn client(&mut self) -> Result<Client, Error> {
        let network = &self.work.options.network;
        let local = is_loopback(&self.url);
        let slot = &mut self.clients[usize::from(local)];
        if let Some(client) = slot {
            return Ok(client.clone());
        }
        let mut builder = Client::builder()
            .user_agent(concat!("weftctl/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(network.connect)
            .read_timeout(network.idle)
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            // What is compressed is recognised by content and unpacked under limits.
            .no_gzip()
            .no_brotli()
            .no_deflate()
            .no_zstd()
            .referer(false);
        if local {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|source| Error::Client { source })?;
        Ok(slot.insert(client).clone())
    }
}

/// What comes after an attempt that failed.
enum Pause {
    For(Duration),
    /// All attempts are used up.
    Never,
    /// The next attempt would be behind the deadline.
    TooLong,
}

/// Says why a redirect from one scheme to another is not followed, if so. To gain TLS is welcome.
fn refused_change(from: &str, to: &str) -> Option<&'static str> {
    match (from, to) {
        ("http" | "https", "https") | ("http", "http") => None,
        ("https", "http") => Some("it leaves TLS"),
        _ => Some("it is neither http nor https"),
    }
}

/// Whether the other side gave the connection up.
fn is_reset(error: &reqwest::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return matches!(
                error.kind(),
                io::ErrorKind::BrokenPipe
                    | io::ErrorKind::ConnectionAborted
                    | io::ErrorKind::ConnectionReset
            );
        }
        cause = error.source();
    }
    false
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        let address = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost"
            || address
                .parse::<std::net::IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    })
}

/// Reads how long a server asks to wait: seconds, or a date.
fn retry_after(response: &Response) -> Option<Duration> {
    let value = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new()
        .relaxed_weekday(true)
        .parse_timestamp(value)
        .ok()?;
    let wait = date.duration_since(jiff::Timestamp::now());
    Some(Duration::try_from(wait).unwrap_or_default())
}

fn causes(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

fn name(url: &Url) -> String {
    let last = url
        .path_segments()
        .and_then(|mut parts| parts.rfind(|part| !part.is_empty()));
    last.or(url.host_str()).unwrap_or("source").to_owned()
}

fn is_html(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let bytes = bytes.trim_ascii_start();
    ["<!doctype html", "<html"].iter().any(|begin| {
        bytes
            .get(..begin.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(begin.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_never_weakens_the_scheme() {
        for (from, to, followed) in [
            ("https", "https", true),
            ("http", "http", true),
            ("http", "https", true),
            ("https", "http", false),
            ("https", "file", false),
            ("http", "ftp", false),
        ] {
            assert_eq!(
                refused_change(from, to).is_none(),
                followed,
                "{from} to {to}"
            );
        }
    }

    #[test]
    fn only_this_machine_is_asked_without_a_proxy() {
        for (url, local) in [
            ("http://127.0.0.1:1/", true),
            ("http://127.8.8.8/", true),
            ("http://[::1]/", true),
            ("http://localhost/", true),
            ("http://localhost.example.com/", false),
            ("http://10.0.0.1/", false),
        ] {
            let url = Url::parse(url).expect("an address");
            assert_eq!(is_loopback(&url), local, "{url}");
        }
    }
}
