//! Who sent an activity, as far as it was proven.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Who delivered an activity, as the host proved it from the request.
///
/// In local mode nobody is asked and the identity is [anonymous](Identity::anonymous).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    claims: Option<Arc<BTreeMap<String, String>>>,
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

    /// Whether a token was verified.
    pub fn is_verified(&self) -> bool {
        self.claims.is_some()
    }

    /// One claim of the verified token, such as `aud`.
    pub fn claim(&self, name: &str) -> Option<&str> {
        self.claims.as_ref()?.get(name).map(String::as_str)
    }

    /// The `callerId` that the activity gets for the turn. What the wire said is discarded (Activity spec
    /// A2251).
    pub fn caller_id(&self) -> Option<&str> {
        self.caller_id.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_found_by_name() {
        let identity = Identity::verified(BTreeMap::from([("aud".to_owned(), "app".to_owned())]));
        assert!(identity.is_verified());
        assert_eq!(identity.claim("aud"), Some("app"));
        assert_eq!(identity.claim("azp"), None);
        assert!(!Identity::anonymous().is_verified());
    }
}
