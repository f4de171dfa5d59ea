//! The way to the place being looked at in two objects at once, linked on the stack.
//!
//! An item of a list has one index in what is wanted and another in what is live, and a name that both
//! share; [`crate::path::Trail`] knows only one index.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::DEPTH;
use super::fields::FieldSet;
use crate::path::{Path, Segment};

/// What a set of fields holds at a place.
#[derive(Debug, Clone, Copy)]
pub(super) enum Held<'a> {
    /// Nothing.
    Not,
    /// The place, or something below it.
    At(FieldSet<'a>),
    /// The place as part of something that is held as a whole.
    Within,
}

/// One step down.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step<'a> {
    Key(&'a str),
    Item(Item<'a>),
}

/// An item of a list, on the sides that have it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item<'a> {
    /// Without a name it is called by its index.
    pub(super) name: Option<Name<'a>>,
    pub(super) wanted: Option<(usize, &'a Value)>,
    pub(super) live: Option<(usize, &'a Value)>,
}

/// What an item is called by.
#[derive(Debug, Clone, Copy)]
pub(super) enum Name<'a> {
    /// The values of its keys.
    Keys(&'a Map<String, Value>),
    /// Its value, as an item of a set.
    Value(&'a Value),
}

impl Name<'_> {
    fn write(self, out: &mut String) {
        match self {
            Self::Keys(keys) => {
                for (index, (key, value)) in keys.iter().enumerate() {
                    let comma = if index == 0 { "" } else { "," };
                    // Writing into a string does not fail.
                    let _ = match value {
                        Value::String(text) => write!(out, "{comma}{key}={text}"),
                        other => write!(out, "{comma}{key}={other}"),
                    };
                }
            }
            Self::Value(value) => {
                let _ = write!(out, "{value}");
            }
        }
    }

    /// Returns the text that stands between brackets.
    pub(super) fn text(self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
    }
}

/// Which of the two objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Wanted,
    Live,
}

/// The steps from the root.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trail<'a> {
    step: Option<(&'a Trail<'a>, Step<'a>)>,
    depth: usize,
}

impl<'a> Trail<'a> {
    pub(super) const ROOT: Trail<'static> = Trail {
        step: None,
        depth: 0,
    };

    pub(super) fn key(&'a self, key: &'a str) -> Self {
        self.down(Step::Key(key))
    }

    pub(super) fn item(&'a self, item: Item<'a>) -> Self {
        self.down(Step::Item(item))
    }

    fn down(&'a self, step: Step<'a>) -> Self {
        Self {
            step: Some((self, step)),
            depth: self.depth + 1,
        }
    }

    pub(super) fn is_root(&self) -> bool {
        self.step.is_none()
    }

    pub(super) fn is_too_deep(&self) -> bool {
        self.depth >= DEPTH
    }

    /// Returns the keys on the way, nearest first; an item of a list comes as none.
    pub(super) fn upwards(&self) -> impl Iterator<Item = Option<&'a str>> {
        let mut trail = *self;
        std::iter::from_fn(move || {
            let (up, step) = trail.step?;
            trail = *up;
            Some(match step {
                Step::Key(key) => Some(key),
                Step::Item(_) => None,
            })
        })
    }

    /// Tells whether the steps from the root are just these keys.
    pub(super) fn is(&self, keys: &[&str]) -> bool {
        self.depth == keys.len()
            && (self.upwards().zip(keys.iter().rev())).all(|(own, key)| own == Some(*key))
    }

    /// Returns the steps from the root.
    pub(super) fn steps(&self) -> Vec<Step<'a>> {
        let mut steps = Vec::with_capacity(self.depth);
        let mut trail = self;
        while let Some((up, step)) = trail.step {
            steps.push(step);
            trail = up;
        }
        steps.reverse();
        steps
    }

    /// Returns the place in one of the objects, unless that has no such item.
    pub(super) fn place(&self, side: Side) -> Option<Path> {
        let segments = self.steps().into_iter().map(|step| match step {
            Step::Key(key) => Some(Segment::from(key)),
            Step::Item(item) => {
                let item = match side {
                    Side::Wanted => item.wanted,
                    Side::Live => item.live,
                };
                item.map(|(index, _)| Segment::Index(index))
            }
        });
        segments.collect::<Option<Vec<_>>>().map(Path)
    }

    /// Returns the readable form, such as `spec.template.spec.containers[name=web].image`.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for step in self.steps() {
            match step {
                Step::Key(key) => {
                    let step = Path::root().join(key).to_string();
                    if !text.is_empty() && !step.starts_with('[') {
                        text.push('.');
                    }
                    text.push_str(&step);
                }
                Step::Item(item) => {
                    text.push('[');
                    match (item.name, item.wanted.or(item.live)) {
                        (Some(name), _) => name.write(&mut text),
                        (None, Some((index, _))) => text.push_str(&index.to_string()),
                        (None, None) => {}
                    }
                    text.push(']');
                }
            }
        }
        text
    }
}
