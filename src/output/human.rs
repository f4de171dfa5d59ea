//! Ages, durations, sizes and lists as people read them.
//!
//! Only tables and messages use these; JSON and YAML carry RFC 3339 times, seconds and bytes.

use std::time::Duration;

use jiff::Timestamp;

/// Says how long ago something was, as `kubectl` does: `45s`, `5m30s`, `3h`, `2d4h`, `400d`.
/// A time that lies ahead (clocks differ) is `0s`.
pub fn age(then: Timestamp, now: Timestamp) -> String {
    let seconds = u64::try_from(now.as_second().saturating_sub(then.as_second())).unwrap_or(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    let pair = |large: u64, unit: char, small: u64, small_unit: char| {
        if small == 0 {
            format!("{large}{unit}")
        } else {
            format!("{large}{unit}{small}{small_unit}")
        }
    };
    if seconds < 120 {
        format!("{seconds}s")
    } else if minutes < 10 {
        pair(minutes, 'm', seconds % 60, 's')
    } else if hours < 3 {
        format!("{minutes}m")
    } else if hours < 8 {
        pair(hours, 'h', minutes % 60, 'm')
    } else if hours < 48 {
        format!("{hours}h")
    } else if days < 8 {
        pair(days, 'd', hours % 24, 'h')
    } else if days < 730 {
        format!("{days}d")
    } else if days < 8 * 365 {
        pair(days / 365, 'y', days % 365, 'd')
    } else {
        format!("{}y", days / 365)
    }
}

/// Says how long something took: `350ms`, `1.2s`, `2m05s`, `1h03m`.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds == 0 {
        match duration.as_micros() {
            0 => "0s".to_owned(),
            micros if micros < 1_000 => format!("{micros}µs"),
            _ => format!("{}ms", duration.as_millis()),
        }
    } else if seconds < 60 {
        // Cut, not rounded, so that 59.99 s doesn't read as 60.0s.
        match duration.subsec_millis() / 100 {
            0 => format!("{seconds}s"),
            tenths => format!("{seconds}.{tenths}s"),
        }
    } else if seconds < 3_600 {
        format!("{}m{:02}s", seconds / 60, seconds % 60)
    } else {
        format!("{}h{:02}m", seconds / 3_600, seconds / 60 % 60)
    }
}

/// Says how large something is, in powers of 1,024: `512 B`, `1.5 KiB`, `64 MiB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1_024 {
        return format!("{bytes} B");
    }
    let mut unit = 0;
    let mut divisor = 1_024_u64;
    while unit + 1 < UNITS.len() && bytes / divisor >= 1_024 {
        divisor *= 1_024;
        unit += 1;
    }
    let (whole, tenths) = (
        bytes / divisor,
        u128::from(bytes % divisor) * 10 / u128::from(divisor),
    );
    if whole >= 10 || tenths == 0 {
        format!("{whole} {}", UNITS[unit])
    } else {
        format!("{whole}.{tenths} {}", UNITS[unit])
    }
}

/// Counts things: `1 design`, `3 designs`, `2 policies`, `0 branches`.
pub fn plural(count: usize, singular: &str) -> String {
    if count == 1 {
        return format!("1 {singular}");
    }
    let vowel_before_y = singular.ends_with("ay")
        || singular.ends_with("ey")
        || singular.ends_with("oy")
        || singular.ends_with("uy");
    if let Some(stem) = singular.strip_suffix('y').filter(|_| !vowel_before_y) {
        format!("{count} {stem}ies")
    } else if ["s", "x", "z", "ch", "sh"]
        .iter()
        .any(|end| singular.ends_with(end))
    {
        format!("{count} {singular}es")
    } else {
        format!("{count} {singular}s")
    }
}

/// Enumerates at most `shown` items: `a`, `a and b`, `a, b and c`, `a, b and 41 more`.
pub fn list<T: AsRef<str>>(items: &[T], shown: usize) -> String {
    let mut parts: Vec<String> = items
        .iter()
        .take(shown)
        .map(|item| item.as_ref().to_owned())
        .collect();
    match items.len() - parts.len() {
        0 => {}
        // "and 1 more" takes no less room than the item itself.
        1 => parts.extend(items.last().map(|item| item.as_ref().to_owned())),
        _ if parts.is_empty() => return items.len().to_string(),
        more => parts.push(format!("{more} more")),
    }
    match parts.split_last() {
        None => String::new(),
        Some((only, [])) => only.clone(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_read_as_in_kubectl() {
        let cases = [
            (-5, "0s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (330, "5m30s"),
            (600, "10m"),
            (10_799, "179m"),
            (10_800, "3h"),
            (12_000, "3h20m"),
            (28_800, "8h"),
            (172_799, "47h"),
            (172_800, "2d"),
            (187_200, "2d4h"),
            (691_200, "8d"),
            (34_560_000, "400d"),
            (63_072_000, "2y"),
            (66_000_000, "2y33d"),
            (300_000_000, "9y"),
        ];
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        for (seconds, expected) in cases {
            let then = Timestamp::from_second(1_800_000_000 - seconds).unwrap();
            assert_eq!(age(then, now), expected, "{seconds} s");
        }
        assert_eq!(age(Timestamp::MIN, Timestamp::MAX), "20012y");
    }

    #[test]
    fn durations_are_short() {
        let cases = [
            (0, "0s"),
            (40, "40µs"),
            (350_000, "350ms"),
            (1_000_000, "1s"),
            (1_250_000, "1.2s"),
            (59_990_000, "59.9s"),
            (125_000_000, "2m05s"),
            (3_780_000_000, "1h03m"),
        ];
        for (micros, expected) in cases {
            assert_eq!(duration(Duration::from_micros(micros)), expected);
        }
        assert_eq!(duration(Duration::MAX), "5124095576030431h00m");
    }

    #[test]
    fn sizes_are_in_powers_of_1024() {
        let cases = [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_024, "1 KiB"),
            (1_536, "1.5 KiB"),
            (10_800, "10 KiB"),
            (67_108_864, "64 MiB"),
            (1_048_575, "1023 KiB"),
            (u64::MAX, "15 EiB"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(size(bytes), expected);
        }
    }

    #[test]
    fn plurals_are_english() {
        let cases = [
            (0, "design", "0 designs"),
            (1, "design", "1 design"),
            (2, "policy", "2 policies"),
            (2, "key", "2 keys"),
            (2, "branch", "2 branches"),
            (2, "class", "2 classes"),
        ];
        for (count, word, expected) in cases {
            assert_eq!(plural(count, word), expected);
        }
    }

    #[test]
    fn lists_are_cut_and_say_so() {
        let many: Vec<String> = (0..43).map(|n| format!("n{n}")).collect();
        assert_eq!(list::<&str>(&[], 3), "");
        assert_eq!(list(&["a"], 3), "a");
        assert_eq!(list(&["a", "b"], 3), "a and b");
        assert_eq!(list(&["a", "b", "c"], 3), "a, b and c");
        assert_eq!(list(&["a", "b", "c"], 2), "a, b and c");
        assert_eq!(list(&many, 2), "n0, n1 and 41 more");
        assert_eq!(list(&many, 0), "43");
    }
}
