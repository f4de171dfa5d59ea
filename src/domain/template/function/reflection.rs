//! What values are.

use super::super::exec::Run;
use super::super::value::Value;
use super::{Arguments, Function, Outcome, Type, function};

pub(super) const FUNCTIONS: &[Function] = &[
    function("typeOf", &[Type::Any], type_of),
    function("typeIs", &[Type::Text, Type::Any], type_is),
    function("typeIsLike", &[Type::Text, Type::Any], type_is_like),
    function("kindOf", &[Type::Any], kind_of),
    function("kindIs", &[Type::Text, Type::Any], kind_is),
];

fn type_of<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    Ok(Value::text(args.any(0)?.type_name()))
}

fn type_is<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    Ok((args.bytes(0)? == args.any(1)?.type_name().as_bytes()).into())
}

fn type_is_like<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let name = args.any(1)?.type_name();
    let (name, pointed) = (name.as_bytes(), name.strip_prefix('*').map(str::as_bytes));
    let asked = args.bytes(0)?;
    Ok((asked == name || Some(asked) == pointed).into())
}

fn kind_of<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    Ok(Value::text(args.any(0)?.kind_name()))
}

fn kind_is<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    Ok((args.bytes(0)? == args.any(1)?.kind_name().as_bytes()).into())
}
