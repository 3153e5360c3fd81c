//! `base64(IV) ! base64(AES-256-CBC(text))`, under a key of 32 bytes.

use aes::Aes256;
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _};
use rand::Rng as _;
use secrecy::{ExposeSecret as _, SecretBox, SecretString};

use super::BotFileError;

/// Secrets are passed around by hand; one that lost its `=` at the end is still whole.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

const IV_BYTES: usize = 16;
const KEY_BYTES: usize = 32;

/// A key to encrypt and decrypt with.
pub(super) struct Key(SecretBox<[u8; KEY_BYTES]>);

impl Key {
    /// The key that `secret` is the base64 text of; `None` if it is not one of 32 bytes.
    pub(super) fn of(secret: &SecretString) -> Option<Self> {
        let bytes = BASE64.decode(secret.expose_secret().trim()).ok()?;
        let key: [u8; KEY_BYTES] = bytes.try_into().ok()?;
        Some(Self(SecretBox::new(Box::new(key))))
    }

    pub(super) fn encrypt(&self, text: &str) -> String {
        let mut iv = [0; IV_BYTES];
        rand::rng().fill_bytes(&mut iv);
        let cipher = cbc::Encryptor::<Aes256>::new(self.0.expose_secret().into(), &iv.into());
        let encrypted = cipher.encrypt_padded_vec::<Pkcs7>(text.as_bytes());
        format!("{}!{}", BASE64.encode(iv), BASE64.encode(encrypted))
    }

    /// One error for all that can be wrong: which of it, a forger must not learn.
    pub(super) fn decrypt(&self, value: &str) -> Result<String, BotFileError> {
        self.try_decrypt(value).ok_or(BotFileError::SecretIncorrect)
    }

    fn try_decrypt(&self, value: &str) -> Option<String> {
        // A second `!` is none of base64's letters.
        let (iv, encrypted) = value.split_once('!')?;
        let iv: [u8; IV_BYTES] = BASE64.decode(iv).ok()?.try_into().ok()?;
        let encrypted = BASE64.decode(encrypted).ok()?;
        let cipher = cbc::Decryptor::<Aes256>::new(self.0.expose_secret().into(), &iv.into());
        let text = cipher.decrypt_padded_vec::<Pkcs7>(&encrypted).ok()?;
        String::from_utf8(text).ok()
    }
}

pub(super) fn new_secret() -> SecretString {
    let mut key = [0; KEY_BYTES];
    rand::rng().fill_bytes(&mut key);
    BASE64.encode(key).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const VALUE: &str = "AAECAwQFBgcICQoLDA0ODw==!6H5G+J59TZQMdlkJH18ekw==";

    fn key(secret: &str) -> Key {
        Key::of(&secret.into()).unwrap()
    }

    #[test]
    fn the_protocols_vector() {
        assert_eq!(key(SECRET).decrypt(VALUE).unwrap(), "secret");
    }

    #[test]
    fn what_was_encrypted_decrypts_and_never_looks_the_same() {
        let key = key(new_secret().expose_secret());
        for text in [
            "a",
            "fifteen letters",
            "sixteen letters!",
            "grüße \u{1f514}",
            "a!b",
        ] {
            let (first, second) = (key.encrypt(text), key.encrypt(text));
            assert_ne!(first, second);
            assert_eq!(key.decrypt(&first).unwrap(), text);
            assert_eq!(key.decrypt(&second).unwrap(), text);
        }
    }

    #[test]
    fn everything_wrong_is_the_same_error() {
        let cipher_text = VALUE.split_once('!').unwrap().1;
        for value in [
            "secret",
            "!",
            "",
            cipher_text,
            // One part too many.
            "AAECAwQFBgcICQoLDA0ODw==!6H5G+J59TZQMdlkJH18ekw==!",
            // An initialization vector of 15 and of 17 bytes.
            "AAECAwQFBgcICQoLDA0O!6H5G+J59TZQMdlkJH18ekw==",
            "AAECAwQFBgcICQoLDA0ODxA=!6H5G+J59TZQMdlkJH18ekw==",
            // Half a block, no block, another block.
            "AAECAwQFBgcICQoLDA0ODw==!6H5G+J59TZQ=",
            "AAECAwQFBgcICQoLDA0ODw==!",
            "AAECAwQFBgcICQoLDA0ODw==!7H5G+J59TZQMdlkJH18ekw==",
            // A changed vector changes the text: here to what is no UTF-8.
            "/wECAwQFBgcICQoLDA0ODw==!6H5G+J59TZQMdlkJH18ekw==",
            "not base64!6H5G+J59TZQMdlkJH18ekw==",
        ] {
            let error = key(SECRET).decrypt(value).unwrap_err();
            assert!(matches!(error, BotFileError::SecretIncorrect), "{value}");
        }
        let other = key(&SECRET.replace("AAE", "BBE"));
        assert!(matches!(
            other.decrypt(VALUE).unwrap_err(),
            BotFileError::SecretIncorrect
        ));
    }

    #[test]
    fn a_key_has_32_bytes() {
        for (bytes, fits) in [(31, false), (32, true), (33, false), (0, false)] {
            let secret = BASE64.encode(vec![7; bytes]);
            assert_eq!(Key::of(&secret.into()).is_some(), fits, "{bytes}");
        }
        assert!(Key::of(&"no base64".into()).is_none());
        assert!(Key::of(&format!(" {}\n", SECRET.trim_end_matches('=')).into()).is_some());
    }
}
