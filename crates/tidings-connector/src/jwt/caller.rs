//! Who was let in.

use std::collections::BTreeMap;
use std::fmt;

/// What sort of caller a token was given to (protocol, 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CallerKind {
    /// A channel, through the Bot Framework's service.
    Channel,
    /// The Emulator, or whoever else has the bot's own password.
    Emulator,
    /// Another bot, to which this one is a skill.
    Skill,
}

impl CallerKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Channel, Self::Emulator, Self::Skill];

    /// A name for metrics and log fields.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Channel => "channel",
            Self::Emulator => "emulator",
            Self::Skill => "skill",
        }
    }
}

impl fmt::Display for CallerKind {
    /// As [`as_str`](Self::as_str).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whose token was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Caller {
    /// What sort of caller it is.
    pub kind: CallerKind,
    /// Of the token's claims, those that are worth keeping and are there: `aud`, `azp`, `appid`, `iss`, `tid`, `ver`,
    /// `idtyp`, `serviceurl`.
    pub claims: BTreeMap<String, String>,
    /// The activity's `callerId`, in place of what the wire said (Activity specification A2251): the cloud's for a
    /// channel, `urn:botframework:aadappid:` and its app id for another bot, none for the Emulator.
    pub caller_id: Option<String>,
}

impl Caller {
    /// The app id of the bot that calls, which is the audience of tokens for it. `None` for channels and the
    /// Emulator.
    #[must_use]
    pub fn parent_app_id(&self) -> Option<&str> {
        if self.kind != CallerKind::Skill {
            return None;
        }
        let claim = if self.claims.get("ver").is_some_and(|version| version == "2.0") {
            "azp"
        } else {
            "appid"
        };
        self.claims.get(claim).map(String::as_str)
    }
}
