//! The keys that an issuer publishes.

use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The RSA keys of a JWKS (RFC 7517), read once.
#[derive(Debug)]
pub(super) struct KeySet {
    keys: HashMap<String, Arc<Key>>,
}

/// A public key, and the channels whose tokens it may sign.
#[derive(Debug)]
pub(super) struct Key {
    public: ParsedPublicKey,
    endorsements: Vec<String>,
}

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: String,
    #[serde(rename = "use")]
    purpose: Option<String>,
    alg: Option<String>,
    n: String,
    e: String,
    endorsements: Option<Vec<String>>,
}

/// What RS256 is verified with, in bytes (RFC 7518, 3.3: 2048 bits or more; aws-lc takes no more than 8192).
const MODULUS: std::ops::RangeInclusive<usize> = 256..=1_024;

impl KeySet {
    /// Reads a JWKS. What is no RSA key for signatures is left out, so one strange key spoils no others.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        let document: Document<'_> =
            serde_json::from_slice(text).map_err(|error| format!("is not a JWKS: {error}"))?;
        let mut keys = HashMap::new();
        for entry in document.keys {
            if let Some((kid, key)) = serde_json::from_str(entry.get()).ok().and_then(Jwk::into_key) {
                keys.entry(kid).or_insert_with(|| Arc::new(key));
            }
        }
        if keys.is_empty() {
            return Err("has no RSA key for signatures".to_owned());
        }
        Ok(Self { keys })
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn get(&self, kid: &str) -> Option<Arc<Key>> {
        self.keys.get(kid).cloned()
    }
}

impl Jwk {
    fn into_key(self) -> Option<(String, Key)> {
        let is_for_rs256 = self.kty == "RSA"
            && self.purpose.is_none_or(|purpose| purpose == "sig")
            && self.alg.is_none_or(|algorithm| algorithm == "RS256");
        if !is_for_rs256 {
            return None;
        }
        let modulus = URL_SAFE_NO_PAD.decode(&self.n).ok()?;
        // Some write it with a zero before it.
        let significant = modulus.iter().position(|byte| *byte != 0)?;
        let modulus = &modulus[significant..];
        let exponent = URL_SAFE_NO_PAD.decode(&self.e).ok()?;
        if !MODULUS.contains(&modulus.len()) || exponent.is_empty() {
            return None;
        }
        let components = PublicKeyComponents {
            n: modulus,
            e: &exponent,
        };
        let key = Key {
            public: components
                .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
                .ok()?,
            endorsements: self.endorsements.unwrap_or_default(),
        };
        Some((self.kid, key))
    }
}

impl Key {
    /// Whether this key made `signature` over `message`, with RS256.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.public.verify_sig(message, signature).is_ok()
    }

    pub(super) fn endorsements(&self) -> &[String] {
        &self.endorsements
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rsa(kid: &str, bytes: usize, more: &str) -> String {
        let modulus = URL_SAFE_NO_PAD.encode(vec![0xc5; bytes]);
        format!(r#"{{"kty":"RSA","kid":"{kid}","n":"{modulus}","e":"AQAB"{more}}}"#)
    }

    fn parse(keys: &[String]) -> Result<Vec<String>, String> {
        let set = KeySet::parse(format!(r#"{{"keys":[{}]}}"#, keys.join(",")).as_bytes())?;
        let mut kids: Vec<_> = set.keys.into_keys().collect();
        kids.sort();
        Ok(kids)
    }

    #[test]
    fn only_rsa_keys_for_signatures_are_kept() {
        let kids = parse(&[
            rsa("plain", 256, ""),
            rsa(
                "sig",
                256,
                r#","use":"sig","alg":"RS256","endorsements":["msteams"],"x":{}"#,
            ),
            rsa("enc", 256, r#","use":"enc""#),
            rsa("rs512", 256, r#","alg":"RS512""#),
            rsa("wrong", 256, r#","endorsements":"msteams""#),
            r#"{"kty":"EC","kid":"ec","crv":"P-256","x":"AA","y":"AA"}"#.to_owned(),
            r#"{"kty":"oct","kid":"oct","k":"AAAA"}"#.to_owned(),
            r#"{"kty":"RSA","kid":"bare"}"#.to_owned(),
            r#"{"kty":"RSA","kid":"text","n":"!","e":"AQAB"}"#.to_owned(),
            r#"{"kty":"RSA","kid":"zero","n":"AAAA","e":"AQAB"}"#.to_owned(),
            "7".to_owned(),
            "null".to_owned(),
        ]);
        assert_eq!(kids, Ok(vec!["plain".to_owned(), "sig".to_owned()]));
    }

    #[test]
    fn a_key_has_2048_to_8192_bits() {
        let kids = parse(&[
            rsa("255", 255, ""),
            rsa("256", 256, ""),
            rsa("257", 257, ""),
            rsa("1024", 1_024, ""),
            rsa("1025", 1_025, ""),
        ]);
        assert_eq!(
            kids,
            Ok(vec!["1024".to_owned(), "256".to_owned(), "257".to_owned()])
        );
    }

    #[test]
    fn without_a_key_it_is_no_use() {
        for keys in [vec![], vec![r#"{"kty":"EC","kid":"ec"}"#.to_owned()]] {
            assert_eq!(parse(&keys), Err("has no RSA key for signatures".to_owned()));
        }
        for text in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":null}"#] {
            let error = KeySet::parse(text.as_bytes()).expect_err(text);
            assert!(error.starts_with("is not a JWKS: "), "{error}");
        }
    }

    #[test]
    fn the_first_key_of_a_name_stays() {
        let endorsed = rsa("k", 256, r#","endorsements":["first"]"#);
        let text = format!(r#"{{"keys":[{endorsed},{}]}}"#, rsa("k", 256, ""));
        let set = KeySet::parse(text.as_bytes()).expect("a JWKS");
        assert_eq!(set.get("k").expect("the key").endorsements(), ["first"]);
        assert!(set.get("K").is_none());
    }

    #[test]
    fn a_signature_of_any_shape_is_only_wrong() {
        let set = KeySet::parse(format!(r#"{{"keys":[{}]}}"#, rsa("k", 256, "")).as_bytes()).expect("a JWKS");
        let key = set.get("k").expect("the key");
        for length in [0, 1, 255, 256, 257, 4_096] {
            assert!(!key.verifies(b"message", &vec![1; length]));
        }
    }
}
