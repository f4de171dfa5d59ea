//! Texts.

use std::collections::BTreeSet;

use memchr::memmem;

use super::super::exec::Run;
use super::super::format;
use super::super::rune::{self, Rune};
use super::super::value::{ListKind, MapKind, Text, Value};
use super::builtin::counted;
use super::{Arguments, Function, Outcome, Problem, Type, function, variadic};

pub(super) const FUNCTIONS: &[Function] = &[
    function("hello", &[], |_, _| Ok(Value::text("Hello!"))),
    function("trim", &[Type::Text], trim),
    function("trimAll", &[Type::Text, Type::Text], trim_all),
    function("trimall", &[Type::Text, Type::Text], trim_all),
    function("trimSuffix", &[Type::Text, Type::Text], trim_suffix),
    function("trimPrefix", &[Type::Text, Type::Text], trim_prefix),
    function("upper", &[Type::Text], upper),
    function("lower", &[Type::Text], lower),
    function("title", &[Type::Text], title),
    function("untitle", &[Type::Text], untitle),
    function("swapcase", &[Type::Text], swap_case),
    function("repeat", &[Type::Int, Type::Text], repeat),
    function("substr", &[Type::Int, Type::Int, Type::Text], substring),
    function("trunc", &[Type::Int, Type::Text], trunc),
    function("nospace", &[Type::Text], no_space),
    function("abbrev", &[Type::Int, Type::Text], abbrev),
    function(
        "abbrevboth",
        &[Type::Int, Type::Int, Type::Text],
        abbrev_both,
    ),
    function("initials", &[Type::Text], initials),
    function("wrap", &[Type::Int, Type::Text], wrap),
    function("wrapWith", &[Type::Int, Type::Text, Type::Text], wrap_with),
    function("contains", &[Type::Text, Type::Text], contains),
    function("hasPrefix", &[Type::Text, Type::Text], has_prefix),
    function("hasSuffix", &[Type::Text, Type::Text], has_suffix),
    variadic("quote", &[], Type::Any, quote),
    variadic("squote", &[], Type::Any, single_quote),
    variadic("cat", &[], Type::Any, cat),
    function("indent", &[Type::Int, Type::Text], indent),
    function("nindent", &[Type::Int, Type::Text], indent_on_new_line),
    function("replace", &[Type::Text, Type::Text, Type::Text], replace),
    function("plural", &[Type::Text, Type::Text, Type::Int], plural),
    function("snakecase", &[Type::Text], snake_case),
    function("kebabcase", &[Type::Text], kebab_case),
    function("camelcase", &[Type::Text], camel_case),
    function("join", &[Type::Text, Type::Any], join),
    function("split", &[Type::Text, Type::Text], split),
    function("splitn", &[Type::Text, Type::Int, Type::Text], split_n),
    function("splitList", &[Type::Text, Type::Text], split_list),
    function("sortAlpha", &[Type::Any], sort),
    function("toStrings", &[Type::Any], to_strings),
    function("toString", &[Type::Any], to_string),
    function("fail", &[Type::Text], fail),
];

/// Returns a value as Sprig makes a text of it.
pub(super) fn shown<'a>(run: &mut Run<'a>, value: &Value<'a>) -> Result<Text<'a>, Problem> {
    match value {
        Value::Text(text) => Ok(text.clone()),
        other => {
            let bytes = format::plain(other, run.room())?;
            run.charge(bytes.len())?;
            Ok(Text::owned(bytes))
        }
    }
}

/// Returns what is left of a text between characters that go.
fn trimmed<'a>(text: &Text<'a>, goes: impl Fn(char) -> bool) -> Value<'a> {
    let bytes = text.bytes();
    let mut kept = None;
    for rune in rune::runes(bytes) {
        if !goes(rune.value()) {
            let start = kept.map_or(rune.at, |(start, _)| start);
            kept = Some((start, rune.at + rune.width));
        }
    }
    let (start, end) = kept.unwrap_or((0, 0));
    Value::Text(text.part(start..end).unwrap_or_else(|| text.clone()))
}

fn trim<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let text = args.text(0)?;
    if text.bytes().is_ascii() {
        let is_kept = |byte: &u8| !(byte.is_ascii_whitespace() || *byte == 0x0b);
        let start = text.bytes().iter().position(is_kept).unwrap_or(0);
        let end = text
            .bytes()
            .iter()
            .rposition(is_kept)
            .map_or(0, |end| end + 1);
        return Ok(Value::Text(
            text.part(start..end).unwrap_or_else(|| text.clone()),
        ));
    }
    Ok(trimmed(text, char::is_whitespace))
}

fn trim_all<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let goes: BTreeSet<char> = rune::runes(args.bytes(0)?).map(Rune::value).collect();
    Ok(trimmed(args.text(1)?, |char| goes.contains(&char)))
}

fn trim_suffix<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let (suffix, text) = (args.bytes(0)?, args.text(1)?);
    let kept = text
        .bytes()
        .strip_suffix(suffix)
        .unwrap_or(text.bytes())
        .len();
    Ok(Value::Text(
        text.part(0..kept).unwrap_or_else(|| text.clone()),
    ))
}

fn trim_prefix<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let (prefix, text) = (args.bytes(0)?, args.text(1)?);
    let length = text.bytes().len();
    let kept = text
        .bytes()
        .strip_prefix(prefix)
        .unwrap_or(text.bytes())
        .len();
    Ok(Value::Text(
        text.part(length - kept..length)
            .unwrap_or_else(|| text.clone()),
    ))
}

fn upper<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let bytes = args.bytes(0)?;
    if bytes.is_ascii() {
        return run.text(bytes.to_ascii_uppercase());
    }
    run.text(rune::map(bytes, rune::upper))
}

fn lower<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let bytes = args.bytes(0)?;
    if bytes.is_ascii() {
        return run.text(bytes.to_ascii_lowercase());
    }
    run.text(rune::map(bytes, rune::lower))
}

fn title<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let mut before = ' ';
    let bytes = rune::map(args.bytes(0)?, |char| {
        let is_start = match before {
            '_' => false,
            c if c.is_ascii() => !c.is_ascii_alphanumeric(),
            c => !rune::is_letter(c) && !rune::is_digit(c) && c.is_whitespace(),
        };
        before = char;
        if is_start { rune::title(char) } else { char }
    });
    run.text(bytes)
}

fn untitle<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let mut is_start = true;
    let bytes = rune::map(args.bytes(0)?, |char| {
        let is_space = char.is_whitespace();
        let changed = if is_start && !is_space {
            rune::lower(char)
        } else {
            char
        };
        is_start = is_space;
        changed
    });
    run.text(bytes)
}

fn swap_case<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let mut is_start = true;
    let bytes = rune::map(args.bytes(0)?, |char| {
        if rune::is_upper(char) || rune::is_title(char) {
            is_start = false;
            return rune::lower(char);
        }
        if rune::is_lower(char) {
            return if std::mem::take(&mut is_start) {
                rune::title(char)
            } else {
                rune::upper(char)
            };
        }
        is_start = char.is_whitespace();
        char
    });
    run.text(bytes)
}

/// Returns a text as often as asked for.
fn repeated(run: &mut Run<'_>, bytes: &[u8], count: i64) -> Result<Vec<u8>, Problem> {
    let Ok(count) = usize::try_from(count) else {
        return Err("negative Repeat count".into());
    };
    run.charge(bytes.len().saturating_mul(count))?;
    Ok(bytes.repeat(count))
}

fn repeat<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    Ok(Value::text(repeated(run, args.bytes(1)?, args.int(0)?)?))
}

fn substring<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let (start, end, text) = (args.int(0)?, args.int(1)?, args.text(2)?);
    let length = text.bytes().len();
    let start_at = usize::try_from(start).ok();
    let end_at = usize::try_from(end).ok();
    let range = match (start_at, end_at) {
        (None, Some(end)) => Some(0..end),
        (None, None) => None,
        (Some(start), Some(end)) if end <= length => Some(start..end),
        (Some(start), _) => Some(start..length),
    };
    let part = range
        .filter(|r| r.start <= r.end)
        .and_then(|range| text.part(range));
    match part {
        Some(part) => Ok(Value::Text(part)),
        None => Err(format!("no part {start} to {end} of {length} bytes").into()),
    }
}

fn trunc<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let (count, text) = (args.int(0)?, args.text(1)?);
    let length = text.bytes().len();
    let size = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    let range = match (count < 0, size < length) {
        (true, true) => length - size..length,
        (false, true) => 0..size,
        _ => 0..length,
    };
    Ok(Value::Text(
        text.part(range).unwrap_or_else(|| text.clone()),
    ))
}

/// Tells whether a byte, taken for a character, is white space; so do the functions that Sprig borrows.
fn is_space_byte(byte: u8) -> bool {
    char::from(byte).is_whitespace()
}

fn no_space<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let text = args.text(0)?;
    if !text.bytes().iter().copied().any(is_space_byte) {
        return Ok(Value::Text(text.clone()));
    }
    let kept = text.bytes().iter().filter(|byte| !is_space_byte(**byte));
    let kept: String = kept.map(|byte| char::from(*byte)).collect();
    run.text(kept)
}

fn initials<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let mut is_start = true;
    let mut out = String::new();
    for byte in args.bytes(0)? {
        let is_space = is_space_byte(*byte);
        if is_start && !is_space {
            out.push(char::from(*byte));
        }
        is_start = is_space;
    }
    run.text(out)
}

/// Shortens a text from a place on, with dots where something is missing.
fn abbreviated(bytes: &[u8], offset: i64, width: i64) -> Vec<u8> {
    const DOTS: &[u8] = b"...";
    let length = counted(bytes.len());
    if length <= width {
        return bytes.to_vec();
    }
    let kept = width - 3;
    let mut offset = offset.min(length);
    // Far before the beginning Go's difference overflows, and is taken as it is then.
    if length.wrapping_sub(offset) < kept {
        offset = length - kept;
    }
    let part = |from: i64, to: i64| {
        let (from, to) = (usize::try_from(from).ok(), usize::try_from(to).ok());
        from.zip(to)
            .and_then(|(from, to)| bytes.get(from..to))
            .unwrap_or_default()
    };
    if offset <= 4 {
        return [part(0, kept), DOTS].concat();
    }
    if width < 7 {
        return Vec::new();
    }
    if offset + kept < length {
        let rest = part(offset, length);
        let inner = if kept < 4 {
            Vec::new()
        } else {
            abbreviated(rest, 0, kept)
        };
        return [DOTS, &inner].concat();
    }
    [DOTS, part(length - kept, length)].concat()
}

fn abbrev<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let (width, text) = (args.int(0)?, args.text(1)?);
    if width < 4 || text.bytes().is_empty() {
        return Ok(Value::Text(text.clone()));
    }
    run.text(abbreviated(text.bytes(), 0, width))
}

fn abbrev_both<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let (left, right, text) = (args.int(0)?, args.int(1)?, args.text(2)?);
    if right < 4 || (left > 0 && right < 7) || text.bytes().is_empty() {
        return Ok(Value::Text(text.clone()));
    }
    run.text(abbreviated(text.bytes(), left, right))
}

/// Breaks a text into lines at spaces.
fn wrapped(
    run: &mut Run<'_>,
    bytes: &[u8],
    width: i64,
    end: &[u8],
    cuts: bool,
) -> Result<Vec<u8>, Problem> {
    let width = usize::try_from(width.max(1)).unwrap_or(usize::MAX);
    let mut out = Vec::new();
    let mut at = 0;
    while bytes.len().saturating_sub(at) > width {
        let rest = bytes.get(at..).unwrap_or_default();
        if rest.first() == Some(&b' ') {
            at += 1;
            continue;
        }
        let line = rest.get(..=width).unwrap_or(rest);
        let (kept, skipped) = match line.iter().rposition(|byte| *byte == b' ') {
            Some(space) => (space, space + 1),
            None if cuts => (width, width),
            None => {
                let after = rest.get(width..).unwrap_or_default();
                let Some(space) = after.iter().position(|byte| *byte == b' ') else {
                    out.extend_from_slice(rest);
                    return Ok(out);
                };
                (width + space, width + space + 1)
            }
        };
        run.charge(kept + end.len())?;
        out.extend_from_slice(rest.get(..kept).unwrap_or_default());
        out.extend_from_slice(end);
        at += skipped;
    }
    out.extend_from_slice(bytes.get(at..).unwrap_or_default());
    Ok(out)
}

fn wrap<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let text = wrapped(run, args.bytes(1)?, args.int(0)?, b"\n", false)?;
    run.text(text)
}

fn wrap_with<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let end = match args.bytes(1)? {
        b"" => b"\n",
        other => other,
    };
    let text = wrapped(run, args.bytes(2)?, args.int(0)?, end, true)?;
    run.text(text)
}

fn contains<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let found = memmem::find(args.bytes(1)?, args.bytes(0)?);
    Ok(found.is_some().into())
}

fn has_prefix<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    Ok(args.bytes(1)?.starts_with(args.bytes(0)?).into())
}

fn has_suffix<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    Ok(args.bytes(1)?.ends_with(args.bytes(0)?).into())
}

fn quote<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let mut out = Vec::new();
    for value in args.0.iter().filter(|value| !value.is_nil()) {
        if !out.is_empty() {
            out.push(b' ');
        }
        rune::quote(&mut out, shown(run, value)?.bytes(), false);
    }
    run.text(out)
}

fn single_quote<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let mut out = Vec::new();
    for value in args.0.iter().filter(|value| !value.is_nil()) {
        if !out.is_empty() {
            out.push(b' ');
        }
        out.push(b'\'');
        out.extend_from_slice(shown(run, value)?.bytes());
        out.push(b'\'');
    }
    run.text(out)
}

fn cat<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let mut out = Vec::new();
    for (index, value) in args.0.iter().filter(|value| !value.is_nil()).enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(shown(run, value)?.bytes());
    }
    run.text(out)
}

fn indented<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>, before: &str) -> Outcome<'a> {
    let spaces = repeated(run, b" ", args.int(0)?)?;
    let text = args.bytes(1)?;
    let lines = text.split(|byte| *byte == b'\n').count();
    run.charge(lines.saturating_mul(spaces.len()))?;
    let mut out = before.as_bytes().to_vec();
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        if index > 0 {
            out.push(b'\n');
        }
        out.extend_from_slice(&spaces);
        out.extend_from_slice(line);
    }
    run.text(out)
}

fn indent<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    indented(run, args, "")
}

fn indent_on_new_line<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    indented(run, args, "\n")
}

fn replace<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let (old, new, text) = (args.bytes(0)?, args.bytes(1)?, args.text(2)?);
    let bytes = text.bytes();
    let mut out = Vec::new();
    if old.is_empty() {
        for rune in rune::runes(bytes) {
            run.charge(new.len())?;
            out.extend_from_slice(new);
            out.extend_from_slice(bytes.get(rune.at..rune.at + rune.width).unwrap_or_default());
        }
        out.extend_from_slice(new);
        return run.text(out);
    }
    let mut at = 0;
    for found in memmem::find_iter(bytes, old) {
        run.charge(new.len())?;
        out.extend_from_slice(bytes.get(at..found).unwrap_or_default());
        out.extend_from_slice(new);
        at = found + old.len();
    }
    if at == 0 {
        return Ok(Value::Text(text.clone()));
    }
    out.extend_from_slice(bytes.get(at..).unwrap_or_default());
    run.text(out)
}

fn plural<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let index = usize::from(args.int(2)? != 1);
    Ok(Value::Text(args.text(index)?.clone()))
}

fn is_connector(char: char) -> bool {
    matches!(char, '-' | '_') || char.is_whitespace()
}

/// Letters of scripts that have no words of the kind, such as Chinese, don't count.
fn is_alphabetic(char: char) -> bool {
    rune::is_letter(char)
        && !matches!(
            char,
            '\u{4E00}'..='\u{9FCC}' | '\u{3400}'..='\u{4D85}' | '\u{20000}'..='\u{2B81D}'
        )
}

/// What a part of a name is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Number,
    Upper,
    Letters,
    Connector,
    Punctuation,
    Other,
}

/// Splits a name into parts; `HTTPServer` has the parts `HTTP` and `Server`.
fn name_parts(chars: &[char]) -> Vec<(Part, &[char])> {
    let mut parts = Vec::new();
    let mut rest = chars;
    while let Some(first) = rest.first().copied() {
        let run_of = |test: &dyn Fn(char) -> bool| rest.iter().take_while(|c| test(**c)).count();
        let (part, length) = if is_connector(first) {
            (Part::Connector, run_of(&is_connector))
        } else if rune::is_punctuation(first) {
            (Part::Punctuation, run_of(&rune::is_punctuation))
        } else if rune::is_upper(first) {
            let uppers = run_of(&rune::is_upper);
            let after = rest.get(uppers).copied();
            let is_word = after.is_some_and(is_alphabetic);
            let length = if uppers > 1 {
                uppers - usize::from(is_word)
            } else if is_word {
                let letters = |c: &&char| is_alphabetic(**c) && !rune::is_upper(**c);
                1 + rest.iter().skip(1).take_while(letters).count()
            } else {
                1
            };
            (Part::Upper, length)
        } else if is_alphabetic(first) {
            let letters = |c: char| is_alphabetic(c) && !rune::is_upper(c);
            (
                Part::Letters,
                1 + rest.iter().skip(1).take_while(|c| letters(**c)).count(),
            )
        } else if rune::is_number(first) {
            (Part::Number, run_of(&rune::is_number))
        } else {
            let other = |c: char| {
                !(is_connector(c)
                    || is_alphabetic(c)
                    || rune::is_number(c)
                    || rune::is_punctuation(c))
            };
            (Part::Other, run_of(&other).max(1))
        };
        let (word, after) = rest.split_at(length.min(rest.len()));
        parts.push((part, word));
        rest = after;
    }
    parts
}

/// Writes a name in lower case with something between its words.
fn with_connector(bytes: &[u8], connector: char) -> String {
    let chars: Vec<char> = rune::runes(bytes).map(Rune::value).collect();
    let parts = name_parts(&chars);
    let kind = |index: usize| parts.get(index).map(|part| part.0);
    let mut out = String::new();
    let mut index = 0;
    let write = |out: &mut String, index: usize| {
        let Some((part, word)) = parts.get(index) else {
            return;
        };
        let is_changed = matches!(part, Part::Upper | Part::Connector);
        out.extend(word.iter().map(|char| match *char {
            char if is_changed && is_connector(char) => connector,
            char if is_changed && rune::is_upper(char) => rune::lower(char),
            char => char,
        }));
    };
    let joins =
        |kind: Option<Part>| !matches!(kind, None | Some(Part::Connector | Part::Punctuation));
    while index + 1 < parts.len() {
        write(&mut out, index);
        let before = kind(index);
        index += 1;
        match before {
            // Letters after a number belong to it: `20x`.
            Some(Part::Number) => {
                while matches!(kind(index), Some(Part::Letters | Part::Number)) {
                    write(&mut out, index);
                    index += 1;
                }
                if joins(kind(index)) {
                    out.push(connector);
                }
            }
            Some(Part::Connector | Part::Punctuation) => {}
            _ if kind(index) != Some(Part::Number) => {
                if joins(kind(index)) {
                    out.push(connector);
                }
            }
            _ if index + 1 >= parts.len() => {}
            // A number belongs to the word before it, unless letters follow.
            _ if kind(index + 1) != Some(Part::Letters) => {
                write(&mut out, index);
                index += 1;
                if joins(kind(index)) {
                    out.push(connector);
                }
            }
            _ => {
                out.push(connector);
                write(&mut out, index);
                index += 1;
                while matches!(kind(index), Some(Part::Letters | Part::Number)) {
                    write(&mut out, index);
                    index += 1;
                }
                if joins(kind(index)) {
                    out.push(connector);
                }
            }
        }
    }
    write(&mut out, index);
    out
}

fn snake_case<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    run.text(with_connector(args.bytes(0)?, '_'))
}

fn kebab_case<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    run.text(with_connector(args.bytes(0)?, '-'))
}

fn camel_case<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let mut out = String::new();
    let mut runes = rune::runes(args.bytes(0)?).map(Rune::value);
    // Connectors in front stay; where there is nothing else, Sprig repeats the last one.
    let first = loop {
        match runes.next() {
            None => {
                out.extend(out.chars().next_back());
                return run.text(out);
            }
            Some(char) if is_connector(char) => out.push(char),
            Some(char) => break char,
        }
    };
    let mut lowers = rune::is_upper(first);
    let mut before = rune::upper(first);
    for char in runes {
        let mut next = char;
        if is_connector(next) && is_connector(before) {
            out.push(before);
            before = next;
            continue;
        }
        if is_connector(before) {
            lowers = rune::is_upper(next);
            next = rune::upper(next);
        } else {
            if lowers && rune::is_upper(next) {
                next = rune::lower(next);
            } else {
                lowers = false;
            }
            out.push(before);
        }
        before = next;
    }
    out.push(before);
    run.text(out)
}

/// Returns what is in a value as texts; a nil in a list is passed over.
pub(super) fn strings<'a>(run: &mut Run<'a>, value: &Value<'a>) -> Result<Vec<Text<'a>>, Problem> {
    match value {
        Value::Nil | Value::Null => Ok(Vec::new()),
        Value::List(list) => {
            let mut texts = Vec::with_capacity(list.items().len());
            for item in list.items().iter().filter(|item| !item.is_nil()) {
                texts.push(shown(run, item)?);
            }
            Ok(texts)
        }
        other => Ok(vec![shown(run, other)?]),
    }
}

/// Returns texts as a list of them.
pub(super) fn text_list<'a>(run: &mut Run<'a>, texts: Vec<Text<'a>>) -> Outcome<'a> {
    run.list_of(
        ListKind::Texts,
        texts.into_iter().map(Value::Text).collect(),
    )
}

fn join<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let separator = args.bytes(0)?;
    let texts = strings(run, args.any(1)?)?;
    let mut out = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let separator: &[u8] = if index > 0 { separator } else { b"" };
        run.charge(separator.len() + text.bytes().len())?;
        out.extend_from_slice(separator);
        out.extend_from_slice(text.bytes());
    }
    Ok(Value::text(out))
}

/// Splits a text at each separator, or into characters, into no more than some parts.
fn pieces<'a>(
    run: &mut Run<'a>,
    separator: &[u8],
    text: &Text<'a>,
    limit: i64,
) -> Result<Vec<Text<'a>>, Problem> {
    let most = match limit {
        0 => return Ok(Vec::new()),
        limit => usize::try_from(limit).unwrap_or(usize::MAX),
    };
    let bytes = text.bytes();
    let mut ranges = Vec::new();
    let mut at = 0;
    if separator.is_empty() {
        for rune in rune::runes(bytes) {
            if ranges.len() + 1 >= most {
                break;
            }
            at = rune.at + rune.width;
            ranges.push(rune.at..at);
        }
        if at < bytes.len() {
            ranges.push(at..bytes.len());
        }
    } else {
        for found in memmem::find_iter(bytes, separator).take(most - 1) {
            ranges.push(at..found);
            at = found + separator.len();
        }
        ranges.push(at..bytes.len());
    }
    run.charge(ranges.len() * 64 + bytes.len())?;
    Ok(ranges
        .into_iter()
        .filter_map(|range| text.part(range))
        .collect())
}

fn numbered<'a>(run: &mut Run<'a>, parts: Vec<Text<'a>>) -> Outcome<'a> {
    let map = run.map(MapKind::Texts)?;
    for (index, part) in parts.into_iter().enumerate() {
        run.put(&map, Text::from(format!("_{index}")), Value::Text(part))?;
    }
    Ok(Value::Map(map))
}

fn split<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let parts = pieces(run, args.bytes(0)?, args.text(1)?, -1)?;
    numbered(run, parts)
}

fn split_n<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let parts = pieces(run, args.bytes(0)?, args.text(2)?, args.int(1)?)?;
    numbered(run, parts)
}

fn split_list<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let parts = pieces(run, args.bytes(0)?, args.text(1)?, -1)?;
    text_list(run, parts)
}

fn sort<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let value = args.any(0)?;
    let mut texts = match value {
        Value::List(_) => strings(run, value)?,
        other => vec![shown(run, other)?],
    };
    run.step(texts.len())?;
    texts.sort();
    text_list(run, texts)
}

fn to_strings<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let texts = strings(run, args.any(0)?)?;
    text_list(run, texts)
}

fn to_string<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    Ok(Value::Text(shown(run, args.any(0)?)?))
}

fn fail<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let message = String::from_utf8_lossy(args.bytes(0)?).into_owned();
    Err(Problem::Failed(message))
}
