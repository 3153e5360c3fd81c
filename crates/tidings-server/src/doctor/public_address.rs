//! The address that channels reach the bot by.

use url::Url;

use super::Finding;
use crate::config::{Config, is_loopback};

pub(super) fn check(config: &Config) -> Option<Finding> {
    config.app_id.as_ref()?;
    let Some(address) = &config.public_url else {
        return Some(Finding::warning(
            "public address",
            "not set, so it cannot be said where channels reach the bot",
            "set TIDINGS_PUBLIC_URL to the https address of this server, and the bot's messaging endpoint in Azure to \
             that address with /api/messages behind it",
        ));
    };
    let fits = Url::parse(address)
        .is_ok_and(|url| url.scheme() == "https" && url.host().is_some_and(|host| !is_loopback(&host)));
    Some(if fits {
        Finding::ok(
            "public address",
            format!("{address}: the messaging endpoint in Azure must be {address}/api/messages"),
        )
    } else {
        Finding::warning(
            "public address",
            format!("{address} cannot be reached from the internet"),
            "set TIDINGS_PUBLIC_URL to the https address that a proxy or tunnel gives this server",
        )
    })
}
