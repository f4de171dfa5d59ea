//! Sizes, processor shares and durations: Docker's spelling in, Kubernetes' spelling out.
//! Everything is whole-number arithmetic with checks; `None` means that the text is not of the form.

/// Splits `12.5kb` into its digits before the point, those after it and the unit.
fn split_number(text: &str) -> Option<(u64, &str, &str)> {
    let end = text
        .find(|character: char| !character.is_ascii_digit() && character != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let whole = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    Some((whole, fraction, unit.trim_start()))
}

/// Returns `whole.fraction × factor`, rounded up.
fn scale(whole: u64, fraction: &str, factor: u64) -> Option<u64> {
    let mut total = u128::from(whole).checked_mul(u128::from(factor))?;
    let fraction = fraction.trim_end_matches('0');
    if !fraction.is_empty() {
        let digits = fraction.get(..fraction.len().min(12))?;
        let divisor = 10_u128.checked_pow(u32::try_from(digits.len()).ok()?)?;
        let part = digits
            .parse::<u128>()
            .ok()?
            .checked_mul(u128::from(factor))?;
        total = total.checked_add(part.div_ceil(divisor))?;
    }
    u64::try_from(total).ok()
}

/// Reads a Docker size (`512m`, `1.5g`, `1024`, `2gb`) as bytes.
pub(super) fn bytes(text: &str) -> Option<u64> {
    let (whole, fraction, unit) = split_number(text.trim())?;
    let factor = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" | "ki" | "kib" => 1 << 10,
        "m" | "mb" | "mi" | "mib" => 1 << 20,
        "g" | "gb" | "gi" | "gib" => 1 << 30,
        "t" | "tb" | "ti" | "tib" => 1 << 40,
        "p" | "pb" | "pi" | "pib" => 1 << 50,
        _ => return None,
    };
    scale(whole, fraction, factor)
}

/// Writes bytes as the shortest exact Kubernetes quantity.
pub(super) fn quantity(bytes: u64) -> String {
    for (shift, unit) in [(40, "Ti"), (30, "Gi"), (20, "Mi"), (10, "Ki")] {
        if bytes != 0 && bytes.trailing_zeros() >= shift {
            return format!("{}{unit}", bytes >> shift);
        }
    }
    bytes.to_string()
}

/// Reads a number of processors (`0.5`, `2`) and writes it as a quantity (`500m`, `2`).
pub(super) fn processors(text: &str) -> Option<String> {
    let (whole, fraction, unit) = split_number(text.trim())?;
    if !unit.is_empty() {
        return None;
    }
    let milli = scale(whole, fraction, 1_000)?;
    Some(if milli % 1_000 == 0 {
        (milli / 1_000).to_string()
    } else {
        format!("{milli}m")
    })
}

/// Reads a duration (`1m30s`, `1.5h`, `500ms`) as whole seconds, rounded up.
///
/// The result fits the 32-bit fields that Kubernetes has for it.
pub(super) fn seconds(text: &str) -> Option<u32> {
    let mut rest = text.trim();
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut nanoseconds: u64 = 0;
    while !rest.is_empty() {
        let (whole, fraction, tail) = split_number(rest)?;
        let end = tail
            .find(|character: char| character.is_ascii_digit() || character == '.')
            .unwrap_or(tail.len());
        let (unit, next) = tail.split_at(end);
        let factor = match unit.trim_end() {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            "d" => 86_400_000_000_000,
            "w" => 604_800_000_000_000,
            _ => return None,
        };
        nanoseconds = nanoseconds.checked_add(scale(whole, fraction, factor)?)?;
        rest = next;
    }
    let seconds = u32::try_from(nanoseconds.div_ceil(1_000_000_000)).ok()?;
    (i32::try_from(seconds).is_ok()).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_become_exact_quantities() {
        for (text, expected) in [
            ("512m", "512Mi"),
            ("512MB", "512Mi"),
            ("1g", "1Gi"),
            ("1.5g", "1536Mi"),
            ("64k", "64Ki"),
            ("100b", "100"),
            ("1048576", "1Mi"),
            ("0.5kb", "512"),
            ("2 gb", "2Gi"),
            ("0", "0"),
        ] {
            assert_eq!(
                bytes(text).map(quantity).as_deref(),
                Some(expected),
                "{text}"
            );
        }
        for text in ["", "m", "-1", "1x", "1.2.3g", "99999999999p", "1e3"] {
            assert_eq!(bytes(text), None, "{text}");
        }
    }

    #[test]
    fn processors_become_milli_units_where_needed() {
        for (text, expected) in [
            ("0.5", Some("500m")),
            ("2", Some("2")),
            ("1.0", Some("1")),
            (".25", Some("250m")),
            ("0.0001", Some("1m")),
            ("1.25", Some("1250m")),
            ("two", None),
            ("1m", None),
        ] {
            assert_eq!(processors(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn durations_round_up_to_seconds() {
        for (text, expected) in [
            ("30s", Some(30)),
            ("1m30s", Some(90)),
            ("1.5s", Some(2)),
            ("500ms", Some(1)),
            ("1h", Some(3600)),
            ("0", Some(0)),
            ("0s", Some(0)),
            ("1us", Some(1)),
            ("1m0.5s", Some(61)),
            ("10", None),
            ("", None),
            ("s", None),
            ("-5s", None),
            ("9999999h", None),
            ("99999999999999999999s", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }
}
