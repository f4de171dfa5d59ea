//! Walks an object and its schema side by side.
//!
//! The walk is bounded three ways: by the depth of the data, by the number of schemas on the way to one value,
//! and by the total work, so that neither a hostile schema nor a hostile object can make it run long.

use std::ops::RangeInclusive;
use std::sync::{Arc, LazyLock};

use serde_json::{Map, Number, Value};

use super::node::{
    Additional, Array, Bound, Bounds, Logic, Node, Object, Text, Types, Unique, Width,
};
use super::problem::{Found, Limit, Problem, Violation, shorten};
use super::{Library, Options, Schema};
use crate::near::nearest;
use crate::path::Trail;

/// Most schemas between the root and a value.
const DEPTH: u16 = 512;
/// Most questions asked about one object; the largest real ones take some 100,000.
const WORK: u32 = 5_000_000;
/// Arrays up to this length are searched for duplicates without allocating.
const SMALL: usize = 32;
/// The lengths of field names for which a near one is looked up: shorter ones are near to any other.
const NAME: RangeInclusive<usize> = 3..=64;

/// What every object has, for schemas that leave it out (custom resources do).
static OBJECT_META: LazyLock<Schema> = LazyLock::new(|| {
    let schema = serde_json::from_str(include_str!("object-meta.json")).unwrap_or_default();
    Schema::from_json(&schema)
});

/// Checks one value against one definition.
pub(super) fn run(
    library: &Arc<Library>,
    root: u32,
    value: &Value,
    options: Options,
    report: &mut dyn FnMut(Violation),
) {
    let Some(node) = library.node(root) else {
        return;
    };
    let secret = value.get("kind").and_then(Value::as_str) == Some("Secret")
        && value.get("apiVersion").and_then(Value::as_str) == Some("v1");
    let mut checker = Checker {
        report,
        conceal: options.conceal || secret,
        probing: false,
        failed: false,
        work: WORK,
    };
    let at = At {
        library,
        strict: true,
        here: true,
        required: true,
        depth: 0,
    };
    match value {
        Value::Object(object) if !options.bare => {
            checker.root(node, value, object, library.is_custom(root), at);
        }
        _ => checker.node(node, value, &Trail::ROOT, at),
    }
    if checker.work == 0 {
        (checker.report)(Violation {
            path: Trail::ROOT.path(),
            problem: Problem::TooComplex,
        });
    }
}

/// Where a question is asked, and how strictly.
#[derive(Clone, Copy)]
struct At<'a> {
    library: &'a Library,
    /// Unknown fields are violations. Not so inside alternatives, which declare nothing.
    strict: bool,
    /// The same for the fields of the object at hand; another part of its schema may be the one to tell.
    here: bool,
    /// Missing fields are violations. Not so in a status, which the server fills.
    required: bool,
    depth: u16,
}

impl At<'_> {
    /// One step further down in the document.
    fn below(self) -> Self {
        Self {
            here: self.strict,
            ..self
        }
    }

    /// In a part of the schema that checks values but declares no fields.
    fn lenient(self) -> Self {
        Self {
            strict: false,
            here: false,
            ..self
        }
    }
}

/// What a part of a schema has to say about a field.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Opinion {
    Silent,
    Unknown,
    Known,
}

struct Checker<'a> {
    report: &'a mut dyn FnMut(Violation),
    conceal: bool,
    /// Only whether something fails is of interest.
    probing: bool,
    failed: bool,
    work: u32,
}

impl Checker<'_> {
    /// Reports a problem, or just remembers that there is one. The problem is only described when it's wanted.
    fn fail(&mut self, trail: &Trail<'_>, problem: impl FnOnce(bool) -> Problem) {
        self.failed = true;
        if !self.probing && self.work > 0 {
            (self.report)(Violation {
                path: trail.path(),
                problem: problem(self.conceal),
            });
        }
    }

    /// Tells whether looking further is pointless.
    fn is_done(&self) -> bool {
        (self.probing && self.failed) || self.work == 0
    }

    /// Tells whether a value fits, without reporting.
    fn matches(&mut self, node: &Node, value: &Value, trail: &Trail<'_>, at: At<'_>) -> bool {
        let (probing, failed) = (self.probing, self.failed);
        self.probing = true;
        self.failed = false;
        self.node(node, value, trail, at);
        let matches = !self.failed;
        self.probing = probing;
        self.failed = failed;
        matches
    }

    /// Checks a whole object: apiVersion, kind and metadata are known to every kind.
    fn root(
        &mut self,
        node: &Node,
        value: &Value,
        object: &Map<String, Value>,
        custom: bool,
        at: At<'_>,
    ) {
        // The root of a kind may only refer to the definition that describes it.
        let mut node = node;
        for _ in 0..16 {
            match node.base.and_then(|base| at.library.node(base)) {
                Some(base) if node.object.is_none() && node.logic.is_none() => node = base,
                _ => break,
            }
        }
        self.about(node, value, &Trail::ROOT, at);
        self.fields(node, object, &Trail::ROOT, at, Some(custom));
        if let Some(base) = node.base.and_then(|base| at.library.node(base)) {
            self.node(base, value, &Trail::ROOT, at.lenient());
        }
    }

    /// Checks a value.
    fn node(&mut self, node: &Node, value: &Value, trail: &Trail<'_>, at: At<'_>) {
        self.work = self.work.saturating_sub(1);
        if at.depth >= DEPTH {
            self.work = 0;
        }
        if self.is_done() || (value.is_null() && node.nullable) {
            return;
        }
        let at = At {
            depth: at.depth + 1,
            ..at
        };
        if !node.types.accept(value) {
            let expected = node.types;
            self.fail(trail, |conceal| Problem::WrongType {
                expected: expected.words(),
                found: Found::new(value, conceal),
            });
            return;
        }
        self.about(node, value, trail, at);
        match value {
            Value::Object(object) => self.fields(node, object, trail, at, None),
            Value::Array(items) => {
                if let Some(array) = &node.array {
                    self.array(array, items, trail, at);
                }
            }
            Value::String(text) => {
                if let Some(rules) = &node.text {
                    self.text(rules, text, value, trail, at);
                }
            }
            Value::Number(number) => {
                if let Some(bounds) = &node.number {
                    self.number(bounds, node.types, number, value, trail);
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
        if let Some(base) = node.base.and_then(|base| at.library.node(base)) {
            // A field that any part declares is known; so where this part declares or combines some, it reports.
            let strict = at.strict && node.object.is_none();
            let here = strict && at.here && node.logic.is_none();
            self.node(base, value, trail, At { strict, here, ..at });
        }
    }

    /// Checks what applies to values of any type: enumeration and alternatives.
    fn about(&mut self, node: &Node, value: &Value, trail: &Trail<'_>, at: At<'_>) {
        if let Some(allowed) = &node.allowed {
            let unset = node.empty_is_unset && value.as_str() == Some("");
            if !unset && !allowed.contains(value) {
                self.fail(trail, |conceal| Problem::NotAllowed {
                    found: Found::new(value, conceal),
                    allowed: allowed.iter().map(ToString::to_string).collect(),
                });
            }
        }
        if let Some(logic) = &node.logic {
            self.logic(logic, value, trail, at.lenient());
        }
    }

    fn logic(&mut self, logic: &Logic, value: &Value, trail: &Trail<'_>, at: At<'_>) {
        for branch in &logic.all_of {
            self.node(branch, value, trail, at);
        }
        if !logic.any_of.is_empty()
            && !logic
                .any_of
                .iter()
                .any(|branch| self.matches(branch, value, trail, at))
        {
            self.no_alternative(&logic.any_of, value, trail, at, 0);
        }
        if !logic.one_of.is_empty() {
            let matched = logic
                .one_of
                .iter()
                .filter(|branch| self.matches(branch, value, trail, at))
                .count();
            if matched != 1 {
                self.no_alternative(&logic.one_of, value, trail, at, matched);
            }
        }
        if let Some(not) = &logic.not
            && self.matches(not, value, trail, at)
        {
            self.fail(trail, |_| Problem::Excluded);
        }
    }

    /// Reports that none, or too many, of the alternatives hold. Where only one comes into question by its type,
    /// what is wrong with that one says more.
    fn no_alternative(
        &mut self,
        branches: &[Node],
        value: &Value,
        trail: &Trail<'_>,
        at: At<'_>,
        matched: usize,
    ) {
        if self.work == 0 {
            return;
        }
        let mut fitting = branches.iter().filter(|branch| branch.types.accept(value));
        if let (0, Some(only), None) = (matched, fitting.next(), fitting.next()) {
            self.node(only, value, trail, at);
            return;
        }
        self.fail(trail, |_| Problem::NoAlternative {
            matched,
            of: branches.len(),
            hints: branches.iter().filter_map(hint).collect(),
        });
    }

    /// Checks the fields of an object. `whole` is present for a whole object, and tells whether it is a custom
    /// resource.
    fn fields(
        &mut self,
        node: &Node,
        object: &Map<String, Value>,
        trail: &Trail<'_>,
        at: At<'_>,
        whole: Option<bool>,
    ) {
        let bare = Object::default();
        let rules = match &node.object {
            Some(rules) => rules,
            None if whole.is_some() => &bare,
            None => {
                if at.here && node.logic.is_some() {
                    self.undeclared(node, object, trail, at);
                }
                return;
            }
        };
        for (key, value) in object {
            if self.is_done() {
                return;
            }
            let here = trail.key(key);
            if (whole.is_some() || rules.embedded)
                && matches!(key.as_str(), "apiVersion" | "kind" | "metadata")
            {
                self.envelope(rules, key, value, &here, at, whole.unwrap_or(true));
                continue;
            }
            let Some(property) = rules.property(key) else {
                self.additional(node, rules, key, value, &here, at);
                continue;
            };
            if value.is_null() {
                continue;
            }
            let required = at.required && !(whole.is_some() && key == "status");
            self.node(
                property,
                value,
                &here,
                At {
                    required,
                    ..at.below()
                },
            );
        }
        if at.required {
            self.required(rules, object, trail);
        }
        self.count(object.len(), "fields", rules.min, rules.max, trail);
    }

    /// Checks one of the fields that every whole object has.
    fn envelope(
        &mut self,
        rules: &Object,
        key: &str,
        value: &Value,
        trail: &Trail<'_>,
        at: At<'_>,
        custom: bool,
    ) {
        let own = rules.property(key);
        if key != "metadata" {
            if let Some(own) = own
                && !value.is_null()
            {
                self.node(own, value, trail, at.below());
            } else if !value.is_string() && !value.is_null() {
                self.fail(trail, |conceal| Problem::WrongType {
                    expected: Types::STRING.words(),
                    found: Found::new(value, conceal),
                });
            }
            return;
        }
        if value.is_null() {
            return;
        }
        let describes = |node: &Node| {
            node.base.is_some() || node.object.as_ref().is_some_and(|rules| !rules.is_bare())
        };
        if !custom && let Some(own) = own.filter(|own| describes(own)) {
            self.node(own, value, trail, at.below());
            return;
        }
        let meta = &OBJECT_META.library;
        if let Some(node) = OBJECT_META.root.and_then(|root| meta.node(root)) {
            self.node(
                node,
                value,
                trail,
                At {
                    library: meta,
                    ..at.below()
                },
            );
        }
        if let Some(own) = own.filter(|own| own.base.is_none()) {
            self.node(own, value, trail, at.lenient());
        }
    }

    /// Checks a field that the rules at hand don't declare.
    fn additional(
        &mut self,
        node: &Node,
        rules: &Object,
        key: &str,
        value: &Value,
        trail: &Trail<'_>,
        at: At<'_>,
    ) {
        match &rules.additional {
            Additional::Each(each) => {
                if !value.is_null() {
                    self.node(each, value, trail, at.below());
                }
            }
            Additional::Refused => self.unknown(node, key, trail, at),
            Additional::Silent | Additional::Closed if at.here => {
                if opinion(at.library, node, key, at.depth) == Opinion::Unknown {
                    self.unknown(node, key, trail, at);
                }
            }
            Additional::Silent | Additional::Closed | Additional::Open => {}
        }
    }

    /// Reports the fields that only alternatives could have declared, and didn't.
    fn undeclared(
        &mut self,
        node: &Node,
        object: &Map<String, Value>,
        trail: &Trail<'_>,
        at: At<'_>,
    ) {
        for key in object.keys() {
            if opinion(at.library, node, key, at.depth) == Opinion::Unknown {
                self.unknown(node, key, &trail.key(key), at);
            }
        }
    }

    fn unknown(&mut self, node: &Node, key: &str, trail: &Trail<'_>, at: At<'_>) {
        self.fail(trail, |_| {
            let mut known = Vec::new();
            names(at.library, node, at.depth, &mut known);
            Problem::UnknownField {
                field: shorten(key).into_owned(),
                suggestion: NAME
                    .contains(&key.len())
                    .then(|| nearest(key, known))
                    .flatten()
                    .map(str::to_owned),
            }
        });
    }

    fn required(&mut self, rules: &Object, object: &Map<String, Value>, trail: &Trail<'_>) {
        for name in &rules.required {
            let absent = match object.get(&**name) {
                None => true,
                Some(Value::Null) => !rules.property(name).is_some_and(|property| {
                    property.nullable || property.types.intersects(Types::NULL)
                }),
                Some(_) => false,
            };
            if absent {
                self.fail(trail, |_| Problem::Missing {
                    field: (**name).to_owned(),
                });
            }
        }
        if rules.embedded {
            for name in ["apiVersion", "kind"] {
                let present = object
                    .get(name)
                    .and_then(Value::as_str)
                    .is_some_and(|text| !text.is_empty());
                if !present && !rules.required.iter().any(|required| &**required == name) {
                    self.fail(trail, |_| Problem::Missing {
                        field: name.to_owned(),
                    });
                }
            }
        }
    }

    fn array(&mut self, array: &Array, items: &[Value], trail: &Trail<'_>, at: At<'_>) {
        self.count(items.len(), "items", array.min, array.max, trail);
        if let Some(rules) = &array.items {
            for (index, item) in items.iter().enumerate() {
                if self.is_done() {
                    return;
                }
                self.node(rules, item, &trail.index(index), at.below());
            }
        }
        match &array.unique {
            Unique::No => {}
            Unique::Whole => {
                self.unique(items, trail, &[], hash, PartialEq::eq);
            }
            Unique::Keys(keys) => {
                let defaults = |key: &str| default_of(at.library, array.items.as_ref()?, key, 0);
                let key_of = |item: &Value, key: &str| -> Option<Value> {
                    match item.get(key) {
                        None | Some(Value::Null) => defaults(key).cloned(),
                        Some(value) => Some(value.clone()),
                    }
                };
                let hashed = |item: &Value| {
                    keys.iter().fold(keys.len() as u64, |sum, key| {
                        let value = match item.get(key) {
                            None | Some(Value::Null) => defaults(key),
                            value => value,
                        };
                        mix(sum, value.map_or(0, hash))
                    })
                };
                let same = |a: &Value, b: &Value| {
                    let agree = |key: &String| key_of(a, key) == key_of(b, key);
                    let any = |key: &String| key_of(a, key).is_some();
                    a.is_object() && b.is_object() && keys.iter().all(agree) && keys.iter().any(any)
                };
                self.unique(items, trail, keys, hashed, same);
            }
        }
    }

    /// Reports entries that repeat an earlier one.
    fn unique(
        &mut self,
        items: &[Value],
        trail: &Trail<'_>,
        keys: &[String],
        hashed: impl Fn(&Value) -> u64,
        same: impl Fn(&Value, &Value) -> bool,
    ) {
        let duplicate = |checker: &mut Self, later: usize, first: usize| {
            let Some(item) = items.get(later) else { return };
            checker.fail(&trail.index(later), |conceal| Problem::Duplicate {
                keys: keys.to_vec(),
                value: shown_key(item, keys, conceal),
                first,
            });
        };
        if items.len() < 2 {
            return;
        }
        if items.len() <= SMALL {
            let mut seen = [0_u64; SMALL];
            for (later, item) in items.iter().enumerate() {
                let own = hashed(item);
                let earlier = seen.iter().zip(items).take(later);
                let first = earlier
                    .enumerate()
                    .find(|(_, (hash, other))| **hash == own && same(other, item))
                    .map(|(first, _)| first);
                if let Some(slot) = seen.get_mut(later) {
                    *slot = own;
                }
                if let Some(first) = first {
                    duplicate(self, later, first);
                }
            }
            return;
        }
        let mut order: Vec<(u64, usize)> = items
            .iter()
            .enumerate()
            .map(|(index, item)| (hashed(item), index))
            .collect();
        order.sort_unstable();
        for group in order
            .chunk_by(|a, b| a.0 == b.0)
            .filter(|group| group.len() > 1)
        {
            let Some(((_, first), rest)) = group.split_first() else {
                continue;
            };
            for (_, later) in rest {
                if let (Some(a), Some(b)) = (items.get(*first), items.get(*later))
                    && same(a, b)
                {
                    duplicate(self, *later, *first);
                }
            }
        }
    }

    fn text(&mut self, rules: &Text, text: &str, value: &Value, trail: &Trail<'_>, at: At<'_>) {
        // Characters are only counted where the number of bytes leaves a doubt.
        let too_short = rules
            .min
            .is_some_and(|min| text.len() < min.saturating_mul(4) && text.chars().count() < min);
        let too_long = rules
            .max
            .is_some_and(|max| text.len() > max && text.chars().count() > max);
        if too_short || too_long {
            self.count(
                text.chars().count(),
                "characters",
                rules.min,
                rules.max,
                trail,
            );
        }
        if let Some(format) = rules.format
            && !format.accepts(text)
        {
            self.fail(trail, |conceal| Problem::Format {
                format: format.words(),
                found: Found::new(value, conceal),
            });
        }
        if let Some(pattern) = &rules.pattern
            && !pattern.matches(text, at.library)
        {
            self.fail(trail, |conceal| Problem::Pattern {
                pattern: pattern.source.clone().into(),
                found: Found::new(value, conceal),
            });
        }
    }

    fn number(
        &mut self,
        bounds: &Bounds,
        types: Types,
        number: &Number,
        value: &Value,
        trail: &Trail<'_>,
    ) {
        let broken = breaks_min(bounds.min.as_ref(), number)
            .or_else(|| breaks_max(bounds.max.as_ref(), number))
            .or_else(|| {
                breaks_width(
                    bounds.width.filter(|_| types.intersects(Types::INTEGER)),
                    number,
                )
            });
        if let Some(limit) = broken {
            self.fail(trail, |conceal| Problem::Range {
                limit,
                found: Found::new(value, conceal),
            });
        }
        if let Some(step) = &bounds.multiple
            && !is_multiple(number, step)
        {
            self.fail(trail, |conceal| Problem::Multiple {
                of: step.to_string(),
                found: Found::new(value, conceal),
            });
        }
    }

    fn count(
        &mut self,
        found: usize,
        unit: &'static str,
        min: Option<usize>,
        max: Option<usize>,
        trail: &Trail<'_>,
    ) {
        let limit = match (min, max) {
            (Some(min), _) if found < min => Limit::AtLeast(min.to_string()),
            (_, Some(max)) if found > max => Limit::AtMost(max.to_string()),
            _ => return,
        };
        self.fail(trail, |_| Problem::Length { unit, limit, found });
    }
}

/// Tells what a schema, with all its parts, has to say about a field of an object.
fn opinion(library: &Library, node: &Node, key: &str, depth: u16) -> Opinion {
    // References can be cyclic, and alternatives multiply: a short way is enough for any sane schema.
    fn look(library: &Library, node: &Node, key: &str, depth: u16, work: &mut u16) -> Opinion {
        if depth >= DEPTH || *work == 0 {
            return Opinion::Known;
        }
        *work -= 1;
        let mut opinion = Opinion::Silent;
        if let Some(rules) = &node.object {
            opinion = match &rules.additional {
                _ if rules.property(key).is_some() => Opinion::Known,
                Additional::Open | Additional::Each(_) => Opinion::Known,
                Additional::Silent if rules.is_bare() => Opinion::Silent,
                Additional::Silent | Additional::Closed | Additional::Refused => Opinion::Unknown,
            };
        }
        if opinion == Opinion::Known {
            return opinion;
        }
        let base = node.base.and_then(|base| library.node(base));
        let logic = node.logic.iter().flat_map(|logic| logic.branches());
        for part in base.into_iter().chain(logic) {
            opinion = opinion.max(look(library, part, key, depth + 1, work));
            if opinion == Opinion::Known {
                break;
            }
        }
        opinion
    }
    look(library, node, key, depth, &mut 1000)
}

/// Collects the names of all fields that a schema declares.
fn names<'a>(library: &'a Library, node: &'a Node, depth: u16, known: &mut Vec<&'a str>) {
    if depth >= DEPTH || known.len() > 1000 {
        return;
    }
    if let Some(rules) = &node.object {
        known.extend(rules.names());
        if rules.embedded {
            known.extend(["apiVersion", "kind", "metadata"]);
        }
    }
    if let Some(base) = node.base.and_then(|base| library.node(base)) {
        names(library, base, depth + 1, known);
    }
    // One level of alternatives: more would take long for a cyclic schema, and it's only a suggestion.
    for part in node.logic.iter().flat_map(|logic| logic.branches()) {
        known.extend(part.object.iter().flat_map(|rules| rules.names()));
    }
}

/// Says briefly what an alternative asks for.
fn hint(node: &Node) -> Option<String> {
    let rules = node.object.as_deref()?;
    let names: Vec<String> = rules
        .required
        .iter()
        .map(|name| format!("{name:?}"))
        .collect();
    (!names.is_empty()).then(|| format!("with {}", names.join(" and ")))
}

/// Returns what a field of an array's entries is when it's left out.
fn default_of<'a>(
    library: &'a Library,
    node: &'a Node,
    key: &str,
    depth: u16,
) -> Option<&'a Value> {
    if depth >= 16 {
        return None;
    }
    let own = node.object.as_ref().and_then(|rules| rules.property(key));
    match own {
        Some(property) => property.default.as_deref(),
        None => default_of(library, library.node(node.base?)?, key, depth + 1),
    }
}

/// Returns the text by which an entry of an array is known.
fn shown_key(item: &Value, keys: &[String], conceal: bool) -> Option<String> {
    let shown = |value: &Value| Found::new(value, conceal).text;
    if keys.is_empty() {
        return shown(item);
    }
    let values: Vec<String> = keys
        .iter()
        .filter_map(|key| item.get(key).and_then(shown))
        .collect();
    (!values.is_empty()).then(|| values.join(", "))
}

fn breaks_min(min: Option<&Bound>, number: &Number) -> Option<Limit> {
    let min = min?;
    let (value, bound) = (number.as_f64()?, min.value.as_f64()?);
    if min.exclusive {
        (value <= bound).then(|| Limit::Above(min.value.to_string()))
    } else {
        (value < bound).then(|| Limit::AtLeast(min.value.to_string()))
    }
}

fn breaks_max(max: Option<&Bound>, number: &Number) -> Option<Limit> {
    let max = max?;
    let (value, bound) = (number.as_f64()?, max.value.as_f64()?);
    if max.exclusive {
        (value >= bound).then(|| Limit::Below(max.value.to_string()))
    } else {
        (value > bound).then(|| Limit::AtMost(max.value.to_string()))
    }
}

fn breaks_width(width: Option<Width>, number: &Number) -> Option<Limit> {
    let (least, most) = match width? {
        Width::Bits32 => (i64::from(i32::MIN), i64::from(i32::MAX)),
        Width::Bits64 => (i64::MIN, i64::MAX),
    };
    let above = match number.as_i64() {
        Some(value) if value < least => false,
        Some(value) if value > most => true,
        Some(_) => return None,
        None => match number.as_f64() {
            // 2^63 and 2^31, exactly.
            Some(value)
                if value
                    >= if most == i64::MAX {
                        9_223_372_036_854_775_808.0
                    } else {
                        2_147_483_648.0
                    } =>
            {
                true
            }
            Some(value)
                if value
                    < if most == i64::MAX {
                        -9_223_372_036_854_775_808.0
                    } else {
                        -2_147_483_648.0
                    } =>
            {
                false
            }
            _ => return None,
        },
    };
    Some(if above {
        Limit::AtMost(most.to_string())
    } else {
        Limit::AtLeast(least.to_string())
    })
}

fn is_multiple(number: &Number, step: &Number) -> bool {
    if let (Some(number), Some(step)) = (number.as_i64(), step.as_i64()) {
        return step == 0 || number.checked_rem(step).is_none_or(|rest| rest == 0);
    }
    let (Some(number), Some(step)) = (number.as_f64(), step.as_f64()) else {
        return true;
    };
    let ratio = number / step;
    (ratio - ratio.round()).abs() < 1e-9 * ratio.abs().max(1.0)
}

/// Mixes a hash into another (FNV-1a, eight bytes at a time).
const fn mix(sum: u64, value: u64) -> u64 {
    (sum ^ value).wrapping_mul(0x0100_0000_01b3).rotate_left(23)
}

/// Hashes a value so that equal values agree. The order of an object's keys doesn't matter.
fn hash(value: &Value) -> u64 {
    let text = |text: &str| text.bytes().fold(17, |sum, byte| mix(sum, u64::from(byte)));
    match value {
        Value::Null => 1,
        Value::Bool(value) => 2 + u64::from(*value),
        Value::Number(number) => mix(4, number.as_f64().unwrap_or_default().to_bits()),
        Value::String(value) => mix(5, text(value)),
        Value::Array(items) => items.iter().fold(6, |sum, item| mix(sum, hash(item))),
        Value::Object(fields) => fields.iter().fold(7, |sum: u64, (key, value)| {
            sum.wrapping_add(mix(text(key), hash(value)))
        }),
    }
}
