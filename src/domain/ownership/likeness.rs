//! Whether two scalars are the same to a server, as far as one can know without its schema.

use serde_json::{Number, Value};

use super::quantity::Quantity;
use super::trail::Trail;

/// Integers beyond this have no exact floating point form.
const EXACT: f64 = 9_007_199_254_740_992.0;
/// No longer text is a duration or a time.
const LENGTH: usize = 64;

/// Fields that hold a quantity wherever they are.
const QUANTITIES: &[&str] = &["storage", "sizeLimit", "divisor", "averageValue"];

/// What is known of two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Likeness {
    /// They are the same to every server.
    Same,
    /// They may be the same to the server.
    Unclear,
    /// They differ.
    Different,
}

/// What a field is known to hold, from its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Any text, nothing but text.
    Text,
    /// A quantity of something.
    Quantity,
    /// Bytes in Base64.
    Bytes,
    /// Anything.
    Unknown,
}

/// Tells what a field holds, from its place in the types of the Kubernetes API.
pub(super) fn meaning(trail: &Trail<'_>, object: &Value) -> Meaning {
    let text = |key| object.get(key).and_then(Value::as_str);
    let (version, kind) = (text("apiVersion"), text("kind"));
    let mut up = trail.upwards().map(Option::unwrap_or_default);
    let (key, parent, above) = (up.next(), up.next(), up.next());
    let (key, parent) = (key.unwrap_or_default(), parent.unwrap_or_default());
    let is_data = above.is_none() && version == Some("v1");
    let is_limit = || {
        let limits = [
            "default",
            "defaultRequest",
            "max",
            "min",
            "maxLimitRequestRatio",
        ];
        kind == Some("LimitRange") && limits.contains(&parent)
            || matches!(parent, "requests" | "limits") && above == Some("resources")
            || matches!(parent, "capacity" | "allocatable" | "hard" | "podFixed")
    };
    match (kind, parent) {
        (Some("ConfigMap"), "data") | (Some("Secret"), "stringData") if is_data => Meaning::Text,
        (Some("ConfigMap"), "binaryData") | (Some("Secret"), "data") if is_data => Meaning::Bytes,
        (_, "labels" | "annotations" | "matchLabels" | "nodeSelector") => Meaning::Text,
        _ if is_limit() || QUANTITIES.contains(&key) => Meaning::Quantity,
        _ => Meaning::Unknown,
    }
}

/// Compares two scalars; the meaning is asked for only when they aren't equal.
pub(super) fn likeness(
    wanted: &Value,
    live: &Value,
    meaning: impl FnOnce() -> Meaning,
) -> Likeness {
    if wanted == live {
        return Likeness::Same;
    }
    let wanted_text = text(wanted);
    let live_text = text(live);
    let (Some(wanted_text), Some(live_text)) = (wanted_text, live_text) else {
        return Likeness::Different;
    };
    let meaning = meaning();
    match (wanted, live) {
        _ if meaning == Meaning::Quantity => quantities(&wanted_text, &live_text),
        (Value::Number(wanted), Value::Number(live)) => numbers(wanted, live),
        (Value::String(_), Value::String(_)) => texts(&wanted_text, &live_text, meaning),
        // A port or a quantity may be written either way.
        _ if wanted_text == live_text => Likeness::Unclear,
        (Value::Number(_), _) | (_, Value::Number(_)) => {
            maybe(are_equal(Quantity::parse, &wanted_text, &live_text))
        }
        _ => Likeness::Different,
    }
}

fn text(value: &Value) -> Option<std::borrow::Cow<'_, str>> {
    match value {
        Value::String(text) => Some(text.into()),
        Value::Number(number) => Some(number.to_string().into()),
        Value::Bool(true) => Some("true".into()),
        Value::Bool(false) => Some("false".into()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn maybe(is_equal: bool) -> Likeness {
    if is_equal {
        Likeness::Unclear
    } else {
        Likeness::Different
    }
}

fn are_equal<T: PartialEq>(read: impl Fn(&str) -> Option<T>, wanted: &str, live: &str) -> bool {
    matches!((read(wanted), read(live)), (Some(wanted), Some(live)) if wanted == live)
}

fn quantities(wanted: &str, live: &str) -> Likeness {
    match (Quantity::parse(wanted), Quantity::parse(live)) {
        (Some(wanted), Some(live)) if wanted == live => Likeness::Same,
        (Some(_), Some(_)) => Likeness::Different,
        _ => Likeness::Unclear,
    }
}

/// `1` and `1.0` are one number.
fn numbers(wanted: &Number, live: &Number) -> Likeness {
    if !wanted.is_f64() && !live.is_f64() {
        return Likeness::Different;
    }
    match (wanted.as_f64(), live.as_f64()) {
        (Some(wanted), Some(live)) if wanted.abs() < EXACT && live.abs() < EXACT => {
            #[expect(clippy::float_cmp, reason = "both are exact here")]
            if wanted == live {
                Likeness::Same
            } else {
                Likeness::Different
            }
        }
        _ => Likeness::Unclear,
    }
}

fn texts(wanted: &str, live: &str, meaning: Meaning) -> Likeness {
    if meaning == Meaning::Text {
        return Likeness::Different;
    }
    // A decoder of Base64 skips the ends of lines, and the server writes none.
    if wanted.contains(['\n', '\r']) && is_base64(wanted) && is_base64(live) {
        let without = |text: &'_ str| text.replace(['\n', '\r'], "");
        let is_equal = without(wanted) == without(live);
        return match maybe(is_equal) {
            Likeness::Unclear if meaning == Meaning::Bytes => Likeness::Same,
            likeness => likeness,
        };
    }
    if meaning == Meaning::Bytes {
        return Likeness::Different;
    }
    maybe(
        are_equal(Quantity::parse, wanted, live)
            || are_equal(duration, wanted, live)
            || are_equal(seconds, wanted, live),
    )
}

fn is_base64(text: &str) -> bool {
    text.bytes().all(|byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'\n' | b'\r')
    })
}

/// Reads a duration as Go's `time.ParseDuration` does (`1h30m`, `1.5s`), in nanoseconds.
fn duration(text: &str) -> Option<u128> {
    if text.is_empty() || text.len() > LENGTH {
        return None;
    }
    let mut total: u128 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(end);
        let end = after.find(|c: char| c.is_ascii_digit() || c == '.');
        let (unit, after) = after.split_at(end.unwrap_or(after.len()));
        let unit: u128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let mut part: u128 = 0;
        for digit in whole.bytes() {
            let digit = digit.checked_sub(b'0')?;
            part = part.checked_mul(10)?.checked_add(digit.into())?;
        }
        total = total.checked_add(part.checked_mul(unit)?)?;
        let mut place = unit;
        for digit in fraction.bytes() {
            place /= 10;
            total = total.checked_add(place.checked_mul(digit.checked_sub(b'0')?.into())?)?;
        }
        rest = after;
    }
    Some(total)
}

/// Reads a time of RFC 3339, in whole seconds since 1970: a server cuts fractions off or pads them.
fn seconds(text: &str) -> Option<i64> {
    if text.len() > LENGTH {
        return None;
    }
    let bytes = text.as_bytes();
    let at = |index: usize| bytes.get(index).copied();
    let number = |start: usize, length: usize| {
        let digits = text.get(start..start + length)?;
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse::<i64>().ok()).flatten()
    };
    let separators = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    if !matches!(at(10)?, b'T' | b't' | b' ')
        || separators
            .iter()
            .any(|(index, byte)| at(*index) != Some(*byte))
    {
        return None;
    }
    let time = number(11, 2)? * 3600 + number(14, 2)? * 60 + number(17, 2)?;
    let mut zone = text.get(19..)?;
    if let Some(fraction) = zone.strip_prefix('.') {
        zone = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    let offset = match zone.as_bytes() {
        [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let start = text.len() - 5;
            let offset = number(start, 2)? * 3600 + number(start + 3, 2)? * 60;
            if *sign == b'-' { -offset } else { offset }
        }
        _ => return None,
    };
    Some(days(number(0, 4)?, number(5, 2)?, number(8, 2)?) * 86_400 + time - offset)
}

/// Counts the days since 1970 in the Gregorian calendar. Years start in March here, so that the day that
/// some years have more is the last one.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let month = (month + 9) % 12;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - 719_469
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn scalars_are_the_same_unclear_or_different() {
        use Likeness::{Different, Same, Unclear};
        use Meaning::{Bytes, Quantity, Text, Unknown};
        let cases = [
            (json!("a"), json!("a"), Unknown, Same),
            (json!("a"), json!("A"), Unknown, Different),
            (json!(true), json!(false), Unknown, Different),
            (json!(1), json!(2), Unknown, Different),
            (json!(1), json!(1.0), Unknown, Same),
            (json!(0.5), json!(0.25), Unknown, Different),
            (
                json!(9_007_199_254_740_993_u64),
                json!(9_007_199_254_740_992.0),
                Unknown,
                Unclear,
            ),
            (json!(u64::MAX), json!(-1), Unknown, Different),
            // Numbers and booleans that a server may keep as texts.
            (json!(80), json!("80"), Unknown, Unclear),
            (json!("true"), json!(true), Unknown, Unclear),
            (json!(80), json!("http"), Unknown, Different),
            (json!(0.5), json!("500m"), Unknown, Unclear),
            (json!(true), json!(1), Unknown, Different),
            (json!("a"), json!({"a": 1}), Unknown, Different),
            (json!("a"), json!(["a"]), Unknown, Different),
            // Quantities.
            (json!("0.5"), json!("500m"), Quantity, Same),
            (json!(0.5), json!("500m"), Quantity, Same),
            (json!(1), json!("1"), Quantity, Same),
            (json!("1Gi"), json!("1024Mi"), Quantity, Same),
            (json!("1Gi"), json!("1G"), Quantity, Different),
            (json!("1gi"), json!("1Gi"), Quantity, Unclear),
            (json!("1Gi"), json!("1024Mi"), Unknown, Unclear),
            (json!("1Gi"), json!("1G"), Unknown, Different),
            (json!("1Gi"), json!("1024Mi"), Text, Different),
            (json!("1.10"), json!("1.1"), Text, Different),
            // Durations and times.
            (json!("60s"), json!("1m0s"), Unknown, Unclear),
            (json!("1.5h"), json!("1h30m0s"), Unknown, Unclear),
            (json!("1500ms"), json!("1.5s"), Unknown, Unclear),
            (json!("60s"), json!("61s"), Unknown, Different),
            (
                json!("2026-01-01T00:00:00Z"),
                json!("2026-01-01T00:00:00.000000Z"),
                Unknown,
                Unclear,
            ),
            (
                json!("2026-01-01T01:00:00+01:00"),
                json!("2026-01-01T00:00:00Z"),
                Unknown,
                Unclear,
            ),
            (
                json!("2023-12-31T19:00:00-05:00"),
                json!("2024-01-01T00:00:00Z"),
                Unknown,
                Unclear,
            ),
            (
                json!("2024-03-01T00:30:00+01:00"),
                json!("2024-02-29T23:30:00Z"),
                Unknown,
                Unclear,
            ),
            (
                json!("2023-03-01T00:30:00+01:00"),
                json!("2023-02-28T23:30:00Z"),
                Unknown,
                Unclear,
            ),
            (
                json!("2026-01-01T00:00:00Z"),
                json!("2026-01-01T00:00:01Z"),
                Unknown,
                Different,
            ),
            (
                json!("2026-01-01T00:00:00Z"),
                json!("2026-01-01T00:00:00"),
                Unknown,
                Different,
            ),
            // Base64 over several lines.
            (json!("YWJj\nZGVm\n"), json!("YWJjZGVm"), Bytes, Same),
            (json!("YWJj\nZGVm\n"), json!("YWJjZGVm"), Unknown, Unclear),
            (json!("YWJj\nZGVm\n"), json!("YWJjZGVm"), Text, Different),
            (json!("YWJj\n"), json!("YWJk"), Bytes, Different),
            (json!("1000"), json!("1k=="), Bytes, Different),
            (json!("a b\n"), json!("a b"), Unknown, Different),
        ];
        for (wanted, live, meaning, expected) in cases {
            assert_eq!(
                likeness(&wanted, &live, || meaning),
                expected,
                "{wanted} {live}"
            );
        }
    }

    #[test]
    fn durations_and_times_of_other_forms_are_not_read() {
        for text in [
            "", "1", "s", "1x", "1s2", ".s", "1..s", "1.2.3s", "-1s", "1 s", "é",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
        assert_eq!(duration("1h0.5m2s3ms4us5ns"), Some(3_632_003_004_005));
        assert_eq!(duration(&"9".repeat(60)), None);
        assert_eq!(seconds("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(seconds("2000-03-01T00:00:00Z"), Some(951_868_800));
        assert_eq!(seconds("1969-12-31T23:59:59Z"), Some(-1));
        for text in [
            "",
            "2026-01-01",
            "2026-01-01T00:00Z",
            "2026-01-01T00:00:00+1:00",
            "2026-01-01T00:00:0éZ",
            "２０２６-01-01T00:00:00Z",
            "2026-01-01T00:00:00.5",
            "2026-+1-01T00:00:00Z",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
