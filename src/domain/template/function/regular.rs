//! Regular expressions in RE2's dialect.

use std::ops::Range;
use std::sync::Arc;

use super::super::exec::Run;
use super::super::pattern::Pattern;
use super::super::rune;
use super::super::value::{List, ListKind, Text, Value};
use super::texts::text_list;
use super::{Arguments, Function, Outcome, Problem, Type, function};

const TEXTS: &[Type] = &[Type::Text, Type::Text];
const REPLACEMENT: &[Type] = &[Type::Text, Type::Text, Type::Text];
const LIMITED: &[Type] = &[Type::Text, Type::Text, Type::Int];

pub(super) const FUNCTIONS: &[Function] = &[
    function("regexMatch", TEXTS, matches_leniently),
    function("mustRegexMatch", TEXTS, matches),
    function("regexFind", TEXTS, find),
    function("mustRegexFind", TEXTS, find),
    function("regexFindAll", LIMITED, find_all),
    function("mustRegexFindAll", LIMITED, find_all),
    function("regexReplaceAll", REPLACEMENT, replace),
    function("mustRegexReplaceAll", REPLACEMENT, replace),
    function("regexReplaceAllLiteral", REPLACEMENT, replace_literally),
    function("mustRegexReplaceAllLiteral", REPLACEMENT, replace_literally),
    function("regexSplit", LIMITED, split),
    function("mustRegexSplit", LIMITED, split),
    function("regexQuoteMeta", &[Type::Text], quote),
];

/// Returns the pattern of a call, ready to go through the text of the call once.
fn pattern(run: &mut Run<'_>, args: Arguments<'_, '_>) -> Result<Arc<Pattern>, Problem> {
    let pattern = run.patterns.get(args.bytes(0)?)?;
    run.step_through(args.bytes(1)?.len(), pattern.weight)?;
    Ok(pattern)
}

fn matches<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    Ok(pattern(run, args)?.is_match(args.bytes(1)?).into())
}

fn matches_leniently<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    match pattern(run, args) {
        Ok(pattern) => Ok(pattern.is_match(args.bytes(1)?).into()),
        Err(Problem::Other(_)) => Ok(Value::Boolean(false)),
        Err(other) => Err(other),
    }
}

fn find<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let text = args.text(1)?;
    let found = pattern(run, args)?.find_at(text.bytes(), 0);
    let part = found.and_then(|range| text.part(range));
    Ok(part.map_or(Value::text(""), Value::Text))
}

/// What repeated searches in a text may cost.
struct Searches<'p, 't> {
    pattern: &'p Pattern,
    text: &'t [u8],
    left: usize,
}

impl<'p, 't> Searches<'p, 't> {
    fn new(pattern: &'p Pattern, text: &'t [u8]) -> Self {
        // Each search may run to the end of the text, whatever it finds.
        const COST: usize = 1 << 34;
        Self {
            pattern,
            text,
            left: COST / (text.len() + 1),
        }
    }

    fn find(&mut self, at: usize) -> Result<Option<Range<usize>>, Problem> {
        self.left = self
            .left
            .checked_sub(1)
            .ok_or(Problem::Limit("a search that takes too long"))?;
        Ok(self.pattern.find_at(self.text, at))
    }

    /// Returns the places that match, no more than asked for; below zero all of them.
    fn all(mut self, limit: i64) -> Result<Vec<Range<usize>>, Problem> {
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut found = Vec::new();
        let (mut at, mut before) = (0, None);
        while found.len() < most && at <= self.text.len() {
            let Some(range) = self.find(at)? else {
                break;
            };
            let mut is_accepted = true;
            if range.end == at {
                // Nothing was matched; right after a match that doesn't count.
                is_accepted = before != Some(range.start);
                at += next_width(self.text, at);
            } else {
                at = range.end;
            }
            before = Some(range.end);
            if is_accepted {
                found.push(range);
            }
        }
        Ok(found)
    }
}

/// Returns how long the character at a place is, at least one byte.
fn next_width(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    rune::first(rest).map_or(1, |(_, width)| width)
}

fn find_all<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let text = args.text(1)?;
    let pattern = pattern(run, args)?;
    let found = Searches::new(&pattern, text.bytes()).all(args.int(2)?)?;
    if found.is_empty() {
        return Ok(Value::List(List::nil(ListKind::Texts)));
    }
    run.charge(found.len() * 32)?;
    let parts = found.into_iter().filter_map(|range| text.part(range));
    text_list(run, parts.collect())
}

fn split<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let (text, limit) = (args.text(1)?, args.int(2)?);
    let pattern = pattern(run, args)?;
    if limit == 0 {
        return Ok(Value::List(List::nil(ListKind::Texts)));
    }
    let bytes = text.bytes();
    if bytes.is_empty() && !args.bytes(0)?.is_empty() {
        return text_list(run, vec![Text::from("")]);
    }
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut ranges = Vec::new();
    let (mut start, mut end) = (0, 0);
    for found in Searches::new(&pattern, bytes).all(limit)? {
        if ranges.len() + 1 >= most {
            break;
        }
        end = found.start;
        if found.end != 0 {
            ranges.push(start..end);
        }
        start = found.end;
    }
    if end != bytes.len() {
        ranges.push(start..bytes.len());
    }
    run.charge(ranges.len() * 32)?;
    let parts = ranges.into_iter().filter_map(|range| text.part(range));
    text_list(run, parts.collect())
}

fn replaced<'a>(
    run: &mut Run<'a>,
    args: Arguments<'_, 'a>,
    mut write: impl FnMut(&Pattern, &[u8], usize, &mut Vec<u8>),
) -> Outcome<'a> {
    let text = args.bytes(1)?;
    let pattern = pattern(run, args)?;
    let mut searches = Searches::new(&pattern, text);
    let mut out = Vec::new();
    let (mut last, mut at) = (0, 0);
    while at <= text.len() {
        let Some(found) = searches.find(at)? else {
            break;
        };
        out.extend_from_slice(text.get(last..found.start).unwrap_or_default());
        if found.end > last || found.start == 0 {
            write(&pattern, text, at, &mut out);
            if out.len() > run.room() {
                return Err(Problem::too_much());
            }
        }
        last = found.end;
        at = found.end.max(at + next_width(text, at));
    }
    out.extend_from_slice(text.get(last..).unwrap_or_default());
    run.text(out)
}

fn replace<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let replacement = args.bytes(2)?;
    replaced(run, args, |pattern, text, at, out| {
        pattern.expand(replacement, text, at, out);
    })
}

fn replace_literally<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let replacement = args.bytes(2)?;
    replaced(run, args, |_, _, _, out| out.extend_from_slice(replacement))
}

fn quote<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let mut out = Vec::new();
    for byte in args.bytes(0)? {
        if br"\.+*?()|[]{}^$".contains(byte) {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    run.text(out)
}
