//! String formats, checked as the API server checks them: no more names than it knows, and no stricter.
//!
//! Names that it ignores (`password`, say) are ignored here too.

use std::net::{Ipv4Addr, Ipv6Addr};

/// A format that is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Byte,
    Cidr,
    Date,
    DateTime,
    Duration,
    Email,
    Hostname,
    Ipv4,
    Ipv6,
    Mac,
    Quantity,
    Uri,
    Uuid,
}

impl Format {
    /// Returns the format of a name, if it is one that is checked.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "byte" => Self::Byte,
            "cidr" => Self::Cidr,
            "date" => Self::Date,
            "date-time" | "datetime" => Self::DateTime,
            "duration" => Self::Duration,
            "email" => Self::Email,
            "hostname" => Self::Hostname,
            "ipv4" => Self::Ipv4,
            "ipv6" => Self::Ipv6,
            "mac" => Self::Mac,
            "quantity" => Self::Quantity,
            "uri" => Self::Uri,
            "uuid" | "uuid3" | "uuid4" | "uuid5" => Self::Uuid,
            _ => return None,
        })
    }

    /// Returns the format in words.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Byte => "valid base64",
            Self::Cidr => "an address range such as 10.0.0.0/8",
            Self::Date => "a date such as 2006-01-02",
            Self::DateTime => "a time such as 2006-01-02T15:04:05Z",
            Self::Duration => "a duration such as 1h30m",
            Self::Email => "an email address",
            Self::Hostname => "a host name",
            Self::Ipv4 => "an IPv4 address",
            Self::Ipv6 => "an IPv6 address",
            Self::Mac => "a MAC address",
            Self::Quantity => "a quantity such as 500m or 2Gi",
            Self::Uri => "a URI",
            Self::Uuid => "a UUID",
        }
    }

    /// Tells whether a text is of this format.
    pub(super) fn accepts(self, text: &str) -> bool {
        match self {
            Self::Byte => is_base64(text),
            Self::Cidr => is_cidr(text),
            Self::Date => is_date(text.as_bytes()),
            Self::DateTime => is_date_time(text.as_bytes()),
            Self::Duration => is_duration(text),
            Self::Email => text.rsplit_once('@').is_some_and(|(name, host)| {
                !name.is_empty() && !host.trim_end_matches('>').is_empty()
            }),
            Self::Hostname => is_hostname(text),
            Self::Ipv4 => text.parse::<Ipv4Addr>().is_ok(),
            Self::Ipv6 => text.parse::<Ipv6Addr>().is_ok(),
            Self::Mac => is_mac(text),
            Self::Quantity => is_quantity(text.trim()),
            Self::Uri => is_uri(text),
            Self::Uuid => is_uuid(text),
        }
    }
}

/// Standard base64 with padding; line ends are skipped, as Go's decoder does.
fn is_base64(text: &str) -> bool {
    let (mut symbols, mut padding) = (0_usize, 0_usize);
    for byte in text.bytes() {
        match byte {
            b'\r' | b'\n' => {}
            b'=' => padding += 1,
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' if padding == 0 => symbols += 1,
            _ => return false,
        }
    }
    padding <= 2 && (symbols + padding).is_multiple_of(4) && symbols % 4 != 1
}

fn is_cidr(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else {
        return false;
    };
    let Some(length) = number(length.as_bytes()).filter(|_| length.len() <= 3) else {
        return false;
    };
    (address.parse::<Ipv4Addr>().is_ok() && length <= 32)
        || (address.parse::<Ipv6Addr>().is_ok() && length <= 128)
}

/// The value of a run of digits; nothing for an empty run or other characters.
fn number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 9 {
        return None;
    }
    digits.iter().try_fold(0, |sum: u32, byte| {
        byte.is_ascii_digit()
            .then(|| sum * 10 + u32::from(byte - b'0'))
    })
}

fn is_date(text: &[u8]) -> bool {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *text else {
        return false;
    };
    let (Some(year), Some(month), Some(day)) = (
        number(&[y1, y2, y3, y4]),
        number(&[m1, m2]),
        number(&[d1, d2]),
    ) else {
        return false;
    };
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return false,
    };
    (1..=days).contains(&day)
}

/// RFC 3339.
fn is_date_time(text: &[u8]) -> bool {
    let Some((date, rest)) = text.split_at_checked(10) else {
        return false;
    };
    let Some((clock, rest)) = rest.split_at_checked(9) else {
        return false;
    };
    let [b'T' | b't', h1, h2, b':', m1, m2, b':', s1, s2] = *clock else {
        return false;
    };
    let below = |digits: [u8; 2], limit| number(&digits).is_some_and(|value| value < limit);
    if !is_date(date) || !below([h1, h2], 24) || !below([m1, m2], 60) || !below([s1, s2], 60) {
        return false;
    }
    let zone = match rest.split_first() {
        Some((b'.' | b',', fraction)) => {
            let digits = fraction
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            if digits == 0 {
                return false;
            }
            fraction.get(digits..).unwrap_or_default()
        }
        _ => rest,
    };
    match *zone {
        [b'Z' | b'z'] => true,
        [b'+' | b'-', h1, h2, b':', m1, m2] => below([h1, h2], 24) && below([m1, m2], 60),
        _ => false,
    }
}

/// Go's durations (`1h30m`), and the `3 days` that the API server's library also reads.
fn is_duration(text: &str) -> bool {
    let mut rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    if rest == "0" {
        return true;
    }
    if rest.is_empty() {
        return false;
    }
    while !rest.is_empty() {
        let amount = rest
            .bytes()
            .take_while(|byte| byte.is_ascii_digit() || *byte == b'.')
            .count();
        let (digits, after) = rest.split_at(amount);
        let after = after.trim_start_matches(' ');
        let unit = after
            .char_indices()
            .find(|(_, letter)| !letter.is_alphabetic())
            .map_or(after.len(), |(end, _)| end);
        let (unit, after) = after.split_at(unit);
        if digits.parse::<f64>().is_err() || !is_unit_of_time(unit) {
            return false;
        }
        rest = after;
    }
    true
}

fn is_unit_of_time(unit: &str) -> bool {
    let unit = unit
        .strip_suffix('s')
        .filter(|short| short.len() > 1)
        .unwrap_or(unit);
    matches!(
        unit,
        "ns" | "n"
            | "us"
            | "µs"
            | "μs"
            | "u"
            | "µ"
            | "μ"
            | "ms"
            | "s"
            | "m"
            | "h"
            | "d"
            | "w"
            | "nano"
            | "micro"
            | "milli"
            | "sec"
            | "second"
            | "min"
            | "minute"
            | "hr"
            | "hour"
            | "day"
            | "wk"
            | "week"
    )
}

fn is_hostname(text: &str) -> bool {
    let name = text.strip_suffix('.').unwrap_or(text);
    !name.is_empty()
        && name.len() <= 255
        && name.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .chars()
                    .all(|letter| letter.is_alphanumeric() || matches!(letter, '-' | '_'))
        })
}

fn is_mac(text: &str) -> bool {
    let hex = |part: &str, digits: usize| {
        part.len() == digits && part.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let pairs = |separator: char| {
        let mut count = 0;
        text.split(separator).all(|part| {
            count += 1;
            hex(part, 2)
        }) && matches!(count, 6 | 8 | 20)
    };
    let fours = || {
        let mut count = 0;
        text.split('.').all(|part| {
            count += 1;
            hex(part, 4)
        }) && matches!(count, 3 | 4 | 10)
    };
    pairs(':') || pairs('-') || fours()
}

/// A number with an optional suffix, as `resource.ParseQuantity` reads it.
fn is_quantity(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = |part: &str| part.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(unsigned);
    let rest = unsigned.get(whole..).unwrap_or_default();
    let (fraction, suffix) = match rest.strip_prefix('.') {
        Some(after) => {
            let fraction = digits(after);
            (fraction, after.get(fraction..).unwrap_or_default())
        }
        None => (0, rest),
    };
    if whole + fraction == 0 {
        return false;
    }
    match suffix {
        "" | "n" | "u" | "m" | "k" | "M" | "G" | "T" | "P" | "E" | "Ki" | "Mi" | "Gi" | "Ti"
        | "Pi" | "Ei" => true,
        _ => suffix.strip_prefix(['e', 'E']).is_some_and(|exponent| {
            let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            !exponent.is_empty() && digits(exponent) == exponent.len()
        }),
    }
}

/// An absolute URI or an absolute path.
fn is_uri(text: &str) -> bool {
    if text.is_empty() || text.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
        return false;
    }
    text.starts_with('/')
        || text.split_once(':').is_some_and(|(scheme, _)| {
            scheme.starts_with(|first: char| first.is_ascii_alphabetic())
                && scheme
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
        })
}

fn is_uuid(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_hexdigit).count();
    let dashed = text.len() == 36
        && text
            .bytes()
            .enumerate()
            .all(|(at, byte)| matches!(at, 8 | 13 | 18 | 23) == (byte == b'-'));
    digits == 32 && (dashed || text.len() == 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_tells_right_from_wrong() {
        let cases: &[(&str, &[&str], &[&str])] = &[
            (
                "byte",
                &["", "aGk=", "aGVs\nbG8=", "YWJj"],
                &["a", "aGk", "a=Gk", "aG!=", "===="],
            ),
            (
                "cidr",
                &["10.0.0.0/8", "fd00::/64"],
                &["10.0.0.0", "10.0.0.0/33", "x/8", "10.0.0.0/"],
            ),
            (
                "date",
                &["2024-02-29", "2000-12-31"],
                &["2023-02-29", "2024-13-01", "24-01-01", "2024-1-1"],
            ),
            (
                "date-time",
                &[
                    "2024-05-01T12:00:00Z",
                    "2024-05-01T12:00:00.123456Z",
                    "2024-05-01t12:00:00+02:00",
                ],
                &[
                    "",
                    "2024-05-01",
                    "2024-05-01 12:00:00Z",
                    "2024-05-01T25:00:00Z",
                    "2024-05-01T12:00:00",
                    "2024-05-01T12:00:00.Z",
                    "é024-05-01T12:00:00Z",
                ],
            ),
            (
                "duration",
                &["1h30m", "0", "1.5s", "-2ms", "3 days", "10us"],
                &["", "5", "h", "1x", "1h-"],
            ),
            ("email", &["a@b.c"], &["a", "@b"]),
            (
                "hostname",
                &["a.example.org", "localhost"],
                &["", "-a", "a..b", "a b"],
            ),
            ("ipv4", &["1.2.3.4"], &["1.2.3", "::1", "256.1.1.1"]),
            ("ipv6", &["::1"], &["1.2.3.4"]),
            (
                "mac",
                &["01:23:45:67:89:ab", "01-23-45-67-89-ab", "0123.4567.89ab"],
                &["01:23", "zz:23:45:67:89:ab"],
            ),
            (
                "quantity",
                &[
                    "0", "500m", "2Gi", "1.5", ".5", "5.", "1e3", "1E-3", "-1", "+2k", "12E",
                ],
                &[
                    "", "m", "1gb", "128mib", "1 Gi", "1ee3", "1e", "--1", "1.2.3",
                ],
            ),
            (
                "uri",
                &["https://a.example/x?y", "/path", "urn:x"],
                &["", "a b", "no-scheme"],
            ),
            (
                "uuid",
                &["123e4567-e89b-12d3-a456-426614174000"],
                &["123e4567", "123e4567-e89b-12d3-a456-42661417400g"],
            ),
        ];
        for (name, right, wrong) in cases {
            let format = Format::named(name).expect("a format that is checked");
            for text in *right {
                assert!(format.accepts(text), "{name} should accept {text:?}");
            }
            for text in *wrong {
                assert!(!format.accepts(text), "{name} should refuse {text:?}");
            }
        }
        assert_eq!(Format::named("password"), None);
    }
}
