//! Characters as Go sees them: one by one, by their category, with the simple mappings of case.

use unicode_general_category::{GeneralCategory as Category, get_general_category as category};

/// What stands for a byte that is no part of a character.
pub(super) const INVALID: char = '\u{FFFD}';

/// One character of some bytes, or one byte that belongs to none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rune {
    pub(super) at: usize,
    pub(super) width: usize,
    /// `None` for a byte that belongs to no character.
    pub(super) char: Option<char>,
}

impl Rune {
    pub(super) fn value(self) -> char {
        self.char.unwrap_or(INVALID)
    }
}

/// Returns the first character and its width; `None` at the end.
pub(super) fn first(bytes: &[u8]) -> Option<(Option<char>, usize)> {
    let lead = *bytes.first()?;
    if lead.is_ascii() {
        return Some((Some(char::from(lead)), 1));
    }
    let reach = bytes.get(..4).unwrap_or(bytes);
    let valid = match std::str::from_utf8(reach) {
        Ok(text) => text,
        Err(error) => {
            let end = error.valid_up_to();
            std::str::from_utf8(reach.get(..end).unwrap_or_default()).unwrap_or_default()
        }
    };
    match valid.chars().next() {
        Some(char) => Some((Some(char), char.len_utf8())),
        None => Some((None, 1)),
    }
}

/// Goes through the characters of some bytes.
pub(super) fn runes(bytes: &[u8]) -> impl Iterator<Item = Rune> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let (char, width) = first(bytes.get(at..)?)?;
        let rune = Rune { at, width, char };
        at += width;
        Some(rune)
    })
}

/// Returns how many characters there are.
pub(super) fn count(bytes: &[u8]) -> usize {
    if bytes.is_ascii() {
        bytes.len()
    } else {
        runes(bytes).count()
    }
}

/// Appends a character.
pub(super) fn push(out: &mut Vec<u8>, char: char) {
    out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Maps each character; bytes that belong to none become [`INVALID`], as in Go.
pub(super) fn map(bytes: &[u8], mut change: impl FnMut(char) -> char) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for rune in runes(bytes) {
        push(&mut out, change(rune.value()));
    }
    out
}

pub(super) fn is_letter(char: char) -> bool {
    if char.is_ascii() {
        return char.is_ascii_alphabetic();
    }
    matches!(
        category(char),
        Category::UppercaseLetter
            | Category::LowercaseLetter
            | Category::TitlecaseLetter
            | Category::ModifierLetter
            | Category::OtherLetter
    )
}

pub(super) fn is_upper(char: char) -> bool {
    category(char) == Category::UppercaseLetter
}

pub(super) fn is_lower(char: char) -> bool {
    category(char) == Category::LowercaseLetter
}

pub(super) fn is_title(char: char) -> bool {
    category(char) == Category::TitlecaseLetter
}

pub(super) fn is_digit(char: char) -> bool {
    char.is_ascii_digit() || (!char.is_ascii() && category(char) == Category::DecimalNumber)
}

pub(super) fn is_number(char: char) -> bool {
    matches!(
        category(char),
        Category::DecimalNumber | Category::LetterNumber | Category::OtherNumber
    )
}

pub(super) fn is_punctuation(char: char) -> bool {
    matches!(
        category(char),
        Category::ConnectorPunctuation
            | Category::DashPunctuation
            | Category::OpenPunctuation
            | Category::ClosePunctuation
            | Category::InitialPunctuation
            | Category::FinalPunctuation
            | Category::OtherPunctuation
    )
}

/// Tells whether a character shows when it is printed; of the spaces only the plain one does.
pub(super) fn is_printable(char: char) -> bool {
    if char.is_ascii() {
        return (' '..='~').contains(&char);
    }
    !matches!(
        category(char),
        Category::Control
            | Category::Format
            | Category::Surrogate
            | Category::PrivateUse
            | Category::Unassigned
            | Category::SpaceSeparator
            | Category::LineSeparator
            | Category::ParagraphSeparator
    )
}

/// Returns the upper case where that is one character.
pub(super) fn upper(char: char) -> char {
    let mut full = char.to_uppercase();
    match (full.next(), full.next()) {
        (Some(one), None) => one,
        _ => match char {
            '\u{1F80}'..='\u{1F87}' | '\u{1F90}'..='\u{1F97}' | '\u{1FA0}'..='\u{1FA7}' => {
                shifted(char, 8)
            }
            '\u{1FB3}' | '\u{1FC3}' | '\u{1FF3}' => shifted(char, 9),
            other => other,
        },
    }
}

/// Returns the lower case where that is one character.
pub(super) fn lower(char: char) -> char {
    let mut full = char.to_lowercase();
    match (full.next(), full.next()) {
        (Some(one), None) => one,
        _ if char == '\u{130}' => 'i',
        _ => char,
    }
}

/// Returns the case for beginnings where that is one character.
pub(super) fn title(char: char) -> char {
    match char {
        '\u{1C4}'..='\u{1C6}' => '\u{1C5}',
        '\u{1C7}'..='\u{1C9}' => '\u{1C8}',
        '\u{1CA}'..='\u{1CC}' => '\u{1CB}',
        '\u{1F1}'..='\u{1F3}' => '\u{1F2}',
        '\u{10D0}'..='\u{10FA}' | '\u{10FD}'..='\u{10FF}' => char,
        other if is_title(other) => other,
        other => upper(other),
    }
}

fn shifted(char: char, by: u32) -> char {
    char::from_u32(u32::from(char) + by).unwrap_or(char)
}

/// Appends a text in double quotes, as Go writes it in source.
pub(super) fn quote(out: &mut Vec<u8>, bytes: &[u8], is_ascii_only: bool) {
    out.push(b'"');
    for rune in runes(bytes) {
        match rune.char {
            None => {
                let byte = bytes.get(rune.at).copied().unwrap_or_default();
                out.extend_from_slice(format!("\\x{byte:02x}").as_bytes());
            }
            Some(char) => escape(out, char, '"', is_ascii_only),
        }
    }
    out.push(b'"');
}

/// Appends a character in single quotes.
pub(super) fn quote_char(out: &mut Vec<u8>, char: char, is_ascii_only: bool) {
    out.push(b'\'');
    escape(out, char, '\'', is_ascii_only);
    out.push(b'\'');
}

fn escape(out: &mut Vec<u8>, char: char, quote: char, is_ascii_only: bool) {
    if char == quote || char == '\\' {
        out.push(b'\\');
        return push(out, char);
    }
    if is_printable(char) && (char.is_ascii() || !is_ascii_only) {
        return push(out, char);
    }
    let short = match char {
        '\u{7}' => "\\a",
        '\u{8}' => "\\b",
        '\u{c}' => "\\f",
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        '\u{b}' => "\\v",
        _ => "",
    };
    let code = u32::from(char);
    let long = match code {
        _ if !short.is_empty() => short.to_owned(),
        0..0x20 | 0x7f => format!("\\x{code:02x}"),
        0x20..0x1_0000 => format!("\\u{code:04x}"),
        _ => format!("\\U{code:08x}"),
    };
    out.extend_from_slice(long.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_belong_to_no_character_count_one_by_one() {
        let found: Vec<_> = runes(b"a\xe2\x82x\xe2\x82\xac")
            .map(|r| (r.at, r.width, r.char))
            .collect();
        assert_eq!(
            found,
            [
                (0, 1, Some('a')),
                (1, 1, None),
                (2, 1, None),
                (3, 1, Some('x')),
                (4, 3, Some('€')),
            ]
        );
    }

    #[test]
    fn cases_change_character_by_character() {
        assert_eq!((upper('ß'), upper('ᾳ'), upper('ǆ')), ('ß', 'ᾼ', 'Ǆ'));
        assert_eq!((lower('İ'), title('ǆ'), title('ა')), ('i', 'ǅ', 'ა'));
    }
}
