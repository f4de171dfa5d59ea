//! Paths, and addresses in the web. The functions for the paths of a system are those of Linux.

use super::super::exec::Run;
use super::super::url::Url;
use super::super::value::{Map, MapKind, Text, Value};
use super::{Arguments, Function, Outcome, Problem, Type, function};

pub(super) const FUNCTIONS: &[Function] = &[
    function("base", &[Type::Text], base),
    function("osBase", &[Type::Text], base),
    function("dir", &[Type::Text], dir),
    function("osDir", &[Type::Text], dir),
    function("clean", &[Type::Text], clean),
    function("osClean", &[Type::Text], clean),
    function("ext", &[Type::Text], extension),
    function("osExt", &[Type::Text], extension),
    function("isAbs", &[Type::Text], is_absolute),
    function("osIsAbs", &[Type::Text], is_absolute),
    function("urlParse", &[Type::Text], url_parse),
    function("urlJoin", &[Type::Map], url_join),
];

fn base<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let path = args.bytes(0)?;
    let end = path.iter().rposition(|byte| *byte != b'/');
    let Some(end) = end else {
        return Ok(Value::text(if path.is_empty() { "." } else { "/" }));
    };
    let path = path.get(..=end).unwrap_or_default();
    let last = path.rsplit(|byte| *byte == b'/').next();
    run.text(last.unwrap_or_default())
}

fn dir<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let path = args.bytes(0)?;
    let end = path
        .iter()
        .rposition(|byte| *byte == b'/')
        .map_or(0, |at| at + 1);
    run.text(cleaned(path.get(..end).unwrap_or_default()))
}

fn clean<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    run.text(cleaned(args.bytes(0)?))
}

/// Returns the shortest path to the same place.
fn cleaned(path: &[u8]) -> Vec<u8> {
    let is_rooted = path.starts_with(b"/");
    let mut steps: Vec<&[u8]> = Vec::new();
    for step in path.split(|byte| *byte == b'/') {
        match step {
            b"" | b"." => {}
            b".." => match steps.last() {
                Some(last) if *last != b".." => {
                    steps.pop();
                }
                _ if is_rooted => {}
                _ => steps.push(step),
            },
            _ => steps.push(step),
        }
    }
    let joined = steps.join(&b'/');
    match (is_rooted, joined.is_empty()) {
        (true, _) => [b"/", joined.as_slice()].concat(),
        (false, true) => b".".to_vec(),
        (false, false) => joined,
    }
}

fn extension<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let path = args.bytes(0)?;
    let last = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let start = last.iter().rposition(|byte| *byte == b'.');
    run.text(
        start
            .and_then(|start| last.get(start..))
            .unwrap_or_default(),
    )
}

fn is_absolute<'a>(_: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    Ok(args.bytes(0)?.starts_with(b"/").into())
}

fn url_parse<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let Some(url) = Url::parse(args.bytes(0)?) else {
        return Err("unable to parse url".into());
    };
    let map = run.map(MapKind::Any)?;
    let hostname = url.hostname().to_vec();
    let user = url.user.as_ref().map(super::super::url::User::text);
    let parts = [
        ("scheme", url.scheme),
        ("host", url.host),
        ("hostname", hostname),
        ("path", url.path),
        ("query", url.query),
        ("opaque", url.opaque),
        ("fragment", url.fragment),
        ("userinfo", user.unwrap_or_default()),
    ];
    for (name, part) in parts {
        let part = run.text(part)?;
        run.put(&map, Text::from(name), part)?;
    }
    Ok(Value::Map(map))
}

/// Returns a part of an address, which is a text if it is there.
fn part(map: &Map<'_>, name: &str) -> Result<Vec<u8>, Problem> {
    match map.get(name.as_bytes()) {
        None => Ok(Vec::new()),
        Some(Value::Text(text)) => Ok(text.bytes().to_vec()),
        Some(other) => {
            let kind = other.kind_name();
            Err(format!("{name} must be a string, but is a {kind}").into())
        }
    }
}

fn url_join<'a>(run: &mut Run<'a>, args: Arguments<'_, 'a>) -> Outcome<'a> {
    let map = args.map(0)?;
    let userinfo = part(map, "userinfo")?;
    let mut user = None;
    if !userinfo.is_empty() {
        let text = [b"proto://", userinfo.as_slice(), b"@host"].concat();
        let Some(url) = Url::parse(&text) else {
            return Err("unable to parse userinfo".into());
        };
        user = url.user;
    }
    let url = Url {
        scheme: part(map, "scheme")?,
        opaque: part(map, "opaque")?,
        user,
        host: part(map, "host")?,
        path: part(map, "path")?,
        query: part(map, "query")?,
        fragment: part(map, "fragment")?,
    };
    run.text(url.text())
}
