use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use tidings_proactive::{Backlog, EngineStats};

use super::families::Families;
use super::names;

/// What the engine has to say.
#[derive(Debug)]
pub(super) struct Engine(pub(super) EngineStats);

impl Collector for Engine {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut families = Families(encoder);
        let stats = &self.0;
        if let Some(backlog) = &stats.backlog {
            owed(&mut families, backlog)?;
        }
        families.one(&names::ACCEPTED, stats.accepted)?;
        let ended = stats.ended.iter();
        families.all(
            &names::ENDED,
            ended.map(|(state, count)| ([state.as_str()], *count)),
        )?;
        families.one(&names::IN_FLIGHT, stats.in_flight)?;
        families.one(&names::CLAIMS, stats.claims)?;
        let attempts = stats.attempts.iter().map(|(outcome, count)| {
            let outcome = outcome.map_or("delivered", |outcome| outcome.as_str());
            ([outcome], *count)
        });
        families.all(&names::ATTEMPTS, attempts)?;
        let waits = stats.waits.iter();
        families.all(
            &names::WAITS,
            waits.map(|(reason, count)| ([reason.as_str()], *count)),
        )?;
        let breakers = stats.breakers.iter().take(EngineStats::BREAKERS);
        families.all(
            &names::BREAKERS,
            breakers.map(|breaker| {
                let words = [breaker.host.as_str(), &breaker.tenant, breaker.state.as_str()];
                (words, 1_u64)
            }),
        )?;
        families.one(&names::LEASE_LOSSES, stats.lease_losses)?;
        families.one(&names::TAKEOVERS, stats.takeovers)?;
        families.one(&names::CYCLES, stats.cycles)
    }
}

fn owed(families: &mut Families<'_>, backlog: &Backlog) -> fmt::Result {
    let counts = [
        ("scheduled", backlog.scheduled),
        ("held", backlog.held),
        ("available", backlog.available),
        ("retryable", backlog.retryable),
    ];
    families.all(&names::DELIVERIES, counts.map(|(state, count)| ([state], count)))?;
    let ages = [
        ("available", backlog.oldest_available),
        ("retryable", backlog.oldest_retryable),
    ];
    // Zero, so that an alert on it ends when there is none.
    families.all(
        &names::OLDEST,
        ages.map(|(state, age)| ([state], age.unwrap_or_default())),
    )?;
    families.one(&names::LAG, backlog.lag)
}
