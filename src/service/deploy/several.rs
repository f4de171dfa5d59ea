//! Several clusters, asked side by side: one that does not answer hides nothing of the others.

use futures::future::join_all;

use crate::{
    api::deploy::Target,
    error::{Error, Result},
};

/// Asks each of the clusters: what they answer, in the order in which they are named, and why the
/// others don't.
///
/// # Errors
/// When none of them answers.
pub(super) async fn on_each<T, F: Future<Output = Result<T>>>(
    target: &Target,
    ask: impl Fn(Option<String>) -> F,
) -> Result<(Vec<T>, Vec<Error>)> {
    let asked = target.each().into_iter().map(|context| {
        let name = context.clone().unwrap_or_default();
        let answer = ask(context);
        async move { (name, answer.await) }
    });
    apart(join_all(asked).await)
}

/// Tells what contexts have answered from why others haven't, which names them.
///
/// # Errors
/// When none of them has.
pub(super) fn apart<T>(asked: Vec<(String, Result<T>)>) -> Result<(Vec<T>, Vec<Error>)> {
    let several = asked.len() > 1;
    let (mut answers, mut errors) = (Vec::new(), Vec::new());
    for (context, answer) in asked {
        match answer {
            Ok(answer) => answers.push(answer),
            Err(error) => {
                let mut place = error.place().clone();
                if several && place.context.is_none() {
                    place.context = Some(context);
                }
                errors.push(error.at(place));
            }
        }
    }
    if answers.is_empty() {
        let none = || Error::internal("a run without a cluster");
        return Err(Error::all(errors).unwrap_or_else(none));
    }
    Ok((answers, errors))
}
