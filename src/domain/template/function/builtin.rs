//! What Go's engine has by itself.

use std::cmp::Ordering;

use super::super::exec::Run;
use super::super::format;
use super::super::rune;
use super::super::value::{Text, Value};
use super::{Arguments, Body, Function, Outcome, Problem, Type, function, variadic};

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "and",
        fixed: &[Type::Any],
        variadic: Some(Type::Any),
        body: Body::And,
    },
    Function {
        name: "or",
        fixed: &[Type::Any],
        variadic: Some(Type::Any),
        body: Body::Or,
    },
    function("not", &[Type::Any], not),
    function("len", &[Type::Any], len),
    variadic("index", &[Type::Any], Type::Any, index),
    variadic("print", &[], Type::Any, print),
    variadic("printf", &[Type::Text], Type::Any, printf),
    variadic("println", &[], Type::Any, println),
    variadic("html", &[], Type::Any, html),
    variadic("js", &[], Type::Any, js),
    variadic("urlquery", &[], Type::Any, urlquery),
    variadic("call", &[Type::Any], Type::Any, call),
    variadic("eq", &[Type::Any], Type::Any, equal),
    function("ne", &[Type::Any, Type::Any], not_equal),
    function("lt", &[Type::Any, Type::Any], less),
    function("le", &[Type::Any, Type::Any], less_or_equal),
    function("gt", &[Type::Any, Type::Any], greater),
    function("ge", &[Type::Any, Type::Any], greater_or_equal),
];

fn not<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    Ok(Value::Boolean(!args.any(0)?.is_true()))
}

/// Returns a length as Go counts.
pub(super) fn counted(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

fn len<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let length = match args.any(0)? {
        Value::Text(text) => text.bytes().len(),
        Value::List(list) => list.items().len(),
        Value::Map(map) => map.len(),
        other => return Err(format!("len of type {}", other.type_name()).into()),
    };
    Ok(Value::Int(counted(length)))
}

/// Returns an index as a position.
fn position(index: &Value<'_>) -> Result<usize, Problem> {
    let found = match index {
        Value::Int(number) | Value::Int64(number) => usize::try_from(*number).ok(),
        Value::Byte(number) => Some(usize::from(*number)),
        Value::Unsigned(number) => usize::try_from(*number).ok(),
        other => {
            return Err(format!("cannot index slice/array with type {}", other.type_name()).into());
        }
    };
    found.ok_or_else(|| "index out of range".into())
}

fn index<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let mut value = args.any(0)?.clone();
    if value.is_nil() {
        return Err("index of untyped nil".into());
    }
    for key in args.from(1) {
        value = match (&value, key) {
            (Value::Map(map), Value::Text(key)) => match map.get(key.bytes()) {
                Some(found) => found,
                None if map.kind() == super::super::value::MapKind::Texts => Value::text(""),
                None => Value::Null,
            },
            (Value::Map(_), other) => {
                let kind = other.type_name();
                return Err(format!("value has type {kind}; should be string").into());
            }
            (Value::List(list), key) => match list.items().get(position(key)?) {
                Some(found) => found.clone(),
                None => return Err("index out of range".into()),
            },
            (Value::Text(text), key) => match text.bytes().get(position(key)?) {
                Some(byte) => Value::Byte(*byte),
                None => return Err("index out of range".into()),
            },
            (Value::Nil | Value::Null, _) => return Err("index of nil pointer".into()),
            (other, _) => {
                return Err(format!("can't index item of type {}", other.type_name()).into());
            }
        };
    }
    Ok(value)
}

fn print<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let text = format::print(args.0, run.room())?;
    run.text(text)
}

fn printf<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let text = format::printf(args.bytes(0)?, args.from(1), run.room())?;
    run.text(text)
}

fn println<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let text = format::println(args.0, run.room())?;
    run.text(text)
}

/// Returns what is escaped: all arguments, as printed.
fn joined(run: &Run<'_>, args: Arguments<'_, '_>) -> Result<Vec<u8>, Problem> {
    let shown: Vec<Value<'_>> = args
        .0
        .iter()
        .map(|value| match value {
            Value::Nil | Value::Null => Value::text("<no value>"),
            other => other.clone(),
        })
        .collect();
    format::print(&shown, run.room())
}

fn html<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let mut out = Vec::new();
    for byte in joined(run, args)? {
        let replaced: &[u8] = match byte {
            0 => "\u{FFFD}".as_bytes(),
            b'"' => b"&#34;",
            b'\'' => b"&#39;",
            b'&' => b"&amp;",
            b'<' => b"&lt;",
            b'>' => b"&gt;",
            _ => &[byte],
        };
        out.extend_from_slice(replaced);
    }
    run.text(out)
}

fn js<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let text = joined(run, args)?;
    let mut out = Vec::new();
    for rune in rune::runes(&text) {
        let char = rune.value();
        match char {
            '\\' | '\'' | '"' => {
                out.push(b'\\');
                rune::push(&mut out, char);
            }
            '<' | '>' | '&' | '=' | '\0'..' ' => {
                out.extend_from_slice(format!("\\u{:04X}", u32::from(char)).as_bytes());
            }
            // As it is, even if it is no character at all.
            _ if char.is_ascii() || rune::is_printable(char) => {
                let end = rune.at + rune.width;
                out.extend_from_slice(text.get(rune.at..end).unwrap_or_default());
            }
            _ => out.extend_from_slice(format!("\\u{:04X}", u32::from(char)).as_bytes()),
        }
    }
    run.text(out)
}

fn urlquery<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let text = joined(run, args)?;
    let mut out = Vec::new();
    for byte in text {
        match byte {
            b' ' => out.push(b'+'),
            b'-' | b'_' | b'.' | b'~' => out.push(byte),
            _ if byte.is_ascii_alphanumeric() => out.push(byte),
            _ => out.extend_from_slice(format!("%{byte:02X}").as_bytes()),
        }
    }
    run.text(out)
}

fn call<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let kind = args.any(0)?.type_name();
    Err(format!("a value of type {kind} is no function").into())
}

/// What can be compared with what.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Basic {
    Boolean,
    Integer,
    Unsigned,
    Float,
    Text,
    None,
}

fn basic(value: &Value<'_>) -> Basic {
    match value {
        Value::Boolean(_) => Basic::Boolean,
        Value::Int(_) | Value::Int64(_) => Basic::Integer,
        Value::Byte(_) | Value::Unsigned(_) => Basic::Unsigned,
        Value::Float(_) => Basic::Float,
        Value::Text(_) => Basic::Text,
        _ => Basic::None,
    }
}

fn whole(value: &Value<'_>) -> Option<i128> {
    match value {
        Value::Int(number) | Value::Int64(number) => Some(i128::from(*number)),
        Value::Byte(number) => Some(i128::from(*number)),
        Value::Unsigned(number) => Some(i128::from(*number)),
        _ => None,
    }
}

fn incompatible<T>(left: &Value<'_>, right: &Value<'_>) -> Result<T, Problem> {
    let (left, right) = (left.type_name(), right.type_name());
    Err(format!("incompatible types for comparison: {left} and {right}").into())
}

/// Tells whether something is nil, of a type or of none.
fn is_any_nil(value: &Value<'_>) -> bool {
    match value {
        Value::List(list) => list.is_nil(),
        Value::Map(map) => map.is_nil(),
        other => other.is_nil(),
    }
}

fn are_equal(left: &Value<'_>, right: &Value<'_>) -> Result<bool, Problem> {
    let (one, other) = (basic(left), basic(right));
    if let (Some(left), Some(right)) = (whole(left), whole(right)) {
        return Ok(left == right);
    }
    if one != other {
        return if left.is_nil() || right.is_nil() {
            Ok(false)
        } else {
            incompatible(left, right)
        };
    }
    #[expect(clippy::float_cmp, reason = "that is the question")]
    Ok(match (left, right) {
        (Value::Boolean(left), Value::Boolean(right)) => left == right,
        (Value::Float(left), Value::Float(right)) => left == right,
        (Value::Text(left), Value::Text(right)) => left == right,
        (left, right)
            if !left.is_nil() && !right.is_nil() && left.kind_name() != right.kind_name() =>
        {
            return incompatible(left, right);
        }
        (left, right) if is_any_nil(left) || is_any_nil(right) => {
            is_any_nil(left) == is_any_nil(right)
        }
        (Value::Time(left), Value::Time(right)) => left == right,
        (Value::Version(left), Value::Version(right)) => std::rc::Rc::ptr_eq(left, right),
        (left, _) => return Err(format!("non-comparable type {}", left.type_name()).into()),
    })
}

fn equal<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let rest = args.from(1);
    if rest.is_empty() {
        return Err("missing argument for comparison".into());
    }
    for value in rest {
        if are_equal(args.any(0)?, value)? {
            return Ok(Value::Boolean(true));
        }
    }
    Ok(Value::Boolean(false))
}

fn not_equal<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    Ok(Value::Boolean(!are_equal(args.any(0)?, args.any(1)?)?))
}

/// Returns how two values are ordered; none for those of which no number is one.
fn order(args: Arguments<'_, '_>) -> Result<Option<Ordering>, Problem> {
    let (left, right) = (args.any(0)?, args.any(1)?);
    if let (Some(left), Some(right)) = (whole(left), whole(right)) {
        return Ok(Some(left.cmp(&right)));
    }
    match (left, right) {
        (Value::Float(left), Value::Float(right)) => Ok(left.partial_cmp(right)),
        (Value::Text(left), Value::Text(right)) => Ok(Some(Text::cmp(left, right))),
        (left, right) if basic(left) == Basic::None || basic(left) == basic(right) => {
            Err("invalid type for comparison".into())
        }
        (left, right) => incompatible(left, right),
    }
}

fn less<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    Ok(Value::Boolean(order(args)? == Some(Ordering::Less)))
}

fn less_or_equal<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let order = order(args)?;
    Ok(Value::Boolean(order.is_some_and(Ordering::is_le)))
}

fn greater<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    // Go says that this is not `le`, also where no number is involved.
    let order = order(args)?;
    Ok(Value::Boolean(!order.is_some_and(Ordering::is_le)))
}

fn greater_or_equal<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    Ok(Value::Boolean(order(args)? != Some(Ordering::Less)))
}
