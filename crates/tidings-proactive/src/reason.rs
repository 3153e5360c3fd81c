//! Why a delivery ended without being delivered, and why a lane is closed: one word for programs, a sentence for people.

use std::fmt;

/// Declares an open set of reasons once: the variant, its word, its sentence.
macro_rules! reasons {
    ($(#[$about:meta])* $name:ident { $($variant:ident, $word:literal, $sentence:literal;)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $(#[doc = $sentence] $variant,)+
        }

        impl $name {
            /// Every reason.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The reason as the database and the API spell it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word,)+ }
            }

            /// The reason as a sentence for people.
            #[must_use]
            pub fn sentence(self) -> &'static str {
                match self { $($name::$variant => $sentence,)+ }
            }

            /// The reason spelled so by [`as_str`](Self::as_str), `None` if none is.
            #[must_use]
            pub fn from_row(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|reason| reason.as_str() == text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

reasons! {
    /// Why a delivery is dead.
    DeadReason {
        Rejected, "rejected", "The channel does not accept the activity, and would not if it were sent again.";
        NotFound, "not_found", "The activity that it updates, deletes or replies to is gone.";
        Unsupported, "unsupported", "The channel does not have this operation.";
        TooLarge, "too_large", "The activity is larger than the channel takes.";
        NotRegistered, "not_registered", "The app id is not registered as a bot.";
        WrongHost, "wrong_host", "The channel keeps this conversation on another host than its serviceUrl names.";
        HostRefused, "host_refused", "The serviceUrl of the reference is not one that is talked to.";
        Closed, "closed", "Sending it showed that the channel takes nothing more in the conversation.";
        Unreadable, "unreadable", "The stored reference or activity does not decode.";
        NoHandler, "no_handler", "The bot has no handler of that name.";
        HandlerFailed, "handler_failed", "The handler failed each time that it ran.";
        Poison, "poison", "Sending it ended the process or panicked each time, up to the last start it was allowed.";
    }
}

reasons! {
    /// Why a delivery was refused: it must not be delivered.
    RefusedReason {
        LaneClosed, "lane_closed", "The channel takes nothing more in the conversation.";
        NoConsent, "no_consent", "Nobody in the conversation agreed to be written to.";
        OptedOut, "opted_out", "The conversation asked not to be written to.";
        QuietHours, "quiet_hours", "It would come in the quiet hours, and may not wait for their end.";
        Busy, "busy", "The user was in the middle of something, and it may not wait.";
    }
}

reasons! {
    /// Why a lane is closed: what the channel answered when something was sent there.
    CloseReason {
        BlockedByUser, "blocked_by_user", "The user blocked the bot; it opens again when the user writes.";
        NotInRoster, "not_in_roster", "The bot was removed from the conversation; it opens again when the bot is added.";
        ConversationNotFound, "conversation_not_found", "The channel does not know the conversation.";
        DisabledByAdmin, "disabled_by_admin", "An administrator disabled the bot in the tenant.";
        Forbidden, "forbidden", "The bot may not write to the conversation.";
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn words_are_one_word_differ_and_read_back() {
        macro_rules! check {
            ($name:ident) => {
                let words: BTreeSet<_> = $name::ALL.iter().map(|reason| reason.as_str()).collect();
                assert_eq!(words.len(), $name::ALL.len());
                for reason in $name::ALL {
                    let word = reason.as_str();
                    assert!(
                        word.bytes()
                            .all(|byte| byte == b'_' || byte.is_ascii_lowercase()),
                        "{word}"
                    );
                    assert!(reason.sentence().ends_with('.'), "{word}");
                    assert_eq!($name::from_row(word), Some(*reason));
                }
                assert_eq!($name::from_row(""), None);
            };
        }
        check!(DeadReason);
        check!(RefusedReason);
        check!(CloseReason);
    }
}
