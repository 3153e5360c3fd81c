//! A configuration for people to read: nothing that is secret stands in it.

use std::fmt;

use super::Config;
use crate::database::without_secrets;

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // By name, so that none is forgotten. Secrets show nothing of themselves.
        let Self {
            listen,
            database,
            database_max_pages,
            bot_name,
            app_id,
            app_password,
            app_type,
            app_tenant_id,
            certificate_file,
            certificate_thumbprint,
            certificate_key,
            certificate_key_file,
            federated_client_id,
            federated_token_file,
            cloud,
            allowed_callers,
            public_url,
            local_channel,
            direct_line_secret,
            slow_turn_after,
            lease,
            max_backlog,
            max_tenant_backlog,
            retention,
            allowed_hosts,
            allowed_service_hosts,
            max_connections,
            header_timeout,
            body_timeout,
            connect_timeout,
            send_timeout,
            shutdown_timeout,
            otlp_endpoint,
            otlp_headers,
            service_name,
            trace_ratio,
            log,
            log_format,
        } = self;
        f.debug_struct("Config")
            .field("listen", listen)
            .field("database", &without_secrets(database))
            .field("database_max_pages", database_max_pages)
            .field("bot_name", bot_name)
            .field("app_id", app_id)
            .field("app_password", app_password)
            .field("app_type", app_type)
            .field("app_tenant_id", app_tenant_id)
            .field("certificate_file", certificate_file)
            .field("certificate_thumbprint", certificate_thumbprint)
            .field("certificate_key", certificate_key)
            .field("certificate_key_file", certificate_key_file)
            .field("federated_client_id", federated_client_id)
            .field("federated_token_file", federated_token_file)
            .field("cloud", cloud)
            .field("allowed_callers", allowed_callers)
            .field("public_url", public_url)
            .field("local_channel", local_channel)
            .field("direct_line_secret", direct_line_secret)
            .field("slow_turn_after", slow_turn_after)
            .field("lease", lease)
            .field("max_backlog", max_backlog)
            .field("max_tenant_backlog", max_tenant_backlog)
            .field("retention", retention)
            .field("allowed_hosts", allowed_hosts)
            .field("allowed_service_hosts", allowed_service_hosts)
            .field("max_connections", max_connections)
            .field("header_timeout", header_timeout)
            .field("body_timeout", body_timeout)
            .field("connect_timeout", connect_timeout)
            .field("send_timeout", send_timeout)
            .field("shutdown_timeout", shutdown_timeout)
            .field("log", log)
            .field("log_format", log_format)
            .field("otlp_endpoint", otlp_endpoint)
            .field("otlp_headers", otlp_headers)
            .field("service_name", service_name)
            .field("trace_ratio", trace_ratio)
            .finish()
    }
}
