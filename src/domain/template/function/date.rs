//! Dates and durations.

use super::super::exec::Run;
use super::super::number;
use super::super::time::{self, Time};
use super::super::value::Value;
use super::{Arguments, Function, Outcome, Problem, Type, function};

pub(super) const FUNCTIONS: &[Function] = &[
    function("now", &[], |run, _| Ok(Value::Time(run.now()?))),
    function("ago", &[Type::Any], ago),
    function("date", &[Type::Text, Type::Any], |run, args| {
        shown(run, args.bytes(0)?, args.any(1)?, b"Local")
    }),
    function(
        "dateInZone",
        &[Type::Text, Type::Any, Type::Text],
        date_in_zone,
    ),
    function(
        "date_in_zone",
        &[Type::Text, Type::Any, Type::Text],
        date_in_zone,
    ),
    function("htmlDate", &[Type::Any], |run, args| {
        shown(run, HTML, args.any(0)?, b"Local")
    }),
    function("htmlDateInZone", &[Type::Any, Type::Text], |run, args| {
        shown(run, HTML, args.any(0)?, args.bytes(1)?)
    }),
    function("dateModify", &[Type::Text, Type::Time], modify_leniently),
    function("date_modify", &[Type::Text, Type::Time], modify_leniently),
    function("mustDateModify", &[Type::Text, Type::Time], modify),
    function("must_date_modify", &[Type::Text, Type::Time], modify),
    function("toDate", &[Type::Text, Type::Text], to_date_leniently),
    function("mustToDate", &[Type::Text, Type::Text], to_date),
    function("unixEpoch", &[Type::Time], |run, args| {
        run.text(args.time(0)?.seconds.to_string())
    }),
    function("duration", &[Type::Any], duration),
    function("durationRound", &[Type::Any], duration_round),
];

const HTML: &[u8] = b"2006-01-02";
const SECOND: i64 = 1_000_000_000;

/// Returns the point in time that a value stands for: itself, or seconds since 1970.
fn point(value: &Value<'_>) -> Result<Time, Problem> {
    match value {
        Value::Time(time) => Ok(time.clone()),
        Value::Int(seconds) | Value::Int64(seconds) => Ok(Time::utc(*seconds, 0)),
        other => {
            let kind = other.type_name();
            Err(format!("a {kind} is no date; toDate makes one of a text").into())
        }
    }
}

fn shown<'a>(run: &mut Run<'a>, layout: &[u8], value: &Value<'a>, zone: &[u8]) -> Outcome<'a> {
    let zone = std::str::from_utf8(zone).unwrap_or_default();
    run.charge(layout.len().saturating_mul(16))?;
    run.text(point(value)?.in_zone(zone).format(layout))
}

fn date_in_zone<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    shown(run, args.bytes(0)?, args.any(1)?, args.bytes(2)?)
}

fn ago<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let passed = run.now()?.since(&point(args.any(0)?)?);
    // To the nearest second, halves away from zero.
    let rest = passed % SECOND;
    let mut rounded = passed - rest;
    if rest.abs() * 2 >= SECOND {
        rounded = rounded.saturating_add(SECOND * rest.signum());
    }
    run.text(time::duration_text(rounded))
}

fn modify<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    match time::duration(args.bytes(0)?) {
        Some(nanoseconds) => Ok(Value::Time(args.time(1)?.plus(nanoseconds))),
        None => Err("invalid duration".into()),
    }
}

fn modify_leniently<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let nanoseconds = time::duration(args.bytes(0)?).unwrap_or(0);
    Ok(Value::Time(args.time(1)?.plus(nanoseconds)))
}

fn to_date<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    match time::parse(args.bytes(0)?, args.bytes(1)?) {
        Some(time) => Ok(Value::Time(time)),
        None => Err("the text is not what the layout says".into()),
    }
}

fn to_date_leniently<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    // The beginning of the year 1, as Go has it for nothing.
    let nothing = Time::utc(-62_135_596_800, 0);
    let found = time::parse(args.bytes(0)?, args.bytes(1)?);
    Ok(Value::Time(found.unwrap_or(nothing)))
}

fn duration<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let seconds = match args.any(0)? {
        Value::Int64(seconds) => *seconds,
        Value::Text(text) => {
            let text = std::str::from_utf8(text.bytes()).unwrap_or_default();
            match number::integer(text, 10) {
                Ok(seconds) | Err(number::NoInteger::Range(seconds)) => seconds,
                Err(number::NoInteger::Syntax) => 0,
            }
        }
        _ => 0,
    };
    run.text(time::duration_text(seconds.wrapping_mul(SECOND)))
}

fn duration_round<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    const UNITS: [(&str, u64); 6] = [
        ("y", 365 * 86_400),
        ("mo", 30 * 86_400),
        ("d", 86_400),
        ("h", 3_600),
        ("m", 60),
        ("s", 1),
    ];
    let nanoseconds = match args.any(0)? {
        Value::Int64(nanoseconds) => *nanoseconds,
        Value::Text(text) => time::duration(text.bytes()).unwrap_or(0),
        Value::Time(time) => run.now()?.since(time),
        _ => 0,
    };
    let total = nanoseconds.unsigned_abs();
    for (name, seconds) in UNITS {
        let unit = seconds * SECOND.unsigned_abs();
        if total > unit {
            return run.text(format!("{}{name}", total / unit));
        }
    }
    Ok(Value::text("0s"))
}
