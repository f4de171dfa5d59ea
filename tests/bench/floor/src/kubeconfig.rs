//! The server that a kubeconfig's current context names.

use std::{env, fs, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use serde_json::Value;

use crate::Result;

/// An API server, and how to speak to it.
pub struct Server {
    /// Host and port.
    pub host: String,
    /// The bearer token.
    pub token: String,
    /// Whom to trust.
    pub tls: Arc<ClientConfig>,
}

impl Server {
    /// Reads the current context of the file that `KUBECONFIG` names.
    ///
    /// # Errors
    /// Where the file cannot be read, or says something else than an https server with its authority
    /// and a token.
    pub fn of_kubeconfig() -> Result<Self> {
        let file = env::var("KUBECONFIG").map_err(|_| "KUBECONFIG must name a kubeconfig")?;
        let text =
            fs::read_to_string(&file).map_err(|error| format!("cannot read {file}: {error}"))?;
        let config: Value = serde_saphyr::from_str(&text)?;
        let text = |value: &Value, at: &str| {
            let text = value.pointer(at).and_then(Value::as_str).map(str::to_owned);
            text.ok_or_else(|| format!("{file} says no {at}"))
        };
        let named = |list: &str, name: &str| {
            let entries = config[list].as_array().into_iter().flatten();
            let mut entries = entries.filter(|entry| entry["name"] == name);
            let entry = entries.next().cloned();
            entry.ok_or_else(|| format!("{file} has no {name} among its {list}"))
        };
        let context = named("contexts", &text(&config, "/current-context")?)?;
        let cluster = named("clusters", &text(&context, "/context/cluster")?)?;
        let user = named("users", &text(&context, "/context/user")?)?;
        let url = text(&cluster, "/cluster/server")?;
        let host = url
            .strip_prefix("https://")
            .ok_or("the server has no TLS")?;
        let authority = text(&cluster, "/cluster/certificate-authority-data")?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&BASE64_STANDARD.decode(authority)?) {
            roots.add(certificate?)?;
        }
        let tls = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            host: host.trim_end_matches('/').to_owned(),
            token: text(&user, "/user/token")?,
            tls: Arc::new(tls),
        })
    }
}
