//! Quantities of resources, exactly.
//!
//! Syntax and rounding are those of `resource.ParseQuantity` in `k8s.io/apimachinery`: what is finer than
//! a billionth is rounded away from zero, and what has a binary suffix ends at 2⁶³ - 1.

/// Billionths of one.
const NANO: i64 = 9;
/// The largest value with a binary suffix.
const BINARY_LIMIT: i128 = i64::MAX as i128 * 1_000_000_000;
/// No text of more bytes is a quantity.
const LENGTH: usize = 128;

/// An amount such as `500m`, `1.5Gi` or `2e3`, compared by what it is and not by how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity {
    nano: i128,
}

enum Scale {
    /// Ten to the power of.
    Decimal(i64),
    /// Two to the power of.
    Binary(u32),
}

impl Quantity {
    /// Reads a quantity; nothing comes back for what is none, and for what is too large or too long to
    /// be held exactly.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > LENGTH {
            return None;
        }
        let (is_negative, rest) = match text.as_bytes().first()? {
            b'-' => (true, text.get(1..)?),
            b'+' => (false, text.get(1..)?),
            _ => (false, text),
        };
        let (whole, rest) = digits(rest);
        let (fraction, suffix) = match rest.strip_prefix('.') {
            Some(rest) => digits(rest),
            None => ("", rest),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let fraction = fraction.trim_end_matches('0');
        let mut mantissa: i128 = 0;
        for digit in whole.bytes().chain(fraction.bytes()) {
            let digit = i128::from(digit - b'0');
            mantissa = mantissa.checked_mul(10)?.checked_add(digit)?;
        }
        let places = i64::try_from(fraction.len()).ok()?;
        let nano = match scale(suffix)? {
            Scale::Decimal(exponent) => shifted(mantissa, exponent - places + NANO)?,
            Scale::Binary(exponent) => {
                let scaled = mantissa.checked_mul(1_i128.checked_shl(exponent)?)?;
                shifted(scaled, NANO - places)?.min(BINARY_LIMIT)
            }
        };
        let nano = if is_negative { -nano } else { nano };
        Some(Self { nano })
    }

    /// Returns a whole number as a quantity.
    pub fn whole(count: u64) -> Self {
        let nano = i128::from(count) * 1_000_000_000;
        Self { nano }
    }

    /// Adds; nothing comes back for what is too large.
    pub fn plus(self, other: Self) -> Option<Self> {
        let nano = self.nano.checked_add(other.nano)?;
        Some(Self { nano })
    }

    /// Subtracts; nothing comes back for what is too large, or would be less than nothing.
    pub fn minus(self, other: Self) -> Option<Self> {
        let nano = self
            .nano
            .checked_sub(other.nano)
            .filter(|nano| *nano >= 0)?;
        Some(Self { nano })
    }

    /// Multiplies; nothing comes back for what is too large.
    pub fn times(self, count: u64) -> Option<Self> {
        let nano = self.nano.checked_mul(count.into())?;
        Some(Self { nano })
    }
}

fn digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit());
    text.split_at(end.unwrap_or(text.len()))
}

fn scale(suffix: &str) -> Option<Scale> {
    Some(match suffix {
        "n" => Scale::Decimal(-9),
        "u" => Scale::Decimal(-6),
        "m" => Scale::Decimal(-3),
        "" => Scale::Decimal(0),
        "k" => Scale::Decimal(3),
        "M" => Scale::Decimal(6),
        "G" => Scale::Decimal(9),
        "T" => Scale::Decimal(12),
        "P" => Scale::Decimal(15),
        "E" => Scale::Decimal(18),
        "Ki" => Scale::Binary(10),
        "Mi" => Scale::Binary(20),
        "Gi" => Scale::Binary(30),
        "Ti" => Scale::Binary(40),
        "Pi" => Scale::Binary(50),
        "Ei" => Scale::Binary(60),
        other => {
            let exponent = other.strip_prefix(['e', 'E'])?;
            Scale::Decimal(exponent.parse::<i16>().ok()?.into())
        }
    })
}

/// Multiplies by a power of ten; a division rounds up.
fn shifted(mantissa: i128, exponent: i64) -> Option<i128> {
    if mantissa == 0 {
        return Some(0);
    }
    let power = u32::try_from(exponent.unsigned_abs()).ok()?;
    let power = 10_i128.checked_pow(power);
    if exponent >= 0 {
        mantissa.checked_mul(power?)
    } else {
        let Some(power) = power else {
            return Some(1);
        };
        let rest = i128::from(mantissa % power != 0);
        (mantissa / power).checked_add(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nano(text: &str) -> Option<i128> {
        Quantity::parse(text).map(|quantity| quantity.nano)
    }

    #[test]
    fn one_amount_has_many_texts() {
        let cases: &[&[&str]] = &[
            &[
                "500m",
                "0.5",
                ".5",
                "0.500",
                "+0.5",
                "5e-1",
                "5E-1",
                "500000u",
                "500000000n",
            ],
            &["1", "1.", "01", "1000m", "1e0", "1.000", "0.001k", "1e+0"],
            &["1Gi", "1024Mi", "1048576Ki", "1073741824", "1.0Gi"],
            &["1.5Gi", "1536Mi"],
            &["1E", "1e18", "1000P", "1E18", "1000000000000000000"],
            &["0", "0Gi", "-0", "0.0m", "0e5", "00"],
            &["-1", "-1000m"],
            &["100M", "100000k", "1e8"],
            // Finer than a billionth: away from zero.
            &["0.9n", "1n", "0.0000000001", "1e-100", "0.000001m"],
            &["-0.9n", "-1n"],
            &["1.1n", "2n"],
            // Binary suffixes end at 2⁶³ - 1, decimal ones don't.
            &["8Ei", "16Ei", "9223372036854775807"],
        ];
        for texts in cases {
            let first = nano(texts[0]);
            assert!(first.is_some(), "{texts:?}");
            for text in *texts {
                assert_eq!(nano(text), first, "{text}");
            }
        }
        let rising = [
            "-1Ki", "-1k", "-1n", "0", "1n", "1m", "1", "1k", "1Ki", "1M", "1Mi", "8Ei", "8e18",
        ];
        for pair in rising[..rising.len() - 1].windows(2) {
            assert!(
                Quantity::parse(pair[0]) < Quantity::parse(pair[1]),
                "{pair:?}"
            );
        }
        assert_eq!(
            nano("18446744073709551616"),
            Some(18_446_744_073_709_551_616_000_000_000)
        );
    }

    #[test]
    fn what_is_no_quantity_or_too_large_is_not_read() {
        let long = "1".repeat(200);
        let cases = [
            "",
            "+",
            "-",
            ".",
            "m",
            "Gi",
            "1 Gi",
            "1gi",
            "1KI",
            "1K",
            "1kb",
            "1MB",
            "1e",
            "1Ee",
            "1e1.5",
            "--1",
            "1..2",
            "1.2.3",
            "0x10",
            "1_000",
            "½",
            "1µ",
            "e3",
            "1e99999",
            "1e40",
            "1e300",
            "99999999999999999999999999999999999999999999",
            " 1",
            "1\n",
            &long,
        ];
        for text in cases {
            assert_eq!(nano(text), None, "{text:?}");
        }
    }
}
