//! What the channels can do for a bot that speaks first.

use tidings_activity::channel;

/// Whether a message reaches a user who has not just written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SpeakFirst {
    /// At any time.
    Yes,
    /// Only under a condition.
    If(&'static str),
    /// Never.
    No(&'static str),
}

use SpeakFirst::{If, No, Yes};

/// One channel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Capability {
    pub(super) channel_id: &'static str,
    pub(super) speak_first: SpeakFirst,
    /// Whether a bot can begin a conversation there (`POST /v3/conversations`).
    pub(super) creates_conversations: bool,
}

const fn row(channel_id: &'static str, speak_first: SpeakFirst, creates_conversations: bool) -> Capability {
    Capability {
        channel_id,
        speak_first,
        creates_conversations,
    }
}

const CONNECTED: &str = "the client is connected, or comes back to the same conversation";
const ANSWERS_ONLY: &str = "it only carries answers to what was just asked";

/// Protocol, sections 2, 4 and 9.
pub(super) const CHANNELS: &[Capability] = &[
    row(channel::MSTEAMS, Yes, true),
    row(channel::SLACK, Yes, true),
    row(channel::TELEGRAM, If("the user has not blocked the bot"), false),
    row(channel::EMAIL, Yes, true),
    row(channel::OUTLOOK, Yes, true),
    row(channel::SMS, Yes, true),
    row(channel::TWILIO_SMS, Yes, true),
    row(channel::GROUPME, Yes, false),
    row(channel::LINE, Yes, false),
    row(channel::KIK, Yes, false),
    row(channel::SKYPE, Yes, false),
    row(channel::SKYPE_FOR_BUSINESS, Yes, false),
    row(
        channel::FACEBOOK,
        If("the user has written within 24 hours, or the message has a tag that Messenger approved"),
        false,
    ),
    row(channel::DIRECTLINE, If(CONNECTED), false),
    row(channel::WEBCHAT, If(CONNECTED), false),
    row(channel::DIRECTLINE_SPEECH, If(CONNECTED), false),
    row(
        channel::EMULATOR,
        If("the Emulator still has the conversation open"),
        false,
    ),
    row(
        channel::OMNICHANNEL,
        If("the customer's session is still open"),
        false,
    ),
    row(channel::TEST, Yes, false),
    row(channel::ALEXA, No(ANSWERS_ONLY), false),
    row(channel::CORTANA, No(ANSWERS_ONLY), false),
    row(
        channel::TELEPHONY,
        No("there is nobody on the line once the call has ended"),
        false,
    ),
    row(channel::MCP, No(ANSWERS_ONLY), false),
];

pub(super) fn of(channel_id: &str) -> Option<&'static Capability> {
    CHANNELS
        .iter()
        .find(|capability| capability.channel_id.eq_ignore_ascii_case(channel_id))
}
