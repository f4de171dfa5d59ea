//! Points in time, with Go's layouts (`2006-01-02 15:04:05`) and Go's durations.
//!
//! The rules of time zones are built in, so that nothing is read from the machine. What Go calls local is UTC.

use std::rc::Rc;

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::number;

const SECOND: u64 = 1_000_000_000;
const DAY: i64 = 86_400;
/// The seconds of 400 years.
const CYCLE: i64 = 146_097 * DAY;
/// The days from where Go begins to count, 292,277,022,400 years before the year 0, to 1970.
const EPOCH: i64 = 730_692_556 * 146_097 + 306 + 719_162;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// A point in time, seen from somewhere.
#[derive(Debug, Clone)]
pub(super) struct Time {
    /// Since 1970 began.
    pub(super) seconds: i64,
    pub(super) nanoseconds: u32,
    offset: i64,
    zone: Rc<str>,
}

impl PartialEq for Time {
    fn eq(&self, other: &Self) -> bool {
        (self.seconds, self.nanoseconds, self.offset, &self.zone)
            == (other.seconds, other.nanoseconds, other.offset, &other.zone)
    }
}

/// Year, month, day, and the day of the year, all but the year counted from 1.
struct Date {
    year: i64,
    month: i64,
    day: i64,
    day_of_year: i64,
}

impl Time {
    /// Returns a point in time as it is in UTC.
    pub(super) fn utc(seconds: i64, nanoseconds: u32) -> Self {
        Self {
            seconds,
            nanoseconds: nanoseconds.min(999_999_999),
            offset: 0,
            zone: "UTC".into(),
        }
    }

    /// Returns the same point as it is in a zone; one that isn't known counts as UTC.
    pub(super) fn in_zone(&self, name: &str) -> Self {
        let utc = Self::utc(self.seconds, self.nanoseconds);
        if matches!(name, "" | "UTC" | "Local") {
            return utc;
        }
        let Ok(zone) = TimeZoneDatabase::bundled().get(name) else {
            return utc;
        };
        self.in_known_zone(&zone)
    }

    fn in_known_zone(&self, zone: &TimeZone) -> Self {
        // Long ago the first rule of the tables. In a far future the last one, which depends on the calendar:
        // it repeats itself every 400 years.
        let least = Timestamp::MIN.as_second();
        let most = Timestamp::MAX.as_second();
        let cycles = match self.seconds.saturating_sub(most) {
            beyond @ 1.. => beyond / CYCLE + 1,
            _ => 0,
        };
        let near = (self.seconds - cycles * CYCLE).max(least);
        let Ok(at) = Timestamp::from_second(near) else {
            return Self::utc(self.seconds, self.nanoseconds);
        };
        let info = zone.to_offset_info(at);
        Self {
            offset: i64::from(info.offset().seconds()),
            zone: info.abbreviation().into(),
            ..self.clone()
        }
    }

    /// Returns the point in time that is so many nanoseconds later.
    pub(super) fn plus(&self, nanoseconds: i64) -> Self {
        let second = i64::from(1_000_000_000);
        let sum = i64::from(self.nanoseconds) + nanoseconds.rem_euclid(second);
        Self {
            seconds: self
                .seconds
                .wrapping_add(nanoseconds.div_euclid(second))
                .wrapping_add(sum / second),
            nanoseconds: u32::try_from(sum % second).unwrap_or(0),
            ..self.clone()
        }
    }

    /// Returns how many nanoseconds later than another point this is, as near as fits.
    pub(super) fn since(&self, earlier: &Self) -> i64 {
        let difference = (i128::from(self.seconds) - i128::from(earlier.seconds))
            * i128::from(SECOND)
            + i128::from(self.nanoseconds)
            - i128::from(earlier.nanoseconds);
        i64::try_from(difference).unwrap_or(if difference < 0 { i64::MIN } else { i64::MAX })
    }

    /// Returns the days since 1970 began, and the second of the day. Points that are too early for Go's count
    /// are late ones.
    fn local(&self) -> (i64, i64) {
        let absolute = self
            .seconds
            .wrapping_add(self.offset)
            .wrapping_add(EPOCH * DAY)
            .cast_unsigned();
        let day = DAY.cast_unsigned();
        (
            (absolute / day).cast_signed() - EPOCH,
            (absolute % day).cast_signed(),
        )
    }

    fn date(&self) -> Date {
        let (since_1970, _) = self.local();
        // Days since a March 1st that begins 400 years.
        let days = since_1970 + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let month = if shifted < 10 {
            shifted + 3
        } else {
            shifted - 9
        };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Date {
            year,
            month,
            day: day_of_year - (153 * shifted + 2) / 5 + 1,
            day_of_year: since_1970 - days_to(year, 1, 1) + 1,
        }
    }

    /// Writes the point in time as a layout says.
    pub(super) fn format(&self, layout: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let date = self.date();
        let (days, second) = self.local();
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        let weekday = (days + 4).rem_euclid(7);
        let twelve = if hour % 12 == 0 { 12 } else { hour % 12 };
        let mut rest = layout;
        loop {
            let (before, part, after) = next_part(rest);
            out.extend_from_slice(before);
            let Some(part) = part else {
                return out;
            };
            let text = match part {
                Part::Year => padded(date.year.abs() % 100, 2, '0'),
                Part::LongYear if date.year < 0 => format!("-{}", padded(-date.year, 4, '0')),
                Part::LongYear => padded(date.year, 4, '0'),
                Part::Month => named(&MONTHS, date.month - 1)
                    .get(..3)
                    .unwrap_or_default()
                    .to_owned(),
                Part::LongMonth => named(&MONTHS, date.month - 1).to_owned(),
                Part::NumberMonth => date.month.to_string(),
                Part::ZeroMonth => padded(date.month, 2, '0'),
                Part::Weekday => named(&DAYS, weekday)
                    .get(..3)
                    .unwrap_or_default()
                    .to_owned(),
                Part::LongWeekday => named(&DAYS, weekday).to_owned(),
                Part::Day => date.day.to_string(),
                Part::SpaceDay => padded(date.day, 2, ' '),
                Part::ZeroDay => padded(date.day, 2, '0'),
                Part::SpaceYearDay => padded(date.day_of_year, 3, ' '),
                Part::ZeroYearDay => padded(date.day_of_year, 3, '0'),
                Part::Hour => padded(hour, 2, '0'),
                Part::Twelve => twelve.to_string(),
                Part::ZeroTwelve => padded(twelve, 2, '0'),
                Part::Minute => minute.to_string(),
                Part::ZeroMinute => padded(minute, 2, '0'),
                Part::Second => second.to_string(),
                Part::ZeroSecond => padded(second, 2, '0'),
                Part::Noon => if hour >= 12 { "PM" } else { "AM" }.to_owned(),
                Part::LowerNoon => if hour >= 12 { "pm" } else { "am" }.to_owned(),
                Part::Zone => self.zone_name(),
                Part::Offset(offset) => self.offset_text(offset),
                Part::Fraction {
                    point,
                    digits,
                    is_short,
                } => self.fraction(char::from(point), digits, is_short),
            };
            out.extend_from_slice(text.as_bytes());
            rest = after;
        }
    }

    fn zone_name(&self) -> String {
        if self.zone.is_empty() {
            let minutes = self.offset.abs() / 60;
            let sign = if self.offset / 60 < 0 { '-' } else { '+' };
            return format!("{sign}{:02}{:02}", minutes / 60, minutes % 60);
        }
        self.zone.to_string()
    }

    fn offset_text(&self, form: Offset) -> String {
        if form.is_z && self.offset == 0 {
            return "Z".to_owned();
        }
        let sign = if self.offset / 60 < 0 { '-' } else { '+' };
        let seconds = self.offset.abs();
        let colon = if form.has_colons { ":" } else { "" };
        let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        match form.parts {
            1 => format!("{sign}{hours:02}"),
            2 => format!("{sign}{hours:02}{colon}{minutes:02}"),
            _ => format!("{sign}{hours:02}{colon}{minutes:02}{colon}{seconds:02}"),
        }
    }

    fn fraction(&self, point: char, digits: usize, is_short: bool) -> String {
        let mut text = format!("{:09}", self.nanoseconds);
        text.truncate(digits);
        if is_short {
            text.truncate(text.trim_end_matches('0').len());
            if text.is_empty() {
                return text;
            }
        }
        format!("{point}{text}")
    }

    /// Writes the point in time as JSON has it; years that don't have four digits can't be written.
    pub(super) fn rfc3339(&self) -> Option<Vec<u8>> {
        let year = self.date().year;
        (0..=9999)
            .contains(&year)
            .then(|| self.format(b"2006-01-02T15:04:05.999999999Z07:00"))
    }

    /// Writes the point in time as `print` does.
    pub(super) fn plain(&self) -> Vec<u8> {
        self.format(b"2006-01-02 15:04:05.999999999 -0700 MST")
    }
}

fn named<'n>(names: &[&'n str], index: i64) -> &'n str {
    usize::try_from(index)
        .ok()
        .and_then(|index| names.get(index).copied())
        .unwrap_or_default()
}

fn padded(value: i64, width: usize, fill: char) -> String {
    let digits = value.to_string();
    let mut text: String = std::iter::repeat_n(fill, width.saturating_sub(digits.len())).collect();
    text.push_str(&digits);
    text
}

/// Returns the days from 1970 began to a date.
fn days_to(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let year_of_era = year.rem_euclid(400);
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    year.div_euclid(400) * 146_097 + day_of_era - 719_468
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(month: i64, year: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// A part of a layout that stands for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Year,
    LongYear,
    Month,
    LongMonth,
    NumberMonth,
    ZeroMonth,
    Weekday,
    LongWeekday,
    Day,
    SpaceDay,
    ZeroDay,
    SpaceYearDay,
    ZeroYearDay,
    Hour,
    Twelve,
    ZeroTwelve,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    Noon,
    LowerNoon,
    Zone,
    Offset(Offset),
    Fraction {
        point: u8,
        digits: usize,
        is_short: bool,
    },
}

/// How an offset from UTC is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Offset {
    is_z: bool,
    has_colons: bool,
    parts: usize,
}

impl Offset {
    const fn part(is_z: bool, has_colons: bool, parts: usize) -> Part {
        Part::Offset(Self {
            is_z,
            has_colons,
            parts,
        })
    }

    /// How many bytes it has after the sign.
    fn width(self) -> usize {
        self.parts * 2 + if self.has_colons { self.parts - 1 } else { 0 }
    }
}

/// What the words of a layout stand for, longer ones first.
const WORDS: [(&str, Part); 34] = [
    ("January", Part::LongMonth),
    ("Monday", Part::LongWeekday),
    ("MST", Part::Zone),
    ("2006", Part::LongYear),
    ("002", Part::ZeroYearDay),
    ("01", Part::ZeroMonth),
    ("02", Part::ZeroDay),
    ("03", Part::ZeroTwelve),
    ("04", Part::ZeroMinute),
    ("05", Part::ZeroSecond),
    ("06", Part::Year),
    ("15", Part::Hour),
    ("1", Part::NumberMonth),
    ("2", Part::Day),
    ("__2", Part::SpaceYearDay),
    ("_2", Part::SpaceDay),
    ("3", Part::Twelve),
    ("4", Part::Minute),
    ("5", Part::Second),
    ("PM", Part::Noon),
    ("pm", Part::LowerNoon),
    ("-070000", Offset::part(false, false, 3)),
    ("-07:00:00", Offset::part(false, true, 3)),
    ("-0700", Offset::part(false, false, 2)),
    ("-07:00", Offset::part(false, true, 2)),
    ("-07", Offset::part(false, false, 1)),
    ("Z070000", Offset::part(true, false, 3)),
    ("Z07:00:00", Offset::part(true, true, 3)),
    ("Z0700", Offset::part(true, false, 2)),
    ("Z07:00", Offset::part(true, true, 2)),
    ("Z07", Offset::part(true, false, 1)),
    ("Jan", Part::Month),
    ("Mon", Part::Weekday),
    ("", Part::Year),
];

/// Splits a layout at the next part that stands for something.
fn next_part(layout: &[u8]) -> (&[u8], Option<Part>, &[u8]) {
    for (at, byte) in layout.iter().enumerate() {
        let rest = layout.get(at..).unwrap_or_default();
        let split = |skip: usize, part: Part, width: usize| {
            let before = layout.get(..at + skip).unwrap_or_default();
            let after = rest.get(skip + width..).unwrap_or_default();
            (before, Some(part), after)
        };
        if matches!(byte, b'.' | b',') {
            if let Some(digit @ (b'0' | b'9')) = rest.get(1).copied() {
                let digits = rest.iter().skip(1).take_while(|b| **b == digit).count();
                if !rest.get(1 + digits).is_some_and(u8::is_ascii_digit) {
                    let part = Part::Fraction {
                        point: *byte,
                        digits,
                        is_short: digit == b'9',
                    };
                    return split(0, part, 1 + digits);
                }
            }
            continue;
        }
        if !matches!(
            byte,
            b'J' | b'M' | b'0'..=b'5' | b'_' | b'P' | b'p' | b'-' | b'Z'
        ) {
            continue;
        }
        if rest.starts_with(b"_2006") {
            return split(1, Part::LongYear, 4);
        }
        for (word, part) in WORDS {
            let is_found = !word.is_empty() && rest.starts_with(word.as_bytes());
            let is_cut = matches!(part, Part::Month | Part::Weekday)
                && rest.get(3).is_some_and(u8::is_ascii_lowercase);
            if is_found && !is_cut {
                return split(0, part, word.len());
            }
        }
    }
    (layout, None, &[])
}

/// What reading a time has found so far.
#[derive(Default)]
struct Found {
    year: i64,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    nanosecond: u32,
    is_afternoon: Option<bool>,
    is_utc: bool,
    offset: Option<i64>,
    zone: Option<String>,
}

/// Reads a point in time that a layout describes; without a zone it is in UTC.
pub(super) fn parse(layout: &[u8], text: &[u8]) -> Option<Time> {
    let mut found = Found::default();
    let (mut layout, mut rest) = (layout, text);
    loop {
        let (before, part, after) = next_part(layout);
        rest = skip(rest, before)?;
        let Some(part) = part else {
            return rest.is_empty().then(|| found.time()).flatten();
        };
        rest = found.read(part, rest, after)?;
        layout = after;
    }
}

/// Skips what a layout has between its parts; a space there stands for any number of them.
fn skip<'t>(mut text: &'t [u8], mut prefix: &[u8]) -> Option<&'t [u8]> {
    while let Some((first, more)) = prefix.split_first() {
        if *first == b' ' {
            if text.first().is_some_and(|byte| *byte != b' ') {
                return None;
            }
            prefix = prefix.trim_ascii_start_spaces();
            text = text.trim_ascii_start_spaces();
            continue;
        }
        let (byte, after) = text.split_first()?;
        if byte != first {
            return None;
        }
        (text, prefix) = (after, more);
    }
    Some(text)
}

trait TrimSpaces {
    fn trim_ascii_start_spaces(&self) -> &Self;
}

impl TrimSpaces for [u8] {
    fn trim_ascii_start_spaces(&self) -> &Self {
        let count = self.iter().take_while(|byte| **byte == b' ').count();
        self.get(count..).unwrap_or_default()
    }
}

/// Reads one or two digits, or exactly two.
fn two_digits(text: &[u8], is_fixed: bool) -> Option<(i64, &[u8])> {
    let first = digit(*text.first()?)?;
    match text.get(1).copied().and_then(digit) {
        Some(second) => Some((first * 10 + second, text.get(2..)?)),
        None if is_fixed => None,
        None => Some((first, text.get(1..)?)),
    }
}

fn digit(byte: u8) -> Option<i64> {
    byte.is_ascii_digit().then(|| i64::from(byte - b'0'))
}

fn lookup<'t>(names: &[&str], width: Option<usize>, text: &'t [u8]) -> Option<(i64, &'t [u8])> {
    names.iter().enumerate().find_map(|(index, name)| {
        let name = name.get(..width.unwrap_or(name.len()))?.as_bytes();
        let head = text.get(..name.len())?;
        let rest = text.get(name.len()..)?;
        head.eq_ignore_ascii_case(name)
            .then_some((i64::try_from(index).ok()?, rest))
    })
}

/// Reads what follows a point, to nanoseconds.
fn nanoseconds(digits: &[u8]) -> Option<u32> {
    let mut value = 0u32;
    for index in 0..9 {
        let byte = digits.get(index).copied().unwrap_or(b'0');
        value = value * 10 + u32::try_from(digit(byte)?).ok()?;
    }
    Some(value)
}

fn within(value: i64, least: i64, most: i64) -> Option<i64> {
    (least..=most).contains(&value).then_some(value)
}

impl Found {
    fn read<'t>(&mut self, part: Part, text: &'t [u8], layout: &[u8]) -> Option<&'t [u8]> {
        match part {
            Part::Year => {
                let (value, rest) = two_digits(text, true)?;
                self.year = value + if value >= 69 { 1900 } else { 2000 };
                return Some(rest);
            }
            Part::LongYear => {
                let head = text.get(..4)?;
                self.year = head
                    .iter()
                    .try_fold(0, |year, byte| Some(year * 10 + digit(*byte)?))?;
                return text.get(4..);
            }
            Part::Month | Part::LongMonth => {
                let width = (part == Part::Month).then_some(3);
                let (index, rest) = lookup(&MONTHS, width, text)?;
                self.month = Some(index + 1);
                return Some(rest);
            }
            Part::Weekday | Part::LongWeekday => {
                let width = (part == Part::Weekday).then_some(3);
                return lookup(&DAYS, width, text).map(|(_, rest)| rest);
            }
            Part::Noon | Part::LowerNoon => {
                let (before, after) = if part == Part::Noon {
                    (b"AM", b"PM")
                } else {
                    (b"am", b"pm")
                };
                let is_afternoon = text.starts_with(after);
                if !is_afternoon && !text.starts_with(before) {
                    return None;
                }
                self.is_afternoon = Some(is_afternoon);
                return text.get(2..);
            }
            Part::Zone => return self.read_zone(text),
            Part::Offset(form) => return self.read_offset(form, text),
            Part::Fraction {
                digits, is_short, ..
            } => {
                return self.read_fraction(text, digits, is_short);
            }
            Part::SpaceYearDay | Part::ZeroYearDay => {
                return self.read_day_of_year(part == Part::ZeroYearDay, text);
            }
            _ => {}
        }
        let text = match part {
            Part::SpaceDay => text.strip_prefix(b" ").unwrap_or(text),
            _ => text,
        };
        let is_fixed = matches!(
            part,
            Part::ZeroMonth
                | Part::ZeroDay
                | Part::ZeroTwelve
                | Part::ZeroMinute
                | Part::ZeroSecond
        );
        let (value, rest) = two_digits(text, is_fixed)?;
        match part {
            Part::NumberMonth | Part::ZeroMonth => self.month = Some(within(value, 1, 12)?),
            Part::Hour => self.hour = within(value, 0, 23)?,
            Part::Twelve | Part::ZeroTwelve => self.hour = within(value, 0, 12)?,
            Part::Minute | Part::ZeroMinute => self.minute = within(value, 0, 59)?,
            Part::Second | Part::ZeroSecond => {
                self.second = within(value, 0, 59)?;
                return self.read_unasked_fraction(rest, layout);
            }
            _ => self.day = Some(value),
        }
        Some(rest)
    }

    /// Seconds may have a fraction that the layout doesn't mention.
    fn read_unasked_fraction<'t>(&mut self, rest: &'t [u8], layout: &[u8]) -> Option<&'t [u8]> {
        let has_fraction = matches!(rest.first(), Some(b'.' | b','))
            && rest.get(1).is_some_and(u8::is_ascii_digit);
        if !has_fraction || matches!(next_part(layout).1, Some(Part::Fraction { .. })) {
            return Some(rest);
        }
        let digits = rest
            .iter()
            .skip(1)
            .take_while(|b| b.is_ascii_digit())
            .count();
        self.nanosecond = nanoseconds(rest.get(1..=digits)?)?;
        rest.get(1 + digits..)
    }

    fn read_fraction<'t>(
        &mut self,
        text: &'t [u8],
        digits: usize,
        is_short: bool,
    ) -> Option<&'t [u8]> {
        let has_point = matches!(text.first(), Some(b'.' | b','));
        let digits = if is_short {
            let count = text
                .iter()
                .skip(1)
                .take_while(|b| b.is_ascii_digit())
                .count();
            if !has_point || count == 0 {
                return Some(text);
            }
            count
        } else {
            digits
        };
        let found = text.get(1..=digits)?;
        if !has_point || !found.iter().all(u8::is_ascii_digit) {
            return None;
        }
        self.nanosecond = nanoseconds(found)?;
        text.get(1 + digits..)
    }

    fn read_day_of_year<'t>(&mut self, is_fixed: bool, text: &'t [u8]) -> Option<&'t [u8]> {
        let spaces = if is_fixed {
            0
        } else {
            text.iter()
                .take(2)
                .take_while(|byte| **byte == b' ')
                .count()
        };
        let text = text.get(spaces..)?;
        let count = text
            .iter()
            .take(3)
            .take_while(|b| b.is_ascii_digit())
            .count();
        if count == 0 || (is_fixed && count != 3) {
            return None;
        }
        let digits = text.get(..count)?;
        self.day_of_year = Some(
            digits
                .iter()
                .try_fold(0, |value, byte| Some(value * 10 + digit(*byte)?))?,
        );
        text.get(count..)
    }

    fn read_offset<'t>(&mut self, form: Offset, text: &'t [u8]) -> Option<&'t [u8]> {
        if form.is_z
            && let Some(rest) = text.strip_prefix(b"Z")
        {
            self.is_utc = true;
            return Some(rest);
        }
        let (sign, digits) = (text.first()?, text.get(1..=form.width())?);
        let step = if form.has_colons { 3 } else { 2 };
        let mut seconds = 0;
        for index in 0..3 {
            let most = if index == 0 { 24 } else { 60 };
            let unit = [3_600, 60, 1].get(index).copied().unwrap_or(1);
            if index >= form.parts {
                break;
            }
            if form.has_colons && index > 0 && digits.get(index * step - 1) != Some(&b':') {
                return None;
            }
            let (value, _) = two_digits(digits.get(index * step..index * step + 2)?, true)?;
            seconds += within(value, 0, most)? * unit;
        }
        self.offset = Some(match sign {
            b'+' => seconds,
            b'-' => -seconds,
            _ => return None,
        });
        text.get(1 + form.width()..)
    }

    fn read_zone<'t>(&mut self, text: &'t [u8]) -> Option<&'t [u8]> {
        if let Some(rest) = text.strip_prefix(b"UTC") {
            self.is_utc = true;
            return Some(rest);
        }
        let width = zone_width(text)?;
        let name = text.get(..width)?;
        self.zone = Some(String::from_utf8_lossy(name).into_owned());
        text.get(width..)
    }

    fn time(self) -> Option<Time> {
        let hour = match self.is_afternoon {
            Some(true) if self.hour < 12 => self.hour + 12,
            Some(false) if self.hour == 12 => 0,
            _ => self.hour,
        };
        let (month, day) = match self.day_of_year {
            Some(day_of_year) => self.of_year(day_of_year)?,
            None => (self.month.unwrap_or(1), self.day.unwrap_or(1)),
        };
        within(day, 1, days_in(month, self.year))?;
        let seconds =
            days_to(self.year, month, day) * DAY + hour * 3_600 + self.minute * 60 + self.second;
        let utc = Time::utc(seconds, self.nanosecond);
        if self.is_utc {
            return Some(utc);
        }
        let zone = self.zone.unwrap_or_default();
        if let Some(offset) = self.offset {
            let seconds = seconds - offset;
            if offset == 0 && (zone.is_empty() || zone == "UTC") {
                return Some(Time { seconds, ..utc });
            }
            return Some(Time {
                seconds,
                offset,
                zone: zone.into(),
                ..utc
            });
        }
        if zone.is_empty() {
            return Some(utc);
        }
        // An abbreviation says nothing about the offset, but for this form.
        let hours = zone.strip_prefix("GMT").unwrap_or_default();
        let offset = number::integer(hours, 10).unwrap_or(0) * 3_600;
        Some(Time {
            offset,
            zone: zone.into(),
            ..utc
        })
    }

    fn of_year(&self, day_of_year: i64) -> Option<(i64, i64)> {
        let mut day = within(day_of_year, 1, 365 + i64::from(is_leap(self.year)))?;
        let mut month = 1;
        while day > days_in(month, self.year) {
            day -= days_in(month, self.year);
            month += 1;
        }
        let agrees = self.month.is_none_or(|known| known == month)
            && self.day.is_none_or(|known| known == day);
        agrees.then_some((month, day))
    }
}

/// Returns how long the abbreviation of a zone is that a text begins with.
fn zone_width(text: &[u8]) -> Option<usize> {
    if text.starts_with(b"ChST") || text.starts_with(b"MeST") {
        return Some(4);
    }
    let signed = |text: &[u8]| {
        let is_signed = matches!(text.first(), Some(b'+' | b'-'));
        let count = text
            .iter()
            .skip(1)
            .take_while(|b| b.is_ascii_digit())
            .count();
        let digits = text.get(1..=count)?;
        let value = number::integer(std::str::from_utf8(digits).ok()?, 10).ok()?;
        (is_signed && value <= 23).then_some(1 + count)
    };
    if let Some(rest) = text.strip_prefix(b"GMT") {
        return Some(3 + signed(rest).unwrap_or(0));
    }
    if matches!(text.first(), Some(b'+' | b'-')) {
        return if text.len() < 3 { None } else { signed(text) };
    }
    let count = text
        .iter()
        .take(6)
        .take_while(|b| b.is_ascii_uppercase())
        .count();
    let is_zone = match count {
        3 => true,
        4 => text.get(3) == Some(&b'T') || text.starts_with(b"WITA"),
        5 => text.get(4) == Some(&b'T'),
        _ => false,
    };
    is_zone.then_some(count)
}

/// Reads a duration such as `1h30m` or `-1.5s`, in nanoseconds.
pub(super) fn duration(text: &[u8]) -> Option<i64> {
    const LIMIT: u64 = 1 << 63;
    let (is_negative, mut rest) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, text),
    };
    if rest == b"0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0u64;
    while !rest.is_empty() {
        let whole = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        let digits = std::str::from_utf8(rest.get(..whole)?).ok()?;
        let mut value: u64 = if whole == 0 { 0 } else { digits.parse().ok()? };
        rest = rest.get(whole..)?;
        let (mut fraction, mut scale, mut count) = (0u64, 1f64, 0);
        if let Some(after) = rest.strip_prefix(b".") {
            count = after.iter().take_while(|b| b.is_ascii_digit()).count();
            for byte in after.get(..count)? {
                // Digits that don't fit any more are passed over.
                let next = fraction
                    .checked_mul(10)
                    .and_then(|f| f.checked_add(u64::from(byte - b'0')));
                match next {
                    Some(next) if next < LIMIT => (fraction, scale) = (next, scale * 10.0),
                    _ => break,
                }
            }
            rest = after.get(count..)?;
        }
        if whole == 0 && count == 0 {
            return None;
        }
        let letters = rest
            .iter()
            .take_while(|b| **b != b'.' && !b.is_ascii_digit())
            .count();
        let unit: u64 = match rest.get(..letters)? {
            b"ns" => 1,
            b"us" | b"\xc2\xb5s" | b"\xce\xbcs" => 1_000,
            b"ms" => 1_000_000,
            b"s" => SECOND,
            b"m" => 60 * SECOND,
            b"h" => 3_600 * SECOND,
            _ => return None,
        };
        rest = rest.get(letters..)?;
        value = value.checked_mul(unit).filter(|value| *value <= LIMIT)?;
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a fraction of a unit, which is small"
        )]
        let part = (fraction as f64 * (unit as f64 / scale)) as u64;
        value = value.checked_add(part)?;
        total = total.checked_add(value).filter(|total| *total <= LIMIT)?;
    }
    if is_negative {
        return Some(0i64.wrapping_sub_unsigned(total));
    }
    i64::try_from(total).ok()
}

/// Writes a duration as Go does: `1h30m0s`, `1.5s`, `250ms`.
pub(super) fn duration_text(nanoseconds: i64) -> String {
    let total = nanoseconds.unsigned_abs();
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let fraction = |value: u64, digits: usize| {
        let power = 10u64.pow(u32::try_from(digits).unwrap_or(0));
        let rest = format!("{:0digits$}", value % power);
        let rest = rest.trim_end_matches('0');
        let whole = value / power;
        if rest.is_empty() || digits == 0 {
            whole.to_string()
        } else {
            format!("{whole}.{rest}")
        }
    };
    if total < SECOND {
        return match total {
            0 => "0s".to_owned(),
            1..1_000 => format!("{sign}{total}ns"),
            1_000..1_000_000 => format!("{sign}{}µs", fraction(total, 3)),
            _ => format!("{sign}{}ms", fraction(total, 6)),
        };
    }
    let minutes = total / SECOND / 60;
    let seconds = fraction(total % (60 * SECOND), 9);
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{sign}{seconds}s"),
        (0, minutes) => format!("{sign}{minutes}m{seconds}s"),
        (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn dates_far_away_are_right_too() {
        assert_eq!(
            text(Time::utc(0, 0).plain()),
            "1970-01-01 00:00:00 +0000 UTC"
        );
        assert_eq!(
            text(Time::utc(-62_135_596_800, 0).plain()),
            "0001-01-01 00:00:00 +0000 UTC"
        );
        for at in [i64::MIN, i64::MAX] {
            Time::utc(at, 0).in_zone("Europe/Berlin").plain();
        }
    }

    #[test]
    fn durations_are_read_and_written() {
        let table = [
            ("1h30m", "1h30m0s"),
            ("-1.5s", "-1.5s"),
            ("250us", "250µs"),
            ("1.5ms", "1.5ms"),
            ("0", "0s"),
        ];
        for (given, expected) in table {
            let found = duration(given.as_bytes()).map(duration_text);
            assert_eq!(found.as_deref(), Some(expected));
        }
        for bad in ["", "1", "h", ".s", "1x", "9999999999h"] {
            assert_eq!(duration(bad.as_bytes()), None, "{bad}");
        }
    }
}
