//! The bot's credential: what there is, and whether a token can be had with it.

use jiff::Timestamp;

use super::{Doctor, Finding, ProbeError};
use crate::config::{AppCredential, Config};

/// Azure's error numbers, and what helps.
const ADVICE: &[(u32, &str)] = &[
    (
        700_016,
        "the app is not in the tenant that was asked: a single-tenant bot needs MicrosoftAppType=SingleTenant and the \
         MicrosoftAppTenantId of its registration; else check MicrosoftAppId",
    ),
    (
        7_000_215,
        "MicrosoftAppPassword is wrong: it must be the secret's value, not its id; make a new client secret if the value is lost",
    ),
    (
        7_000_222,
        "the client secret has expired: make a new one and set MicrosoftAppPassword",
    ),
    (90_002, "there is no such tenant: check MicrosoftAppTenantId"),
    (
        700_027,
        "the certificate is not one of the app's: upload its public part to the registration, or check the thumbprint",
    ),
    (
        70_021,
        "the app trusts no federated credential like this one: compare issuer, subject and audience with its registration",
    ),
    (
        700_213,
        "the app trusts no federated credential like this one: compare issuer, subject and audience with its registration",
    ),
    (7_000_112, "the app is disabled: enable it in its tenant"),
];

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
            format!("refused with {credential}: {words}"),
            advice(&words).unwrap_or("check MicrosoftAppId, MicrosoftAppTenantId and the credential"),
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

/// What helps against the first of Azure's error numbers in `words`.
fn advice(words: &str) -> Option<&'static str> {
    let (_, after) = words.split_once("AADSTS")?;
    let end = after
        .find(|digit: char| !digit.is_ascii_digit())
        .unwrap_or(after.len());
    let number: u32 = after[..end].parse().ok()?;
    ADVICE
        .iter()
        .find(|(known, _)| *known == number)
        .map(|(_, advice)| *advice)
}
