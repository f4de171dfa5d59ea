//! `design list`

use crate::{
    api::design::{DesignList, ListDesigns, Sort},
    commands::{Outcome, watch::Watch},
    context::Context,
    error::Result,
    output::{Column, Human, Table, View},
};

/// List the stored designs.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl design list\n  weftctl design list --sort-by updated -o wide"
)]
pub(super) struct List {
    /// The order
    #[arg(long, value_enum, default_value = "name", value_name = "KEY")]
    sort_by: Sort,
    /// Stop after this many
    #[arg(long, value_name = "COUNT")]
    limit: Option<u32>,
    /// Of pages, the one of this number; as in mesheryctl
    #[arg(short, long, value_name = "NUMBER", hide = true, conflicts_with = "limit",
        value_parser = clap::value_parser!(u32).range(1..))]
    page: Option<u32>,
    /// How many designs a page has
    #[arg(
        long,
        value_name = "COUNT",
        hide = true,
        requires = "page",
        default_value = "10"
    )]
    pagesize: u32,
    #[command(flatten)]
    watch: Watch,
}

impl View for DesignList {
    const KIND: &'static str = "DesignList";

    fn human(&self) -> Human {
        let mut table = Table::new([
            Column::new("NAME"),
            Column::new("VERSION"),
            Column::new("COMPONENTS"),
            Column::new("FORM"),
            Column::new("UPDATED"),
            Column::new("CREATED").wide(),
            Column::new("ID").wide(),
        ]);
        for item in &self.items {
            table.row([
                item.name.clone(),
                item.version.clone(),
                item.components.to_string(),
                item.form.clone(),
                item.updated_at.to_string(),
                item.created_at.to_string(),
                item.id.clone(),
            ]);
        }
        Human::Table(table)
    }

    fn names(&self) -> Vec<String> {
        self.items
            .iter()
            .map(|item| format!("design/{}", item.name))
            .collect()
    }

    fn summary(&self) -> Option<String> {
        self.items.is_empty().then(|| "no designs".to_owned())
    }
}

impl List {
    /// Asks for them.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let request = ListDesigns {
            search: None,
            sort: self.sort_by,
            offset: self
                .page
                .map_or(0, |page| (page - 1).saturating_mul(self.pagesize)),
            limit: self.limit.or(self.page.map(|_| self.pagesize)),
        };
        self.watch.call(cx, &request).await
    }
}
