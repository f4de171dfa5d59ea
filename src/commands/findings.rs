//! Reports of findings: lines for people, `JUnit` for CI, SARIF for code scanning.

use std::collections::HashMap;

use serde_json::json;
use weft_domain::check::{Rule, Severity};

use crate::{api::design::Finding, output::Report, service::system::VERSION};

/// The formats.
pub(super) const REPORTS: &[Report] = &[Report::Junit, Report::Sarif];

/// What was checked, and what was found.
pub(super) struct Checked<'a> {
    /// The name of the whole.
    pub(super) name: &'a str,
    /// What findings may be about.
    pub(super) subjects: &'a [String],
    /// The findings.
    pub(super) findings: &'a [Finding],
}

impl Checked<'_> {
    /// Makes one of the reports.
    pub(super) fn report(&self, report: Report) -> Option<String> {
        match report {
            Report::Junit => Some(junit(self)),
            Report::Sarif => Some(sarif(self.findings)),
            Report::Markdown => None,
        }
    }
}

/// Counts warnings as errors; tells whether nothing was found at all.
pub(super) fn be_strict(findings: &mut [Finding]) -> bool {
    for finding in &mut *findings {
        finding.severity = Severity::Error;
    }
    findings.is_empty()
}

/// One line per finding, hints below.
pub(super) fn text(findings: &[Finding]) -> String {
    use std::fmt::Write;
    let mut text = String::new();
    for finding in findings {
        let _ = writeln!(text, "{}: {finding}", label(finding.severity));
        if let Some(hint) = &finding.hint {
            let _ = writeln!(text, "  hint: {hint}");
        }
    }
    text
}

fn label(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// `JUnit`: a test case per resource, failed by its errors; warnings stand in its output.
fn junit(report: &Checked<'_>) -> String {
    use std::fmt::Write;
    let mut cases: Vec<(&str, Vec<&Finding>)> = report
        .subjects
        .iter()
        .map(|id| (id.as_str(), Vec::new()))
        .collect();
    let ids = cases.iter().enumerate().map(|(at, (id, _))| (*id, at));
    let at: HashMap<&str, usize> = ids.collect();
    let mut others = Vec::new();
    for finding in report.findings {
        let resource = finding.resource.as_deref();
        match resource.and_then(|id| at.get(id)) {
            Some(at) => cases[*at].1.push(finding),
            None => others.push(finding),
        }
    }
    if !others.is_empty() {
        cases.push(("(no resource)", others));
    }
    let failed = |findings: &[&Finding]| findings.iter().any(|f| f.severity == Severity::Error);
    let failures = cases
        .iter()
        .filter(|(_, findings)| failed(findings))
        .count();
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        text,
        "<testsuites tests=\"{0}\" failures=\"{failures}\">\n  <testsuite name=\"{1}\" tests=\"{0}\" failures=\"{failures}\">",
        cases.len(),
        xml(report.name)
    );
    for (id, findings) in &cases {
        let _ = write!(
            text,
            "    <testcase classname=\"{}\" name=\"{}\"",
            xml(report.name),
            xml(id)
        );
        if findings.is_empty() {
            text.push_str("/>\n");
            continue;
        }
        text.push_str(">\n");
        let lines = |severity| {
            let lines = findings
                .iter()
                .filter(|f| f.severity == severity)
                .map(|f| xml(&f.to_string()));
            lines.collect::<Vec<_>>().join("\n")
        };
        if failed(findings) {
            let message = findings.iter().find(|f| f.severity == Severity::Error);
            let message = message.map_or_else(String::new, |f| xml(&f.message));
            let _ = writeln!(
                text,
                "      <failure message=\"{message}\">{}</failure>",
                lines(Severity::Error)
            );
        }
        let warnings = lines(Severity::Warning);
        if !warnings.is_empty() {
            let _ = writeln!(text, "      <system-out>{warnings}</system-out>");
        }
        text.push_str("    </testcase>\n");
    }
    text.push_str("  </testsuite>\n</testsuites>\n");
    text
}

/// Text for XML 1.0: its five characters escaped, what it can't hold replaced.
fn xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\n' | '\t' => escaped.push(c),
            c if c.is_control() || crate::output::escape::is_unsafe(c) => {
                escaped.push_str(&c.escape_unicode().to_string());
            }
            c => escaped.push(c),
        }
    }
    escaped
}

/// SARIF 2.1.0, one run.
fn sarif(findings: &[Finding]) -> String {
    let rules: Vec<_> = Rule::ALL
        .iter()
        .map(|rule| json!({ "id": rule.name() }))
        .collect();
    let results: Vec<_> = findings
        .iter()
        .map(|finding| {
            let mut location = json!({});
            if let Some(file) = &finding.file {
                location["physicalLocation"] = json!({ "artifactLocation": { "uri": uri(file) } });
                if let Some(line) = finding.line {
                    location["physicalLocation"]["region"] =
                        json!({ "startLine": line, "startColumn": finding.column.unwrap_or(1) });
                }
            }
            if let Some(resource) = &finding.resource {
                location["logicalLocations"] = json!([{ "fullyQualifiedName": resource }]);
            }
            json!({
                "ruleId": finding.rule.name(),
                "level": label(finding.severity),
                "message": { "text": finding.message },
                "locations": [location],
            })
        })
        .collect();
    let document = json!({
        "version": "2.1.0",
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "runs": [{
            "tool": { "driver": { "name": "weftctl", "version": VERSION, "rules": rules } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    let mut text = Vec::new();
    // A `Vec` takes everything.
    let _ = crate::output::document::write_json(&mut text, &document);
    String::from_utf8(text).unwrap_or_default()
}

/// A path as a relative reference.
fn uri(file: &str) -> String {
    use std::fmt::Write;
    let mut uri = String::new();
    for byte in file.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~/:".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}
