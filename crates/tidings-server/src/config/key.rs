//! The one list of keys: name in tidings.toml, names in the environment, flag.

/// One setting and the names it goes by.
pub(crate) struct Key {
    /// Name in `tidings.toml`.
    pub(crate) name: &'static str,
    /// Names in the environment and `.env`; the first that is set counts.
    pub(crate) environment: &'static [&'static str],
    /// Name of the flag, without the dashes.
    pub(crate) flag: Option<&'static str>,
}

const fn key(name: &'static str, environment: &'static [&'static str]) -> Key {
    Key {
        name,
        environment,
        flag: None,
    }
}

const fn flag(name: &'static str, environment: &'static [&'static str], flag: &'static str) -> Key {
    Key {
        name,
        environment,
        flag: Some(flag),
    }
}

/// The variable that hosting platforms set: a port, not an address.
pub(crate) const PORT: &str = "PORT";

pub(crate) const KEYS: &[Key] = &[
    flag("listen", &["TIDINGS_LISTEN", PORT], "listen"),
    flag("database", &["TIDINGS_DATABASE"], "database"),
    key("database_max_pages", &["TIDINGS_DATABASE_MAX_PAGES"]),
    key("bot_name", &["TIDINGS_BOT_NAME"]),
    key("app_id", &["MicrosoftAppId"]),
    key("allowed_hosts", &["TIDINGS_ALLOWED_HOSTS"]),
    key("allowed_service_hosts", &["TIDINGS_ALLOWED_SERVICE_HOSTS"]),
    key("max_connections", &["TIDINGS_MAX_CONNECTIONS"]),
    key("header_timeout", &["TIDINGS_HEADER_TIMEOUT"]),
    key("body_timeout", &["TIDINGS_BODY_TIMEOUT"]),
    key("connect_timeout", &["TIDINGS_CONNECT_TIMEOUT"]),
    key("send_timeout", &["TIDINGS_SEND_TIMEOUT"]),
    key("shutdown_timeout", &["TIDINGS_SHUTDOWN_TIMEOUT"]),
    key("log", &["TIDINGS_LOG"]),
    flag("log_format", &["TIDINGS_LOG_FORMAT"], "log-format"),
];

/// The known key most like `name`, if one is near enough to be meant.
pub(crate) fn nearest(name: &str) -> Option<&'static str> {
    KEYS.iter()
        .map(|key| (strsim::damerau_levenshtein(name, key.name), key.name))
        .min()
        .filter(|(distance, key)| *distance <= key.len().div_ceil(3))
        .map(|(_, key)| key)
}
