//! Whether `/api/v1` asks for a key, and whether the server may start so.

use crate::config::Config;
use crate::keys::Keys;
use crate::start_error::StartError;

/// Who may use `/api/v1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ApiAccess {
    /// Whoever reaches the loopback address; the guard keeps foreign pages out.
    Local,
    /// Whoever has a key with the scope that a route asks for.
    Keys,
}

/// Refuses what needs no database to see: an address that others can reach, and nobody authenticated.
pub(crate) fn check_listen(config: &Config) -> Result<(), StartError> {
    if config.app_id.is_none() && !config.listen.ip().is_loopback() {
        return Err(StartError::NotLoopback(config.listen));
    }
    Ok(())
}

/// How a server with this configuration and these keys guards its API.
///
/// Without an app id nothing is authenticated, so it listens on loopback only. With one, keys are asked for on every
/// address; on an address that others can reach there must be a key, or nobody could ever use the API.
pub(crate) fn access_for(config: &Config, keys: &Keys) -> Result<ApiAccess, StartError> {
    check_listen(config)?;
    match config.app_id {
        None => Ok(ApiAccess::Local),
        Some(_) if config.listen.ip().is_loopback() || keys.any_live() => Ok(ApiAccess::Keys),
        Some(_) => Err(StartError::NoKey(config.listen)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::SignedDuration;
    use tidings_store::{Clock as _, Database, ManualClock};

    use super::*;
    use crate::keys::{NewKey, Scope};
    use crate::schema;

    fn config(listen: &str, app_id: Option<&str>) -> Config {
        Config {
            listen: listen.parse().unwrap(),
            app_id: app_id.map(str::to_owned),
            ..Config::default()
        }
    }

    #[tokio::test]
    async fn an_address_that_others_can_reach_needs_an_app_id_and_a_live_key() {
        let database = Database::temporary([schema::MIGRATIONS]).unwrap();
        let clock = ManualClock::new("2026-11-27T12:00:00Z".parse().unwrap());
        let keys = Keys::open(database, Arc::new(clock.clone())).await.unwrap();
        let access = |listen: &str, app_id: Option<&str>| {
            access_for(&config(listen, app_id), &keys).map_err(|error| (error.exit_code(), error.to_string()))
        };
        for loopback in ["127.0.0.1:3978", "127.9.9.9:1", "[::1]:0"] {
            assert_eq!(access(loopback, None), Ok(ApiAccess::Local), "{loopback}");
            assert_eq!(access(loopback, Some("app")), Ok(ApiAccess::Keys), "{loopback}");
        }
        for reachable in ["0.0.0.0:3978", "[::]:3978", "192.0.2.1:3978"] {
            let (code, message) = access(reachable, None).unwrap_err();
            assert_eq!(code, 78);
            assert!(
                message.contains("MicrosoftAppId") && message.contains("tidings keys create"),
                "{message}"
            );
            let (code, message) = access(reachable, Some("app")).unwrap_err();
            assert_eq!(code, 78);
            for command in [
                "`tidings keys create --scope jobs:read",
                "then `tidings serve`",
                reachable,
            ] {
                assert!(message.contains(command), "{message}");
            }
        }
        let new = NewKey {
            name: "first".to_owned(),
            scopes: vec![Scope::JobsRead],
            expires_at: Some(clock.now() + SignedDuration::from_hours(1)),
        };
        let first = keys.create(new.clone(), None).await.unwrap();
        assert_eq!(access("0.0.0.0:3978", Some("app")), Ok(ApiAccess::Keys));
        assert!(access("0.0.0.0:3978", None).is_err());
        clock.advance(SignedDuration::from_hours(1));
        assert!(access("0.0.0.0:3978", Some("app")).is_err());
        let new = NewKey {
            expires_at: None,
            ..new
        };
        let second = keys.create(new, None).await.unwrap();
        assert_ne!(first.key.id, second.key.id);
        assert_eq!(access("0.0.0.0:3978", Some("app")), Ok(ApiAccess::Keys));
        keys.revoke(&second.key.id, None).await.unwrap();
        assert!(access("0.0.0.0:3978", Some("app")).is_err());
    }
}
