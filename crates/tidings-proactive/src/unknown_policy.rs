//! What becomes of a delivery when nobody knows whether it arrived.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What to do when an attempt ended and nobody knows whether the channel took it. Chosen for each delivery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownPolicy {
    /// Send it again: it arrives, perhaps twice.
    #[default]
    AtLeastOnce,
    /// Do not send it again: it arrives once or not at all, and ends as `unknown`.
    AtMostOnce,
    /// Send it again where the channel recognises a repeat by the delivery's id. Only some channels can.
    Reconcile,
}

impl UnknownPolicy {
    /// Every policy.
    pub const ALL: [UnknownPolicy; 3] = [
        UnknownPolicy::AtLeastOnce,
        UnknownPolicy::AtMostOnce,
        UnknownPolicy::Reconcile,
    ];

    /// The policy as the database and the API spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            UnknownPolicy::AtLeastOnce => "at_least_once",
            UnknownPolicy::AtMostOnce => "at_most_once",
            UnknownPolicy::Reconcile => "reconcile",
        }
    }

    /// The policy as a sentence for people.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            UnknownPolicy::AtLeastOnce => "If nobody knows whether it arrived, it is sent again.",
            UnknownPolicy::AtMostOnce => "If nobody knows whether it arrived, it is not sent again.",
            UnknownPolicy::Reconcile => {
                "If nobody knows whether it arrived, it is sent again, and the channel drops the repeat."
            }
        }
    }

    /// The policy spelled so by [`as_str`](Self::as_str), `None` if none is.
    #[must_use]
    pub fn from_row(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.as_str() == text)
    }
}

impl fmt::Display for UnknownPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_read_back_as_they_are_spelled_in_rows_and_in_json() {
        for policy in UnknownPolicy::ALL {
            assert_eq!(UnknownPolicy::from_row(policy.as_str()), Some(policy));
            let json = serde_json::to_string(&policy).unwrap();
            assert_eq!(json, format!("\"{policy}\""));
            assert!(policy.sentence().ends_with('.'));
        }
        assert_eq!(UnknownPolicy::from_row("exactly_once"), None);
    }
}
