//! `--watch` of the commands that list things: ask, print what changed, ask again.

use std::time::Duration;

use super::Outcome;
use crate::{
    api::Request,
    context::Context,
    error::{Code, Error, Result},
    output::{Delivered, View, Watched},
};

/// How long to wait before asking again.
const PAUSE: Duration = Duration::from_secs(1);

/// The flag.
#[derive(clap::Args, Debug)]
pub(crate) struct Watch {
    /// Go on, and print what changes
    #[arg(short, long)]
    watch: bool,
}

impl Watch {
    /// Whether it is given.
    pub(crate) fn is_set(&self) -> bool {
        self.watch
    }

    /// Asks once, or until a signal comes or nobody reads any more.
    ///
    /// # Errors
    /// What the server answers.
    pub(crate) async fn call<R>(&self, cx: &Context, request: &R) -> Result<Outcome>
    where
        R: Request,
        R::Reply: View,
    {
        self.show(cx, request, |reply| (reply, Vec::new())).await
    }

    /// The same, of what is made of each reply, with what failed of it.
    ///
    /// # Errors
    /// What the server answers.
    pub(crate) async fn show<R, V>(
        &self,
        cx: &Context,
        request: &R,
        view: impl Fn(R::Reply) -> (V, Vec<Error>),
    ) -> Result<Outcome>
    where
        R: Request,
        V: View + Send + 'static,
    {
        let client = cx.client().await?;
        let (mut reply, mut failures) = view(client.call(request).await?);
        if !self.watch {
            return Ok(Outcome::from(reply).short_of(failures));
        }
        let mut watched = Watched::default();
        let mut told = Vec::new();
        loop {
            let now: Vec<String> = failures.iter().map(described).collect();
            for failure in now.iter().filter(|failure| !told.contains(*failure)) {
                cx.terminal.warn(failure.as_str());
            }
            told = now;
            match watched.show(&reply, &cx.format, &cx.terminal)? {
                Delivered::All => {}
                Delivered::ReaderLeft => return Ok(Outcome::shown()),
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = cx.cancel.cancelled() => {
                    return Err(Error::new(Code::Interrupted, "interrupted"));
                }
            }
            (reply, failures) = view(client.call(request).await?);
        }
    }
}

/// What went wrong, and where.
fn described(error: &Error) -> String {
    match &error.place().context {
        Some(context) => format!("{error} (context {context:?})"),
        None => error.to_string(),
    }
}
