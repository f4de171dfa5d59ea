//! Encrypts the secret values of a revision, with a key that is kept beside the inventory: whoever
//! may read that Secret may roll back, from any machine, and nobody reads a value by looking at a
//! revision alone.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey},
    rand,
};
use serde_json::{Value, json};
use weft_domain::{base64, inventory::BoxError};

use super::site::{Site, is_missing, is_unclear};
use crate::{
    cluster::Write,
    error::{Code, Error, Result},
};

/// The Secret that holds the key of a set. No inventory has a dot in its name.
pub(super) fn name_of(site: &Site) -> String {
    format!("{}.key", site.parent_name)
}

fn shown(site: &Site) -> String {
    format!("Secret/{}/{}", site.parent_namespace, name_of(site))
}

/// Bytes of a key.
const LENGTH: usize = 32;
/// Bytes of a nonce, which stands before what it sealed.
const NONCE: usize = 12;

/// A key, bound to a set.
pub(super) struct Key {
    key: RandomizedNonceKey,
    bound: Vec<u8>,
}

impl Key {
    /// Reads the key of a site, and makes it where there is none.
    pub(super) async fn of(site: &Site) -> Result<Self> {
        let secrets = site.own("v1", "Secret")?;
        let namespace = Some(site.parent_namespace.as_str());
        let name = name_of(site);
        let live = match site.objects.get(&secrets, namespace, &name).await {
            Ok(reply) => reply.object,
            Err(error) if is_missing(&error) => {
                let mut bytes = [0; LENGTH];
                rand::fill(&mut bytes).map_err(|_| Error::internal("no randomness"))?;
                let secret = json!({
                    "apiVersion": "v1", "kind": "Secret", "type": "weftctl.dev/key", "immutable": true,
                    "metadata": { "name": name, "namespace": site.parent_namespace },
                    "data": { "key": base64::encode(&bytes) },
                });
                let write = Write::by("weftctl");
                match site
                    .objects
                    .create(&secrets, namespace, &secret, &write)
                    .await
                {
                    Ok(reply) => reply.object,
                    Err(error) if is_unclear(&error) => {
                        site.objects.get(&secrets, namespace, &name).await?.object
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            Err(error) => return Err(error.into()),
        };
        Self::read(site, &live)
    }

    /// Reads the key of a site, to open what was sealed with it: another one would be of no use.
    pub(super) async fn find(site: &Site) -> Result<Self> {
        let secrets = site.own("v1", "Secret")?;
        let namespace = Some(site.parent_namespace.as_str());
        match site.objects.get(&secrets, namespace, &name_of(site)).await {
            Ok(reply) => Self::read(site, &reply.object),
            Err(error) if is_missing(&error) => Err(Error::new(
                Code::ForeignSet,
                "the key of the revisions is gone, so their secret values cannot be read",
            )
            .at(site.place(Some(&shown(site))))
            .hint("deploy the design again: its next revision gets a new key")),
            Err(error) => Err(error.into()),
        }
    }

    fn read(site: &Site, live: &Value) -> Result<Self> {
        let bytes = live.pointer("/data/key").and_then(Value::as_str);
        let bytes = bytes
            .and_then(base64::decode)
            .filter(|bytes| bytes.len() == LENGTH);
        let key = bytes.and_then(|bytes| RandomizedNonceKey::new(&AES_256_GCM, &bytes).ok());
        let key = key.ok_or_else(|| {
            Error::new(Code::ForeignSet, "the key of the revisions cannot be used")
                .at(site.place(Some(&shown(site))))
        })?;
        Ok(Self {
            key,
            bound: site.id.as_str().as_bytes().to_vec(),
        })
    }

    /// Encrypts.
    pub(super) fn seal(&self, plain: &[u8]) -> Result<Vec<u8>, BoxError> {
        let mut sealed = plain.to_vec();
        let nonce = self
            .key
            .seal_in_place_append_tag(Aad::from(&self.bound), &mut sealed)?;
        let mut out = nonce.as_ref().to_vec();
        out.append(&mut sealed);
        Ok(out)
    }

    /// Decrypts.
    pub(super) fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, BoxError> {
        let (nonce, rest) = sealed.split_at_checked(NONCE).ok_or("too short")?;
        let nonce = Nonce::try_assume_unique_for_key(nonce)?;
        let mut plain = rest.to_vec();
        let length = self
            .key
            .open_in_place(nonce, Aad::from(&self.bound), &mut plain)?
            .len();
        plain.truncate(length);
        Ok(plain)
    }
}
