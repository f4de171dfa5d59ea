//! Addresses in the web, taken apart and put together as Go does.

use std::net::Ipv6Addr;

/// The parts of an address, without what is written in another way than it has to be.
#[derive(Debug, Default)]
pub(super) struct Url {
    pub(super) scheme: Vec<u8>,
    /// What follows a scheme without a slash.
    pub(super) opaque: Vec<u8>,
    pub(super) user: Option<User>,
    /// With the port.
    pub(super) host: Vec<u8>,
    pub(super) path: Vec<u8>,
    pub(super) query: Vec<u8>,
    pub(super) fragment: Vec<u8>,
}

/// A name, and perhaps a password.
#[derive(Debug)]
pub(super) struct User {
    name: Vec<u8>,
    password: Option<Vec<u8>>,
}

/// The parts of an address that differ in what is written with `%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Host,
    Zone,
    Path,
    User,
    Fragment,
}

impl Place {
    /// Tells whether a byte is written as it is.
    fn has_plain(self, byte: u8) -> bool {
        match byte {
            byte if byte.is_ascii_alphanumeric() => true,
            b'-' | b'_' | b'.' | b'~' | b'$' | b'&' | b'+' | b'=' | b',' | b';' => true,
            b'!' | b'(' | b')' | b'*' => !matches!(self, Self::Path | Self::User),
            b':' => self != Self::User,
            b'@' => matches!(self, Self::Path | Self::Fragment),
            b'/' => matches!(self, Self::Path | Self::Fragment),
            b'?' => matches!(self, Self::Fragment),
            b'[' | b']' | b'<' | b'>' | b'"' | b'\'' => matches!(self, Self::Host | Self::Zone),
            _ => false,
        }
    }
}

fn escaped(bytes: &[u8], place: Place) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for byte in bytes {
        if place.has_plain(*byte) {
            out.push(*byte);
        } else {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    out
}

fn unescaped(bytes: &[u8], place: Place) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte == b'%' {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return None;
            }
            let value = u8::from_str_radix(digits, 16).ok()?;
            // In hosts only what isn't ASCII is written so, and a percent sign; in zones a space as well.
            let is_fair = match place {
                Place::Host => value >= 0x80 || value == b'%',
                Place::Zone => value == b'%' || value == b' ' || Place::Host.has_plain(value),
                _ => true,
            };
            if !is_fair {
                return None;
            }
            out.push(value);
            rest = after.get(2..)?;
            continue;
        }
        let is_host = matches!(place, Place::Host | Place::Zone);
        if is_host && byte.is_ascii() && !place.has_plain(*byte) {
            return None;
        }
        out.push(*byte);
    }
    Some(out)
}

/// Splits at the first of some bytes; without it everything is in front.
fn cut(bytes: &[u8], at: u8) -> (&[u8], Option<&[u8]>) {
    match bytes.iter().position(|byte| *byte == at) {
        Some(found) => (
            bytes.get(..found).unwrap_or_default(),
            bytes.get(found + 1..),
        ),
        None => (bytes, None),
    }
}

impl Url {
    /// Takes an address apart.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let (text, fragment) = cut(text, b'#');
        let mut url = Self::without_fragment(text)?;
        url.fragment = unescaped(fragment.unwrap_or_default(), Place::Fragment)?;
        Some(url)
    }

    fn without_fragment(text: &[u8]) -> Option<Self> {
        let mut url = Self::default();
        if text.iter().any(u8::is_ascii_control) {
            return None;
        }
        if text == b"*" {
            url.path = text.to_vec();
            return Some(url);
        }
        let (scheme, rest) = scheme(text)?;
        url.scheme = scheme.to_ascii_lowercase();
        let (rest, query) = cut(rest, b'?');
        url.query = query.unwrap_or_default().to_vec();
        let mut path = rest;
        if !rest.starts_with(b"/") {
            if !url.scheme.is_empty() {
                url.opaque = rest.to_vec();
                return Some(url);
            }
            if cut(rest, b'/').0.contains(&b':') {
                return None;
            }
        }
        let is_local = url.scheme.is_empty() && rest.starts_with(b"///");
        if let Some(authority) = rest.strip_prefix(b"//").filter(|_| !is_local) {
            let end = authority.iter().position(|byte| *byte == b'/');
            let (authority, after) = authority.split_at(end.unwrap_or(authority.len()));
            path = after;
            url.authority(authority)?;
        }
        url.path = unescaped(path, Place::Path)?;
        Some(url)
    }

    fn authority(&mut self, text: &[u8]) -> Option<()> {
        let Some(at) = text.iter().rposition(|byte| *byte == b'@') else {
            self.host = host(&self.scheme, text)?;
            return Some(());
        };
        self.host = host(&self.scheme, text.get(at + 1..)?)?;
        let user = text.get(..at)?;
        let is_fair =
            |byte: &u8| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(byte);
        if !user.iter().all(is_fair) {
            return None;
        }
        let (name, password) = cut(user, b':');
        self.user = Some(User {
            name: unescaped(name, Place::User)?,
            password: match password {
                Some(password) => Some(unescaped(password, Place::User)?),
                None => None,
            },
        });
        Some(())
    }

    /// Returns the host without port and brackets.
    pub(super) fn hostname(&self) -> &[u8] {
        let mut host = self.host.as_slice();
        if let Some(colon) = host.iter().rposition(|byte| *byte == b':')
            && is_port(host.get(colon..).unwrap_or_default())
        {
            host = host.get(..colon).unwrap_or_default();
        }
        let inner = host
            .strip_prefix(b"[")
            .and_then(|host| host.strip_suffix(b"]"));
        inner.unwrap_or(host)
    }

    /// Puts an address together.
    pub(super) fn text(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.scheme.is_empty() {
            out.extend_from_slice(&self.scheme);
            out.push(b':');
        }
        if self.opaque.is_empty() {
            if !self.host.is_empty()
                || self.user.is_some()
                || (!self.scheme.is_empty() && !self.path.is_empty())
            {
                out.extend_from_slice(b"//");
                if let Some(user) = &self.user {
                    out.extend_from_slice(&user.text());
                    out.push(b'@');
                }
                out.extend_from_slice(&escaped(&self.host, Place::Host));
            }
            let path = if self.path == b"*" {
                self.path.clone()
            } else {
                escaped(&self.path, Place::Path)
            };
            if !path.is_empty() && !path.starts_with(b"/") && !self.host.is_empty() {
                out.push(b'/');
            }
            if out.is_empty() && cut(&path, b'/').0.contains(&b':') {
                out.extend_from_slice(b"./");
            }
            out.extend_from_slice(&path);
        } else {
            out.extend_from_slice(&self.opaque);
        }
        if !self.query.is_empty() {
            out.push(b'?');
            out.extend_from_slice(&self.query);
        }
        if !self.fragment.is_empty() {
            out.push(b'#');
            out.extend_from_slice(&escaped(&self.fragment, Place::Fragment));
        }
        out
    }
}

impl User {
    /// Returns the name and the password as they are written.
    pub(super) fn text(&self) -> Vec<u8> {
        let mut out = escaped(&self.name, Place::User);
        if let Some(password) = &self.password {
            out.push(b':');
            out.extend_from_slice(&escaped(password, Place::User));
        }
        out
    }
}

/// Splits the scheme off; an address may have none.
fn scheme(text: &[u8]) -> Option<(&[u8], &[u8])> {
    for (at, byte) in text.iter().enumerate() {
        match byte {
            byte if byte.is_ascii_alphabetic() => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if at > 0 => {}
            b':' if at == 0 => return None,
            b':' => return text.get(..at).zip(text.get(at + 1..)),
            _ => break,
        }
    }
    Some((b"", text))
}

/// Tells whether a text is nothing, or a colon and digits.
fn is_port(text: &[u8]) -> bool {
    match text.split_first() {
        None => true,
        Some((b':', digits)) => digits.iter().all(u8::is_ascii_digit),
        Some(_) => false,
    }
}

fn host(scheme: &[u8], text: &[u8]) -> Option<Vec<u8>> {
    if let Some(open) = text.iter().rposition(|byte| *byte == b'[') {
        let close = text.iter().rposition(|byte| *byte == b']')?;
        let port = text.get(close + 1..)?;
        let inner = text.get(open + 1..close)?;
        if open > 0 || !is_port(port) {
            return None;
        }
        let zone = inner.windows(3).position(|part| part == b"%25");
        let (address, zone) = inner.split_at(zone.unwrap_or(inner.len()));
        let mut name = unescaped(address, Place::Host)?;
        let is_address = std::str::from_utf8(&name).ok()?.parse::<Ipv6Addr>().is_ok();
        // A zone is not empty.
        if !is_address || zone.len() == 3 {
            return None;
        }
        name.extend(unescaped(zone, Place::Zone)?);
        return Some([b"[", name.as_slice(), b"]", port].concat());
    }
    if let Some(first) = text.iter().position(|byte| *byte == b':') {
        let last = text.iter().rposition(|byte| *byte == b':')?;
        let is_web = matches!(scheme, b"http" | b"https");
        let port = text.get(if is_web { first } else { last }..)?;
        if !is_port(port) {
            return None;
        }
    }
    unescaped(text, Place::Host)
}
