//! The corpus that Go's own engine has answered, what differs from it, bounds, and odd templates.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::Value as Json;

use super::*;
use crate::numbers::Numbers;

/// The time stands still, and randomness counts.
struct Fixed(u8);

impl Source for Fixed {
    fn now(&mut self) -> (i64, u32) {
        (1_700_000_000, 0)
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_mul(141).wrapping_add(3);
            *byte = self.0;
        }
    }
}

fn read(name: &str) -> Json {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/template");
    let text = std::fs::read_to_string(root.join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn variables(json: &Json) -> Variables {
    let pairs = json.as_object().unwrap().iter();
    pairs
        .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
        .collect()
}

fn given(pairs: &[(&str, &str)]) -> Variables {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

fn render(text: &str, pairs: &[(&str, &str)]) -> Result<String, String> {
    let template = Template::parse(text).map_err(|error| error.to_string())?;
    let result = template.render_with(&given(pairs), &mut Fixed(1));
    result
        .map(Cow::into_owned)
        .map_err(|error| error.to_string())
}

fn leaf(text: &str, variables: &Variables) -> Result<(String, &'static str), String> {
    let template = Template::parse(text).map_err(|error| error.to_string())?;
    let leaf = template
        .render_leaf(variables, Some(&mut Fixed(1)))
        .map_err(|error| error.to_string())?;
    let text = template.render_with(variables, &mut Fixed(1)).unwrap();
    Ok((
        text.into_owned(),
        match leaf {
            Leaf::Text(_) => "",
            Leaf::Integer(_) => "integer",
            Leaf::Float(_) => "float",
            Leaf::Boolean(_) => "boolean",
        },
    ))
}

#[test]
fn everything_in_the_corpus_is_as_go_has_it() {
    let variables = variables(&read("corpus.json")["variables"]);
    let mut differences = Vec::new();
    for case in read("expected.json").as_array().unwrap() {
        let text = case["template"].as_str().unwrap();
        let found = leaf(text, &variables);
        let expected = case["text"].as_str();
        let is_same = match (&found, expected) {
            (Ok((found, kind)), Some(expected)) => {
                found == expected && *kind == case["typed"].as_str().unwrap_or_default()
            }
            (Err(_), None) => true,
            _ => false,
        };
        if !is_same {
            differences.push(format!("{text}\n  ours: {found:?}\n  Go's: {case}"));
        }
    }
    let count = differences.len();
    assert!(
        differences.is_empty(),
        "{count}:\n{}",
        differences.join("\n")
    );
}

#[test]
fn the_corpus_has_cases_for_every_function_and_action() {
    let corpus = read("corpus.json");
    let groups = corpus["groups"].as_object().unwrap();
    let expected = read("expected.json");
    let mut fails = BTreeMap::new();
    for case in expected.as_array().unwrap() {
        fails.insert(
            case["template"].as_str().unwrap(),
            case["error"].is_string(),
        );
    }
    let actions = [
        "text",
        "trim markers",
        "comments",
        "fields",
        "variables",
        "if",
        "with",
        "range",
        "break",
        "continue",
        "define",
        "template",
        "block",
        "pipelines",
        "literals",
    ];
    let wanted: BTreeSet<&str> = actions.into_iter().chain(function::names()).collect();
    for name in wanted {
        let group = groups
            .get(name)
            .unwrap_or_else(|| panic!("no cases for {name}"));
        let cases = |kind: &str| {
            let cases = group[kind].as_array().unwrap().iter();
            cases.map(|case| case.as_str().unwrap()).collect::<Vec<_>>()
        };
        let (good, bad) = (cases("good"), cases("bad"));
        assert!(good.len() >= 2, "{name}");
        assert!(!bad.is_empty(), "{name}");
        assert!(good.iter().all(|case| !fails[case]), "{name}");
        assert!(bad.iter().all(|case| fails[case]), "{name}");
    }
}

#[test]
fn a_text_without_actions_is_borrowed() {
    let template = Template::parse("a }} { { b").unwrap();
    let text = template.render(&Variables::new()).unwrap();
    assert!(matches!(text, Cow::Borrowed("a }} { { b")));
    assert_eq!(
        Template::parse("")
            .unwrap()
            .render(&Variables::new())
            .unwrap(),
        ""
    );
}

#[test]
fn a_value_is_never_a_template() {
    let evil = [("uid", "{{ .secret }}"), ("secret", "x")];
    assert_eq!(
        render("{{ .uid }}-{{ printf .uid }}", &evil).unwrap(),
        "{{ .secret }}-{{ .secret }}"
    );
    let marker = given(&[("n", "__LYNQ_TYPE_INT__5")]);
    assert_eq!(
        leaf("{{ .n }}", &marker),
        Ok(("__LYNQ_TYPE_INT__5".to_owned(), ""))
    );
}

#[test]
fn a_typed_text_shows_no_marker_wherever_it_stands() {
    let cases = [
        ("{{ .n | int }}", "5", "integer"),
        ("{{ .n | int }}m", "5m", ""),
        ("{{ .n | int }}000", "5000", "integer"),
        ("x{{ .n | int }}", "x5", ""),
        ("{{ int .n }}{{ int .n }}", "55", ""),
        ("{{ .n | int | quote }}", "\"5\"", ""),
        ("{{ add 1 (.n | int) }}", "6", ""),
        ("{{ printf \"%s/%s\" (float .n) (bool .n) }}", "5/false", ""),
        ("{{ list (int .n) | toJson }}", "[\"5\"]", ""),
        ("{{ bool \"yes\" }}", "true", "boolean"),
        ("{{ float \"2.50\" }}", "2.5", "float"),
    ];
    let variables = given(&[("n", "5")]);
    for (text, expected, kind) in cases {
        assert_eq!(
            leaf(text, &variables),
            Ok((expected.to_owned(), kind)),
            "{text}"
        );
    }
    let one = Template::parse("{{ int .n }}").unwrap();
    assert_eq!(one.render_leaf(&variables, None), Ok(Leaf::Integer(5)));
}

#[test]
fn what_is_missing_is_named_with_what_there_is() {
    let error = render("a\n  {{ .hots }}", &[("host", "h"), ("uid", "u")]).unwrap_err();
    assert_eq!(
        error,
        "line 2, column 6: there is no \"hots\"; there are host, uid"
    );
    let error = render("{{ .x }}", &[]).unwrap_err();
    assert_eq!(
        error,
        "line 1, column 4: there is no \"x\"; there is nothing"
    );
    let error = render("{{ (fromJson .j).b }}", &[("j", "{\"a\":1}")]).unwrap_err();
    assert!(error.ends_with("there is no \"b\"; there is a"), "{error}");
}

#[test]
fn errors_say_where_and_why() {
    let cases = [
        (
            "é {{ env \"HOME\" }}",
            "line 1, column 6: function \"env\" is refused: it reads the environment of the program",
        ),
        (
            "{{ uper .a }}",
            "line 1, column 4: function \"uper\" not defined; did you mean \"upper\"?",
        ),
        (
            "\n{{ if .a }}",
            "line 2, column 12: unexpected end of the text; {{end}} is missing",
        ),
        ("{{ fail \"no host\" }}", "line 1, column 4: no host"),
        ("{{ div 1 0 }}", "line 1, column 4: div: division by zero"),
        (
            "{{ upper 1 }}",
            "line 1, column 10: wrong type for value; expected string; got int",
        ),
        ("{{ .uid", "line 1, column 1: unclosed action"),
    ];
    for (text, expected) in cases {
        assert_eq!(render(text, &[]).unwrap_err(), expected);
    }
    for (name, reason) in REFUSED {
        let error = Template::parse(&format!("{{{{ {name} }}}}")).unwrap_err();
        assert!(error.message.contains(reason), "{name}");
    }
}

#[test]
fn what_changes_by_itself_is_told() {
    let names = |text: &str| Template::parse(text).unwrap().nondeterministic_functions();
    assert!(
        Template::parse("{{ .uid | sha256sum }}")
            .unwrap()
            .is_deterministic()
    );
    assert_eq!(
        names("{{ now | date \"2006\" }} {{ randInt 1 2 }}{{ now }}"),
        ["now", "randInt"]
    );
    assert!(names("{{ durationRound \"5s\" }}").is_empty());
    assert_eq!(
        names("{{ toDate \"2006\" \"2020\" | durationRound }}"),
        ["durationRound"]
    );
    let template = Template::parse("{{ now }}").unwrap();
    let error = template.render(&Variables::new()).unwrap_err();
    assert_eq!(
        error.problem.to_string(),
        "now: needs a clock, and there is none here"
    );
    assert_eq!(
        render("{{ now }} {{ ago 1699999000 }}", &[]).unwrap(),
        "2023-11-14 22:13:20 +0000 UTC 16m40s"
    );
    assert_eq!(
        render("{{ randInt 3 9 }}", &[]),
        render("{{ randInt 3 9 }}", &[])
    );
    for name in function::NONDETERMINISTIC {
        assert!(function::find(name).is_some(), "{name}");
    }
}

#[test]
fn a_date_that_is_none_is_refused() {
    for text in [
        "{{ date \"2006\" \"2020\" }}",
        "{{ htmlDate nil }}",
        "{{ ago 1.5 }}",
    ] {
        assert!(
            render(text, &[]).unwrap_err().contains("is no date"),
            "{text}"
        );
    }
}

#[test]
fn maps_that_hold_themselves_do_no_harm() {
    let text = "{{ $d := dict }}{{ $_ := set $d \"d\" (list $d) }}";
    assert_eq!(
        render(&format!("{text}{{{{ len $d.d }}}}"), &[]).unwrap(),
        "1"
    );
    for end in [
        "{{ $d }}",
        "{{ toJson $d }}",
        "{{ deepCopy $d }}",
        "{{ deepEqual $d (dict \"d\" $d) }}x{{ $d | toString }}",
    ] {
        let error = render(&format!("{text}{end}"), &[]).unwrap_err();
        assert!(error.contains("does too much"), "{error}");
    }
}

#[test]
fn whatever_asks_for_too_much_is_stopped() {
    let hostile = [
        "{{ define \"t\" }}{{ template \"t\" . }}{{ end }}{{ template \"t\" . }}",
        "{{ define \"t\" }}{{ if true }}{{ with 1 }}{{ range 1 }}{{ template \"t\" . }}{{ end }}{{ end }}{{ end }}{{ end }}{{ template \"t\" . }}",
        "{{ range 9223372036854775807 }}{{ end }}",
        "{{ range 100000 }}{{ range 100000 }}a{{ end }}{{ end }}",
        "{{ repeat 9223372036854775807 \"ab\" }}",
        "{{ until 9223372036854775807 }}",
        "{{ seq 9223372036854775806 }}",
        "{{ indent 1000000000 .a }}",
        "{{ $x := .a }}{{ range 64 }}{{ $x = print $x $x }}{{ end }}{{ $x }}",
        "{{ $x := list 1 }}{{ range 64 }}{{ $x = list $x $x }}{{ end }}{{ $x }}",
        "{{ $x := list 1 }}{{ range 100000 }}{{ $x = list $x }}{{ end }}{{ $x }}",
        "{{ $x := dict }}{{ range 100000 }}{{ $x = dict \"x\" $x }}{{ end }}{{ $x }}",
        "{{ $x := list 1 }}{{ range 64 }}{{ $x = concat $x $x }}{{ end }}{{ len $x }}",
        "{{ $x := list 1 }}{{ range 30 }}{{ $x = concat $x $x }}{{ end }}{{ len (uniq $x) }}",
        "{{ $f := \"\" }}{{ range 1000 }}{{ $f = print $f \"%1000000[1]d\" }}{{ end }}{{ printf $f 1 }}",
        "{{ replace \"\" .a (repeat 1000000 \"b\") }}",
        "{{ regexReplaceAll \"\" (repeat 1000000 \"b\") .a }}",
        "{{ mustRegexMatch \"((a{100}){100}){100}\" .a }}",
        "{{ $x := repeat 10000000 \"a\" }}{{ range 1000000 }}{{ $_ := contains \"b\" $x }}{{ end }}",
        "{{ $x := repeat 100000 \"ab\" }}{{ range 1000000 }}{{ $_ := regexMatch \"(a|b)*c\" $x }}{{ end }}",
        "{{ $x := \"9e300\" }}{{ range 10000 }}{{ $x = print (mulf $x $x $x $x $x $x $x $x $x) }}{{ end }}",
        "{{ uniq (until 100000) | len }}",
        "{{ randAlphaNum 9223372036854775807 }}",
        "{{ wrapWith 1 (repeat 10000 \"x\") (repeat 100000 \"y\") }}",
        "{{ $x := list 1 }}{{ range 40 }}{{ $x = list $x $x }}{{ end }}{{ deepEqual $x (deepCopy $x) }}",
    ];
    for text in hostile {
        let result = render(text, &[("a", &"a".repeat(1000))]);
        assert!(result.is_err(), "{text}: {}", result.unwrap().len());
    }
    let nested =
        |open: &str, close: &str| format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
    assert!(Template::parse(&format!("{{{{ {} }}}}", nested("(", ")"))).is_err());
    assert!(Template::parse(&nested("{{if 1}}", "{{end}}")).is_err());
    assert!(Template::parse(&format!("{{{{if 1}}}}{}", "{{else if 1}}".repeat(100_000))).is_err());
    let deep = "[".repeat(100_000);
    assert_eq!(
        render("{{ fromJson .j | toJson }}", &[("j", &deep)])
            .unwrap_err()
            .split(": ")
            .nth(1),
        Some("the template does too much")
    );
    assert!(render("{{ regexMatch .p \"a\" }}", &[("p", &"(".repeat(100_000))]).is_ok());
}

#[test]
fn a_step_beyond_the_last_number_ends_a_row() {
    let text = "{{ untilStep 9223372036854775800 9223372036854775807 3 | len }}";
    assert_eq!(render(text, &[]).unwrap(), "3");
}

#[test]
fn bytes_that_are_no_character_arrive_as_json_has_them() {
    assert_eq!(
        render(
            "{{ trunc 4 .u }}|{{ trunc 4 .u | b64enc }}",
            &[("u", "日本")]
        )
        .unwrap(),
        "日\u{FFFD}|5pel5g=="
    );
}

/// Templates and values of random parts.
impl Numbers {
    fn of<'n>(&mut self, choices: &[&'n str]) -> &'n str {
        choices[self.below(choices.len())]
    }

    fn value(&mut self, depth: usize) -> String {
        const PLAIN: [&str; 26] = [
            ".",
            "$",
            ".uid",
            ".j",
            ".missing",
            "nil",
            "true",
            "0",
            "-1",
            "3",
            "1.5",
            "1e300",
            "\"\"",
            "\"a,b\"",
            "\"é\\xff%5.3d\"",
            "`(a|b)*`",
            "9223372036854775807",
            "'x'",
            "\"2006-01-02 MST\"",
            "(list 1 \"a\" nil)",
            "(dict \"a\" (dict \"b\" 1))",
            "(until 3)",
            "(fromJson .j)",
            "$x",
            "(semver \"1.2\")",
            "(toDate \"2006\" \"2020\")",
        ];
        if depth == 0 || self.below(3) > 0 {
            return self.of(&PLAIN).to_owned();
        }
        format!("({})", self.call(depth - 1))
    }

    fn call(&mut self, depth: usize) -> String {
        let names: Vec<&str> = function::names().collect();
        let mut text = self.of(&names).to_owned();
        let count = match function::find(&text) {
            Some(found) if self.below(10) > 0 => {
                found.fixed.len()
                    + if found.variadic.is_some() {
                        self.below(3)
                    } else {
                        0
                    }
            }
            _ => self.below(4),
        };
        for _ in 0..count {
            text = format!("{text} {}", self.value(depth));
        }
        if self.below(4) == 0 {
            text = format!("{text} | {}", self.of(&names));
        }
        text
    }

    fn node(&mut self, depth: usize) -> String {
        let value = self.value(2);
        let inner = |numbers: &mut Self| {
            if depth == 0 {
                "x".to_owned()
            } else {
                numbers.node(depth - 1)
            }
        };
        match self.below(8) {
            0 => format!(
                "{{{{ if {value} }}}}{}{{{{ else }}}}{}{{{{ end }}}}",
                inner(self),
                inner(self)
            ),
            1 => format!(
                "{{{{ range $k, $v := {value} }}}}{}{{{{ break }}}}{{{{ end }}}}",
                inner(self)
            ),
            2 => format!("{{{{- with {value} -}}}} {} {{{{- end }}}}", inner(self)),
            3 => format!("{{{{ $x = {} }}}}", self.call(2)),
            _ => format!("{{{{ {} }}}}", self.call(3)),
        }
    }
}

#[test]
fn random_templates_never_panic() {
    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
    let pairs = [
        ("uid", "acme {{ }}"),
        ("j", "{\"a\":[1,{\"b\":null}],\"é\":\"\\ud800\"}"),
    ];
    let mut good = 0;
    for _ in 0..40_000 {
        let text = format!("{{{{ $x := 1 }}}}{}{}", numbers.node(2), numbers.node(1));
        good += usize::from(render(&text, &pairs).is_ok());
    }
    assert!(good > 1_000, "{good}");
}

#[test]
fn random_characters_never_panic() {
    const PIECES: [&str; 40] = [
        "{{", "}}", "{{-", "-}}", " ", "\n", "if", "else", "end", "range", "with", "define",
        "block", "template", "break", "\"", "`", "'", "\\", "(", ")", "|", ":=", "=", ",", "$",
        "$x", ".", ".a", "1", "-", "0x", "e5", "nil", "true", "printf", "/*", "*/", "é",
        "%[1]*.3d",
    ];
    let mut numbers = Numbers(88_172_645_463_325_252);
    for _ in 0..40_000 {
        let count = numbers.below(30);
        let text: String = (0..count).map(|_| numbers.of(&PIECES)).collect();
        let _ = render(&text, &[("a", "1")]);
        let _ = render(
            "{{ printf .f 1 \"a\" 2.5 }}{{ regexReplaceAll .f .f .f }}{{ date .f 5 }}{{ toDate .f .f }}",
            &[("f", &text)],
        );
        let _ = render("{{ urlParse .f | urlJoin }}", &[("f", &text)]);
        let _ = render("{{ semverCompare .f .f }}", &[("f", &text)]);
    }
}
