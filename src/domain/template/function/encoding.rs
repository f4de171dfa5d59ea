//! Encodings and sums.

use sha2::{Digest as _, Sha256, Sha512};

use super::super::exec::Run;
use super::super::json::{self, Style};
use super::{Arguments, Function, Outcome, Problem, Type, function};

pub(super) const FUNCTIONS: &[Function] = &[
    function("b64enc", &[Type::Text], |run, args| {
        run.text(crate::base64::encode(args.bytes(0)?))
    }),
    function("b64dec", &[Type::Text], |run, args| {
        let text = base64_decoded(args.bytes(0)?)
            .unwrap_or_else(|at| format!("illegal base64 data at input byte {at}").into_bytes());
        run.text(text)
    }),
    function("b32enc", &[Type::Text], |run, args| {
        run.text(base32(args.bytes(0)?))
    }),
    function("b32dec", &[Type::Text], |run, args| {
        let text = base32_decoded(args.bytes(0)?)
            .unwrap_or_else(|at| format!("illegal base32 data at input byte {at}").into_bytes());
        run.text(text)
    }),
    function("sha256sum", &[Type::Text], |run, args| {
        run.text(hexadecimal(&Sha256::digest(args.bytes(0)?)))
    }),
    function("sha512sum", &[Type::Text], |run, args| {
        run.text(hexadecimal(&Sha512::digest(args.bytes(0)?)))
    }),
    function("adler32sum", &[Type::Text], |run, args| {
        run.text(adler32(args.bytes(0)?).to_string())
    }),
    function("toJson", &[Type::Any], |run, args| lenient(run, args, SAFE)),
    function("mustToJson", &[Type::Any], |run, args| {
        strict(run, args, SAFE)
    }),
    function("toPrettyJson", &[Type::Any], |run, args| {
        lenient(run, args, PRETTY)
    }),
    function("mustToPrettyJson", &[Type::Any], |run, args| {
        strict(run, args, PRETTY)
    }),
    function("toRawJson", &[Type::Any], |run, args| {
        strict(run, args, RAW)
    }),
    function("mustToRawJson", &[Type::Any], |run, args| {
        strict(run, args, RAW)
    }),
    function("mustFromJson", &[Type::Text], |run, args| {
        json::read(run, args.bytes(0)?)
    }),
];

const SAFE: Style = Style {
    is_indented: false,
    is_safe_in_html: true,
};
const PRETTY: Style = Style {
    is_indented: true,
    is_safe_in_html: true,
};
const RAW: Style = Style {
    is_indented: false,
    is_safe_in_html: false,
};

fn strict<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>, style: Style) -> Outcome<'a> {
    let text = json::write(args.any(0)?, style, run.room())?;
    run.text(text)
}

/// What can't be written becomes an empty text.
fn lenient<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>, style: Style) -> Outcome<'a> {
    match json::write(args.any(0)?, style, run.room()) {
        Ok(text) => run.text(text),
        Err(Problem::Other(_)) => run.text(Vec::new()),
        Err(other) => Err(other),
    }
}

/// Returns bytes as digits in lower case.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

fn adler32(bytes: &[u8]) -> u32 {
    let (mut low, mut high) = (1u32, 0u32);
    for byte in bytes {
        low = (low + u32::from(*byte)) % 65_521;
        high = (high + low) % 65_521;
    }
    high << 16 | low
}

const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE32: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Returns what a character stands for.
fn digit(digits: &[u8], byte: u8) -> Option<u64> {
    let found = digits.iter().position(|digit| *digit == byte)?;
    u64::try_from(found).ok()
}

/// Appends the whole bytes of some bits.
fn flush(out: &mut Vec<u8>, buffer: u64, bits: u32) {
    for byte in 1..=bits / 8 {
        let [low, ..] = (buffer >> (bits - 8 * byte)).to_le_bytes();
        out.push(low);
    }
}

fn base32(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len().div_ceil(5) * 8);
    for chunk in bytes.chunks(5) {
        let group = (0..5).fold(0u64, |group, index| {
            group << 8 | u64::from(chunk.get(index).copied().unwrap_or(0))
        });
        let count = (chunk.len() * 8).div_ceil(5);
        for index in 0..8 {
            let five = usize::try_from(group >> (35 - 5 * index) & 31).unwrap_or(0);
            let digit = BASE32.get(five).copied().unwrap_or(b'=');
            out.push(if index < count { digit } else { b'=' });
        }
    }
    out
}

/// Reads base64; fails with the place that Go names.
fn base64_decoded(text: &[u8]) -> Result<Vec<u8>, usize> {
    let is_line_end = |at: usize| matches!(text.get(at), Some(b'\n' | b'\r'));
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut buffer, mut count, mut at) = (0u64, 0usize, 0usize);
    while let Some(byte) = text.get(at).copied() {
        at += 1;
        if matches!(byte, b'\n' | b'\r') {
            continue;
        }
        if let Some(digit) = digit(BASE64, byte) {
            buffer = buffer << 6 | digit;
            count += 1;
            if count == 4 {
                flush(&mut out, buffer, 24);
                (buffer, count) = (0, 0);
            }
            continue;
        }
        if byte != b'=' || count < 2 {
            return Err(at - 1);
        }
        if count == 2 {
            while is_line_end(at) {
                at += 1;
            }
            match text.get(at) {
                None => return Err(at),
                Some(b'=') => at += 1,
                Some(_) => return Err(at - 1),
            }
        }
        while is_line_end(at) {
            at += 1;
        }
        if at < text.len() {
            return Err(at);
        }
        let spare = if count == 2 { 4 } else { 2 };
        flush(&mut out, buffer >> spare, if count == 2 { 8 } else { 16 });
        return Ok(out);
    }
    if count > 0 {
        return Err(text.len().saturating_sub(count));
    }
    Ok(out)
}

/// Reads base32; fails with the place that Go names.
fn base32_decoded(text: &[u8]) -> Result<Vec<u8>, usize> {
    let text: Vec<u8> = text
        .iter()
        .copied()
        .filter(|byte| !matches!(byte, b'\n' | b'\r'))
        .collect();
    let mut out = Vec::with_capacity(text.len() / 8 * 5);
    let (mut buffer, mut count) = (0u64, 0usize);
    for (at, byte) in text.iter().copied().enumerate() {
        let rest = text.get(at + 1..).unwrap_or_default();
        if byte == b'=' && count >= 2 && rest.len() < 8 {
            if rest.len() + count < 7 {
                return Err(text.len());
            }
            let padding = rest.iter().take(7 - count);
            if let Some(odd) = padding.clone().position(|byte| *byte != b'=') {
                return Err(at + odd);
            }
            if matches!(count, 3 | 6) {
                return Err(at);
            }
            let bits = u32::try_from(count * 5).unwrap_or(0);
            flush(&mut out, buffer >> (bits % 8), bits - bits % 8);
            return Ok(out);
        }
        let Some(digit) = digit(BASE32, byte) else {
            return Err(at);
        };
        buffer = buffer << 5 | digit;
        count += 1;
        if count == 8 {
            flush(&mut out, buffer, 40);
            (buffer, count) = (0, 0);
        }
    }
    if count > 0 {
        return Err(text.len() - count);
    }
    Ok(out)
}
