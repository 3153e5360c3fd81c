//! A bot's door that takes whatever comes. The fuzz targets and the test that replays their corpus share it.

use std::time::{Duration, SystemTime};

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use tidings_connector::jwt::{Authenticator, AuthenticatorOptions, Caller, Facts, Refusal};
use tidings_connector::test_idp::{TestIdp, TestKey, base64url};
use tidings_connector::{AppRegistration, AppType};
use tokio::runtime::Runtime;

/// The second in which everything happens: tokens in the corpus never grow old.
const NOW: u64 = 1_800_000_000;

const APP_ID: &str = "11111111-2222-4333-8444-555555555555";

const FACTS: Facts<'static> = Facts {
    channel_id: Some("msteams"),
    service_url: Some("https://smba.example/teams/"),
};

/// An authenticator with its keys at hand.
pub struct Door {
    runtime: Runtime,
    authenticator: Authenticator,
    _idp: TestIdp,
}

impl Door {
    pub fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let (idp, authenticator) = runtime.block_on(async {
            let idp = TestIdp::start().await;
            let registration = AppRegistration {
                app_id: APP_ID.to_owned(),
                app_type: AppType::MultiTenant,
                tenant_id: None,
            };
            let options = AuthenticatorOptions::new(&registration, &idp.cloud())
                .expect("the options make sense")
                .allowed_callers(["*"])
                .clock(|| SystemTime::UNIX_EPOCH + Duration::from_secs(NOW));
            let authenticator = Authenticator::new(options);
            authenticator.load_keys().await.expect("the provider is there");
            (idp, authenticator)
        });
        Self {
            runtime,
            authenticator,
            _idp: idp,
        }
    }

    /// `data` is the header's value. `None`: HTTP carries no such value.
    pub fn authorization_header(&self, data: &[u8]) -> Option<Result<Caller, Refusal>> {
        let value = HeaderValue::from_bytes(data).ok()?;
        let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
        Some(
            self.runtime
                .block_on(self.authenticator.authenticate(&headers, FACTS)),
        )
    }

    /// `data` is a token's three parts before they are encoded, a line each. If the last one is `channel` or
    /// `directory`, the token is signed with that key.
    pub fn jwt(&self, data: &[u8]) -> Option<Result<Caller, Refusal>> {
        let mut lines = data.splitn(3, |byte| *byte == b'\n');
        let mut line = || lines.next().unwrap_or_default();
        let message = format!("{}.{}", base64url(line()), base64url(line()));
        let signature = match line().trim_ascii() {
            b"channel" => base64url(&TestKey::Channel.sign(message.as_bytes())),
            b"directory" => base64url(&TestKey::Directory.sign(message.as_bytes())),
            other => base64url(other),
        };
        self.authorization_header(format!("Bearer {message}.{signature}").as_bytes())
    }
}
