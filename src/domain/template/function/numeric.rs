//! Numbers: what Sprig makes of values, and arithmetic.
#![expect(
    clippy::unnecessary_wraps,
    reason = "functions of templates have one type"
)]

use num_bigint::{BigInt, Sign};

use super::super::exec::Run;
use super::super::value::{ListKind, Value};
use super::super::{format, number};
use super::{Arguments, Function, Outcome, Problem, Type, function, variadic};

pub(super) const FUNCTIONS: &[Function] = &[
    function("atoi", &[Type::Text], atoi),
    function("int64", &[Type::Any], int64),
    function("float64", &[Type::Any], float64),
    function("toDecimal", &[Type::Any], to_decimal),
    variadic("seq", &[], Type::Int, seq),
    function("until", &[Type::Int], until),
    function("untilStep", &[Type::Int, Type::Int, Type::Int], until_step),
    function("add1", &[Type::Any], add1),
    variadic("add", &[], Type::Any, add),
    function("sub", &[Type::Any, Type::Any], sub),
    function("div", &[Type::Any, Type::Any], div),
    function("mod", &[Type::Any, Type::Any], modulo),
    variadic("mul", &[Type::Any], Type::Any, mul),
    function("add1f", &[Type::Any], add1f),
    variadic("addf", &[], Type::Any, addf),
    variadic("subf", &[Type::Any], Type::Any, subf),
    variadic("divf", &[Type::Any], Type::Any, divf),
    variadic("mulf", &[Type::Any], Type::Any, mulf),
    variadic("biggest", &[Type::Any], Type::Any, max),
    variadic("max", &[Type::Any], Type::Any, max),
    variadic("min", &[Type::Any], Type::Any, min),
    variadic("maxf", &[Type::Any], Type::Any, maxf),
    variadic("minf", &[Type::Any], Type::Any, minf),
    function("ceil", &[Type::Any], ceil),
    function("floor", &[Type::Any], floor),
    variadic("round", &[Type::Any, Type::Int], Type::Float, round),
];

/// Returns the integer that Sprig takes a value for; anything odd is zero.
pub(super) fn integer(value: &Value<'_>) -> i64 {
    match value {
        Value::Int(number) | Value::Int64(number) => *number,
        Value::Byte(number) => i64::from(*number),
        Value::Unsigned(number) => number.cast_signed(),
        Value::Float(number) => number::truncated(*number),
        Value::Boolean(flag) => i64::from(*flag),
        Value::Text(text) => {
            let text = std::str::from_utf8(text.bytes()).unwrap_or_default();
            // `3.00` is taken for 3, `3.01` for nothing.
            let whole = match text.trim_end_matches('0').strip_suffix('.') {
                Some(whole) if whole.len() + 1 < text.len() => whole,
                _ => text,
            };
            number::integer(whole, 0).unwrap_or(0)
        }
        _ => 0,
    }
}

/// Returns the float that Sprig takes a value for; anything odd is zero.
fn float(value: &Value<'_>) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "as Go converts")]
    match value {
        Value::Int(number) | Value::Int64(number) => *number as f64,
        Value::Byte(number) => f64::from(*number),
        Value::Unsigned(number) => *number as f64,
        Value::Float(number) => *number,
        Value::Boolean(flag) => f64::from(u8::from(*flag)),
        Value::Text(text) => {
            let text = std::str::from_utf8(text.bytes()).unwrap_or_default();
            number::float(text).unwrap_or(0.0)
        }
        _ => 0.0,
    }
}

fn atoi<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let text = std::str::from_utf8(args.bytes(0)?).unwrap_or_default();
    Ok(Value::Int(match number::integer(text, 10) {
        Ok(number) | Err(number::NoInteger::Range(number)) => number,
        Err(number::NoInteger::Syntax) => 0,
    }))
}

fn int64<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    Ok(Value::Int64(integer(args.any(0)?)))
}

fn float64<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    Ok(Value::Float(float(args.any(0)?)))
}

fn to_decimal<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let text = format::print(args.0, run.room())?;
    let text = std::str::from_utf8(&text).unwrap_or_default();
    Ok(Value::Int64(number::integer(text, 8).unwrap_or(0)))
}

/// Returns the numbers from one to before another.
fn steps(run: &mut Run<'_>, start: i64, end: i64, step: i64) -> Result<Vec<i64>, Problem> {
    let mut numbers = Vec::new();
    let is_down = end < start;
    if (is_down && step >= 0) || (!is_down && step <= 0) {
        return Ok(numbers);
    }
    let mut next = Some(start);
    while let Some(number) = next.filter(|n| if is_down { *n > end } else { *n < end }) {
        run.charge(32)?;
        numbers.push(number);
        next = number.checked_add(step);
    }
    Ok(numbers)
}

fn numbers<'a>(run: &mut Run<'a>, start: i64, end: i64, step: i64) -> Outcome<'a> {
    let numbers = steps(run, start, end, step)?;
    let items = numbers.into_iter().map(Value::Int).collect();
    run.list_of(ListKind::Integers, items)
}

fn until<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let count = args.int(0)?;
    numbers(run, 0, count, if count < 0 { -1 } else { 1 })
}

fn until_step<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    numbers(run, args.int(0)?, args.int(1)?, args.int(2)?)
}

fn seq<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let (start, step, end) = match args.0.len() {
        1 => (1, None, args.int(0)?),
        2 => (args.int(0)?, None, args.int(1)?),
        3 => (args.int(0)?, Some(args.int(1)?), args.int(2)?),
        _ => return Ok(Value::text("")),
    };
    let direction = if end < start { -1 } else { 1 };
    if direction < 0 && step.is_some_and(|step| step > 0) {
        return Ok(Value::text(""));
    }
    let end = end.wrapping_add(direction);
    let numbers = steps(run, start, end, step.unwrap_or(direction))?;
    let texts: Vec<String> = numbers.iter().map(i64::to_string).collect();
    run.text(texts.join(" "))
}

fn add1<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    Ok(Value::Int64(integer(args.any(0)?).wrapping_add(1)))
}

fn add<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let sum = args.0.iter().map(integer).fold(0, i64::wrapping_add);
    Ok(Value::Int64(sum))
}

fn sub<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let (left, right) = (integer(args.any(0)?), integer(args.any(1)?));
    Ok(Value::Int64(left.wrapping_sub(right)))
}

fn divided(args: Arguments<'_, '_>) -> Result<(i64, i64), Problem> {
    let (left, right) = (integer(args.any(0)?), integer(args.any(1)?));
    if right == 0 {
        return Err("division by zero".into());
    }
    Ok((left.wrapping_div(right), left.wrapping_rem(right)))
}

fn div<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    Ok(Value::Int64(divided(args)?.0))
}

fn modulo<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    Ok(Value::Int64(divided(args)?.1))
}

fn mul<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let product = args.0.iter().map(integer).fold(1, i64::wrapping_mul);
    Ok(Value::Int64(product))
}

fn max<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    Ok(Value::Int64(args.0.iter().map(integer).max().unwrap_or(0)))
}

fn min<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    Ok(Value::Int64(args.0.iter().map(integer).min().unwrap_or(0)))
}

/// Returns the one that is preferred, or what is no number.
fn chosen(args: Arguments<'_, '_>, prefers_left: fn(f64, f64) -> bool, end: f64) -> f64 {
    let numbers = args.0.iter().map(float);
    let found = numbers.reduce(|left, right| {
        #[expect(
            clippy::float_cmp,
            reason = "the end of all numbers is a number of its own"
        )]
        if left == end || right == end {
            end
        } else if left.is_nan() || right.is_nan() {
            f64::NAN
        } else if prefers_left(left, right) {
            left
        } else {
            right
        }
    });
    found.unwrap_or(0.0)
}

fn maxf<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let greater = |left: f64, right: f64| left.total_cmp(&right).is_gt();
    Ok(Value::Float(chosen(args, greater, f64::INFINITY)))
}

fn minf<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let less = |left: f64, right: f64| left.total_cmp(&right).is_lt();
    Ok(Value::Float(chosen(args, less, f64::NEG_INFINITY)))
}

fn ceil<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    Ok(Value::Float(float(args.any(0)?).ceil()))
}

fn floor<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    Ok(Value::Float(float(args.any(0)?).floor()))
}

fn round<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let limit = match args.0.get(2) {
        Some(Value::Float(limit)) => *limit,
        _ => 0.5,
    };
    let power = power_of_ten(args.int(1)?);
    let digit = power * float(args.any(0)?);
    let rest = if digit.is_infinite() {
        f64::NAN
    } else {
        digit.fract()
    };
    let rounded = if rest >= limit {
        digit.ceil()
    } else {
        digit.floor()
    };
    Ok(Value::Float(rounded / power))
}

/// Multiplies as Go does, square by square, so that the last digit is the same.
fn power_of_ten(exponent: i64) -> f64 {
    let mut rest = exponent.unsigned_abs();
    if rest > 400 {
        return if exponent < 0 { 0.0 } else { f64::INFINITY };
    }
    // Ten is 0.625 × 2⁴; both parts are raised apart.
    let (mut fraction, mut shift) = (0.625f64, 4i32);
    let (mut product, mut scale) = (1f64, 0i32);
    while rest > 0 {
        if rest & 1 == 1 {
            product *= fraction;
            scale += shift;
        }
        fraction *= fraction;
        shift *= 2;
        if fraction < 0.5 {
            fraction += fraction;
            shift -= 1;
        }
        rest >>= 1;
    }
    if exponent < 0 {
        product = 1.0 / product;
        scale = -scale;
    }
    // In two steps, since a single power of two may be too large.
    let half = scale / 2;
    product * f64::from(half).exp2() * f64::from(scale - half).exp2()
}

/// A number with all its decimal digits: `value × 10^exponent`.
struct Decimal {
    value: BigInt,
    exponent: i64,
}

impl Decimal {
    fn of(value: &Value<'_>) -> Result<Self, Problem> {
        let float = float(value);
        if !float.is_finite() {
            return Err("cannot calculate with what is no number".into());
        }
        let text = format!("{float:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let places = digits.split_once('.').map_or(0, |(_, rest)| rest.len());
        let whole = digits.replace('.', "");
        let exponent: i64 = exponent.parse().unwrap_or(0);
        Ok(Self {
            value: whole.parse().unwrap_or_default(),
            exponent: exponent - i64::try_from(places).unwrap_or(0),
        })
    }

    /// Returns the value with an exponent that is not greater.
    fn at(&self, exponent: i64) -> BigInt {
        &self.value * ten_to(self.exponent - exponent)
    }

    fn plus(&self, other: &Self) -> Self {
        let exponent = self.exponent.min(other.exponent);
        Self {
            value: self.at(exponent) + other.at(exponent),
            exponent,
        }
    }

    fn minus(&self, other: &Self) -> Self {
        let exponent = self.exponent.min(other.exponent);
        Self {
            value: self.at(exponent) - other.at(exponent),
            exponent,
        }
    }

    fn times(&self, other: &Self) -> Self {
        Self {
            value: &self.value * &other.value,
            exponent: self.exponent + other.exponent,
        }
    }

    /// Divides to 16 places, the last one rounded.
    fn by(&self, other: &Self) -> Result<Self, Problem> {
        const PLACES: i64 = 16;
        if other.value.sign() == Sign::NoSign {
            return Err("decimal division by 0".into());
        }
        let shift = self.exponent - other.exponent + PLACES;
        let left = self.value.magnitude() * ten_to(shift).magnitude();
        let right = other.value.magnitude() * ten_to(-shift).magnitude();
        let mut quotient = &left / &right;
        if (&left - &quotient * &right) * 2u32 >= right {
            quotient += 1u32;
        }
        let is_negative = (self.value.sign() == Sign::Minus) != (other.value.sign() == Sign::Minus);
        let sign = if is_negative { Sign::Minus } else { Sign::Plus };
        Ok(Self {
            value: BigInt::from_biguint(sign, quotient),
            exponent: -PLACES,
        })
    }

    fn float(&self) -> f64 {
        format!("{}e{}", self.value, self.exponent)
            .parse()
            .unwrap_or(0.0)
    }
}

/// Returns a power of ten; 1 for exponents below zero.
fn ten_to(exponent: i64) -> BigInt {
    BigInt::from(10).pow(u32::try_from(exponent.max(0)).unwrap_or(0))
}

fn calculate<'a>(
    run: &mut Run<'a>,
    start: Decimal,
    rest: &[Value<'a>],
    step: fn(&Decimal, &Decimal) -> Result<Decimal, Problem>,
) -> Outcome<'a> {
    let mut result = start;
    for value in rest {
        result = step(&result, &Decimal::of(value)?)?;
        // Products grow with each factor.
        let bytes = usize::try_from(result.value.bits() / 8).unwrap_or(usize::MAX);
        if bytes > 4096 {
            return Err(Problem::Limit("more digits than any number needs"));
        }
        run.step(1 + bytes)?;
    }
    Ok(Value::Float(result.float()))
}

fn add1f<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let start = Decimal::of(args.any(0)?)?;
    calculate(run, start, &[Value::Int(1)], |a, b| Ok(a.plus(b)))
}

fn addf<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let start = Decimal::of(&Value::Int(0))?;
    calculate(run, start, args.0, |a, b| Ok(a.plus(b)))
}

fn subf<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let start = Decimal::of(args.any(0)?)?;
    calculate(run, start, args.from(1), |a, b| Ok(a.minus(b)))
}

fn divf<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let start = Decimal::of(args.any(0)?)?;
    calculate(run, start, args.from(1), Decimal::by)
}

fn mulf<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let start = Decimal::of(args.any(0)?)?;
    calculate(run, start, args.from(1), |a, b| Ok(a.times(b)))
}
