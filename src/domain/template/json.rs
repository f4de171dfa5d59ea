//! JSON as Go writes and reads it.

use super::Problem;
use super::exec::{DEPTH_OF_VALUES, Run};
use super::value::{MapKind, Text, Value};
use super::{number, rune};

/// How JSON is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    pub(super) is_indented: bool,
    /// Whether `<`, `>` and `&` are escaped.
    pub(super) is_safe_in_html: bool,
}

struct Writer {
    out: Vec<u8>,
    style: Style,
    limit: usize,
}

/// Returns a value as JSON; infinite numbers and odd years have none.
pub(super) fn write(value: &Value<'_>, style: Style, limit: usize) -> Result<Vec<u8>, Problem> {
    let mut writer = Writer {
        out: Vec::new(),
        style,
        limit,
    };
    writer.value(value, 0)?;
    Ok(writer.out)
}

impl Writer {
    fn line(&mut self, depth: usize) {
        if self.style.is_indented {
            self.out.push(b'\n');
            self.out.extend(std::iter::repeat_n(b' ', depth * 2));
        }
    }

    fn value(&mut self, value: &Value<'_>, depth: usize) -> Result<(), Problem> {
        if depth > DEPTH_OF_VALUES {
            return Err(Problem::too_deep());
        }
        if self.out.len() > self.limit {
            return Err(Problem::too_much());
        }
        match value {
            Value::Nil | Value::Null | Value::Root => self.out.extend_from_slice(b"null"),
            Value::Boolean(true) => self.out.extend_from_slice(b"true"),
            Value::Boolean(false) => self.out.extend_from_slice(b"false"),
            Value::Int(number) | Value::Int64(number) => self.plain(&number.to_string()),
            Value::Byte(number) => self.plain(&number.to_string()),
            Value::Unsigned(number) => self.plain(&number.to_string()),
            Value::Float(number) => {
                let text = float(*number).ok_or("json: unsupported value")?;
                self.plain(&text);
            }
            Value::Text(text) => self.text(text.bytes()),
            Value::Time(time) => {
                let text = time
                    .rfc3339()
                    .ok_or("json: year outside of range [0,9999]")?;
                self.text(&text);
            }
            Value::Version(version) => self.text(version.to_string().as_bytes()),
            Value::List(list) if list.is_nil() => self.out.extend_from_slice(b"null"),
            Value::List(list) if list.items().is_empty() => self.out.extend_from_slice(b"[]"),
            Value::List(list) => {
                for (index, item) in list.items().iter().enumerate() {
                    self.out.push(if index == 0 { b'[' } else { b',' });
                    self.line(depth + 1);
                    self.value(item, depth + 1)?;
                }
                self.line(depth);
                self.out.push(b']');
            }
            Value::Map(map) if map.is_nil() => self.out.extend_from_slice(b"null"),
            Value::Map(map) if map.len() == 0 => self.out.extend_from_slice(b"{}"),
            Value::Map(map) => {
                for (index, (key, item)) in map.entries().into_iter().enumerate() {
                    self.out.push(if index == 0 { b'{' } else { b',' });
                    self.line(depth + 1);
                    self.text(key.bytes());
                    let colon: &[u8] = if self.style.is_indented { b": " } else { b":" };
                    self.out.extend_from_slice(colon);
                    self.value(&item, depth + 1)?;
                }
                self.line(depth);
                self.out.push(b'}');
            }
        }
        Ok(())
    }

    fn plain(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn text(&mut self, bytes: &[u8]) {
        self.out.push(b'"');
        for rune in rune::runes(bytes) {
            match rune.char {
                None => self.plain("\\ufffd"),
                Some('"') => self.plain("\\\""),
                Some('\\') => self.plain("\\\\"),
                Some('\n') => self.plain("\\n"),
                Some('\r') => self.plain("\\r"),
                Some('\t') => self.plain("\\t"),
                Some('\u{8}') => self.plain("\\b"),
                Some('\u{c}') => self.plain("\\f"),
                Some(char) => {
                    let is_escaped = char < ' '
                        || matches!(char, '\u{2028}' | '\u{2029}')
                        || (self.style.is_safe_in_html && matches!(char, '<' | '>' | '&'));
                    if is_escaped {
                        self.plain(&format!("\\u{:04x}", u32::from(char)));
                    } else {
                        rune::push(&mut self.out, char);
                    }
                }
            }
        }
        self.out.push(b'"');
    }
}

fn float(number: f64) -> Option<String> {
    if !number.is_finite() {
        return None;
    }
    let size = number.abs();
    let is_long = size != 0.0 && !(1e-6..1e21).contains(&size);
    let mut text = number::write_float(number, if is_long { b'e' } else { b'f' }, None);
    if is_long && let Some((digits, exponent)) = text.split_once("e-0") {
        text = format!("{digits}e-{exponent}");
    }
    if number.is_sign_negative() {
        text.insert(0, '-');
    }
    Some(text)
}

/// Reads JSON; objects become maps, numbers floats.
pub(super) fn read<'a>(run: &mut Run<'a>, text: &[u8]) -> Result<Value<'a>, Problem> {
    let mut reader = Reader { text, at: 0 };
    let value = reader.value(run, 0)?;
    reader.space();
    if reader.at < text.len() {
        return reader.wrong();
    }
    Ok(match value {
        Value::Null => Value::Nil,
        other => other,
    })
}

struct Reader<'t> {
    text: &'t [u8],
    at: usize,
}

impl Reader<'_> {
    fn wrong<T>(&self) -> Result<T, Problem> {
        Err(Problem::Other(match self.text.get(self.at) {
            Some(_) => format!("invalid character in JSON at byte {}", self.at + 1),
            None => "unexpected end of JSON input".to_owned(),
        }))
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn accept(&mut self, word: &[u8]) -> bool {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let is_found = rest.starts_with(word);
        if is_found {
            self.at += word.len();
        }
        is_found
    }

    fn value<'a>(&mut self, run: &mut Run<'a>, depth: usize) -> Result<Value<'a>, Problem> {
        if depth > DEPTH_OF_VALUES {
            return Err(Problem::too_deep());
        }
        run.charge(32)?;
        self.space();
        match self.peek() {
            Some(b'{') => self.object(run, depth),
            Some(b'[') => self.array(run, depth),
            Some(b'"') => Ok(Value::text(self.string(run)?)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') if self.accept(b"true") => Ok(Value::Boolean(true)),
            Some(b'f') if self.accept(b"false") => Ok(Value::Boolean(false)),
            Some(b'n') if self.accept(b"null") => Ok(Value::Null),
            _ => self.wrong(),
        }
    }

    fn object<'a>(&mut self, run: &mut Run<'a>, depth: usize) -> Result<Value<'a>, Problem> {
        self.at += 1;
        let map = run.map(MapKind::Any)?;
        self.space();
        if self.accept(b"}") {
            return Ok(Value::Map(map));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return self.wrong();
            }
            let key = self.string(run)?;
            self.space();
            if !self.accept(b":") {
                return self.wrong();
            }
            let value = self.value(run, depth + 1)?;
            run.put(&map, Text::owned(key), value)?;
            self.space();
            if self.accept(b"}") {
                return Ok(Value::Map(map));
            }
            if !self.accept(b",") {
                return self.wrong();
            }
        }
    }

    fn array<'a>(&mut self, run: &mut Run<'a>, depth: usize) -> Result<Value<'a>, Problem> {
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.accept(b"]") {
            return run.list(items);
        }
        loop {
            items.push(self.value(run, depth + 1)?);
            self.space();
            if self.accept(b"]") {
                return run.list(items);
            }
            if !self.accept(b",") {
                return self.wrong();
            }
        }
    }

    fn number<'a>(&mut self) -> Result<Value<'a>, Problem> {
        let start = self.at;
        self.accept(b"-");
        if !self.accept(b"0") && self.digits() == 0 {
            return self.wrong();
        }
        if self.accept(b".") && self.digits() == 0 {
            return self.wrong();
        }
        if self.accept(b"e") || self.accept(b"E") {
            if !self.accept(b"+") {
                self.accept(b"-");
            }
            if self.digits() == 0 {
                return self.wrong();
            }
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        let number = std::str::from_utf8(text).ok().and_then(number::float);
        match number {
            Some(number) => Ok(Value::Float(number)),
            None => Err("a number in JSON is too large".into()),
        }
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        self.at - start
    }

    fn string(&mut self, run: &mut Run<'_>) -> Result<Vec<u8>, Problem> {
        self.at += 1;
        let mut out = Vec::new();
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let Some((char, width)) = rune::first(rest) else {
                return self.wrong();
            };
            match char.unwrap_or(rune::INVALID) {
                '"' => {
                    self.at += 1;
                    run.charge(out.len())?;
                    return Ok(out);
                }
                '\\' => self.escape(&mut out)?,
                char if char < ' ' => return self.wrong(),
                char => {
                    rune::push(&mut out, char);
                    self.at += width;
                }
            }
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), Problem> {
        self.at += 1;
        let char = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let Some(first) = self.unit(self.at + 1) else {
                    return self.wrong();
                };
                self.at += 4;
                let low = (self.text.get(self.at + 1..self.at + 3) == Some(b"\\u"))
                    .then(|| self.unit(self.at + 3))
                    .flatten();
                match (first, low) {
                    (0xD800..0xDC00, Some(low @ 0xDC00..0xE000)) => {
                        self.at += 6;
                        let code = 0x1_0000 + ((first - 0xD800) << 10) + (low - 0xDC00);
                        char::from_u32(code).unwrap_or(rune::INVALID)
                    }
                    _ => char::from_u32(first).unwrap_or(rune::INVALID),
                }
            }
            _ => return self.wrong(),
        };
        self.at += 1;
        rune::push(out, char);
        Ok(())
    }

    /// Reads the four digits of `\uXXXX`.
    fn unit(&self, at: usize) -> Option<u32> {
        let digits = self.text.get(at..at + 4)?;
        digits.iter().try_fold(0, |value, byte| {
            Some(value * 16 + char::from(*byte).to_digit(16)?)
        })
    }
}
