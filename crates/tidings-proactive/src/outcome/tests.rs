use proptest::prelude::*;

use super::*;

fn answer(phase: Phase, status: u16, code: Option<&str>) -> Judgement {
    judge(&SendError::new(phase, "no").with_status(status, code.map(str::to_owned)))
}

fn retry(attempt: AttemptOutcome, pause: Option<PauseScope>) -> Judgement {
    Judgement::Retry {
        after: None,
        pause,
        attempt,
    }
}

const UNKNOWN: Judgement = Judgement::Unknown { after: None };

/// Status, code, and what they mean once the body has left: every row of the protocol's table.
#[test]
fn each_answer_has_its_judgement() {
    use CloseReason::{BlockedByUser, ConversationNotFound, DisabledByAdmin, Forbidden, NotInRoster};
    use DeadReason::{NotFound, NotRegistered, Rejected, TooLarge, Unsupported, WrongHost};
    use Judgement::{Accepted, CloseLane, Dead};
    let unauthorized = retry(AttemptOutcome::Unauthorized, None);
    let throttled = retry(AttemptOutcome::Throttled, Some(PauseScope::Lane));
    let cases = [
        (200, None, Accepted),
        (202, None, Accepted),
        (299, Some("anything"), Accepted),
        (301, None, Dead(Rejected)),
        (400, None, Dead(Rejected)),
        (400, Some("BadArgument"), Dead(Rejected)),
        (400, Some("BadSyntax"), Dead(Rejected)),
        (400, Some("ConversationNotFound"), Dead(Rejected)),
        (401, None, unauthorized),
        (401, Some("Unauthorized"), unauthorized),
        (401, Some("BotNotRegistered"), Dead(NotRegistered)),
        (402, None, Dead(Rejected)),
        (403, None, CloseLane(Forbidden)),
        (403, Some("SomethingNew"), CloseLane(Forbidden)),
        (403, Some("ConversationBlockedByUser"), CloseLane(BlockedByUser)),
        (403, Some("BotNotInConversationRoster"), CloseLane(NotInRoster)),
        (403, Some("BotDisabledByAdmin"), CloseLane(DisabledByAdmin)),
        (403, Some("ForbiddenOperationException"), CloseLane(Forbidden)),
        (403, Some("NotEnoughPermissions"), CloseLane(Forbidden)),
        (403, Some("MessageWritesBlocked"), CloseLane(Forbidden)),
        (403, Some("InvalidBotApiHost"), Dead(WrongHost)),
        (403, Some("ContentStreamNotAllowed"), Dead(Rejected)),
        (404, None, CloseLane(ConversationNotFound)),
        (404, Some("ConversationNotFound"), CloseLane(ConversationNotFound)),
        (404, Some("ActivityNotFoundInConversation"), Dead(NotFound)),
        (404, Some("BadArgument"), Dead(NotFound)),
        (405, None, Dead(Unsupported)),
        (408, None, UNKNOWN),
        (409, None, Dead(Rejected)),
        (410, None, Dead(Rejected)),
        (412, Some("PreconditionFailed"), UNKNOWN),
        (413, None, Dead(TooLarge)),
        (413, Some("MessageSizeTooBig"), Dead(TooLarge)),
        (415, None, Dead(Rejected)),
        (422, None, Dead(Rejected)),
        (425, None, UNKNOWN),
        (429, None, throttled),
        (429, Some("TooManyRequests"), throttled),
        (451, None, Dead(Rejected)),
        (500, Some("ServiceError"), UNKNOWN),
        (502, None, UNKNOWN),
        (503, None, UNKNOWN),
        (504, None, UNKNOWN),
        (599, None, UNKNOWN),
        (0, None, UNKNOWN),
        (100, None, UNKNOWN),
        (999, None, UNKNOWN),
    ];
    for (status, code, expected) in cases {
        assert_eq!(
            answer(Phase::AfterBody, status, code),
            expected,
            "{status} {code:?}"
        );
    }
}

/// A row that a more general one before it hides would never be used.
#[test]
fn every_row_of_the_table_decides_something() {
    for (row, (statuses, code, meaning)) in ANSWERS.iter().enumerate() {
        let code = match code {
            Code::Any => Some("SomethingNew"),
            Code::Missing => None,
            Code::Is(code) => Some(*code),
        };
        let deciding = statuses.clone().any(|status| {
            let first = ANSWERS
                .iter()
                .position(|(statuses, codes, _)| statuses.contains(&status) && codes.fits(code));
            first == Some(row)
        });
        assert!(deciding, "{statuses:?} {code:?} {meaning:?}");
    }
}

#[test]
fn without_an_answer_the_phase_decides() {
    let failed = |phase| judge(&SendError::new(phase, "no"));
    let not_sent = retry(AttemptOutcome::NotSent, None);
    assert_eq!(failed(Phase::Refused), Judgement::Dead(DeadReason::HostRefused));
    assert_eq!(failed(Phase::BeforeBody), not_sent);
    assert_eq!(failed(Phase::AfterBody), UNKNOWN);
    // An answer that came before the body left repeats nothing.
    assert_eq!(answer(Phase::BeforeBody, 503, None), not_sent);
}

#[test]
fn the_wait_the_channel_asks_for_is_kept() {
    let wait = Duration::from_secs(7);
    for (status, unknown) in [(429, false), (401, false), (503, true)] {
        let error = SendError::new(Phase::AfterBody, "no")
            .with_status(status, None)
            .with_retry_after(wait);
        match judge(&error) {
            Judgement::Unknown { after } => assert!(unknown && after == Some(wait)),
            Judgement::Retry { after, .. } => assert!(!unknown && after == Some(wait)),
            other => panic!("{status}: {other:?}"),
        }
    }
}

#[test]
fn attempts_are_recorded_as_the_table_spells_them() {
    for outcome in AttemptOutcome::ALL {
        assert_eq!(AttemptOutcome::from_row(outcome.as_str()), Some(outcome));
    }
    assert_eq!(AttemptOutcome::from_row("delivered"), None);
    assert_eq!(answer(Phase::AfterBody, 200, None).attempt(), None);
    for (status, word) in [
        (400, "rejected"),
        (401, "unauthorized"),
        (403, "closed"),
        (429, "throttled"),
        (500, "unknown"),
    ] {
        let attempt = answer(Phase::AfterBody, status, None).attempt();
        assert_eq!(attempt.map(AttemptOutcome::as_str), Some(word));
    }
}

proptest! {
    #[test]
    fn any_error_has_a_judgement(
        phase in prop_oneof![Just(Phase::Refused), Just(Phase::BeforeBody), Just(Phase::AfterBody)],
        status in proptest::option::of(prop_oneof![any::<u16>(), 100..600_u16]),
        code in proptest::option::of(prop_oneof![
            "\\PC{0,20}",
            Just("ConversationNotFound".to_owned()),
            Just("BotNotRegistered".to_owned()),
        ]),
        seconds in proptest::option::of(any::<u64>()),
    ) {
        let mut error = SendError::new(phase, "no");
        (error.status, error.code) = (status, code);
        error.retry_after = seconds.map(Duration::from_secs);
        let judgement = judge(&error);
        let accepted = status.is_some_and(|status| (200..300).contains(&status));
        prop_assert_eq!(judgement == Judgement::Accepted, accepted);
        if phase != Phase::AfterBody {
            let unknown = matches!(judgement, Judgement::Unknown { .. });
            prop_assert!(!unknown);
        }
    }
}
