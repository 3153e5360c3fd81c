//! The credentials of a bot that is registered: tokens from the cloud's identity provider.

mod authority;
mod builder;
mod certificate;
mod grant;
mod managed_identity;
mod provider;
mod refusal;
mod token_cache;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use http::HeaderValue;
use secrecy::SecretString;

pub use self::builder::AppCredentialsBuilder;
pub use self::certificate::ClientCertificate;
pub use self::managed_identity::ManagedIdentity;
use self::token_cache::TokenCache;
use crate::{AppRegistration, Cloud, Credentials, CredentialsError, TokenRequest};

/// How an app proves to the identity provider who it is (protocol, section 3.3).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum AppProof {
    /// A client secret: `MicrosoftAppPassword`.
    ClientSecret(SecretString),
    /// A certificate: an assertion that is signed with its key.
    Certificate(ClientCertificate),
    /// The managed identity that is assigned to this machine and has the app's own id: `UserAssignedMsi`.
    ManagedIdentity(ManagedIdentity),
    /// A federated credential of the app: somebody else's token as the assertion.
    Federated(FederatedAssertion),
}

/// Where the assertion of a federated credential comes from.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum FederatedAssertion {
    /// A managed identity, whose token for `api://AzureADTokenExchange` (or its name in the sovereign cloud) it is.
    ManagedIdentity {
        /// Who hands out the identity's tokens.
        identity: ManagedIdentity,
        /// The identity's client id (`FederatedClientId`), which is not the app's; `None` for the one that the system
        /// assigned.
        client_id: Option<String>,
    },
    /// A file that somebody keeps fresh, as workload identity does (`AZURE_FEDERATED_TOKEN_FILE`). Read for each token.
    TokenFile(PathBuf),
}

/// Tokens for an app, kept until they get old. A clone is cheap and shares them.
///
/// - One token for each audience, at most 64 audiences beside the channels; the one that was not used for longest goes.
/// - A token is replaced five minutes before its end (or after half its life, if that is shorter than ten minutes), in
///   the background: the old one serves until the new one is there, also if that takes several tries.
/// - One request at a time for each audience, however many calls wait for it. A request is tried three times; after a
///   failure the same error is answered for a second, then two, up to a minute (or what `Retry-After` says, up to five).
/// - A token that a connector answers with 401 is dropped, at most every 30 seconds for each audience.
///
/// ```
/// use tidings_connector::{AppCredentials, AppProof, AppRegistration, AppType, Cloud, ConnectorClient, ServiceUrlPolicy};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let registration = AppRegistration {
///     app_id: "6f1c7e2a-0d53-4b0e-9d6f-1c5b2b6f8a10".to_owned(),
///     app_type: AppType::SingleTenant,
///     tenant_id: Some("contoso.onmicrosoft.com".to_owned()),
/// };
/// let proof = AppProof::ClientSecret("the value of MicrosoftAppPassword".into());
/// let credentials = AppCredentials::new(&registration, &Cloud::public(), proof)?;
/// assert_eq!(
///     credentials.token_endpoint(),
///     "https://login.microsoftonline.com/contoso.onmicrosoft.com/oauth2/v2.0/token"
/// );
/// let connector = ConnectorClient::builder()
///     .service_urls(ServiceUrlPolicy::microsoft())
///     .credentials(std::sync::Arc::new(credentials))
///     .build()?;
/// # let _ = connector;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct AppCredentials {
    cache: Arc<TokenCache>,
}

impl AppCredentials {
    /// The credentials of the app `registration` in `cloud`.
    ///
    /// # Errors
    ///
    /// When a setting is missing or makes no sense; the error names it. Nothing is called yet.
    pub fn new(
        registration: &AppRegistration,
        cloud: &Cloud,
        proof: AppProof,
    ) -> Result<Self, CredentialsError> {
        Self::builder(registration, cloud, proof).build()
    }

    /// Where tokens are asked for: the authority's token endpoint, or the managed identity's.
    #[must_use]
    pub fn token_endpoint(&self) -> &str {
        self.cache.provider().endpoint()
    }
}

#[async_trait]
impl Credentials for AppCredentials {
    async fn authorization(
        &self,
        request: &TokenRequest<'_>,
    ) -> Result<Option<HeaderValue>, CredentialsError> {
        self.cache.token(request.audience).await.map(Some)
    }

    fn drop_refused(&self, request: &TokenRequest<'_>, refused: &HeaderValue) -> bool {
        self.cache.drop_refused(request.audience, refused)
    }
}

impl fmt::Debug for AppCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppCredentials")
            .field("provider", self.cache.provider())
            .finish_non_exhaustive()
    }
}
