//! The text of a key: `tid_<id>_<secret>`.

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Digits of the id, which is no secret: it names the key in lists, in the audit and in logs.
const ID_DIGITS: usize = 12;
/// Digits of the secret: 256 random bits.
const SECRET_DIGITS: usize = 64;
const PREFIX: &str = "tid_";

/// A key as its holder sends it. Without `Debug`: it must not reach a log.
pub(crate) struct Token<'a> {
    /// Which key it says it is.
    pub(crate) id: &'a str,
    secret: &'a str,
}

impl<'a> Token<'a> {
    /// Reads a key; `None` for anything that no version of this server has made.
    pub(crate) fn read(text: &'a str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let fits = |part: &str, digits| part.len() == digits && part.bytes().all(is_digit);
        (fits(id, ID_DIGITS) && fits(secret, SECRET_DIGITS)).then_some(Self { id, secret })
    }

    /// Whether its secret is the one that `hash` was made of, in a time that does not depend on how much of it is right.
    pub(crate) fn proves(&self, hash: &[u8; 32]) -> bool {
        bool::from(sha256(self.secret).ct_eq(hash))
    }
}

/// A new key: its id, its text, and the hash of its secret.
pub(crate) fn generate() -> (String, SecretString, [u8; 32]) {
    let id = hex(&rand::random::<[u8; ID_DIGITS / 2]>());
    let secret = SecretString::from(hex(&rand::random::<[u8; SECRET_DIGITS / 2]>()));
    let hash = sha256(secret.expose_secret());
    let text = SecretString::from(format!("{PREFIX}{id}_{}", secret.expose_secret()));
    (id, text, hash)
}

fn sha256(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

fn is_digit(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_key_reads_back_and_proves_itself_only() {
        let (id, text, hash) = generate();
        let token = Token::read(text.expose_secret()).unwrap();
        assert_eq!(token.id, id);
        assert!(token.proves(&hash));
        let (other_id, other, other_hash) = generate();
        assert_ne!(other_id, id);
        assert!(!token.proves(&other_hash) && !Token::read(other.expose_secret()).unwrap().proves(&hash));
    }

    #[test]
    fn only_the_exact_shape_is_a_key() {
        let (_, text, _) = generate();
        let text = text.expose_secret();
        let mut wrong = vec![
            String::new(),
            "tid_".to_owned(),
            "tid__".to_owned(),
            text[1..].to_owned(),
            text[..text.len() - 1].to_owned(),
            format!("{text}0"),
            format!(" {text}"),
            text.to_uppercase(),
            text.replace("tid_", "tid-"),
            format!("{}g", &text[..text.len() - 1]),
        ];
        wrong.push(text.replacen('_', "__", 1));
        for wrong in wrong {
            assert!(Token::read(&wrong).is_none(), "{wrong}");
        }
    }
}
