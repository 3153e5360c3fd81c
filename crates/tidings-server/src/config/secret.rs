//! A secret among the settings.

use std::ops::Deref;

use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

/// A secret setting: a [`SecretString`] that can be compared, in a time that does not depend on where two differ.
/// `Debug` does not show it.
#[derive(Clone, Debug)]
pub struct Secret(SecretString);

impl Deref for Secret {
    type Target = SecretString;

    fn deref(&self) -> &SecretString {
        &self.0
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        let (own, other) = (self.0.expose_secret(), other.0.expose_secret());
        own.as_bytes().ct_eq(other.as_bytes()).into()
    }
}

impl Eq for Secret {}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<SecretString> for Secret {
    fn from(secret: SecretString) -> Self {
        Self(secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_compare_and_do_not_show() {
        assert_eq!(Secret::from("sesame"), Secret::from("sesame"));
        assert_ne!(Secret::from("sesame"), Secret::from("sesam"));
        assert_ne!(Secret::from("sesame"), Secret::from("barley"));
        assert!(!format!("{:?}", Secret::from("sesame")).contains("sesame"));
    }
}
