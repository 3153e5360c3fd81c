//! `tidings jobs list`: the job log of a running server.

use serde::Deserialize;
use tidings_server::{Config, Flags, Scope};

use crate::api::Api;
use crate::arguments::JobsList;
use crate::request::Ask;
use crate::table::{aligned, or_dash, seconds};
use crate::{Failure, print, runtime};

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
    let api = Api::new(&arguments.access, &Config::load(&Flags::default())?);
    let ask = Ask::get(format!("/api/v1/jobs?limit={}", arguments.limit));
    let body = runtime()?.block_on(api.ask(ask, Scope::JobsRead))?;
    if arguments.json {
        return print(&format!("{}\n", body.trim_end()));
    }
    print(&table(&api.read(&body)?))
}

fn table(page: &Page) -> String {
    if page.jobs.is_empty() {
        return "The job log is empty.\n".to_owned();
    }
    let rows = page.jobs.iter().map(|job| {
        [
            job.number.to_string(),
            job.conversation_id.clone(),
            job.state.clone(),
            seconds(&job.started_at),
            or_dash(job.completed_at.as_deref().map(seconds)),
            or_dash(job.notice.clone()),
        ]
    });
    let table = aligned(
        ["JOB", "CONVERSATION", "STATE", "STARTED", "COMPLETED", "NOTICE"],
        rows,
    );
    let older = match page.older {
        0 => String::new(),
        older => format!("{older} older jobs are not shown; --limit shows more.\n"),
    };
    format!("{table}{older}")
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
