//! Follows objects: by a watch where the cluster allows one, by looking again and again where not.

use std::time::Duration;

use futures::{Stream, StreamExt, stream::unfold};
use serde_json::Value;
use tokio::time::sleep;

use super::site::Site;
use crate::{
    cluster::{Event, KindRef, ObjectError, Objects, Problem, Selector},
    error::Result,
};

/// How often is looked where watching is not allowed.
const LOOK: Duration = Duration::from_secs(1);

/// What is seen of the objects that are followed.
pub(super) enum Seen {
    /// All that there are: what isn't among them is gone.
    All(Vec<Value>),
    /// One that has come or changed.
    One(Value),
    /// One that is gone, as it was last.
    Gone(Value),
}

/// Follows the objects of a kind and namespace. The first that is seen is all of them.
pub(super) fn follow(
    site: &Site,
    kind: &KindRef,
    namespace: Option<&str>,
    selector: Selector,
) -> impl Stream<Item = Result<Seen>> + Send + Unpin + use<> {
    let (objects, kind) = (site.objects.clone(), kind.clone());
    let namespace = namespace.map(str::to_owned);
    let watch = kind
        .can("watch")
        .then(|| objects.watch(&kind, namespace.as_deref(), &selector, None));
    let looked = false;
    let state = (watch, looked, objects, kind, namespace, selector);
    Box::pin(unfold(
        state,
        |(mut watch, mut looked, objects, kind, namespace, selector)| async move {
            let seen = loop {
                let Some(watching) = &mut watch else {
                    if looked {
                        sleep(LOOK).await;
                    }
                    looked = true;
                    let found = look(&objects, &kind, namespace.as_deref(), &selector).await;
                    break found.map(Seen::All).map_err(Into::into);
                };
                match watching.next().await? {
                    Ok(Event::Relisted(all)) => break Ok(Seen::All(all)),
                    Ok(Event::Added(one) | Event::Modified(one)) => break Ok(Seen::One(one)),
                    Ok(Event::Deleted(one)) => break Ok(Seen::Gone(one)),
                    Ok(Event::Bookmark(_)) => {}
                    Err(error) if matches!(*error.problem, Problem::Forbidden { .. }) => {
                        watch = None;
                    }
                    Err(error) => break Err(error.into()),
                }
            };
            let state = (watch, looked, objects, kind, namespace, selector);
            Some((seen, state))
        },
    ))
}

/// Looks once. Who asks for one object by its name may be allowed to get it, and not to list.
async fn look(
    objects: &Objects,
    kind: &KindRef,
    namespace: Option<&str>,
    selector: &Selector,
) -> Result<Vec<Value>, ObjectError> {
    let name = selector.fields.as_deref();
    let name = name.and_then(|fields| fields.strip_prefix(NAME));
    let Some(name) = name else {
        return Ok(objects.list(kind, namespace, selector).await?.objects);
    };
    match objects.get(kind, namespace, name).await {
        Ok(reply) => Ok(vec![reply.object]),
        Err(error) if super::site::is_missing(&error) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// What selects one object.
const NAME: &str = "metadata.name=";

/// Follows one object: each state of it, none while it isn't there.
pub(super) fn follow_one(
    site: &Site,
    kind: &KindRef,
    namespace: Option<&str>,
    name: &str,
) -> impl Stream<Item = Result<Option<Value>>> + Send + Unpin + use<> {
    let selector = Selector {
        labels: None,
        fields: Some(format!("{NAME}{name}")),
    };
    follow(site, kind, namespace, selector).map(|seen| {
        Ok(match seen? {
            Seen::All(all) => all.into_iter().next(),
            Seen::One(one) => Some(one),
            Seen::Gone(_) => None,
        })
    })
}
