//! Versions.

use std::rc::Rc;

use super::super::exec::Run;
use super::super::value::Value;
use super::super::version::{Constraint, Version};
use super::{Arguments, Function, Outcome, Problem, Type, function};

pub(super) const FUNCTIONS: &[Function] = &[
    function("semver", &[Type::Text], |run, args| {
        run.charge(128)?;
        Ok(Value::Version(Rc::new(version(args.bytes(0)?)?)))
    }),
    function("semverCompare", &[Type::Text, Type::Text], compare),
];

fn version(text: &[u8]) -> Result<Version, Problem> {
    let found = std::str::from_utf8(text).ok().and_then(Version::parse);
    found.ok_or_else(|| "invalid semantic version".into())
}

fn compare<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let text = args.bytes(0)?;
    run.charge(text.len().saturating_mul(32))?;
    let constraint = std::str::from_utf8(text).ok().and_then(Constraint::parse);
    let Some(constraint) = constraint else {
        return Err("improper constraint".into());
    };
    Ok(constraint.allows(&version(args.bytes(1)?)?).into())
}
