//! A plain client of an API server, for what a test asks or does beside the program: no words of
//! ours lie between.

use std::{path::Path, sync::OnceLock};

use serde_json::Value;
use tokio::runtime::Runtime;
use weft_domain::{
    base64,
    yaml::{Limits, parse_one},
};

/// An API server as its administrator reaches it.
#[derive(Clone)]
pub struct Api {
    client: reqwest::Client,
    /// Its address, without a slash at the end.
    pub server: String,
    /// The administrator's token.
    pub token: String,
}

impl Api {
    /// The one of a kubeconfig of `tests/sandbox`.
    pub fn of(kubeconfig: &Path) -> Self {
        let text = std::fs::read_to_string(kubeconfig).expect("a kubeconfig");
        let config = parse_one(&text, &Limits::STREAM).expect("YAML");
        let text = |pointer: &str| config.pointer(pointer).and_then(Value::as_str);
        let authority = text("/clusters/0/cluster/certificate-authority-data");
        let authority = authority.and_then(base64::decode).expect("an authority");
        let authority = reqwest::Certificate::from_pem(&authority).expect("a certificate");
        let client = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([authority])
            .build();
        Self {
            client: client.expect("a client"),
            server: text("/clusters/0/cluster/server")
                .expect("a server")
                .to_owned(),
            token: text("/users/0/user/token").expect("a token").to_owned(),
        }
    }

    /// A request to a path, not sent yet.
    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = method.parse().expect("a method");
        self.client
            .request(method, format!("{}{path}", self.server))
    }

    /// Sends a request; the status and the answer. 0 where there was none.
    pub fn send(&self, method: &str, path: &str, body: Option<(&str, &Value)>) -> (u16, Value) {
        let mut request = self.request(method, path).bearer_auth(&self.token);
        if let Some((media_type, body)) = body {
            request = request
                .header("content-type", media_type)
                .body(body.to_string());
        }
        let (tell, told) = std::sync::mpsc::channel();
        runtime().spawn(async move {
            let answer = async {
                let answer = request.send().await?;
                let status = answer.status().as_u16();
                Ok::<_, reqwest::Error>((status, answer.bytes().await?))
            };
            let _ = tell.send(answer.await);
        });
        match told.recv().expect("an end") {
            Ok((status, body)) => (status, serde_json::from_slice(&body).unwrap_or_default()),
            Err(_) => (0, Value::Null),
        }
    }

    /// Gets a path; nothing where nothing is.
    ///
    /// # Panics
    /// When the server refuses.
    #[track_caller]
    pub fn get(&self, path: &str) -> Option<Value> {
        match self.send("GET", path, None) {
            (404, _) => None,
            (200, found) => Some(found),
            (status, said) => panic!("{path}: {status} {said}"),
        }
    }

    /// Changes what is there by a merge patch.
    ///
    /// # Panics
    /// When the server refuses.
    #[track_caller]
    pub fn merge(&self, path: &str, patch: &Value) -> Value {
        let (status, said) = self.send("PATCH", path, Some((MERGE, patch)));
        assert!(status < 300, "{path}: {status} {said}");
        said
    }

    /// Deletes what is at a path, if it is there.
    ///
    /// # Panics
    /// When the server refuses.
    #[track_caller]
    pub fn delete(&self, path: &str) {
        let (status, said) = self.send("DELETE", path, None);
        assert!(status < 300 || status == 404, "{path}: {status} {said}");
    }
}

/// The media type of a merge patch.
pub const MERGE: &str = "application/merge-patch+json";
/// The media type of a JSON patch.
pub const JSON_PATCH: &str = "application/json-patch+json";

/// The threads that all clients share.
pub fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build();
        runtime.expect("a runtime")
    })
}
