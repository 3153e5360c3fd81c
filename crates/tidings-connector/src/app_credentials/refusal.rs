//! What a token endpoint answers when it refuses, and what to do about it.

use std::time::SystemTime;

use serde_json::Value;

use crate::answer::one_line;
use crate::retry_after::retry_after;
use crate::transport::Answer;
use crate::{CredentialsError, CredentialsErrorKind};

/// So many characters of the endpoint's words are kept.
const LONGEST: usize = 500;

/// The codes of Microsoft's identity provider that say which setting is wrong.
const FIXES: [(&str, &str); 9] = [
    (
        "AADSTS700016",
        "The app is not in the tenant that was asked. If the bot is single-tenant (all that were created since August \
         2025 are), set MicrosoftAppType=SingleTenant and MicrosoftAppTenantId to its tenant; else check MicrosoftAppId",
    ),
    (
        "AADSTS7000229",
        "The app has no service principal in the tenant that was asked. If the bot is single-tenant, set \
         MicrosoftAppType=SingleTenant and MicrosoftAppTenantId to its tenant",
    ),
    (
        "AADSTS7000215",
        "MicrosoftAppPassword is wrong. It must be the value of the client secret, not its id; and the secret must be \
         this app's. For a single-tenant bot also check MicrosoftAppType=SingleTenant and MicrosoftAppTenantId",
    ),
    (
        "AADSTS7000222",
        "The client secret has expired. Make a new one and set MicrosoftAppPassword to its value",
    ),
    (
        "AADSTS90002",
        "There is no such tenant. Check MicrosoftAppTenantId, that MicrosoftAppType=SingleTenant belongs to it, and that \
         ChannelService names the right cloud",
    ),
    (
        "AADSTS700027",
        "The certificate is not the app's. Upload it to the app's registration, and check CertificateThumbprint, the \
         private key and this machine's clock",
    ),
    (
        "AADSTS70021",
        "No federated credential of the app matches the assertion. Check its issuer, subject and audience in the app's \
         registration, and the federated client id",
    ),
    (
        "AADSTS700213",
        "No federated credential of the app matches the assertion's subject. Check the app's registration and the \
         federated client id",
    ),
    (
        "AADSTS500011",
        "The audience is not known in the tenant. For a skill's parent it must be the parent's app id; else check \
         ToChannelFromBotOAuthScope and ChannelService",
    ),
];

/// The error that a refusal stands for. `secrets` are taken out of the endpoint's words, should it repeat them.
pub(super) fn refusal(
    endpoint: &str,
    answer: &Answer,
    secrets: &[&str],
    is_identity: bool,
    now: SystemTime,
) -> CredentialsError {
    let status = answer.status;
    let words = Words::of(&answer.body, secrets);
    let mut message = format!("{endpoint} answered {}", status.as_u16());
    if let Some(code) = &words.code {
        message = format!("{message} ({code})");
    }
    if status.is_redirection() {
        message += ": it redirects, which is not followed";
    } else if !words.description.is_empty() {
        message = format!("{message}: {}", words.description);
    }
    if let Some((_, fix)) = FIXES
        .iter()
        .find(|(code, _)| words.code.as_deref() == Some(*code))
    {
        message = format!("{message} {fix}.");
    }
    // The metadata service answers 404 and 410 while it is being updated.
    let passes = status.is_server_error()
        || matches!(status.as_u16(), 408 | 429)
        || (is_identity && matches!(status.as_u16(), 404 | 410))
        || words.oauth.as_deref() == Some("temporarily_unavailable");
    CredentialsError {
        message,
        kind: if passes {
            CredentialsErrorKind::Temporary
        } else {
            CredentialsErrorKind::Configuration
        },
        code: words.code,
        retry_after: retry_after(&answer.headers, now),
        source: None,
    }
}

#[derive(Default)]
struct Words {
    code: Option<String>,
    oauth: Option<String>,
    description: String,
}

impl Words {
    /// Only a body of the known form is repeated; a gateway's page is not.
    fn of(body: &[u8], secrets: &[&str]) -> Self {
        let Ok(Value::Object(body)) = serde_json::from_slice(body) else {
            return Self::default();
        };
        let text = |name: &str| {
            let text = body.get(name).and_then(Value::as_str).unwrap_or_default();
            let text = secrets
                .iter()
                .filter(|secret| !secret.is_empty())
                .fold(text.to_owned(), |text, secret| text.replace(secret, "[hidden]"));
            one_line(&text, LONGEST)
        };
        let oauth = Some(text("error")).filter(|error| !error.is_empty());
        let description = [text("error_description"), text("message")]
            .into_iter()
            .find(|text| !text.is_empty())
            .unwrap_or_default();
        let code = aadsts(&description).or_else(|| {
            let number = body.get("error_codes")?.get(0)?.as_u64()?;
            Some(format!("AADSTS{number}"))
        });
        Self {
            code: code.or_else(|| oauth.clone()),
            oauth,
            description,
        }
    }
}

fn aadsts(description: &str) -> Option<String> {
    let start = description.find("AADSTS")?;
    let digits = description[start + 6..]
        .chars()
        .take_while(char::is_ascii_digit)
        .take(12)
        .collect::<String>();
    (!digits.is_empty()).then(|| format!("AADSTS{digits}"))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, StatusCode};

    use super::*;

    fn refused(status: u16, body: &str) -> CredentialsError {
        let answer = Answer {
            status: StatusCode::from_u16(status).expect("a status"),
            headers: HeaderMap::new(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            fault: None,
        };
        refusal(
            "https://l.example/token",
            &answer,
            &["hush", ""],
            false,
            SystemTime::UNIX_EPOCH,
        )
    }

    #[test]
    fn known_codes_come_with_their_fix() {
        for (code, error, fix) in [
            (
                "AADSTS700016",
                "unauthorized_client",
                "MicrosoftAppType=SingleTenant",
            ),
            ("AADSTS7000229", "unauthorized_client", "MicrosoftAppTenantId"),
            ("AADSTS7000215", "invalid_client", "MicrosoftAppPassword"),
            ("AADSTS7000222", "invalid_client", "expired"),
            ("AADSTS90002", "invalid_request", "MicrosoftAppTenantId"),
            ("AADSTS700027", "invalid_client", "CertificateThumbprint"),
        ] {
            let body = format!(
                r#"{{"error":"{error}","error_description":"{code}: No good.\r\nTrace ID: 1","error_codes":[1]}}"#
            );
            let refusal = refused(400, &body);
            assert_eq!(refusal.code.as_deref(), Some(code));
            assert!(refusal.is_configuration());
            let text = refusal.to_string();
            assert!(
                text.contains(code) && text.contains(fix) && text.contains("answered 400"),
                "{text}"
            );
        }
    }

    #[test]
    fn other_refusals_say_what_they_can() {
        let refusal = refused(401, r#"{"error":"invalid_client","error_codes":[50034]}"#);
        assert_eq!(refusal.code.as_deref(), Some("AADSTS50034"));
        let refusal = refused(400, r#"{"error":"invalid_scope"}"#);
        assert_eq!(refusal.code.as_deref(), Some("invalid_scope"));
        let refusal = refused(400, r#"{"statusCode":400,"message":"No identity"}"#);
        assert_eq!(
            (refusal.code, refusal.kind),
            (None, CredentialsErrorKind::Configuration)
        );
        assert!(
            refusal.message.ends_with("400: No identity"),
            "{}",
            refusal.message
        );
        for body in [
            "<html>hush</html>",
            "",
            "[\"hush\"]",
            r#"{"error":{"code":"hush"}}"#,
        ] {
            assert_eq!(refused(400, body).message, "https://l.example/token answered 400");
        }
        assert!(refused(302, "").message.contains("redirects"));
    }

    #[test]
    fn secrets_are_not_repeated() {
        let refusal = refused(
            400,
            r#"{"error":"hush","error_description":"AADSTS1: hush is wrong, hush!"}"#,
        );
        assert!(!format!("{refusal:?} {refusal}").contains("hush"));
        assert!(refusal.message.contains("[hidden] is wrong"));
        let long = refused(
            400,
            &format!(r#"{{"error_description":"{}"}}"#, "x".repeat(10_000)),
        );
        assert!(long.message.len() < 600);
    }

    #[test]
    fn what_may_pass_is_told_from_what_stays() {
        for status in [408, 429, 500, 502, 503, 504] {
            assert!(!refused(status, "").is_configuration(), "{status}");
        }
        for status in [302, 400, 401, 403, 404, 410] {
            assert!(refused(status, "").is_configuration(), "{status}");
        }
        assert!(!refused(400, r#"{"error":"temporarily_unavailable"}"#).is_configuration());
    }
}
