//! Templates beside Go's own engine: the program `tests/go-template`, which `tests/tools` makes.

mod random;

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};
use weft_domain::template::{Leaf, NONDETERMINISTIC, REFUSED, Template, Variables, functions};

use crate::{
    seeded::{Seeded, full},
    support::tools::{run, testdata},
};
use random::{Generator, Signature};

/// The functions that Go's engine has by itself; `slice` is Sprig's.
const BUILTIN: [&str; 18] = [
    "and", "call", "eq", "ge", "gt", "html", "index", "js", "le", "len", "lt", "ne", "not", "or",
    "print", "printf", "println", "urlquery",
];

/// The seed, unless another one is asked for.
const SEED: u64 = 1;

#[derive(Deserialize)]
struct Corpus {
    variables: Variables,
    groups: BTreeMap<String, BTreeMap<String, Vec<String>>>,
}

fn read<T: for<'t> Deserialize<'t>>(name: &str) -> T {
    let text =
        std::fs::read_to_string(testdata("template").join(name)).expect("a file of testdata");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// What Go makes of some cases.
fn go(cases: &[(String, Variables)]) -> Vec<Value> {
    let mut lines = String::new();
    for (template, variables) in cases {
        lines += &json!({ "template": template, "variables": variables }).to_string();
        lines.push('\n');
    }
    let (answers, _) = run::<&str>("go-template", &[], &lines);
    let answers: Vec<Value> = answers
        .lines()
        .map(|line| serde_json::from_str(line).expect("an answer is JSON"))
        .collect();
    assert_eq!(answers.len(), cases.len());
    answers
}

/// What we make of a case, the way Go's program says it; without a clock and randomness.
fn ours(template: &str, variables: &Variables) -> Result<Value, String> {
    let template = Template::parse(template).map_err(|error| error.to_string())?;
    let leaf = template
        .render_leaf(variables, None)
        .map_err(|error| error.to_string())?;
    let text = template
        .render(variables)
        .map_err(|error| error.to_string())?;
    let text = text.as_ref();
    Ok(match leaf {
        Leaf::Text(_) => json!({ "text": text }),
        Leaf::Integer(_) => json!({ "text": text, "typed": "integer" }),
        Leaf::Float(_) => json!({ "text": text, "typed": "float" }),
        Leaf::Boolean(_) => json!({ "text": text, "typed": "boolean" }),
    })
}

fn described() -> Vec<Signature> {
    let (lines, _) = run("go-template", &["-functions"], "");
    lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("a description is JSON"))
        .collect()
}

#[test]
fn go_still_says_what_is_recorded_and_so_do_we() {
    let corpus: Corpus = read("corpus.json");
    let mut recorded: Vec<Value> = read("expected.json");
    let texts = recorded
        .iter()
        .map(|case| case["template"].as_str().expect("a template").to_owned());
    let cases: Vec<(String, Variables)> =
        texts.map(|text| (text, corpus.variables.clone())).collect();

    let known: BTreeSet<&str> = cases.iter().map(|(text, _)| text.as_str()).collect();
    for text in corpus.groups.values().flat_map(BTreeMap::values).flatten() {
        assert!(known.contains(text.as_str()), "not recorded: {text}");
    }
    for ((answer, recorded), (text, variables)) in
        go(&cases).into_iter().zip(&mut recorded).zip(&cases)
    {
        recorded
            .as_object_mut()
            .expect("an object")
            .remove("template");
        // The words of an error are the engine's, and not the same in each version.
        assert_eq!(
            answer["error"].is_string(),
            recorded["error"].is_string(),
            "{text}: {answer}"
        );
        if answer["error"].is_string() {
            assert!(ours(text, variables).is_err(), "{text}: {answer}");
            continue;
        }
        let is_random = NONDETERMINISTIC.iter().any(|name| text.contains(name));
        if !is_random {
            assert_eq!(ours(text, variables), Ok(answer.clone()), "{text}");
        }
        assert_eq!(&answer, recorded, "{text}");
    }
}

#[test]
fn every_function_of_go_is_offered_or_refused() {
    let refused = REFUSED.iter().map(|(name, _)| *name);
    let ours: BTreeSet<&str> = functions().into_iter().chain(refused).collect();
    let described = described();
    let go: BTreeSet<&str> = described
        .iter()
        .map(|one| one.name.as_str())
        .chain(BUILTIN)
        .collect();
    assert_eq!(ours, go);
}

#[test]
fn the_readme_lists_what_templates_refuse_and_what_changes_by_itself() {
    let readme = std::fs::read_to_string(testdata("../README.md")).expect("the README");
    let section = readme
        .split("\n## ")
        .find(|part| part.starts_with("Templates\n"))
        .expect("a section");
    let listed = |names: &[&str]| {
        names
            .iter()
            .map(|name| format!("`{name}`"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let mut rows = vec!["| functions | why |".to_owned(), "|---|---|".to_owned()];
    for same in REFUSED.chunk_by(|(_, one), (_, other)| one == other) {
        let names: Vec<&str> = same.iter().map(|(name, _)| *name).collect();
        rows.push(format!("| {} | {} |", listed(&names), same[0].1));
    }
    let table: Vec<&str> = section
        .lines()
        .filter(|line| line.starts_with('|'))
        .collect();
    assert_eq!(table, rows);
    assert!(section.contains(&listed(NONDETERMINISTIC)), "{section}");
}

/// Where we differ from Go on purpose; the module's documentation says so.
fn differs_on_purpose(error: &str) -> bool {
    [
        "is no date",
        "needs a clock",
        "needs randomness",
        "complex numbers",
        "is not offered",
        "does too much",
        "is refused",
        "%p of",
        "a chunk has at least",
        // Go's lists have room beyond their end.
        "slice index out of bounds",
    ]
    .iter()
    .any(|part| error.contains(part))
}

/// Where Go's result is no measure.
fn is_beyond_compare(template: &str, ours: Option<&Value>) -> bool {
    let uses = |parts: &[&str]| parts.iter().any(|part| template.contains(part));
    // Go's copy of a version is none of it any more.
    let loses = uses(&["eepCopy"]) && uses(&["semver"]);
    // Words and patterns are for texts, not for bytes that are no characters.
    let is_broken = ours.is_some_and(|ours| ours.to_string().contains('\u{FFFD}'));
    let is_binary = (is_broken || uses(&["b64dec", "b32dec"]))
        && uses(&["egex", "snakecase", "kebabcase", "camelcase"]);
    // Go's merge goes through maps that hold themselves until its stack ends.
    let is_endless = uses(&["erge"]) && uses(&["$v"]);
    // Behind the greatest number Go goes on with the least.
    let overflows = uses(&["untilStep", "seq"]) && uses(&["92233720368547"]);
    // Only the operator's type of all variables has a name.
    let is_named = uses(&["typeOf"]);
    loses || is_binary || is_endless || overflows || is_named
}

#[test]
fn random_templates_yield_what_they_yield_in_go() {
    const BATCH: usize = 500;
    // As many differences as one can look at.
    const MOST: usize = 10;
    let wanted = if full() { 200_000 } else { 2_000 };
    let corpus: Corpus = read("corpus.json");
    let texts = corpus
        .groups
        .into_values()
        .flat_map(BTreeMap::into_values)
        .flatten()
        .collect();
    // The same each time, so that what is rare and new is found when somebody looks for it.
    let seed = Seeded::seed_or(SEED);
    let mut generator = Generator::new(seed, described(), texts, corpus.variables);
    let (mut compared, mut good, mut differences) = (0, 0, Vec::new());
    while compared < wanted && differences.len() < MOST {
        let (mut cases, mut found) = (Vec::new(), Vec::new());
        while cases.len() < BATCH {
            let (template, variables) = generator.case();
            let ours = ours(&template, &variables);
            let is_ours = ours.as_ref().is_err_and(|error| differs_on_purpose(error));
            if !is_ours && !is_beyond_compare(&template, ours.as_ref().ok()) {
                cases.push((template, variables));
                found.push(ours);
            }
        }
        for ((ours, go), (template, variables)) in found.into_iter().zip(go(&cases)).zip(cases) {
            compared += 1;
            let is_same = match &ours {
                Ok(ours) => {
                    good += 1;
                    *ours == go || ours.to_string().contains("Variables")
                }
                Err(_) => go["error"].is_string(),
            };
            if !is_same {
                let used: Vec<_> = variables
                    .iter()
                    .filter(|(name, _)| template.contains(name.as_str()))
                    .collect();
                differences.push(format!(
                    "{template}\n  of {used:?}\n  ours: {ours:?}\n  Go's: {go}"
                ));
            }
        }
    }
    assert!(
        differences.is_empty(),
        "{} of {compared}:\n{}",
        differences.len(),
        differences.join("\n")
    );
    println!("{good} of {compared} templates yield a text");
    assert!(
        good * 5 > compared,
        "{good} of {compared} templates yield a text"
    );
}
