//! What the cluster last said of an object in an event.
//!
//! Reads both shapes, `core/v1` and `events.k8s.io/v1`: one object served under two names of its
//! fields.

use std::cmp::Reverse;

use serde_json::Value;

use crate::resource::dig;

use super::read::line;

/// An event, as a line.
#[derive(
    Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub struct EventLine {
    /// `Normal` or `Warning`.
    #[serde(rename = "type")]
    pub event_type: String,
    /// Its reason, such as `FailedMount`.
    pub reason: String,
    /// What happened, on one line.
    pub message: String,
    /// How often it happened.
    pub count: u64,
    /// When it last happened, as the server writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
}

/// Returns the latest event about the object with a UID; of several in one second, which is as
/// exact as most clocks of events are, a warning.
pub fn last_event<'a>(events: impl IntoIterator<Item = &'a Value>, uid: &str) -> Option<EventLine> {
    let about = events.into_iter().filter(|event| is_about(event, uid));
    let latest = about.max_by_key(|event| {
        let moment = last_time(event).map(|(_, moment)| moment);
        let (second, fraction) = moment.unwrap_or((i64::MIN, 0));
        let is_normal = event.get("type").is_none_or(|kind| kind != "Warning");
        (second, Reverse(is_normal), fraction)
    });
    latest.map(event_line)
}

/// Reads an event.
pub fn event_line(event: &Value) -> EventLine {
    let text = |fields: [&str; 2]| {
        let mut found = fields
            .iter()
            .filter_map(|field| event.get(*field)?.as_str());
        found.find(|text| !text.is_empty()).map(line)
    };
    EventLine {
        event_type: text(["type", ""]).unwrap_or_else(|| "Normal".to_owned()),
        reason: text(["reason", ""]).unwrap_or_default(),
        message: text(["message", "note"]).unwrap_or_default(),
        count: count(event),
        time: last_time(event).map(|(text, _)| text.to_owned()),
    }
}

/// Returns the reference to the object that an event is about.
pub fn regarding(event: &Value) -> Option<&Value> {
    let objects = ["involvedObject", "regarding"].into_iter();
    let mut objects = objects.filter_map(|object| event.get(object));
    objects.find(|object| object.get("uid").is_some_and(Value::is_string))
}

fn is_about(event: &Value, uid: &str) -> bool {
    let objects = ["involvedObject", "regarding"].into_iter();
    let mut uids = objects.filter_map(|object| event.get(object)?.get("uid")?.as_str());
    !uid.is_empty() && uids.any(|found| found == uid)
}

fn count(event: &Value) -> u64 {
    let places: [&[&str]; 3] = [&["series", "count"], &["count"], &["deprecatedCount"]];
    let counts = places
        .iter()
        .filter_map(|place| dig(event, place)?.as_u64());
    counts.max().unwrap_or(1).max(1)
}

/// Returns the latest of the times of an event, as written and as a moment.
fn last_time(event: &Value) -> Option<(&str, (i64, u32))> {
    const PLACES: [&[&str]; 7] = [
        &["series", "lastObservedTime"],
        &["lastTimestamp"],
        &["deprecatedLastTimestamp"],
        &["eventTime"],
        &["firstTimestamp"],
        &["deprecatedFirstTimestamp"],
        &["metadata", "creationTimestamp"],
    ];
    let times = PLACES.iter().filter_map(|place| {
        let text = dig(event, place)?.as_str()?;
        Some((text, moment(text)?))
    });
    // Of equal ones the first.
    times.reduce(|last, next| if next.1 > last.1 { next } else { last })
}

/// Reads a time of RFC 3339 as seconds since 1970 and nanoseconds.
fn moment(text: &str) -> Option<(i64, u32)> {
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = text.get(from..to)?;
        let all = digits.bytes().all(|digit| digit.is_ascii_digit());
        all.then(|| digits.parse().ok()).flatten()
    };
    let is =
        |at: usize, allowed: &[u8]| text.as_bytes().get(at).is_some_and(|b| allowed.contains(b));
    let separators: [(usize, &[u8]); 5] =
        [(4, b"-"), (7, b"-"), (10, b"Tt "), (13, b":"), (16, b":")];
    if !separators.iter().all(|(at, allowed)| is(*at, allowed)) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let is_sound = (1..=12).contains(&month) && (1..=31).contains(&day);
    if !is_sound || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut rest = text.get(19..)?;
    let mut nanoseconds = 0;
    if let Some(fraction) = rest.strip_prefix('.') {
        let end = fraction.find(|c: char| !c.is_ascii_digit())?;
        let (digits, zone) = fraction.split_at(end);
        let mut scale = 100_000_000;
        for digit in digits.bytes().take(9) {
            nanoseconds += u32::from(digit - b'0') * scale;
            scale /= 10;
        }
        rest = zone;
    }
    let offset = match rest.as_bytes() {
        b"Z" | b"z" => 0,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let from = text.len() - rest.len();
            let minutes = number(from + 1, from + 3)? * 60 + number(from + 4, from + 6)?;
            if *sign == b'-' { -minutes } else { minutes }
        }
        _ => return None,
    };
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    Some((seconds - offset * 60, nanoseconds))
}

/// Counts the days from 1970 to a date of the Gregorian calendar.
///
/// Years start in March here, so that a leap day is the last one of its year.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month < 3 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // 153 days in each five months from March on; 719 468 days from March of year 0 to 1970.
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - 719_468
}
