//! Stands in for `webpki-roots`, which sqlx adds to whatever CA it is given: with it, `verify-ca`
//! would accept every certificate of every public authority, for any host name. libpq and MySQL's
//! client trust the CA that they are given and no other, and so does sqlx with this empty list.

use rustls_pki_types::TrustAnchor;

/// None.
pub const TLS_SERVER_ROOTS: &[TrustAnchor<'static>] = &[];
