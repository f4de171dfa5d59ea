//! Manifests as files: one manifest, a Helm chart, a kustomization, an Artifact Hub package.
//!
//! Values in, file names and texts out; packing them is for others. A chart gives back exactly the objects
//! that went in: text that Helm would take for a template is escaped, and nothing is moved to where
//! `helm template` would not show it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

/// The longest file name that is made.
const LONGEST_NAME: usize = 200;

/// What is exported.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The design's name.
    pub name: &'a str,
    /// The design's version.
    pub version: &'a str,
    /// What the design is for, in one sentence; may be empty.
    pub description: &'a str,
    /// The objects.
    pub manifests: &'a [Value],
}

/// Files of one export; the first one is the one to look at first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bundle {
    /// The files, each path once.
    pub files: Vec<BundleFile>,
}

/// One file of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleFile {
    /// Its path, relative and with `/`.
    pub path: String,
    /// Its text.
    pub content: String,
}

/// Why something could not be exported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A version that is no semantic version, which charts and packages need.
    #[error("version '{version}' is not a semantic version such as 1.2.3")]
    Version {
        /// The version given.
        version: String,
    },
    /// A manifest without what every object has.
    #[error("manifest {index} has no {field}")]
    Manifest {
        /// Its position, from zero.
        index: usize,
        /// The field that is missing.
        field: &'static str,
    },
    /// A file name that is not one plain name.
    #[error("'{name}' is not a plain file name")]
    FileName {
        /// The name given.
        name: String,
    },
}

/// What an Artifact Hub package says of a design.
#[derive(Clone, Debug, Default)]
pub struct Package<'a> {
    /// The design's name; the package's is made of it.
    pub name: &'a str,
    /// The published version; `0.0.1` if empty.
    pub version: &'a str,
    /// What the design is for; a plain sentence if empty.
    pub description: &'a str,
    /// When it was made, as RFC 3339.
    pub created_at: &'a str,
    /// Who offers it; left out if empty.
    pub provider: &'a str,
    /// Its home page; left out if empty.
    pub home_url: &'a str,
    /// Its picture; left out if empty.
    pub logo_url: &'a str,
    /// How it is installed; left out if empty.
    pub install: &'a str,
    /// What to know and to beware of; left out if empty.
    pub readme: &'a str,
    /// Words to find it by.
    pub keywords: &'a [String],
    /// Names and addresses of pages about it.
    pub links: &'a [(String, String)],
    /// Titles and addresses of pictures of it.
    pub screenshots: &'a [(String, String)],
}

impl Bundle {
    /// A bundle of one file.
    pub fn single(path: &str, content: String) -> Self {
        Self {
            files: vec![file(path, content)],
        }
    }
}

/// Writes all objects as one text of several documents.
pub fn manifest(source: &Source<'_>) -> Result<Bundle, Error> {
    check(source.manifests)?;
    let mut content = String::new();
    for object in source.manifests {
        content.push_str("---\n");
        content.push_str(&yaml(object));
    }
    let path = format!("{}.yaml", file_stem(source.name, "design"));
    Ok(Bundle {
        files: vec![BundleFile { path, content }],
    })
}

/// Writes a Helm chart.
pub fn chart(source: &Source<'_>) -> Result<Bundle, Error> {
    let chart = json!({
        "apiVersion": "v2",
        "name": file_stem(source.name, "design"),
        "description": describe(source.description, source.name),
        "type": "application",
        "version": semantic(source.version)?,
        "appVersion": source.version,
    });
    let mut files = vec![
        file("Chart.yaml", yaml(&chart)),
        file(
            "values.yaml",
            "# The objects are as they were exported: nothing to set.\n{}\n",
        ),
        file(
            ".helmignore",
            ".git/\n.gitignore\n.DS_Store\n*.swp\n*.bak\n*.tmp\n*.orig\n*~\n",
        ),
    ];
    let names = names(source.manifests)?;
    for (name, object) in names.into_iter().zip(source.manifests) {
        let mut content = String::new();
        if object["kind"] == "CustomResourceDefinition" {
            content.push_str(
                "# Here and not in crds/, which helm neither shows in `helm template` nor upgrades.\n",
            );
        }
        content.push_str(&template(object));
        files.push(file(&format!("templates/{name}"), content));
    }
    Ok(Bundle { files })
}

/// Writes a kustomization with one file for each object.
pub fn kustomization(source: &Source<'_>) -> Result<Bundle, Error> {
    let names = names(source.manifests)?;
    let index = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": names,
    });
    let mut files = vec![file("kustomization.yaml", yaml(&index))];
    for (name, object) in names.into_iter().zip(source.manifests) {
        files.push(file(&name, yaml(object)));
    }
    Ok(Bundle { files })
}

/// Writes an Artifact Hub package: its description and the design's own file, whose text is passed in.
pub fn package(package: &Package<'_>, file_name: &str, design: &str) -> Result<Bundle, Error> {
    let plain = !file_name.is_empty()
        && file_name.len() <= LONGEST_NAME
        && !file_name.contains(['/', '\\', '\0'])
        && !matches!(file_name, "." | ".." | "artifacthub-pkg.yml");
    if !plain {
        return Err(Error::FileName {
            name: file_name.to_owned(),
        });
    }
    let version = match package.version {
        "" => "0.0.1".to_owned(),
        version => semantic(version)?,
    };
    let mut about = Map::new();
    let mut put = |key: &str, value: Value| {
        let empty = value.as_str().is_some_and(str::is_empty)
            || value.as_array().is_some_and(Vec::is_empty);
        if !empty {
            about.insert(key.to_owned(), value);
        }
    };
    put("version", json!(version));
    put("name", json!(file_stem(package.name, "design")));
    put("displayName", json!(package.name));
    put("createdAt", json!(package.created_at));
    put(
        "description",
        json!(describe(package.description, package.name)),
    );
    put("license", json!("Apache-2.0"));
    put("homeURL", json!(package.home_url));
    put("logoURL", json!(package.logo_url));
    put("install", json!(package.install));
    put("readme", json!(package.readme));
    put("keywords", json!(package.keywords));
    let pairs = |pairs: &[(String, String)], title: &str| -> Value {
        pairs
            .iter()
            .map(|(name, url)| {
                let mut entry = Map::new();
                entry.insert(title.to_owned(), json!(name));
                entry.insert("url".to_owned(), json!(url));
                Value::Object(entry)
            })
            .collect()
    };
    put("links", pairs(package.links, "name"));
    put("screenshots", pairs(package.screenshots, "title"));
    if !package.provider.is_empty() {
        put("provider", json!({"name": package.provider}));
    }
    Ok(Bundle {
        files: vec![
            file("artifacthub-pkg.yml", yaml(&Value::Object(about))),
            file(file_name, design),
        ],
    })
}

fn file(path: &str, content: impl Into<String>) -> BundleFile {
    BundleFile {
        path: path.to_owned(),
        content: content.into(),
    }
}

/// Writes a value as YAML. The one place that knows how.
///
/// The writer leaves some characters as they are that Go's YAML reader refuses; a value with one of them is
/// written as JSON, which is YAML too and can escape them all.
fn yaml(value: &Value) -> String {
    let text = crate::yaml::to_string(value);
    if !text.contains(is_refused) {
        return text;
    }
    let mut text = String::new();
    for character in value.to_string().chars() {
        if is_refused(character) {
            let _ = write!(text, "\\u{:04x}", u32::from(character));
        } else {
            text.push(character);
        }
    }
    text.push('\n');
    text
}

/// Says whether Go's YAML reader refuses the character outside an escape.
fn is_refused(character: char) -> bool {
    matches!(character, '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}')
}

/// Writes an object as a template that Helm turns back into it.
///
/// `{{` becomes an action that prints it. Helm trims what it renders, and a text that ends the document with
/// empty lines would lose them: a comment holds them. (A comment there makes kustomize add a line, so it is
/// for charts only.)
fn template(object: &Value) -> String {
    let mut text = yaml(object).replace("{{", "{{ \"{{\" }}");
    if text.len() > text.trim_end().len() + 1 {
        text.push_str("# end\n");
    }
    text
}

fn check(manifests: &[Value]) -> Result<(), Error> {
    for (index, object) in manifests.iter().enumerate() {
        for field in ["apiVersion", "kind"] {
            if object[field].as_str().is_none_or(str::is_empty) {
                return Err(Error::Manifest { index, field });
            }
        }
    }
    Ok(())
}

/// Returns a file name for each object, in their order.
fn names(manifests: &[Value]) -> Result<Vec<String>, Error> {
    check(manifests)?;
    let mut taken = BTreeSet::new();
    let mut names = Vec::with_capacity(manifests.len());
    for object in manifests {
        let kind = object["kind"].as_str().unwrap_or_default();
        let metadata = &object["metadata"];
        let name = metadata["name"]
            .as_str()
            .or_else(|| metadata["generateName"].as_str())
            .unwrap_or_default();
        let stem = file_stem(&format!("{kind}-{name}"), "object");
        let mut name = format!("{stem}.yaml");
        let mut number = 2_usize;
        while !taken.insert(name.clone()) {
            name = format!("{stem}-{number}.yaml");
            number = number.saturating_add(1);
        }
        names.push(name);
    }
    Ok(names)
}

/// Makes a plain lower-case name of letters, digits, dashes and dots.
fn file_stem(name: &str, otherwise: &str) -> String {
    let mut stem = String::new();
    for character in name.chars() {
        match character.to_ascii_lowercase() {
            plain @ ('a'..='z' | '0'..='9') => stem.push(plain),
            '.' if stem.ends_with(|last: char| last.is_ascii_alphanumeric()) => stem.push('.'),
            _ if !stem.is_empty() && !stem.ends_with(['-', '.']) => stem.push('-'),
            _ => {}
        }
    }
    // Room for a number and an extension.
    let cut = stem.get(..LONGEST_NAME - 20).unwrap_or(&stem);
    match cut.trim_end_matches(['-', '.']) {
        "" => otherwise.to_owned(),
        stem => stem.to_owned(),
    }
}

fn describe(description: &str, name: &str) -> String {
    match description.trim() {
        "" => format!("The design {name}"),
        description => description.to_owned(),
    }
}

/// Makes a semantic version: without a leading `v`, with all three numbers.
fn semantic(version: &str) -> Result<String, Error> {
    let error = || Error::Version {
        version: version.to_owned(),
    };
    let text = version.trim();
    let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
    let end = text.find(['-', '+']).unwrap_or(text.len());
    let (core, rest) = text.split_at(end);
    let (before, build) = match rest.split_once('+') {
        Some((before, build)) => (before, Some(build)),
        None => (rest, None),
    };
    let before = before.strip_prefix('-');
    let number = |part: &str| {
        let digits = !part.is_empty() && part.chars().all(|digit| digit.is_ascii_digit());
        // Helm reads the numbers as 64-bit ones.
        digits && (part == "0" || !part.starts_with('0')) && part.parse::<u64>().is_ok()
    };
    let word = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    let mut parts: Vec<&str> = core.split('.').collect();
    let whole = parts.len() <= 3 && parts.iter().all(|part| number(part));
    let before_holds = before.is_none_or(|before| {
        before.split('.').all(|part| {
            word(part) && (number(part) || !part.chars().all(|digit| digit.is_ascii_digit()))
        })
    });
    let build_holds = build.is_none_or(|build| build.split('.').all(word));
    if !(whole && before_holds && build_holds) {
        return Err(error());
    }
    parts.resize(3, "0");
    Ok(format!("{}{rest}", parts.join(".")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(manifests: &[Value]) -> Source<'_> {
        Source {
            name: "My Shop",
            version: "v0.0.3",
            description: "",
            manifests,
        }
    }

    fn read(text: &str) -> Value {
        serde_saphyr::from_str(text).expect("valid YAML")
    }

    /// What Helm makes of a template that holds nothing but escapes.
    fn render(text: &str) -> String {
        let done = text.replace("{{ \"{{\" }}", "\u{1}");
        assert!(!done.contains("{{"), "{text}");
        done.replace('\u{1}', "{{").trim().to_owned() + "\n"
    }

    fn nasty() -> Value {
        let texts = [
            "{{ .Values }}",
            "{{{{ `x` }}}}",
            "{{{x}}}",
            "a{{- \"q\" -}}\n{{/* c */}}",
            "}}",
            "tab\there",
            "a\n\tb\n",
            "line\n\n\n",
            "\n\nlead",
            "  indent\nx",
            "---\n# not a comment\n---",
            "on",
            "0o14",
            "012",
            "1e3",
            "12:30:45",
            "2001-01-01",
            "~",
            "",
            "a: b #c",
            "\"'`\\",
            "\r\n",
            "é漢\u{2028}",
            "\u{7}\u{7f}\u{9f}\u{ffff}\u{85}",
        ];
        let data: Map<String, Value> = texts
            .iter()
            .enumerate()
            .map(|(index, text)| (format!("k{index}"), json!(text)))
            .collect();
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "nasty"}, "data": data})
    }

    #[test]
    fn a_chart_gives_the_objects_back() {
        let mut ends_in_lines = nasty();
        ends_in_lines["data"] = json!({"a": "x\n\n\n"});
        let objects = [nasty(), ends_in_lines];
        let bundle = chart(&source(&objects)).expect("a chart");
        let paths: Vec<_> = bundle.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "Chart.yaml",
                "values.yaml",
                ".helmignore",
                "templates/configmap-nasty.yaml",
                "templates/configmap-nasty-2.yaml",
            ]
        );
        for (file, object) in bundle.files.iter().skip(3).zip(&objects) {
            assert_eq!(&read(&render(&file.content)), object);
        }
        assert_eq!(
            read(&bundle.files[0].content),
            json!({"apiVersion": "v2", "name": "my-shop", "description": "The design My Shop",
                "type": "application", "version": "0.0.3", "appVersion": "v0.0.3"})
        );
    }

    #[test]
    fn a_definition_stays_among_the_templates() {
        let object = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "things.example.com"}});
        let bundle = chart(&source(std::slice::from_ref(&object))).expect("a chart");
        let file = &bundle.files[3];
        assert_eq!(
            file.path,
            "templates/customresourcedefinition-things.example.com.yaml"
        );
        assert!(file.content.starts_with("# Here and not in crds/"));
        assert_eq!(read(&file.content), object);
    }

    #[test]
    fn a_manifest_is_one_text_of_documents() {
        let objects = [nasty(), json!({"apiVersion": "v1", "kind": "Secret"})];
        let bundle = manifest(&source(&objects)).expect("a manifest");
        assert_eq!(bundle.files[0].path, "my-shop.yaml");
        let read: Vec<Value> =
            serde_saphyr::from_multiple(&bundle.files[0].content).expect("valid YAML");
        assert_eq!(read, objects);
    }

    #[test]
    fn a_kustomization_lists_its_files() {
        let objects = [
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}}),
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "b"}}),
            json!({"apiVersion": "v1", "kind": "ClusterRole", "metadata": {"name": "system:../x"}}),
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web-2"}}),
        ];
        let bundle = kustomization(&source(&objects)).expect("a kustomization");
        assert_eq!(
            read(&bundle.files[0].content)["resources"],
            json!([
                "service-web.yaml",
                "service-web-2.yaml",
                "clusterrole-system-x.yaml",
                "service-web-2-2.yaml"
            ])
        );
        assert_eq!(bundle.files.len(), 5);
    }

    #[test]
    fn a_package_says_what_it_knows() {
        let about = Package {
            name: "My Shop",
            created_at: "2026-01-02T03:04:05Z",
            provider: "team",
            links: &[("download".to_owned(), "https://example.com/shop".to_owned())],
            ..Package::default()
        };
        let bundle = package(&about, "design.yml", "name: My Shop\n").expect("a package");
        assert_eq!(
            read(&bundle.files[0].content),
            json!({
                "version": "0.0.1", "name": "my-shop", "displayName": "My Shop",
                "createdAt": "2026-01-02T03:04:05Z", "description": "The design My Shop",
                "license": "Apache-2.0",
                "links": [{"name": "download", "url": "https://example.com/shop"}],
                "provider": {"name": "team"},
            })
        );
        assert_eq!(bundle.files[1], file("design.yml", "name: My Shop\n"));
        for name in ["", "a/b", "..", "artifacthub-pkg.yml"] {
            assert!(package(&about, name, "").is_err(), "{name}");
        }
    }

    #[test]
    fn versions_become_semantic_or_are_refused() {
        for (version, expected) in [
            ("0.0.3", Some("0.0.3")),
            ("v1.2.3-rc.1+b.5", Some("1.2.3-rc.1+b.5")),
            ("1.2", Some("1.2.0")),
            ("1", Some("1.0.0")),
            ("1.0.0--x", Some("1.0.0--x")),
            ("01.2.3", None),
            ("1.2.3.4", None),
            ("1.2.3-", None),
            ("1.2.3-01", None),
            ("1.2.3+", None),
            ("1..3", None),
            ("latest", None),
            ("", None),
            ("99999999999999999999.0.0", None),
        ] {
            assert_eq!(semantic(version).ok().as_deref(), expected, "{version}");
        }
    }

    #[test]
    fn names_are_safe_short_and_unique() {
        let long = "x".repeat(300);
        let object = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": long}});
        let objects = vec![object; 3];
        let names = names(&objects).expect("complete objects");
        let unique: BTreeSet<_> = names.iter().collect();
        assert_eq!(unique.len(), 3);
        assert!(names.iter().all(|name| name.len() <= LONGEST_NAME));
        for (name, expected) in [
            ("../../etc/passwd", "etc-passwd"),
            ("_hidden", "hidden"),
            ("a..b", "a.b"),
            ("...", "design"),
            ("Ünï", "n"),
        ] {
            assert_eq!(file_stem(name, "design"), expected, "{name}");
        }
    }

    #[test]
    fn an_object_without_a_kind_is_refused() {
        let objects = [
            json!({"apiVersion": "v1", "kind": "Secret"}),
            json!({"apiVersion": "v1"}),
        ];
        let error = chart(&source(&objects)).expect_err("no kind");
        assert_eq!(error.to_string(), "manifest 1 has no kind");
        assert!(manifest(&source(&[json!("text")])).is_err());
    }
}
