//! The command line of `tidings deliveries`, and the help that teaches it.

use clap::{ArgGroup, Args, Subcommand};
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};

use crate::arguments::Access;

pub(crate) const EXAMPLES: &str = "\
Examples:
  tidings deliveries list                            the newest 20
  tidings deliveries list --state dead,unknown       what went wrong
  tidings deliveries list --conversation 19:abc@thread --since 2h
  tidings deliveries show 17                         when it was accepted, what it waited for, what the channel said
  tidings deliveries tail                            changes as they happen, until Ctrl-C
  tidings deliveries retry 17 18                     dead or unknown ones, as new deliveries
  tidings deliveries cancel 19                       takes back what has not been sent
  tidings deliveries hold 20 --until 2h              keeps one back, and others of its conversation go past it
  tidings deliveries pause --channel msteams         sends nothing there until `resume --channel msteams`

States:
  scheduled held available sending retryable         on their way; `show` says what they wait for
  delivered                                          the channel took it
  dead                                               it cannot be delivered; `show` says why, `retry` owes it again
  unknown                                            it may have arrived, nobody knows, and its policy forbids to repeat it
  expired cancelled refused merged                   its time ran out; somebody took it back; it may not be sent; another says it

They ask a running server. One that asks for keys wants deliveries:read, or deliveries:write to change something.";

#[derive(Debug, Subcommand)]
pub(crate) enum DeliveriesCommand {
    /// List the newest deliveries, or those that fit
    List(List),
    /// Show one from its acceptance to its end: each wait and why, each attempt and what the channel said
    Show(Show),
    /// Owe dead or unknown ones again
    Retry(Retry),
    /// Take back what has not been sent
    Cancel(Cancel),
    /// Keep back what is ready or to be tried again; others of its conversation go past it
    Hold(Hold),
    /// Let go what is held, at its old place
    Release(Cancel),
    /// Follow what changes
    Tail(Tail),
    /// Send nothing more to a conversation, to a channel or at all; what is accepted waits
    Pause(PauseFlags),
    /// Go on with what was paused
    Resume(PauseFlags),
}

/// Which deliveries.
#[derive(Debug, Default, Args)]
pub(crate) struct Which {
    /// Only in these states, with commas between or repeated
    #[arg(long = "state", value_name = "STATE", value_delimiter = ',', value_parser = STATES)]
    pub(crate) states: Vec<String>,
    /// Only to this channel
    #[arg(long, value_name = "CHANNEL")]
    pub(crate) channel: Option<String>,
    /// Only to this conversation
    #[arg(long, value_name = "CONVERSATION")]
    pub(crate) conversation: Option<String>,
}

const STATES: [&str; 12] = [
    "scheduled",
    "held",
    "available",
    "sending",
    "retryable",
    "delivered",
    "dead",
    "expired",
    "cancelled",
    "refused",
    "merged",
    "unknown",
];

/// Flags of `tidings deliveries list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Only accepted then or later: a time such as 2027-01-31T12:00:00Z, or how long ago, such as 2h or 3d
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) since: Option<Timestamp>,
    /// Only accepted before then; as --since
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) until: Option<Timestamp>,
    /// How many, newest first
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=500))]
    pub(crate) limit: u16,
    /// Only what came before, as the list before says
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) before: Option<u64>,
    /// Print the server's JSON in place of a table
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) access: Access,
}

/// Flags of `tidings deliveries show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The id of the delivery, as the list shows it
    #[arg(value_name = "ID", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) id: u64,
    /// Print the server's JSON in place of text for people
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) access: Access,
}

/// Flags of `tidings deliveries retry`.
#[derive(Debug, Args)]
pub(crate) struct Retry {
    /// The ids of the deliveries
    #[arg(value_name = "ID", required = true, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) ids: Vec<u64>,
    /// Open the conversation first if the channel had closed it, such as by a user who blocked the bot
    #[arg(long)]
    pub(crate) reopen: bool,
    /// Print the server's JSON in place of text for people
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) access: Access,
}

/// Flags of `tidings deliveries cancel` and `release`.
#[derive(Debug, Args)]
pub(crate) struct Cancel {
    /// The ids of the deliveries
    #[arg(value_name = "ID", required = true, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) ids: Vec<u64>,
    /// Print the server's JSON in place of text for people
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) access: Access,
}

/// Flags of `tidings deliveries hold`.
#[derive(Debug, Args)]
pub(crate) struct Hold {
    /// The ids of the deliveries
    #[arg(value_name = "ID", required = true, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) ids: Vec<u64>,
    /// Let them go by themselves then: a time such as 2027-01-31T12:00:00Z, or how long from now, such as 2h or 3d
    #[arg(long, value_name = "TIME", value_parser = time_to_come)]
    pub(crate) until: Option<Timestamp>,
    /// Print the server's JSON in place of text for people
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) access: Access,
}

/// Flags of `tidings deliveries tail`.
#[derive(Debug, Args)]
pub(crate) struct Tail {
    #[command(flatten)]
    pub(crate) which: Which,
    /// How many of those there are to begin with
    #[arg(long, value_name = "NUMBER", default_value_t = 10, value_parser = clap::value_parser!(u16).range(0..=50))]
    pub(crate) last: u16,
    /// Print each as JSON on a line of its own
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) access: Access,
}

/// Flags of `tidings deliveries pause` and `resume`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).multiple(true))]
pub(crate) struct PauseFlags {
    /// Everything
    #[arg(long, group = "what", conflicts_with_all = ["channel", "conversation"])]
    pub(crate) all: bool,
    /// A channel; or, with --conversation, the channel of that
    #[arg(long, value_name = "CHANNEL", group = "what")]
    pub(crate) channel: Option<String>,
    /// A conversation
    #[arg(long, value_name = "CONVERSATION", group = "what")]
    pub(crate) conversation: Option<String>,
    /// Print the server's JSON in place of text for people
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) access: Access,
}

/// A time, or how long ago.
fn time(text: &str) -> Result<Timestamp, String> {
    text.parse()
        .ok()
        .or_else(|| Timestamp::now().checked_sub(duration(text)?).ok())
        .ok_or_else(|| {
            "must be a time such as 2027-01-31T12:00:00Z, or how long ago, such as 2h or 3d".to_owned()
        })
}

/// A time, or how long from now.
fn time_to_come(text: &str) -> Result<Timestamp, String> {
    text.parse()
        .ok()
        .or_else(|| Timestamp::now().checked_add(duration(text)?).ok())
        .ok_or_else(|| {
            "must be a time such as 2027-01-31T12:00:00Z, or how long from now, such as 2h or 3d".to_owned()
        })
}

fn duration(text: &str) -> Option<SignedDuration> {
    let span = text.parse::<Span>().ok()?;
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    (!duration.is_negative()).then_some(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_absolute_or_ago() {
        assert_eq!(
            time("2027-01-31T12:00:00+01:00"),
            Ok("2027-01-31T11:00:00Z".parse().unwrap())
        );
        let before = Timestamp::now();
        let two_hours_ago = time("2h").unwrap();
        assert!((7_199..=7_201).contains(&before.duration_since(two_hours_ago).as_secs()));
        assert!(time("1d12h").is_ok());
        for text in ["", "yesterday", "-2h", "2027-01-31"] {
            assert!(time(text).is_err(), "{text}");
            assert!(time_to_come(text).is_err(), "{text}");
        }
        let in_two_hours = time_to_come("2h").unwrap();
        assert!((7_199..=7_201).contains(&in_two_hours.duration_since(before).as_secs()));
        assert_eq!(time_to_come("2027-01-31T12:00:00Z"), time("2027-01-31T12:00:00Z"));
    }
}
