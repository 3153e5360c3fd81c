//! Where an app's tokens come from.

use url::Url;

use crate::service_url::is_this_machine;
use crate::{AppRegistration, AppType, Cloud, CredentialsError};

/// The token endpoint of the authority (protocol, section 3.3): that of `ToChannelFromBotLoginUrl`, in which all but
/// multi-tenant bots replace the tenant by their own.
pub(super) fn token_endpoint(registration: &AppRegistration, cloud: &Cloud) -> Result<Url, CredentialsError> {
    let mut authority = address("ToChannelFromBotLoginUrl", &cloud.login_url)?;
    https_or(is_this_machine, "ToChannelFromBotLoginUrl", &authority)?;
    let tenant = match registration.app_type {
        AppType::MultiTenant => None,
        AppType::SingleTenant | AppType::UserAssignedMsi => Some(tenant(registration)?),
    };
    {
        let mut path = authority
            .path_segments_mut()
            .map_err(|()| CredentialsError::configuration("ToChannelFromBotLoginUrl has no path"))?;
        path.pop_if_empty();
        if let Some(tenant) = tenant {
            path.pop().push(tenant);
        }
        path.extend(["oauth2", "v2.0", "token"]);
    }
    Ok(authority)
}

fn tenant(registration: &AppRegistration) -> Result<&str, CredentialsError> {
    let tenant = registration.tenant_id.as_deref().map_or("", str::trim);
    let fault = if tenant.is_empty() {
        "missing"
    } else if !tenant
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
        || tenant.bytes().all(|byte| byte == b'.')
    {
        "not a tenant's id or domain"
    } else {
        return Ok(tenant);
    };
    Err(CredentialsError::configuration(format!(
        "MicrosoftAppTenantId is {fault}: MicrosoftAppType={} needs the id of the bot's own tenant there",
        registration.app_type.as_str()
    )))
}

/// A setting that is the address of a service.
pub(super) fn address(setting: &str, text: &str) -> Result<Url, CredentialsError> {
    let wrong =
        |why: &str| CredentialsError::configuration(format!("{setting} is no address to call: {why}"));
    let url = Url::parse(text.trim()).map_err(|error| wrong(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("only http and https are possible"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("it holds a user name or password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("it holds a query or a fragment"));
    }
    Ok(url)
}

/// Refuses an address by plain `http`, unless its host is one where that is meant.
pub(super) fn https_or(
    plain: impl Fn(&str) -> bool,
    setting: &str,
    url: &Url,
) -> Result<(), CredentialsError> {
    let host = url.host_str().unwrap_or_default();
    if url.scheme() == "https" || plain(host) {
        return Ok(());
    }
    Err(CredentialsError::configuration(format!(
        "{setting} calls `{host}` by http, which would show the bot's secret to everybody on the way: write https"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(
        login_url: &str,
        app_type: AppType,
        tenant_id: Option<&str>,
    ) -> Result<String, CredentialsError> {
        let mut cloud = Cloud::public();
        login_url.clone_into(&mut cloud.login_url);
        let registration = AppRegistration {
            app_id: "app".to_owned(),
            app_type,
            tenant_id: tenant_id.map(str::to_owned),
        };
        token_endpoint(&registration, &cloud).map(String::from)
    }

    #[test]
    fn only_a_multi_tenant_bot_keeps_the_tenant_of_the_cloud() {
        use AppType::{MultiTenant, SingleTenant, UserAssignedMsi};
        for (login_url, app_type, tenant, expected) in [
            (
                "https://l.example/botframework.com",
                MultiTenant,
                None,
                "https://l.example/botframework.com/oauth2/v2.0/token",
            ),
            (
                "https://l.example/botframework.com/",
                MultiTenant,
                Some("t-1"),
                "https://l.example/botframework.com/oauth2/v2.0/token",
            ),
            (
                "https://l.example/botframework.com",
                SingleTenant,
                Some(" t-1 "),
                "https://l.example/t-1/oauth2/v2.0/token",
            ),
            (
                "https://l.example/botframework.com/",
                UserAssignedMsi,
                Some("c.example"),
                "https://l.example/c.example/oauth2/v2.0/token",
            ),
            (
                "https://l.example/a/b",
                SingleTenant,
                Some("t"),
                "https://l.example/a/t/oauth2/v2.0/token",
            ),
            (
                "https://l.example",
                SingleTenant,
                Some("t"),
                "https://l.example/t/oauth2/v2.0/token",
            ),
            (
                "http://127.0.0.1:9/x",
                MultiTenant,
                None,
                "http://127.0.0.1:9/x/oauth2/v2.0/token",
            ),
            (
                "http://localhost:9",
                MultiTenant,
                None,
                "http://localhost:9/oauth2/v2.0/token",
            ),
            (
                "http://[::1]/x",
                MultiTenant,
                None,
                "http://[::1]/x/oauth2/v2.0/token",
            ),
        ] {
            assert_eq!(endpoint(login_url, app_type, tenant).expect(login_url), expected);
        }
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for tenant in [
            None,
            Some(""),
            Some("  "),
            Some("a/b"),
            Some(".."),
            Some("a b"),
            Some("a?b"),
        ] {
            let error =
                endpoint("https://l.example/x", AppType::SingleTenant, tenant).expect_err("no tenant");
            assert!(error.is_configuration());
            assert!(error.message.contains("MicrosoftAppTenantId"), "{error}");
            assert!(error.message.contains("MicrosoftAppType=SingleTenant"), "{error}");
        }
        for login_url in [
            "",
            "login",
            "ftp://l.example/x",
            "https://u:p@l.example/x",
            "https://l.example/x?y",
            "https://l.example/x#y",
            "http://l.example/x",
            "http://10.0.0.1/x",
            "http://localhost.example/x",
        ] {
            let error = endpoint(login_url, AppType::MultiTenant, None).expect_err(login_url);
            assert!(error.is_configuration());
            assert!(error.message.starts_with("ToChannelFromBotLoginUrl "), "{error}");
        }
    }
}
