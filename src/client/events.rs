//! Server-sent events into typed ones: only what our own server sends is understood.

use axum::body::Body;
use futures::{Stream, StreamExt, stream};

use serde::de::DeserializeOwned;

use crate::error::{Code, Error, Result};

/// Reads numbered events until the body ends.
pub(super) fn read<T: DeserializeOwned>(
    body: Body,
) -> impl Stream<Item = Result<(u64, T)>> + Unpin {
    let state = (body.into_data_stream(), Vec::new());
    Box::pin(stream::unfold(state, |(mut body, mut buffer)| async move {
        loop {
            if let Some(end) = find(&buffer, b"\n\n") {
                let block: Vec<u8> = buffer.drain(..end + 2).collect();
                if let Some(event) = parse(&block) {
                    return Some((event, (body, buffer)));
                }
                continue;
            }
            match body.next().await? {
                Ok(bytes) => buffer.extend_from_slice(&bytes),
                Err(error) => {
                    let error = Error::new(Code::ServerUnreachable, "the event stream broke off")
                        .because_of(&error);
                    return Some((Err(error), (body, buffer)));
                }
            }
        }
    }))
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|part| part == needle)
}

/// One block of lines; a keep-alive comment gives nothing.
fn parse<T: DeserializeOwned>(block: &[u8]) -> Option<Result<(u64, T)>> {
    let text = String::from_utf8_lossy(block);
    let (mut number, mut data) = (0, String::new());
    for line in text.lines() {
        if let Some(value) = line.strip_prefix("id: ").or(line.strip_prefix("id:")) {
            number = value.parse().unwrap_or(0);
        } else if let Some(value) = line.strip_prefix("data: ").or(line.strip_prefix("data:")) {
            data.push_str(value);
        }
    }
    if data.is_empty() {
        return None;
    }
    Some(
        serde_json::from_str(&data)
            .map(|event| (number, event))
            .map_err(|error| Error::internal("an event that nobody knows").because(error)),
    )
}
