//! Inbound authentication: real channels can reach the bot, and only they can.
//!
//! [`Authenticator`] verifies the token of each request as sections 3.1 and 3.2 of the protocol say. A token is a
//! channel's, the Emulator's or another bot's; by that it must come from other issuers and say other things:
//!
//! | kind | issuer | must be this bot's app id | and |
//! |---|---|---|---|
//! | channel | the cloud's channel issuer | `aud` | `serviceurl` is the activity's serviceUrl; the key is endorsed for its channelId |
//! | Emulator | a listed tenant, or the bot's own | `aud`, and `appid` (`azp` in version 2.0) | |
//! | bot | as the Emulator | `aud` | `ver` is there; `appid` or `azp` is another app, and among the allowed callers |
//!
//! Each is signed with RS256, names its key, and is not older or younger than its times and 300 s of skew allow. `aud`
//! may also be `api://<app id>` or `api://botid-<app id>`.
//!
//! The questions that need no key come first. Keys are kept for 24 hours. A key that is not known makes us ask
//! the issuer again, at most once in five minutes, however many callers there are; if that fails, the old keys stay.
//!
//! Where it is stricter than the SDKs: a blank channelId or serviceUrl is refused, endorsements are always asked for,
//! the audience is also asked of the Emulator's tokens (one that the bot has sent to a channel is no proof), and a token
//! must expire. A serviceUrl is compared without regard to upper and lower case and to one slash at its end.
//!
//! ```
//! use http::{HeaderMap, StatusCode};
//! use tidings_connector::jwt::{Authenticator, AuthenticatorOptions, CallerKind, Facts};
//! use tidings_connector::{AppRegistration, Cloud};
//!
//! # async fn receive(headers: HeaderMap, activity: tidings_activity::Activity) -> Result<StatusCode, Box<dyn std::error::Error>> {
//! let registration = AppRegistration {
//!     app_id: "11111111-2222-4333-8444-555555555555".to_owned(),
//!     app_type: "MultiTenant".parse()?,
//!     tenant_id: None,
//! };
//! let options = AuthenticatorOptions::new(&registration, &Cloud::public())?;
//! let authenticator = Authenticator::new(options);
//!
//! // For each request:
//! match authenticator.authenticate(&headers, Facts::of(&activity)).await {
//!     Ok(caller) => println!("an activity from a {}", caller.kind),
//!     Err(refusal) => {
//!         eprintln!("refused ({}): {refusal}", refusal.reason());
//!         return Ok(refusal.status());
//!     }
//! }
//! # Ok(StatusCode::OK)
//! # }
//! ```

mod authenticator;
mod authorization;
mod caller;
mod facts;
mod issuer;
mod key_set;
mod key_source;
mod metadata_url;
mod options;
mod published_keys;
mod refusal;
mod rules;
mod tally;
mod token;

use std::time::Duration;

pub use authenticator::Authenticator;
pub use caller::{Caller, CallerKind};
pub use facts::Facts;
pub use options::{AuthenticatorOptions, AuthenticatorOptionsError};
pub use published_keys::PublishedKeys;
pub use refusal::{Refusal, RefusalReason};
pub use tally::VerdictCounts;

/// The longest token that is read. Issuers' tokens have one to two thousand bytes.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// The longest metadata or JWKS that is read.
const MAX_DOCUMENT_BYTES: usize = 1024 * 1024;

/// How old keys may grow (protocol, 3.1).
const KEYS_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// The least time between two look-ups of one issuer's keys. Channels publish a key long before they sign with it.
const REFETCH_FLOOR: Duration = Duration::from_secs(5 * 60);

/// The same while there are no keys at all.
const RETRY_FLOOR: Duration = Duration::from_secs(5);
