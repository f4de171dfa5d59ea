//! Changes one value of the configuration file: comments and order stay, and the file is
//! replaced whole, under a lock, or not at all.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::Path,
};

use serde_json::{Map, Value};
use weft_domain::{
    path::{Path as FieldPath, Segment},
    yaml,
};

use crate::error::{Code, Error, Place, Result};

/// Sets the value at `keys` (a mapping key per level), or removes it.
///
/// # Errors
/// When the file can't be read as YAML, or written.
pub fn set(file: &Path, keys: &[&str], value: Option<&Value>) -> Result<()> {
    let fail = |error: std::io::Error| {
        Error::new(Code::FileNotWritten, "cannot write the configuration")
            .at(Place::file(file.display().to_string(), None))
            .because(error)
    };
    let folder = file.parent().unwrap_or(Path::new("."));
    create_private_folder(folder).map_err(fail)?;
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join(".config.lock"))
        .map_err(fail)?;
    lock.lock().map_err(fail)?;
    let old = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(fail(error)),
    };
    let new = change(&old, keys, value).map_err(|error| {
        Error::new(Code::ConfigBad, error.to_string()).at(Place::file(
            file.display().to_string(),
            Some(error.location),
        ))
    })?;
    write_atomically(file, new.as_bytes()).map_err(fail)
}

/// Creates a folder that only its user may enter; one that exists keeps its mode.
pub fn create_private_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Replaces a file whole: temporary file in the same folder, flush, rename. The mode of an
/// existing file is kept, a new one is private.
pub fn write_atomically(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
    temporary.write_all(bytes)?;
    if let Ok(old) = std::fs::metadata(file) {
        temporary.as_file().set_permissions(old.permissions())?;
    }
    temporary.as_file().sync_all()?;
    temporary.persist(file).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}

/// The text with one value changed. Scalars are replaced where they stand, everything else by
/// rewriting the lines of its top-level key.
fn change(old: &str, keys: &[&str], value: Option<&Value>) -> Result<String, yaml::Error> {
    let mut root = Value::Object(Map::new());
    let mut document = None;
    for text in yaml::split(old) {
        if let Some(found) = yaml::parse(&text, &yaml::Limits::STREAM)? {
            root = found;
            document = Some(text);
            break;
        }
    }
    let wanted = with(root, keys, value);
    let [first, ..] = keys else {
        return Ok(old.to_owned());
    };
    let block = wanted
        .get(first)
        .map(|value| yaml::to_string(&Map::from_iter([((*first).to_owned(), value.clone())])));
    let mut lines: Vec<&str> = old.split_inclusive('\n').collect();
    let range = document.and_then(|text| {
        let root: Value = yaml::parse(&text, &yaml::Limits::STREAM).ok()??;
        let map = root.as_object()?;
        let positions = yaml::Positions::of(&text);
        let line = |key: &str| {
            positions
                .key(&FieldPath(vec![Segment::Key(key.to_owned())]))
                .line as usize
                - 1
        };
        map.contains_key(*first).then(|| {
            let start = line(first);
            let next = map.keys().map(|key| line(key)).filter(|l| *l > start).min();
            let mut end = next.unwrap_or(lines.len());
            // Comments and blank lines above the next key belong to it.
            while end > start + 1
                && lines
                    .get(end - 1)
                    .is_some_and(|l| l.trim().is_empty() || l.starts_with('#'))
            {
                end -= 1;
            }
            (start, end)
        })
    });
    let block = block.unwrap_or_default();
    let kept;
    let new = if let Some((start, end)) = range {
        // A comment behind a plain value stays behind it.
        let comment = (end == start + 1)
            .then(|| lines[start].find(" #"))
            .flatten();
        kept = match comment {
            Some(at) if !block.is_empty() && block.lines().count() == 1 => {
                format!("{} {}\n", block.trim_end(), lines[start][at..].trim())
            }
            _ => block,
        };
        lines.splice(start..end, [kept.as_str()]);
        lines.concat()
    } else {
        let gap = if old.is_empty() || old.ends_with('\n') {
            ""
        } else {
            "\n"
        };
        format!("{old}{gap}{block}")
    };
    // What was written must say what was meant, whatever the file looked like.
    let read = yaml::split(&new)
        .find_map(|text| yaml::parse(&text, &yaml::Limits::STREAM).ok().flatten())
        .unwrap_or_else(|| Value::Object(Map::new()));
    if read == wanted {
        Ok(new)
    } else {
        Ok(yaml::to_string(&wanted))
    }
}

fn with(root: Value, keys: &[&str], value: Option<&Value>) -> Value {
    let Some((first, rest)) = keys.split_first() else {
        return value.cloned().unwrap_or_default();
    };
    let mut map = match root {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    if rest.is_empty() && value.is_none() {
        map.shift_remove(*first);
    } else {
        let child = map.get(*first).cloned().unwrap_or_default();
        map.insert((*first).to_owned(), with(child, rest, value));
    }
    Value::Object(map)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn comments_and_order_survive_a_change() {
        let old = "# mine\noutput: json # always\n\n# servers\ncontexts:\n  a:\n    server: x\ncolor: never";
        let table = [
            (
                vec!["output"],
                Some(json!("yaml")),
                "# mine\noutput: yaml # always\n\n# servers\ncontexts:\n  a:\n    server: x\ncolor: never",
            ),
            (
                vec!["namespace"],
                Some(json!("shop")),
                "# mine\noutput: json # always\n\n# servers\ncontexts:\n  a:\n    server: x\ncolor: never\nnamespace: shop\n",
            ),
            (
                vec!["contexts", "b", "server"],
                Some(json!("z")),
                "# mine\noutput: json # always\n\n# servers\ncontexts:\n  a:\n    server: x\n  b:\n    server: z\ncolor: never",
            ),
            (
                vec!["output"],
                None,
                "# mine\n\n# servers\ncontexts:\n  a:\n    server: x\ncolor: never",
            ),
        ];
        for (keys, value, new) in table {
            assert_eq!(change(old, &keys, value.as_ref()).unwrap(), new, "{keys:?}");
        }
        assert_eq!(
            change("", &["output"], Some(&json!("yes"))).unwrap(),
            "output: \"yes\"\n"
        );
    }
}
