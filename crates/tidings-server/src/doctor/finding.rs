//! What a check found.

use serde::Serialize;

/// How good or bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// There was nothing to check.
    Skipped,
    /// All is well.
    Ok,
    /// It works, and may not go on to, or is more than was probably meant.
    Warning,
    /// It will not work.
    Failed,
}

impl Verdict {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Skipped => "skipped",
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }
}

/// One check: what was found, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// What was looked at, in a word or two.
    pub check: &'static str,
    /// How good or bad it is.
    pub verdict: Verdict,
    /// What was found, in one line.
    pub says: String,
    /// What to do about it, in one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl Finding {
    fn new(check: &'static str, verdict: Verdict, says: impl Into<String>) -> Self {
        Self {
            check,
            verdict,
            // One line, whatever an operating system or an identity provider says.
            says: says.into().replace(char::is_control, " "),
            fix: None,
        }
    }

    pub(super) fn ok(check: &'static str, says: impl Into<String>) -> Self {
        Self::new(check, Verdict::Ok, says)
    }

    pub(super) fn skipped(check: &'static str, says: impl Into<String>) -> Self {
        Self::new(check, Verdict::Skipped, says)
    }

    pub(super) fn warning(check: &'static str, says: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            fix: Some(fix.into()),
            ..Self::new(check, Verdict::Warning, says)
        }
    }

    /// The check failed. Also for what happened before there was a configuration to examine.
    #[must_use]
    pub fn failed(check: &'static str, says: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            fix: Some(fix.into()),
            ..Self::new(check, Verdict::Failed, says)
        }
    }
}

/// All that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// In the order of the checks.
    pub findings: Vec<Finding>,
}

impl Report {
    /// The worst that was found.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let worst = self.findings.iter().map(|finding| finding.verdict).max();
        worst.unwrap_or(Verdict::Skipped).max(Verdict::Ok)
    }

    /// The exit code for it: 0 all is well, 3 there are warnings, 1 something will not work.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self.verdict() {
            Verdict::Ok | Verdict::Skipped => 0,
            Verdict::Warning => 3,
            Verdict::Failed => 1,
        }
    }
}
