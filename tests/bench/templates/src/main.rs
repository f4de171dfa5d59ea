//! Renders templates again and again, for measuring: what `tests/go-template -rounds` does with Go's engine.
//!
//! `templates cases corpus|form` prints cases, one per line, {"template": "…", "variables": {"name": "value"}};
//! `templates ROUNDS FILE` parses each case of a file once and renders all of them in turn, round by round.

use std::env::args;
use std::error::Error;
use std::fs::read_to_string;
use std::io::{Write as _, stdout};
use std::path::Path;

use serde_json::{Value, json};
use weft_domain::template::{Template, Variables};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// The texts of an object of each kind that a form has, as people write them.
const FORM: [&str; 14] = [
    "{{ .uid }}-web",
    "{{ printf \"%s-%s\" .uid .region | lower | trunc63 }}",
    "{{ .uid | replace \"_\" \"-\" | lower | trunc 63 | trimSuffix \"-\" }}",
    "{{ .image }}:{{ default \"latest\" .tag }}",
    "{{ .replicas | int }}",
    "{{ .hostOrUrl | toHost }}",
    "https://{{ .hostOrUrl | toHost }}:{{ .port }}/{{ .uid }}",
    "{{ if eq .plan \"enterprise\" }}dedicated{{ else if eq .plan \"pro\" }}shared-large{{ else }}shared{{ end }}",
    "{{ ternary \"true\" \"false\" (eq .activate \"1\") }}",
    "{{ sha1sum .uid | trunc 8 }}",
    "{{ .password | b64enc }}",
    "{{ $config := fromJson .config }}{{ $config.db.host }}:{{ $config.db.port }}",
    "{{ range $index, $part := splitList \",\" .features }}{{ if $index }} {{ end }}--feature={{ $part | trim | kebabcase }}{{ end }}",
    "tenant: {{ .uid | quote }}\nplan: {{ .plan | quote }}\nregion: {{ .region | upper }}\n{{- with .tag }}\ntag: {{ . }}\n{{- end }}\n",
];

fn main() -> Outcome {
    let arguments: Vec<String> = args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["cases", "corpus"] => print(&corpus()?),
        ["cases", "form"] => print(&form()),
        [rounds, file] => render(rounds.parse()?, file),
        _ => Err("usage: templates cases corpus|form, or templates ROUNDS FILE".into()),
    }
}

fn print(cases: &[Value]) -> Outcome {
    let mut out = stdout().lock();
    for case in cases {
        writeln!(out, "{case}")?;
    }
    Ok(())
}

fn render(rounds: usize, file: &str) -> Outcome {
    let mut cases = Vec::new();
    for line in read_to_string(file)?.lines() {
        let case: Value = serde_json::from_str(line)?;
        let template = Template::parse(case["template"].as_str().unwrap_or_default())?;
        let variables: Variables = serde_json::from_value(case["variables"].clone())?;
        cases.push((template, variables));
    }
    for _ in 0..rounds {
        for (template, variables) in &cases {
            template.render(variables)?;
        }
    }
    Ok(())
}

/// The cases of the corpus that yield a text without a clock and randomness.
fn corpus() -> Outcome<Vec<Value>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../testdata/template/corpus.json");
    let corpus: Value = serde_json::from_str(&read_to_string(path)?)?;
    let variables: Variables = serde_json::from_value(corpus["variables"].clone())?;
    let groups = corpus["groups"].as_object().into_iter().flatten();
    let texts = groups.filter_map(|(_, group)| group["good"].as_array()).flatten();
    let renders = |text: &str| Template::parse(text).is_ok_and(|template| template.render(&variables).is_ok());
    let cases = texts.filter_map(Value::as_str).filter(|text| renders(text));
    Ok(cases.map(|text| json!({ "template": text, "variables": variables })).collect())
}

fn form() -> Vec<Value> {
    let variables = json!({
        "uid": "acme_corp",
        "activate": "1",
        "hostOrUrl": "https://acme.example.com:8443/login",
        "plan": "pro",
        "region": "eu-west-1",
        "image": "registry.example/web",
        "tag": "1.4.2",
        "replicas": "3",
        "port": "8443",
        "password": "correct horse battery staple",
        "features": "singleSignOn, auditLog,customDomains",
        "config": "{\"db\":{\"host\":\"db-7.internal\",\"port\":5432},\"cache\":true,\"tags\":[\"a\",\"b\"]}",
    });
    FORM.iter().map(|text| json!({ "template": text, "variables": variables })).collect()
}
