//! What a key may do.

use std::fmt;
use std::str::FromStr;

/// One thing a key may do. Whoever may write a noun may read it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Scope {
    /// `jobs:read`: see the job log.
    JobsRead,
    /// `jobs:write`: complete jobs, and see them.
    JobsWrite,
    /// `deliveries:read`: see what is and was owed to conversations.
    DeliveriesRead,
    /// `deliveries:write`: owe, cancel, hold back and retry deliveries, pause and resume them, and see them.
    DeliveriesWrite,
    /// `keys:read`: see which keys there are.
    KeysRead,
    /// `keys:write`: make and revoke keys, and see them.
    KeysWrite,
    /// `audit:read`: see what was changed with keys.
    AuditRead,
    /// `metrics:read`: see what the server counts.
    MetricsRead,
}

/// A text that names no scope; the message lists those there are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no scope: the scopes are {list}", list = Scope::list())]
pub struct UnknownScope(String);

impl Scope {
    /// Every scope there is.
    pub const ALL: [Scope; 8] = [
        Scope::JobsRead,
        Scope::JobsWrite,
        Scope::DeliveriesRead,
        Scope::DeliveriesWrite,
        Scope::KeysRead,
        Scope::KeysWrite,
        Scope::AuditRead,
        Scope::MetricsRead,
    ];

    /// The scope as the API, the command line and the database spell it: `jobs:write`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::JobsRead => "jobs:read",
            Scope::JobsWrite => "jobs:write",
            Scope::DeliveriesRead => "deliveries:read",
            Scope::DeliveriesWrite => "deliveries:write",
            Scope::KeysRead => "keys:read",
            Scope::KeysWrite => "keys:write",
            Scope::AuditRead => "audit:read",
            Scope::MetricsRead => "metrics:read",
        }
    }

    /// Whether a key with this scope may do what `wanted` asks for.
    #[must_use]
    pub fn allows(self, wanted: Scope) -> bool {
        self == wanted
            || matches!(
                (self, wanted),
                (Scope::JobsWrite, Scope::JobsRead)
                    | (Scope::DeliveriesWrite, Scope::DeliveriesRead)
                    | (Scope::KeysWrite, Scope::KeysRead)
            )
    }

    /// Whether using it is put on record.
    pub(crate) fn writes(self) -> bool {
        matches!(self, Scope::JobsWrite | Scope::DeliveriesWrite | Scope::KeysWrite)
    }

    fn list() -> String {
        Scope::ALL.map(Scope::as_str).join(", ")
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        Scope::ALL
            .into_iter()
            .find(|scope| scope.as_str() == text)
            .ok_or_else(|| UnknownScope(text.chars().take(40).collect()))
    }
}

/// Scopes in the order of [`Scope::ALL`], each once, with single spaces between: as the database keeps them.
pub(crate) fn to_row(scopes: &[Scope]) -> String {
    let texts: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
    texts.join(" ")
}

/// The reverse of [`to_row`]. A scope that this version does not know gives nothing, so it is left out.
pub(crate) fn from_row(text: &str) -> Vec<Scope> {
    text.split(' ').filter_map(|scope| scope.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writing_implies_reading_of_the_same_noun_only() {
        for held in Scope::ALL {
            let allowed: Vec<Scope> = Scope::ALL
                .into_iter()
                .filter(|wanted| held.allows(*wanted))
                .collect();
            let expected = match held {
                Scope::JobsWrite => vec![Scope::JobsRead, Scope::JobsWrite],
                Scope::DeliveriesWrite => vec![Scope::DeliveriesRead, Scope::DeliveriesWrite],
                Scope::KeysWrite => vec![Scope::KeysRead, Scope::KeysWrite],
                other => vec![other],
            };
            assert_eq!(allowed, expected, "{held}");
        }
    }

    #[test]
    fn an_unknown_scope_is_answered_with_all_there_are() {
        assert_eq!("jobs:write".parse(), Ok(Scope::JobsWrite));
        for text in ["jobs", "jobs:Write", "", "jobs:write ", &"x".repeat(1000)] {
            let error = text.parse::<Scope>().unwrap_err().to_string();
            assert!(
                error.ends_with(
                    "the scopes are jobs:read, jobs:write, deliveries:read, deliveries:write, keys:read, keys:write, \
                     audit:read, metrics:read"
                ),
                "{error}"
            );
            assert!(error.len() < 200, "{error}");
        }
    }

    #[test]
    fn rows_come_back_and_unknown_scopes_give_nothing() {
        assert_eq!(from_row(&to_row(&Scope::ALL)), Scope::ALL);
        assert_eq!(from_row("jobs:read jobs:delete"), [Scope::JobsRead]);
        assert_eq!(from_row(""), []);
    }
}
