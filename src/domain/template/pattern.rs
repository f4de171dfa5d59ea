//! Regular expressions: from RE2's dialect, as Go has it, to that of the `regex` crate.
//!
//! What differs: `\d`, `\s`, `\w` and `\b` are about ASCII; brackets don't nest and have no operators; `\Q…\E`
//! quotes; repetitions of repetitions, and counts above 1,000, are refused. Bytes that belong to no character
//! are matched by nothing here.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use regex::bytes::{Regex, RegexBuilder};

use super::Problem;
use super::rune;

/// Largest compiled forms, in bytes, and how much it weighs to go through a text with them.
const SIZES: [(usize, usize); 3] = [(1 << 16, 4), (1 << 20, 64), (10 << 20, 640)];
/// Deepest nesting of groups.
const DEPTH: usize = 100;
/// How many patterns a template keeps.
const KEPT: usize = 32;

/// The patterns that a template has used.
#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<BTreeMap<Box<[u8]>, Arc<Pattern>>>);

impl Cache {
    /// Returns a pattern, compiled once.
    pub(super) fn get(&self, source: &[u8]) -> Result<Arc<Pattern>, Problem> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pattern) = known.get(source) {
            return Ok(Arc::clone(pattern));
        }
        let pattern = Arc::new(Pattern::new(source)?);
        if known.len() >= KEPT {
            known.clear();
        }
        known.insert(source.into(), Arc::clone(&pattern));
        Ok(pattern)
    }
}

/// Tells whether a place in a text is between the bytes of a character.
fn is_within_character(text: &[u8], at: usize) -> bool {
    (1..=3).any(|before| {
        let rest = at.checked_sub(before).and_then(|start| text.get(start..));
        rest.and_then(rune::first)
            .is_some_and(|(_, width)| width > before)
    })
}

/// A compiled regular expression.
#[derive(Debug)]
pub(super) struct Pattern {
    compiled: Regex,
    /// How many times the work it is at worst, beside reading a text, to search in it.
    pub(super) weight: usize,
    /// The names of its groups, empty for those without; unlike here, in Go two can have the same.
    names: Vec<String>,
}

impl Pattern {
    fn new(source: &[u8]) -> Result<Self, Problem> {
        let source =
            std::str::from_utf8(source).map_err(|_| "invalid UTF-8 in a regular expression")?;
        let mut translator = Translator {
            rest: source,
            out: String::with_capacity(source.len() + 16),
            depth: 0,
            copies: 1,
            names: Vec::new(),
        };
        let result = translator.alternatives();
        if result.is_ok() && !translator.rest.is_empty() {
            return Err("error parsing regexp: unexpected )".into());
        }
        result.map_err(|message| format!("error parsing regexp: {message}"))?;
        let mut problem = None;
        for (size, weight) in SIZES {
            match RegexBuilder::new(&translator.out).size_limit(size).build() {
                Ok(compiled) => {
                    return Ok(Self {
                        compiled,
                        weight,
                        names: translator.names,
                    });
                }
                Err(error) => problem = Some(error),
            }
        }
        Err(match problem {
            Some(regex::Error::CompiledTooBig(_)) | None => {
                Problem::Limit("a regular expression that is too large")
            }
            Some(error) => format!("error parsing regexp: {error}").into(),
        })
    }

    pub(super) fn is_match(&self, text: &[u8]) -> bool {
        self.find_at(text, 0).is_some()
    }

    /// Returns the first place from another one on that matches.
    pub(super) fn find_at(&self, text: &[u8], at: usize) -> Option<Range<usize>> {
        let mut at = at;
        while at <= text.len() {
            let found = self.compiled.find_at(text, at)?.range();
            // Between its bytes a character has no place where nothing (`\B`) could match.
            if !found.is_empty() || !is_within_character(text, found.start) {
                return Some(found);
            }
            at = found.start + 1;
        }
        None
    }

    /// Appends a replacement, with what groups matched in place of `$1` and `${name}`.
    pub(super) fn expand(&self, replacement: &[u8], text: &[u8], at: usize, out: &mut Vec<u8>) {
        let Some(groups) = self.compiled.captures_at(text, at) else {
            return;
        };
        let mut rest = replacement;
        while let Some(found) = rest.iter().position(|byte| *byte == b'$') {
            out.extend_from_slice(rest.get(..found).unwrap_or_default());
            rest = rest.get(found + 1..).unwrap_or_default();
            if let Some(after) = rest.strip_prefix(b"$") {
                out.push(b'$');
                rest = after;
                continue;
            }
            let Some((name, after)) = group_name(rest) else {
                out.push(b'$');
                continue;
            };
            rest = after;
            let number = match name.strip_prefix('0') {
                Some("") => Some(0),
                Some(_) => None,
                None => name
                    .parse::<usize>()
                    .ok()
                    .filter(|number| *number < 1_000_000_000),
            };
            let group = if let Some(number) = number {
                groups.get(number)
            } else {
                let named = self.names.iter().zip(1..);
                let mut named = named.filter(|(known, _)| *known == name);
                named.find_map(|(_, number)| groups.get(number))
            };
            if let Some(group) = group {
                out.extend_from_slice(group.as_bytes());
            }
        }
        out.extend_from_slice(rest);
    }
}

/// Splits the name of a group off what follows a `$`.
fn group_name(text: &[u8]) -> Option<(&str, &[u8])> {
    let braced = text.strip_prefix(b"{");
    let inner = braced.unwrap_or(text);
    let is_word = |char: char| char == '_' || rune::is_letter(char) || rune::is_digit(char);
    let length = rune::runes(inner)
        .take_while(|rune| rune.char.is_some_and(is_word))
        .last()
        .map_or(0, |rune| rune.at + rune.width);
    let name = std::str::from_utf8(inner.get(..length)?).ok()?;
    if name.is_empty() {
        return None;
    }
    let rest = inner.get(length..)?;
    match braced {
        Some(_) => Some((name, rest.strip_prefix(b"}")?)),
        None => Some((name, rest)),
    }
}

struct Translator<'s> {
    rest: &'s str,
    out: String,
    depth: usize,
    /// How many copies of something inside the last part its counts make.
    copies: u32,
    names: Vec<String>,
}

type Translated<T = ()> = Result<T, String>;

/// What can follow a part of a pattern.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    /// Nothing that could be repeated.
    Start,
    Part,
    Repetition,
}

impl Translator<'_> {
    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let char = chars.next()?;
        self.rest = chars.as_str();
        Some(char)
    }

    fn accept(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn literal(&mut self, char: char) {
        self.out
            .push_str(&regex::escape(char.encode_utf8(&mut [0; 4])));
    }

    /// Translates up to the end or a closing parenthesis.
    fn alternatives(&mut self) -> Translated {
        let mut last = Last::Start;
        let mut copies = 1;
        while !self.rest.is_empty() && !self.rest.starts_with(')') {
            last = self.part(last)?;
            copies = copies.max(self.copies);
        }
        self.copies = copies;
        Ok(())
    }

    fn part(&mut self, last: Last) -> Translated<Last> {
        if self.accept("\\Q") {
            let (quoted, rest) = self.rest.split_once("\\E").unwrap_or((self.rest, ""));
            self.rest = rest;
            if quoted.is_empty() {
                return Ok(last);
            }
            for char in quoted.chars() {
                self.literal(char);
            }
            self.copies = 1;
            return Ok(Last::Part);
        }
        if let Some(repetition) = self.repetition()? {
            let message = match last {
                Last::Start => "missing argument to repetition operator",
                Last::Repetition => "invalid nested repetition operator",
                Last::Part => {
                    self.out.push_str(&repetition);
                    if self.accept("?") {
                        self.out.push('?');
                    }
                    return Ok(Last::Repetition);
                }
            };
            return Err(message.to_owned());
        }
        self.copies = 1;
        match self.next() {
            None => Ok(last),
            Some('|') => {
                self.out.push('|');
                Ok(Last::Start)
            }
            Some('(') => self.group(last),
            Some('[') => {
                self.class()?;
                Ok(Last::Part)
            }
            Some(char @ ('^' | '$' | '.')) => {
                self.out.push(char);
                Ok(Last::Part)
            }
            Some('\\') => {
                self.escape()?;
                Ok(Last::Part)
            }
            Some(char) => {
                self.literal(char);
                Ok(Last::Part)
            }
        }
    }

    /// Reads `*`, `+`, `?` or `{2,3}`; a brace that counts nothing is a character.
    fn repetition(&mut self) -> Translated<Option<String>> {
        for sign in ["*", "+", "?"] {
            if self.accept(sign) {
                return Ok(Some(sign.to_owned()));
            }
        }
        let Some((counts, rest)) = self.rest.strip_prefix('{').and_then(|t| t.split_once('}'))
        else {
            return Ok(None);
        };
        let (least, most) = counts.split_once(',').unwrap_or((counts, counts));
        let is_number = |text: &str| {
            let is_plain = text == "0" || !text.starts_with('0');
            !text.is_empty() && is_plain && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !is_number(least) || !(most.is_empty() || is_number(most)) {
            return Ok(None);
        }
        let count = |text: &str| text.parse::<u32>().unwrap_or(u32::MAX);
        let most_count = if most.is_empty() {
            count(least)
        } else {
            count(most)
        };
        let copies = self.copies.saturating_mul(most_count.max(1));
        let is_large = most_count > 1000 || (most_count > 1 && copies > 1000);
        if is_large || count(least) > most_count {
            return Err("invalid repeat count".to_owned());
        }
        self.copies = copies;
        self.rest = rest;
        Ok(Some(format!("{{{counts}}}")))
    }

    fn group(&mut self, last: Last) -> Translated<Last> {
        let mut opening = "(".to_owned();
        let mut group = Some(String::new());
        if self.accept("?") {
            if self.accept("P<") || self.accept("<") {
                let Some((name, rest)) = self.rest.split_once('>') else {
                    return Err("invalid named capture".to_owned());
                };
                let is_word = |byte: u8| byte == b'_' || byte.is_ascii_alphanumeric();
                if name.is_empty() || !name.bytes().all(is_word) {
                    return Err("invalid named capture".to_owned());
                }
                self.rest = rest;
                group = Some(name.to_owned());
            } else {
                let end = self.rest.find([':', ')']).unwrap_or(self.rest.len());
                let (flags, rest) = self.rest.split_at(end);
                let (on, off) = flags.split_once('-').unwrap_or((flags, "i"));
                let are_known = |flags: &str| flags.bytes().all(|flag| b"imsU".contains(&flag));
                if !are_known(on) || !are_known(off) || off.is_empty() || rest.is_empty() {
                    return Err("invalid or unsupported Perl syntax".to_owned());
                }
                self.rest = rest;
                if self.accept(")") {
                    // Flags up to the end of the group repeat nothing.
                    if !flags.is_empty() {
                        let _ = write!(self.out, "(?{flags})");
                    }
                    return Ok(last);
                }
                opening = format!("(?{flags}");
                group = None;
            }
        }
        self.names.extend(group);
        self.out.push_str(&opening);
        if opening.starts_with("(?") && self.accept(":") {
            self.out.push(':');
        }
        self.depth += 1;
        if self.depth > DEPTH {
            return Err("expression nests too deeply".to_owned());
        }
        self.alternatives()?;
        self.depth -= 1;
        if !self.accept(")") {
            return Err("missing closing )".to_owned());
        }
        self.out.push(')');
        Ok(Last::Part)
    }

    fn escape(&mut self) -> Translated {
        let rest = self.rest;
        let Some(char) = self.next() else {
            return Err("trailing backslash at end of expression".to_owned());
        };
        match char {
            'A' => self.out.push_str("\\A"),
            'z' => self.out.push_str("\\z"),
            'b' => self.out.push_str("(?-u:\\b)"),
            'B' => self.out.push_str("(?-u:\\B)"),
            'd' | 'D' | 's' | 'S' | 'w' | 'W' => {
                let class = shorthand(char);
                let _ = write!(self.out, "[{class}]");
            }
            'p' | 'P' => {
                self.rest = rest;
                let class = self.unicode_class()?;
                self.out.push_str(&class);
            }
            _ => {
                self.rest = rest;
                let char = self.escaped_char()?;
                self.literal(char);
            }
        }
        Ok(())
    }

    /// Reads `pL`, `PL` or `p{Greek}`.
    fn unicode_class(&mut self) -> Translated<String> {
        let bad = || "invalid character class range".to_owned();
        let is_negated = self.next() == Some('P');
        let name = if self.accept("{") {
            let (name, rest) = self.rest.split_once('}').ok_or_else(bad)?;
            self.rest = rest;
            name.to_owned()
        } else {
            self.next().ok_or_else(bad)?.to_string()
        };
        let (name, is_negated) = match name.strip_prefix('^') {
            Some(name) => (name, !is_negated),
            None => (name.as_str(), is_negated),
        };
        let is_word = |byte: u8| byte == b'_' || byte.is_ascii_alphanumeric();
        let begins_upper = name.starts_with(|c: char| c.is_ascii_uppercase());
        if name.is_empty() || !begins_upper || !name.bytes().all(is_word) {
            return Err(bad());
        }
        Ok(format!(
            "\\{}{{{name}}}",
            if is_negated { 'P' } else { 'p' }
        ))
    }

    /// Reads the character that an escape stands for, without the backslash.
    fn escaped_char(&mut self) -> Translated<char> {
        let bad = || "invalid escape sequence".to_owned();
        let char = self.next().ok_or_else(bad)?;
        match char {
            'a' => Ok('\u{7}'),
            'f' => Ok('\u{c}'),
            't' => Ok('\t'),
            'n' => Ok('\n'),
            'r' => Ok('\r'),
            'v' => Ok('\u{b}'),
            'x' => {
                let digits = if self.accept("{") {
                    let (digits, rest) = self.rest.split_once('}').ok_or_else(bad)?;
                    self.rest = rest;
                    digits
                } else {
                    let digits = self.rest.get(..2).ok_or_else(bad)?;
                    self.rest = self.rest.get(2..).ok_or_else(bad)?;
                    digits
                };
                if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    return Err(bad());
                }
                let code = u32::from_str_radix(digits, 16).map_err(|_| bad())?;
                char::from_u32(code).ok_or_else(bad)
            }
            '0'..='7' => {
                let follows = self.rest.starts_with(|c: char| ('0'..='7').contains(&c));
                if char != '0' && !follows {
                    return Err(bad());
                }
                let mut code = char.to_digit(8).unwrap_or(0);
                for _ in 0..2 {
                    let Some(digit) = self.rest.chars().next().and_then(|c| c.to_digit(8)) else {
                        break;
                    };
                    code = code * 8 + digit;
                    self.next();
                }
                char::from_u32(code).ok_or_else(bad)
            }
            char if char.is_ascii() && !char.is_ascii_alphanumeric() => Ok(char),
            _ => Err(bad()),
        }
    }

    /// Translates what stands in brackets.
    fn class(&mut self) -> Translated {
        let missing = || "missing closing ]".to_owned();
        self.out.push('[');
        if self.accept("^") {
            self.out.push('^');
        }
        let mut is_first = true;
        while is_first || !self.rest.starts_with(']') {
            is_first = false;
            if let Some(posix) = self.posix_class()? {
                self.out.push_str(&posix);
                continue;
            }
            if let Some(rest) = self.rest.strip_prefix('\\') {
                match rest.chars().next() {
                    Some(char @ ('d' | 'D' | 's' | 'S' | 'w' | 'W')) => {
                        self.rest = rest;
                        self.next();
                        let _ = write!(self.out, "[{}]", shorthand(char));
                        continue;
                    }
                    Some('p' | 'P') => {
                        self.rest = rest;
                        let class = self.unicode_class()?;
                        self.out.push_str(&class);
                        continue;
                    }
                    _ => {}
                }
            }
            let low = self.class_char()?;
            let follows = self.rest.starts_with('-') && !self.rest.starts_with("-]");
            if follows {
                self.accept("-");
                let high = self.class_char()?;
                if high < low {
                    return Err("invalid character class range".to_owned());
                }
                let _ = write!(self.out, "{}-{}", code(low), code(high));
            } else {
                self.out.push_str(&code(low));
            }
            if self.rest.is_empty() {
                return Err(missing());
            }
        }
        if !self.accept("]") {
            return Err(missing());
        }
        self.out.push(']');
        Ok(())
    }

    fn class_char(&mut self) -> Translated<char> {
        match self.next() {
            None => Err("missing closing ]".to_owned()),
            Some('\\') => self.escaped_char(),
            Some(char) => Ok(char),
        }
    }

    /// Reads `[:alpha:]`.
    fn posix_class(&mut self) -> Translated<Option<String>> {
        const NAMES: [&str; 14] = [
            "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print",
            "punct", "space", "upper", "word", "xdigit",
        ];
        let Some((name, rest)) = self
            .rest
            .strip_prefix("[:")
            .and_then(|t| t.split_once(":]"))
        else {
            return Ok(None);
        };
        if !NAMES.contains(&name.strip_prefix('^').unwrap_or(name)) {
            return Err("invalid character class range".to_owned());
        }
        self.rest = rest;
        Ok(Some(format!("[:{name}:]")))
    }
}

/// Returns a character of a class by its number, which has no other meaning there.
fn code(char: char) -> String {
    format!("\\x{{{:X}}}", u32::from(char))
}

fn shorthand(letter: char) -> &'static str {
    match letter {
        'd' => "0-9",
        'D' => "^0-9",
        's' => "\\t\\n\\x0C\\r ",
        'S' => "^\\t\\n\\x0C\\r ",
        'w' => "0-9A-Za-z_",
        _ => "^0-9A-Za-z_",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_mean_in_go() {
        let table = [
            (r"^\d+$", "٣", false),
            (r"\bß", " ß", false),
            (r"\Qa.b\E+", "a.bb", true),
            (r"[a&&b]", "&", true),
            (r"[[a]", "[", true),
            (r"[]a]+", "]a", true),
            (r"(?i)É", "é", true),
            (r"a{,2}", "a{,2}", true),
            (r"\x{41}\101", "AA", true),
            (r"[[:alpha:]\d]+", "a1", true),
            (r"\pL\p{Greek}", "aα", true),
            (r"(?P<x>a)(?<y>b)(?:c)", "abc", true),
            (r"(?P<x>a)|(?P<x>b)", "b", true),
            (r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", "acme-corp", true),
            (r"^\pL{1,63}$", "Ünïcödé", true),
        ];
        for (pattern, text, expected) in table {
            let found = Pattern::new(pattern.as_bytes()).unwrap();
            assert_eq!(found.is_match(text.as_bytes()), expected, "{pattern}");
        }
        for bad in [
            "a**",
            "*a",
            "(",
            ")",
            "[",
            "\\8",
            "(?x)a",
            "a{1001}",
            "((a{10}){10}){11}",
            "\\",
            "[z-a]",
            "(?=a)",
            "\\1",
        ] {
            assert!(Pattern::new(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
