//! Templates and values made at random: by a grammar that knows what each function takes, and by changing
//! templates of the corpus. What yields something else each time, in Go or everywhere, is left out.

use serde::Deserialize;
use weft_domain::template::{NONDETERMINISTIC, REFUSED, Variables};

use crate::seeded::Seeded;

/// What a function takes and yields, in Go's words.
#[derive(Debug, Deserialize)]
pub struct Signature {
    pub name: String,
    takes: Vec<String>,
    variadic: bool,
    yields: String,
}

/// What Go's engine has by itself: the name, what it takes, and whether it takes any number of the last.
const BUILTIN: [(&str, &[&str], bool, &str); 18] = [
    ("and", &[ANY, ANY], true, ANY),
    ("or", &[ANY, ANY], true, ANY),
    ("not", &[ANY], false, "bool"),
    ("len", &[LIST], false, "int"),
    ("index", &[LIST, "int"], false, ANY),
    ("index", &[MAP, TEXT], false, ANY),
    ("print", &[ANY], true, TEXT),
    ("printf", &[TEXT, ANY], true, TEXT),
    ("println", &[ANY], true, TEXT),
    ("html", &[ANY], true, TEXT),
    ("js", &[ANY], true, TEXT),
    ("urlquery", &[ANY], true, TEXT),
    ("eq", &[ANY, ANY, ANY], true, "bool"),
    ("ne", &[ANY, ANY], false, "bool"),
    ("lt", &[ANY, ANY], false, "bool"),
    ("le", &[ANY, ANY], false, "bool"),
    ("gt", &[ANY, ANY], false, "bool"),
    ("ge", &[ANY, ANY], false, "bool"),
];

const ANY: &str = "interface {}";
const TEXT: &str = "string";
const LIST: &str = "[]interface {}";
const MAP: &str = "map[string]interface {}";

/// Functions whose parameters of any type are lists in truth.
const OF_LISTS: &[&str] = &[
    "first",
    "last",
    "rest",
    "initial",
    "append",
    "prepend",
    "push",
    "concat",
    "reverse",
    "uniq",
    "without",
    "compact",
    "slice",
    "sortAlpha",
    "toStrings",
    "mustFirst",
    "mustLast",
    "mustRest",
    "mustInitial",
    "mustAppend",
    "mustPrepend",
    "mustPush",
    "mustReverse",
    "mustUniq",
    "mustWithout",
    "mustCompact",
    "mustSlice",
];

const TEXTS: &[&str] = &[
    "",
    "a",
    "b",
    "c",
    " ",
    "Hello World",
    "foo_barBaz-qux",
    "HTTPServer2xx",
    "ÄÖß straße",
    "日本語",
    "ǆ ǅ",
    "İı",
    "ﬁn",
    "a\nb\n\nc",
    "\t x \r\n",
    "1.5",
    "0x1f",
    "1e3",
    "true",
    "TRUE",
    "yes",
    "nil",
    "12345678901234567890",
    "-7",
    "+7",
    "007",
    "1_000",
    "3.00",
    "1e400",
    "inf",
    "NaN",
    "a,b,,c",
    "{{ .x }}",
    "<a&b>'\"",
    "\u{2028}",
    "e\u{301}",
    "a.b/c?d=e f",
    "../a/./b//c.tar.gz",
    "/",
    "YWJj",
    "YWJ",
    "MFRGG===",
    "a\u{0}b",
    "\u{1F600}",
    "one two  three four five",
    "_a__b-",
    "aB1c2D",
    "\\\\x",
    "%d%s%%",
    "$1${x}",
    "a\u{a0}b",
    "ᾳ",
    "ჰა",
    "https://u:p@h.example:8443/p?q#f",
    "-",
    "--",
    "1,2",
    "0",
    "1",
    "2024-02-29",
    "x\u{7f}\u{ad}",
    "The quick brown fox jumps over the lazy dog, and it does so again and again until it is done.",
];

const NUMBERS: &[&str] = &[
    "0",
    "1",
    "2",
    "3",
    "4",
    "5",
    "7",
    "10",
    "16",
    "63",
    "64",
    "100",
    "255",
    "1000",
    "-1",
    "-2",
    "-7",
    "4096",
    "86400",
    "1700000000",
    "-62135596800",
    "0x1F",
    "0b11",
    "0o17",
    "017",
    "1_000",
    "'a'",
    "'é'",
    "2147483648",
];

/// How often something is done; more would take its time before it is too much.
const FEW: &[&str] = &["0", "1", "2", "3", "-1", "5", "(int64 2)", "(len .uid)"];

const ODD_NUMBERS: &[&str] = &[
    "9223372036854775807",
    "-9223372036854775808",
    "9007199254740993",
    "1e3",
    "1.0",
    "-0",
    "0x_f",
    "4611686018427387904",
];

const FLOATS: &[&str] = &[
    "0.0",
    "1.0",
    "1.5",
    "-1.5",
    "0.1",
    "0.2",
    "0.3",
    "2.5",
    "3.5",
    "-2.5",
    "1e3",
    "1e-7",
    "1e21",
    "1e20",
    "123456789.0",
    "0.000001",
    "100000.0",
    "1000000.0",
    "1e300",
    "5e-324",
    "3.14159",
    "2.675",
    "1.005",
    "1e15",
    "0.30000000000000004",
    "9007199254740993.0",
    "0x1p-2",
    "-0.0",
    "33.333333333333336",
];

const PARTS_OF_LAYOUTS: &[&str] = &[
    "2006",
    "06",
    "01",
    "1",
    "Jan",
    "January",
    "02",
    "2",
    "_2",
    "__2",
    "002",
    "Mon",
    "Monday",
    "15",
    "3",
    "03",
    "4",
    "04",
    "5",
    "05",
    "PM",
    "pm",
    "MST",
    "-0700",
    "-07:00",
    "-07",
    "-07:00:00",
    "Z0700",
    "Z07:00",
    ".000",
    ".999",
    ",000000",
    ".9",
    "-",
    ":",
    " ",
    "T",
    "/",
    "x",
    "_2006",
    "Janet",
    "Monk",
    "5.0",
];

/// Flags stand before something: a repetition right after them is one of what is before them in Go, and
/// refused here.
const PARTS_OF_PATTERNS: &[&str] = &[
    "a",
    "b",
    "c",
    "o",
    ".",
    "[a-c]",
    "[^a]",
    "[a-]",
    "[]a]",
    "[^]a]",
    "\\d",
    "\\D",
    "\\w",
    "\\W",
    "\\s",
    "\\S",
    "\\b",
    "\\B",
    "^",
    "$",
    "(",
    "(?:",
    ")",
    ")",
    ")",
    "|",
    "*",
    "+",
    "?",
    "*?",
    "+?",
    "??",
    "{2}",
    "{1,3}",
    "{2,}",
    "{,2}",
    "{0}",
    "{1,3}?",
    "\\pL",
    "\\PL",
    "\\p{Greek}",
    "\\p{Lu}",
    "\\p{^Lu}",
    "[[:alpha:]]",
    "[[:^alpha:]]",
    "[[:word:]x]",
    "(?i)b",
    "(?s).",
    "(?m)^b",
    "(?U)a+",
    "(?i:",
    "(?-s).",
    "(?P<n>",
    "(?<m>",
    "\\Qa.b\\E",
    "\\E",
    "\\.",
    "\\-",
    "é",
    "\\x41",
    "\\x{e9}",
    "\\101",
    "\\z",
    "\\A",
    "\\n",
    "\\t",
    "[\\d\\-x]",
    "[\\w.]",
    " ",
    "[a&&b]",
    "[é-ü]",
    "l+",
    "(o)",
    "\\C",
    "{",
    "}",
    "]",
    "[",
    "\\",
    "\\pN",
    "[^\\s]",
];

const PARTS_OF_FORMATS: &[&str] = &[
    "%", "%", "%", "%", "d", "s", "v", "q", "x", "X", "t", "f", "e", "g", "G", "E", "c", "U", "b",
    "o", "O", "T", "+", "-", "#", " ", "0", "5", "2", "8", "10", ".", ".2", ".0", ".3", "*", "[1]",
    "[2]", "[3]", "%", "a", "é", "%%", "%v", "%s", "%d", "%6.2f", "%-5d|", "%05d", "%x", "%q",
    "%+v", "%#v", "%t", "w", "z",
];

const PARTS_OF_VERSIONS: &[&str] = &[
    "1",
    "2",
    "0",
    "10",
    ".",
    ".",
    ".",
    "x",
    "X",
    "*",
    "-",
    "-rc.1",
    "-alpha",
    "-0",
    "-01",
    "+b",
    "v",
    ">",
    ">=",
    "<",
    "<=",
    "=",
    "!=",
    "~",
    "^",
    "~>",
    "=>",
    "||",
    " || ",
    ", ",
    " ",
    " - ",
    "1.2.3",
    "1.2",
    "^1.2",
    "~1.2.3",
    ">=1.0",
    "<2.0.0-0",
    "0.0.3",
    "99999999999999999999",
];

const PARTS_OF_ADDRESSES: &[&str] = &[
    "http",
    "https",
    "://",
    ":",
    "/",
    "/",
    "//",
    "?",
    "#",
    "@",
    "u",
    "p",
    "h.example",
    "[::1]",
    "[fe80::1%25en0]",
    "[",
    "]",
    "8080",
    ":80",
    "%41",
    "%2F",
    "%zz",
    "%",
    " ",
    "a=b",
    "&",
    "é",
    "%C3%A9",
    "*",
    "..",
    ".",
    "+",
    "<",
    "\"",
    "mailto",
    "a",
    "~",
    "!",
    "'",
    "(",
    "$",
];

const PARTS_OF_JSON: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"a\"",
    "\"b\"",
    "\"\\u00e9\\n\"",
    "\"\\ud83d\\ude00\"",
    "\"\\ud800\"",
    "\"<&>\"",
    "1",
    "-0",
    "1.5",
    "1e3",
    "1e400",
    "12345678901234567890",
    "0.0000001",
    "01",
    "true",
    "false",
    "null",
    " ",
    "\n",
    "\"a\":1",
    "\"a\":{\"b\":[1,2,null]}",
    "[1,\"x\"]",
    "\"\\q\"",
    "é",
];

const PARTS_OF_DURATIONS: &[&str] = &[
    "1",
    "5",
    "90",
    "1.5",
    ".5",
    "0",
    "h",
    "m",
    "s",
    "ms",
    "us",
    "µs",
    "ns",
    "-",
    "+",
    "36h",
    "1h30m",
    "24",
    "9999999",
    "d",
    "100000000s",
];

const ZONES: &[&str] = &[
    "UTC",
    "Local",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Nowhere/Land",
    "",
];

const DATES: &[&str] = &[
    "2024-02-29",
    "2023-02-29",
    "1999-12-31",
    "2024-07-01 12:34:56",
    "0001-01-01",
    "2024-03-31T02:30:00Z",
    "2024-3-1",
    "Mon Jan 2 2006",
    "12:34PM",
    "x",
];

/// Where templates come from.
pub struct Generator {
    numbers: Seeded,
    functions: Vec<Signature>,
    corpus: Vec<String>,
    tokens: Vec<String>,
    variables: Variables,
    /// How many variables of the template are known.
    known: usize,
}

impl Generator {
    /// One that knows the functions of Go's engine and the cases of a corpus.
    pub fn new(
        seed: u64,
        described: Vec<Signature>,
        corpus: Vec<String>,
        variables: Variables,
    ) -> Self {
        let builtin = BUILTIN
            .iter()
            .map(|(name, takes, variadic, yields)| Signature {
                name: (*name).to_owned(),
                takes: takes.iter().map(|kind| (*kind).to_owned()).collect(),
                variadic: *variadic,
                yields: (*yields).to_owned(),
            });
        let functions = described
            .into_iter()
            .chain(builtin)
            .filter(|function| is_settled(&function.name))
            .collect();
        let corpus: Vec<String> = corpus
            .into_iter()
            .filter(|text| {
                tokens(text)
                    .iter()
                    .all(|token| is_settled(token) && !is_marking(token))
            })
            .collect();
        let tokens = corpus.iter().flat_map(|text| tokens(text)).collect();
        Self {
            numbers: Seeded::new(seed),
            functions,
            corpus,
            tokens,
            variables,
            known: 0,
        }
    }

    /// The next template, and what it is rendered with.
    pub fn case(&mut self) -> (String, Variables) {
        self.known = 0;
        let template = if self.numbers.below(4) == 0 {
            self.changed()
        } else {
            self.template()
        };
        let mut variables = self.variables.clone();
        for name in ["uid", "n", "text"] {
            if self.numbers.below(2) == 0 {
                let value = self.text();
                variables.insert(name.to_owned(), value);
            }
        }
        (template, variables)
    }

    fn of<'n>(&mut self, choices: &[&'n str]) -> &'n str {
        choices[self.numbers.below(choices.len())]
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.numbers.below(count) == 0
    }

    fn many(&mut self, parts: &[&str], most: usize) -> String {
        (0..=self.numbers.below(most))
            .map(|_| self.of(parts))
            .collect()
    }

    /// A case of the corpus with some tokens changed.
    fn changed(&mut self) -> String {
        let choice = self.numbers.below(self.corpus.len());
        let mut tokens = tokens(&self.corpus[choice]);
        for _ in 0..=self.numbers.below(3) {
            let at = self.numbers.below(tokens.len());
            let other = self.numbers.below(self.tokens.len());
            match self.numbers.below(5) {
                0 => drop(tokens.remove(at)),
                1 => tokens.insert(at, tokens[at].clone()),
                2 => {
                    let with = self.numbers.below(tokens.len());
                    tokens.swap(at, with);
                }
                3 => tokens.insert(at, self.tokens[other].clone()),
                _ => tokens[at].clone_from(&self.tokens[other]),
            }
            if tokens.is_empty() {
                break;
            }
        }
        tokens.concat()
    }

    fn template(&mut self) -> String {
        if self.one_in(30) {
            // What has a type stands alone; elsewhere Go shows markers.
            let (value, function) = (self.piped(2), self.of(&["int", "float", "bool"]));
            return self.action(&format!("{value} | {function}"));
        }
        let mut text = String::new();
        for _ in 0..=self.numbers.below(3) {
            let node = self.node(2, false);
            text.push_str(&node);
        }
        text
    }

    fn open(&mut self) -> &'static str {
        self.of(&["{{ ", "{{ ", "{{", "{{- "])
    }

    fn close(&mut self) -> &'static str {
        self.of(&[" }}", " }}", "}}", " -}}"])
    }

    fn action(&mut self, inside: &str) -> String {
        [self.open(), inside, self.close()].concat()
    }

    fn nodes(&mut self, depth: usize, is_in_range: bool) -> String {
        let known = self.known;
        let count = self.numbers.below(3);
        let text = (0..count).map(|_| self.node(depth, is_in_range)).collect();
        self.known = known;
        text
    }

    fn node(&mut self, depth: usize, is_in_range: bool) -> String {
        if depth == 0 || self.one_in(3) {
            let value = self.piped(3);
            return self.action(&value);
        }
        match self.numbers.below(12) {
            0 => self.of(&["x", " \n ", "a  ", "}}", "{", "é"]).to_owned(),
            1 | 2 => {
                let name = format!("$v{}", self.known);
                let value = self.piped(2);
                let text = self.action(&format!("{name} := {value}"));
                self.known += 1;
                text
            }
            3 if self.known > 0 => {
                let name = self.numbers.below(self.known);
                let value = self.piped(2);
                self.action(&format!("$v{name} = {value}"))
            }
            4 | 5 => {
                let word = self.of(&["if", "if", "with"]);
                let value = self.piped(2);
                let (head, body) = (
                    self.action(&format!("{word} {value}")),
                    self.nodes(depth - 1, is_in_range),
                );
                let mut text = head + &body;
                if self.one_in(3) {
                    let value = self.piped(2);
                    let part = self.action(&format!("else {word} {value}"));
                    text = text + &part + &self.nodes(depth - 1, is_in_range);
                }
                if self.one_in(2) {
                    text = text + &self.action("else") + &self.nodes(depth - 1, is_in_range);
                }
                text + &self.action("end")
            }
            6..=8 => {
                let known = self.known;
                let value = match self.numbers.below(4) {
                    0 => self.of(FEW).to_owned(),
                    1 => self.value(MAP, 1),
                    _ => self.value(LIST, 1),
                };
                let names = match self.numbers.below(3) {
                    0 => String::new(),
                    1 => {
                        self.known += 1;
                        format!("$v{} := ", self.known - 1)
                    }
                    _ => {
                        self.known += 2;
                        format!("$v{}, $v{} := ", self.known - 2, self.known - 1)
                    }
                };
                let head = self.action(&format!("range {names}{value}"));
                let mut text = head + &self.nodes(depth - 1, true);
                if self.one_in(3) {
                    let value = self.piped(1);
                    let word = self.of(&["break", "continue"]);
                    text = text
                        + &self.action(&format!("if {value}"))
                        + &self.action(word)
                        + &self.action("end");
                    text += &self.nodes(depth - 1, true);
                }
                self.known = known;
                if self.one_in(3) {
                    text = text + &self.action("else") + &self.nodes(depth - 1, is_in_range);
                }
                text + &self.action("end")
            }
            9 => {
                let (known, value) = (self.known, self.value(ANY, 1));
                let head = self.action(&format!("block \"b{depth}\" {value}"));
                self.known = 0;
                let body = self.nodes(depth - 1, false);
                self.known = known;
                head + &body + &self.action("end")
            }
            10 => {
                let value = self.value(ANY, 1);
                let name = self.of(&["b1", "b2", "b2", "b3"]);
                self.action(&format!("template \"{name}\" {value}"))
            }
            _ => {
                let comment = self.of(&["{{/* {{ */}}", "{{- /* a */ -}}"]);
                comment.to_owned()
            }
        }
    }

    /// A pipeline.
    fn piped(&mut self, depth: usize) -> String {
        let mut text = if self.one_in(8) {
            self.value(ANY, depth)
        } else {
            self.call(None, depth)
        };
        if self.one_in(4) {
            let function = self.function(None);
            // The last argument comes through the pipe.
            let arguments = self.arguments(function, depth, 1);
            text = format!("{text} | {}{arguments}", self.functions[function].name);
        }
        text
    }

    /// A function, perhaps one that yields something.
    fn function(&mut self, yields: Option<&str>) -> usize {
        for _ in 0..200 {
            let index = self.numbers.below(self.functions.len());
            let function = &self.functions[index];
            if !is_marking(&function.name) && yields.is_none_or(|wanted| function.yields == wanted)
            {
                return index;
            }
        }
        0
    }

    fn call(&mut self, yields: Option<&str>, depth: usize) -> String {
        let function = self.function(yields);
        let arguments = self.arguments(function, depth, 0);
        format!("{}{arguments}", self.functions[function].name)
    }

    /// Arguments of a function, without some of the last ones.
    fn arguments(&mut self, function: usize, depth: usize, without: usize) -> String {
        let signature = &self.functions[function];
        let name = signature.name.clone();
        let mut kinds = signature.takes.clone();
        if signature.variadic {
            let last = kinds.pop().unwrap_or_default();
            kinds.extend((0..self.numbers.below(4)).map(|_| last.clone()));
        }
        if self.one_in(60) {
            kinds.push(ANY.to_owned());
        }
        kinds.truncate(kinds.len().saturating_sub(without));
        let mut text = String::new();
        for (index, kind) in kinds.iter().enumerate() {
            let value = match self.fitting(&name, index, depth) {
                Some(value) if !self.one_in(20) => value,
                _ => self.value(kind, depth.saturating_sub(1)),
            };
            text = text + " " + &value;
        }
        text
    }

    /// What makes sense as an argument beyond its type.
    fn fitting(&mut self, name: &str, index: usize, depth: usize) -> Option<String> {
        if OF_LISTS.contains(&name) && (index == 0 || name == "concat")
            || matches!(name, "join" | "has" | "mustHas" | "chunk" | "mustChunk") && index == 1
        {
            return Some(self.value(LIST, depth.saturating_sub(1)));
        }
        if matches!(name, "until" | "untilStep" | "seq") {
            return Some(self.of(FEW).to_owned());
        }
        let parts = match (name, index) {
            ("date" | "htmlDate" | "ago" | "durationRound", _)
                if self.one_in(2) && (name != "date" || index == 1) =>
            {
                return Some(self.value("time.Time", 0));
            }
            ("dateInZone" | "date_in_zone", 1) | ("htmlDateInZone", 0) => {
                return Some(if self.one_in(2) {
                    self.number(0)
                } else {
                    self.value("time.Time", 0)
                });
            }
            ("dateInZone" | "date_in_zone", 2) | ("htmlDateInZone", 1) => {
                let zone = self.of(ZONES);
                return Some(quoted(zone));
            }
            ("date" | "dateInZone" | "date_in_zone" | "toDate" | "mustToDate", 0) => {
                PARTS_OF_LAYOUTS
            }
            ("toDate" | "mustToDate", 1) => {
                let date = self.of(DATES);
                return Some(quoted(date));
            }
            (
                "dateModify" | "date_modify" | "mustDateModify" | "must_date_modify"
                | "durationRound",
                0,
            ) => PARTS_OF_DURATIONS,
            ("printf", 0) => PARTS_OF_FORMATS,
            ("semver", 0) | ("semverCompare", _) => PARTS_OF_VERSIONS,
            ("urlParse" | "toHost", 0) => PARTS_OF_ADDRESSES,
            ("fromJson" | "mustFromJson", 0) => PARTS_OF_JSON,
            ("regexQuoteMeta", _) => return None,
            (name, 0) if name.starts_with("regex") || name.starts_with("mustRegex") => {
                PARTS_OF_PATTERNS
            }
            _ => return None,
        };
        let most = if name == "printf" { 8 } else { 6 };
        Some(quoted(&self.many(parts, most)))
    }

    fn text(&mut self) -> String {
        match self.numbers.below(12) {
            0 => self.many(PARTS_OF_LAYOUTS, 4),
            1 => self.many(PARTS_OF_ADDRESSES, 5),
            2 => self.many(PARTS_OF_JSON, 5),
            3 => self.many(NUMBERS, 1),
            4 => self.many(FLOATS, 1),
            5 => self.many(TEXTS, 3),
            _ => self.of(TEXTS).to_owned(),
        }
    }

    fn number(&mut self, depth: usize) -> String {
        match self.numbers.below(12) {
            0 => self.of(ODD_NUMBERS).to_owned(),
            1 if depth > 0 => format!("({})", self.call(Some("int"), depth - 1)),
            _ => self.of(NUMBERS).to_owned(),
        }
    }

    /// A value of a type, mostly.
    fn value(&mut self, kind: &str, depth: usize) -> String {
        if self.one_in(50) {
            let other = self.of(&["nil", ".", "$", ".missing", "true", "\"x\"", "1", "1.5"]);
            return other.to_owned();
        }
        if self.known > 0 && self.one_in(if kind == ANY { 4 } else { 20 }) {
            return format!("$v{}", self.numbers.below(self.known));
        }
        let is_called = depth > 0 && self.one_in(3);
        match kind {
            ANY => {
                let kind = self.of(&[
                    TEXT,
                    TEXT,
                    "int",
                    "int64",
                    "float64",
                    "bool",
                    LIST,
                    MAP,
                    "time.Time",
                    "*semver.Version",
                    "nil",
                ]);
                if is_called && self.one_in(2) {
                    return format!("({})", self.call(None, depth - 1));
                }
                self.value(kind, depth)
            }
            "nil" => "nil".to_owned(),
            TEXT if is_called => format!("({})", self.call(Some(TEXT), depth - 1)),
            TEXT if self.one_in(3) => {
                let names: Vec<&str> = self.variables.keys().map(String::as_str).collect();
                format!("$.{}", names[self.numbers.below(names.len())])
            }
            TEXT => {
                let text = self.text();
                quoted(&text)
            }
            "int" => self.number(depth),
            "int64" if is_called => format!("({})", self.call(Some("int64"), depth - 1)),
            "int64" => format!("(int64 {})", self.number(0)),
            "float64" if is_called => format!("({})", self.call(Some("float64"), depth - 1)),
            "float64" => self.of(FLOATS).to_owned(),
            "bool" if is_called => format!("({})", self.call(Some("bool"), depth - 1)),
            "bool" => self.of(&["true", "false"]).to_owned(),
            "time.Time" if depth > 0 && self.one_in(4) => {
                format!("({})", self.call(Some("time.Time"), depth - 1))
            }
            "time.Time" => {
                let (layout, date) = (
                    self.of(&[
                        "2006-01-02",
                        "2006-01-02 15:04:05",
                        "2006-01-02T15:04:05Z07:00",
                    ]),
                    self.of(DATES),
                );
                format!("(toDate {layout:?} {date:?})")
            }
            "*semver.Version" => format!(
                "(semver {:?})",
                self.of(&["1.2.3", "1.2", "v2", "1.0.0-rc.1+b"])
            ),
            MAP if is_called => format!("({})", self.call(Some(MAP), depth - 1)),
            MAP => {
                if self.one_in(4) {
                    return "(fromJson $.json)".to_owned();
                }
                let mut text = "(dict".to_owned();
                for _ in 0..self.numbers.below(4) {
                    let key = self.of(&["a", "b", "c", "host", "é", "", "path"]);
                    let value = self.value(ANY, depth.saturating_sub(1));
                    text = format!("{text} {key:?} {value}");
                }
                text + ")"
            }
            _ if is_called => {
                let kind = self.of(&[LIST, LIST, "[]string", "[][]interface {}", "[]int"]);
                format!("({})", self.call(Some(kind), depth - 1))
            }
            _ => {
                let element = self.of(&[TEXT, "int", ANY, ANY]);
                let mut text = "(list".to_owned();
                for _ in 0..self.numbers.below(5) {
                    let value = self.value(element, depth.saturating_sub(1));
                    text = text + " " + &value;
                }
                text + ")"
            }
        }
    }
}

/// Whether a function yields the same each time, in Go as well; both have it.
fn is_settled(name: &str) -> bool {
    !(NONDETERMINISTIC.contains(&name)
        || REFUSED.iter().any(|(refused, _)| *refused == name)
        || matches!(name, "keys" | "values"))
}

/// Whether Go's texts show a marker where ours don't.
fn is_marking(name: &str) -> bool {
    matches!(name, "int" | "float" | "bool")
}

/// A text as a literal of a template.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for char in text.chars() {
        match char {
            '"' | '\\' => out.extend(['\\', char]),
            char if char < ' ' => out += &format!("\\x{:02x}", u32::from(char)),
            char => out.push(char),
        }
    }
    out + "\""
}

/// Splits a template into what is changed as a whole.
fn tokens(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let marks = ["{{- ", " -}}", "{{", "}}", ":="];
        let length = match marks.iter().find(|mark| rest.starts_with(**mark)) {
            Some(mark) => mark.len(),
            None if first == '"' || first == '`' => {
                let end = rest[1..].find(first).map_or(rest.len(), |end| end + 2);
                end.min(rest.len())
            }
            None if first.is_alphanumeric() || matches!(first, '.' | '$' | '_') => {
                let is_word = |c: char| c.is_alphanumeric() || c == '_';
                1 + rest
                    .chars()
                    .skip(1)
                    .take_while(|c| is_word(*c))
                    .map(char::len_utf8)
                    .sum::<usize>()
                    + first.len_utf8()
                    - 1
            }
            None => first.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        found.push(token.to_owned());
        rest = after;
    }
    found
}
