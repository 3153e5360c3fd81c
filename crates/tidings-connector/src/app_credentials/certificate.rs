//! The certificate by which an app proves who it is, and the assertions that are signed with its key.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use uuid::Uuid;

use crate::CredentialsError;

/// How long an assertion can be used. It is sent at once.
const LIFETIME: Duration = Duration::from_secs(10 * 60);

/// A certificate and its private key, RSA, both as PEM.
///
/// The assertion names the certificate by its SHA-1 (`x5t`) and its SHA-256 (`x5t#S256`).
#[derive(Clone)]
pub struct ClientCertificate {
    sha1: String,
    sha256: Option<String>,
    key: EncodingKey,
}

impl ClientCertificate {
    /// From a certificate (the first one counts) and its unencrypted private key (PKCS#1 or PKCS#8). The literal `\n` of
    /// environment variables stands for a line break.
    ///
    /// # Errors
    ///
    /// When one cannot be read, or when they do not belong together.
    pub fn from_pem(certificate: &str, private_key: &SecretString) -> Result<Self, CredentialsError> {
        let certificate = certificate.replace("\\n", "\n");
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).map_err(|error| {
            CredentialsError::configuration(format!(
                "the certificate is not a PEM text with a CERTIFICATE: {error}"
            ))
        })?;
        let (key, public) = read_key(private_key)?;
        // A certificate holds its public key as it is, so this is what "belong together" means.
        if !certificate
            .windows(public.len())
            .any(|window| window == public.as_slice())
        {
            return Err(CredentialsError::configuration(
                "the certificate and the private key do not belong together",
            ));
        }
        let hash = |algorithm| URL_SAFE_NO_PAD.encode(digest(algorithm, &certificate));
        Ok(Self {
            sha1: hash(&SHA1_FOR_LEGACY_USE_ONLY),
            sha256: Some(hash(&SHA256)),
            key,
        })
    }

    /// From the names of the Bot Framework: `CertificateThumbprint` (SHA-1, 40 hexadecimal digits) and
    /// `CertificatePrivateKey`. The assertion then holds `x5t` only.
    ///
    /// # Errors
    ///
    /// When one cannot be read.
    pub fn from_thumbprint(thumbprint: &str, private_key: &SecretString) -> Result<Self, CredentialsError> {
        let sha1 = unhex(thumbprint).ok_or_else(|| {
            CredentialsError::configuration(
                "CertificateThumbprint must be the 40 hexadecimal digits of the certificate's SHA-1",
            )
        })?;
        Ok(Self {
            sha1: URL_SAFE_NO_PAD.encode(sha1),
            sha256: None,
            key: read_key(private_key)?.0,
        })
    }

    /// An assertion for the token endpoint `audience`, by the app `app_id`.
    pub(super) fn assertion(
        &self,
        app_id: &str,
        audience: &str,
        now: SystemTime,
    ) -> Result<String, CredentialsError> {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut header = Header::new(Algorithm::RS256);
        header.x5t = Some(self.sha1.clone());
        header.x5t_s256.clone_from(&self.sha256);
        let claims = Claims {
            aud: audience,
            iss: app_id,
            sub: app_id,
            jti: Uuid::new_v4().to_string(),
            iat: now.as_secs(),
            nbf: now.as_secs(),
            exp: (now + LIFETIME).as_secs(),
        };
        jsonwebtoken::encode(&header, &claims, &self.key).map_err(|error| {
            CredentialsError::configuration(format!("the assertion cannot be signed: {error}"))
        })
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificate")
            .field("x5t", &self.sha1)
            .finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Claims<'a> {
    aud: &'a str,
    iss: &'a str,
    sub: &'a str,
    jti: String,
    iat: u64,
    nbf: u64,
    exp: u64,
}

/// The private key, and the public one as it stands in a certificate.
fn read_key(pem: &SecretString) -> Result<(EncodingKey, Vec<u8>), CredentialsError> {
    let wrong = |why: &str| CredentialsError::configuration(format!("the certificate's private key {why}"));
    let pem = SecretString::from(pem.expose_secret().replace("\\n", "\n"));
    if pem.expose_secret().contains("ENCRYPTED") {
        return Err(wrong("is encrypted: decrypt it first (openssl pkey -in key.pem)"));
    }
    // What the parser says may quote the key, so it is not repeated.
    let key = PrivateKeyDer::from_pem_slice(pem.expose_secret().as_bytes())
        .map_err(|_| wrong("is not a PEM text with a PRIVATE KEY or RSA PRIVATE KEY"))?;
    let no_rsa = || wrong("is not an RSA key of at least 2048 bits, which RS256 needs");
    let pkcs1 = match &key {
        PrivateKeyDer::Pkcs1(key) => key.secret_pkcs1_der(),
        PrivateKeyDer::Pkcs8(key) => pkcs1_of_pkcs8(key.secret_pkcs8_der()).ok_or_else(no_rsa)?,
        _ => return Err(no_rsa()),
    };
    let pair = KeyPair::from_der(pkcs1).map_err(|_| no_rsa())?;
    Ok((
        EncodingKey::from_rsa_der(pkcs1),
        pair.public_key().as_ref().to_vec(),
    ))
}

/// The key inside a PKCS#8 envelope (RFC 5208): the octet string behind a version and an algorithm. Which algorithm is
/// not looked at: who reads the key finds out.
fn pkcs1_of_pkcs8(der: &[u8]) -> Option<&[u8]> {
    let (envelope, _) = element(0x30, der)?;
    let (_version, rest) = element(0x02, envelope)?;
    let (_algorithm, rest) = element(0x30, rest)?;
    let (key, _attributes) = element(0x04, rest)?;
    Some(key)
}

/// The content of the DER element with this tag, and what follows it.
fn element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length = digits
                .iter()
                .fold(0_usize, |length, digit| (length << 8) | usize::from(*digit));
            (length, rest)
        }
        _ => return None,
    };
    (found == tag).then(|| rest.split_at_checked(length))?
}

/// 20 bytes from hexadecimal digits, with or without colons or blanks between them.
fn unhex(text: &str) -> Option<[u8; 20]> {
    let digits = text
        .chars()
        .filter(|c| !matches!(c, ':' | ' '))
        // The certificate dialogue of Windows puts this mark in front when one copies from it.
        .filter(|c| *c != '\u{200e}')
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<Vec<u8>>>()?;
    let bytes = digits
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => Some((high << 4) | low),
            _ => None,
        })
        .collect::<Option<Vec<u8>>>()?;
    bytes.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thumbprints_are_forty_digits() {
        let digits = "0123456789abcdefABCDEF0123456789abcdef01";
        let bytes = unhex(digits).expect("forty");
        assert_eq!((bytes[0], bytes[1], bytes[19]), (0x01, 0x23, 0x01));
        assert_eq!(
            unhex(&format!("\u{200e}{}", digits.replace("01", "01:"))),
            Some(bytes)
        );
        for text in [
            "",
            &digits[1..],
            &digits[2..],
            &format!("{digits}0"),
            &format!("{digits}00"),
            &digits.replace('a', "g"),
        ] {
            assert_eq!(unhex(text), None, "{text}");
        }
    }

    #[test]
    fn der_that_breaks_off_is_no_key() {
        assert_eq!(
            pkcs1_of_pkcs8(b"\x30\x09\x02\x01\x00\x30\x00\x04\x02ab"),
            Some(&b"ab"[..])
        );
        assert_eq!(
            pkcs1_of_pkcs8(b"\x30\x81\x09\x02\x01\x00\x30\x00\x04\x02abrest"),
            Some(&b"ab"[..])
        );
        let whole = b"\x30\x09\x02\x01\x00\x30\x00\x04\x02ab";
        for end in 0..whole.len() {
            assert_eq!(pkcs1_of_pkcs8(&whole[..end]), None, "{end}");
        }
        for der in [
            &b"\x30\x84\xff\xff\xff\xff\x02"[..],
            b"\x30\x80\x02\x01\x00",
            b"\x30\x85\x00\x00\x00\x00\x09\x02",
            b"\x31\x00",
        ] {
            assert_eq!(pkcs1_of_pkcs8(der), None, "{der:?}");
        }
    }

    #[test]
    fn a_key_that_is_none_is_not_shown() {
        for (pem, says) in [
            ("hush", "not a PEM text"),
            (
                "-----BEGIN PRIVATE KEY-----\naHVzaA==\n-----END PRIVATE KEY-----",
                "RSA key",
            ),
            (
                "-----BEGIN RSA PRIVATE KEY-----\naHVzaA==\n-----END RSA PRIVATE KEY-----",
                "RSA key",
            ),
            (
                "-----BEGIN EC PRIVATE KEY-----\naHVzaA==\n-----END EC PRIVATE KEY-----",
                "RSA key",
            ),
            (
                "-----BEGIN ENCRYPTED PRIVATE KEY-----\naHVzaA==\n-----END ENCRYPTED PRIVATE KEY-----",
                "encrypted",
            ),
        ] {
            let error = ClientCertificate::from_thumbprint(&"0".repeat(40), &pem.into()).expect_err(pem);
            assert!(
                error.is_configuration() && error.message.contains(says),
                "{error}"
            );
            assert!(!format!("{error:?}").contains("aHVz") && !error.message.contains("hush"));
        }
        let error = ClientCertificate::from_thumbprint("x", &"".into()).expect_err("no thumbprint");
        assert!(error.message.starts_with("CertificateThumbprint "), "{error}");
    }
}
