//! Numbers as Go reads and writes them.

/// A number in a template; what it becomes depends on where it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Literal {
    pub(super) integer: Option<i64>,
    pub(super) float: f64,
    /// Whether it is a float where any value fits.
    pub(super) is_float: bool,
}

impl Literal {
    pub(super) fn character(code: u32) -> Self {
        Self {
            integer: Some(i64::from(code)),
            float: f64::from(code),
            is_float: false,
        }
    }
}

/// Reads a number of a template.
pub(super) fn literal(text: &str) -> Result<Literal, String> {
    let looks_like_float = text.contains(['.', 'e', 'E', 'p', 'P']);
    let is_hexadecimal = text.len() > 2
        && (text.starts_with("0x") || text.starts_with("0X"))
        && !text.contains(['p', 'P']);
    let is_float = looks_like_float && !is_hexadecimal;
    if text.ends_with('i') {
        return Err("complex numbers are not offered".to_owned());
    }
    if let Ok(integer) = integer(text, 0) {
        #[expect(clippy::cast_precision_loss, reason = "as Go converts")]
        return Ok(Literal {
            integer: Some(integer),
            float: integer as f64,
            is_float,
        });
    }
    match float(text) {
        Some(float) if looks_like_float => Ok(Literal {
            integer: whole(float),
            float,
            is_float,
        }),
        Some(_) => Err(format!("integer overflow: {text:?}")),
        None => Err(format!("illegal number syntax: {text:?}")),
    }
}

/// Returns the integer that a float is.
fn whole(float: f64) -> Option<i64> {
    let integer = truncated(float);
    #[expect(
        clippy::cast_precision_loss,
        clippy::float_cmp,
        reason = "the question is whether nothing was lost"
    )]
    let is_whole = integer as f64 == float;
    is_whole.then_some(integer)
}

/// Cuts off what follows the point; what doesn't fit becomes the least integer, as on Go's main platform.
pub(super) fn truncated(float: f64) -> i64 {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if (-LIMIT..LIMIT).contains(&float) {
        #[expect(clippy::cast_possible_truncation, reason = "it fits, see above")]
        let integer = float as i64;
        integer
    } else {
        i64::MIN
    }
}

/// Why a text is no integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoInteger {
    Syntax,
    /// Too small or too large; the nearest that there is.
    Range(i64),
}

/// Reads an integer; base 0 takes prefixes and underscores.
pub(super) fn integer(text: &str, base: u32) -> Result<i64, NoInteger> {
    let (is_negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let has_prefixes = base == 0;
    let (base, digits) = match base {
        0 => {
            let (base, digits) = prefixed(unsigned).unwrap_or((10, unsigned));
            (base, digits.replace('_', ""))
        }
        base => (base, unsigned.to_owned()),
    };
    let limit = if is_negative { i64::MIN } else { i64::MAX };
    let mut value = 0u64;
    for char in digits.chars() {
        let digit = char.to_digit(base).ok_or(NoInteger::Syntax)?;
        // What comes after too many digits Go doesn't read.
        value = value
            .checked_mul(u64::from(base))
            .and_then(|value| value.checked_add(u64::from(digit)))
            .ok_or(NoInteger::Range(limit))?;
    }
    if digits.is_empty() || (has_prefixes && !has_fair_underscores(unsigned)) {
        return Err(NoInteger::Syntax);
    }
    let value = i128::from(value);
    i64::try_from(if is_negative { -value } else { value }).map_err(|_| NoInteger::Range(limit))
}

fn prefixed(unsigned: &str) -> Option<(u32, &str)> {
    let rest = unsigned.strip_prefix('0')?;
    let (letter, digits) = (rest.chars().next()?, rest.get(1..));
    match letter {
        'x' | 'X' => Some((16, digits?)),
        'b' | 'B' => Some((2, digits?)),
        'o' | 'O' => Some((8, digits?)),
        _ => Some((8, rest)),
    }
}

/// Tells whether underscores stand between digits, or after a prefix, only.
fn has_fair_underscores(unsigned: &str) -> bool {
    if !unsigned.contains('_') {
        return true;
    }
    let is_based = prefixed(unsigned).is_some();
    let has_letter = unsigned
        .chars()
        .nth(1)
        .is_some_and(|c| matches!(c, 'x' | 'X' | 'b' | 'B' | 'o' | 'O'));
    let (rest, mut before) = if is_based && has_letter {
        (unsigned.get(2..).unwrap_or_default(), '0')
    } else {
        (unsigned, '^')
    };
    let is_hexadecimal = unsigned.starts_with("0x") || unsigned.starts_with("0X");
    for char in rest.chars() {
        let kind = match char {
            c if c.is_ascii_digit() || (is_hexadecimal && c.is_ascii_hexdigit()) => '0',
            '_' => '_',
            _ => '!',
        };
        if (kind == '_' && before != '0') || (before == '_' && kind != '0') {
            return false;
        }
        before = kind;
    }
    before != '_'
}

/// Reads a float; one that is too large is none.
pub(super) fn float(text: &str) -> Option<f64> {
    let (is_negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let signed = |value: f64| if is_negative { -value } else { value };
    match unsigned.to_ascii_lowercase().as_str() {
        "inf" | "infinity" => return Some(signed(f64::INFINITY)),
        "nan" if unsigned.len() == text.len() => return Some(f64::NAN),
        _ => {}
    }
    if unsigned.starts_with("0x") || unsigned.starts_with("0X") {
        return hexadecimal(unsigned).map(signed);
    }
    if !has_fair_underscores(unsigned) {
        return None;
    }
    let unsigned = unsigned.replace('_', "");
    let is_plain = unsigned
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'));
    let is_signed_again = unsigned.starts_with(['+', '-']);
    if !is_plain || is_signed_again || !unsigned.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value: f64 = unsigned.parse().ok()?;
    value.is_finite().then(|| signed(value))
}

/// Reads `0x1.8p3`.
fn hexadecimal(unsigned: &str) -> Option<f64> {
    if !has_fair_underscores(unsigned) {
        return None;
    }
    let digits = unsigned.get(2..)?.replace('_', "").to_ascii_lowercase();
    let (mantissa, exponent) = digits.split_once('p')?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut value = 0f64;
    let mut seen = 0usize;
    for char in whole.chars().chain(fraction.chars()) {
        value = value * 16.0 + f64::from(char.to_digit(16)?);
        seen += 1;
        // More digits than this would be rounded twice.
        if seen > 13 {
            return None;
        }
    }
    let exponent: i32 = exponent.parse().ok()?;
    let shift = i32::try_from(fraction.len()).ok()?.checked_mul(4)?;
    let value = value * f64::from(exponent.checked_sub(shift)?.clamp(-2000, 2000)).exp2();
    (seen > 0 && value.is_finite()).then_some(value)
}

/// The decimal digits of a float: `0.DIGITS × 10^point`, without zeros at the end.
struct Digits {
    digits: Vec<u8>,
    point: i32,
}

impl Digits {
    /// As many as tell the float from its neighbours, or as many as asked for.
    fn of(value: f64, count: Option<usize>) -> Self {
        if value == 0.0 {
            return Self {
                digits: Vec::new(),
                point: 0,
            };
        }
        let text = match count {
            None => format!("{value:e}"),
            Some(count) => format!("{value:.*e}", count.clamp(1, 800) - 1),
        };
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let mut digits: Vec<u8> = mantissa.bytes().filter(u8::is_ascii_digit).collect();
        while digits.last() == Some(&b'0') {
            digits.pop();
        }
        Self {
            digits,
            point: exponent.parse::<i32>().unwrap_or(0) + 1,
        }
    }
}

/// Writes a finite float without a sign the way of a verb: `e`, `E`, `f`, `g` or `G`; no precision means
/// as many digits as it takes.
pub(super) fn write_float(value: f64, verb: u8, precision: Option<usize>) -> String {
    let value = value.abs();
    match verb {
        b'f' => match precision {
            // A float has no more than 1,074 digits behind the point.
            Some(precision) => {
                let exact = precision.min(1_100);
                let mut text = format!("{value:.exact$}");
                text.extend(std::iter::repeat_n('0', precision - exact));
                text
            }
            None => fixed(&Digits::of(value, None)),
        },
        b'e' | b'E' => {
            let digits = Digits::of(value, precision.map(|p| p.saturating_add(1)));
            let places = precision.unwrap_or(digits.digits.len().saturating_sub(1));
            exponential(&digits, places, verb)
        }
        _ => {
            let wanted = precision.map(|precision| precision.max(1));
            let digits = Digits::of(value, wanted);
            let count = i32::try_from(digits.digits.len()).unwrap_or(i32::MAX);
            let mut threshold = match wanted {
                None => 6,
                Some(wanted) => i32::try_from(wanted).unwrap_or(i32::MAX),
            };
            if wanted.is_some() && threshold > count && count >= digits.point {
                threshold = count;
            }
            // Digits of nothing have no exponent, and Go says so too.
            let exponent = digits.point - 1;
            if exponent < -4 || exponent >= threshold {
                let places = digits.digits.len().saturating_sub(1);
                return exponential(&digits, places, if verb == b'G' { b'E' } else { b'e' });
            }
            fixed(&digits)
        }
    }
}

fn fixed(digits: &Digits) -> String {
    let mut text = String::new();
    let point = usize::try_from(digits.point).unwrap_or(0);
    for index in 0..point {
        text.push(char::from(
            digits.digits.get(index).copied().unwrap_or(b'0'),
        ));
    }
    if point == 0 {
        text.push('0');
    }
    if digits.digits.len() > point {
        text.push('.');
        let zeros = usize::try_from(digits.point.saturating_neg()).unwrap_or(0);
        text.extend(std::iter::repeat_n('0', zeros));
        let rest = digits.digits.get(point..).unwrap_or_default();
        text.extend(rest.iter().map(|digit| char::from(*digit)));
    }
    text
}

fn exponential(digits: &Digits, places: usize, letter: u8) -> String {
    let mut text = String::new();
    let digit = |index: usize| char::from(digits.digits.get(index).copied().unwrap_or(b'0'));
    text.push(digit(0));
    if places > 0 {
        text.push('.');
        text.extend((1..=places).map(digit));
    }
    let exponent = if digits.digits.is_empty() {
        0
    } else {
        digits.point - 1
    };
    text.push(char::from(letter));
    text.push(if exponent < 0 { '-' } else { '+' });
    text + &format!("{:02}", exponent.unsigned_abs())
}

/// Writes a float as `print` does.
pub(super) fn plain(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value < 0.0 { "-Inf" } else { "+Inf" }.to_owned();
    }
    let text = write_float(value, b'g', None);
    if value.is_sign_negative() {
        format!("-{text}")
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_with_prefixes_and_underscores() {
        let table = [
            ("10", Some(10)),
            ("-0x1F", Some(-31)),
            ("010", Some(8)),
            ("0o17", Some(15)),
            ("0b101", Some(5)),
            ("1_000", Some(1000)),
            ("0x_f", Some(15)),
            ("_1", None),
            ("1__0", None),
            ("1_", None),
            ("", None),
            ("08", None),
            ("0x", None),
            ("9223372036854775808", None),
            ("-9223372036854775808", Some(i64::MIN)),
        ];
        for (text, expected) in table {
            assert_eq!(integer(text, 0).ok(), expected, "{text}");
        }
        assert_eq!(
            integer("99999999999999999999", 10),
            Err(NoInteger::Range(i64::MAX))
        );
        assert_eq!(
            integer("-9999999999999999999", 10),
            Err(NoInteger::Range(i64::MIN))
        );
        assert_eq!(integer("9999999999999999999.5", 10), Err(NoInteger::Syntax));
        assert_eq!(
            integer("99999999999999999999.5", 10),
            Err(NoInteger::Range(i64::MAX))
        );
    }

    #[test]
    fn floats_are_read_and_written() {
        assert_eq!(float("1e400"), None);
        assert_eq!(
            (float("1_0"), float("1__0"), float("+nan")),
            (Some(10.0), None, None)
        );
        assert_eq!(float("0x1.8p3"), Some(12.0));
        assert_eq!(float(".5"), Some(0.5));
        assert_eq!((float("--1"), float("-+1")), (None, None));
        let table = [
            (0.0, b'g', None, "0"),
            (100.0, b'g', Some(3), "100"),
            (1234.5678, b'f', Some(2), "1234.57"),
            (0.000_012, b'g', None, "1.2e-05"),
            (1234.5678, b'e', Some(3), "1.235e+03"),
            (5432.0, b'g', None, "5432"),
        ];
        for (value, verb, precision, expected) in table {
            assert_eq!(write_float(value, verb, precision), expected);
        }
    }
}
