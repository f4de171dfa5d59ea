//! Versions (`1.2.3-rc.1+build`) and what is asked of them (`>=1.2 <2 || ^3`), in the dialect that Sprig has.

use std::cmp::Ordering;
use std::fmt;

/// A version; parts that are left out are zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) major: u64,
    pub(super) minor: u64,
    pub(super) patch: u64,
    pub(super) prerelease: String,
    pub(super) metadata: String,
    pub(super) original: String,
}

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}.{}", self.major, self.minor, self.patch)?;
        if !self.prerelease.is_empty() {
            write!(out, "-{}", self.prerelease)?;
        }
        if !self.metadata.is_empty() {
            write!(out, "+{}", self.metadata)?;
        }
        Ok(())
    }
}

/// The parts of a version as they are written.
struct Parts<'t> {
    numbers: [Option<&'t str>; 3],
    prerelease: Option<&'t str>,
    metadata: Option<&'t str>,
    rest: &'t str,
}

/// Splits what a text begins with into the parts of a version.
fn parts(text: &str, is_digit: impl Fn(char) -> bool) -> Option<Parts<'_>> {
    let mut rest = text.strip_prefix('v').unwrap_or(text);
    let mut numbers = [None; 3];
    for (index, number) in numbers.iter_mut().enumerate() {
        let digits = if index == 0 {
            rest
        } else {
            match rest.strip_prefix('.') {
                Some(digits) => digits,
                None => break,
            }
        };
        let end = digits.find(|c| !is_digit(c)).unwrap_or(digits.len());
        if end == 0 {
            if index == 0 {
                return None;
            }
            break;
        }
        let (found, after) = digits.split_at(end);
        *number = Some(found);
        rest = after;
    }
    let mut tail = |mark: char| {
        let after = rest.strip_prefix(mark)?;
        let end = after
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '.'))
            .unwrap_or(after.len());
        // Parts between points aren't empty.
        let found = after.get(..end)?;
        let mut length = 0;
        for part in found.split('.') {
            if part.is_empty() {
                break;
            }
            length += part.len() + usize::from(length > 0);
        }
        if length == 0 {
            return None;
        }
        let (found, remaining) = after.split_at(length);
        rest = remaining;
        Some(found)
    };
    let prerelease = tail('-');
    let metadata = tail('+');
    Some(Parts {
        numbers,
        prerelease,
        metadata,
        rest,
    })
}

impl Version {
    /// Reads a version, also one that lacks parts.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let found = parts(text, |c| c.is_ascii_digit())?;
        if !found.rest.is_empty() {
            return None;
        }
        let number = |part: Option<&str>| part.map_or(Some(0), |part| part.parse::<u64>().ok());
        let prerelease = found.prerelease.unwrap_or_default();
        let is_fair = prerelease.split('.').all(|part| {
            !(part.len() > 1 && part.starts_with('0') && part.bytes().all(|b| b.is_ascii_digit()))
        });
        let [major, minor, patch] = found.numbers;
        is_fair.then_some(Self {
            major: number(major)?,
            minor: number(minor)?,
            patch: number(patch)?,
            prerelease: prerelease.to_owned(),
            metadata: found.metadata.unwrap_or_default().to_owned(),
            original: text.to_owned(),
        })
    }

    fn compare(&self, other: &Self) -> Ordering {
        (self.major, self.minor, self.patch)
            .cmp(&(other.major, other.minor, other.patch))
            .then_with(
                || match (self.prerelease.is_empty(), other.prerelease.is_empty()) {
                    (true, true) => Ordering::Equal,
                    (true, false) => Ordering::Greater,
                    (false, true) => Ordering::Less,
                    (false, false) => prereleases(&self.prerelease, &other.prerelease),
                },
            )
    }
}

fn prereleases(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left.split('.'), right.split('.'));
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(one), Some(other)) if one == other => Ordering::Equal,
            (Some(one), Some(other)) => match (one.parse::<u64>(), other.parse::<u64>()) {
                (Ok(one), Ok(other)) if one > other => Ordering::Greater,
                (Ok(_), Ok(_) | Err(_)) => Ordering::Less,
                (Err(_), Ok(_)) => Ordering::Greater,
                (Err(_), Err(_)) => one.cmp(other),
            },
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// What is asked of a version: one of several lists of conditions.
#[derive(Debug)]
pub(super) struct Constraint(Vec<Vec<Condition>>);

#[derive(Debug)]
struct Condition {
    operator: Operator,
    version: Version,
    /// What is left open: `x`, `1.x`, `1.2.x`.
    is_open: bool,
    is_minor_open: bool,
    is_patch_open: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    Tilde,
    Caret,
}

const OPERATORS: [(&str, Operator); 11] = [
    ("!=", Operator::NotEqual),
    (">=", Operator::GreaterOrEqual),
    ("=>", Operator::GreaterOrEqual),
    ("<=", Operator::LessOrEqual),
    ("=<", Operator::LessOrEqual),
    ("~>", Operator::Tilde),
    ("=", Operator::Equal),
    (">", Operator::Greater),
    ("<", Operator::Less),
    ("~", Operator::Tilde),
    ("^", Operator::Caret),
];

fn is_space(char: char) -> bool {
    matches!(char, ' ' | '\t' | '\n' | '\r' | '\u{c}')
}

impl Constraint {
    /// Reads what is asked.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let lists = text.split("||").map(conditions);
        Some(Self(lists.collect::<Option<_>>()?))
    }

    /// Tells whether a version is what is asked for.
    pub(super) fn allows(&self, version: &Version) -> bool {
        let mut lists = self.0.iter();
        lists.any(|conditions| conditions.iter().all(|condition| condition.allows(version)))
    }
}

fn conditions(text: &str) -> Option<Vec<Condition>> {
    let mut conditions = Vec::new();
    let mut rest = text.trim_start_matches(is_space);
    loop {
        let (word, operator) = OPERATORS
            .iter()
            .find(|(word, _)| rest.starts_with(word))
            .copied()
            .unwrap_or(("", Operator::Equal));
        rest = rest.get(word.len()..)?.trim_start_matches(is_space);
        let is_digit = |c: char| c.is_ascii_digit() || matches!(c, 'x' | 'X' | '*' | '|');
        let found = parts(rest, is_digit)?;
        rest = found.rest;
        let after = rest.trim_start_matches(is_space);
        let is_apart = after.len() < rest.len();
        // `1.2 - 1.4` is both ends at once.
        let upper = after
            .strip_prefix('-')
            .filter(|upper| is_apart && upper.starts_with(is_space));
        if let Some(upper) = upper {
            if !word.is_empty() {
                return None;
            }
            conditions.push(Condition::new(Operator::GreaterOrEqual, &found)?);
            let found = parts(upper.trim_start_matches(is_space), is_digit)?;
            conditions.push(Condition::new(Operator::LessOrEqual, &found)?);
            rest = found.rest.trim_start_matches(is_space);
            if rest.is_empty() {
                return Some(conditions);
            }
            rest = rest
                .strip_prefix(',')
                .unwrap_or(rest)
                .trim_start_matches(is_space);
            continue;
        }
        conditions.push(Condition::new(operator, &found)?);
        if after.is_empty() {
            return Some(conditions);
        }
        rest = match after.strip_prefix(',') {
            Some(after) => after.trim_start_matches(is_space),
            None if is_apart => after,
            None => return None,
        };
    }
}

impl Condition {
    fn new(operator: Operator, found: &Parts<'_>) -> Option<Self> {
        let is_open = |part: Option<&str>| matches!(part, None | Some("x" | "X" | "*"));
        let [major, minor, patch] = found.numbers;
        let suffix = match found.prerelease {
            Some(prerelease) => format!("-{prerelease}"),
            None => String::new(),
        };
        let (text, open) = if is_open(major) {
            (format!("0.0.0{suffix}"), (true, false, false))
        } else if is_open(minor) {
            (format!("{}.0.0{suffix}", major?), (true, true, false))
        } else if is_open(patch) {
            (
                format!("{}.{}.0{suffix}", major?, minor?),
                (true, false, true),
            )
        } else {
            let text = format!("{}.{}.{}{suffix}", major?, minor?, patch?);
            (text, (false, false, false))
        };
        let (is_open, is_minor_open, is_patch_open) = open;
        Some(Self {
            operator,
            version: Version::parse(&text)?,
            is_open,
            is_minor_open,
            is_patch_open,
        })
    }

    fn allows(&self, version: &Version) -> bool {
        let asked = &self.version;
        let ignores_prereleases = !version.prerelease.is_empty() && asked.prerelease.is_empty();
        if ignores_prereleases && (self.operator != Operator::NotEqual || self.is_open) {
            return false;
        }
        let order = version.compare(asked);
        match self.operator {
            Operator::Equal if self.is_open => self.allows_tilde(version),
            Operator::Equal => order == Ordering::Equal,
            Operator::NotEqual => self.allows_other_than(version),
            Operator::Less => order == Ordering::Less,
            Operator::GreaterOrEqual => order != Ordering::Less,
            Operator::Greater => {
                if !self.is_open || version.major != asked.major {
                    order == Ordering::Greater
                } else if self.is_minor_open {
                    false
                } else if self.is_patch_open {
                    version.minor > asked.minor
                } else {
                    order == Ordering::Greater
                }
            }
            Operator::LessOrEqual if !self.is_open => order != Ordering::Greater,
            Operator::LessOrEqual => match version.major.cmp(&asked.major) {
                Ordering::Greater => false,
                Ordering::Equal => version.minor <= asked.minor || self.is_minor_open,
                Ordering::Less => true,
            },
            Operator::Tilde => self.allows_tilde(version),
            Operator::Caret => order != Ordering::Less && self.allows_caret(version),
        }
    }

    fn allows_other_than(&self, version: &Version) -> bool {
        let asked = &self.version;
        if self.is_open {
            if asked.major != version.major {
                return true;
            }
            if self.is_minor_open {
                return false;
            }
            if asked.minor != version.minor {
                return true;
            }
            if self.is_patch_open {
                let has_prerelease = !version.prerelease.is_empty() || !asked.prerelease.is_empty();
                return has_prerelease
                    && prereleases(&version.prerelease, &asked.prerelease) != Ordering::Equal;
            }
            if asked.patch != version.patch {
                return true;
            }
        }
        version.compare(asked) != Ordering::Equal
    }

    fn allows_tilde(&self, version: &Version) -> bool {
        let asked = &self.version;
        if version.compare(asked) == Ordering::Less {
            return false;
        }
        let is_anything = (asked.major, asked.minor, asked.patch) == (0, 0, 0)
            && !self.is_minor_open
            && !self.is_patch_open;
        is_anything
            || (version.major == asked.major
                && (version.minor == asked.minor || self.is_minor_open))
    }

    fn allows_caret(&self, version: &Version) -> bool {
        let asked = &self.version;
        if asked.major > 0 || self.is_minor_open {
            return version.major == asked.major;
        }
        if version.major > 0 {
            return false;
        }
        if asked.minor > 0 || self.is_patch_open {
            return version.minor == asked.minor;
        }
        version.minor == 0 && version.patch == asked.patch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints_allow_what_they_say() {
        let table = [
            (">=1.2.3", "1.2.3", true),
            ("~1.2", "1.3.0", false),
            ("^0.2.3", "0.2.9", true),
            ("1.2 - 1.4", "1.4.5", true),
            ("1.x || >=3", "2.0.0", false),
            (">1.0, <2.0", "1.5.0", true),
            (">=1.0", "1.1.0-rc.1", false),
            (">=1.0-0", "1.1.0-rc.1", true),
        ];
        for (constraint, version, expected) in table {
            let found = Constraint::parse(constraint).unwrap();
            let version = Version::parse(version).unwrap();
            assert_eq!(found.allows(&version), expected, "{constraint} {version}");
        }
        for bad in ["", "a", ">>1", "1.2 3.4 ||", ">1<2"] {
            assert!(Constraint::parse(bad).is_none(), "{bad}");
        }
    }
}
