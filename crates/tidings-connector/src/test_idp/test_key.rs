//! The key pairs of the test identity provider.

use std::sync::OnceLock;

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RsaEncoding};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// One of four RSA keys of 2048 bits. They are in the source for everybody to read and prove nothing to anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestKey {
    /// Signs channels' tokens.
    Channel,
    /// Signs the Emulator's and other bots' tokens.
    Directory,
    /// Signs channels' tokens after [`rotate`](super::TestIdp::rotate).
    Next,
    /// Published nowhere.
    Rogue,
}

impl TestKey {
    fn pair(self) -> &'static KeyPair {
        static PAIRS: [OnceLock<KeyPair>; 4] = [const { OnceLock::new() }; 4];
        PAIRS[self as usize].get_or_init(|| {
            let der: &[u8] = match self {
                Self::Channel => include_bytes!("keys/channel.der"),
                Self::Directory => include_bytes!("keys/directory.der"),
                Self::Next => include_bytes!("keys/next.der"),
                Self::Rogue => include_bytes!("keys/rogue.der"),
            };
            KeyPair::from_der(der).expect("the keys in the source are sound")
        })
    }

    /// The public key as a JWK of this name, with endorsements unless there are none.
    #[must_use]
    pub fn jwk(self, kid: &str, endorsements: &[&str]) -> Value {
        let public = self.pair().public_key();
        let mut jwk = json!({
            "kty": "RSA",
            "use": "sig",
            "kid": kid,
            "x5t": kid,
            "n": URL_SAFE_NO_PAD.encode(public.modulus().big_endian_without_leading_zero()),
            "e": URL_SAFE_NO_PAD.encode(public.exponent().big_endian_without_leading_zero()),
        });
        if !endorsements.is_empty() {
            jwk["endorsements"] = json!(endorsements);
        }
        jwk
    }

    /// The public key in DER, as RFC 8017 has it.
    #[must_use]
    pub fn public_der(self) -> Vec<u8> {
        self.pair().public_key().as_ref().to_vec()
    }

    /// Signs `message` with RS256.
    #[must_use]
    pub fn sign(self, message: &[u8]) -> Vec<u8> {
        self.rsa(&RSA_PKCS1_SHA256, message)
    }

    pub(super) fn rs384(self, message: &[u8]) -> Vec<u8> {
        self.rsa(&RSA_PKCS1_SHA384, message)
    }

    /// As an attacker does who takes the public key for a shared secret.
    pub(super) fn hs256_with_public_key(self, message: &[u8]) -> Vec<u8> {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, &self.public_der());
        hmac::sign(&secret, message).as_ref().to_vec()
    }

    fn rsa(self, encoding: &'static dyn RsaEncoding, message: &[u8]) -> Vec<u8> {
        let pair = self.pair();
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(encoding, &SystemRandom::new(), message, &mut signature)
            .expect("the signature has its place");
        signature
    }
}
