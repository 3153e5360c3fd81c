//! The bot's credential: what there is, and whether a token can be had with it.

use jiff::Timestamp;

use super::{Doctor, Finding, ProbeError};
use crate::config::{AppCredential, Config};

pub(super) async fn check(doctor: &Doctor<'_>, dates: &mut Vec<(Timestamp, Timestamp)>) -> Finding {
    let config = doctor.config;
    if config.app_id.is_none() {
        return Finding::skipped("token", "local mode needs none");
    }
    let credential = name(config);
    let Some(probe) = &doctor.token else {
        return Finding::skipped("token", format!("not asked for; it would be with {credential}"));
    };
    match doctor.patiently(probe.token()).await {
        Ok(answered) => {
            dates.extend(answered.date);
            Finding::ok("token", format!("obtained with {credential}"))
        }
        Err(ProbeError::Refused(words)) => Finding::failed(
            "token",
            format!("refused with {credential}: {}", words.trim_end_matches('.')),
            "correct MicrosoftAppId, MicrosoftAppTenantId or the credential, whichever it names",
        ),
        Err(ProbeError::Unreachable(words)) => Finding::failed(
            "token",
            format!("{} gives none: {words}", config.cloud.login_url),
            "let this machine reach that address over HTTPS (proxy, firewall), or check ToChannelFromBotLoginUrl",
        ),
    }
}

fn name(config: &Config) -> &'static str {
    match config.credential() {
        Some(AppCredential::Password(_)) => "the client secret",
        Some(AppCredential::Certificate { .. }) => "the certificate",
        Some(AppCredential::Federated { .. }) => "the federated credential",
        Some(AppCredential::ManagedIdentity) => "the managed identity",
        None => "no credential",
    }
}
