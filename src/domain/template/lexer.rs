//! From text to tokens: what stands between `{{` and `}}`, and the text around it.

use std::ops::Range;

use super::rune;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Open,
    Close,
    OpenParenthesis,
    CloseParenthesis,
    Space,
    Pipe,
    Assign,
    Declare,
    Comma,
    Dot,
    Nil,
    Boolean,
    Number,
    Character,
    Complex,
    Quoted,
    Raw,
    Field,
    Variable,
    Name,
    Keyword(Keyword),
    /// A printable character that means nothing.
    Other,
    End,
}

/// A word that begins or ends an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keyword {
    Block,
    Break,
    Continue,
    Define,
    Else,
    End,
    If,
    Range,
    Template,
    With,
}

/// A token and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) range: Range<usize>,
}

/// What is wrong, and where.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) message: String,
}

const SPACES: [char; 4] = [' ', '\t', '\r', '\n'];

/// Splits a template into tokens; after a fault come no more, but those before it count.
pub(super) fn tokens(text: &str) -> (Vec<Token>, Option<Fault>) {
    let mut lexer = Lexer {
        text,
        at: 0,
        tokens: Vec::new(),
    };
    let fault = lexer.run().err();
    lexer.push(Kind::End, lexer.at);
    (lexer.tokens, fault)
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    tokens: Vec<Token>,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let char = self.peek()?;
        self.at += char.len_utf8();
        Some(char)
    }

    /// Adds the token from a place to where we are.
    fn push(&mut self, kind: Kind, from: usize) {
        self.tokens.push(Token {
            kind,
            range: from..self.at,
        });
    }

    fn fault<T>(at: usize, message: impl Into<String>) -> Result<T, Fault> {
        Err(Fault {
            at,
            message: message.into(),
        })
    }

    fn run(&mut self) -> Result<(), Fault> {
        while let Some(found) = self.rest().find("{{") {
            let start = self.at;
            let open = start + found;
            let after = self.text.get(open + 2..).unwrap_or_default();
            let is_trimmed = begins_trim(after);
            let before = self.text.get(start..open).unwrap_or_default();
            let kept = if is_trimmed {
                before.trim_end_matches(SPACES).len()
            } else {
                before.len()
            };
            self.at = start + kept;
            if kept > 0 {
                self.push(Kind::Text, start);
            }
            self.at = open;
            let marker = if is_trimmed { 2 } else { 0 };
            if after.get(marker..).unwrap_or_default().starts_with("/*") {
                self.at = open + 2 + marker;
                self.comment(open)?;
            } else {
                self.at = open + 2;
                self.push(Kind::Open, open);
                self.at = open + 2 + marker;
                self.action(open)?;
            }
        }
        let start = self.at;
        self.at = self.text.len();
        if self.at > start {
            self.push(Kind::Text, start);
        }
        Ok(())
    }

    /// Tells whether the action ends here, and whether white space after it goes.
    fn end_of_action(&self) -> Option<bool> {
        let rest = self.rest();
        if rest.starts_with("}}") {
            return Some(false);
        }
        let mut chars = rest.chars();
        let is_trimmed = chars.next().is_some_and(|c| SPACES.contains(&c))
            && chars.next() == Some('-')
            && chars.as_str().starts_with("}}");
        is_trimmed.then_some(true)
    }

    fn trim_after(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches(SPACES).len();
    }

    fn comment(&mut self, open: usize) -> Result<(), Fault> {
        let Some(end) = self.rest().get(2..).and_then(|rest| rest.find("*/")) else {
            return Self::fault(open, "unclosed comment");
        };
        self.at += 2 + end + 2;
        match self.end_of_action() {
            None => Self::fault(open, "comment ends before closing delimiter"),
            Some(false) => {
                self.at += 2;
                Ok(())
            }
            Some(true) => {
                self.at += 4;
                self.trim_after();
                Ok(())
            }
        }
    }

    fn action(&mut self, open: usize) -> Result<(), Fault> {
        let mut parentheses = 0usize;
        loop {
            let start = self.at;
            if let Some(is_trimmed) = self.end_of_action() {
                if parentheses > 0 {
                    return Self::fault(start, "unclosed left paren");
                }
                if is_trimmed {
                    self.at += 2;
                }
                let start = self.at;
                self.at += 2;
                self.push(Kind::Close, start);
                if is_trimmed {
                    self.trim_after();
                }
                return Ok(());
            }
            let Some(char) = self.next() else {
                return Self::fault(open, "unclosed action");
            };
            let kind = match char {
                ' ' | '\t' | '\r' | '\n' => {
                    while self.peek().is_some_and(|c| SPACES.contains(&c))
                        && self.end_of_action().is_none()
                    {
                        self.next();
                    }
                    Kind::Space
                }
                '=' => Kind::Assign,
                ':' => {
                    if self.next() != Some('=') {
                        return Self::fault(start, "expected :=");
                    }
                    Kind::Declare
                }
                '|' => Kind::Pipe,
                '"' => self.quoted('"', start)?,
                '\'' => self.quoted('\'', start)?,
                '`' => {
                    let Some(end) = self.rest().find('`') else {
                        return Self::fault(start, "unterminated raw quoted string");
                    };
                    self.at += end + 1;
                    Kind::Raw
                }
                '$' => self.name(Kind::Variable)?,
                '.' if !self.peek().is_some_and(|c| c.is_ascii_digit()) => {
                    if self.is_terminated() {
                        Kind::Dot
                    } else {
                        self.name(Kind::Field)?
                    }
                }
                '.' | '+' | '-' | '0'..='9' => {
                    self.at = start;
                    self.number()?
                }
                '(' => {
                    parentheses += 1;
                    Kind::OpenParenthesis
                }
                ')' => {
                    let Some(fewer) = parentheses.checked_sub(1) else {
                        return Self::fault(start, "unexpected right paren");
                    };
                    parentheses = fewer;
                    Kind::CloseParenthesis
                }
                ',' => Kind::Comma,
                c if is_word(c) => {
                    self.name(Kind::Name)?;
                    word(self.text.get(start..self.at).unwrap_or_default())
                }
                c if (' '..='~').contains(&c) => Kind::Other,
                c => {
                    return Self::fault(start, format!("unrecognized character in action: {c:?}"));
                }
            };
            self.push(kind, start);
        }
    }

    fn quoted(&mut self, quote: char, start: usize) -> Result<Kind, Fault> {
        loop {
            match self.next() {
                Some('\\') if self.peek().is_some_and(|c| c != '\n') => {
                    self.next();
                }
                Some('\\' | '\n') | None => {
                    return Self::fault(
                        start,
                        if quote == '"' {
                            "unterminated quoted string"
                        } else {
                            "unterminated character constant"
                        },
                    );
                }
                Some(c) if c == quote => break,
                Some(_) => {}
            }
        }
        Ok(if quote == '"' {
            Kind::Quoted
        } else {
            Kind::Character
        })
    }

    fn name(&mut self, kind: Kind) -> Result<Kind, Fault> {
        while self.peek().is_some_and(is_word) {
            self.next();
        }
        if self.is_terminated() {
            return Ok(kind);
        }
        match self.peek() {
            Some(c) => Self::fault(self.at, format!("bad character {c:?}")),
            None => Ok(kind),
        }
    }

    fn is_terminated(&self) -> bool {
        match self.peek() {
            None => true,
            Some(c) => {
                SPACES.contains(&c)
                    || matches!(c, '.' | ',' | '|' | ':' | ')' | '(')
                    || self.rest().starts_with("}}")
            }
        }
    }

    fn accept(&mut self, valid: &str) -> bool {
        let found = self.peek().is_some_and(|c| valid.contains(c));
        if found {
            self.next();
        }
        found
    }

    fn number(&mut self) -> Result<Kind, Fault> {
        let start = self.at;
        let bad = |lexer: &Self| {
            let text = lexer.text.get(start..lexer.at).unwrap_or_default();
            Self::fault(start, format!("bad number syntax: {text:?}"))
        };
        if !self.scan_number() {
            return bad(self);
        }
        if matches!(self.peek(), Some('+' | '-')) {
            let text_ends = self.scan_number()
                && self
                    .text
                    .get(start..self.at)
                    .unwrap_or_default()
                    .ends_with('i');
            return if text_ends {
                Ok(Kind::Complex)
            } else {
                bad(self)
            };
        }
        Ok(Kind::Number)
    }

    fn scan_number(&mut self) -> bool {
        const DECIMAL: &str = "0123456789_";
        const HEXADECIMAL: &str = "0123456789abcdefABCDEF_";
        self.accept("+-");
        let mut digits = DECIMAL;
        if self.accept("0") {
            if self.accept("xX") {
                digits = HEXADECIMAL;
            } else if self.accept("oO") {
                digits = "01234567_";
            } else if self.accept("bB") {
                digits = "01_";
            }
        }
        while self.accept(digits) {}
        if self.accept(".") {
            while self.accept(digits) {}
        }
        if (digits == DECIMAL && self.accept("eE")) || (digits == HEXADECIMAL && self.accept("pP"))
        {
            self.accept("+-");
            while self.accept(DECIMAL) {}
        }
        self.accept("i");
        if self.peek().is_some_and(is_word) {
            self.next();
            return false;
        }
        true
    }
}

fn begins_trim(after: &str) -> bool {
    let mut chars = after.chars();
    chars.next() == Some('-') && chars.next().is_some_and(|c| SPACES.contains(&c))
}

fn is_word(char: char) -> bool {
    char == '_' || rune::is_letter(char) || rune::is_digit(char)
}

fn word(text: &str) -> Kind {
    Kind::Keyword(match text {
        "true" | "false" => return Kind::Boolean,
        "nil" => return Kind::Nil,
        "block" => Keyword::Block,
        "break" => Keyword::Break,
        "continue" => Keyword::Continue,
        "define" => Keyword::Define,
        "else" => Keyword::Else,
        "end" => Keyword::End,
        "if" => Keyword::If,
        "range" => Keyword::Range,
        "template" => Keyword::Template,
        "with" => Keyword::With,
        _ => return Kind::Name,
    })
}
