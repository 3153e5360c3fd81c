//! An identity provider that grants numbered tokens, or says what a test makes it say, and a clock that is set.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use tidings_connector::{
    AppCredentials, AppProof, AppRegistration, AppType, Cloud, Credentials, CredentialsError, TokenRequest,
};
use tokio::sync::mpsc;

use crate::raw_server::{RawServer, Seen, answer};

pub(crate) const APP_ID: &str = "6f1c7e2a-0d53-4b0e-9d6f-1c5b2b6f8a10";
pub(crate) const SECRET: &str = "s3cr3t & more=";

pub(crate) struct Identity {
    pub(crate) server: RawServer,
    requests: mpsc::UnboundedReceiver<Seen>,
    script: Arc<Mutex<VecDeque<String>>>,
    now: Arc<Mutex<SystemTime>>,
}

impl Identity {
    /// Grants `token-1`, `token-2`, ..., each for an hour, whenever no other answer was asked for.
    pub(crate) async fn start() -> Self {
        let (seen, requests) = mpsc::unbounded_channel();
        let script = Arc::new(Mutex::new(VecDeque::<String>::new()));
        let said = Arc::clone(&script);
        let count = Arc::new(Mutex::new(0));
        let server = RawServer::start(move |mut wire| {
            let (seen, said, count) = (seen.clone(), Arc::clone(&said), Arc::clone(&count));
            async move {
                while let Some(request) = wire.request().await {
                    // Nobody may be interested.
                    let _ = seen.send(request);
                    let scripted = said.lock().expect("not poisoned").pop_front();
                    let text = scripted.unwrap_or_else(|| {
                        let mut count = count.lock().expect("not poisoned");
                        *count += 1;
                        grant(&format!("token-{count}"), 3600)
                    });
                    wire.send(text.as_bytes()).await;
                }
            }
        })
        .await;
        Self {
            server,
            requests,
            script,
            now: Arc::new(Mutex::new(
                SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000),
            )),
        }
    }

    /// The next answer that is not yet taken.
    pub(crate) fn say(&self, text: impl Into<String>) {
        self.script.lock().expect("not poisoned").push_back(text.into());
    }

    pub(crate) fn advance(&self, by: Duration) {
        *self.now.lock().expect("not poisoned") += by;
    }

    pub(crate) fn cloud(&self) -> Cloud {
        let mut cloud = Cloud::public();
        cloud.login_url = format!("{}/botframework.com", self.server.url);
        cloud
    }

    pub(crate) fn credentials(&self, proof: AppProof) -> AppCredentials {
        self.credentials_of(&registration(AppType::MultiTenant), proof)
    }

    pub(crate) fn credentials_of(&self, registration: &AppRegistration, proof: AppProof) -> AppCredentials {
        let now = Arc::clone(&self.now);
        AppCredentials::builder(registration, &self.cloud(), proof)
            .clock(move || *now.lock().expect("not poisoned"))
            .build()
            .expect("credentials")
    }

    pub(crate) fn with_secret(&self) -> AppCredentials {
        self.credentials(AppProof::ClientSecret(SECRET.into()))
    }

    /// The next request, which must come.
    pub(crate) async fn request(&mut self) -> Seen {
        self.requests.recv().await.expect("a request")
    }

    /// How many requests came that were not looked at.
    pub(crate) fn requests(&mut self) -> usize {
        std::iter::from_fn(|| self.requests.try_recv().ok()).count()
    }
}

pub(crate) fn registration(app_type: AppType) -> AppRegistration {
    AppRegistration {
        app_id: APP_ID.to_owned(),
        app_type,
        tenant_id: Some("our-tenant".to_owned()),
    }
}

pub(crate) fn grant(token: &str, seconds: u64) -> String {
    let body = format!(
        r#"{{"token_type":"Bearer","expires_in":{seconds},"ext_expires_in":{seconds},"access_token":"{token}"}}"#
    );
    answer("200 OK", "content-type: application/json\r\n", &body)
}

/// What Microsoft's provider says when it refuses.
pub(crate) fn refusal(status: &str, error: &str, description: &str) -> String {
    answer(
        status,
        "",
        &format!(r#"{{"error":"{error}","error_description":"{description}"}}"#),
    )
}

/// The token for an audience.
pub(crate) async fn token(
    credentials: &AppCredentials,
    audience: Option<&str>,
) -> Result<String, CredentialsError> {
    let request = TokenRequest::new("https://smba.trafficmanager.net/emea/").for_audience(audience);
    let header = credentials.authorization(&request).await?.expect("a header");
    assert!(header.is_sensitive());
    let text = header.to_str().expect("text");
    Ok(text.strip_prefix("Bearer ").expect("a bearer token").to_owned())
}

pub(crate) fn form(request: &Seen) -> BTreeMap<String, String> {
    let pairs = url::form_urlencoded::parse(request.body.as_bytes())
        .into_owned()
        .collect::<Vec<_>>();
    let form = pairs.iter().cloned().collect::<BTreeMap<_, _>>();
    assert_eq!(form.len(), pairs.len(), "each field once");
    form
}
