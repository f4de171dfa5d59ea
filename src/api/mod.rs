//! The wire: requests, replies and their paths, one file per noun, shared by client and server.
//!
//! An endpoint is declared once, as the request type that implements [`Request`]; the client's
//! call, the server's route and the test that every route is visited all come from it. Nothing
//! here knows an HTTP library or the store.

pub mod deploy;
pub mod deployed;
pub mod design;
pub mod model;
pub mod operation;
pub mod system;
pub mod tenant;

use serde::{Serialize, de::DeserializeOwned};

pub use operation::Operation;

/// The version of every document that we print or send.
pub const API_VERSION: &str = "weftctl.dev/v1";

/// Where the endpoints stand on a server.
pub const BASE: &str = "/api/weft/v1";

/// The methods that endpoints use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// Reads.
    Get,
    /// Does.
    Post,
    /// Removes.
    Delete,
}

impl Method {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }
}

/// A request, which is also the declaration of its endpoint.
///
/// `PATH` stands under [`BASE`]. `{name}` in it is filled from the field `name` of the request
/// (`Get` and `Delete` only); the other fields travel in the query, or for `Post` all of them as
/// a JSON body.
pub trait Request: Serialize + DeserializeOwned + Send + 'static {
    /// The method.
    const METHOD: Method;
    /// The path below [`BASE`].
    const PATH: &'static str;
    /// What is answered.
    type Reply: Serialize + DeserializeOwned + Send + 'static;
}

/// A request that is answered by items as they come, which is also the declaration of its endpoint:
/// a `Post` whose body it is. The items travel as server-sent events, each a [`Part`].
pub trait StreamRequest: Serialize + DeserializeOwned + Send + 'static {
    /// The path below [`BASE`].
    const PATH: &'static str;
    /// What comes.
    type Item: Serialize + DeserializeOwned + Send + Sync + 'static;
}

/// What comes over a stream.
#[derive(Debug, Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", tag = "type", content = "value")]
pub enum Part<T> {
    /// An item.
    Item(T),
    /// Why there are no more; nothing follows.
    Failed(crate::error::Error),
    /// There are no more; nothing follows. Without it the stream was cut.
    End,
}

/// Declares endpoints: `GET "/designs" ListDesigns => DesignList;`.
macro_rules! endpoints {
    ($($method:ident $path:literal $request:ty => $reply:ty;)+) => {
        $(impl $crate::api::Request for $request {
            const METHOD: $crate::api::Method = $crate::api::Method::$method;
            const PATH: &'static str = $path;
            type Reply = $reply;
        })+
    };
}
pub(crate) use endpoints;

/// A list with its envelope: `{apiVersion, kind, items}`.
#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Items<T> {
    /// The things, sorted; empty when there are none.
    pub items: Vec<T>,
}
