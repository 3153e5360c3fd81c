//! Who sent an activity, as far as it was proven.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Who delivered an activity, as the host proved it from the request.
///
/// In local mode nobody is asked and the identity is [anonymous](Identity::anonymous).
///
/// It is kept beside what outlives the turn, as JSON: a turn that was acknowledged, a
/// [`Conversation`](crate::Conversation) to come back to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    claims: Option<Arc<BTreeMap<String, String>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    caller_id: Option<Arc<str>>,
}

impl Identity {
    /// Nobody was asked: no claims.
    pub const fn anonymous() -> Self {
        Self {
            claims: None,
            caller_id: None,
        }
    }

    /// An identity with the claims of a verified token.
    pub fn verified(claims: BTreeMap<String, String>) -> Self {
        Self {
            claims: Some(Arc::new(claims)),
            caller_id: None,
        }
    }

    /// The same identity with the `callerId` that the host derived for the activity
    /// (for example `urn:botframework:azure`).
    #[must_use]
    pub fn with_caller_id(mut self, caller_id: &str) -> Self {
        self.caller_id = Some(caller_id.into());
        self
    }

    /// Whether this is nobody in particular.
    pub fn is_anonymous(&self) -> bool {
        *self == Self::anonymous()
    }

    /// Another bot that calls this one through the Emulator while nobody is asked for tokens (protocol section 3.1):
    /// it is known as a skill's caller, and nothing is proven.
    pub fn anonymous_skill() -> Self {
        Self::verified(BTreeMap::from([(
            "appid".to_owned(),
            "AnonymousSkill".to_owned(),
        )]))
    }

    /// Whether a token was verified: it was meant for this bot (`aud`).
    pub fn is_verified(&self) -> bool {
        self.claim("aud").is_some()
    }

    /// One claim of the verified token, such as `aud`.
    pub fn claim(&self, name: &str) -> Option<&str> {
        self.claims.as_ref()?.get(name).map(String::as_str)
    }

    /// Whom a token for the way back is for: `None` for the channel, which is the usual case; the app id of the
    /// other bot when the verified caller is one, as the parent that calls this bot as its skill (protocol
    /// section 3.4).
    ///
    /// Such a caller's token names another app (`appid`, or `azp` in version 2.0) than the one it is meant for
    /// (`aud`). A channel's token names none, and the Emulator's names the bot itself.
    pub fn audience(&self) -> Option<&str> {
        let meant_for = bare_app_id(self.claim("aud")?);
        let caller = match self.claim("ver") {
            Some("2.0") => self.claim("azp").or_else(|| self.claim("appid")),
            _ => self.claim("appid").or_else(|| self.claim("azp")),
        }?;
        (!caller.is_empty() && !bare_app_id(caller).eq_ignore_ascii_case(meant_for)).then_some(caller)
    }

    /// The JSON to keep; `None` when there is nothing to keep.
    ///
    /// # Errors
    /// None in practice: strings can always be written.
    pub fn to_json(&self) -> Result<Option<String>, serde_json::Error> {
        if self.is_anonymous() {
            return Ok(None);
        }
        serde_json::to_string(self).map(Some)
    }

    /// What [`to_json`](Self::to_json) kept; anonymous when it kept nothing.
    ///
    /// # Errors
    /// When `json` is no identity.
    pub fn from_json(json: Option<&str>) -> Result<Self, serde_json::Error> {
        json.map_or(Ok(Self::anonymous()), serde_json::from_str)
    }

    /// The `callerId` that the activity gets for the turn. What the wire said is discarded (Activity spec
    /// A2251).
    pub fn caller_id(&self) -> Option<&str> {
        self.caller_id.as_deref()
    }
}

/// An app id without the scheme that newer tokens put before it.
fn bare_app_id(audience: &str) -> &str {
    audience
        .strip_prefix("api://botid-")
        .or_else(|| audience.strip_prefix("api://"))
        .unwrap_or(audience)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(claims: &[(&str, &str)]) -> Identity {
        let owned = claims
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Identity::verified(owned.collect())
    }

    #[test]
    fn only_another_bot_is_an_audience() {
        assert_eq!(Identity::anonymous().audience(), None);
        assert_eq!(with(&[("aud", "bot")]).audience(), None, "a channel");
        for own in ["bot", "BOT", "api://bot", "api://botid-bot"] {
            assert_eq!(
                with(&[("aud", own), ("appid", "bot"), ("ver", "1.0")]).audience(),
                None
            );
            assert_eq!(
                with(&[("aud", own), ("azp", "bot"), ("ver", "2.0")]).audience(),
                None
            );
            assert_eq!(
                with(&[("aud", own), ("azp", "parent"), ("ver", "2.0")]).audience(),
                Some("parent")
            );
            assert_eq!(
                with(&[("aud", own), ("appid", "parent"), ("ver", "1.0")]).audience(),
                Some("parent")
            );
        }
        assert_eq!(
            with(&[("appid", "AnonymousSkill")]).audience(),
            None,
            "nobody was proven"
        );
        assert_eq!(with(&[("aud", "bot"), ("appid", "")]).audience(), None);
    }

    #[test]
    fn an_identity_is_the_same_after_it_was_kept() {
        let skill =
            with(&[("aud", "bot"), ("azp", "parent")]).with_caller_id("urn:botframework:aadappid:parent");
        for identity in [Identity::anonymous(), with(&[("aud", "bot")]), with(&[]), skill] {
            let json = identity.to_json().unwrap();
            assert_eq!(Identity::from_json(json.as_deref()).unwrap(), identity);
        }
        assert_eq!(
            Identity::anonymous().to_json().unwrap(),
            None,
            "nothing is paid for nobody"
        );
        assert!(Identity::from_json(Some("7")).is_err());
    }

    #[test]
    fn claims_are_found_by_name() {
        let identity = Identity::verified(BTreeMap::from([("aud".to_owned(), "app".to_owned())]));
        assert!(identity.is_verified());
        assert_eq!(identity.claim("aud"), Some("app"));
        assert_eq!(identity.claim("azp"), None);
        assert!(!Identity::anonymous().is_verified());
    }
}
