//! Lists, and choosing between values.
#![expect(
    clippy::unnecessary_wraps,
    reason = "functions of templates have one type"
)]

use super::super::exec::{DEPTH_OF_VALUES, Run};
use super::super::value::{List, ListKind, Value};
use super::numeric::integer;
use super::{Arguments, Function, Outcome, Problem, Type, function, variadic};

pub(super) const FUNCTIONS: &[Function] = &[
    variadic("default", &[Type::Any], Type::Any, default),
    function("empty", &[Type::Any], empty),
    variadic("coalesce", &[], Type::Any, coalesce),
    variadic("all", &[], Type::Any, all),
    variadic("any", &[], Type::Any, any),
    function("ternary", &[Type::Any, Type::Any, Type::Boolean], ternary),
    variadic("list", &[], Type::Any, list),
    variadic("tuple", &[], Type::Any, list),
    function("first", &[Type::Any], first),
    function("mustFirst", &[Type::Any], first),
    function("last", &[Type::Any], last),
    function("mustLast", &[Type::Any], last),
    function("rest", &[Type::Any], rest),
    function("mustRest", &[Type::Any], rest),
    function("initial", &[Type::Any], initial),
    function("mustInitial", &[Type::Any], initial),
    function("append", &[Type::Any, Type::Any], append),
    function("mustAppend", &[Type::Any, Type::Any], append),
    function("push", &[Type::Any, Type::Any], append),
    function("mustPush", &[Type::Any, Type::Any], append),
    function("prepend", &[Type::Any, Type::Any], prepend),
    function("mustPrepend", &[Type::Any, Type::Any], prepend),
    variadic("concat", &[], Type::Any, concat),
    function("reverse", &[Type::Any], reverse),
    function("mustReverse", &[Type::Any], reverse),
    function("uniq", &[Type::Any], unique),
    function("mustUniq", &[Type::Any], unique),
    variadic("without", &[Type::Any], Type::Any, without),
    variadic("mustWithout", &[Type::Any], Type::Any, without),
    function("has", &[Type::Any, Type::Any], has),
    function("mustHas", &[Type::Any, Type::Any], has),
    function("compact", &[Type::Any], compact),
    function("mustCompact", &[Type::Any], compact),
    variadic("slice", &[Type::Any], Type::Any, slice),
    variadic("mustSlice", &[Type::Any], Type::Any, slice),
    function("chunk", &[Type::Int, Type::Any], chunk),
    function("mustChunk", &[Type::Int, Type::Any], chunk),
    function("deepEqual", &[Type::Any, Type::Any], deep_equal),
];

fn items<'v, 'a>(value: &'v Value<'a>) -> Result<&'v List<'a>, Problem> {
    match value {
        Value::List(list) => Ok(list),
        other => Err(format!("a {} is no list", other.kind_name()).into()),
    }
}

/// Makes sure that a value is as nil as what a list without entries yields.
fn found<'a>(value: Option<&Value<'a>>) -> Value<'a> {
    value.cloned().unwrap_or(Value::Null)
}

fn default<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    match args.0.get(1) {
        Some(given) if given.is_true() => Ok(given.clone()),
        _ => Ok(args.any(0)?.clone()),
    }
}

fn empty<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    Ok(Value::Boolean(!args.any(0)?.is_true()))
}

fn coalesce<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    Ok(found(args.0.iter().find(|value| value.is_true())))
}

fn all<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    Ok(args.0.iter().all(Value::is_true).into())
}

fn any<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    Ok(args.0.iter().any(Value::is_true).into())
}

fn ternary<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    Ok(args.any(usize::from(!args.boolean(2)?))?.clone())
}

fn list<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    run.list(args.0.to_vec())
}

fn first<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    Ok(found(items(args.any(0)?)?.items().first()))
}

fn last<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    Ok(found(items(args.any(0)?)?.items().last()))
}

fn rest<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    match items(args.any(0)?)?.items() {
        [] => Ok(Value::List(List::nil(ListKind::Any))),
        [_, rest @ ..] => run.list(rest.to_vec()),
    }
}

fn initial<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    match items(args.any(0)?)?.items() {
        [] => Ok(Value::List(List::nil(ListKind::Any))),
        [initial @ .., _] => run.list(initial.to_vec()),
    }
}

fn append<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let list = items(args.any(0)?)?;
    run.charge(list.items().len().saturating_mul(32))?;
    let mut items = list.items().to_vec();
    items.push(args.any(1)?.clone());
    run.list(items)
}

fn prepend<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let list = items(args.any(0)?)?;
    run.charge(list.items().len().saturating_mul(32))?;
    let mut items = vec![args.any(1)?.clone()];
    items.extend_from_slice(list.items());
    run.list(items)
}

fn concat<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let mut all = Vec::new();
    for value in args.0 {
        let list = items(value)?;
        run.charge(list.items().len().saturating_mul(32))?;
        all.extend_from_slice(list.items());
    }
    if all.is_empty() {
        return Ok(Value::List(List::nil(ListKind::Any)));
    }
    run.list(all)
}

fn reverse<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let mut items = items(args.any(0)?)?.items().to_vec();
    items.reverse();
    run.list(items)
}

fn unique<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let mut kept: Vec<Value<'a>> = Vec::new();
    for item in items(args.any(0)?)?.items() {
        if !is_in(run, item, &kept)? {
            kept.push(item.clone());
        }
    }
    run.list(kept)
}

fn is_in<'a>(run: &mut Run<'a>, value: &Value<'a>, items: &[Value<'a>]) -> Result<bool, Problem> {
    for item in items {
        if are_same(run, value, item, 0)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn without<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let mut kept = Vec::new();
    for item in items(args.any(0)?)?.items() {
        if !is_in(run, item, args.from(1))? {
            kept.push(item.clone());
        }
    }
    run.list(kept)
}

fn has<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let haystack = args.any(1)?;
    if haystack.is_nil() {
        return Ok(Value::Boolean(false));
    }
    let found = is_in(run, args.any(0)?, items(haystack)?.items())?;
    Ok(Value::Boolean(found))
}

fn compact<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let all = items(args.any(0)?)?.items();
    run.list(all.iter().filter(|item| item.is_true()).cloned().collect())
}

fn slice<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let list = items(args.any(0)?)?;
    if list.items().is_empty() {
        return Ok(Value::Null);
    }
    let start = args
        .0
        .get(1)
        .map_or(Ok(0), |value| usize::try_from(integer(value)));
    let end = match args.0.get(2) {
        Some(value) => usize::try_from(integer(value)),
        None => Ok(list.items().len()),
    };
    let range = start.ok().zip(end.ok());
    let range = range.filter(|(start, end)| start <= end);
    match range.and_then(|(start, end)| list.items().get(start..end)) {
        Some(part) => run.list_of(list.kind(), part.to_vec()),
        None => Err("slice index out of bounds".into()),
    }
}

fn chunk<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let list = items(args.any(1)?)?;
    let size = usize::try_from(args.int(0)?).ok().filter(|size| *size > 0);
    let Some(size) = size else {
        return Err("a chunk has at least one entry".into());
    };
    let mut chunks = Vec::new();
    for chunk in list.items().chunks(size) {
        chunks.push(run.list(chunk.to_vec())?);
    }
    run.list_of(ListKind::Lists, chunks)
}

fn deep_equal<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    Ok(Value::Boolean(are_same(
        run,
        args.any(0)?,
        args.any(1)?,
        0,
    )?))
}

/// Tells whether two values have the same type and hold the same.
pub(super) fn are_same<'a>(
    run: &mut Run<'a>,
    left: &Value<'a>,
    right: &Value<'a>,
    depth: usize,
) -> Result<bool, Problem> {
    if depth > DEPTH_OF_VALUES {
        return Err(Problem::too_deep());
    }
    run.step(1)?;
    #[expect(clippy::float_cmp, reason = "that is the question")]
    Ok(match (left, right) {
        (Value::Nil | Value::Null, Value::Nil | Value::Null) => true,
        (Value::Boolean(left), Value::Boolean(right)) => left == right,
        (Value::Int(left), Value::Int(right)) | (Value::Int64(left), Value::Int64(right)) => {
            left == right
        }
        (Value::Byte(left), Value::Byte(right)) => left == right,
        (Value::Unsigned(left), Value::Unsigned(right)) => left == right,
        (Value::Float(left), Value::Float(right)) => left == right,
        (Value::Text(left), Value::Text(right)) => left == right,
        (Value::Time(left), Value::Time(right)) => left == right,
        (Value::Version(left), Value::Version(right)) => left == right,
        (Value::List(left), Value::List(right)) => {
            let (one, other) = (left.items(), right.items());
            if left.kind() != right.kind()
                || left.is_nil() != right.is_nil()
                || one.len() != other.len()
            {
                return Ok(false);
            }
            for (one, other) in one.iter().zip(other) {
                if !are_same(run, one, other, depth + 1)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Map(left), Value::Map(right)) => {
            if left.kind() != right.kind()
                || left.is_nil() != right.is_nil()
                || left.len() != right.len()
            {
                return Ok(false);
            }
            if left.is_same(right) {
                return Ok(true);
            }
            for ((one_key, one), (other_key, other)) in left.entries().iter().zip(&right.entries())
            {
                if one_key != other_key || !are_same(run, one, other, depth + 1)? {
                    return Ok(false);
                }
            }
            true
        }
        _ => false,
    })
}
