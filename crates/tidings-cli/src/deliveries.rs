//! `tidings deliveries`: what was sent to whom, why something was not, and intervening.

mod flags;
mod list;
mod record;
mod tail;
mod timeline;

use http::Method;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use tidings_server::{Config, Flags, Scope};

use crate::api::Api;
use crate::arguments::Access;
use crate::ink::Ink;
use crate::request::{Ask, encoded};
use crate::{Failure, print, runtime};
use flags::{Cancel, Hold, PauseFlags, Retry, Show};
pub(crate) use flags::{DeliveriesCommand, EXAMPLES};
use record::Detail;

pub(crate) fn run(command: &DeliveriesCommand) -> Result<(), Failure> {
    runtime()?.block_on(async {
        match command {
            DeliveriesCommand::List(list) => list::run(list).await,
            DeliveriesCommand::Show(show) => self::show(show).await,
            DeliveriesCommand::Retry(retry) => self::retry(retry).await,
            DeliveriesCommand::Cancel(cancel) => each(cancel, "cancel", "cancelled").await,
            DeliveriesCommand::Hold(hold) => self::hold(hold).await,
            DeliveriesCommand::Release(release) => each(release, "release", "released").await,
            DeliveriesCommand::Tail(tail) => tail::run(tail).await,
            DeliveriesCommand::Pause(pause) => self::pause(pause, true).await,
            DeliveriesCommand::Resume(resume) => pause(resume, false).await,
        }
    })
}

/// The API of the server that is meant.
fn api(access: &Access) -> Result<Api, Failure> {
    Ok(Api::new(access, &Config::load(&Flags::default())?))
}

/// The server's JSON as it came.
fn as_json(body: &str) -> Result<(), Failure> {
    print(&format!("{}\n", body.trim_end()))
}

async fn show(arguments: &Show) -> Result<(), Failure> {
    let api = api(&arguments.access)?;
    let ask = Ask::get(format!("/api/v1/deliveries/{}", arguments.id));
    let body = api.ask(ask, Scope::DeliveriesRead).await?;
    if arguments.json {
        return as_json(&body);
    }
    let detail: Detail = api.read(&body)?;
    print(&timeline::told(&detail, Timestamp::now(), Ink::of_stdout()))
}

#[derive(Deserialize)]
struct Retried {
    id: u64,
}

async fn retry(arguments: &Retry) -> Result<(), Failure> {
    let api = api(&arguments.access)?;
    for id in &arguments.ids {
        let fields = match arguments.reopen {
            true => json!({ "reopen": true }),
            false => json!({}),
        };
        let ask = Ask::post(format!("/api/v1/deliveries/{id}/retry"), &fields);
        let body = api.ask(ask, Scope::DeliveriesWrite).await?;
        if arguments.json {
            as_json(&body)?;
        } else {
            let Retried { id: new } = api.read(&body)?;
            print(&format!("Delivery {id} is owed again as {new}.\n"))?;
        }
    }
    Ok(())
}

/// Does the same to each, which is so afterwards.
async fn each(arguments: &Cancel, verb: &str, so: &str) -> Result<(), Failure> {
    let api = api(&arguments.access)?;
    for id in &arguments.ids {
        let ask = Ask::post(format!("/api/v1/deliveries/{id}/{verb}"), &json!({}));
        let body = api.ask(ask, Scope::DeliveriesWrite).await?;
        if arguments.json {
            as_json(&body)?;
        } else {
            print(&format!("Delivery {id} is {so}.\n"))?;
        }
    }
    Ok(())
}

async fn hold(arguments: &Hold) -> Result<(), Failure> {
    let api = api(&arguments.access)?;
    let (fields, ends) = match arguments.until {
        Some(until) => (json!({ "until": until }), format!("until {until}")),
        None => (json!({}), "until it is released or expires".to_owned()),
    };
    for id in &arguments.ids {
        let ask = Ask::post(format!("/api/v1/deliveries/{id}/hold"), &fields);
        let body = api.ask(ask, Scope::DeliveriesWrite).await?;
        if arguments.json {
            as_json(&body)?;
        } else {
            print(&format!("Delivery {id} is held {ends}.\n"))?;
        }
    }
    Ok(())
}

#[derive(Deserialize)]
struct Paused {
    all: bool,
    channels: Vec<String>,
    lanes: Vec<PausedLane>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PausedLane {
    channel_id: String,
    conversation_id: String,
}

async fn pause(arguments: &PauseFlags, stops: bool) -> Result<(), Failure> {
    let api = api(&arguments.access)?;
    let (channel, conversation) = (arguments.channel.as_deref(), arguments.conversation.as_deref());
    let scope = match (channel, conversation) {
        (_, Some(_)) => "lane",
        (Some(_), None) => "channel",
        (None, None) => "all",
    };
    let fields = [("channelId", channel), ("conversationId", conversation)];
    let fields = fields
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    let ask = if stops {
        let mut body = json!({ "scope": scope });
        for (name, value) in fields {
            body[name] = json!(value);
        }
        Ask::post("/api/v1/pauses", &body)
    } else {
        let mut target = format!("/api/v1/pauses?scope={scope}");
        for (name, value) in fields {
            target.push_str(&format!("&{name}={}", encoded(value)));
        }
        Ask {
            method: Method::DELETE,
            target,
            body: None,
        }
    };
    let body = api.ask(ask, Scope::DeliveriesWrite).await?;
    if arguments.json {
        return as_json(&body);
    }
    print(&now_paused(&api.read(&body)?))
}

/// What is stopped, also by earlier commands: whoever resumes one of several pauses should see the others.
fn now_paused(paused: &Paused) -> String {
    let mut text = String::new();
    if paused.all {
        text.push_str("Paused: everything.\n");
    }
    for channel in &paused.channels {
        text.push_str(&format!("Paused: the channel {channel}.\n"));
    }
    for lane in &paused.lanes {
        text.push_str(&format!(
            "Paused: the conversation {} of the channel {}.\n",
            lane.conversation_id, lane.channel_id
        ));
    }
    if text.is_empty() {
        text.push_str("Nothing is paused.\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pause_is_named() {
        let read = |json: &str| now_paused(&serde_json::from_str(json).unwrap());
        assert_eq!(
            read(r#"{"all":false,"channels":[],"lanes":[]}"#),
            "Nothing is paused.\n"
        );
        let all = r#"{"all":true,"channels":["sms"],"lanes":[{"channelId":"msteams","conversationId":"c"}]}"#;
        assert_eq!(
            read(all),
            "Paused: everything.\nPaused: the channel sms.\nPaused: the conversation c of the channel msteams.\n"
        );
    }
}
