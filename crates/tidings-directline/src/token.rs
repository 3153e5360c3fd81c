//! Direct Line tokens: JWTs with `user`, `conv` and `exp`, signed by this server for itself.
//!
//! HS256 with one random key kept in the database, so that a token survives a restart and dies with its
//! database. Expiry is judged by the passed-in clock. Two kinds never stand in for each other: a bearer
//! token, and the token inside a stream URL, which carries `purpose`.

use std::time::Duration;

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};
use tidings_activity::ChannelAccount;

use crate::refusal::Refusal;

const ISSUER: &str = "tidings-directline";
const STREAM: &str = "stream";

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// The only conversation it opens.
    pub(crate) conv: String,
    /// The user who speaks with it, whatever `from.id` says. DirectLineJS reads it too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    /// That user's display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    nbf: i64,
    exp: i64,
    iss: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    purpose: Option<String>,
}

impl Claims {
    /// The user the token names, as an account.
    pub(crate) fn account(&self) -> Option<ChannelAccount> {
        let id = self.user.clone()?;
        Some(ChannelAccount {
            id: Some(id),
            name: self.name.clone(),
            ..ChannelAccount::default()
        })
    }
}

/// Signs and reads tokens.
pub(crate) struct TokenSigner {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
}

impl TokenSigner {
    pub(crate) fn new(key: &[u8]) -> Self {
        // Only one provider is compiled in here, but a dependent's features may add the other, and then the
        // choice must be made.
        let _already_chosen = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.set_required_spec_claims(&["exp", "iss"]);
        validation.set_issuer(&[ISSUER]);
        Self {
            encoding: EncodingKey::from_secret(key),
            decoding: DecodingKey::from_secret(key),
            validation,
        }
    }

    /// A bearer token for one conversation.
    pub(crate) fn bearer(
        &self,
        conversation: &str,
        user: Option<&ChannelAccount>,
        now: Timestamp,
        life: Duration,
    ) -> Result<String, Refusal> {
        let user_id = user.and_then(|user| user.id.clone());
        let name = user.and_then(|user| user.name.clone());
        self.sign(conversation, user_id, name, None, now, life)
    }

    /// The token inside a stream URL.
    pub(crate) fn stream(
        &self,
        conversation: &str,
        now: Timestamp,
        life: Duration,
    ) -> Result<String, Refusal> {
        self.sign(conversation, None, None, Some(STREAM.to_owned()), now, life)
    }

    /// Reads a bearer token: 403 `TokenExpired` for an old one, 403 `NotAllowed` for anything that is not
    /// ours.
    pub(crate) fn read_bearer(&self, token: &str, now: Timestamp) -> Result<Claims, Refusal> {
        let claims = self.read(token, now)?;
        match claims.purpose {
            None => Ok(claims),
            Some(_) => Err(Refusal::forbidden(
                "The token of a stream URL opens only that stream",
            )),
        }
    }

    /// Reads the token of a stream URL.
    pub(crate) fn read_stream(&self, token: &str, now: Timestamp) -> Result<Claims, Refusal> {
        let claims = self.read(token, now)?;
        match claims.purpose.as_deref() {
            Some(STREAM) => Ok(claims),
            _ => Err(Refusal::forbidden(
                "'t' is not the token of a stream URL: ask for one with GET /conversations/{id}",
            )),
        }
    }

    fn read(&self, token: &str, now: Timestamp) -> Result<Claims, Refusal> {
        let claims = decode::<Claims>(token, &self.decoding, &self.validation)
            .map_err(|_| Refusal::forbidden("The token is not one that this server made"))?
            .claims;
        if now.as_second() >= claims.exp {
            return Err(Refusal::token_expired());
        }
        Ok(claims)
    }

    fn sign(
        &self,
        conversation: &str,
        user: Option<String>,
        name: Option<String>,
        purpose: Option<String>,
        now: Timestamp,
        life: Duration,
    ) -> Result<String, Refusal> {
        let nbf = now.as_second();
        let exp = nbf.saturating_add(i64::try_from(life.as_secs()).unwrap_or(i64::MAX));
        let claims = Claims {
            conv: conversation.to_owned(),
            user,
            name,
            nbf,
            exp,
            iss: ISSUER.to_owned(),
            purpose,
        };
        encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)
            .map_err(|error| Refusal::internal(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: Duration = Duration::from_secs(1_800);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn signer() -> TokenSigner {
        TokenSigner::new(&[7; 32])
    }

    #[test]
    fn a_token_says_who_and_where_until_it_expires() {
        let token = signer()
            .bearer("c", Some(&ChannelAccount::new("dl_ann", "Ann")), at(1_000), LIFE)
            .unwrap();
        let claims = signer().read_bearer(&token, at(2_799)).unwrap();
        assert_eq!(
            (claims.conv.as_str(), claims.user.as_deref()),
            ("c", Some("dl_ann"))
        );
        assert_eq!(claims.account().unwrap().name.as_deref(), Some("Ann"));
        assert_eq!(
            signer().read_bearer(&token, at(2_800)).unwrap_err().code(),
            "TokenExpired"
        );
    }

    #[test]
    fn a_foreign_or_altered_token_is_refused() {
        let token = signer().bearer("c", None, at(1_000), LIFE).unwrap();
        assert_eq!(
            TokenSigner::new(&[8; 32])
                .read_bearer(&token, at(1_000))
                .unwrap_err()
                .code(),
            "NotAllowed"
        );
        let mut parts: Vec<_> = token.split('.').collect();
        let other = signer().bearer("d", None, at(1_000), LIFE).unwrap();
        parts[1] = other.split('.').nth(1).unwrap();
        for wrong in [
            parts.join("."),
            String::new(),
            "a.b.c".to_owned(),
            token.replacen('e', "f", 1),
        ] {
            assert_eq!(
                signer().read_bearer(&wrong, at(1_000)).unwrap_err().code(),
                "NotAllowed"
            );
        }
    }

    #[test]
    fn an_unsigned_token_is_refused() {
        use base64::Engine as _;
        use base64::engine::general_purpose::URL_SAFE_NO_PAD;
        let token = signer().bearer("c", None, at(1_000), LIFE).unwrap();
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
        let unsigned = format!("{header}.{}.", token.split('.').nth(1).unwrap());
        assert_eq!(
            signer().read_bearer(&unsigned, at(1_000)).unwrap_err().code(),
            "NotAllowed"
        );
    }

    #[test]
    fn the_two_kinds_do_not_stand_in_for_each_other() {
        let bearer = signer().bearer("c", None, at(0), LIFE).unwrap();
        let stream = signer().stream("c", at(0), Duration::from_secs(60)).unwrap();
        assert_eq!(
            signer().read_stream(&bearer, at(0)).unwrap_err().code(),
            "NotAllowed"
        );
        assert_eq!(
            signer().read_bearer(&stream, at(0)).unwrap_err().code(),
            "NotAllowed"
        );
        assert_eq!(signer().read_stream(&stream, at(59)).unwrap().conv, "c");
        assert_eq!(
            signer().read_stream(&stream, at(60)).unwrap_err().code(),
            "TokenExpired"
        );
    }
}
