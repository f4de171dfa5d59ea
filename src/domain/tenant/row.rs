//! A row, and what templates see of it.

use std::collections::BTreeMap;

use crate::template::{Variables, host_of};

/// A row of the table, with the texts of the mapped columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What names it.
    pub uid: String,
    /// What the column `activate` says.
    pub activate: String,
    /// What the column of a host or an address says, where one is mapped.
    pub host_or_url: Option<String>,
    /// The other mapped columns, by variable.
    pub extra: BTreeMap<String, String>,
}

impl Row {
    /// Returns the variables of a form's templates.
    ///
    /// An empty host is that of the row's name, for all templates alike: the operator does so for the
    /// bodies of objects and not for their names. An extra column with the name of a variable that is
    /// always there takes its place.
    pub fn variables(&self, hub: &str, form: &str) -> Variables {
        let mut variables = Variables::new();
        let mut set = |name: &str, value: &str| {
            variables.insert(name.to_owned(), value.to_owned());
        };
        set("uid", &self.uid);
        set("activate", &self.activate);
        set("hubId", hub);
        set("templateRef", form);
        if let Some(host) = &self.host_or_url {
            let host = if host.is_empty() { &self.uid } else { host };
            set("hostOrUrl", host);
            set("host", &host_of(host));
        }
        for (name, value) in &self.extra {
            set(name, value);
        }
        variables
    }
}
