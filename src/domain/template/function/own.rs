//! The operator's own functions; they come before those of the same name.

use super::super::exec::Run;
use super::super::value::{MapKind, Mark, Text, Value};
use super::super::{json, number, url};
use super::encoding::hexadecimal;
use super::{Arguments, Function, Outcome, Type, function};
use sha1::{Digest as _, Sha1};

pub(super) const FUNCTIONS: &[Function] = &[
    function("toHost", &[Type::Text], to_host),
    function("trunc63", &[Type::Text], trunc63),
    function("sha1sum", &[Type::Text], sha1sum),
    function("fromJson", &[Type::Text], from_json),
    function("int", &[Type::Any], int),
    function("float", &[Type::Any], float),
    function("bool", &[Type::Any], boolean),
];

fn to_host<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let text = args.text(0)?;
    if let Some(url) = url::Url::parse(text.bytes())
        && !url.host.is_empty()
    {
        return run.text(url.hostname().to_vec());
    }
    let end = text.bytes().iter().position(|byte| *byte == b':');
    let part = text.part(0..end.unwrap_or(text.bytes().len()));
    Ok(Value::Text(part.unwrap_or_else(|| text.clone())))
}

fn trunc63<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let text = args.text(0)?;
    Ok(Value::Text(
        text.part(0..63).unwrap_or_else(|| text.clone()),
    ))
}

fn sha1sum<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    run.text(hexadecimal(&Sha1::digest(args.bytes(0)?)))
}

fn from_json<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    match json::read(run, args.bytes(0)?) {
        Err(super::Problem::Other(_)) => Ok(Value::Map(run.map(MapKind::Any)?)),
        other => other,
    }
}

/// Returns a text that stands for a number, or nothing when it isn't UTF-8.
fn utf8<'v>(text: &'v Text<'_>) -> &'v str {
    std::str::from_utf8(text.bytes()).unwrap_or_default()
}

fn int<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let integer = match args.any(0)? {
        Value::Int(number) | Value::Int64(number) => *number,
        Value::Float(number) => number::truncated(*number),
        Value::Text(text) => match number::integer(utf8(text), 10) {
            Ok(number) => number,
            Err(_) => number::float(utf8(text)).map_or(0, number::truncated),
        },
        Value::Boolean(flag) => i64::from(*flag),
        _ => 0,
    };
    Ok(Value::Text(Text::marked(
        integer.to_string(),
        Mark::Integer,
    )))
}

fn float<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    #[expect(clippy::cast_precision_loss, reason = "as Go converts")]
    let float = match args.any(0)? {
        Value::Float(number) => *number,
        Value::Int(number) | Value::Int64(number) => *number as f64,
        Value::Text(text) => number::float(utf8(text)).unwrap_or(0.0),
        Value::Boolean(true) => 1.0,
        _ => 0.0,
    };
    Ok(Value::Text(Text::marked(number::plain(float), Mark::Float)))
}

fn boolean<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let flag = match args.any(0)? {
        Value::Boolean(flag) => *flag,
        Value::Text(text) => matches!(
            utf8(text).to_lowercase().as_str(),
            "true" | "1" | "yes" | "on" | "t" | "y"
        ),
        Value::Int(number) | Value::Int64(number) => *number != 0,
        Value::Float(number) => *number != 0.0,
        _ => false,
    };
    Ok(Value::Text(Text::marked(flag.to_string(), Mark::Boolean)))
}
