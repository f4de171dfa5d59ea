//! What yields something else each time; see [`NONDETERMINISTIC`](super::NONDETERMINISTIC).

use super::super::exec::Run;
use super::super::rune::{self, Rune};
use super::super::value::Value;
use super::{Arguments, Function, Outcome, Problem, Type, function};

pub(super) const FUNCTIONS: &[Function] = &[
    function("randAlphaNum", &[Type::Int], |run, args| {
        chosen(run, args, |byte| byte.is_ascii_alphanumeric())
    }),
    function("randAlpha", &[Type::Int], |run, args| {
        chosen(run, args, |byte| byte.is_ascii_alphabetic())
    }),
    function("randNumeric", &[Type::Int], |run, args| {
        chosen(run, args, |byte| byte.is_ascii_digit())
    }),
    function("randAscii", &[Type::Int], |run, args| {
        chosen(run, args, |byte| (b' '..=b'~').contains(&byte))
    }),
    function("randInt", &[Type::Int, Type::Int], integer),
    function("randBytes", &[Type::Int], bytes),
    function("shuffle", &[Type::Text], shuffle),
    function("uuidv4", &[], uuid),
];

/// Returns a number below another one, each as likely as the others.
fn below(run: &mut Run<'_>, limit: u64) -> Result<u64, Problem> {
    if limit < 2 {
        return Ok(0);
    }
    let mask = u64::MAX >> (limit - 1).leading_zeros();
    loop {
        run.step(1)?;
        let mut number = [0; 8];
        number.copy_from_slice(&run.random(8)?);
        let number = u64::from_le_bytes(number) & mask;
        if number < limit {
            return Ok(number);
        }
    }
}

/// Returns so many characters of those that fit.
fn chosen<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>, fits: fn(u8) -> bool) -> Outcome<'a> {
    let fitting: Vec<u8> = (0..=u8::MAX).filter(|byte| fits(*byte)).collect();
    let count = u64::try_from(fitting.len()).unwrap_or(0);
    let mut out = Vec::new();
    for _ in 0..args.int(0)? {
        let index = usize::try_from(below(run, count)?).unwrap_or(0);
        out.extend(fitting.get(index));
    }
    run.text(out)
}

fn integer<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let (least, most) = (args.int(0)?, args.int(1)?);
    if most <= least {
        return Err("the second number is not above the first".into());
    }
    let number = below(run, most.abs_diff(least))?;
    Ok(Value::Int(least.wrapping_add_unsigned(number)))
}

fn bytes<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let Ok(count) = usize::try_from(args.int(0)?) else {
        return Err("fewer than no bytes".into());
    };
    let bytes = run.random(count)?;
    run.text(crate::base64::encode(&bytes))
}

fn shuffle<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let mut chars: Vec<char> = rune::runes(args.bytes(0)?).map(Rune::value).collect();
    for index in (1..chars.len()).rev() {
        let count = u64::try_from(index + 1).unwrap_or(1);
        let other = usize::try_from(below(run, count)?).unwrap_or(0);
        chars.swap(index, other);
    }
    run.text(chars.into_iter().collect::<String>())
}

fn uuid<'a>(run: &mut Run<'a>, _: Arguments<'_, 'a>) -> Outcome<'a> {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&run.random(16)?);
    run.text(
        uuid::Builder::from_random_bytes(bytes)
            .into_uuid()
            .to_string(),
    )
}
