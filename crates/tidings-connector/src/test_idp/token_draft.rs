//! Tokens, good and bad.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use serde_json::{Map, Value, json};

use super::{CHANNEL_KID, DIRECTORY_KID, TestKey};

const TENANT: &str = "d6d49420-f39b-4df7-a1dc-d59a935871db";

/// How a token is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signing {
    Rs256,
    Rs384,
    None,
    Hs256WithPublicKey,
}

/// A token that has not been signed yet: a good one, until something is changed.
#[derive(Clone, Debug)]
pub struct TokenDraft {
    header: Map<String, Value>,
    claims: Map<String, Value>,
    key: TestKey,
    signing: Signing,
    tampered: Map<String, Value>,
}

impl TokenDraft {
    /// A channel's token, of the public cloud.
    #[must_use]
    pub fn channel(app_id: &str, service_url: &str) -> Self {
        let claims = json!({
            "iss": "https://api.botframework.com",
            "aud": app_id,
            "serviceurl": service_url,
        });
        Self::new(TestKey::Channel, CHANNEL_KID, claims)
    }

    /// The Emulator's token, of version 1.0.
    #[must_use]
    pub fn emulator(app_id: &str) -> Self {
        let claims = json!({
            "iss": format!("https://sts.windows.net/{TENANT}/"),
            "aud": app_id,
            "appid": app_id,
            "tid": TENANT,
            "ver": "1.0",
        });
        Self::new(TestKey::Directory, DIRECTORY_KID, claims)
    }

    /// The Emulator's token, of version 2.0.
    #[must_use]
    pub fn emulator_v2(app_id: &str) -> Self {
        Self::emulator(app_id)
            .without("appid")
            .claim("iss", format!("https://login.microsoftonline.com/{TENANT}/v2.0"))
            .claim("azp", app_id)
            .claim("ver", "2.0")
    }

    /// The token with which the bot `caller` calls the bot `app_id`, of version 1.0.
    #[must_use]
    pub fn skill(app_id: &str, caller: &str) -> Self {
        Self::emulator(app_id)
            .claim("appid", caller)
            .claim("idtyp", "app")
    }

    /// The same of version 2.0.
    #[must_use]
    pub fn skill_v2(app_id: &str, caller: &str) -> Self {
        Self::emulator_v2(app_id)
            .claim("azp", caller)
            .claim("idtyp", "app")
    }

    fn new(key: TestKey, kid: &str, claims: Value) -> Self {
        let Value::Object(claims) = claims else {
            unreachable!("claims are an object")
        };
        let Value::Object(header) = json!({ "typ": "JWT", "alg": "RS256", "kid": kid, "x5t": kid }) else {
            unreachable!("a header is an object")
        };
        Self {
            header,
            claims,
            key,
            signing: Signing::Rs256,
            tampered: Map::new(),
        }
        .issued_at(SystemTime::now())
    }

    /// Valid from ten seconds before `now` until an hour after it.
    #[must_use]
    pub fn issued_at(self, now: SystemTime) -> Self {
        let seconds = now
            .duration_since(SystemTime::UNIX_EPOCH)
            .as_ref()
            .map_or(0, Duration::as_secs);
        self.claim("nbf", seconds.saturating_sub(10))
            .claim("iat", seconds.saturating_sub(10))
            .claim("exp", seconds + 3_600)
    }

    /// With this claim.
    #[must_use]
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    /// Without this claim.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// With this field in the header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.to_owned(), value.into());
        self
    }

    /// Says that it is signed with this key, whatever it is signed with.
    #[must_use]
    pub fn kid(self, kid: &str) -> Self {
        self.header("kid", kid)
    }

    /// Does not say what it is signed with.
    #[must_use]
    pub fn without_kid(mut self) -> Self {
        self.header.remove("kid");
        self
    }

    /// Signed with this key, whatever it says.
    #[must_use]
    pub fn signed_by(mut self, key: TestKey) -> Self {
        self.key = key;
        self
    }

    /// Not signed: `none`.
    #[must_use]
    pub fn unsigned(mut self) -> Self {
        self.signing = Signing::None;
        self.header("alg", "none")
    }

    /// Signed with HS256, with the public key for a secret.
    #[must_use]
    pub fn hs256_with_public_key(mut self) -> Self {
        self.signing = Signing::Hs256WithPublicKey;
        self.header("alg", "HS256")
    }

    /// Signed with RS384.
    #[must_use]
    pub fn rs384(mut self) -> Self {
        self.signing = Signing::Rs384;
        self.header("alg", "RS384")
    }

    /// With this claim, which is put there after it was signed.
    #[must_use]
    pub fn tampered(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.tampered.insert(name.to_owned(), value.into());
        self
    }

    /// The token.
    #[must_use]
    pub fn mint(&self) -> String {
        let header = part(&self.header);
        let message = format!("{header}.{}", part(&self.claims));
        let signature = match self.signing {
            Signing::Rs256 => self.key.sign(message.as_bytes()),
            Signing::Rs384 => self.key.rs384(message.as_bytes()),
            Signing::None => Vec::new(),
            Signing::Hs256WithPublicKey => self.key.hs256_with_public_key(message.as_bytes()),
        };
        let mut claims = self.claims.clone();
        claims.extend(self.tampered.clone());
        format!("{header}.{}.{}", part(&claims), base64url(&signature))
    }

    /// The headers of a request that has the token.
    ///
    /// # Panics
    ///
    /// Never: a token has no character that a header must not have.
    #[must_use]
    pub fn headers(&self) -> HeaderMap {
        let value = format!("Bearer {}", self.mint());
        let value = HeaderValue::from_str(&value).expect("a token has no strange characters");
        HeaderMap::from_iter([(AUTHORIZATION, value)])
    }
}

fn part(fields: &Map<String, Value>) -> String {
    base64url(Value::Object(fields.clone()).to_string().as_bytes())
}

/// A part of a token in the encoding that RFC 7515 asks for.
#[must_use]
pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
