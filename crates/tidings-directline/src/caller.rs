//! Who calls: the holder of the secret, or of a token for one conversation.

use http::{HeaderMap, header};
use secrecy::ExposeSecret as _;
use subtle::ConstantTimeEq as _;
use tidings_activity::ChannelAccount;

use crate::channel::Channel;
use crate::refusal::Refusal;
use crate::token::Claims;

/// A client that may be here.
#[derive(Debug)]
pub(crate) enum Caller {
    /// It has the secret; or there is none, and it said nothing (local mode). Every conversation is open to
    /// it.
    Trusted,
    /// It has a token, good for one conversation.
    Token(Claims),
}

impl Caller {
    /// Reads `Authorization`.
    pub(crate) fn authenticate(channel: &Channel, headers: &HeaderMap) -> Result<Self, Refusal> {
        let secret = channel.options.secret.as_ref();
        let Some(authorization) = headers.get(header::AUTHORIZATION) else {
            return match secret {
                None => Ok(Self::Trusted),
                Some(_) => Err(Refusal::unauthorized(
                    "'Authorization: Bearer <secret or token>' is missing",
                )),
            };
        };
        let (scheme, credential) = authorization
            .to_str()
            .ok()
            .and_then(|value| value.trim().split_once(' '))
            .ok_or_else(|| {
                Refusal::unauthorized("'Authorization' is not of the form 'Bearer <secret or token>'")
            })?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Refusal::unauthorized(
                "'Authorization' is not of the form 'Bearer <secret or token>'",
            ));
        }
        let credential = credential.trim();
        if secret
            .is_some_and(|secret| bool::from(secret.expose_secret().as_bytes().ct_eq(credential.as_bytes())))
        {
            return Ok(Self::Trusted);
        }
        channel
            .tokens
            .read_bearer(credential, channel.now())
            .map(Self::Token)
    }

    /// As [`authenticate`](Self::authenticate), for one conversation: 403 for the token of another one.
    pub(crate) fn for_conversation(
        channel: &Channel,
        headers: &HeaderMap,
        id: &str,
    ) -> Result<Self, Refusal> {
        let caller = Self::authenticate(channel, headers)?;
        match &caller {
            Self::Token(claims) if claims.conv != id => {
                Err(Refusal::forbidden("The token is for another conversation"))
            }
            _ => Ok(caller),
        }
    }

    /// The user that the token names.
    pub(crate) fn user(&self) -> Option<ChannelAccount> {
        match self {
            Self::Trusted => None,
            Self::Token(claims) => claims.account(),
        }
    }

    /// Whether this caller may speak as a user id that its token does not name.
    pub(crate) fn may_claim(&self, user_id: &str) -> bool {
        matches!(self, Self::Trusted) || !user_id.starts_with("dl_")
    }
}
