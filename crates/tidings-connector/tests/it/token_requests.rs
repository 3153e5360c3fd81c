//! Our token requests, field by field (protocol, section 3.3), and what is made of the answers.

use std::collections::BTreeMap;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tidings_connector::{
    AppCredentials, AppProof, AppRegistration, AppType, ClientCertificate, Cloud, CredentialsErrorKind,
    FederatedAssertion, ManagedIdentity,
};

use crate::identity::{APP_ID, Identity, SECRET, form, refusal, registration, token};
use crate::raw_server::{RawServer, Seen, answer};

const CERTIFICATE: &str = include_str!("keys/certificate.pem");
const KEY: &str = include_str!("keys/certificate_key.pem");
const KEY_PKCS1: &str = include_str!("keys/certificate_key_pkcs1.pem");
const PUBLIC_KEY: &str = include_str!("keys/certificate_public_key.pem");

const SCOPE: &str = "https://api.botframework.com/.default";
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

fn owned(fields: &[(&str, &str)]) -> BTreeMap<String, String> {
    let pairs = fields.iter();
    pairs
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// Checks that the form has these fields and no others, and that it is a form.
fn assert_form(request: &Seen, expected: &[(&str, &str)]) {
    assert_eq!(request.method(), "POST");
    assert_eq!(
        request.header("content-type"),
        Some("application/x-www-form-urlencoded")
    );
    assert_eq!(request.header("authorization"), None);
    assert_eq!(form(request), owned(expected));
}

#[tokio::test]
async fn a_client_secret_is_four_fields() {
    let mut identity = Identity::start().await;
    for (app_type, tenant) in [
        (AppType::MultiTenant, "botframework.com"),
        (AppType::SingleTenant, "our-tenant"),
    ] {
        let credentials =
            identity.credentials_of(&registration(app_type), AppProof::ClientSecret(SECRET.into()));
        assert!(
            credentials
                .token_endpoint()
                .ends_with(&format!("/{tenant}/oauth2/v2.0/token"))
        );
        token(&credentials, None).await.expect("a token");
        let request = identity.request().await;
        assert_eq!(request.target(), format!("/{tenant}/oauth2/v2.0/token"));
        assert_form(
            &request,
            &[
                ("grant_type", "client_credentials"),
                ("client_id", APP_ID),
                ("client_secret", SECRET),
                ("scope", SCOPE),
            ],
        );
    }
}

#[tokio::test]
async fn an_audience_is_the_scope() {
    let mut identity = Identity::start().await;
    let credentials = identity.with_secret();
    for audience in ["0d1e2f30-1111-2222-3333-444455556666", "api://parent"] {
        token(&credentials, Some(audience)).await.expect("a token");
        let form = form(&identity.request().await);
        assert_eq!(form["scope"], format!("{audience}/.default"));
    }
    for audience in ["", "a b", "a https://graph.microsoft.com/.default", "a\n"] {
        let error = token(&credentials, Some(audience)).await.expect_err(audience);
        assert!(error.is_configuration());
    }
    assert_eq!(identity.requests(), 0);
}

fn part(assertion: &str, index: usize) -> Value {
    let part = assertion.split('.').nth(index).expect("three parts");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
}

fn assert_signed(assertion: &str) {
    let der = PUBLIC_KEY
        .lines()
        .filter(|line| !line.starts_with('-'))
        .collect::<String>();
    let der = STANDARD.decode(der).expect("a PEM text");
    let (message, signature) = assertion.rsplit_once('.').expect("a signature");
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der)
        .verify(
            message.as_bytes(),
            &URL_SAFE_NO_PAD.decode(signature).expect("base64url"),
        )
        .expect("signed with the certificate's key");
}

#[tokio::test]
async fn a_certificate_signs_an_assertion() {
    let mut identity = Identity::start().await;
    let thumbprint = "174C3F8F995A513BE9E5AB4945C5AF3F948976F9";
    let x5t = "F0w_j5laUTvp5atJRcWvP5SJdvk";
    let x5t_s256 = "32fLKWq-9DHoFkBFDAgLVbKW9IqdjEfY07kCPBOQsR4";
    let whole = json!({"typ": "JWT", "alg": "RS256", "x5t": x5t, "x5t#S256": x5t_s256});
    let short = json!({"typ": "JWT", "alg": "RS256", "x5t": x5t});
    let from_pem =
        |key: String| ClientCertificate::from_pem(CERTIFICATE, &key.into()).expect("a certificate");
    let mut ids = Vec::new();
    for (certificate, header) in [
        (from_pem(KEY.to_owned()), &whole),
        (from_pem(KEY_PKCS1.to_owned()), &whole),
        (from_pem(KEY.replace('\n', "\\n")), &whole),
        (
            ClientCertificate::from_thumbprint(thumbprint, &KEY.into()).expect("a key"),
            &short,
        ),
    ] {
        let credentials = identity.credentials(AppProof::Certificate(certificate));
        token(&credentials, None).await.expect("a token");
        let request = identity.request().await;
        let assertion = form(&request)["client_assertion"].clone();
        assert_form(
            &request,
            &[
                ("grant_type", "client_credentials"),
                ("client_id", APP_ID),
                ("client_assertion_type", ASSERTION_TYPE),
                ("client_assertion", &assertion),
                ("scope", SCOPE),
            ],
        );
        assert_signed(&assertion);
        assert_eq!(&part(&assertion, 0), header);
        let claims = part(&assertion, 1);
        let now = 1_800_000_000;
        assert_eq!(
            claims,
            json!({
                "aud": credentials.token_endpoint(), "iss": APP_ID, "sub": APP_ID, "jti": claims["jti"],
                "iat": now, "nbf": now, "exp": now + 600,
            })
        );
        ids.push(claims["jti"].as_str().expect("an id").to_owned());
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4, "no assertion is used twice");
}

#[test]
fn a_certificate_and_a_foreign_key_do_not_belong_together() {
    let other = include_str!("keys/other_key.pem");
    let error = ClientCertificate::from_pem(CERTIFICATE, &other.into()).expect_err("foreign");
    assert!(error.message.contains("do not belong together"), "{error}");
    let error = ClientCertificate::from_pem("nonsense", &KEY.into()).expect_err("no certificate");
    assert!(error.is_configuration());
    let certificate = ClientCertificate::from_pem(CERTIFICATE, &KEY.into()).expect("a certificate");
    let shown = format!("{certificate:?}");
    assert!(
        shown.contains("F0w_j5laUTvp5atJRcWvP5SJdvk") && shown.len() < 100,
        "{shown}"
    );
}

fn query(request: &Seen) -> BTreeMap<String, String> {
    let (_, query) = request.target().split_once('?').expect("a query");
    url::form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect()
}

fn assert_query(request: &Seen, expected: &[(&str, &str)]) {
    assert_eq!((request.method(), request.body.as_str()), ("GET", ""));
    assert_eq!(query(request), owned(expected));
}

#[tokio::test]
async fn app_service_hands_out_the_tokens_of_an_identity() {
    let body = r#"{"access_token":"msi","expires_on":"1800086400","resource":"r","token_type":"Bearer","client_id":"c"}"#;
    let (server, mut requests) = RawServer::answering(answer("200 OK", "", body)).await;
    let identity = ManagedIdentity::app_service(format!("{}/msi/token", server.url), "the-header".into());
    let here = Identity::start().await;
    let credentials = here.credentials_of(
        &registration(AppType::UserAssignedMsi),
        AppProof::ManagedIdentity(identity),
    );
    assert_eq!(credentials.token_endpoint(), format!("{}/msi/token", server.url));
    assert_eq!(token(&credentials, None).await.expect("a token"), "msi");
    let request = requests.recv().await.expect("a request");
    assert!(request.target().starts_with("/msi/token?"));
    assert_eq!(request.header("x-identity-header"), Some("the-header"));
    assert_query(
        &request,
        &[
            ("api-version", "2019-08-01"),
            ("resource", "https://api.botframework.com"),
            ("client_id", APP_ID),
        ],
    );
    token(&credentials, Some("parent")).await.expect("a token");
    assert_eq!(
        query(&requests.recv().await.expect("a request"))["resource"],
        "parent"
    );
    assert!(!format!("{credentials:?}").contains("the-header"));
}

#[tokio::test]
async fn a_virtual_machine_asks_the_metadata_service() {
    let body = r#"{"access_token":"imds","expires_in":"3599","expires_on":"1","token_type":"Bearer"}"#;
    let (server, mut requests) = RawServer::answering(answer("200 OK", "", body)).await;
    let identity = ManagedIdentity::imds_at(format!("{}/metadata/identity/oauth2/token", server.url));
    let here = Identity::start().await;
    let credentials = here.credentials(AppProof::ManagedIdentity(identity));
    assert_eq!(token(&credentials, None).await.expect("a token"), "imds");
    let request = requests.recv().await.expect("a request");
    assert!(request.target().starts_with("/metadata/identity/oauth2/token?"));
    assert_eq!(request.header("metadata"), Some("true"));
    assert_query(
        &request,
        &[
            ("api-version", "2018-02-01"),
            ("resource", "https://api.botframework.com"),
            ("client_id", APP_ID),
        ],
    );
}

#[tokio::test]
async fn an_identitys_token_is_a_federated_assertion() {
    let body = r#"{"access_token":"a.b.c","expires_in":"86000","token_type":"Bearer"}"#;
    let (server, mut asked) = RawServer::answering(answer("200 OK", "", body)).await;
    let mut identity = Identity::start().await;
    for client_id in [Some("identity-1"), None] {
        let credentials = identity.credentials_of(
            &registration(AppType::SingleTenant),
            AppProof::Federated(FederatedAssertion::ManagedIdentity {
                identity: ManagedIdentity::imds_at(&server.url),
                client_id: client_id.map(str::to_owned),
            }),
        );
        assert_eq!(
            token(&credentials, None)
                .await
                .expect("a token")
                .split('-')
                .next(),
            Some("token")
        );
        let mut expected = vec![
            ("api-version", "2018-02-01"),
            ("resource", "api://AzureADTokenExchange"),
        ];
        expected.extend(client_id.map(|id| ("client_id", id)));
        assert_query(&asked.recv().await.expect("a request"), &expected);
        let request = identity.request().await;
        assert_eq!(request.target(), "/our-tenant/oauth2/v2.0/token");
        assert_form(
            &request,
            &[
                ("grant_type", "client_credentials"),
                ("client_id", APP_ID),
                ("client_assertion_type", ASSERTION_TYPE),
                ("client_assertion", "a.b.c"),
                ("scope", SCOPE),
            ],
        );
    }
}

#[tokio::test]
async fn a_token_file_is_read_for_each_token() {
    let mut identity = Identity::start().await;
    let path = std::env::temp_dir().join(format!("tidings-assertion-{}", uuid::Uuid::new_v4()));
    let credentials = identity.credentials(AppProof::Federated(FederatedAssertion::TokenFile(path.clone())));
    for (audience, assertion) in [(None, "first"), (Some("parent"), "second")] {
        std::fs::write(&path, format!("{assertion}\n")).expect("written");
        token(&credentials, audience).await.expect("a token");
        let request = identity.request().await;
        assert_form(
            &request,
            &[
                ("grant_type", "client_credentials"),
                ("client_id", APP_ID),
                ("client_assertion_type", ASSERTION_TYPE),
                ("client_assertion", assertion),
                ("scope", audience.map_or(SCOPE, |_| "parent/.default")),
            ],
        );
    }
    std::fs::remove_file(&path).expect("removed");
    let error = token(&credentials, Some("other")).await.expect_err("no file");
    assert!(
        error.is_configuration() && error.message.contains("federated token file"),
        "{error}"
    );
}

#[tokio::test]
async fn refusals_name_the_fix_and_never_the_secret() {
    let mut identity = Identity::start().await;
    for (code, fix) in [
        ("AADSTS700016", "MicrosoftAppType=SingleTenant"),
        ("AADSTS7000215", "MicrosoftAppPassword"),
        ("AADSTS90002", "MicrosoftAppTenantId"),
        ("AADSTS700027", "CertificateThumbprint"),
    ] {
        let credentials = identity.with_secret();
        let description = format!("{code}: the secret {SECRET} is of no use.");
        identity.say(refusal("400 Bad Request", "unauthorized_client", &description));
        let error = token(&credentials, None).await.expect_err(code);
        assert_eq!(
            (error.kind, error.code.as_deref()),
            (CredentialsErrorKind::Configuration, Some(code))
        );
        assert!(
            error.to_string().contains(code) && error.message.contains(fix),
            "{error}"
        );
        let shown = format!("{error} {error:?} {credentials:?}");
        assert!(!shown.contains("s3cr3t"), "{shown}");
        assert_eq!(identity.requests(), 1, "not worth a second try");
    }
}

#[tokio::test]
async fn what_passes_by_itself_is_tried_again() {
    let mut identity = Identity::start().await;
    let credentials = identity.with_secret();
    identity.say(answer("503 Service Unavailable", "", "<html>"));
    identity.say(answer("500 Internal Server Error", "", ""));
    assert_eq!(token(&credentials, None).await.expect("a token"), "token-1");
    assert_eq!(identity.requests(), 3);

    let credentials = identity.with_secret();
    for _ in 0..3 {
        identity.say(answer("500 Internal Server Error", "", ""));
    }
    let error = token(&credentials, None).await.expect_err("three times");
    assert_eq!(error.kind, CredentialsErrorKind::Temporary);
    assert_eq!(identity.requests(), 3);

    // Who says when to come back is not asked before.
    let credentials = identity.with_secret();
    identity.say(answer("429 Too Many Requests", "retry-after: 7\r\n", ""));
    let error = token(&credentials, None).await.expect_err("busy");
    assert_eq!(error.retry_after.expect("a time").as_secs(), 7);
    assert_eq!(identity.requests(), 1);
}

#[tokio::test]
async fn answers_are_bounded_and_not_quoted() {
    let identity = Identity::start().await;
    let limit = 64 * 1024;
    let padded = |length: usize| {
        let start = r#"{"access_token":"hush","expires_in":9,"x":""#;
        format!("{start}{}\"}}", "x".repeat(length - start.len() - 2))
    };
    for (length, fits) in [(limit - 1, true), (limit, true), (limit + 1, false)] {
        let credentials = identity.with_secret();
        for _ in 0..if fits { 1 } else { 3 } {
            identity.say(answer("200 OK", "", &padded(length)));
        }
        let answered = token(&credentials, None).await;
        assert_eq!(answered.is_ok(), fits, "{length}");
        if let Err(error) = answered {
            assert!(error.message.contains("65536 bytes"), "{error}");
        }
    }
    for body in ["hush", "", r#"{"access_token":"hush"}"#, r#"["hush"]"#] {
        let credentials = identity.with_secret();
        for _ in 0..3 {
            identity.say(answer("200 OK", "", body));
        }
        let error = token(&credentials, None).await.expect_err(body);
        assert!(!format!("{error:?}").contains("hush"), "{error:?}");
    }
}

#[tokio::test]
async fn a_redirecting_endpoint_gets_no_second_request() {
    let (elsewhere, mut stolen) = RawServer::answering(answer("200 OK", "", "{}")).await;
    let mut identity = Identity::start().await;
    let credentials = identity.with_secret();
    identity.say(answer(
        "307 Temporary Redirect",
        &format!("location: {}/\r\n", elsewhere.url),
        "",
    ));
    let error = token(&credentials, None).await.expect_err("a redirect");
    assert!(
        error.is_configuration() && error.message.contains("redirects"),
        "{error}"
    );
    assert_eq!(identity.requests(), 1);
    assert!(stolen.try_recv().is_err());
}

#[test]
fn settings_without_sense_are_named() {
    let build = |registration: &AppRegistration, cloud: &Cloud, proof| {
        AppCredentials::new(registration, cloud, proof).expect_err("no sense")
    };
    let secret = || AppProof::ClientSecret(SECRET.into());
    let good = registration(AppType::SingleTenant);
    let mut no_app = good.clone();
    no_app.app_id.clear();
    let mut no_tenant = good.clone();
    no_tenant.tenant_id = None;
    let mut plain = Cloud::public();
    plain.login_url = "http://login.example/x".to_owned();
    let mut no_scope = Cloud::public();
    no_scope.oauth_scope.clear();
    for (error, setting) in [
        (build(&no_app, &Cloud::public(), secret()), "MicrosoftAppId"),
        (
            build(&no_tenant, &Cloud::public(), secret()),
            "MicrosoftAppTenantId",
        ),
        (build(&good, &plain, secret()), "ToChannelFromBotLoginUrl"),
        (build(&good, &no_scope, secret()), "ToChannelFromBotOAuthScope"),
        (
            build(&good, &Cloud::public(), AppProof::ClientSecret("".into())),
            "MicrosoftAppPassword",
        ),
        (
            build(
                &good,
                &Cloud::public(),
                AppProof::ManagedIdentity(ManagedIdentity::app_service("http://x.example", "h".into())),
            ),
            "IDENTITY_ENDPOINT",
        ),
    ] {
        assert!(error.is_configuration());
        assert!(error.message.contains(setting), "{error}");
    }
}
