//! What `tidings doctor` looks at: whether the bot will work as it is configured, before a user notices that it does not.
//!
//! Each check is a [`Finding`] of one line, with what to do about it. The checks change nothing: no message is sent, no
//! database is created. What needs the network is asked for through [`TokenProbe`] and [`MetadataProbe`].

mod address;
mod app;
mod capability;
mod clock;
mod credential;
mod credentials_probe;
mod database;
mod finding;
mod hosts;
mod key_probe;
mod metadata;
mod probe;
mod public_address;
mod target;

use std::sync::Arc;
use std::time::Duration;

use tidings_connector::ServiceUrlPolicy;
use tidings_store::{Clock, SystemClock};

use crate::config::Config;
pub use credentials_probe::CredentialsProbe;
pub use finding::{Finding, Report, Verdict};
pub use key_probe::KeyProbe;
pub use probe::{Answered, MetadataProbe, ProbeError, TokenProbe};

/// Examines a configuration.
///
/// ```no_run
/// # async fn example() -> Result<(), tidings_server::ConfigError> {
/// use tidings_server::{Config, Flags, doctor::Doctor};
///
/// let config = Config::load(&Flags::default())?;
/// let report = Doctor::new(&config).over_the_network().examine().await;
/// for finding in &report.findings {
///     println!("{}: {}", finding.check, finding.says);
/// }
/// # Ok(())
/// # }
/// ```
pub struct Doctor<'a> {
    config: &'a Config,
    service_urls: ServiceUrlPolicy,
    token: Option<Arc<dyn TokenProbe>>,
    metadata: Option<Arc<dyn MetadataProbe>>,
    clock: Arc<dyn Clock>,
    patience: Duration,
    target: Option<String>,
}

impl<'a> Doctor<'a> {
    /// Examines `config`, without probes until [`over_the_network`](Self::over_the_network).
    #[must_use]
    pub fn new(config: &'a Config) -> Self {
        Self {
            config,
            service_urls: config.service_urls(),
            token: None,
            metadata: None,
            clock: Arc::new(SystemClock),
            patience: config.send_timeout,
            target: None,
        }
    }

    /// Asks for a token with the bot's credential, and for the metadata of keys where they are published.
    #[must_use]
    pub fn over_the_network(self) -> Self {
        let token = CredentialsProbe::of(self.config);
        let metadata = Arc::new(KeyProbe::new(self.patience));
        let with_metadata = self.metadata_probe(metadata);
        match token {
            Some(token) => with_metadata.token_probe(token),
            None => with_metadata,
        }
    }

    /// Asks for a token with `probe`.
    #[must_use]
    pub fn token_probe(mut self, probe: Arc<dyn TokenProbe>) -> Self {
        self.token = Some(probe);
        self
    }

    /// Fetches the metadata of keys with `probe`.
    #[must_use]
    pub fn metadata_probe(mut self, probe: Arc<dyn MetadataProbe>) -> Self {
        self.metadata = Some(probe);
        self
    }

    /// The time on this machine.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// How long each probe may take: `send_timeout` unless told.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Looks also at whether a message to this conversation would arrive, without sending one.
    #[must_use]
    pub fn target(mut self, conversation_id: impl Into<String>) -> Self {
        self.target = Some(conversation_id.into());
        self
    }

    /// Makes every check, in an order that reads from the bot's registration outwards.
    pub async fn examine(&self) -> Report {
        let mut findings = app::check(self.config);
        let mut dates = Vec::new();
        findings.push(credential::check(self, &mut dates).await);
        findings.extend(metadata::check(self, &mut dates).await);
        findings.push(clock::check(&dates));
        let (address, served) = address::check(self.config).await;
        let (database, inspection) = database::check(self.config, served);
        findings.extend([database, address]);
        findings.extend(public_address::check(self.config));
        findings.extend(hosts::check(self.config));
        if let Some(conversation_id) = &self.target {
            findings.extend(target::check(self, conversation_id, inspection.as_ref()));
        }
        Report { findings }
    }

    /// A probe's answer, or that it took too long.
    async fn patiently<T>(
        &self,
        probe: impl Future<Output = Result<T, ProbeError>> + Send,
    ) -> Result<T, ProbeError> {
        tokio::time::timeout(self.patience, probe)
            .await
            .unwrap_or_else(|_| {
                let problem = format!("no answer within {} s", self.patience.as_secs_f32());
                Err(ProbeError::Unreachable(problem))
            })
    }
}

#[cfg(test)]
mod tests;
