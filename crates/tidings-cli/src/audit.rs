//! `tidings audit list`: what was changed through the API.

use std::sync::Arc;

use serde::Deserialize;
use tidings_server::{Audit, Scope};
use tidings_store::SystemClock;

use crate::arguments::AuditList;
use crate::place::Found;
use crate::request::Ask;
use crate::table::{aligned, or_dash, seconds};
use crate::{Failure, print, runtime};

#[derive(Deserialize)]
struct Page {
    entries: Vec<Entry>,
    next: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    at: String,
    key_id: String,
    key_name: String,
    method: String,
    route: String,
    target: String,
    status: Option<u16>,
    remote_address: Option<String>,
}

pub(crate) fn list(arguments: &AuditList) -> Result<(), Failure> {
    let cursor = match arguments.cursor {
        Some(cursor) => format!("&cursor={cursor}"),
        None => String::new(),
    };
    let ask = Ask::get(format!("/api/v1/audit?limit={}{cursor}", arguments.limit));
    let (text, page) = runtime()?.block_on(find(arguments, ask))?;
    if arguments.place.json {
        return print(&format!("{}\n", text.trim_end()));
    }
    print(&table(&page))
}

async fn find(arguments: &AuditList, ask: Ask) -> Result<(String, Page), Failure> {
    let failed = |problem: String| Failure::Other(format!("the audit cannot be read: {problem}"));
    match arguments.place.find(ask, Scope::AuditRead, false).await? {
        Found::Server(api, body) => {
            let page = api.read(&body)?;
            Ok((body, page))
        }
        Found::Database(database) => {
            let page = Audit::new(database.clone(), Arc::new(SystemClock))
                .page(usize::from(arguments.limit), arguments.cursor)
                .await
                .map_err(|error| failed(error.to_string()))?;
            database.close().await;
            let text = serde_json::to_string(&page).map_err(|error| failed(error.to_string()))?;
            let page = serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?;
            Ok((text, page))
        }
    }
}

fn table(page: &Page) -> String {
    if page.entries.is_empty() {
        return "Nothing was changed through the API yet.\n".to_owned();
    }
    let rows = page.entries.iter().map(|entry| {
        let key = if entry.key_id == entry.key_name {
            entry.key_id.clone()
        } else {
            format!("{} ({})", entry.key_id, entry.key_name)
        };
        [
            seconds(&entry.at),
            key,
            format!("{} {}", entry.method, entry.route),
            or_dash(Some(entry.target.clone())),
            or_dash(entry.status.map(|status| status.to_string())),
            or_dash(entry.remote_address.clone()),
        ]
    });
    let table = aligned(["AT", "KEY", "REQUEST", "TARGET", "STATUS", "FROM"], rows);
    let more = match page.next {
        None => String::new(),
        Some(cursor) => format!("Older ones: --cursor {cursor}.\n"),
    };
    format!("{table}{more}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_aligned_and_missing_values_are_dashes() {
        let page = serde_json::from_str(
            r#"{"entries":[{"id":2,"at":"2026-11-27T12:00:01.5Z","keyId":"0a1b2c3d4e5f","keyName":"CI","scope":"jobs:write",
                "method":"POST","route":"/api/v1/jobs/{number}/complete","target":"7","status":null,
                "remoteAddress":"192.0.2.1"},
                {"id":1,"at":"2026-11-27T12:00:00Z","keyId":"local","keyName":"local","scope":"keys:write",
                "method":"COMMAND","route":"tidings keys create","target":"0a1b2c3d4e5f","status":200,
                "remoteAddress":null}],"next":1}"#,
        )
        .unwrap();
        let text = table(&page);
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert!(lines[1].contains("0a1b2c3d4e5f (CI)"), "{text}");
        assert!(lines[2].ends_with('-'), "{text}");
        let column = lines[0].find("STATUS").unwrap();
        assert!(
            lines[1][column..].starts_with('-') && lines[2][column..].starts_with("200"),
            "{text}"
        );
        assert_eq!(lines[3], "Older ones: --cursor 1.");
        let none = Page {
            entries: Vec::new(),
            next: None,
        };
        assert!(table(&none).contains("yet"));
    }
}
