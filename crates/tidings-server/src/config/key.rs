//! The one list of keys: name in tidings.toml, names in the environment, flag.

/// One setting and the names it goes by.
pub(crate) struct Key {
    /// Name in `tidings.toml`.
    pub(crate) name: &'static str,
    /// Names in the environment and `.env`; the first that is set counts.
    pub(crate) environment: &'static [&'static str],
    /// Name of the flag, without the dashes.
    pub(crate) flag: Option<&'static str>,
    /// Name of the setting of an Agents SDK connection that means the same.
    pub(crate) connection: Option<&'static str>,
    /// Whether an empty value is as none: what stands lower counts.
    pub(crate) optional: bool,
    /// Whether the value is never shown.
    pub(crate) secret: bool,
}

const fn key(name: &'static str, environment: &'static [&'static str]) -> Key {
    Key {
        name,
        environment,
        flag: None,
        connection: None,
        optional: false,
        secret: false,
    }
}

const fn flag(name: &'static str, environment: &'static [&'static str], flag: &'static str) -> Key {
    Key {
        flag: Some(flag),
        ..key(name, environment)
    }
}

const fn optional(name: &'static str, environment: &'static [&'static str]) -> Key {
    Key {
        optional: true,
        ..key(name, environment)
    }
}

const fn secret(name: &'static str, environment: &'static [&'static str]) -> Key {
    Key {
        secret: true,
        ..optional(name, environment)
    }
}

impl Key {
    const fn or_connection(self, setting: &'static str) -> Self {
        Self {
            connection: Some(setting),
            ..self
        }
    }
}

/// The variable that hosting platforms set: a port, not an address.
pub(crate) const PORT: &str = "PORT";

pub(crate) const APP_ID: Key = optional("app_id", &["MicrosoftAppId"]).or_connection("clientId");
pub(crate) const APP_TYPE: Key = optional("app_type", &["MicrosoftAppType"]);
pub(crate) const APP_TENANT_ID: Key =
    optional("app_tenant_id", &["MicrosoftAppTenantId"]).or_connection("tenantId");
pub(crate) const BOT_FILE: Key = optional("bot_file", &["botFilePath"]);
pub(crate) const BOT_FILE_SECRET: Key = secret("bot_file_secret", &["botFileSecret"]);
pub(crate) const BOT_FILE_ENDPOINT: Key = optional("bot_file_endpoint", &["TIDINGS_BOT_FILE_ENDPOINT"]);

pub(crate) const KEYS: &[Key] = &[
    flag("listen", &["TIDINGS_LISTEN", PORT], "listen"),
    flag("database", &["TIDINGS_DATABASE"], "database"),
    key("database_max_pages", &["TIDINGS_DATABASE_MAX_PAGES"]),
    key("bot_name", &["TIDINGS_BOT_NAME"]),
    APP_ID,
    secret("app_password", &["MicrosoftAppPassword"]).or_connection("clientSecret"),
    APP_TYPE,
    APP_TENANT_ID,
    optional("certificate_file", &["TIDINGS_CERTIFICATE_FILE"]),
    optional("certificate_thumbprint", &["CertificateThumbprint"]),
    secret("certificate_key", &["CertificatePrivateKey"]),
    optional("certificate_key_file", &["TIDINGS_CERTIFICATE_KEY_FILE"]),
    optional("federated_client_id", &["TIDINGS_FEDERATED_CLIENT_ID"]),
    optional("federated_token_file", &["TIDINGS_FEDERATED_TOKEN_FILE"]),
    BOT_FILE,
    BOT_FILE_SECRET,
    BOT_FILE_ENDPOINT,
    // The cloud before what is replaced in it.
    optional("channel_service", &["ChannelService"]),
    optional("login_url", &["ToChannelFromBotLoginUrl"]),
    optional("oauth_scope", &["ToChannelFromBotOAuthScope"]),
    optional("channel_issuer", &["ToBotFromChannelTokenIssuer"]),
    optional(
        "channel_metadata_url",
        &["ToBotFromChannelOpenIdMetadataUrl", "BotOpenIdMetadata"],
    ),
    optional("emulator_metadata_url", &["ToBotFromEmulatorOpenIdMetadataUrl"]),
    optional("oauth_url", &["OAuthUrl", "OAuthApiEndpoint"]),
    optional("caller_id", &["CallerId"]),
    optional("public_url", &["TIDINGS_PUBLIC_URL"]),
    optional("allowed_callers", &["TIDINGS_ALLOWED_CALLERS"]),
    optional("local_channel", &["TIDINGS_LOCAL_CHANNEL"]),
    secret("direct_line_secret", &["TIDINGS_DIRECT_LINE_SECRET"]),
    key("slow_turn_after", &["TIDINGS_SLOW_TURN_AFTER"]),
    key("lease", &["TIDINGS_LEASE"]),
    key("max_backlog", &["TIDINGS_MAX_BACKLOG"]),
    key("max_tenant_backlog", &["TIDINGS_MAX_TENANT_BACKLOG"]),
    key("retention", &["TIDINGS_RETENTION"]),
    key("allowed_hosts", &["TIDINGS_ALLOWED_HOSTS"]),
    key("allowed_service_hosts", &["TIDINGS_ALLOWED_SERVICE_HOSTS"]),
    key("max_connections", &["TIDINGS_MAX_CONNECTIONS"]),
    key("header_timeout", &["TIDINGS_HEADER_TIMEOUT"]),
    key("body_timeout", &["TIDINGS_BODY_TIMEOUT"]),
    key("connect_timeout", &["TIDINGS_CONNECT_TIMEOUT"]),
    key("send_timeout", &["TIDINGS_SEND_TIMEOUT"]),
    key("shutdown_timeout", &["TIDINGS_SHUTDOWN_TIMEOUT"]),
    optional("otlp_endpoint", &["OTEL_EXPORTER_OTLP_ENDPOINT"]),
    secret("otlp_headers", &["OTEL_EXPORTER_OTLP_HEADERS"]),
    key("service_name", &["OTEL_SERVICE_NAME"]),
    key("trace_ratio", &["OTEL_TRACES_SAMPLER_ARG"]),
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
