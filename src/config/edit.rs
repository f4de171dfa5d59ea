//! Changes values of the configuration file: comments and order stay, and the file is replaced
//! whole, under a lock, or not at all. A link to the file stays one.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde_json::{Map, Value};
use weft_domain::{
    path::{Path as FieldPath, Segment},
    yaml::{self, Limits, Positions, Text},
};

use crate::error::{Code, Error, Place, Result};

/// How long another process may hold the lock.
const LOCKED_FOR: Duration = Duration::from_secs(5);

/// One value to set or to remove.
pub struct Edit {
    keys: Vec<String>,
    value: Option<Value>,
}

impl Edit {
    /// Sets the value at `keys`, a mapping key per level.
    pub fn set(keys: &[&str], value: impl Into<Value>) -> Self {
        Self {
            value: Some(value.into()),
            ..Self::remove(keys)
        }
    }

    /// Removes what stands at `keys`.
    pub fn remove(keys: &[&str]) -> Self {
        Self {
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            value: None,
        }
    }
}

/// Changes a file. `plan` sees what the file says while nobody else may change it.
///
/// # Errors
/// What `plan` refuses; or when the file is locked, can't be read as YAML, or written.
pub fn edit(file: &Path, plan: impl FnOnce(&Value) -> Result<Vec<Edit>>) -> Result<()> {
    let fail = |error: io::Error| {
        Error::new(Code::FileNotWritten, "cannot write the configuration")
            .at(Place::file(file.display().to_string(), None))
            .because(error)
    };
    let target = behind_links(file).map_err(fail)?;
    create_private_folder(folder_of(&target)).map_err(fail)?;
    let _lock = lock(&folder_of(&target).join(".config.lock"))?;
    let mut text = match std::fs::read_to_string(&target) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(fail(error)),
    };
    let malformed = |error: yaml::Error| {
        Error::new(Code::ConfigBad, error.to_string()).at(Place::file(
            file.display().to_string(),
            Some(error.location),
        ))
    };
    let edits = plan(&read(&text).map_err(malformed)?)?;
    for edit in &edits {
        text = change(&text, &edit.keys, edit.value.as_ref()).map_err(malformed)?;
    }
    if edits.is_empty() {
        return Ok(());
    }
    write_atomically(&target, text.as_bytes()).map_err(fail)
}

/// Takes the lock, which ends with the process at the latest.
fn lock(path: &Path) -> Result<File> {
    let place = || Place::file(path.display().to_string(), None);
    let fail = |error: io::Error| {
        Error::new(Code::FileNotWritten, "cannot lock the configuration")
            .at(place())
            .because(error)
    };
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(fail)?;
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(std::fs::TryLockError::Error(error)) => return Err(fail(error)),
            Err(std::fs::TryLockError::WouldBlock) if begun.elapsed() < LOCKED_FOR => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(std::fs::TryLockError::WouldBlock) => {
                let seconds = LOCKED_FOR.as_secs();
                let text = format!("another process has locked the configuration for {seconds} s");
                return Err(Error::new(Code::ConfigLocked, text)
                    .at(place())
                    .hint(format!("find it, and end it: fuser -v {}", path.display())));
            }
        }
    }
}

/// Creates a folder that only its user may enter; one that exists keeps its mode.
pub fn create_private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Replaces a file whole: temporary file in the same folder, flush, rename. The mode of an
/// existing file is kept, a new one is private; of a link the file behind it is replaced.
pub fn write_atomically(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = &behind_links(file)?;
    let folder = folder_of(file);
    let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
    temporary.write_all(bytes)?;
    if let Ok(old) = std::fs::metadata(file) {
        temporary.as_file().set_permissions(old.permissions())?;
    }
    temporary.as_file().sync_all()?;
    temporary.persist(file).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}

/// The file that links lead to, whether it exists or not.
fn behind_links(file: &Path) -> io::Result<PathBuf> {
    const MOST: usize = 40;
    let mut file = file.to_owned();
    for _ in 0..MOST {
        match std::fs::read_link(&file) {
            Ok(target) => file = folder_of(&file).join(target),
            Err(_) => return Ok(file),
        }
    }
    Err(io::Error::other("too many links"))
}

fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// What a text says; a text without a document is an empty mapping.
fn read(text: &str) -> Result<Value, yaml::Error> {
    Ok(document(text)?.map_or_else(|| Value::Object(Map::new()), |(_, value)| value))
}

/// The first document that isn't empty.
fn document(text: &str) -> Result<Option<(Text<'_>, Value)>, yaml::Error> {
    for document in yaml::split(text) {
        if let Some(value) = yaml::parse(&document, &Limits::STREAM)? {
            return Ok(Some((document, value)));
        }
    }
    Ok(None)
}

/// The text with one value changed: as few lines as possible are written anew. What comes out
/// must say what was meant, whatever the text looked like; otherwise more of it is written anew.
fn change(old: &str, keys: &[String], value: Option<&Value>) -> Result<String, yaml::Error> {
    let root = read(old)?;
    let wanted = with(root.clone(), keys, value);
    if wanted == root {
        return Ok(old.to_owned());
    }
    for depth in (1..=keys.len()).rev() {
        let keys = &keys[..depth];
        let attempt = splice(old, keys, at(&wanted, keys))?;
        if let Some(new) = attempt.filter(|new| read(new).is_ok_and(|read| read == wanted)) {
            return Ok(new);
        }
    }
    Ok(yaml::to_string(&wanted))
}

fn at<'a>(root: &'a Value, keys: &[String]) -> Option<&'a Value> {
    keys.iter().try_fold(root, |value, key| value.get(key))
}

fn with(root: Value, keys: &[String], value: Option<&Value>) -> Value {
    let Some((first, rest)) = keys.split_first() else {
        return value.cloned().unwrap_or_default();
    };
    let mut map = match root {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    if rest.is_empty() && value.is_none() {
        map.shift_remove(first);
    } else {
        let child = map.get(first).cloned().unwrap_or_default();
        map.insert(first.clone(), with(child, rest, value));
    }
    Value::Object(map)
}

/// Rewrites the lines of one entry of a mapping, adds it behind the last, or removes it. `None`
/// when the mapping isn't there.
fn splice(
    old: &str,
    keys: &[String],
    value: Option<&Value>,
) -> Result<Option<String>, yaml::Error> {
    let Some((name, parents)) = keys.split_last() else {
        return Ok(None);
    };
    let entry =
        value.map(|value| yaml::to_string(&Map::from_iter([(name.clone(), value.clone())])));
    let Some((text, root)) = document(old)? else {
        return Ok(entry.map(|entry| old.to_owned() + line_end(old) + &entry));
    };
    let Some(Value::Object(siblings)) = at(&root, parents) else {
        return Ok(None);
    };
    let layout = Layout {
        lines: old.split_inclusive('\n').collect(),
        positions: Positions::of(&text),
    };
    let (mut parent, mut end) = (None, layout.lines.len());
    for depth in 1..=parents.len() {
        let here = layout.key(&parents[..depth]);
        let beside = layout.keys(&root, &parents[..depth - 1]);
        end = layout.end(here, &beside, end);
        parent = Some(here);
    }
    let places = layout.keys(&root, parents);
    let mut lines: Vec<String> = layout.lines.iter().map(|line| (*line).to_owned()).collect();
    if let Some(index) = siblings.keys().position(|sibling| sibling == name) {
        let (start, column) = places[index];
        let end = layout.end(places[index], &places, end);
        let behind = layout.comment(start, end, name, &siblings[name.as_str()]);
        let entry = entry.map(|entry| indented(&entry, column, behind));
        lines.splice(start..end, entry);
        let above = parent.and_then(|(line, _)| lines.get_mut(line));
        if let (None, 1, Some(line)) = (value, siblings.len(), above) {
            // The mapping stays, empty, with the comments that stand in it.
            *line = line.replacen(':', ": {}", 1);
        }
    } else if let Some(entry) = entry {
        let column = match (places.last(), parent) {
            (Some((_, column)), _) => *column,
            (None, Some((parent, column))) => {
                lines[parent] = lines[parent].replacen(" {}", "", 1);
                column + 2
            }
            (None, None) => 0,
        };
        if let Some(last) = end.checked_sub(1) {
            let gap = line_end(&lines[last]);
            lines[last].push_str(gap);
        }
        lines.insert(end, indented(&entry, column, None));
    }
    Ok(Some(lines.concat()))
}

/// What separates a text from a line behind it.
fn line_end(text: &str) -> &'static str {
    if text.is_empty() || text.ends_with('\n') {
        ""
    } else {
        "\n"
    }
}

/// An entry at its column, with the comment that stood behind its value.
fn indented(entry: &str, column: usize, comment: Option<&str>) -> String {
    let blank = " ".repeat(column);
    let (first, rest) = entry.split_once('\n').unwrap_or((entry, ""));
    let mut text = [&blank, first].concat();
    if let Some(comment) = comment
        && rest.is_empty()
    {
        text.extend([" ", comment]);
    }
    for line in rest.lines() {
        text.extend(["\n", &blank, line]);
    }
    text.push('\n');
    text
}

/// A text by lines, with the places of its keys.
struct Layout<'a> {
    lines: Vec<&'a str>,
    positions: Positions,
}

impl Layout<'_> {
    /// Line and column of a key, from 0.
    fn key(&self, keys: &[String]) -> (usize, usize) {
        let segments = keys.iter().cloned().map(Segment::Key).collect();
        let found = self.positions.key(&FieldPath(segments));
        (found.line as usize - 1, found.column as usize - 1)
    }

    /// The places of the keys of a mapping.
    fn keys(&self, root: &Value, mapping: &[String]) -> Vec<(usize, usize)> {
        let map = at(root, mapping).and_then(Value::as_object);
        map.into_iter()
            .flat_map(Map::keys)
            .map(|key| self.key(&[mapping, std::slice::from_ref(key)].concat()))
            .collect()
    }

    /// The line behind an entry at a place `beside` others, in a mapping that ends before the line
    /// `end`: blank lines and comments that aren't indented further belong to what follows.
    fn end(&self, (start, column): (usize, usize), beside: &[(usize, usize)], end: usize) -> usize {
        let follows = |line: &str| {
            let text = line.trim_start();
            text.is_empty() || text.starts_with('#') && line.len() - text.len() <= column
        };
        let next = beside.iter().map(|place| place.0);
        let mut end = next.filter(|line| *line > start).min().unwrap_or(end);
        while end > start + 1 && self.lines.get(end - 1).is_some_and(|line| follows(line)) {
            end -= 1;
        }
        end.max(start)
    }

    /// The comment behind the value of an entry of one line.
    fn comment(&self, start: usize, end: usize, name: &str, value: &Value) -> Option<&str> {
        let line = self.lines.get(start).filter(|_| end == start + 1)?;
        let (at, _) = line.match_indices(" #").find(|(at, _)| {
            let entry = read(line[..*at].trim());
            entry.is_ok_and(|entry| entry.get(name) == Some(value))
        })?;
        Some(line[at..].trim())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const OLD: &str = "# mine\noutput: \"json # x\" # always\n\n# servers\ncontexts: # all\n  # the first\n  a:\n    server: x # here\n    # of a\n  # the second\n  b: {server: w}\n\n# looks\ncolor: never";

    fn changed(old: &str, keys: &[&str], value: Option<&Value>) -> String {
        let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        change(old, &keys, value).unwrap()
    }

    #[test]
    fn only_the_lines_of_the_changed_key_change() {
        let cases = [
            (
                vec!["output"],
                Some(json!("yaml")),
                "\"json # x\" #",
                "yaml #",
            ),
            (vec!["output"], None, "output: \"json # x\" # always\n", ""),
            (
                vec!["namespace"],
                Some(json!("shop")),
                "never",
                "never\nnamespace: shop\n",
            ),
            (
                vec!["contexts", "a", "server"],
                Some(json!("z")),
                "x # here",
                "z # here",
            ),
            (
                vec!["contexts", "a", "namespace"],
                Some(json!("shop")),
                "    # of a\n",
                "    # of a\n    namespace: shop\n",
            ),
            (
                vec!["contexts", "c"],
                Some(json!({"server": "z"})),
                "{server: w}\n",
                "{server: w}\n  c:\n    server: z\n",
            ),
            (vec!["contexts", "b"], None, "  b: {server: w}\n", ""),
            (
                vec!["contexts", "a"],
                None,
                "  a:\n    server: x # here\n    # of a\n",
                "",
            ),
            // A mapping in one line is written anew, alone.
            (
                vec!["contexts", "b", "server"],
                Some(json!("z")),
                "  b: {server: w}\n",
                "  b:\n    server: z\n",
            ),
        ];
        for (keys, value, before, after) in cases {
            assert_eq!(OLD.matches(before).count(), 1, "{before:?}");
            assert_eq!(
                changed(OLD, &keys, value.as_ref()),
                OLD.replace(before, after),
                "{keys:?}"
            );
        }
        assert_eq!(
            changed("", &["output"], Some(&json!("yes"))),
            "output: \"yes\"\n"
        );
        assert_eq!(changed(OLD, &["color"], Some(&json!("never"))), OLD);
    }

    #[test]
    fn the_last_context_goes_and_the_next_one_comes_without_a_lost_comment() {
        let old = "contexts: # all\n  # the first\n  a:\n    server: x\ncolor: never\n";
        let empty = changed(old, &["contexts", "a"], None);
        assert_eq!(empty, "contexts: {} # all\n  # the first\ncolor: never\n");
        let next = changed(&empty, &["contexts", "b"], Some(&json!({"server": "w"})));
        assert_eq!(
            next,
            "contexts: # all\n  # the first\n  b:\n    server: w\ncolor: never\n"
        );
    }

    #[test]
    fn whatever_the_file_looks_like_it_says_what_was_meant() {
        let texts = [
            "{output: json, contexts: {a: {server: x}}}",
            "---\ncontexts:\n    a:\n        server: x\n",
            "? output\n: json\ncontexts:\n  a: &x\n    server: x\n  b: *x\n",
            "\"contexts\":\n  \"a:b\":\n    server: x\r\n",
            "contexts: {}\n...\n",
            "output: |\n  json\n\ncontexts:\n  a:\n    server: >-\n      x\n",
        ];
        for text in texts {
            let root = read(text).unwrap();
            for keys in [
                &["output"][..],
                &["contexts", "a"],
                &["contexts", "z", "server"],
            ] {
                for value in [Some(json!("v")), Some(json!({"server": "v"})), None] {
                    let names: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
                    let new = changed(text, keys, value.as_ref());
                    let wanted = with(root.clone(), &names, value.as_ref());
                    assert_eq!(read(&new).unwrap(), wanted, "{text:?}: {keys:?}");
                }
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_the_file_stays_one() {
        let folder = tempfile::tempdir().unwrap();
        let (link, file) = (
            folder.path().join("config.yaml"),
            folder.path().join("dot/weft.yaml"),
        );
        std::fs::create_dir(folder.path().join("dot")).unwrap();
        std::os::unix::fs::symlink("dot/weft.yaml", &link).unwrap();
        for value in ["json", "yaml"] {
            edit(&link, |_| Ok(vec![Edit::set(&["output"], value)])).unwrap();
            assert!(link.is_symlink());
            assert_eq!(
                std::fs::read_to_string(&file).unwrap(),
                format!("output: {value}\n")
            );
        }
    }

    #[test]
    fn a_lock_that_stays_is_an_error_that_names_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let held = lock(&folder.path().join(".config.lock")).unwrap();
        let file = folder.path().join("config.yaml");
        let error = edit(&file, |_| Ok(vec![Edit::set(&["output"], "json")])).unwrap_err();
        assert_eq!(error.code(), Code::ConfigLocked);
        assert!(error.render(true).contains(".config.lock"));
        drop(held);
        edit(&file, |_| Ok(vec![Edit::set(&["output"], "json")])).unwrap();
    }
}
