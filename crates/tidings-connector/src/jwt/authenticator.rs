//! Decides whether a request is let in.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::HeaderMap;

use super::authorization::bearer;
use super::caller::{Caller, CallerKind};
use super::facts::Facts;
use super::key_source::KeySource;
use super::options::{AuthenticatorOptions, Clock};
use super::refusal::{Refusal, RefusalReason};
use super::rules::Rules;
use super::tally::{Tally, VerdictCounts};
use super::token::{Claims, Token};
use crate::transport::Transport;

/// Verifies who sends an activity, by the token in the request's Authorization header (protocol, sections 3.1 and
/// 3.2). See the [module](super) for an example.
///
/// Make one for each bot and keep it: it holds the issuers' keys. It is asked of by reference from any number of
/// tasks at one time. Whether a bot without an app id answers anybody is not its business; it has no answer but
/// tokens.
#[derive(Debug)]
pub struct Authenticator {
    rules: Rules,
    caller_id: Option<String>,
    channel_keys: Arc<KeySource>,
    directory_keys: Arc<KeySource>,
    clock: Clock,
    tally: Tally,
}

impl Authenticator {
    /// An authenticator that has no keys yet: they are looked up when the first token needs them, or by
    /// [`load_keys`](Self::load_keys).
    #[must_use]
    pub fn new(options: AuthenticatorOptions) -> Self {
        let transport = Arc::new(Transport::new(options.timeout));
        let source = |metadata| KeySource::new(metadata, Arc::clone(&transport), options.timeout);
        Self {
            rules: Rules::new(
                &options.app_id,
                &options.channel_issuer,
                options.own_tenant.as_deref(),
                options.callers,
            ),
            caller_id: options.caller_id,
            channel_keys: source(options.channel_metadata),
            directory_keys: source(options.directory_metadata),
            clock: options.clock,
            tally: Tally::default(),
        }
    }

    /// Who sends the activity of which `facts` are known.
    ///
    /// With keys at hand this is a matter of microseconds. Without, it waits for one look-up, which all callers
    /// share and whose time is limited. Must be called inside a Tokio runtime.
    ///
    /// # Errors
    ///
    /// If the request must not be let in. The answer is then [`Refusal::status`], and the refusal is worth one line
    /// in the log.
    pub async fn authenticate(&self, headers: &HeaderMap, facts: Facts<'_>) -> Result<Caller, Refusal> {
        let verdict = self.judge(headers, facts).await;
        self.tally.note(&verdict);
        verdict
    }

    /// Looks up what keys are not there yet, so that the first token need not wait; also how to find out whether the
    /// metadata can be reached.
    ///
    /// # Errors
    ///
    /// If they cannot be had. [`authenticate`](Self::authenticate) tries again by itself.
    pub async fn load_keys(&self) -> Result<(), Refusal> {
        let now = self.clock.now();
        self.channel_keys.load(now).await?;
        self.directory_keys.load(now).await
    }

    /// How often which verdict was given so far.
    #[must_use]
    pub fn counts(&self) -> VerdictCounts {
        self.tally.counts()
    }

    async fn judge(&self, headers: &HeaderMap, facts: Facts<'_>) -> Result<Caller, Refusal> {
        let token = Token::parse(bearer(headers)?)?;
        let now = self.clock.now();
        let kind = self.rules.screen(&token.claims, facts, seconds(now))?;
        let kid = token.kid.as_deref().ok_or(RefusalReason::NoKeyId)?;
        let source = match kind {
            CallerKind::Channel => &self.channel_keys,
            CallerKind::Emulator | CallerKind::Skill => &self.directory_keys,
        };
        let key = source.key(kid, now).await?;
        if !key.verifies(token.message, &token.signature) {
            return Err(RefusalReason::BadSignature.into());
        }
        self.rules.admit(kind, &token.claims, facts, key.endorsements())?;
        Ok(self.caller(kind, token.claims))
    }

    fn caller(&self, kind: CallerKind, claims: Claims) -> Caller {
        let mut caller = Caller {
            kind,
            claims: kept(claims),
            caller_id: None,
        };
        caller.caller_id = match kind {
            CallerKind::Channel => self.caller_id.clone(),
            CallerKind::Emulator => None,
            CallerKind::Skill => caller
                .parent_app_id()
                .map(|app_id| format!("urn:botframework:aadappid:{app_id}")),
        };
        caller
    }
}

/// The claims that go with a conversation reference (protocol, section 8), and the channel's.
fn kept(claims: Claims) -> BTreeMap<String, String> {
    [
        ("aud", claims.aud),
        ("azp", claims.azp),
        ("appid", claims.appid),
        ("iss", claims.iss),
        ("tid", claims.tid),
        ("ver", claims.ver),
        ("idtyp", claims.idtyp),
        ("serviceurl", claims.serviceurl),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), value?)))
    .collect()
}

fn seconds(now: SystemTime) -> f64 {
    now.duration_since(SystemTime::UNIX_EPOCH)
        .as_ref()
        .map_or(0.0, Duration::as_secs_f64)
}
