//! Why a request was not let in.

use std::fmt;
use std::time::Duration;

use http::StatusCode;

/// What was wrong with a request, one name for each way to be wrong (protocol, sections 3.1 and 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum RefusalReason {
    /// There is no Authorization header, or it is blank.
    MissingHeader,
    /// There is more than one Authorization header.
    SeveralHeaders,
    /// The header is not a scheme and a token with one space between them.
    MalformedHeader,
    /// The scheme is not `Bearer`, written exactly so.
    WrongScheme,
    /// The token is longer than [`MAX_TOKEN_BYTES`](crate::jwt::MAX_TOKEN_BYTES).
    TokenTooLong,
    /// The token is no signed JWT, or one of its claims has a type that it must not have.
    MalformedToken,
    /// The token is signed with another algorithm than RS256, or not at all.
    UnsupportedAlgorithm,
    /// The token has no issuer, or one from whom no token is accepted.
    WrongIssuer,
    /// The token does not say whom it is for.
    NoAudience,
    /// The token is for somebody else.
    WrongAudience,
    /// The token does not say when it expires.
    NoExpiry,
    /// The token expired longer ago than clocks may differ.
    Expired,
    /// The token becomes valid later than clocks may differ.
    NotYetValid,
    /// The token's tenant is not the one of its issuer.
    WrongTenant,
    /// The token's `ver` is neither 1.0 nor 2.0.
    UnsupportedVersion,
    /// An Emulator's token that does not say which app it was given to.
    NoAppId,
    /// An Emulator's token that was given to another app than this bot.
    WrongAppId,
    /// The activity of a channel has no channelId, so no key can be endorsed for it.
    NoChannelId,
    /// The activity of a channel has no serviceUrl, so nothing proves where replies may go.
    NoServiceUrl,
    /// A channel's token without the claim `serviceurl`.
    NoServiceUrlClaim,
    /// A channel's token for another serviceUrl than the activity's.
    WrongServiceUrl,
    /// The token does not name the key that signed it.
    NoKeyId,
    /// The token names a key that its issuer does not publish.
    UnknownKey,
    /// The signature is not that of the key which the token names.
    BadSignature,
    /// The key that signed a channel's token is not endorsed for the activity's channel.
    NotEndorsed,
    /// The token of another bot that is not among the allowed callers.
    CallerNotAllowed,
    /// The keys could not be had: it says nothing about the token, so it is worth another try.
    KeysUnavailable,
}

impl RefusalReason {
    /// All of them.
    pub const ALL: [Self; 27] = [
        Self::MissingHeader,
        Self::SeveralHeaders,
        Self::MalformedHeader,
        Self::WrongScheme,
        Self::TokenTooLong,
        Self::MalformedToken,
        Self::UnsupportedAlgorithm,
        Self::WrongIssuer,
        Self::NoAudience,
        Self::WrongAudience,
        Self::NoExpiry,
        Self::Expired,
        Self::NotYetValid,
        Self::WrongTenant,
        Self::UnsupportedVersion,
        Self::NoAppId,
        Self::WrongAppId,
        Self::NoChannelId,
        Self::NoServiceUrl,
        Self::NoServiceUrlClaim,
        Self::WrongServiceUrl,
        Self::NoKeyId,
        Self::UnknownKey,
        Self::BadSignature,
        Self::NotEndorsed,
        Self::CallerNotAllowed,
        Self::KeysUnavailable,
    ];

    /// A name for metrics and log fields.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MissingHeader => "missing_header",
            Self::SeveralHeaders => "several_headers",
            Self::MalformedHeader => "malformed_header",
            Self::WrongScheme => "wrong_scheme",
            Self::TokenTooLong => "token_too_long",
            Self::MalformedToken => "malformed_token",
            Self::UnsupportedAlgorithm => "unsupported_algorithm",
            Self::WrongIssuer => "wrong_issuer",
            Self::NoAudience => "no_audience",
            Self::WrongAudience => "wrong_audience",
            Self::NoExpiry => "no_expiry",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::WrongTenant => "wrong_tenant",
            Self::UnsupportedVersion => "unsupported_version",
            Self::NoAppId => "no_app_id",
            Self::WrongAppId => "wrong_app_id",
            Self::NoChannelId => "no_channel_id",
            Self::NoServiceUrl => "no_service_url",
            Self::NoServiceUrlClaim => "no_service_url_claim",
            Self::WrongServiceUrl => "wrong_service_url",
            Self::NoKeyId => "no_key_id",
            Self::UnknownKey => "unknown_key",
            Self::BadSignature => "bad_signature",
            Self::NotEndorsed => "not_endorsed",
            Self::CallerNotAllowed => "caller_not_allowed",
            Self::KeysUnavailable => "keys_unavailable",
        }
    }

    /// The HTTP status of the answer: 401, and 503 if the keys could not be had.
    ///
    /// A key without endorsement is 401 too: so do the SDKs, though their documents say 403 (protocol, 3.1).
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::KeysUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::UNAUTHORIZED,
        }
    }

    /// What is wrong and what to do about it.
    const fn message(self) -> &'static str {
        match self {
            Self::MissingHeader => {
                "there is no Authorization header; send `Authorization: Bearer <token>`, or run the bot without an \
                 app id if it is to be tried without tokens"
            }
            Self::SeveralHeaders => "there are several Authorization headers; send one",
            Self::MalformedHeader => {
                "the Authorization header is not `Bearer <token>` with one space and one token"
            }
            Self::WrongScheme => "the Authorization header's scheme is not `Bearer`, in this spelling",
            Self::TokenTooLong => "the token is longer than 16384 bytes; no issuer writes such a token",
            Self::MalformedToken => {
                "the token is not a signed JWT whose claims have the types they should have"
            }
            Self::UnsupportedAlgorithm => {
                "the token is not signed with RS256, the one algorithm that is accepted"
            }
            Self::WrongIssuer => {
                "the token's issuer is not one from whom this bot accepts tokens; check ChannelService, and for a \
                 single-tenant bot MicrosoftAppTenantId"
            }
            Self::NoAudience => "the token has no `aud`; it must be this bot's app id",
            Self::WrongAudience => {
                "the token's `aud` is not this bot's app id; compare MicrosoftAppId with the bot's registration"
            }
            Self::NoExpiry => "the token has no `exp`; ask for a token that expires",
            Self::Expired => "the token has expired; ask for a new one, and check this machine's clock",
            Self::NotYetValid => "the token is not valid yet; check this machine's clock",
            Self::WrongTenant => "the token's `tid` is not the tenant of its issuer",
            Self::UnsupportedVersion => "the token's `ver` is neither 1.0 nor 2.0",
            Self::NoAppId => {
                "the token does not name the app it was given to (`appid`, or `azp` in version 2.0)"
            }
            Self::WrongAppId => {
                "the token was given to another app than this bot; give the Emulator the bot's own app id and password"
            }
            Self::NoChannelId => "the activity has no channelId; a channel must name itself",
            Self::NoServiceUrl => "the activity has no serviceUrl; a channel must say where it takes replies",
            Self::NoServiceUrlClaim => {
                "the channel's token has no `serviceurl`; it must be the activity's serviceUrl"
            }
            Self::WrongServiceUrl => "the token's `serviceurl` is not the activity's serviceUrl",
            Self::NoKeyId => "the token's header has no `kid`; it must name the key that signed it",
            Self::UnknownKey => {
                "the token names a key that its issuer does not publish; check the metadata URLs if it comes from there"
            }
            Self::BadSignature => "the token's signature is not that of the key which it names",
            Self::NotEndorsed => "the key that signed the token is not endorsed for the activity's channelId",
            Self::CallerNotAllowed => {
                "the calling bot is not among the allowed callers; add its app id to them if it may call this bot"
            }
            Self::KeysUnavailable => "the issuer's keys could not be had; try again soon",
        }
    }
}

impl fmt::Display for RefusalReason {
    /// As [`as_str`](Self::as_str).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A request that was not let in.
///
/// `Display` says what is wrong and what to do about it. Nothing of the token is in it, nor in `Debug`: it may be
/// logged, and it may be the answer's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    reason: RefusalReason,
    detail: Option<String>,
}

impl Refusal {
    /// What was wrong.
    #[must_use]
    pub const fn reason(&self) -> RefusalReason {
        self.reason
    }

    /// The HTTP status of the answer: see [`RefusalReason::status`].
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.reason.status()
    }

    /// How soon another try may succeed, for `Retry-After`. Only if the status is 503.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        (self.reason == RefusalReason::KeysUnavailable).then_some(super::RETRY_FLOOR)
    }

    /// `detail` is ours, never the token's.
    pub(super) fn with_detail(reason: RefusalReason, detail: String) -> Self {
        Self {
            reason,
            detail: Some(detail),
        }
    }
}

impl From<RefusalReason> for Refusal {
    fn from(reason: RefusalReason) -> Self {
        Self { reason, detail: None }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason.message())?;
        match &self.detail {
            Some(detail) => write!(f, " ({detail})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_reason_has_its_place_name_and_words() {
        for (place, reason) in RefusalReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, place, "{reason}");
            assert!(!Refusal::from(reason).to_string().is_empty());
        }
        let names: HashSet<_> = RefusalReason::ALL.iter().map(|reason| reason.as_str()).collect();
        assert_eq!(names.len(), RefusalReason::ALL.len());
    }

    #[test]
    fn only_missing_keys_are_worth_another_try() {
        for reason in RefusalReason::ALL {
            let is_temporary = reason == RefusalReason::KeysUnavailable;
            let refusal = Refusal::from(reason);
            assert_eq!(refusal.status().as_u16(), if is_temporary { 503 } else { 401 });
            assert_eq!(refusal.retry_after().is_some(), is_temporary);
        }
    }

    #[test]
    fn the_message_names_the_limit() {
        let message = Refusal::from(RefusalReason::TokenTooLong).to_string();
        assert!(message.contains(&super::super::MAX_TOKEN_BYTES.to_string()));
    }
}
