//! What is shown with ages: the clock is the reader's, and no part of the document.

use std::borrow::Cow;

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;

use crate::{commands::watch::Watch, context::Context, output::human};

/// A value, and when it is looked at.
#[derive(Serialize)]
#[serde(transparent)]
pub(in crate::commands) struct Dated<T> {
    /// The value.
    pub(in crate::commands) value: T,
    #[serde(skip)]
    now: Option<Timestamp>,
}

/// The schema of the value: nothing else is in the document.
impl<T: JsonSchema> JsonSchema for Dated<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

impl<T> Dated<T> {
    /// Ages would change by themselves while they are watched: times are shown then.
    pub(in crate::commands) fn new(cx: &Context, watch: &Watch, value: T) -> Self {
        let now = (!watch.is_set()).then(|| cx.now());
        Self { value, now }
    }

    /// How long ago something was, or when.
    pub(super) fn age(&self, then: Option<Timestamp>) -> String {
        match (then, self.now) {
            (None, _) => String::new(),
            (Some(then), Some(now)) => human::age(then, now),
            (Some(then), None) => then.to_string(),
        }
    }

    /// ` 5m ago` or ` at TIME`.
    pub(super) fn when(&self, then: Option<Timestamp>) -> String {
        match (then, self.now) {
            (None, _) => String::new(),
            (Some(then), Some(now)) => format!(" {} ago", human::age(then, now)),
            (Some(then), None) => format!(" at {then}"),
        }
    }
}
