//! The bot's registration: the shape of its ids, and whether type and tenant go together.

use tidings_connector::AppType;

use super::Finding;
use crate::config::Config;

pub(super) fn check(config: &Config) -> Vec<Finding> {
    match &config.app_id {
        None => vec![Finding::ok(
            "mode",
            "local: there is no app id, so nothing is authenticated and only this machine is served",
        )],
        Some(app_id) => vec![
            Finding::ok(
                "mode",
                "authenticated: there is an app id, so every request must prove where it comes from",
            ),
            id(app_id),
            registration(config),
        ],
    }
}

fn id(app_id: &str) -> Finding {
    if is_guid(app_id) {
        return Finding::ok("app id", app_id);
    }
    Finding::warning(
        "app id",
        format!("{app_id:?} does not look like an app id, which is 32 hexadecimal digits with four dashes"),
        "copy MicrosoftAppId from the bot's Configuration page in Azure (\"Microsoft App ID\")",
    )
}

fn registration(config: &Config) -> Finding {
    let kind = config.app_type.as_str();
    match (config.app_type, &config.app_tenant_id) {
        (AppType::MultiTenant, None) => Finding::ok("app type", kind),
        (AppType::MultiTenant, Some(tenant)) => Finding::warning(
            "app type",
            format!(
                "{kind}, with the tenant {tenant:?}, which is not used: if the bot is registered for this tenant only, \
                 tokens are refused with AADSTS700016"
            ),
            "set MicrosoftAppType=SingleTenant, or unset MicrosoftAppTenantId",
        ),
        (_, Some(tenant)) if is_guid(tenant) || is_domain(tenant) => {
            Finding::ok("app type", format!("{kind} in tenant {tenant}"))
        }
        (_, Some(tenant)) => Finding::warning(
            "app type",
            format!("{kind}, but {tenant:?} does not look like a tenant's id or domain"),
            "copy MicrosoftAppTenantId from the bot's Configuration page in Azure (\"App Tenant ID\")",
        ),
        (_, None) => Finding::failed(
            "app type",
            format!("{kind} without a tenant"),
            "set MicrosoftAppTenantId",
        ),
    }
}

pub(super) fn is_guid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

fn is_domain(text: &str) -> bool {
    text.contains('.') && !text.contains('/') && url::Host::parse(text).is_ok()
}
