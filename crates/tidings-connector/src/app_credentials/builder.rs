//! How an app's credentials are set up.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::provider::Provider;
use super::token_cache::TokenCache;
use super::{AppCredentials, AppProof};
use crate::{AppRegistration, Cloud, CredentialsError};

/// One request for a token, from the name of the host to the last byte of the answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What tells the time.
pub(super) type Now = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// Sets up [`AppCredentials`]. Made by [`AppCredentials::builder`].
#[must_use = "a builder does nothing until `build` is called"]
pub struct AppCredentialsBuilder {
    registration: AppRegistration,
    cloud: Cloud,
    proof: AppProof,
    timeout: Duration,
    now: Now,
}

impl AppCredentials {
    /// As [`AppCredentials::new`], with more to set.
    pub fn builder(registration: &AppRegistration, cloud: &Cloud, proof: AppProof) -> AppCredentialsBuilder {
        AppCredentialsBuilder {
            registration: registration.clone(),
            cloud: cloud.clone(),
            proof,
            timeout: TIMEOUT,
            now: Arc::new(SystemTime::now),
        }
    }
}

impl AppCredentialsBuilder {
    /// The time for one request for a token; 10 seconds if not set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// What tells the time, for tests; the machine's clock if not set.
    pub fn clock(mut self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.now = Arc::new(now);
        self
    }

    /// The credentials.
    ///
    /// # Errors
    ///
    /// When a setting is missing or makes no sense; the error names it.
    pub fn build(self) -> Result<AppCredentials, CredentialsError> {
        if self.timeout.is_zero() || self.timeout > Duration::from_secs(300) {
            return Err(CredentialsError::configuration(format!(
                "the time for a token request is {:?}, it must be more than nothing and at most 5 minutes",
                self.timeout
            )));
        }
        let provider = Provider::new(
            &self.registration,
            &self.cloud,
            self.proof,
            self.timeout,
            Arc::clone(&self.now),
        )?;
        Ok(AppCredentials {
            cache: Arc::new(TokenCache::new(provider, self.now)),
        })
    }
}

impl fmt::Debug for AppCredentialsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppCredentialsBuilder")
            .field("registration", &self.registration)
            .field("proof", &self.proof)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
