//! Values on the command line: `a.b[0].c=value`.
//!
//! Source: the syntax of Helm's `--set` (its package `strvals`). Assignments are separated by commas, a
//! backslash takes the next character as it is, `{x,y}` is a list and `null` removes. Other than there a
//! value has the type that the same plain scalar has in YAML, so that `1.5` is a number.

use serde_json::Value;

use super::{Error, Problem};
use crate::path::{Path, Segment};
use crate::yaml::{self, Limits};

/// The longest name, in steps.
const MOST_STEPS: usize = 64;

/// The highest place in a list; lists are filled up with `null`.
const HIGHEST_INDEX: usize = 65_535;

/// One value, and where it goes.
#[derive(Clone)]
pub(super) struct Assignment {
    pub(super) path: Path,
    pub(super) value: Value,
}

/// Reads the assignments of an argument; with `texts` every value is a string.
pub(super) fn parse(text: &str, texts: bool) -> Result<Vec<Assignment>, Box<Error>> {
    let mut parser = Parser {
        chars: text.chars().collect(),
        at: 0,
        texts,
    };
    let mut found = Vec::new();
    loop {
        let path = parser.path()?;
        let value = parser.value()?;
        found.push(Assignment { path, value });
        match parser.next() {
            None => return Ok(found),
            Some(_) if parser.peek().is_none() => return Ok(found),
            Some(_) => {}
        }
    }
}

/// Returns the value that a plain scalar stands for.
pub(super) fn typed(text: &str) -> Value {
    // Everything that isn't a string is made of these, and nothing made of these is a collection but a
    // single dash.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+-._~".contains(&byte);
    let scalar = (!text.is_empty() && text.bytes().all(is_plain))
        .then(|| yaml::parse_one(text, &Limits::STREAM).ok())
        .flatten()
        .filter(|value| !value.is_array() && !value.is_object());
    match scalar {
        Some(value) => value,
        // The reader takes a document of nothing but a null for none at all.
        None if text == "~" => Value::Null,
        None if matches!(text, "null" | "Null" | "NULL") => Value::Null,
        None => Value::String(text.to_owned()),
    }
}

struct Parser {
    chars: Vec<char>,
    at: usize,
    texts: bool,
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek();
        self.at += usize::from(next.is_some());
        next
    }

    fn fail<T>(&self, reason: &'static str) -> Result<T, Box<Error>> {
        let column = self.at + 1;
        Err(Error::new(Problem::Assignment { column, reason }))
    }

    /// Reads up to one of these characters, which stays.
    fn until(&mut self, ends: &[char]) -> Result<String, Box<Error>> {
        let mut text = String::new();
        while let Some(next) = self.peek().filter(|next| !ends.contains(next)) {
            self.at += 1;
            if next != '\\' {
                text.push(next);
                continue;
            }
            match self.next() {
                Some(escaped) => text.push(escaped),
                None => return self.fail("a backslash takes the character after it"),
            }
        }
        Ok(text)
    }

    /// Reads a name and the equals sign behind it.
    fn path(&mut self) -> Result<Path, Box<Error>> {
        let mut path = Path::root();
        loop {
            let key = self.until(&['.', '[', '=', ','])?;
            if key.is_empty() {
                return self.fail("a name is missing, give NAME=VALUE");
            }
            path.push(key);
            while self.peek() == Some('[') {
                self.at += 1;
                let start = self.at;
                let index = self.until(&[']'])?;
                let is_number = !index.is_empty() && index.bytes().all(|b| b.is_ascii_digit());
                let index: Option<usize> = index.parse().ok().filter(|_| is_number);
                let Some(index) = index.filter(|index| *index <= HIGHEST_INDEX) else {
                    self.at = start;
                    return self.fail("a place in a list is a number from 0 to 65535");
                };
                if self.next().is_none() {
                    return self.fail("the bracket isn't closed");
                }
                path.push(index);
            }
            if path.segments().len() > MOST_STEPS {
                return self.fail("the name has more than 64 steps");
            }
            match self.next() {
                Some('=') => return Ok(path),
                Some('.') => {}
                Some(',') | None => return self.fail("the value is missing, give NAME=VALUE"),
                Some(_) => return self.fail("expected '.', '[' or '=' behind the bracket"),
            }
        }
    }

    fn scalar(&self, text: String) -> Value {
        if self.texts {
            Value::String(text)
        } else {
            typed(&text)
        }
    }

    /// Reads a value, up to the comma behind it.
    fn value(&mut self) -> Result<Value, Box<Error>> {
        if self.peek() != Some('{') {
            let text = self.until(&[','])?;
            return Ok(self.scalar(text));
        }
        self.at += 1;
        let mut items = Vec::new();
        loop {
            let text = self.until(&[',', '}'])?;
            match self.next() {
                Some('}') if text.is_empty() && items.is_empty() => break,
                Some(end) => {
                    items.push(self.scalar(text));
                    if end == '}' {
                        break;
                    }
                }
                None => return self.fail("the brace of the list isn't closed"),
            }
        }
        if self.peek().is_some_and(|next| next != ',') {
            return self.fail("expected a comma behind the list");
        }
        Ok(Value::Array(items))
    }
}

/// Reads the name of a placeholder: keys with dots between, and places in lists.
pub(super) fn name(text: &str) -> Option<Path> {
    let is_key = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let mut path = Path::root();
    for part in text.split('.') {
        let (key, mut rest) = part.split_at(part.find('[').unwrap_or(part.len()));
        if key.is_empty() || !key.bytes().all(is_key) {
            return None;
        }
        path.push(key);
        while let Some(inside) = rest.strip_prefix('[') {
            let (index, after) = inside.split_once(']')?;
            if !index.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            path.push(Segment::Index(index.parse().ok()?));
            rest = after;
        }
        if !rest.is_empty() || path.segments().len() > MOST_STEPS {
            return None;
        }
    }
    Some(path)
}
