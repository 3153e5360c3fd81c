//! `tidings jobs list`: the job log of a running server.

use comfy_table::{ContentArrangement, Table, presets};
use serde::Deserialize;
use tidings_server::{Config, Flags};

use crate::arguments::JobsList;
use crate::{Failure, print, request, runtime};

#[derive(Deserialize)]
struct Page {
    jobs: Vec<Job>,
    older: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Job {
    number: u64,
    conversation_id: String,
    state: String,
    started_at: String,
    completed_at: Option<String>,
    notice: Option<String>,
}

pub(crate) fn list(arguments: &JobsList) -> Result<(), Failure> {
    let server = match &arguments.server {
        Some(server) => server.trim_end_matches('/').to_owned(),
        None => format!("http://{}", Config::load(&Flags::default())?.listen),
    };
    let body = runtime()?.block_on(fetch(&server, arguments.limit))?;
    if arguments.json {
        return print(&format!("{}\n", body.trim_end()));
    }
    let page: Page = serde_json::from_str(&body).map_err(|_| {
        Failure::NoServer(format!(
            "what answers at {server} is no Tidings server; name it with --server URL"
        ))
    })?;
    print(&table(&page))
}

async fn fetch(server: &str, limit: u16) -> Result<String, Failure> {
    match request::get(&format!("{server}/api/v1/jobs?limit={limit}")).await {
        Ok((status, body)) if status.is_success() => Ok(body),
        Ok((status, _)) => Err(Failure::NoServer(format!(
            "the server at {server} answered {status}; is it a Tidings server?"
        ))),
        Err(problem) => Err(Failure::NoServer(format!(
            "no server at {server}: {problem}; start one with `tidings serve`, or name it with --server URL"
        ))),
    }
}

fn table(page: &Page) -> String {
    if page.jobs.is_empty() {
        return "The job log is empty.\n".to_owned();
    }
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["JOB", "CONVERSATION", "STATE", "STARTED", "COMPLETED", "NOTICE"]);
    for job in &page.jobs {
        let or_dash = |text: &Option<String>| text.as_deref().map_or_else(|| "-".to_owned(), seconds);
        table.add_row([
            job.number.to_string(),
            job.conversation_id.clone(),
            job.state.clone(),
            seconds(&job.started_at),
            or_dash(&job.completed_at),
            job.notice.clone().unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    let older = match page.older {
        0 => String::new(),
        older => format!("{older} older jobs are not shown; --limit shows more.\n"),
    };
    format!("{}\n{older}", table.trim_fmt())
}

/// An ISO 8601 time without the fraction of its second.
fn seconds(time: &str) -> String {
    match time.split_once('.') {
        Some((whole, _)) => format!("{whole}Z"),
        None => time.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_missing_values_are_dashes() {
        let page = serde_json::from_str(
            r#"{"jobs":[{"number":12,"conversationId":"c-2","channelId":"directline","state":"running",
                "startedAt":"2026-11-22T12:00:01.5Z","completedAt":null,"notice":null},
                {"number":1,"conversationId":"c-1","channelId":"directline","state":"complete",
                "startedAt":"2026-11-22T12:00:00Z","completedAt":"2026-11-22T12:00:02Z","notice":"delivered"}],
                "older":3,"total":5}"#,
        )
        .unwrap();
        let text = table(&page);
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        assert_eq!(lines.len(), 4, "{text}");
        let column = lines[0].find("CONVERSATION").unwrap();
        assert_eq!(&lines[1][column..column + 3], "c-2");
        assert_eq!(&lines[2][column..column + 3], "c-1");
        assert!(
            lines[1].contains("2026-11-22T12:00:01Z") && lines[1].ends_with('-'),
            "{text}"
        );
        assert_eq!(lines[3], "3 older jobs are not shown; --limit shows more.");
    }

    #[test]
    fn an_empty_log_says_so() {
        assert_eq!(
            table(&Page {
                jobs: Vec::new(),
                older: 0
            }),
            "The job log is empty.\n"
        );
    }
}
