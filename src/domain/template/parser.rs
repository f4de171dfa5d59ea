//! From tokens to a tree: actions, pipelines, and the templates that a template defines.

use std::collections::BTreeMap;
use std::ops::Range;

use super::function::{self, Function};
use super::lexer::{self, Fault, Keyword, Kind, Token};
use super::{number, rune};

/// Deepest nesting of actions and parentheses.
const DEPTH: usize = 100;
/// The name of what stands outside of every `define`.
pub(super) const MAIN: &str = "template";

/// Everything that a text defines.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) definitions: Vec<Vec<Node>>,
    pub(super) names: BTreeMap<String, usize>,
    /// The functions that are called, each once, in the order of their names.
    pub(super) called: Vec<&'static Function>,
}

/// Text or an action.
#[derive(Debug)]
pub(super) enum Node {
    Text(Range<usize>),
    Action(Pipe),
    If(Branch),
    With(Branch),
    Range(Branch),
    Break,
    Continue,
    Template {
        at: usize,
        name: String,
        pipe: Option<Pipe>,
    },
}

/// An action with a body and perhaps another one.
#[derive(Debug)]
pub(super) struct Branch {
    pub(super) pipe: Pipe,
    pub(super) body: Vec<Node>,
    pub(super) otherwise: Option<Vec<Node>>,
}

/// Commands, each of which gets what the one before yields.
#[derive(Debug)]
pub(super) struct Pipe {
    pub(super) at: usize,
    pub(super) variables: Vec<Name>,
    pub(super) is_assignment: bool,
    pub(super) commands: Vec<Command>,
}

/// A variable's name, numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Name(usize);

impl Name {
    /// `$`, what the template was given.
    pub(super) const WHOLE: Self = Self(0);
}

/// A function or a value, with arguments.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) first: Operand,
    pub(super) rest: Vec<Operand>,
}

/// A value, and where it stands.
#[derive(Debug)]
pub(super) struct Operand {
    pub(super) range: Range<usize>,
    pub(super) term: Term,
}

/// A kind of value.
#[derive(Debug)]
pub(super) enum Term {
    Dot,
    Nil,
    Boolean(bool),
    Number(number::Literal),
    Text(Box<[u8]>),
    Field(Vec<String>),
    Variable(Name, Vec<String>),
    Function(&'static Function),
    Pipe(Box<Pipe>),
    Chain(Box<Operand>, Vec<String>),
}

/// Reads a template.
pub(super) fn parse(text: &str) -> Result<Program, Fault> {
    let (tokens, fault) = lexer::tokens(text);
    let mut parser = Parser {
        text,
        tokens,
        fault,
        at: 0,
        depth: 0,
        ranges: 0,
        numbers: vec!["$".to_owned()],
        visible: vec![Name::WHOLE],
        program: Program {
            definitions: Vec::new(),
            names: BTreeMap::new(),
            called: Vec::new(),
        },
    };
    parser.whole()?;
    parser.program.called.sort_by_key(|function| function.name);
    parser.program.called.dedup_by_key(|function| function.name);
    Ok(parser.program)
}

struct Parser<'t> {
    text: &'t str,
    tokens: Vec<Token>,
    fault: Option<Fault>,
    at: usize,
    depth: usize,
    /// How many `range` we are in.
    ranges: usize,
    numbers: Vec<String>,
    visible: Vec<Name>,
    program: Program,
}

/// What ends a list of nodes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    End,
    Else,
    Text,
}

type Parsed<T> = Result<T, Fault>;

impl Parser<'_> {
    fn peek(&self) -> Token {
        let last = self.tokens.len().saturating_sub(1);
        match self.tokens.get(self.at.min(last)) {
            Some(token) => token.clone(),
            None => Token {
                kind: Kind::End,
                range: 0..0,
            },
        }
    }

    fn next(&mut self) -> Token {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn skip_space(&mut self) {
        while self.peek().kind == Kind::Space {
            self.at += 1;
        }
    }

    fn peek_word(&mut self) -> Token {
        self.skip_space();
        self.peek()
    }

    fn next_word(&mut self) -> Token {
        self.skip_space();
        self.next()
    }

    fn text(&self, token: &Token) -> &str {
        self.text.get(token.range.clone()).unwrap_or_default()
    }

    fn wrong<T>(&mut self, token: &Token, message: impl Into<String>) -> Parsed<T> {
        if token.kind == Kind::End
            && let Some(fault) = self.fault.take()
        {
            return Err(fault);
        }
        Err(Fault {
            at: token.range.start,
            message: message.into(),
        })
    }

    fn unexpected<T>(&mut self, token: &Token, context: &str) -> Parsed<T> {
        let what = match token.kind {
            Kind::End => "end of the text".to_owned(),
            Kind::Text => "text".to_owned(),
            _ => format!("{:?}", self.text(token)),
        };
        self.wrong(token, format!("unexpected {what} in {context}"))
    }

    fn close(&mut self, context: &str) -> Parsed<()> {
        let token = self.next_word();
        match token.kind {
            Kind::Close => Ok(()),
            _ => self.unexpected(&token, context),
        }
    }

    fn deeper<T>(&mut self, run: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= DEPTH {
            let token = self.peek();
            return self.wrong(&token, format!("more than {DEPTH} levels of nesting"));
        }
        self.depth += 1;
        let result = run(self);
        self.depth -= 1;
        result
    }

    fn whole(&mut self) -> Parsed<()> {
        let (nodes, stop) = self.nodes(true)?;
        let token = self.peek();
        match stop {
            Stop::Text => {}
            Stop::End => return self.wrong(&token, "unexpected {{end}}"),
            Stop::Else => return self.wrong(&token, "unexpected {{else}}"),
        }
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        self.define(MAIN.to_owned(), nodes, &token)
    }

    /// Reads up to an `end`, an `else`, or the end of the text.
    fn nodes(&mut self, is_outermost: bool) -> Parsed<(Vec<Node>, Stop)> {
        let mut nodes = Vec::new();
        loop {
            let token = self.next_word();
            match token.kind {
                Kind::Text => nodes.push(Node::Text(token.range)),
                Kind::Open => {
                    let word = self.peek_word();
                    match word.kind {
                        Kind::Keyword(Keyword::Define) if is_outermost => {
                            self.at += 1;
                            self.definition()?;
                        }
                        Kind::Keyword(Keyword::End) => {
                            self.at += 1;
                            self.close("end")?;
                            return Ok((nodes, Stop::End));
                        }
                        Kind::Keyword(Keyword::Else) => {
                            self.at += 1;
                            let after = self.peek_word();
                            if !matches!(after.kind, Kind::Keyword(Keyword::If | Keyword::With)) {
                                self.close("else")?;
                            }
                            return Ok((nodes, Stop::Else));
                        }
                        _ => nodes.push(self.deeper(Self::action)?),
                    }
                }
                Kind::End if is_outermost && self.fault.is_none() => {
                    return Ok((nodes, Stop::Text));
                }
                Kind::End => {
                    return self.wrong(&token, "unexpected end of the text; {{end}} is missing");
                }
                _ => return self.unexpected(&token, "input"),
            }
        }
    }

    fn action(&mut self) -> Parsed<Node> {
        let token = self.peek_word();
        let Kind::Keyword(keyword) = token.kind else {
            return Ok(Node::Action(self.pipe("command", Kind::Close)?));
        };
        self.at += 1;
        match keyword {
            Keyword::Block => self.block(&token),
            Keyword::Break | Keyword::Continue => {
                let name = if keyword == Keyword::Break {
                    "break"
                } else {
                    "continue"
                };
                self.close(name)?;
                if self.ranges == 0 {
                    return self.wrong(&token, format!("{{{{{name}}}}} outside {{{{range}}}}"));
                }
                Ok(if keyword == Keyword::Break {
                    Node::Break
                } else {
                    Node::Continue
                })
            }
            Keyword::If => Ok(Node::If(self.branch(Keyword::If)?)),
            Keyword::With => Ok(Node::With(self.branch(Keyword::With)?)),
            Keyword::Range => Ok(Node::Range(self.branch(Keyword::Range)?)),
            Keyword::Template => {
                let name = self.template_name("template clause")?;
                let pipe = if self.peek_word().kind == Kind::Close {
                    self.at += 1;
                    None
                } else {
                    Some(self.pipe("template clause", Kind::Close)?)
                };
                Ok(Node::Template {
                    at: token.range.start,
                    name,
                    pipe,
                })
            }
            Keyword::Define | Keyword::Else | Keyword::End => self.unexpected(&token, "command"),
        }
    }

    fn branch(&mut self, keyword: Keyword) -> Parsed<Branch> {
        let visible = self.visible.len();
        let context = match keyword {
            Keyword::If => "if",
            Keyword::With => "with",
            _ => "range",
        };
        let pipe = self.pipe(context, Kind::Close)?;
        let is_range = keyword == Keyword::Range;
        self.ranges += usize::from(is_range);
        let (body, stop) = self.nodes(false)?;
        self.ranges -= usize::from(is_range);
        let mut otherwise = None;
        if stop == Stop::Else {
            let next = self.peek_word();
            otherwise = Some(match (keyword, next.kind) {
                (Keyword::If, Kind::Keyword(Keyword::If)) => {
                    self.at += 1;
                    vec![Node::If(self.deeper(|parser| parser.branch(Keyword::If))?)]
                }
                (Keyword::With, Kind::Keyword(Keyword::With)) => {
                    self.at += 1;
                    vec![Node::With(
                        self.deeper(|parser| parser.branch(Keyword::With))?,
                    )]
                }
                _ => {
                    let (nodes, stop) = self.nodes(false)?;
                    if stop != Stop::End {
                        let token = self.peek();
                        return self.wrong(&token, "expected {{end}}; found {{else}}");
                    }
                    nodes
                }
            });
        }
        self.visible.truncate(visible);
        Ok(Branch {
            pipe,
            body,
            otherwise,
        })
    }

    fn template_name(&mut self, context: &str) -> Parsed<String> {
        let token = self.next_word();
        if !matches!(token.kind, Kind::Quoted | Kind::Raw) {
            return self.unexpected(&token, context);
        }
        let bytes = self.unquoted(&token)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn definition(&mut self) -> Parsed<()> {
        let name = self.template_name("define clause")?;
        self.close("define clause")?;
        self.body(name, "define clause")
    }

    fn block(&mut self, token: &Token) -> Parsed<Node> {
        let name = self.template_name("block clause")?;
        let pipe = self.pipe("block clause", Kind::Close)?;
        self.body(name.clone(), "block clause")?;
        Ok(Node::Template {
            at: token.range.start,
            name,
            pipe: Some(pipe),
        })
    }

    /// Reads the body of a definition, which sees no variables of what is around it.
    fn body(&mut self, name: String, context: &str) -> Parsed<()> {
        let visible = std::mem::replace(&mut self.visible, vec![Name::WHOLE]);
        let ranges = std::mem::take(&mut self.ranges);
        let (nodes, stop) = self.nodes(false)?;
        let token = self.peek();
        if stop != Stop::End {
            return self.wrong(&token, format!("unexpected {{{{else}}}} in {context}"));
        }
        self.visible = visible;
        self.ranges = ranges;
        self.define(name, nodes, &token)
    }

    fn define(&mut self, name: String, nodes: Vec<Node>, token: &Token) -> Parsed<()> {
        if let Some(known) = self.program.names.get(&name).copied() {
            let before = self.program.definitions.get_mut(known);
            let is_replaced = before
                .as_ref()
                .is_none_or(|nodes| is_blank(self.text, nodes));
            if !is_replaced {
                if is_blank(self.text, &nodes) {
                    return Ok(());
                }
                return self.wrong(token, format!("multiple definition of template {name:?}"));
            }
        }
        self.program
            .names
            .insert(name, self.program.definitions.len());
        self.program.definitions.push(nodes);
        Ok(())
    }

    fn variable(&mut self, text: &str) -> Name {
        if let Some(known) = self.numbers.iter().position(|name| name == text) {
            return Name(known);
        }
        self.numbers.push(text.to_owned());
        Name(self.numbers.len() - 1)
    }

    fn declare(&mut self, pipe: &mut Pipe, token: &Token) {
        let text = self.text(token).to_owned();
        let name = self.variable(&text);
        pipe.variables.push(name);
        self.visible.push(name);
    }

    fn pipe(&mut self, context: &str, end: Kind) -> Parsed<Pipe> {
        let mut pipe = Pipe {
            at: self.peek_word().range.start,
            variables: Vec::new(),
            is_assignment: false,
            commands: Vec::new(),
        };
        self.declarations(&mut pipe, context)?;
        loop {
            let token = self.peek_word();
            match token.kind {
                kind if kind == end => {
                    self.at += 1;
                    return self.checked(pipe, &token, context);
                }
                Kind::Boolean
                | Kind::Character
                | Kind::Complex
                | Kind::Dot
                | Kind::Field
                | Kind::Name
                | Kind::Number
                | Kind::Nil
                | Kind::Raw
                | Kind::Quoted
                | Kind::Variable
                | Kind::OpenParenthesis => {
                    let command = self.command()?;
                    pipe.commands.push(command);
                }
                _ => return self.unexpected(&token, context),
            }
        }
    }

    fn declarations(&mut self, pipe: &mut Pipe, context: &str) -> Parsed<()> {
        loop {
            let token = self.peek_word();
            if token.kind != Kind::Variable {
                return Ok(());
            }
            let start = self.at;
            self.at += 1;
            let next = self.peek_word();
            match next.kind {
                Kind::Assign | Kind::Declare => {
                    self.at += 1;
                    pipe.is_assignment = next.kind == Kind::Assign;
                    self.declare(pipe, &token);
                    return Ok(());
                }
                Kind::Comma => {
                    self.at += 1;
                    self.declare(pipe, &token);
                    if context != "range" || pipe.variables.len() > 1 {
                        return self.wrong(&next, format!("too many declarations in {context}"));
                    }
                    let after = self.peek_word();
                    if !matches!(
                        after.kind,
                        Kind::Variable | Kind::Close | Kind::CloseParenthesis
                    ) {
                        return self.wrong(&after, "range can only initialize variables");
                    }
                }
                _ => {
                    self.at = start;
                    return Ok(());
                }
            }
        }
    }

    fn checked(&mut self, pipe: Pipe, end: &Token, context: &str) -> Parsed<Pipe> {
        if pipe.commands.is_empty() {
            return self.wrong(end, format!("missing value for {context}"));
        }
        for (index, command) in pipe.commands.iter().enumerate().skip(1) {
            if matches!(
                command.first.term,
                Term::Boolean(_) | Term::Dot | Term::Nil | Term::Number(_) | Term::Text(_)
            ) {
                return Err(Fault {
                    at: command.first.range.start,
                    message: format!("non executable command in pipeline stage {}", index + 1),
                });
            }
        }
        Ok(pipe)
    }

    fn command(&mut self) -> Parsed<Command> {
        let mut operands = Vec::new();
        loop {
            self.skip_space();
            operands.extend(self.operand()?);
            let token = self.next();
            match token.kind {
                Kind::Space => {}
                Kind::Close | Kind::CloseParenthesis => {
                    self.at -= 1;
                    break;
                }
                Kind::Pipe => break,
                _ => return self.unexpected(&token, "operand"),
            }
        }
        let mut operands = operands.into_iter();
        let Some(first) = operands.next() else {
            let token = self.peek();
            return self.wrong(&token, "empty command");
        };
        Ok(Command {
            first,
            rest: operands.collect(),
        })
    }

    fn operand(&mut self) -> Parsed<Option<Operand>> {
        let start = self.peek_word();
        let Some(mut term) = self.term()? else {
            return Ok(None);
        };
        let mut fields = Vec::new();
        let first = self.peek();
        while self.peek().kind == Kind::Field {
            let token = self.next();
            fields.push(self.field(&token));
        }
        if !fields.is_empty() {
            term = match term {
                Term::Field(mut path) => {
                    path.extend(fields);
                    Term::Field(path)
                }
                Term::Variable(name, mut path) => {
                    path.extend(fields);
                    Term::Variable(name, path)
                }
                Term::Boolean(_) | Term::Text(_) | Term::Number(_) | Term::Nil | Term::Dot => {
                    return self.wrong(&first, "unexpected . after a term");
                }
                other => {
                    let end = first.range.start;
                    let operand = Operand {
                        range: start.range.start..end,
                        term: other,
                    };
                    Term::Chain(Box::new(operand), fields)
                }
            };
        }
        let end = self
            .tokens
            .get(self.at.saturating_sub(1))
            .map_or(start.range.end, |token| token.range.end);
        Ok(Some(Operand {
            range: start.range.start..end,
            term,
        }))
    }

    fn field(&self, token: &Token) -> String {
        let text = self.text(token);
        text.strip_prefix('.').unwrap_or(text).to_owned()
    }

    fn term(&mut self) -> Parsed<Option<Term>> {
        let token = self.next_word();
        let text = self.text(&token).to_owned();
        Ok(Some(match token.kind {
            Kind::Name => Term::Function(self.function(&token, &text)?),
            Kind::Dot => Term::Dot,
            Kind::Nil => Term::Nil,
            Kind::Variable => {
                let known = self.numbers.iter().position(|name| *name == text);
                match known.map(Name) {
                    Some(name) if self.visible.contains(&name) => Term::Variable(name, Vec::new()),
                    _ => return self.wrong(&token, format!("undefined variable {text:?}")),
                }
            }
            Kind::Field => Term::Field(vec![self.field(&token)]),
            Kind::Boolean => Term::Boolean(text == "true"),
            Kind::Number => match number::literal(&text) {
                Ok(literal) => Term::Number(literal),
                Err(message) => return self.wrong(&token, message),
            },
            Kind::Complex => return self.wrong(&token, "complex numbers are not offered"),
            Kind::Character => {
                let inner = text.strip_prefix('\'').and_then(|t| t.strip_suffix('\''));
                match inner.and_then(|inner| unescape(inner, '\'')) {
                    Some(found) if found.len() == 1 => {
                        let value = found.first().map_or(0, Piece::code);
                        Term::Number(number::Literal::character(value))
                    }
                    _ => {
                        return self.wrong(&token, format!("malformed character constant: {text}"));
                    }
                }
            }
            Kind::OpenParenthesis => {
                let pipe = self.deeper(|parser| {
                    parser.pipe("parenthesized pipeline", Kind::CloseParenthesis)
                })?;
                Term::Pipe(Box::new(pipe))
            }
            Kind::Quoted | Kind::Raw => Term::Text(self.unquoted(&token)?.into()),
            _ => {
                self.at -= 1;
                return Ok(None);
            }
        }))
    }

    fn function(&mut self, token: &Token, name: &str) -> Parsed<&'static Function> {
        if let Some(function) = function::find(name) {
            self.program.called.push(function);
            return Ok(function);
        }
        let message = match function::REFUSED
            .iter()
            .find(|(refused, _)| *refused == name)
        {
            Some((_, reason)) => format!("function {name:?} is refused: {reason}"),
            None => match crate::near::nearest(name, function::names()) {
                Some(near) => format!("function {name:?} not defined; did you mean {near:?}?"),
                None => format!("function {name:?} not defined"),
            },
        };
        self.wrong(token, message)
    }

    fn unquoted(&mut self, token: &Token) -> Parsed<Vec<u8>> {
        let text = self.text(token);
        if let Some(inner) = text.strip_prefix('`').and_then(|t| t.strip_suffix('`')) {
            return Ok(inner.bytes().filter(|byte| *byte != b'\r').collect());
        }
        let inner = text.strip_prefix('"').and_then(|t| t.strip_suffix('"'));
        let Some(pieces) = inner.and_then(|inner| unescape(inner, '"')) else {
            return self.wrong(token, "invalid syntax in a quoted text");
        };
        let mut bytes = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Byte(byte) => bytes.push(byte),
                Piece::Char(char) => rune::push(&mut bytes, char),
            }
        }
        Ok(bytes)
    }
}

/// A part of a quoted text.
enum Piece {
    Byte(u8),
    Char(char),
}

impl Piece {
    fn code(&self) -> u32 {
        match self {
            Self::Byte(byte) => u32::from(*byte),
            Self::Char(char) => u32::from(*char),
        }
    }
}

/// Resolves what begins with a backslash.
fn unescape(text: &str, quote: char) -> Option<Vec<Piece>> {
    let mut pieces = Vec::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        if char == quote {
            return None;
        }
        if char != '\\' {
            pieces.push(Piece::Char(char));
            continue;
        }
        let escape = chars.next()?;
        let mut digits = |count: usize, radix: u32, first: u32| {
            (0..count).try_fold(first, |value, _| {
                let digit = chars.next()?.to_digit(radix)?;
                value.checked_mul(radix)?.checked_add(digit)
            })
        };
        pieces.push(match escape {
            'a' => Piece::Char('\u{7}'),
            'b' => Piece::Char('\u{8}'),
            'f' => Piece::Char('\u{c}'),
            'n' => Piece::Char('\n'),
            'r' => Piece::Char('\r'),
            't' => Piece::Char('\t'),
            'v' => Piece::Char('\u{b}'),
            '\\' => Piece::Char('\\'),
            'x' => Piece::Byte(u8::try_from(digits(2, 16, 0)?).ok()?),
            'u' => Piece::Char(char::from_u32(digits(4, 16, 0)?)?),
            'U' => Piece::Char(char::from_u32(digits(8, 16, 0)?)?),
            '0'..='7' => {
                let value = digits(2, 8, escape.to_digit(8)?)?;
                Piece::Byte(u8::try_from(value).ok()?)
            }
            other if other == quote => Piece::Char(other),
            _ => return None,
        });
    }
    Some(pieces)
}

/// Tells whether nodes would print nothing but white space.
fn is_blank(text: &str, nodes: &[Node]) -> bool {
    nodes.iter().all(|node| match node {
        Node::Text(range) => text
            .get(range.clone())
            .is_none_or(|text| text.trim().is_empty()),
        _ => false,
    })
}
