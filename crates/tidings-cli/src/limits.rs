//! `tidings limits`: how often channels may be called.

use clap::{Args, Subcommand};
use http::Method;
use jiff::{SignedDuration, Span, SpanRelativeTo};
use serde::Deserialize;
use serde_json::json;
use tidings_server::{Config, Flags, Scope};

use crate::api::Api;
use crate::arguments::Access;
use crate::request::Ask;
use crate::table::aligned;
use crate::{Failure, print, runtime};

pub(crate) const EXAMPLES: &str = "\
Examples:
  tidings limits list
  tidings limits set sms lane 1/1s                   one message a second to each conversation of the channel
  tidings limits set msteams tenant 50/1s 1000/1m    both hold at the same time
  tidings limits remove sms lane                     as much as the channel takes

A lane is a conversation; a tenant is all conversations of one customer together. What is sent is counted over any
interval of the length, wherever it begins. They ask a running server. One that asks for keys wants deliveries:read, or
deliveries:write to change something.";

#[derive(Debug, Subcommand)]
pub(crate) enum LimitsCommand {
    /// List the limits of all channels
    List(List),
    /// Limit a channel, in place of what was set for the same scope
    Set(Set),
    /// Take the limits of a scope away
    Remove(Remove),
}

/// Flags of `tidings limits list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Print the server's JSON in place of a table
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: Access,
}

/// Flags of `tidings limits set`.
#[derive(Debug, Args)]
pub(crate) struct Set {
    /// The channel, as its activities name it, such as msteams
    #[arg(value_name = "CHANNEL")]
    channel: String,
    /// What is counted together: a conversation (lane), or all of a tenant
    #[arg(value_name = "SCOPE", value_parser = ["lane", "tenant"])]
    scope: String,
    /// How many sends in how long, such as 7/1s or 1800/1h
    #[arg(value_name = "PERMITS/PERIOD", required = true, value_parser = window)]
    windows: Vec<Window>,
    /// Print the server's JSON in place of a table
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: Access,
}

/// Flags of `tidings limits remove`.
#[derive(Debug, Args)]
pub(crate) struct Remove {
    /// The channel
    #[arg(value_name = "CHANNEL")]
    channel: String,
    /// What is counted together
    #[arg(value_name = "SCOPE", value_parser = ["lane", "tenant"])]
    scope: String,
    /// Print the server's JSON in place of a table
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: Access,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Window {
    permits: u32,
    period_ms: u64,
}

#[derive(Deserialize)]
struct Limits {
    limits: Vec<Line>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    channel_id: String,
    scope: String,
    windows: Vec<Window>,
}

pub(crate) fn run(command: &LimitsCommand) -> Result<(), Failure> {
    runtime()?.block_on(async {
        match command {
            LimitsCommand::List(list) => {
                let ask = Ask::get("/api/v1/limits");
                tell(&list.access, ask, Scope::DeliveriesRead, list.json).await
            }
            LimitsCommand::Set(set) => {
                let ask = replace(&set.channel, &set.scope, &set.windows);
                tell(&set.access, ask, Scope::DeliveriesWrite, set.json).await
            }
            LimitsCommand::Remove(remove) => {
                let ask = replace(&remove.channel, &remove.scope, &[]);
                tell(&remove.access, ask, Scope::DeliveriesWrite, remove.json).await
            }
        }
    })
}

fn replace(channel: &str, scope: &str, windows: &[Window]) -> Ask {
    let windows: Vec<_> = windows
        .iter()
        .map(|window| json!({ "permits": window.permits, "periodMs": window.period_ms }))
        .collect();
    Ask {
        method: Method::PUT,
        target: "/api/v1/limits".to_owned(),
        body: Some(json!({ "channelId": channel, "scope": scope, "windows": windows }).to_string()),
    }
}

/// Asks, and shows the limits that there are then.
async fn tell(access: &Access, ask: Ask, scope: Scope, as_json: bool) -> Result<(), Failure> {
    let api = Api::new(access, &Config::load(&Flags::default())?);
    let body = api.ask(ask, scope).await?;
    if as_json {
        return print(&format!("{}\n", body.trim_end()));
    }
    let Limits { limits } = api.read(&body)?;
    if limits.is_empty() {
        return print("Nothing is limited.\n");
    }
    let rows = limits.iter().map(|line| {
        let windows: Vec<String> = line.windows.iter().copied().map(shown).collect();
        [line.channel_id.clone(), line.scope.clone(), windows.join("  ")]
    });
    print(&aligned(["CHANNEL", "SCOPE", "LIMITS"], rows))
}

/// As it can be set again.
fn shown(window: Window) -> String {
    let period = SignedDuration::from_millis(i64::try_from(window.period_ms).unwrap_or(i64::MAX));
    format!("{}/{period:#}", window.permits)
}

fn window(text: &str) -> Result<Window, String> {
    let read = || {
        let (permits, period) = text.split_once('/')?;
        let period = period
            .parse::<Span>()
            .and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()))
            .ok()?;
        Some(Window {
            permits: permits.parse().ok()?,
            period_ms: u64::try_from(period.as_millis()).ok()?,
        })
    };
    read().ok_or_else(|| "must be a number and a duration, such as 7/1s, 60/30s or 1800/1h".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_can_be_set_again() {
        for (text, permits, period_ms) in [
            ("7/1s", 7, 1000),
            ("60/30s", 60, 30_000),
            ("1800/1h", 1800, 3_600_000),
            ("1/1500ms", 1, 1500),
            ("5/1d", 5, 86_400_000),
            ("2/90m", 2, 5_400_000),
        ] {
            let read = window(text).unwrap();
            assert_eq!(read, Window { permits, period_ms }, "{text}");
            assert_eq!(window(&shown(read)), Ok(read), "{text}");
        }
        assert_eq!(shown(window("7/1s").unwrap()), "7/1s");
        for text in ["", "7", "7/", "/1s", "7/1", "-1/1s", "7/-1s", "7/1mo", "x/1s"] {
            assert!(window(text).is_err(), "{text}");
        }
    }
}
