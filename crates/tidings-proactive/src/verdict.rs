//! What a failed attempt means for its delivery. A pure function, and a table in its tests.

use std::time::Duration;

use tidings_connector::{Phase, SendError};

use crate::delivery::DeadReason;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The channel took it; only its answer is of no use.
    Accepted,
    /// Send again, after the wait the channel asked for or after our own.
    Retry {
        after: Option<Duration>,
        /// The user may have the message although we do not know it.
        repeat_possible: bool,
    },
    /// Sending again would fail again.
    Dead(DeadReason),
}

pub(crate) fn judge(error: &SendError) -> Verdict {
    let dead = Verdict::Dead;
    if error.is_accepted() {
        return Verdict::Accepted;
    }
    if error.phase == Phase::Refused {
        return dead(DeadReason::HostRefused);
    }
    let retry = |repeat_possible| Verdict::Retry {
        after: error.retry_after,
        repeat_possible,
    };
    match error.status {
        // No answer. The connector cannot know whether the channel acted on a body that had begun to leave.
        None => retry(error.phase == Phase::AfterBody),
        // Turned away at the door, before the channel acted.
        Some(401 | 429) => retry(false),
        Some(403) => dead(DeadReason::Forbidden),
        Some(404) => dead(DeadReason::NotFound),
        Some(405) => dead(DeadReason::Unsupported),
        Some(413) => dead(DeadReason::TooLarge),
        // An answer from somewhere between us and the conversation; the message may have been posted.
        Some(408 | 412 | 425 | 500..=599) => retry(error.phase == Phase::AfterBody),
        Some(_) => dead(DeadReason::Rejected),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16) -> Verdict {
        judge(&SendError::new(Phase::AfterBody, "no").with_status(status, None))
    }

    fn retry(repeat_possible: bool) -> Verdict {
        Verdict::Retry {
            after: None,
            repeat_possible,
        }
    }

    #[test]
    fn each_answer_has_its_verdict() {
        for status in [200, 202, 299] {
            assert_eq!(answered(status), Verdict::Accepted, "{status}");
        }
        for status in [401, 429] {
            assert_eq!(answered(status), retry(false), "{status}");
        }
        for status in [408, 412, 425, 500, 502, 503, 504, 599] {
            assert_eq!(answered(status), retry(true), "{status}");
        }
        for status in [301, 400, 402, 409, 410, 415, 422, 451] {
            assert_eq!(answered(status), Verdict::Dead(DeadReason::Rejected), "{status}");
        }
        for (status, reason) in [
            (403, DeadReason::Forbidden),
            (404, DeadReason::NotFound),
            (405, DeadReason::Unsupported),
            (413, DeadReason::TooLarge),
        ] {
            assert_eq!(answered(status), Verdict::Dead(reason), "{status}");
        }
    }

    #[test]
    fn without_an_answer_the_phase_decides() {
        let failed = |phase| judge(&SendError::new(phase, "no"));
        assert_eq!(failed(Phase::Refused), Verdict::Dead(DeadReason::HostRefused));
        assert_eq!(failed(Phase::BeforeBody), retry(false));
        assert_eq!(failed(Phase::AfterBody), retry(true));
    }

    #[test]
    fn an_answer_that_came_before_the_body_left_repeats_nothing() {
        let error = SendError::new(Phase::BeforeBody, "no").with_status(503, None);
        assert_eq!(judge(&error), retry(false));
    }

    #[test]
    fn the_wait_the_channel_asks_for_is_kept() {
        let wait = Duration::from_secs(7);
        for status in [429, 503] {
            let error = SendError::new(Phase::AfterBody, "no")
                .with_status(status, None)
                .with_retry_after(wait);
            assert!(matches!(judge(&error), Verdict::Retry { after: Some(after), .. } if after == wait));
        }
    }
}
