//! What a template refers to by name, without rendering it.

use std::collections::{BTreeMap, BTreeSet};

use super::parser::{Branch, Command, MAIN, Name, Node, Operand, Pipe, Program, Term};

/// The variables that a template refers to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct References {
    /// Those that have to be there, and whether that is so whatever the others say: in the body of an `if`
    /// it isn't.
    pub required: BTreeMap<String, bool>,
    /// Those that are looked up and may be missing, as by `index`.
    pub looked_up: BTreeSet<String>,
    /// Whether all of them are used at once, as by `toJson .`: then nobody can tell which ones count.
    pub is_whole: bool,
}

impl References {
    pub(super) fn of(program: &Program) -> Self {
        let mut walk = Walk {
            program,
            found: Self::default(),
            visited: BTreeSet::new(),
        };
        let top = Scope {
            dot: true,
            whole: true,
            always: true,
        };
        walk.definition(MAIN, top);
        walk.found
    }

    /// Whether a variable may count.
    pub fn uses(&self, name: &str) -> bool {
        self.is_whole || self.required.contains_key(name) || self.looked_up.contains(name)
    }
}

/// The functions that look one variable up, which need not be there.
const LOOK_UP: [&str; 6] = ["index", "get", "hasKey", "pick", "pluck", "dig"];

/// What names mean at a place of the template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Scope {
    /// Whether `.` is all variables.
    dot: bool,
    /// Whether `$` is.
    whole: bool,
    /// Whether this place is always reached.
    always: bool,
}

struct Walk<'p> {
    program: &'p Program,
    found: References,
    /// What was walked through already: a definition may use itself.
    visited: BTreeSet<(&'p str, Scope)>,
}

impl<'p> Walk<'p> {
    fn definition(&mut self, name: &str, scope: Scope) {
        let program = self.program;
        let Some((name, at)) = program.names.get_key_value(name) else {
            return;
        };
        if self.visited.insert((name, scope))
            && let Some(nodes) = program.definitions.get(*at)
        {
            self.nodes(nodes, scope);
        }
    }

    fn nodes(&mut self, nodes: &'p [Node], scope: Scope) {
        for node in nodes {
            match node {
                Node::Text(_) | Node::Break | Node::Continue => {}
                Node::Action(pipe) => self.pipe(pipe, scope),
                Node::If(branch) => self.branch(branch, scope, scope.dot),
                Node::With(branch) | Node::Range(branch) => self.branch(branch, scope, false),
                Node::Template { name, pipe, .. } => {
                    let is_whole = pipe.as_ref().is_some_and(|pipe| is_whole(pipe, scope));
                    if let Some(pipe) = pipe.as_ref().filter(|_| !is_whole) {
                        self.pipe(pipe, scope);
                    }
                    let scope = Scope {
                        dot: is_whole,
                        whole: is_whole,
                        always: scope.always,
                    };
                    self.definition(name, scope);
                }
            }
        }
    }

    fn branch(&mut self, branch: &'p Branch, scope: Scope, dot: bool) {
        self.pipe(&branch.pipe, scope);
        let inside = Scope {
            always: false,
            ..scope
        };
        self.nodes(&branch.body, Scope { dot, ..inside });
        self.nodes(branch.otherwise.as_deref().unwrap_or_default(), inside);
    }

    fn pipe(&mut self, pipe: &'p Pipe, scope: Scope) {
        for command in &pipe.commands {
            self.command(command, scope);
        }
    }

    fn command(&mut self, command: &'p Command, scope: Scope) {
        let operands = || std::iter::once(&command.first).chain(&command.rest);
        let function = match &command.first.term {
            Term::Function(function) => function.name,
            _ => "",
        };
        let has_whole = operands().any(|operand| is_all(&operand.term, scope));
        let keys: Vec<&[u8]> = operands()
            .filter_map(|operand| match &operand.term {
                Term::Text(text) => Some(&**text),
                _ => None,
            })
            .collect();
        if has_whole && LOOK_UP.contains(&function) && !keys.is_empty() {
            let keys = keys.into_iter();
            let keys = keys.filter_map(|key| std::str::from_utf8(key).ok());
            self.found.looked_up.extend(keys.map(str::to_owned));
        } else if has_whole {
            self.found.is_whole = true;
        }
        let is_cut_short = matches!(function, "and" | "or");
        for (at, operand) in operands().enumerate() {
            // The function, its first argument, and what is evaluated only if that says so.
            let always = scope.always && !(is_cut_short && at > 1);
            self.operand(operand, Scope { always, ..scope });
        }
    }

    fn operand(&mut self, operand: &'p Operand, scope: Scope) {
        match &operand.term {
            Term::Field(path) if scope.dot => self.requires(path, scope),
            Term::Variable(Name::WHOLE, path) if scope.whole => self.requires(path, scope),
            Term::Pipe(pipe) => self.pipe(pipe, scope),
            Term::Chain(of, path) if is_all(&of.term, scope) => self.requires(path, scope),
            Term::Chain(of, _) => self.operand(of, scope),
            _ => {}
        }
    }

    fn requires(&mut self, path: &[String], scope: Scope) {
        if let Some(name) = path.first() {
            *self.found.required.entry(name.clone()).or_default() |= scope.always;
        }
    }
}

/// Whether a pipe yields all variables.
fn is_whole(pipe: &Pipe, scope: Scope) -> bool {
    match pipe.commands.as_slice() {
        [Command { first, rest }] => rest.is_empty() && is_all(&first.term, scope),
        _ => false,
    }
}

fn is_all(term: &Term, scope: Scope) -> bool {
    match term {
        Term::Dot => scope.dot,
        Term::Variable(Name::WHOLE, path) => scope.whole && path.is_empty(),
        Term::Pipe(pipe) => is_whole(pipe, scope),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::template::Template;

    /// The required variables, those that need not be reached with a question mark, then those that are
    /// looked up in brackets, then a star if all of them are used.
    fn references(text: &str) -> String {
        let references = Template::parse(text).expect("a template").references();
        let required = references.required.iter();
        let required = required.map(|(name, always)| match always {
            true => name.clone(),
            false => format!("{name}?"),
        });
        let looked_up = references.looked_up.iter().map(|name| format!("[{name}]"));
        let whole = references.is_whole.then(|| "*".to_owned());
        let all: Vec<String> = required.chain(looked_up).chain(whole).collect();
        all.join(" ")
    }

    #[test]
    fn variables_are_found_wherever_they_are_meant() {
        let cases = [
            ("plain", ""),
            ("{{ .uid }}-{{ .plan | upper }}", "plan uid"),
            ("{{ printf \"%s-%s\" .a (lower .b) }}", "a b"),
            (
                "{{ if .a }}{{ .b }}{{ else }}{{ .c }}{{ end }}{{ .c }}",
                "a b? c",
            ),
            ("{{ if .a }}x{{ else if .b }}{{ .c }}{{ end }}", "a b? c?"),
            // In there the dot is something else, and the dollar is not.
            (
                "{{ with .a }}{{ .b }}{{ $.c }}{{ else }}{{ .d }}{{ end }}",
                "a c? d?",
            ),
            (
                "{{ range split \",\" .a }}{{ . }}{{ $.b }}{{ end }}",
                "a b?",
            ),
            ("{{ $x := .a }}{{ $x.b }}{{ $x }}", "a"),
            ("{{ (fromJson .a).b }}", "a"),
            ("{{ index . \"a\" | default \"x\" }}", "[a]"),
            ("{{ if hasKey . \"a\" }}{{ .a }}{{ end }}", "a? [a]"),
            ("{{ toJson . }}", "*"),
            ("{{ printf \"%v\" . }}", "*"),
            ("{{ omit . \"a\" | toJson }}", "*"),
            ("{{ get . \"a\" }}{{ dig \"b\" \"x\" . }}", "[a] [b] [x]"),
            (
                "{{ if and (hasKey . \"a\") (eq .a \"1\") .b }}x{{ end }}",
                "a? b? [a]",
            ),
            ("{{ or .a .b }}", "a b?"),
            ("{{ range $key, $value := . }}{{ $key }}{{ end }}", "*"),
            ("{{ define \"t\" }}{{ .a }}{{ end }}", ""),
            (
                "{{ define \"t\" }}{{ .a }}{{ end }}{{ template \"t\" . }}",
                "a",
            ),
            (
                "{{ define \"t\" }}{{ .a }}{{ end }}{{ template \"t\" .b }}",
                "b",
            ),
            (
                "{{ define \"t\" }}{{ .a }}{{ template \"t\" . }}{{ end }}{{ if .b }}{{ template \"t\" $ }}{{ end }}",
                "a? b",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(references(text), expected, "{text}");
        }
    }
}
