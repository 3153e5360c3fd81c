//! Files from before version 2.0: AES-192-CBC, key and initialization vector made from a password as OpenSSL's
//! `EVP_BytesToKey` does with MD5 and no salt, cipher texts in hexadecimal.

use std::collections::HashMap;

use aes::Aes192;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt as _, KeyIvInit as _};
use md5::{Digest as _, Md5};
use secrecy::{ExposeSecret as _, SecretBox, SecretString};

use super::{BotFileError, BotService};

const KEY_BYTES: usize = 24;
const IV_BYTES: usize = 16;

/// Whether a padlock is one of before version 2.0; a later one always has a `!` in it.
pub(super) fn is_legacy(padlock: &str) -> bool {
    padlock.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What was made from a password.
pub(super) struct LegacyKey(SecretBox<[u8; KEY_BYTES + IV_BYTES]>);

impl LegacyKey {
    pub(super) fn of(password: &SecretString) -> Self {
        let mut made = Box::new([0; KEY_BYTES + IV_BYTES]);
        let mut last: Option<[u8; 16]> = None;
        for part in made.chunks_mut(16) {
            let mut hash = Md5::new();
            if let Some(last) = last {
                hash.update(last);
            }
            hash.update(password.expose_secret());
            let digest: [u8; 16] = hash.finalize().into();
            part.copy_from_slice(&digest[..part.len()]);
            last = Some(digest);
        }
        Self(SecretBox::new(made))
    }

    pub(super) fn decrypt(&self, value: &str) -> Result<String, BotFileError> {
        self.try_decrypt(value).ok_or(BotFileError::SecretIncorrect)
    }

    fn try_decrypt(&self, value: &str) -> Option<String> {
        let encrypted = from_hex(value)?;
        let (key, iv) = self.0.expose_secret().split_at(KEY_BYTES);
        let cipher = cbc::Decryptor::<Aes192>::new_from_slices(key, iv).ok()?;
        let text = cipher.decrypt_padded_vec::<Pkcs7>(&encrypted).ok()?;
        String::from_utf8(text).ok()
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .chars()
        .map(|digit| digit.to_digit(16)?.try_into().ok())
        .collect::<Option<_>>()?;
    let (pairs, []) = digits.as_chunks::<2>() else {
        return None;
    };
    Some(pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

/// Numbers the services from 1, also where a `dispatch` service names them.
pub(super) fn with_new_ids(mut services: Vec<BotService>) -> Vec<BotService> {
    let mut new_ids: HashMap<String, String> = HashMap::new();
    for (at, service) in services.iter_mut().enumerate() {
        let new = (at + 1).to_string();
        if let Some(old) = service.id() {
            new_ids.insert(old, new.clone());
        }
        service.0.set_text("id", &new);
    }
    for service in &mut services {
        if service.kind().as_deref() != Some("dispatch") {
            continue;
        }
        let Some(Ok(ids)) = service
            .0
            .get("serviceIds")
            .map(|ids| serde_json::from_str::<Vec<String>>(ids.get()))
        else {
            continue;
        };
        // An id that no service has stays: it is not ours to lose.
        let ids = ids
            .into_iter()
            .map(|old| new_ids.get(&old).cloned().unwrap_or(old));
        service.0.set_texts("serviceIds", ids);
    }
    services
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_comes_in_pairs() {
        assert_eq!(from_hex("00fFa1"), Some(vec![0, 255, 161]));
        assert_eq!(from_hex(""), Some(Vec::new()));
        for text in ["0", "0g", "+1", "é0"] {
            assert_eq!(from_hex(text), None, "{text}");
        }
    }
}
