//! `print` and `printf`: values as text, with Go's verbs, flags, widths and complaints (`%!d(string=x)`).

use super::Problem;
use super::exec::DEPTH_OF_VALUES;
use super::value::{List, Map, Value};
use super::{number, rune};

/// Largest width and precision that count.
const LARGEST: i64 = 1_000_000;

/// What stands between `%` and the verb.
#[derive(Debug, Clone, Copy, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one per flag that a user can write"
)]
struct Flags {
    width: Option<usize>,
    precision: Option<usize>,
    minus: bool,
    plus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    /// `%#v`: as in source.
    source: bool,
}

/// Writes values behind one another.
pub(super) struct Printer {
    out: Vec<u8>,
    flags: Flags,
    /// How long the text may become.
    limit: usize,
}

type Printed = Result<(), Problem>;

/// Returns a value as `print` has it.
pub(super) fn plain(value: &Value<'_>, limit: usize) -> Result<Vec<u8>, Problem> {
    let mut printer = Printer::new(limit);
    printer.value(value, 'v', 0)?;
    Ok(printer.out)
}

/// Returns values behind one another; a space stands between two that are no texts.
pub(super) fn print(values: &[Value<'_>], limit: usize) -> Result<Vec<u8>, Problem> {
    let mut printer = Printer::new(limit);
    let mut was_text = true;
    for value in values {
        let is_text = matches!(value, Value::Text(_));
        if !is_text && !was_text {
            printer.push(b" ")?;
        }
        printer.value(value, 'v', 0)?;
        was_text = is_text;
    }
    Ok(printer.out)
}

/// Returns values with spaces between them and a new line behind them.
pub(super) fn println(values: &[Value<'_>], limit: usize) -> Result<Vec<u8>, Problem> {
    let mut printer = Printer::new(limit);
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            printer.push(b" ")?;
        }
        printer.value(value, 'v', 0)?;
    }
    printer.push(b"\n")?;
    Ok(printer.out)
}

/// Returns values the way a format says.
pub(super) fn printf(
    format: &[u8],
    values: &[Value<'_>],
    limit: usize,
) -> Result<Vec<u8>, Problem> {
    let mut printer = Printer::new(limit);
    printer.printf(format, values)?;
    Ok(printer.out)
}

/// Where we are in a format and in its arguments.
struct Cursor<'f> {
    format: &'f [u8],
    at: usize,
    argument: usize,
    count: usize,
    is_reordered: bool,
    is_good: bool,
    /// Whether an index such as `[3]` stands just before.
    is_after_index: bool,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.format.get(self.at).copied()
    }

    /// Reads a number; one that is too large ends the format.
    fn number(&mut self) -> Option<usize> {
        let mut value = None;
        while let Some(digit) = self.peek().filter(u8::is_ascii_digit) {
            let before = value.unwrap_or(0i64);
            if before > LARGEST {
                self.at = self.format.len();
                return None;
            }
            value = Some(before * 10 + i64::from(digit - b'0'));
            self.at += 1;
        }
        value.and_then(|value| usize::try_from(value).ok())
    }

    /// Reads an index of an argument such as `[3]`.
    fn index(&mut self) {
        self.is_after_index = false;
        if self.peek() != Some(b'[') {
            return;
        }
        self.is_reordered = true;
        let rest = self.format.get(self.at..).unwrap_or_default();
        let Some(end) = rest
            .iter()
            .position(|byte| *byte == b']')
            .filter(|_| rest.len() > 2)
        else {
            self.is_good = false;
            self.at += 1;
            return;
        };
        let inner = rest.get(1..end).unwrap_or_default();
        self.at += end + 1;
        let is_number = !inner.is_empty() && inner.iter().all(u8::is_ascii_digit);
        let index = std::str::from_utf8(inner)
            .ok()
            .filter(|_| is_number)
            .and_then(|text| text.parse::<usize>().ok());
        match index.and_then(|index| index.checked_sub(1)) {
            Some(index) if index < self.count => {
                self.argument = index;
                self.is_after_index = true;
            }
            _ => {
                self.is_good = false;
                self.is_after_index = is_number;
            }
        }
    }

    /// Takes a width or precision from the arguments.
    fn star(&mut self, values: &[Value<'_>]) -> Option<i64> {
        let value = values.get(self.argument)?;
        self.argument += 1;
        let number = match value {
            Value::Int(number) | Value::Int64(number) => *number,
            Value::Byte(number) => i64::from(*number),
            Value::Unsigned(number) => i64::try_from(*number).ok()?,
            _ => return None,
        };
        (-LARGEST..=LARGEST).contains(&number).then_some(number)
    }
}

impl Printer {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            out: Vec::new(),
            flags: Flags::default(),
            limit,
        }
    }

    fn push(&mut self, bytes: &[u8]) -> Printed {
        if self.out.len() + bytes.len() > self.limit {
            return Err(Problem::too_much());
        }
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    fn printf(&mut self, format: &[u8], values: &[Value<'_>]) -> Printed {
        let mut cursor = Cursor {
            format,
            at: 0,
            argument: 0,
            count: values.len(),
            is_reordered: false,
            is_good: true,
            is_after_index: false,
        };
        while cursor.at < format.len() {
            let rest = format.get(cursor.at..).unwrap_or_default();
            let plain = rest
                .iter()
                .position(|byte| *byte == b'%')
                .unwrap_or(rest.len());
            self.push(rest.get(..plain).unwrap_or_default())?;
            cursor.at += plain;
            if cursor.at >= format.len() {
                break;
            }
            cursor.at += 1;
            self.directive(&mut cursor, values)?;
        }
        self.flags = Flags::default();
        if !cursor.is_reordered && cursor.argument < values.len() {
            self.push(b"%!(EXTRA ")?;
            for (index, value) in values.iter().enumerate().skip(cursor.argument) {
                if index > cursor.argument {
                    self.push(b", ")?;
                }
                if value.is_nil() {
                    self.push(b"<nil>")?;
                } else {
                    self.push(value.type_name().as_bytes())?;
                    self.push(b"=")?;
                    self.value(value, 'v', 0)?;
                }
            }
            self.push(b")")?;
        }
        Ok(())
    }

    /// Writes one `%…`.
    fn directive(&mut self, cursor: &mut Cursor<'_>, values: &[Value<'_>]) -> Printed {
        self.flags = Flags::default();
        cursor.is_good = true;
        while let Some(byte) = cursor.peek() {
            match byte {
                b'#' => self.flags.sharp = true,
                b'0' => self.flags.zero = true,
                b'+' => self.flags.plus = true,
                b'-' => self.flags.minus = true,
                b' ' => self.flags.space = true,
                b'a'..=b'z' if cursor.argument < values.len() => {
                    cursor.at += 1;
                    return self.argument(char::from(byte), cursor, values);
                }
                _ => break,
            }
            cursor.at += 1;
        }
        cursor.index();
        if cursor.peek() == Some(b'*') {
            cursor.at += 1;
            match cursor.star(values) {
                None => self.push(b"%!(BADWIDTH)")?,
                Some(width) => {
                    self.flags.width = usize::try_from(width.unsigned_abs()).ok();
                    if width < 0 {
                        self.flags.minus = true;
                        self.flags.zero = false;
                    }
                }
            }
            cursor.is_after_index = false;
        } else {
            self.flags.width = cursor.number();
            if cursor.is_after_index && self.flags.width.is_some() {
                cursor.is_good = false;
            }
        }
        if cursor.peek() == Some(b'.') && cursor.at + 1 < cursor.format.len() {
            cursor.at += 1;
            if cursor.is_after_index {
                cursor.is_good = false;
            }
            cursor.index();
            if cursor.peek() == Some(b'*') {
                cursor.at += 1;
                match cursor.star(values) {
                    Some(precision) if precision >= 0 => {
                        self.flags.precision = usize::try_from(precision).ok();
                    }
                    _ => self.push(b"%!(BADPREC)")?,
                }
                cursor.is_after_index = false;
            } else {
                self.flags.precision = Some(cursor.number().unwrap_or(0));
            }
        }
        if !cursor.is_after_index {
            cursor.index();
        }
        let rest = cursor.format.get(cursor.at..).unwrap_or_default();
        let Some((verb, width)) = rune::first(rest) else {
            return self.push(b"%!(NOVERB)");
        };
        cursor.at += width;
        let verb = verb.unwrap_or(rune::INVALID);
        if verb == '%' {
            return self.push(b"%");
        }
        if !cursor.is_good || cursor.argument >= values.len() {
            self.push(b"%!")?;
            self.push(verb.encode_utf8(&mut [0; 4]).as_bytes())?;
            return self.push(if cursor.is_good {
                b"(MISSING)"
            } else {
                b"(BADINDEX)"
            });
        }
        self.argument(verb, cursor, values)
    }

    fn argument(&mut self, verb: char, cursor: &mut Cursor<'_>, values: &[Value<'_>]) -> Printed {
        if verb == 'v' {
            self.flags.source = std::mem::take(&mut self.flags.sharp);
            self.flags.plus = false;
        }
        let Some(value) = values.get(cursor.argument) else {
            return Ok(());
        };
        cursor.argument += 1;
        match verb {
            'T' if value.is_nil() => self.padded(b"<nil>"),
            'T' => self.padded(self.cut(value.type_name().as_bytes())),
            'w' => Err("%w, which is for errors, is not offered".into()),
            'p' => match value {
                Value::List(_) | Value::Map(_) | Value::Root | Value::Version(_) => {
                    Err("%p of a value that has an address".into())
                }
                _ => self.bad_verb(verb, value),
            },
            _ => self.value(value, verb, 0),
        }
    }

    fn padding(&mut self, count: usize) -> Printed {
        if self.out.len() + count > self.limit {
            return Err(Problem::too_much());
        }
        let fill = if self.flags.zero && !self.flags.minus {
            b'0'
        } else {
            b' '
        };
        self.out.extend(std::iter::repeat_n(fill, count));
        Ok(())
    }

    /// Writes a text, at least as wide as asked for.
    fn padded(&mut self, bytes: &[u8]) -> Printed {
        let Some(width) = self.flags.width else {
            return self.push(bytes);
        };
        let missing = width.saturating_sub(rune::count(bytes));
        if !self.flags.minus {
            self.padding(missing)?;
        }
        self.push(bytes)?;
        if self.flags.minus {
            self.padding(missing)?;
        }
        Ok(())
    }

    /// The same without zeros.
    fn padded_with_spaces(&mut self, bytes: &[u8]) -> Printed {
        let zero = std::mem::take(&mut self.flags.zero);
        let result = self.padded(bytes);
        self.flags.zero = zero;
        result
    }

    fn bad_verb(&mut self, verb: char, value: &Value<'_>) -> Printed {
        self.push(b"%!")?;
        self.push(verb.encode_utf8(&mut [0; 4]).as_bytes())?;
        self.push(b"(")?;
        if matches!(value, Value::Nil | Value::Null) {
            // Whatever width is asked for.
            return self.push(b"<nil>)");
        }
        if !value.is_nil() {
            self.push(value.type_name().as_bytes())?;
            self.push(b"=")?;
        }
        self.value(value, 'v', 0)?;
        self.push(b")")
    }

    fn value(&mut self, value: &Value<'_>, verb: char, depth: usize) -> Printed {
        if depth > DEPTH_OF_VALUES {
            return Err(Problem::too_deep());
        }
        match value {
            Value::Nil | Value::Null | Value::Root => match verb {
                // Inside of something it is the same for every verb.
                _ if depth > 0 && self.flags.source => self.push(b"interface {}(nil)"),
                _ if depth > 0 => self.push(b"<nil>"),
                'v' => self.padded(b"<nil>"),
                _ => self.bad_verb(verb, value),
            },
            Value::Boolean(flag) => match verb {
                't' | 'v' => self.padded(if *flag { b"true" } else { b"false" }),
                _ => self.bad_verb(verb, value),
            },
            Value::Int(number) | Value::Int64(number) => {
                self.integer(number.unsigned_abs(), *number < 0, verb, value)
            }
            Value::Byte(number) => self.integer(u64::from(*number), false, verb, value),
            Value::Unsigned(number) => self.integer(*number, false, verb, value),
            Value::Float(number) => self.float(*number, verb, value),
            Value::Text(text) => self.text(text.bytes(), verb, value),
            Value::Time(time) => match verb {
                'v' | 's' | 'x' | 'X' | 'q' if !self.flags.source => {
                    self.text(&time.plain(), verb, value)
                }
                _ => Err(format!("%{verb} of a time is not offered").into()),
            },
            Value::Version(version) => match verb {
                'v' | 's' | 'x' | 'X' | 'q' if !self.flags.source => {
                    self.text(version.to_string().as_bytes(), verb, value)
                }
                _ => Err(format!("%{verb} of a version is not offered").into()),
            },
            Value::List(list) => self.list(list, verb, depth, value.type_name()),
            Value::Map(map) => self.map(map, verb, depth, value.type_name()),
        }
    }

    fn list(&mut self, list: &List<'_>, verb: char, depth: usize, type_name: &str) -> Printed {
        let is_source = self.flags.source && verb == 'v';
        if is_source {
            self.push(type_name.as_bytes())?;
            if list.is_nil() {
                return self.push(b"(nil)");
            }
        }
        self.push(if is_source { b"{" } else { b"[" })?;
        for (index, item) in list.items().iter().enumerate() {
            if index > 0 {
                self.push(if is_source { b", " } else { b" " })?;
            }
            self.value(item, verb, depth + 1)?;
        }
        self.push(if is_source { b"}" } else { b"]" })
    }

    fn map(&mut self, map: &Map<'_>, verb: char, depth: usize, type_name: &str) -> Printed {
        let is_source = self.flags.source && verb == 'v';
        if is_source {
            self.push(type_name.as_bytes())?;
            if map.is_nil() {
                return self.push(b"(nil)");
            }
            self.push(b"{")?;
        } else {
            self.push(b"map[")?;
        }
        for (index, (key, item)) in map.entries().into_iter().enumerate() {
            if index > 0 {
                self.push(if is_source { b", " } else { b" " })?;
            }
            self.value(&Value::Text(key), verb, depth + 1)?;
            self.push(b":")?;
            self.value(&item, verb, depth + 1)?;
        }
        self.push(if is_source { b"}" } else { b"]" })
    }

    fn text(&mut self, bytes: &[u8], verb: char, value: &Value<'_>) -> Printed {
        match verb {
            'v' if self.flags.source => self.quoted(bytes),
            'v' | 's' => self.padded(self.cut(bytes)),
            'q' => self.quoted(bytes),
            'x' | 'X' => self.hexadecimal(bytes, verb),
            _ => self.bad_verb(verb, value),
        }
    }

    /// Cuts a text to the precision.
    fn cut<'t>(&self, bytes: &'t [u8]) -> &'t [u8] {
        let Some(precision) = self.flags.precision else {
            return bytes;
        };
        match rune::runes(bytes).nth(precision) {
            Some(rune) => bytes.get(..rune.at).unwrap_or(bytes),
            None => bytes,
        }
    }

    fn quoted(&mut self, bytes: &[u8]) -> Printed {
        let bytes = self.cut(bytes);
        let mut text = Vec::new();
        let can_be_raw = rune::runes(bytes).all(|rune| {
            let is_plain =
                |c: char| c != '`' && c != '\u{7f}' && c != '\u{feff}' && (c >= ' ' || c == '\t');
            rune.char.is_some_and(is_plain)
        });
        if self.flags.sharp && can_be_raw {
            text.push(b'`');
            text.extend_from_slice(bytes);
            text.push(b'`');
        } else {
            rune::quote(&mut text, bytes, self.flags.plus);
        }
        self.padded(&text)
    }

    fn hexadecimal(&mut self, bytes: &[u8], verb: char) -> Printed {
        let length = self
            .flags
            .precision
            .map_or(bytes.len(), |p| p.min(bytes.len()));
        let bytes = bytes.get(..length).unwrap_or_default();
        if bytes.is_empty() {
            return self.padding(self.flags.width.unwrap_or(0));
        }
        if bytes.len() > self.limit / 2 {
            return Err(Problem::too_much());
        }
        let mut text = String::with_capacity(bytes.len() * 2);
        for (index, byte) in bytes.iter().enumerate() {
            if index > 0 && self.flags.space {
                text.push(' ');
            }
            if self.flags.sharp && (index == 0 || self.flags.space) {
                text.push_str(if verb == 'x' { "0x" } else { "0X" });
            }
            let digits = if verb == 'x' {
                format!("{byte:02x}")
            } else {
                format!("{byte:02X}")
            };
            text.push_str(&digits);
        }
        self.padded(text.as_bytes())
    }

    fn integer(
        &mut self,
        number: u64,
        is_negative: bool,
        verb: char,
        value: &Value<'_>,
    ) -> Printed {
        let is_unsigned = matches!(value, Value::Byte(_) | Value::Unsigned(_));
        let digits = match verb {
            'v' if self.flags.source && is_unsigned => {
                return self.push(format!("{number:#x}").as_bytes());
            }
            'v' | 'd' => number.to_string(),
            'b' => format!("{number:b}"),
            'o' | 'O' => format!("{number:o}"),
            'x' => format!("{number:x}"),
            'X' => format!("{number:X}"),
            'c' | 'q' | 'U' => return self.character(number, is_negative, verb),
            _ => return self.bad_verb(verb, value),
        };
        let has_sign = is_negative || self.flags.plus || self.flags.space;
        let mut least = 0;
        if let Some(precision) = self.flags.precision {
            least = precision;
            if precision == 0 && number == 0 {
                let zero = std::mem::take(&mut self.flags.zero);
                let result = self.padding(self.flags.width.unwrap_or(0));
                self.flags.zero = zero;
                return result;
            }
        } else if let Some(width) = self.flags.width
            && self.flags.zero
            && !self.flags.minus
        {
            least = width.saturating_sub(usize::from(has_sign));
        }
        if self.out.len() + least > self.limit {
            return Err(Problem::too_much());
        }
        let mut text = String::new();
        if is_negative {
            text.push('-');
        } else if self.flags.plus {
            text.push('+');
        } else if self.flags.space {
            text.push(' ');
        }
        let zeros = least.saturating_sub(digits.len());
        if verb == 'O' {
            text.push_str("0o");
        }
        if self.flags.sharp {
            text.push_str(match verb {
                'b' => "0b",
                'x' => "0x",
                'X' => "0X",
                'o' | 'O' if zeros == 0 && !digits.starts_with('0') => "0",
                _ => "",
            });
        }
        text.extend(std::iter::repeat_n('0', zeros));
        text.push_str(&digits);
        self.padded_with_spaces(text.as_bytes())
    }

    /// Writes a number as the character that has it.
    fn character(&mut self, number: u64, is_negative: bool, verb: char) -> Printed {
        let found = u32::try_from(number).ok().filter(|_| !is_negative);
        let char = found.and_then(char::from_u32);
        let shown = char.unwrap_or(rune::INVALID);
        let mut text = Vec::new();
        match verb {
            'c' => {
                rune::push(&mut text, shown);
                self.padded(&text)
            }
            'q' => {
                rune::quote_char(&mut text, shown, self.flags.plus);
                self.padded(&text)
            }
            _ => {
                let number = if is_negative {
                    number.wrapping_neg()
                } else {
                    number
                };
                let digits = self.flags.precision.unwrap_or(0).max(4);
                if self.out.len() + digits > self.limit {
                    return Err(Problem::too_much());
                }
                let hexadecimal = format!("{number:X}");
                text.extend_from_slice(b"U+");
                text.extend(std::iter::repeat_n(
                    b'0',
                    digits.saturating_sub(hexadecimal.len()),
                ));
                text.extend_from_slice(hexadecimal.as_bytes());
                if let Some(char) = char.filter(|c| self.flags.sharp && rune::is_printable(*c)) {
                    text.extend_from_slice(format!(" '{char}'").as_bytes());
                }
                self.padded_with_spaces(&text)
            }
        }
    }

    fn float(&mut self, number: f64, verb: char, value: &Value<'_>) -> Printed {
        let (form, precision) = match verb {
            'v' | 'g' => (b'g', self.flags.precision),
            'G' => (b'G', self.flags.precision),
            'e' => (b'e', Some(self.flags.precision.unwrap_or(6))),
            'E' => (b'E', Some(self.flags.precision.unwrap_or(6))),
            'f' | 'F' => (b'f', Some(self.flags.precision.unwrap_or(6))),
            'b' | 'x' | 'X' => return Err(format!("%{verb} of a float is not offered").into()),
            _ => return self.bad_verb(verb, value),
        };
        let sign = if number.is_sign_negative() && !number.is_nan() {
            "-"
        } else if self.flags.plus {
            "+"
        } else if self.flags.space {
            " "
        } else {
            ""
        };
        if !number.is_finite() {
            let word = if number.is_nan() { "NaN" } else { "Inf" };
            let sign = if sign.is_empty() && !number.is_nan() {
                "+"
            } else {
                sign
            };
            return self.padded_with_spaces(format!("{sign}{word}").as_bytes());
        }
        if self.out.len() + precision.unwrap_or(0) > self.limit {
            return Err(Problem::too_much());
        }
        let mut text = number::write_float(number, form, precision);
        if self.flags.sharp {
            text = with_point(&text, form, self.flags.precision);
        }
        let is_wide = self
            .flags
            .width
            .is_some_and(|width| width > text.len() + sign.len());
        if !sign.is_empty() && self.flags.zero && !self.flags.minus && is_wide {
            let width = self.flags.width.unwrap_or(0);
            self.push(sign.as_bytes())?;
            self.padding(width - text.len() - sign.len())?;
            return self.push(text.as_bytes());
        }
        self.padded(format!("{sign}{text}").as_bytes())
    }
}

/// Puts a point into a float, and back the zeros at its end that `%g` leaves out.
fn with_point(text: &str, form: u8, precision: Option<usize>) -> String {
    let end = text.find(['e', 'E']).unwrap_or(text.len());
    let (digits, exponent) = text.split_at(end);
    let mut whole = digits.to_owned();
    if !whole.contains('.') {
        whole.push('.');
    }
    if matches!(form, b'g' | b'G') {
        let significant = digits
            .bytes()
            .filter(u8::is_ascii_digit)
            .skip_while(|digit| *digit == b'0')
            .count();
        let significant = if digits == "0" { 1 } else { significant };
        let wanted = precision.unwrap_or(6);
        whole.extend(std::iter::repeat_n('0', wanted.saturating_sub(significant)));
    }
    whole + exponent
}
