//! Rendering: walking the tree with variables, and what bounds it.

use super::function::{Arguments, Body, Function, Type};
use super::number::Literal;
use super::parser::{Branch, Command, MAIN, Name, Node, Operand, Pipe, Program, Term};
use super::time::Time;
use super::value::{List, ListKind, Map, MapKind, Mark, Text, Value};
use super::{Problem, Source, Variables, format, pattern};

/// Deepest nesting of values that is written.
pub(super) const DEPTH_OF_VALUES: usize = 200;
/// Deepest nesting of actions, pipelines and templates at work.
const DEPTH: usize = 500;
/// How many nodes and commands may be evaluated.
const STEPS: usize = 2_000_000;
/// How many bytes of texts a function goes through in a step.
const BYTES_PER_STEP: usize = 64;
/// How many bytes may be written and made, in all.
const BYTES: usize = 64 << 20;

/// What is wrong, and where.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) problem: Problem,
}

type Evaluated<T> = Result<T, Fault>;

/// How to go on after a node.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

/// What the text that is written so far begins with.
#[derive(Clone, Copy)]
enum Beginning {
    Nothing,
    Marked(Mark),
    Plain,
}

/// One rendering.
pub(super) struct Run<'a> {
    program: &'a Program,
    text: &'a str,
    pub(super) patterns: &'a pattern::Cache,
    variables: &'a Variables,
    /// The variables as a map, once something asks for it.
    root: Option<Map<'a>>,
    /// Every map, since they can hold one another: they are emptied at the end.
    maps: Vec<Map<'a>>,
    names: Vec<(Name, Value<'a>)>,
    /// Where the names of the template at work begin.
    floor: usize,
    spare: Vec<Vec<Value<'a>>>,
    out: Vec<u8>,
    beginning: Beginning,
    depth: usize,
    steps: usize,
    bytes: usize,
    source: Option<&'a mut dyn Source>,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        program: &'a Program,
        text: &'a str,
        patterns: &'a pattern::Cache,
        variables: &'a Variables,
        source: Option<&'a mut dyn Source>,
    ) -> Self {
        Self {
            program,
            text,
            patterns,
            variables,
            root: None,
            maps: Vec::new(),
            names: Vec::new(),
            floor: 0,
            spare: Vec::new(),
            out: Vec::with_capacity(text.len()),
            beginning: Beginning::Nothing,
            depth: 0,
            steps: STEPS,
            bytes: BYTES,
            source,
        }
    }

    /// Renders what stands outside of every `define`.
    pub(super) fn main(mut self) -> Evaluated<(Vec<u8>, Option<Mark>)> {
        let result = self.template(0, MAIN, &Value::Root);
        for map in &self.maps {
            map.clear();
        }
        result?;
        let mark = match self.beginning {
            Beginning::Marked(mark) => Some(mark),
            Beginning::Nothing | Beginning::Plain => None,
        };
        Ok((self.out, mark))
    }

    // What functions ask for.

    /// Takes some bytes off what may be made.
    pub(super) fn charge(&mut self, bytes: usize) -> Result<(), Problem> {
        match self.bytes.checked_sub(bytes) {
            Some(rest) => {
                self.bytes = rest;
                Ok(())
            }
            None => Err(Problem::too_much()),
        }
    }

    /// Takes some steps off what may be done.
    pub(super) fn step(&mut self, count: usize) -> Result<(), Problem> {
        match self.steps.checked_sub(count) {
            Some(rest) => {
                self.steps = rest;
                Ok(())
            }
            None => Err(Problem::Limit("more steps than any object needs")),
        }
    }

    /// The same for going through some bytes, so many times.
    pub(super) fn step_through(&mut self, bytes: usize, times: usize) -> Result<(), Problem> {
        self.step(bytes.saturating_mul(times) / BYTES_PER_STEP)
    }

    /// Returns how many bytes may still be made.
    pub(super) fn room(&self) -> usize {
        self.bytes
    }

    /// Returns bytes that were made as a value.
    pub(super) fn text(&mut self, bytes: impl Into<Vec<u8>>) -> Result<Value<'a>, Problem> {
        let bytes = bytes.into();
        self.charge(bytes.len())?;
        Ok(Value::Text(Text::owned(bytes)))
    }

    /// Returns items as a list.
    pub(super) fn list(&mut self, items: Vec<Value<'a>>) -> Result<Value<'a>, Problem> {
        self.list_of(ListKind::Any, items)
    }

    /// Returns items as a list that is declared to hold something.
    pub(super) fn list_of(
        &mut self,
        kind: ListKind,
        items: Vec<Value<'a>>,
    ) -> Result<Value<'a>, Problem> {
        self.charge(items.len().saturating_mul(size_of::<Value<'_>>()) + 32)?;
        let list = List::new(kind, items);
        if list.depth() > DEPTH_OF_VALUES {
            return Err(Problem::too_deep());
        }
        Ok(Value::List(list))
    }

    /// Returns a new map.
    pub(super) fn map(&mut self, kind: MapKind) -> Result<Map<'a>, Problem> {
        self.charge(128)?;
        let map = Map::new(kind, false);
        self.maps.push(map.clone());
        Ok(map)
    }

    /// Puts a value into a map.
    pub(super) fn put(
        &mut self,
        map: &Map<'a>,
        key: Text<'a>,
        value: Value<'a>,
    ) -> Result<(), Problem> {
        if map.is_nil() {
            return Err("assignment to entry in nil map".into());
        }
        self.charge(128)?;
        map.insert(key, value);
        Ok(())
    }

    /// Returns the time of day.
    pub(super) fn now(&mut self) -> Result<Time, Problem> {
        match &mut self.source {
            Some(source) => {
                let (seconds, nanoseconds) = source.now();
                Ok(Time::utc(seconds, nanoseconds))
            }
            None => Err("needs a clock, and there is none here".into()),
        }
    }

    /// Returns random bytes.
    pub(super) fn random(&mut self, count: usize) -> Result<Vec<u8>, Problem> {
        self.charge(count)?;
        match &mut self.source {
            Some(source) => {
                let mut bytes = vec![0; count];
                source.fill(&mut bytes);
                Ok(bytes)
            }
            None => Err("needs randomness, and there is none here".into()),
        }
    }

    /// Returns the variables as a map.
    fn root(&mut self) -> Result<Map<'a>, Problem> {
        if let Some(root) = &self.root {
            return Ok(root.clone());
        }
        let map = self.map(MapKind::Variables)?;
        for (name, value) in self.variables {
            let value = Value::Text(Text::borrowed(value.as_bytes()));
            self.put(&map, Text::borrowed(name.as_bytes()), value)?;
        }
        self.root = Some(map.clone());
        Ok(map)
    }

    /// Returns the value as functions and loops see it.
    fn settled(&mut self, value: Value<'a>) -> Result<Value<'a>, Problem> {
        match value {
            Value::Root => Ok(Value::Map(self.root()?)),
            other => Ok(other),
        }
    }

    // Nodes.

    fn deeper<T>(
        &mut self,
        at: usize,
        work: impl FnOnce(&mut Self) -> Evaluated<T>,
    ) -> Evaluated<T> {
        if self.depth >= DEPTH {
            let problem = Problem::Limit("templates too deep inside one another");
            return Err(Fault { at, problem });
        }
        self.depth += 1;
        let result = work(self);
        self.depth -= 1;
        result
    }

    fn template(&mut self, at: usize, name: &str, dot: &Value<'a>) -> Evaluated<()> {
        let program = self.program;
        let body = program
            .names
            .get(name)
            .and_then(|index| program.definitions.get(*index));
        let Some(body) = body else {
            return fail(at, format!("template {name:?} not defined"));
        };
        let mark = self.names.len();
        let floor = std::mem::replace(&mut self.floor, mark);
        self.names.push((Name::WHOLE, dot.clone()));
        let result = self.deeper(at, |run| run.nodes(dot, body));
        self.names.truncate(mark);
        self.floor = floor;
        result.map(drop)
    }

    fn nodes(&mut self, dot: &Value<'a>, nodes: &'a [Node]) -> Evaluated<Flow> {
        for node in nodes {
            let flow = self.node(dot, node)?;
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    fn node(&mut self, dot: &Value<'a>, node: &'a Node) -> Evaluated<Flow> {
        match node {
            Node::Text(range) => {
                let text = self.text.get(range.clone()).unwrap_or_default();
                self.step(1)
                    .and_then(|()| self.write(text.as_bytes(), None))
                    .at(range.start)?;
            }
            Node::Action(pipe) => {
                let value = self.pipe(dot, pipe)?;
                if pipe.variables.is_empty() {
                    self.print(value).at(pipe.at)?;
                }
            }
            Node::If(branch) => return self.branch(dot, branch, false),
            Node::With(branch) => return self.branch(dot, branch, true),
            Node::Range(branch) => return self.range(dot, branch),
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
            Node::Template { at, name, pipe } => {
                let inner = match pipe {
                    Some(pipe) => self.pipe(dot, pipe)?,
                    None => Value::Nil,
                };
                self.step(1).at(*at)?;
                self.template(*at, name, &inner)?;
            }
        }
        Ok(Flow::Next)
    }

    fn write(&mut self, bytes: &[u8], mark: Option<Mark>) -> Result<(), Problem> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.charge(bytes.len())?;
        self.beginning = match (self.beginning, mark) {
            (Beginning::Nothing, Some(mark)) | (Beginning::Marked(mark), None) => {
                Beginning::Marked(mark)
            }
            _ => Beginning::Plain,
        };
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    fn print(&mut self, value: Value<'a>) -> Result<(), Problem> {
        match value {
            Value::Text(text) => self.write(text.bytes(), text.mark),
            Value::Nil | Value::Null => self.write(b"<no value>", None),
            other => {
                let settled = self.settled(other)?;
                let text = format::plain(&settled, self.room())?;
                self.write(&text, None)
            }
        }
    }

    fn branch(&mut self, dot: &Value<'a>, branch: &'a Branch, is_with: bool) -> Evaluated<Flow> {
        let mark = self.names.len();
        let value = self.pipe(dot, &branch.pipe)?;
        let is_true = match value {
            Value::Root => match &self.root {
                Some(root) => root.len() > 0,
                None => !self.variables.is_empty(),
            },
            ref other => other.is_true(),
        };
        let flow = self.deeper(branch.pipe.at, |run| match &branch.otherwise {
            _ if is_true && is_with => run.nodes(&value, &branch.body),
            _ if is_true => run.nodes(dot, &branch.body),
            Some(otherwise) => run.nodes(dot, otherwise),
            None => Ok(Flow::Next),
        });
        self.names.truncate(mark);
        flow
    }

    fn range(&mut self, dot: &Value<'a>, branch: &'a Branch) -> Evaluated<Flow> {
        let outer = self.names.len();
        let value = self.pipe(dot, &branch.pipe)?;
        let at = branch.pipe.at;
        let value = self.settled(value).at(at)?;
        let is_empty = self.deeper(at, |run| run.iterate(&value, branch))?;
        let mut flow = Flow::Next;
        if is_empty && let Some(otherwise) = &branch.otherwise {
            flow = self.deeper(at, |run| run.nodes(dot, otherwise))?;
        }
        self.names.truncate(outer);
        Ok(flow)
    }

    /// Runs the body for everything in a value; tells whether there was nothing.
    fn iterate(&mut self, value: &Value<'a>, branch: &'a Branch) -> Evaluated<bool> {
        let at = branch.pipe.at;
        let count = match value {
            Value::Nil => return Ok(true),
            Value::Int(count) | Value::Int64(count) => *count,
            Value::Byte(count) => i64::from(*count),
            Value::Unsigned(count) => i64::try_from(*count).unwrap_or(i64::MAX),
            Value::List(list) => {
                for (index, item) in list.items().iter().enumerate() {
                    let index = Value::Int(i64::try_from(index).unwrap_or(i64::MAX));
                    if self.iteration(branch, &index, item)? == Flow::Break {
                        break;
                    }
                }
                return Ok(list.items().is_empty());
            }
            Value::Map(map) => {
                self.charge(map.len().saturating_mul(64)).at(at)?;
                let entries = map.entries();
                let is_empty = entries.is_empty();
                for (key, item) in entries {
                    if self.iteration(branch, &Value::Text(key), &item)? == Flow::Break {
                        break;
                    }
                }
                return Ok(is_empty);
            }
            other => {
                return fail(
                    at,
                    format!("range can't iterate over a {}", other.type_name()),
                );
            }
        };
        if branch.pipe.variables.len() > 1 {
            return fail(at, "a number is iterated over with one variable only");
        }
        for number in 0..count {
            let item = match value {
                Value::Int64(_) => Value::Int64(number),
                Value::Byte(_) => Value::Byte(u8::try_from(number).unwrap_or(u8::MAX)),
                Value::Unsigned(_) => Value::Unsigned(number.unsigned_abs()),
                _ => Value::Int(number),
            };
            if self.iteration(branch, &Value::Nil, &item)? == Flow::Break {
                break;
            }
        }
        Ok(count <= 0)
    }

    fn iteration(
        &mut self,
        branch: &'a Branch,
        index: &Value<'a>,
        item: &Value<'a>,
    ) -> Evaluated<Flow> {
        let at = branch.pipe.at;
        self.step(1).at(at)?;
        let mark = self.names.len();
        let value_of = |position: usize| {
            if position + 1 < branch.pipe.variables.len() {
                index.clone()
            } else {
                item.clone()
            }
        };
        let count = branch.pipe.variables.len();
        for (position, name) in branch.pipe.variables.iter().enumerate() {
            let value = value_of(position);
            if branch.pipe.is_assignment {
                self.assign(at, *name, value)?;
            } else if let Some(slot) = self.names.get_mut(mark.wrapping_sub(count - position)) {
                slot.1 = value;
            }
        }
        let flow = self.nodes(item, &branch.body);
        self.names.truncate(mark);
        flow
    }

    fn assign(&mut self, at: usize, name: Name, value: Value<'a>) -> Evaluated<()> {
        let floor = self.floor;
        let mut slots = self.names.iter_mut().skip(floor).rev();
        match slots.find(|slot| slot.0 == name) {
            Some(slot) => {
                slot.1 = value;
                Ok(())
            }
            None => fail(at, "undefined variable"),
        }
    }

    fn named(&self, at: usize, name: Name) -> Evaluated<Value<'a>> {
        let mut slots = self.names.iter().skip(self.floor).rev();
        match slots.find(|slot| slot.0 == name) {
            Some(slot) => Ok(slot.1.clone()),
            None => fail(at, "undefined variable"),
        }
    }

    // Pipelines.

    fn pipe(&mut self, dot: &Value<'a>, pipe: &'a Pipe) -> Evaluated<Value<'a>> {
        let mut value = None;
        for command in &pipe.commands {
            value = Some(match self.command(dot, command, value)? {
                Value::Null => Value::Nil,
                other => other,
            });
        }
        let value = value.unwrap_or(Value::Nil);
        for name in &pipe.variables {
            if pipe.is_assignment {
                self.assign(pipe.at, *name, value.clone())?;
            } else {
                self.names.push((*name, value.clone()));
            }
        }
        Ok(value)
    }

    fn command(
        &mut self,
        dot: &Value<'a>,
        command: &'a Command,
        last: Option<Value<'a>>,
    ) -> Evaluated<Value<'a>> {
        let first = &command.first;
        let at = first.range.start;
        self.step(1).at(at)?;
        if let Term::Function(function) = &first.term {
            return self.deeper(at, |run| run.call(dot, at, function, &command.rest, last));
        }
        if !command.rest.is_empty() || last.is_some() {
            let text = self.text.get(first.range.clone()).unwrap_or_default();
            return fail(at, format!("can't give argument to non-function {text}"));
        }
        if matches!(first.term, Term::Nil) {
            return fail(at, "nil is not a command");
        }
        self.operand(dot, first)
    }

    /// Evaluates what stands alone, whatever its type.
    fn operand(&mut self, dot: &Value<'a>, operand: &'a Operand) -> Evaluated<Value<'a>> {
        let at = operand.range.start;
        match &operand.term {
            Term::Dot => Ok(dot.clone()),
            Term::Nil => Ok(Value::Nil),
            Term::Boolean(value) => Ok(Value::Boolean(*value)),
            Term::Number(literal) => Ok(ideal(literal)),
            Term::Text(text) => Ok(Value::Text(Text::borrowed(text))),
            Term::Field(path) => self.fields(at, dot.clone(), path),
            Term::Variable(name, path) => {
                let value = self.named(at, *name)?;
                self.fields(at, value, path)
            }
            Term::Function(function) => {
                self.deeper(at, |run| run.call(dot, at, function, &[], None))
            }
            Term::Pipe(pipe) => self.deeper(at, |run| run.pipe(dot, pipe)),
            Term::Chain(inner, path) => {
                let value = self.operand(dot, inner)?;
                self.fields(at, value, path)
            }
        }
    }

    fn fields(
        &mut self,
        at: usize,
        mut value: Value<'a>,
        path: &'a [String],
    ) -> Evaluated<Value<'a>> {
        for name in path {
            value = self.field(value, name).at(at)?;
        }
        Ok(value)
    }

    fn field(&mut self, value: Value<'a>, name: &'a str) -> Result<Value<'a>, Problem> {
        let value = match (value, &self.root) {
            (Value::Root, Some(root)) => Value::Map(root.clone()),
            (other, _) => other,
        };
        match value {
            Value::Root => match self.variables.get(name) {
                Some(text) => Ok(Value::Text(Text::borrowed(text.as_bytes()))),
                None => Err(Problem::Missing {
                    key: name.to_owned(),
                    known: self.variables.keys().cloned().collect(),
                }),
            },
            Value::Map(map) => map.get(name.as_bytes()).ok_or_else(|| {
                let entries = map.entries().into_iter();
                Problem::Missing {
                    key: name.to_owned(),
                    known: entries
                        .map(|(key, _)| String::from_utf8_lossy(key.bytes()).into_owned())
                        .collect(),
                }
            }),
            Value::Nil | Value::Null => Err(format!("nil data; no entry for key {name:?}").into()),
            Value::Version(version) => match name {
                "Major" => Ok(Value::Unsigned(version.major)),
                "Minor" => Ok(Value::Unsigned(version.minor)),
                "Patch" => Ok(Value::Unsigned(version.patch)),
                "Prerelease" => self.text(version.prerelease.clone()),
                "Metadata" => self.text(version.metadata.clone()),
                "Original" => self.text(version.original.clone()),
                "String" => self.text(version.to_string()),
                _ => Err(format!("a version has no {name}").into()),
            },
            other => {
                let kind = other.type_name();
                Err(format!("can't evaluate field {name} in type {kind}").into())
            }
        }
    }

    // Functions.

    fn call(
        &mut self,
        dot: &Value<'a>,
        at: usize,
        function: &'static Function,
        operands: &'a [Operand],
        last: Option<Value<'a>>,
    ) -> Evaluated<Value<'a>> {
        let count = operands.len() + usize::from(last.is_some());
        let wanted = function.fixed.len();
        if count < wanted || (count > wanted && function.variadic.is_none()) {
            let open = if function.variadic.is_some() {
                "at least "
            } else {
                ""
            };
            let name = function.name;
            let message =
                format!("wrong number of args for {name}: want {open}{wanted} got {count}");
            return fail(at, message);
        }
        if let Body::And | Body::Or = function.body {
            return self.decide(dot, matches!(function.body, Body::Or), operands, last);
        }
        let mut values = self.spare.pop().unwrap_or_default();
        let result = self.arguments(dot, at, function, operands, last, &mut values);
        let result = result.and_then(|()| {
            let lengths = values.iter().map(|value| match value {
                Value::Text(text) => text.bytes().len(),
                _ => 0,
            });
            let bytes = lengths.fold(0, usize::saturating_add);
            self.step_through(bytes, 1).at(at)
        });
        let result = result.and_then(|()| match function.body {
            Body::And | Body::Or => Ok(Value::Nil),
            Body::Call(body) => body(self, Arguments(&values)).map_err(|problem| Fault {
                at,
                problem: match problem {
                    Problem::Other(message) => Problem::Function {
                        function: function.name,
                        message,
                    },
                    other => other,
                },
            }),
        });
        values.clear();
        self.spare.push(values);
        result
    }

    fn arguments(
        &mut self,
        dot: &Value<'a>,
        at: usize,
        function: &'static Function,
        operands: &'a [Operand],
        last: Option<Value<'a>>,
        values: &mut Vec<Value<'a>>,
    ) -> Evaluated<()> {
        let type_of = |index: usize| {
            let fixed = function.fixed.get(index).copied();
            fixed.or(function.variadic).unwrap_or(Type::Any)
        };
        for (index, operand) in operands.iter().enumerate() {
            values.push(self.argument(dot, type_of(index), operand)?);
        }
        if let Some(last) = last {
            values.push(self.fitted(last, type_of(operands.len())).at(at)?);
        }
        Ok(())
    }

    /// Evaluates `and` and `or`, which stop at the argument that decides.
    fn decide(
        &mut self,
        dot: &Value<'a>,
        is_or: bool,
        operands: &'a [Operand],
        last: Option<Value<'a>>,
    ) -> Evaluated<Value<'a>> {
        let mut value = Value::Nil;
        for operand in operands {
            value = self.argument(dot, Type::Any, operand)?;
            if value.is_true() == is_or {
                return Ok(value);
            }
        }
        Ok(last.unwrap_or(value))
    }

    fn argument(
        &mut self,
        dot: &Value<'a>,
        expected: Type,
        operand: &'a Operand,
    ) -> Evaluated<Value<'a>> {
        let at = operand.range.start;
        match (&operand.term, expected) {
            (Term::Nil, Type::Any) => Ok(Value::Nil),
            (Term::Nil, Type::Map) => Ok(Value::Map(Map::new(MapKind::Any, true))),
            (Term::Nil, _) => fail(at, format!("cannot assign nil to {}", expected.name())),
            (Term::Number(literal), Type::Int) => match literal.integer {
                Some(integer) => Ok(Value::Int(integer)),
                None => fail(at, "expected integer"),
            },
            (Term::Number(literal), Type::Float) => Ok(Value::Float(literal.float)),
            _ => {
                let value = self.operand(dot, operand)?;
                self.fitted(value, expected).at(at)
            }
        }
    }

    /// Returns a value as a parameter takes it.
    fn fitted(&mut self, value: Value<'a>, expected: Type) -> Result<Value<'a>, Problem> {
        let value = self.settled(value)?;
        match (expected, value) {
            (Type::Any, Value::Null) => Ok(Value::Nil),
            (Type::Any, value)
            | (Type::Text, value @ Value::Text(_))
            | (Type::Int, value @ Value::Int(_))
            | (Type::Float, value @ Value::Float(_))
            | (Type::Boolean, value @ Value::Boolean(_))
            | (Type::Time, value @ Value::Time(_)) => Ok(value),
            (Type::Map, Value::Map(map)) if map.kind() != MapKind::Texts => Ok(Value::Map(map)),
            (Type::Map, Value::Nil) => Ok(Value::Map(Map::new(MapKind::Any, true))),
            (expected, value) => Err(Problem::Other(format!(
                "wrong type for value; expected {}; got {}",
                expected.name(),
                value.type_name()
            ))),
        }
    }
}

/// Returns what a number is where any value fits.
fn ideal<'a>(literal: &Literal) -> Value<'a> {
    match literal.integer {
        Some(integer) if !literal.is_float => Value::Int(integer),
        _ => Value::Float(literal.float),
    }
}

fn fail<T>(at: usize, message: impl Into<String>) -> Evaluated<T> {
    Err(Fault {
        at,
        problem: Problem::Other(message.into()),
    })
}

/// Says where a problem is.
trait At<T> {
    fn at(self, at: usize) -> Evaluated<T>;
}

impl<T> At<T> for Result<T, Problem> {
    fn at(self, at: usize) -> Evaluated<T> {
        self.map_err(|problem| Fault { at, problem })
    }
}
