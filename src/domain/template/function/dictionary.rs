//! Maps by keys.

use super::super::exec::{DEPTH_OF_VALUES, Run};
use super::super::value::{Map, MapKind, Value};
use super::texts::{shown, text_list};
use super::{Arguments, Function, Outcome, Problem, Type, function, variadic};

pub(super) const FUNCTIONS: &[Function] = &[
    variadic("dict", &[], Type::Any, dict),
    function("get", &[Type::Map, Type::Text], get),
    function("set", &[Type::Map, Type::Text, Type::Any], set),
    function("unset", &[Type::Map, Type::Text], unset),
    function("hasKey", &[Type::Map, Type::Text], has_key),
    variadic("pluck", &[Type::Text], Type::Map, pluck),
    variadic("keys", &[], Type::Map, keys),
    function("values", &[Type::Map], values),
    variadic("pick", &[Type::Map], Type::Text, pick),
    variadic("omit", &[Type::Map], Type::Text, omit),
    variadic("merge", &[Type::Map], Type::Map, merge_leniently),
    variadic("mustMerge", &[Type::Map], Type::Map, merge),
    variadic("mergeOverwrite", &[Type::Map], Type::Map, merge_overwrite),
    variadic(
        "mustMergeOverwrite",
        &[Type::Map],
        Type::Map,
        merge_overwrite,
    ),
    variadic("dig", &[], Type::Any, dig),
    function("deepCopy", &[Type::Any], deep_copy),
    function("mustDeepCopy", &[Type::Any], deep_copy),
];

fn dict<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let map = run.map(MapKind::Any)?;
    for pair in args.0.chunks(2) {
        let key = match pair.first() {
            Some(key) => shown(run, key)?,
            None => continue,
        };
        let value = pair.get(1).cloned().unwrap_or(Value::text(""));
        run.put(&map, key, value)?;
    }
    Ok(Value::Map(map))
}

fn get<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let found = args.map(0)?.get(args.bytes(1)?);
    Ok(found.unwrap_or(Value::text("")))
}

fn set<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    run.put(args.map(0)?, args.text(1)?.clone(), args.any(2)?.clone())?;
    Ok(args.any(0)?.clone())
}

fn unset<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    args.map(0)?.remove(args.bytes(1)?);
    Ok(args.any(0)?.clone())
}

fn has_key<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    Ok(args.map(0)?.has(args.bytes(1)?).into())
}

fn pluck<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let key = args.bytes(0)?;
    let found = args.maps(1).filter_map(|map| map.get(key)).collect();
    run.list(found)
}

fn keys<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let mut keys = Vec::new();
    for map in args.maps(0) {
        run.charge(map.len().saturating_mul(64))?;
        keys.extend(map.entries().into_iter().map(|(key, _)| key));
    }
    text_list(run, keys)
}

fn values<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let entries = args.map(0)?.entries();
    run.list(entries.into_iter().map(|(_, value)| value).collect())
}

fn pick<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let picked = run.map(MapKind::Any)?;
    for index in 1..args.0.len() {
        let key = args.text(index)?;
        if let Some(value) = args.map(0)?.get(key.bytes()) {
            run.put(&picked, key.clone(), value)?;
        }
    }
    Ok(Value::Map(picked))
}

fn omit<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let kept = run.map(MapKind::Any)?;
    for (key, value) in args.map(0)?.entries() {
        run.put(&kept, key, value)?;
    }
    for index in 1..args.0.len() {
        kept.remove(args.bytes(index)?);
    }
    Ok(Value::Map(kept))
}

/// Merges the maps into the first one; none if they don't fit together.
fn merged<'a>(
    run: &mut Run<'a>,
    args: Arguments<'_, 'a>,
    overwrites: bool,
) -> Result<Option<Value<'a>>, Problem> {
    let mut target = args.map(0)?.clone();
    for source in args.maps(1) {
        if target.is_nil() && !source.is_nil() {
            target = run.map(MapKind::Any)?;
        }
        if !merge_into(run, &target, source, overwrites, 0)? {
            return Ok(None);
        }
    }
    Ok(Some(Value::Map(target)))
}

fn merge<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    merged(run, args, false)?.ok_or_else(|| "a version can't be merged with a map or a time".into())
}

fn merge_leniently<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    Ok(merged(run, args, false)?.unwrap_or(Value::text("")))
}

fn merge_overwrite<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    Ok(merged(run, args, true)?.unwrap_or(Value::text("")))
}

/// Puts what a map holds into another one; maps in both are merged, whatever else is there stays unless
/// it is empty or overwritten. False says that a version would have to be merged with a map or a time.
fn merge_into<'a>(
    run: &mut Run<'a>,
    target: &Map<'a>,
    source: &Map<'a>,
    overwrites: bool,
    depth: usize,
) -> Result<bool, Problem> {
    if depth > DEPTH_OF_VALUES {
        return Err(Problem::too_deep());
    }
    for (key, value) in source.entries() {
        run.step(1)?;
        let present = target.get(key.bytes());
        let is_kept = present.as_ref().is_some_and(Value::is_true);
        if value.is_nil() {
            if overwrites {
                run.put(target, key, value)?;
            }
            continue;
        }
        match (&present, &value) {
            (Some(Value::Map(inner)), Value::Map(more)) => {
                if !merge_into(run, inner, more, overwrites, depth + 1)? {
                    return Ok(false);
                }
                if inner.len() > 0 {
                    continue;
                }
            }
            (Some(Value::Version(_)), Value::Map(_) | Value::Time(_)) if !overwrites => {
                return Ok(false);
            }
            _ => {}
        }
        if matches!(value, Value::List(_)) && is_kept && !overwrites {
            continue;
        }
        if overwrites || !is_kept {
            run.put(target, key, value)?;
        }
    }
    Ok(true)
}

fn dig<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let [path @ .., default, map] = args.0 else {
        return Err("dig needs at least three arguments".into());
    };
    if path.is_empty() {
        return Err("dig needs at least three arguments".into());
    }
    if path.iter().any(|key| !matches!(key, Value::Text(_))) {
        return Err("the keys of dig are texts".into());
    }
    let mut value = map.clone();
    for key in path {
        let found = match (&value, key) {
            (Value::Map(map), Value::Text(key)) if map.kind() != MapKind::Texts => {
                map.get(key.bytes())
            }
            _ => return Err(format!("a {} is no map to dig in", value.type_name()).into()),
        };
        match found {
            Some(found) => value = found,
            None => return Ok(default.clone()),
        }
    }
    Ok(value)
}

fn deep_copy<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let value = args.any(0)?;
    if value.is_nil() {
        return Err("nothing to copy".into());
    }
    copied(run, value, 0)
}

fn copied<'a>(run: &mut Run<'a>, value: &Value<'a>, depth: usize) -> Outcome<'a> {
    if depth > DEPTH_OF_VALUES {
        return Err(Problem::too_deep());
    }
    match value {
        Value::List(list) if !list.is_nil() => {
            let mut items = Vec::with_capacity(list.items().len());
            for item in list.items() {
                items.push(copied(run, item, depth + 1)?);
            }
            run.list_of(list.kind(), items)
        }
        Value::Map(map) if !map.is_nil() => {
            let copy = run.map(map.kind())?;
            for (key, item) in map.entries() {
                let item = copied(run, &item, depth + 1)?;
                run.put(&copy, key, item)?;
            }
            Ok(Value::Map(copy))
        }
        other => Ok(other.clone()),
    }
}
