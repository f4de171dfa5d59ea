//! Who works on a set right now: a Lease that one run holds and that expires by itself.
//!
//! ```text
//! nobody ── Acquired ──► ours ── Renewed ──► ours ── release ──► nobody
//!                                  │
//!                  not renewed in time, then taken over by another run
//! ```
//!
//! Clocks of two machines differ, so an expiry by the clock counts only some minutes later. Whoever
//! waits takes over sooner: a Lease that was not renewed for its whole duration, by the clock of the
//! one who watches it, has expired whatever the time is (as client-go's leader election has it).

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{MicroTime, SET_LABEL, SetId};
use crate::resource::dig;

/// The longest time that a lease lasts without being renewed, whoever holds it.
pub const MAX_LEASE: Duration = Duration::from_hours(1);
/// How far the clocks of two machines may be apart.
const CLOCK_SKEW: Duration = Duration::from_mins(5);

/// What one run wants of the lease of a set.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// The set.
    pub set: &'a SetId,
    /// The name of the Lease, which is that of the parent.
    pub name: &'a str,
    /// The namespace of the Lease, which is that of the parent.
    pub namespace: &'a str,
    /// Who claims it: another text for every run, or two runs of one machine hold it together.
    pub holder: &'a str,
    /// How long it lasts without being renewed, from a second to [`MAX_LEASE`].
    pub duration: Duration,
}

/// How a claim stands. All objects are whole: without a `resourceVersion` they are to be created,
/// with one they replace the live one (PUT), and a conflict means that somebody else was faster.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// Nobody holds it. It is ours once this is written; in the middle of a run it means that the
    /// lease was lost and somebody else may have worked meanwhile.
    Acquire(Value),
    /// It is ours, and for longer once this is written.
    Renew(Value),
    /// Somebody else holds it.
    HeldBy(Held),
}

/// Who holds a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The holder, as it called itself.
    pub holder: String,
    /// Since when, by its own clock.
    pub since: Option<MicroTime>,
    /// After what time without a renewal it is free.
    pub expires_in: Duration,
    /// What was seen; whoever asks again hands it in.
    pub sighting: Sighting,
}

/// When a state of a lease was first seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// All that changes with a renewal.
    state: String,
    first: MicroTime,
}

impl Claim<'_> {
    /// Tells how the claim stands, given the live Lease and what was seen of it when it was last
    /// asked for.
    ///
    /// `now` should advance as time passes: where the system clock may be set, it is the time of the
    /// start plus what has passed since.
    pub fn check(
        &self,
        live: Option<&Value>,
        now: MicroTime,
        earlier: Option<&Sighting>,
    ) -> Standing {
        let Some(live) = live else {
            return Standing::Acquire(self.object(None, now, now, 0));
        };
        let state = State::read(live);
        if state.holder == self.holder {
            let acquired = state.acquired.unwrap_or(now);
            let object = self.object(Some(live), acquired, now, state.transitions);
            return Standing::Renew(object);
        }
        if !state.holder.is_empty() {
            let (expires_in, sighting) = self.expiry(&state, now, earlier);
            if !expires_in.is_zero() {
                return Standing::HeldBy(Held {
                    holder: state.holder,
                    since: state.acquired,
                    expires_in,
                    sighting,
                });
            }
        }
        let transitions = state.transitions.saturating_add(1);
        Standing::Acquire(self.object(Some(live), now, now, transitions))
    }

    /// Returns the Lease that gives up ours; nothing when it isn't ours any more.
    pub fn release(&self, live: &Value) -> Option<Value> {
        if self.holder.is_empty() || State::read(live).holder != self.holder {
            return None;
        }
        let mut lease = self.shell(Some(live));
        let mut spec = spec(live);
        // No holder, rather than an empty one; its times and count stay.
        spec.shift_remove("holderIdentity");
        lease.insert("spec".to_owned(), Value::Object(spec));
        Some(Value::Object(lease))
    }

    /// Returns after what time the lease of another holder is free, and what was seen of it.
    fn expiry(
        &self,
        state: &State,
        now: MicroTime,
        earlier: Option<&Sighting>,
    ) -> (Duration, Sighting) {
        let duration = state.duration.unwrap_or_else(|| self.duration());
        let text = state.text();
        let first = earlier.filter(|seen| seen.state == text);
        let first = first.map_or(now, |seen| seen.first);
        let by_sight = duration.saturating_sub(now.since(first));
        // A renewal in the future says nothing but that the clocks differ.
        let renewed = state.renewed.filter(|renewed| *renewed <= now);
        let by_clock = renewed.map(|renewed| {
            let lasts = duration.saturating_add(CLOCK_SKEW);
            lasts.saturating_sub(now.since(renewed))
        });
        let expires_in = by_clock.map_or(by_sight, |by_clock| by_clock.min(by_sight));
        (expires_in, Sighting { state: text, first })
    }

    fn duration(&self) -> Duration {
        self.duration.clamp(Duration::from_secs(1), MAX_LEASE)
    }

    /// Returns the Lease that is ours, with what else the live one has.
    fn object(
        &self,
        live: Option<&Value>,
        acquired: MicroTime,
        renewed: MicroTime,
        transitions: i32,
    ) -> Value {
        let seconds = self.duration().as_millis().div_ceil(1000);
        let mut spec = live.map(spec).unwrap_or_default();
        for (key, value) in [
            ("holderIdentity", Value::from(self.holder)),
            (
                "leaseDurationSeconds",
                u64::try_from(seconds).unwrap_or(1).into(),
            ),
            ("acquireTime", acquired.to_string().into()),
            ("renewTime", renewed.to_string().into()),
            ("leaseTransitions", transitions.into()),
        ] {
            spec.insert(key.to_owned(), value);
        }
        let mut lease = self.shell(live);
        lease.insert("spec".to_owned(), Value::Object(spec));
        Value::Object(lease)
    }

    /// Returns the Lease without its spec.
    fn shell(&self, live: Option<&Value>) -> Map<String, Value> {
        let metadata = live.and_then(|live| live.get("metadata")?.as_object());
        let mut metadata = metadata.cloned().unwrap_or_default();
        metadata.shift_remove("managedFields");
        metadata.insert("name".to_owned(), self.name.into());
        metadata.insert("namespace".to_owned(), self.namespace.into());
        let labels = metadata.entry("labels").or_insert(Value::Null);
        if !labels.is_object() {
            *labels = json!({});
        }
        if let Some(labels) = labels.as_object_mut() {
            labels.insert(SET_LABEL.to_owned(), self.set.as_str().into());
        }
        let mut lease = Map::new();
        lease.insert("apiVersion".to_owned(), "coordination.k8s.io/v1".into());
        lease.insert("kind".to_owned(), "Lease".into());
        lease.insert("metadata".to_owned(), Value::Object(metadata));
        lease
    }
}

fn spec(live: &Value) -> Map<String, Value> {
    let spec = live.get("spec").and_then(Value::as_object);
    spec.cloned().unwrap_or_default()
}

/// What a live Lease says.
struct State {
    /// Empty when there is none.
    holder: String,
    acquired: Option<MicroTime>,
    renewed: Option<MicroTime>,
    duration: Option<Duration>,
    transitions: i32,
}

impl State {
    fn read(live: &Value) -> Self {
        let field = |name| dig(live, &["spec", name]);
        let time = |name| {
            field(name)
                .and_then(Value::as_str)
                .and_then(MicroTime::parse)
        };
        let holder = match field("holderIdentity") {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(holder)) => holder.clone(),
            // No server sends this; somebody holds it all the same.
            Some(other) => other.to_string(),
        };
        let seconds = field("leaseDurationSeconds").and_then(Value::as_u64);
        let seconds = seconds.filter(|seconds| *seconds > 0);
        let transitions = field("leaseTransitions").and_then(Value::as_i64);
        let transitions = transitions.and_then(|count| i32::try_from(count).ok());
        let acquired = time("acquireTime");
        Self {
            holder,
            acquired,
            renewed: time("renewTime").or(acquired),
            duration: seconds.map(|seconds| Duration::from_secs(seconds).min(MAX_LEASE)),
            transitions: transitions.unwrap_or(0).max(0),
        }
    }

    /// Returns all that changes when the lease is renewed or changes hands.
    fn text(&self) -> String {
        let renewed = self.renewed.map(MicroTime::unix_micros).unwrap_or_default();
        format!("{renewed}/{}/{}", self.transitions, self.holder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> MicroTime {
        MicroTime::parse(&format!("2026-06-01T{text}Z")).expect("a test writes times")
    }

    const fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn claim<'a>(set: &'a SetId, holder: &'a str) -> Claim<'a> {
        Claim {
            set,
            name: "weftctl-shop",
            namespace: "shop",
            holder,
            duration: seconds(30),
        }
    }

    fn set() -> SetId {
        SetId::of_parent("weftctl-shop", "shop")
    }

    /// The object as the server returns it.
    fn stored(standing: Standing, version: &str) -> Value {
        let (Standing::Acquire(mut lease) | Standing::Renew(mut lease)) = standing else {
            panic!("it is held: {standing:?}");
        };
        lease["metadata"]["resourceVersion"] = version.into();
        lease["metadata"]["uid"] = "u".into();
        lease["metadata"]["managedFields"] = json!([{"manager": "weftctl"}]);
        lease
    }

    fn held(standing: Standing) -> Held {
        match standing {
            Standing::HeldBy(held) => held,
            other => panic!("it is not held: {other:?}"),
        }
    }

    #[test]
    fn a_lease_is_acquired_renewed_released_and_acquired_by_another() {
        let set = set();
        let (a, b) = (claim(&set, "a"), claim(&set, "b"));
        let new = a.check(None, time("10:00:00"), None);
        let expected = json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": "weftctl-shop", "namespace": "shop",
                "labels": {"weftctl.dev/set": set}},
            "spec": {"holderIdentity": "a", "leaseDurationSeconds": 30,
                "acquireTime": "2026-06-01T10:00:00.000000Z",
                "renewTime": "2026-06-01T10:00:00.000000Z", "leaseTransitions": 0},
        });
        assert_eq!(new, Standing::Acquire(expected));
        let live = stored(new, "1");

        let renewed = a.check(Some(&live), time("10:00:10.5"), None);
        assert!(matches!(renewed, Standing::Renew(_)));
        let live = stored(renewed, "2");
        assert_eq!(live["spec"]["acquireTime"], "2026-06-01T10:00:00.000000Z");
        assert_eq!(live["spec"]["renewTime"], "2026-06-01T10:00:10.500000Z");

        let other = held(b.check(Some(&live), time("10:00:15"), None));
        assert_eq!(
            (other.holder.as_str(), other.since),
            ("a", Some(time("10:00:00")))
        );
        assert_eq!(other.expires_in, seconds(30));
        assert_eq!(b.release(&live), None);

        let released = a.release(&live).expect("it is ours");
        assert_eq!(released["metadata"]["resourceVersion"], "2");
        assert_eq!(released["metadata"].get("managedFields"), None);
        assert_eq!(released["spec"].get("holderIdentity"), None);
        assert_eq!(a.release(&released), None);

        let taken = b.check(Some(&released), time("10:00:16"), None);
        assert!(matches!(taken, Standing::Acquire(_)));
        let live = stored(taken, "3");
        assert_eq!(live["spec"]["leaseTransitions"], 1);
        assert_eq!(live["spec"]["acquireTime"], "2026-06-01T10:00:16.000000Z");
        // The first one comes back and learns that it was replaced.
        assert_eq!(
            held(a.check(Some(&live), time("10:00:17"), None)).holder,
            "b"
        );
    }

    #[test]
    fn a_lease_expires_by_the_clock_only_when_clocks_cannot_explain_it() {
        let set = set();
        let live = stored(claim(&set, "a").check(None, time("10:00:00"), None), "1");
        let b = claim(&set, "b");
        let cases = [
            // Its clock is behind ours by up to five minutes, or far ahead.
            ("10:00:00", Some(30)),
            ("10:00:29", Some(30)),
            ("10:00:31", Some(30)),
            ("10:05:00", Some(30)),
            ("10:05:10", Some(20)),
            ("10:05:29", Some(1)),
            ("10:05:30", None),
            ("23:00:00", None),
            ("09:00:00", Some(30)),
            ("00:00:00", Some(30)),
        ];
        for (now, expires_in) in cases {
            match b.check(Some(&live), time(now), None) {
                Standing::HeldBy(held) => {
                    assert_eq!(Some(held.expires_in), expires_in.map(seconds), "{now}");
                }
                Standing::Acquire(lease) => {
                    assert_eq!(expires_in, None, "{now}");
                    assert_eq!(lease["metadata"]["resourceVersion"], "1");
                }
                Standing::Renew(_) => panic!("it is not ours at {now}"),
            }
        }
    }

    #[test]
    fn whoever_watches_takes_over_what_is_not_renewed_whatever_the_clocks_say() {
        let set = set();
        let (a, b) = (claim(&set, "a"), claim(&set, "b"));
        // The clock of the holder is a day ahead, or a minute behind.
        let ahead = MicroTime::from_unix_micros(time("12:00:00").unix_micros() + 86_400_000_000);
        for start in [ahead, time("11:59:00")] {
            let live = stored(a.check(None, start, None), "1");
            let first = held(b.check(Some(&live), time("12:00:00"), None));
            assert_eq!(first.expires_in, seconds(30));
            let second = held(b.check(Some(&live), time("12:00:20"), Some(&first.sighting)));
            assert_eq!(second.expires_in, seconds(10));
            let taken = b.check(Some(&live), time("12:00:30"), Some(&second.sighting));
            assert!(matches!(taken, Standing::Acquire(_)), "{taken:?}");

            // A renewal starts the time anew.
            let live = stored(a.check(Some(&live), start.after(seconds(25)), None), "2");
            let third = held(b.check(Some(&live), time("12:00:30"), Some(&second.sighting)));
            assert_eq!(third.expires_in, seconds(30));
            assert_eq!(third.sighting.first, time("12:00:30"));
        }
    }

    /// Two machines with clocks apart by up to four minutes, each asking every few seconds and
    /// renewing while it holds: never do both hold the lease.
    #[test]
    fn two_machines_never_hold_it_at_once() {
        use super::super::Random;
        let set = set();
        let mut handovers = 0;
        for seed in 0..60 {
            let mut random = Random::new(seed);
            let skew: Vec<u64> = (0..2).map(|_| random.below(240)).collect();
            let claims = [claim(&set, "a"), claim(&set, "b")];
            let mut live: Option<Value> = None;
            let mut sightings: [Option<Sighting>; 2] = [None, None];
            // Until when, by true time, each believes that it holds the lease, and until when it sleeps.
            let (mut until, mut asleep) = ([0_u64; 2], [0_u64; 2]);
            for now in 1..2000_u64 {
                for who in 0..2 {
                    if now < asleep[who] || random.below(4) > 0 {
                        continue;
                    }
                    let clock = time("10:00:00").after(seconds(now + skew[who]));
                    let standing = claims[who].check(live.as_ref(), clock, sightings[who].as_ref());
                    match standing {
                        Standing::HeldBy(held) => sightings[who] = Some(held.sighting),
                        standing => {
                            handovers += usize::from(matches!(standing, Standing::Acquire(_)));
                            assert!(until[1 - who] <= now, "seed {seed}, {now}: both hold it");
                            live = Some(stored(standing, &now.to_string()));
                            // A holder trusts its lease for no longer than it lasts.
                            until[who] = now + 30;
                            if random.below(20) == 0 {
                                asleep[who] = now + random.below(600);
                            }
                        }
                    }
                }
            }
        }
        assert!(handovers > 120, "{handovers}");
    }

    #[test]
    fn leases_of_any_shape_are_read() {
        let set = set();
        let b = claim(&set, "b");
        let far = u64::MAX;
        let cases = [
            (json!(null), None),
            (json!({}), None),
            (json!({"spec": null}), None),
            (json!({"spec": {"holderIdentity": ""}}), None),
            (
                json!({"spec": {"holderIdentity": null, "leaseTransitions": -3}}),
                None,
            ),
            (json!({"spec": {"holderIdentity": "a"}}), Some(30)),
            (
                json!({"spec": {"holderIdentity": "a", "renewTime": 7, "leaseDurationSeconds": "x"}}),
                Some(30),
            ),
            (
                json!({"spec": {"holderIdentity": "a", "leaseDurationSeconds": 0}}),
                Some(30),
            ),
            (
                json!({"spec": {"holderIdentity": "a", "leaseDurationSeconds": far}}),
                Some(3600),
            ),
            (
                json!({"spec": {"holderIdentity": "a", "leaseDurationSeconds": 15,
                    "acquireTime": "2026-06-01T11:54:50Z"}}),
                Some(5),
            ),
            (json!({"spec": {"holderIdentity": ["b"]}}), Some(30)),
        ];
        for (live, expires_in) in cases {
            let standing = b.check(Some(&live), time("12:00:00"), None);
            match (standing, expires_in) {
                (Standing::HeldBy(held), Some(expected)) => {
                    assert_eq!(held.expires_in, seconds(expected), "{live}");
                }
                (Standing::Acquire(lease), None) => {
                    assert_eq!(lease["spec"]["leaseTransitions"], 1, "{live}");
                    assert_eq!(lease["metadata"]["name"], "weftctl-shop");
                }
                (other, _) => panic!("{live}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_others_wrote_into_a_lease_stays() {
        let set = set();
        let live = json!({
            "metadata": {"name": "weftctl-shop", "namespace": "shop", "resourceVersion": "9",
                "labels": {"team": "a"}, "annotations": {"x": "y"}},
            "spec": {"holderIdentity": "", "leaseTransitions": i32::MAX, "strategy": "s"},
        });
        let taken = stored(
            claim(&set, "b").check(Some(&live), time("12:00:00"), None),
            "9",
        );
        assert_eq!(taken["metadata"]["labels"]["team"], "a");
        assert_eq!(taken["metadata"]["labels"][SET_LABEL], set.as_str());
        assert_eq!(taken["metadata"]["annotations"]["x"], "y");
        assert_eq!(taken["spec"]["strategy"], "s");
        assert_eq!(taken["spec"]["leaseTransitions"], i32::MAX);
    }

    #[test]
    fn durations_are_whole_seconds_within_bounds() {
        let set = set();
        let cases = [
            (Duration::ZERO, 1),
            (Duration::from_millis(1500), 2),
            (seconds(30), 30),
            (Duration::MAX, 3600),
        ];
        for (duration, expected) in cases {
            let claim = Claim {
                duration,
                ..claim(&set, "a")
            };
            let lease = stored(claim.check(None, time("12:00:00"), None), "1");
            assert_eq!(lease["spec"]["leaseDurationSeconds"], expected);
        }
    }
}
