//! Inbound authentication against an identity provider of our own: the tables of protocol, sections 3.1 and 3.2.

mod accepted;
mod clouds;
mod corpus;
mod header;
mod keys;
mod refused;
mod skew;
mod skill;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::AUTHORIZATION;
use tidings_connector::jwt::{
    Authenticator, AuthenticatorOptions, Caller, Facts, Refusal, RefusalReason, VerdictCounts,
};
use tidings_connector::test_idp::{TestIdp, TokenDraft};
use tidings_connector::{AppRegistration, AppType, Cloud};

const APP: &str = "11111111-2222-4333-8444-555555555555";
const OTHER_APP: &str = "99999999-8888-4777-8666-555555555555";
const SERVICE_URL: &str = "https://smba.example/teams/";

/// The second in which the tests begin.
const START: u64 = 1_800_000_000;

/// What an activity from Teams says.
const TEAMS: Facts<'static> = Facts {
    channel_id: Some("msteams"),
    service_url: Some(SERVICE_URL),
};

/// A bot's door, its identity provider, and its clock.
struct Door {
    idp: TestIdp,
    authenticator: Arc<Authenticator>,
    seconds: Arc<AtomicU64>,
}

impl Door {
    /// A multi-tenant bot in the public cloud that no other bot may call.
    async fn new() -> Self {
        Self::with(|options| options).await
    }

    async fn with(change: impl FnOnce(AuthenticatorOptions) -> AuthenticatorOptions) -> Self {
        Self::of(&registration(AppType::MultiTenant, None), Cloud::public(), change).await
    }

    async fn of(
        registration: &AppRegistration,
        cloud: Cloud,
        change: impl FnOnce(AuthenticatorOptions) -> AuthenticatorOptions,
    ) -> Self {
        let idp = TestIdp::start().await;
        let seconds = Arc::new(AtomicU64::new(START));
        let clock = {
            let seconds = Arc::clone(&seconds);
            move || SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.load(Ordering::SeqCst))
        };
        let options = AuthenticatorOptions::new(registration, &idp.keys_of(cloud))
            .expect("the options make sense")
            .clock(clock);
        let authenticator = Arc::new(Authenticator::new(change(options)));
        Self {
            idp,
            authenticator,
            seconds,
        }
    }

    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.seconds.load(Ordering::SeqCst))
    }

    fn advance(&self, seconds: u64) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
    }

    /// A channel's good token of this moment.
    fn channel(&self) -> TokenDraft {
        TokenDraft::channel(APP, SERVICE_URL).issued_at(self.now())
    }

    fn emulator(&self) -> TokenDraft {
        TokenDraft::emulator(APP).issued_at(self.now())
    }

    fn emulator_v2(&self) -> TokenDraft {
        TokenDraft::emulator_v2(APP).issued_at(self.now())
    }

    fn skill(&self) -> TokenDraft {
        TokenDraft::skill(APP, OTHER_APP).issued_at(self.now())
    }

    /// The verdict on a token in a message from Teams.
    async fn verdict(&self, token: &TokenDraft) -> Result<Caller, RefusalReason> {
        self.verdict_on(&token.headers(), TEAMS).await
    }

    /// The verdict, with what holds for every one: its status, a message without the token, and one count.
    async fn verdict_on(&self, headers: &HeaderMap, facts: Facts<'_>) -> Result<Caller, RefusalReason> {
        let before = self.authenticator.counts();
        let verdict = self.authenticator.authenticate(headers, facts).await;
        let after = self.authenticator.counts();
        assert_eq!(total(&after), total(&before) + 1);
        match verdict {
            Ok(caller) => {
                let of_kind = |counts: &VerdictCounts| counts.accepted[caller.kind as usize];
                assert_eq!(of_kind(&after), (caller.kind, of_kind(&before).1 + 1));
                Ok(caller)
            }
            Err(refusal) => {
                let reason = refusal.reason();
                let of_reason = |counts: &VerdictCounts| counts.refused[reason as usize];
                assert_eq!(of_reason(&after), (reason, of_reason(&before).1 + 1));
                let status = if reason == RefusalReason::KeysUnavailable {
                    503
                } else {
                    401
                };
                assert_eq!(refusal.status().as_u16(), status);
                says_nothing_of_the_token(&refusal, headers);
                Err(reason)
            }
        }
    }
}

fn total(counts: &VerdictCounts) -> u64 {
    let accepted: u64 = counts.accepted.iter().map(|(_, count)| count).sum();
    let refused: u64 = counts.refused.iter().map(|(_, count)| count).sum();
    accepted + refused
}

fn says_nothing_of_the_token(refusal: &Refusal, headers: &HeaderMap) {
    let said = format!("{refusal} {refusal:?}");
    for value in headers.get_all(AUTHORIZATION) {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        for part in value
            .split([' ', '.'])
            .filter(|part| part.len() > 8 && *part != "Bearer")
        {
            assert!(!said.contains(part), "{said}");
        }
    }
    for secret in [OTHER_APP, "evil.example"] {
        assert!(!said.contains(secret), "{said}");
    }
}

fn registration(app_type: AppType, tenant_id: Option<&str>) -> AppRegistration {
    AppRegistration {
        app_id: APP.to_owned(),
        app_type,
        tenant_id: tenant_id.map(str::to_owned),
    }
}
