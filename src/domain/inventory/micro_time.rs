//! Times as Kubernetes writes them with microseconds.

use std::fmt;
use std::time::Duration;

/// A time in microseconds since 1970, in UTC.
///
/// Written as `2026-01-02T03:04:05.000006Z`, always with six digits after the point: the API server
/// reads a `MicroTime` in no other form (`RFC3339Micro` of apimachinery). Read in any form of RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MicroTime(i64);

const SECOND: i64 = 1_000_000;
const DAY: i64 = 24 * 60 * 60 * SECOND;

impl MicroTime {
    /// The first time with a year of four digits.
    const MIN: i64 = -719_528 * DAY;
    /// The last one.
    const MAX: i64 = 2_932_897 * DAY - 1;

    /// Makes a time; years before 0 and after 9999 cannot be written and become the nearest that can.
    pub fn from_unix_micros(micros: i64) -> Self {
        Self(micros.clamp(Self::MIN, Self::MAX))
    }

    /// Returns the microseconds since 1970.
    pub const fn unix_micros(self) -> i64 {
        self.0
    }

    /// Returns the time so much later.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self::from_unix_micros(self.0.saturating_add(micros))
    }

    /// Returns how long this is after another time; nothing when it is before.
    pub fn since(self, earlier: Self) -> Duration {
        let micros = self.0.saturating_sub(earlier.0);
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }

    /// Reads a time of RFC 3339; digits below the microsecond are dropped, and a leap second is the
    /// second after it.
    pub fn parse(text: &str) -> Option<Self> {
        let mut text = Reader(text.as_bytes());
        let year = text.number(4)?;
        text.sign(b"-")?;
        let month = text.number(2).filter(|month| (1..=12).contains(month))?;
        text.sign(b"-")?;
        let last = days_in_month(year, month);
        let day = text.number(2).filter(|day| (1..=last).contains(day))?;
        text.sign(b"Tt ")?;
        let hour = text.number(2).filter(|hour| *hour < 24)?;
        text.sign(b":")?;
        let minute = text.number(2).filter(|minute| *minute < 60)?;
        text.sign(b":")?;
        let second = text.number(2).filter(|second| *second <= 60)?;
        let micros = text.fraction()?;
        let offset = text.offset()?;
        let days = days_before(year, month) + day - 1;
        let minutes = hour * 60 + minute - offset;
        let micros = days * DAY + (minutes * 60 + second) * SECOND + micros;
        (Self::MIN..=Self::MAX)
            .contains(&micros)
            .then_some(Self(micros))
    }
}

impl fmt::Display for MicroTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, rest) = (self.0.div_euclid(DAY), self.0.rem_euclid(DAY));
        let (seconds, micros) = (rest / SECOND, rest % SECOND);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        // Years are taken as if all were short after 1970 and long before it: a few too late.
        let length = if days < 0 { 366 } else { 365 };
        let mut year = 1970 + days.div_euclid(length) + 1;
        while days_before(year, 1) > days {
            year -= 1;
        }
        let month = (1..=12)
            .rev()
            .find(|month| days_before(year, *month) <= days);
        let month = month.unwrap_or(1);
        let day = days - days_before(year, month) + 1;
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z"
        )
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Returns the days from 1970 to the first of a month.
fn days_before(year: i64, month: i64) -> i64 {
    let past = year - 1;
    let leaps = past.div_euclid(4) - past.div_euclid(100) + past.div_euclid(400);
    // 719,162 days from the first of January of year 1 to that of 1970.
    let before_year = past * 365 + leaps - 719_162;
    before_year
        + (1..month)
            .map(|month| days_in_month(year, month))
            .sum::<i64>()
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn number(&mut self, digits: usize) -> Option<i64> {
        let (number, rest) = self.0.split_at_checked(digits)?;
        self.0 = rest;
        number.iter().try_fold(0, |number, digit| {
            let digit = digit.is_ascii_digit().then(|| i64::from(digit - b'0'))?;
            Some(number * 10 + digit)
        })
    }

    fn sign(&mut self, allowed: &[u8]) -> Option<u8> {
        let (sign, rest) = self.0.split_first()?;
        self.0 = rest;
        allowed.contains(sign).then_some(*sign)
    }

    /// Reads what follows the seconds, as microseconds.
    fn fraction(&mut self) -> Option<i64> {
        let Some(digits) = self.0.strip_prefix(b".") else {
            return Some(0);
        };
        let count = digits
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let (digits, rest) = digits.split_at_checked(count)?;
        self.0 = rest;
        let six = digits.iter().chain(std::iter::repeat(&b'0')).take(6);
        let micros = six.fold(0, |micros, digit| micros * 10 + i64::from(digit - b'0'));
        (count > 0).then_some(micros)
    }

    /// Reads the end: the distance to UTC, in minutes.
    fn offset(&mut self) -> Option<i64> {
        let sign = match self.sign(b"Zz+-")? {
            b'+' => 1,
            b'-' => -1,
            _ => return self.0.is_empty().then_some(0),
        };
        let hours = self.number(2).filter(|hours| *hours < 24)?;
        self.sign(b":")?;
        let minutes = self.number(2).filter(|minutes| *minutes < 60)?;
        self.0.is_empty().then_some(sign * (hours * 60 + minutes))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Random;
    use super::*;

    #[test]
    fn times_are_written_with_six_digits_and_read_in_every_form() {
        let cases = [
            ("1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00.000000Z"),
            (
                "2026-01-02T03:04:05.000006Z",
                1_767_323_045_000_006,
                "2026-01-02T03:04:05.000006Z",
            ),
            (
                "2000-02-29T23:59:60.5+00:00",
                951_868_800_500_000,
                "2000-03-01T00:00:00.500000Z",
            ),
            (
                "2026-06-01t01:30:00.123456789+02:30",
                1_780_268_400_123_456,
                "2026-05-31T23:00:00.123456Z",
            ),
            (
                "2026-06-01T01:30:00-01:00",
                1_780_281_000_000_000,
                "2026-06-01T02:30:00.000000Z",
            ),
            (
                "1969-12-31T23:59:59.999999Z",
                -1,
                "1969-12-31T23:59:59.999999Z",
            ),
            // The zero time of Go.
            (
                "0001-01-01T00:00:00Z",
                -62_135_596_800_000_000,
                "0001-01-01T00:00:00.000000Z",
            ),
            (
                "9999-12-31T23:59:59.999999Z",
                253_402_300_799_999_999,
                "9999-12-31T23:59:59.999999Z",
            ),
            (
                "0000-01-01T00:00:00Z",
                -62_167_219_200_000_000,
                "0000-01-01T00:00:00.000000Z",
            ),
        ];
        for (text, micros, written) in cases {
            let time = MicroTime::parse(text).expect(text);
            assert_eq!(
                (time.unix_micros(), time.to_string().as_str()),
                (micros, written)
            );
            assert_eq!(MicroTime::parse(written), Some(time));
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        let cases = [
            "",
            "2026",
            "2026-01-02",
            "2026-01-02T03:04:05",
            "2026-01-02T03:04:05.Z",
            "2026-01-02T03:04:05ZZ",
            "2026-01-02T03:04Z",
            "2026-13-02T03:04:05Z",
            "2026-00-02T03:04:05Z",
            "2026-02-29T03:04:05Z",
            "1900-02-29T03:04:05Z",
            "2026-01-00T03:04:05Z",
            "2026-01-02T24:04:05Z",
            "2026-01-02T03:60:05Z",
            "2026-01-02T03:04:61Z",
            "2026-01-02T03:04:05+2:00",
            "2026-01-02T03:04:05+24:00",
            "2026-01-02T03:04:05é",
            "+026-01-02T03:04:05Z",
            "0000-01-01T00:00:00+01:00",
            "9999-12-31T23:59:59-00:01",
            "９999-12-31T23:59:59Z",
        ];
        for text in cases {
            assert_eq!(MicroTime::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn every_time_comes_back() {
        let mut random = Random::new(5);
        let times = (0..20_000).map(|_| random.next().cast_signed() >> random.below(30));
        for micros in times.chain([i64::MIN, i64::MAX]) {
            let time = MicroTime::from_unix_micros(micros);
            let text = time.to_string();
            assert_eq!(text.len(), 27, "{text}");
            assert_eq!(MicroTime::parse(&text), Some(time), "{text}");
        }
        for day in -10_000..40_000 {
            let time = MicroTime::from_unix_micros(day * DAY);
            assert_eq!(MicroTime::parse(&time.to_string()), Some(time));
        }
    }

    #[test]
    fn differences_do_not_overflow() {
        let (first, last) = (i64::MIN, i64::MAX);
        let (first, last) = (
            MicroTime::from_unix_micros(first),
            MicroTime::from_unix_micros(last),
        );
        assert_eq!(first.since(last), Duration::ZERO);
        assert_eq!(first.after(last.since(first)), last);
        assert_eq!(last.after(Duration::MAX), last);
    }
}
