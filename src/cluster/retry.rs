//! How often, and after how long, a call is repeated. Which calls may be is for each verb to say.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use http::{HeaderMap, header};

use super::problem::{Problem, Verb};

/// How often a call is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Most attempts, the first one included.
    pub attempts: u32,
    /// The wait after the first attempt; it doubles from there.
    pub first: Duration,
    /// The longest wait that isn't the server's wish.
    pub longest: Duration,
    /// The longest silence of a server that is asked to read.
    pub reading: Duration,
    /// The longest silence of one that is asked to write, which may have to wait for slow webhooks.
    pub writing: Duration,
}

/// A page of a list takes a busy server a few seconds.
const READING: Duration = Duration::from_secs(20);
/// The server waits for webhooks for at most 30 s.
const WRITING: Duration = Duration::from_secs(35);

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 5,
            first: Duration::from_millis(200),
            longest: Duration::from_secs(10),
            reading: READING,
            writing: WRITING,
        }
    }
}

impl Retry {
    /// Sends each call once.
    pub const NEVER: Self = Self {
        attempts: 1,
        first: Duration::ZERO,
        longest: Duration::ZERO,
        reading: READING,
        writing: WRITING,
    };

    /// Returns how long to wait after an attempt: what the server asks for, or else twice the wait before, and of
    /// that between half and all, so that callers who failed together don't come back together.
    pub(super) fn wait(&self, attempt: u32, asked: Option<Duration>) -> Duration {
        let doubled = self
            .first
            .saturating_mul(1 << attempt.saturating_sub(1).min(16));
        let wait = doubled.min(self.longest);
        let jittered = wait.mul_f64(0.5 + 0.5 * fraction());
        asked.map_or(jittered, |asked| {
            asked + self.first.mul_f64(0.5 * fraction())
        })
    }
}

/// Returns a random number between 0 and 1.
fn fraction() -> f64 {
    let bits = RandomState::new().build_hasher().finish();
    f64::from(u32::try_from(bits >> 32).unwrap_or_default()) / f64::from(u32::MAX)
}

/// Returns the wait that a server asks for in seconds; dates are not used by API servers.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    seconds.trim().parse().ok().map(Duration::from_secs)
}

/// A call that will be repeated.
#[derive(Debug)]
pub struct Retrying<'a> {
    /// What is being done.
    pub verb: Verb,
    /// To what, such as `Deployment shop/web`.
    pub object: &'a str,
    /// How many attempts have failed.
    pub attempt: u32,
    /// How many there may be; none where there is no limit.
    pub attempts: Option<u32>,
    /// How long until the next one.
    pub wait: Duration,
    /// Why the last one failed.
    pub problem: &'a Problem,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_limit_and_the_server_may_ask_for_more() {
        let retry = Retry::default();
        for (attempt, least, most) in [
            (1, 100, 200),
            (2, 200, 400),
            (4, 800, 1600),
            (9, 5_000, 10_000),
            (u32::MAX, 5_000, 10_000),
        ] {
            for _ in 0..100 {
                let wait = retry.wait(attempt, None).as_millis();
                assert!((least..=most).contains(&wait), "{attempt}: {wait}");
            }
        }
        let wait = retry.wait(1, Some(Duration::from_secs(30)));
        assert!(wait >= Duration::from_secs(30) && wait < Duration::from_secs(31));
    }
}
