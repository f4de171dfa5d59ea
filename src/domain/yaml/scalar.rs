//! Types of plain scalars, as Kubernetes' YAML parser (YAML 1.1 with Go's number syntax) gives
//! them. Source: behaviour of `kubectl` measured scalar by scalar; `tests/all` compares the
//! same table with the real program.

use serde_json::{Number, Value};

/// Returns the value that a plain (unquoted, untagged) scalar stands for.
///
/// # Errors
/// The scalar itself when it is a number without a JSON form (`.inf`, `.nan`).
pub(super) fn plain(text: &str) -> Result<Value, String> {
    let Some(&first) = text.as_bytes().first() else {
        return Ok(Value::Null);
    };
    // Most scalars start with a letter or punctuation that no typed form starts with.
    match first {
        b'~' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'y' | b'Y' | b'o' | b'O' => {
            Ok(word(text).unwrap_or_else(|| Value::String(text.to_owned())))
        }
        b'0'..=b'9' | b'+' | b'-' | b'.' => {
            if is_not_finite(text) {
                return Err(text.to_owned());
            }
            Ok(number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number))
        }
        _ => Ok(Value::String(text.to_owned())),
    }
}

/// Returns true where a plain scalar of this text would not be read as this very string, here or
/// in a parser of another YAML version.
#[cfg(test)]
pub(super) fn is_typed(text: &str) -> bool {
    !matches!(plain(text), Ok(Value::String(_)))
}

/// `null` and the booleans of YAML 1.1.
pub(super) fn word(text: &str) -> Option<Value> {
    match text {
        "~" | "null" | "Null" | "NULL" => Some(Value::Null),
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Some(Value::Bool(true))
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Some(Value::Bool(false))
        }
        _ => None,
    }
}

pub(super) fn is_not_finite(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN")
}

/// An integer in base 2, 8, 10 or 16, or a decimal float; underscores separate digits.
pub(super) fn number(text: &str) -> Option<Number> {
    let first = text.as_bytes().first()?;
    // Behind a point Go takes no underscores.
    if *first == b'_' || (*first == b'.' && text.contains('_')) {
        return None;
    }
    let digits: std::borrow::Cow<'_, str> = if text.contains('_') {
        text.replace('_', "").into()
    } else {
        text.into()
    };
    integer(&digits).or_else(|| float(&digits))
}

fn integer(text: &str) -> Option<Number> {
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (radix, digits) = match unsigned.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &unsigned[2..]),
        [b'0', b'b' | b'B', ..] => (2, &unsigned[2..]),
        [b'0', b'o' | b'O', ..] => (8, &unsigned[2..]),
        [b'0', _, ..] => (8, &unsigned[1..]),
        _ => (10, unsigned),
    };
    // `from_str_radix` would accept a second sign.
    if !digits.as_bytes().first()?.is_ascii_alphanumeric() {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    if negative {
        0i64.checked_sub_unsigned(magnitude).map(Number::from)
    } else {
        Some(Number::from(magnitude))
    }
}

fn float(text: &str) -> Option<Number> {
    if !is_float(text.as_bytes()) {
        return None;
    }
    let value: f64 = text.parse().ok()?;
    if !value.is_finite() {
        return None;
    }
    // Go prints a float with a whole value as an integer; so does whoever reads our JSON.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::float_cmp,
        reason = "whole and below 2^53"
    )]
    if value.trunc() == value && value.abs() < 9_007_199_254_740_992.0 {
        return Some(Number::from(value as i64));
    }
    Number::from_f64(value)
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(text: &[u8]) -> bool {
    fn digits(text: &[u8]) -> (usize, &[u8]) {
        let count = text.iter().take_while(|b| b.is_ascii_digit()).count();
        (count, &text[count..])
    }
    let rest = match text {
        [b'+' | b'-', rest @ ..] => rest,
        _ => text,
    };
    let (whole, rest) = digits(rest);
    let rest = match rest {
        [b'.', rest @ ..] => {
            let (fraction, rest) = digits(rest);
            if whole == 0 && fraction == 0 {
                return false;
            }
            rest
        }
        _ if whole == 0 => return false,
        _ => rest,
    };
    match rest {
        [] => true,
        [b'e' | b'E', rest @ ..] => {
            let rest = match rest {
                [b'+' | b'-', rest @ ..] => rest,
                _ => rest,
            };
            let (exponent, rest) = digits(rest);
            exponent > 0 && rest.is_empty()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn plain_scalars_have_the_types_that_kubernetes_gives_them() {
        let table = [
            ("y", json!(true)),
            ("n", json!(false)),
            ("oN", json!("oN")),
            ("Off", json!(false)),
            ("yEs", json!("yEs")),
            ("~", json!(null)),
            ("Null", json!(null)),
            ("nULL", json!("nULL")),
            ("0400", json!(256)),
            ("0o644", json!(420)),
            ("08", json!(8)),
            ("0777_7", json!(4095)),
            ("1_000", json!(1000)),
            ("1__0", json!(10)),
            ("_1", json!("_1")),
            ("0x1F", json!(31)),
            ("-0x1f", json!(-31)),
            ("0xG", json!("0xG")),
            ("0b11", json!(3)),
            ("0b2", json!("0b2")),
            ("+12", json!(12)),
            ("1e3", json!(1000)),
            ("1.", json!(1)),
            (".5", json!(0.5)),
            ("+.5", json!(0.5)),
            (".e1", json!(".e1")),
            ("._5", json!("._5")),
            (".5_0", json!(".5_0")),
            ("1.0", json!(1)),
            ("0.10", json!(0.1)),
            ("-0", json!(0)),
            ("1e400", json!("1e400")),
            ("1e", json!("1e")),
            ("1e+", json!("1e+")),
            ("+", json!("+")),
            (".", json!(".")),
            ("2001-01-01", json!("2001-01-01")),
            ("12:30:45", json!("12:30:45")),
            ("190:20:30", json!("190:20:30")),
            ("0x1p4", json!("0x1p4")),
            ("inf", json!("inf")),
            ("NaN", json!("NaN")),
            ("1,000", json!("1,000")),
            ("18446744073709551615", json!(18_446_744_073_709_551_615u64)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("--1", json!("--1")),
            ("0x-1", json!("0x-1")),
        ];
        for (text, want) in table {
            assert_eq!(plain(text).unwrap(), want, "{text}");
        }
        assert!(plain("-.inf").is_err() && plain(".nan").is_err());
    }
}
