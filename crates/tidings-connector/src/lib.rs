//! Bot to channel over HTTP: the client of the Bot Connector REST API v3.
//!
//! A channel names its connector in every activity it sends (`serviceUrl`). [`ConnectorClient`] calls that connector:
//! it sends, updates and deletes activities, creates conversations, reads rosters and moves attachments.
//!
//! A send has three outcomes, never two, so an error says how far it came: [`SendError::phase`] is
//! [`Phase::BeforeBody`] only if it is proved that no byte of the request's body left this process. Nothing is sent
//! twice here; whether to send again is decided by who knows what the activity is worth.
//!
//! Two seams decide whom the client talks to and as whom: [`ServiceUrlPolicy`] and [`Credentials`].
//!
//! The other direction is [`jwt`]: who sends an activity to the bot.
//!
//! ```
//! use tidings_connector::{ConnectorClient, ServiceUrlPolicy};
//!
//! # fn main() -> Result<(), tidings_connector::BuildError> {
//! let connector = ConnectorClient::builder()
//!     .service_urls(ServiceUrlPolicy::local().allow("bots.example.test:8443"))
//!     .product("weather-bot/1.2.0")
//!     .build()?;
//! # let _ = connector;
//! # Ok(())
//! # }
//! ```

mod answer;
mod app_credentials;
mod bot_file;
mod client;
mod cloud;
pub mod code;
mod credentials;
mod credentials_error;
mod departure;
mod http_client;
pub mod jwt;
mod path;
mod registration;
mod resolver;
mod retry_after;
mod send_error;
mod service_url;
pub mod spans;
#[cfg(feature = "test-idp")]
pub mod test_idp;
mod transport;

pub use app_credentials::{
    AppCredentials, AppCredentialsBuilder, AppProof, ClientCertificate, FederatedAssertion, ManagedIdentity,
};
pub use bot_file::{BotFile, BotFileError, BotFileSecret, BotService};
pub use client::ConnectorClient;
pub use client::builder::{BuildError, ConnectorClientBuilder};
pub use cloud::Cloud;
pub use credentials::{Anonymous, Credentials, TokenRequest};
pub use credentials_error::{CredentialsError, CredentialsErrorKind};
pub use http_client::HttpClient;
pub use registration::{AppRegistration, AppType};
pub use resolver::{Resolver, SystemResolver};
pub use send_error::{Phase, SendError};
pub use service_url::ServiceUrlPolicy;
pub use service_url::error::ServiceUrlError;
