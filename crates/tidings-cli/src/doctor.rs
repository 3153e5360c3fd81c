//! `tidings doctor`: what is wrong with the configuration, before a user notices.

use std::process::ExitCode;

use clap::Args;
use tidings_server::Config;
use tidings_server::doctor::{Doctor, Finding, Report, Verdict};

use crate::arguments::Serve;
use crate::ink::Ink;
use crate::{Failure, print, runtime};

const HELP: &str = "\
Reads the configuration as `tidings serve` does and changes nothing: no message is sent, no database is created.

Exit codes:
  0   all is well
  1   something will not work
  2   wrong arguments
  3   there are warnings
  78  the configuration cannot be read";

/// The exit code for a configuration that cannot be read, as of `tidings serve`.
const CONFIG: u8 = 78;

/// Flags of `tidings doctor`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Examine {
    #[command(flatten)]
    serve: Serve,
    /// Look also at whether a message to this conversation would arrive
    #[arg(long, value_name = "CONVERSATION")]
    target: Option<String>,
    /// Print JSON in place of lines
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Examine) -> Result<ExitCode, Failure> {
    let (report, code) = match Config::load(&arguments.serve.flags()) {
        Ok(config) => {
            let mut doctor = Doctor::new(&config).over_the_network();
            if let Some(conversation) = &arguments.target {
                doctor = doctor.target(conversation);
            }
            let report = runtime()?.block_on(doctor.examine());
            let code = report.exit_code();
            (report, code)
        }
        Err(error) => {
            let finding = Finding::failed(
                "configuration",
                error.to_string(),
                "correct it; `tidings config` prints what can be set",
            );
            let findings = vec![finding];
            (Report { findings }, CONFIG)
        }
    };
    if arguments.json {
        print(&json(&report))?;
    } else {
        print(&lines(&report, Ink::of_stdout() == Ink::Coloured))?;
    }
    Ok(ExitCode::from(code))
}

fn json(report: &Report) -> String {
    let value = serde_json::json!({
        "verdict": report.verdict(),
        "findings": report.findings,
    });
    format!("{value:#}\n")
}

fn lines(report: &Report, coloured: bool) -> String {
    let width = |of: fn(&Finding) -> usize| report.findings.iter().map(of).max().unwrap_or(0);
    let verdict = width(|finding| finding.verdict.as_str().len());
    let check = width(|finding| finding.check.len());
    let mut text = String::new();
    for finding in &report.findings {
        let (on, off) = match (coloured, finding.verdict) {
            (false, _) | (_, Verdict::Skipped) => ("", ""),
            (true, Verdict::Ok) => ("\u{1b}[32m", "\u{1b}[0m"),
            (true, Verdict::Warning) => ("\u{1b}[33m", "\u{1b}[0m"),
            (true, Verdict::Failed) => ("\u{1b}[31m", "\u{1b}[0m"),
        };
        let fix = finding
            .fix
            .as_ref()
            .map(|fix| format!(". Fix: {fix}"))
            .unwrap_or_default();
        text.push_str(&format!(
            "{on}{:verdict$}{off}  {:check$}  {}{fix}\n",
            finding.verdict.as_str(),
            finding.check,
            finding.says,
        ));
    }
    let count = |verdict| {
        report
            .findings
            .iter()
            .filter(|finding| finding.verdict == verdict)
            .count()
    };
    let counted = |number, one: &str, more: &str| match number {
        0 => None,
        1 => Some(format!("1 {one}")),
        number => Some(format!("{number} {more}")),
    };
    let parts: Vec<String> = [
        counted(count(Verdict::Failed), "check failed", "checks failed"),
        counted(count(Verdict::Warning), "warning", "warnings"),
    ]
    .into_iter()
    .flatten()
    .collect();
    if parts.is_empty() {
        text.push_str("\nAll is well.\n");
    } else {
        text.push_str(&format!("\n{}.\n", parts.join(", ")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_a_line_and_they_are_aligned() {
        let findings = vec![
            Finding::failed("app id", "there is none", "set it"),
            Finding::failed("longer name", "two\nlines", "join them"),
        ];
        let text = lines(&Report { findings }, false);
        assert_eq!(
            text,
            "failed  app id       there is none. Fix: set it\n\
             failed  longer name  two lines. Fix: join them\n\n2 checks failed.\n"
        );
        let nothing = Report { findings: Vec::new() };
        assert_eq!(lines(&nothing, true), "\nAll is well.\n");
    }

    #[test]
    fn colours_are_for_terminals() {
        let findings = vec![Finding::failed("a", "b", "c")];
        let report = Report { findings };
        assert!(lines(&report, true).starts_with("\u{1b}[31mfailed\u{1b}[0m  a"));
        assert!(!lines(&report, false).contains('\u{1b}'));
        let json: serde_json::Value = serde_json::from_str(&json(&report)).unwrap();
        assert_eq!(json["verdict"], "failed");
        assert_eq!(json["findings"][0]["fix"], "c");
    }
}
