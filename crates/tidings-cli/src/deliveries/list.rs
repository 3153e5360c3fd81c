//! `tidings deliveries list`.

use comfy_table::Cell;
use jiff::Timestamp;
use tidings_server::Scope;

use super::flags::List;
use super::record::{Page, fitted};
use super::{api, as_json};
use crate::ink::Ink;
use crate::moment;
use crate::request::{Ask, encoded};
use crate::table::{aligned, or_dash};
use crate::{Failure, print};

pub(super) async fn run(arguments: &List) -> Result<(), Failure> {
    let api = api(&arguments.access)?;
    let body = api
        .ask(Ask::get(target(arguments)), Scope::DeliveriesRead)
        .await?;
    if arguments.json {
        return as_json(&body);
    }
    let page = api.read(&body)?;
    print(&table(&page, Timestamp::now(), Ink::of_stdout()))
}

fn target(arguments: &List) -> String {
    let mut target = format!("/api/v1/deliveries?limit={}", arguments.limit);
    let time = |time: Option<Timestamp>| time.map(|time| time.to_string());
    for (name, value) in [
        (
            "state",
            Some(arguments.which.states.join(",")).filter(|states| !states.is_empty()),
        ),
        ("channelId", arguments.which.channel.clone()),
        ("conversationId", arguments.which.conversation.clone()),
        ("since", time(arguments.since)),
        ("until", time(arguments.until)),
        ("before", arguments.before.map(|id| id.to_string())),
    ] {
        if let Some(value) = value {
            target.push_str(&format!("&{name}={}", encoded(&value)));
        }
    }
    target
}

fn table(page: &Page, now: Timestamp, ink: Ink) -> String {
    let more = match &page.next {
        Some(next) => format!("Older ones: --before {next}.\n"),
        None => String::new(),
    };
    if page.deliveries.is_empty() {
        return match page.next {
            None => "No delivery fits.\n".to_owned(),
            Some(_) => format!("None of the newest fits. {more}"),
        };
    }
    let rows = page.deliveries.iter().map(|delivery| {
        [
            Cell::new(delivery.id),
            ink.state_cell(&delivery.state),
            Cell::new(&delivery.channel_id),
            Cell::new(fitted(&delivery.conversation_id)),
            Cell::new(fitted(&delivery.content.line())),
            Cell::new(moment::second(delivery.created_at)),
            Cell::new(moment::relative(delivery.created_at, now)),
            Cell::new(or_dash(Some(delivery.why(now)))),
        ]
    });
    let header = [
        "ID",
        "STATE",
        "CHANNEL",
        "CONVERSATION",
        "WHAT",
        "ACCEPTED",
        "",
        "WHY",
    ];
    format!("{}{more}", aligned(header, rows))
}

#[cfg(test)]
pub(super) mod tests {
    use clap::Parser;
    use serde_json::{Value, json};

    use super::*;
    use crate::arguments::{Arguments, Command};
    use crate::deliveries::DeliveriesCommand;

    /// A delivery as a server tells it.
    pub(crate) fn delivery(id: u64, state: &str) -> Value {
        json!({
            "id": id, "channelId": "msteams", "conversationId": "19:abc@thread", "tenant": "contoso", "class": "message",
            "state": state, "reason": null, "policy": "at_least_once", "wait": null, "dueAt": null,
            "expiresAt": "2026-11-30T12:00:00Z", "starts": 0, "repeatPossible": false, "lastFailure": null,
            "activityId": null, "content": { "kind": "activity", "text": "Your report is ready.", "type": "message" },
            "parentId": null, "retryOf": null, "mergedInto": null, "createdAt": "2026-11-27T12:00:00.5Z",
            "updatedAt": "2026-11-27T12:00:00.5Z", "endedAt": null
        })
    }

    fn list(arguments: &[&str]) -> List {
        let arguments = [&["tidings", "deliveries", "list"], arguments].concat();
        match Arguments::parse_from(arguments).command {
            Some(Command::Deliveries(DeliveriesCommand::List(list))) => list,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn filters_go_into_the_address() {
        assert_eq!(target(&list(&[])), "/api/v1/deliveries?limit=20");
        let all = list(&[
            "--state",
            "dead,unknown",
            "--state",
            "held",
            "--channel",
            "msteams",
            "--conversation",
            "19:a b@thread",
            "--since",
            "2026-11-27T12:00:00Z",
            "--until",
            "2026-11-27T13:00:00Z",
            "--before",
            "17",
            "--limit",
            "5",
        ]);
        assert_eq!(
            target(&all),
            "/api/v1/deliveries?limit=5&state=dead%2Cunknown%2Cheld&channelId=msteams\
             &conversationId=19%3Aa%20b%40thread&since=2026-11-27T12%3A00%3A00Z&until=2026-11-27T13%3A00%3A00Z&before=17"
        );
    }

    #[test]
    fn each_delivery_is_a_line_that_says_why() {
        let mut dead = delivery(18, "dead");
        dead["reason"] = json!("rejected");
        dead["lastFailure"] = json!({ "status": 400, "code": "BadArgument", "message": "the card is wrong" });
        let mut waiting = delivery(17, "available");
        waiting["wait"] = json!({ "reason": "pacing", "until": "2026-11-27T12:02:03Z" });
        let page = serde_json::from_value(json!({ "deliveries": [dead, waiting], "next": "17" })).unwrap();
        let now = "2026-11-27T12:02:00Z".parse().unwrap();
        let text = table(&page, now, Ink::Plain);
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        assert_eq!(lines.len(), 4, "{text}");
        let column = lines[0].find("WHY").unwrap();
        assert_eq!(
            &lines[1][column..],
            "rejected; 400 BadArgument: the card is wrong"
        );
        assert_eq!(
            &lines[2][column..],
            "waits for the pace of its conversation, in 3 s"
        );
        assert!(lines[1].contains("2026-11-27T12:00:00Z  119 s ago"), "{text}");
        assert!(lines[2].contains("\"Your report is ready.\""), "{text}");
        assert_eq!(lines[3], "Older ones: --before 17.");
        assert!(!text.contains('\u{1b}'));
        let coloured = table(&page, now, Ink::Coloured);
        assert!(coloured.contains('\u{1b}'), "{coloured}");
        let plain = |line: &str| {
            line.split('\u{1b}')
                .map(|part| part.split_once('m').map_or(part, |(_, rest)| rest))
                .collect::<String>()
        };
        let widths: Vec<usize> = coloured
            .lines()
            .map(|line| plain(line).trim_end().len())
            .collect();
        let expected: Vec<usize> = lines.iter().map(|line| line.len()).collect();
        assert_eq!(widths.len(), expected.len());
    }

    #[test]
    fn an_empty_page_says_whether_there_may_be_more() {
        let read = |json: Value| {
            let page = serde_json::from_value(json).unwrap();
            table(&page, Timestamp::now(), Ink::Plain)
        };
        assert_eq!(
            read(json!({ "deliveries": [], "next": null })),
            "No delivery fits.\n"
        );
        assert_eq!(
            read(json!({ "deliveries": [], "next": "900" })),
            "None of the newest fits. Older ones: --before 900.\n"
        );
    }
}
