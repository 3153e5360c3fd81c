mod database;
mod target;

use std::path::Path;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tidings_connector::{AppType, Credentials, CredentialsError, TokenRequest};

use super::*;
use crate::config::Secret;

const APP_ID: &str = "5c1d2f1e-8a1b-4a53-9d0e-3f6f5e2d1c0b";
const TENANT: &str = "0f3b2c8e-6f0a-4f57-9f0b-2c7a5d1e9b64";

/// Local mode in a folder of its own.
fn local(folder: &Path) -> Config {
    Config {
        listen: ([127, 0, 0, 1], 0).into(),
        database: folder.join("tidings.db").display().to_string(),
        ..Config::default()
    }
}

/// A bot with all that it needs.
fn authenticated(folder: &Path) -> Config {
    Config {
        app_id: Some(APP_ID.to_owned()),
        app_password: Some(Secret::from("sesame")),
        app_type: AppType::SingleTenant,
        app_tenant_id: Some(TENANT.to_owned()),
        public_url: Some("https://herald.example".to_owned()),
        ..local(folder)
    }
}

struct Network {
    token: Result<Answered, ProbeError>,
    metadata: Result<Answered, ProbeError>,
}

/// What answers with the right time.
fn well() -> Network {
    off_by(0)
}

fn off_by(seconds: i64) -> Network {
    let now = Timestamp::UNIX_EPOCH;
    let answered = Answered {
        date: Some((now, now + SignedDuration::from_secs(seconds))),
    };
    Network {
        token: Ok(answered),
        metadata: Ok(answered),
    }
}

#[async_trait]
impl TokenProbe for Network {
    async fn token(&self) -> Result<Answered, ProbeError> {
        self.token.clone()
    }
}

#[async_trait]
impl MetadataProbe for Network {
    async fn metadata(&self, url: &str) -> Result<Answered, ProbeError> {
        assert!(url.starts_with("https://"), "{url}");
        self.metadata.clone()
    }
}

async fn examine(config: &Config, network: Network) -> Report {
    let network = Arc::new(network);
    Doctor::new(config)
        .token_probe(network.clone())
        .metadata_probe(network)
        .examine()
        .await
}

/// The verdict of a check, and its whole text.
fn of(report: &Report, check: &str) -> (Verdict, String) {
    let finding = report.findings.iter().find(|finding| finding.check == check);
    let finding = finding.unwrap_or_else(|| panic!("no {check} in {report:?}"));
    assert_eq!(
        finding.fix.is_some(),
        finding.verdict > Verdict::Ok,
        "what is not well has a fix: {finding:?}"
    );
    let fix = finding.fix.as_deref().unwrap_or_default();
    (finding.verdict, format!("{} | {fix}", finding.says))
}

#[track_caller]
fn finds(report: &Report, check: &str, verdict: Verdict, parts: &[&str]) {
    let (found, text) = of(report, check);
    assert_eq!(found, verdict, "{check}: {text}");
    for part in parts {
        assert!(text.contains(part), "{check}: {part} is missing in {text}");
    }
    assert!(!format!("{report:?}").contains("sesame"));
}

#[tokio::test]
async fn local_mode_is_well_and_asks_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = || Err(ProbeError::Unreachable("nobody may be asked".to_owned()));
    let network = Network {
        token: nobody(),
        metadata: nobody(),
    };
    let report = examine(&local(folder.path()), network).await;
    assert_eq!(
        (report.verdict(), report.exit_code()),
        (Verdict::Ok, 0),
        "{report:?}"
    );
    for check in ["token", "metadata", "clock"] {
        finds(&report, check, Verdict::Skipped, &[]);
    }
    finds(&report, "mode", Verdict::Ok, &["local"]);
    finds(&report, "service hosts", Verdict::Ok, &["this machine"]);
}

#[tokio::test]
async fn a_whole_configuration_is_well() {
    let folder = tempfile::tempdir().unwrap();
    let report = examine(&authenticated(folder.path()), well()).await;
    assert_eq!(report.verdict(), Verdict::Ok, "{report:?}");
    finds(&report, "app id", Verdict::Ok, &[APP_ID]);
    finds(&report, "app type", Verdict::Ok, &["SingleTenant", TENANT]);
    finds(&report, "token", Verdict::Ok, &["client secret"]);
    finds(
        &report,
        "channel metadata",
        Verdict::Ok,
        &["login.botframework.com"],
    );
    finds(
        &report,
        "emulator metadata",
        Verdict::Ok,
        &["login.microsoftonline.com"],
    );
    finds(&report, "clock", Verdict::Ok, &["same second"]);
    finds(
        &report,
        "public address",
        Verdict::Ok,
        &["https://herald.example/api/messages"],
    );
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        0,
        "nothing is created"
    );
}

#[tokio::test]
async fn the_app_id_has_a_shape() {
    let folder = tempfile::tempdir().unwrap();
    for id in [
        "herald",
        &APP_ID[1..],
        &format!("{APP_ID}0"),
        &APP_ID.replace('-', ":"),
        &APP_ID.replace('5', "x"),
    ] {
        let config = Config {
            app_id: Some(id.to_owned()),
            ..authenticated(folder.path())
        };
        finds(
            &examine(&config, well()).await,
            "app id",
            Verdict::Warning,
            &["MicrosoftAppId"],
        );
    }
}

#[tokio::test]
async fn type_and_tenant_go_together() {
    let folder = tempfile::tempdir().unwrap();
    for (app_type, tenant, verdict, part) in [
        (AppType::MultiTenant, None, Verdict::Ok, "MultiTenant"),
        (
            AppType::MultiTenant,
            Some(TENANT),
            Verdict::Warning,
            "AADSTS700016",
        ),
        (
            AppType::SingleTenant,
            Some("herald.example"),
            Verdict::Ok,
            "herald.example",
        ),
        (
            AppType::SingleTenant,
            Some("herald"),
            Verdict::Warning,
            "MicrosoftAppTenantId",
        ),
        (
            AppType::UserAssignedMsi,
            None,
            Verdict::Failed,
            "MicrosoftAppTenantId",
        ),
        (
            AppType::UserAssignedMsi,
            Some(TENANT),
            Verdict::Ok,
            "UserAssignedMsi",
        ),
    ] {
        let config = Config {
            app_type,
            app_tenant_id: tenant.map(str::to_owned),
            ..authenticated(folder.path())
        };
        finds(&examine(&config, well()).await, "app type", verdict, &[part]);
    }
}

#[tokio::test]
async fn a_refused_token_names_the_cause() {
    let folder = tempfile::tempdir().unwrap();
    for words in [
        "AADSTS700016: Application was not found\nTrace",
        "AADSTS7000215: Invalid secret.",
        "no",
    ] {
        let network = Network {
            token: Err(ProbeError::Refused(words.to_owned())),
            ..well()
        };
        let report = examine(&authenticated(folder.path()), network).await;
        let first = words.lines().next().unwrap_or_default().trim_end_matches('.');
        finds(&report, "token", Verdict::Failed, &[first, "whichever it names"]);
        assert_eq!(report.exit_code(), 1);
        assert!(!of(&report, "token").1.contains('\n'));
    }
}

#[tokio::test]
async fn what_is_not_reachable_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let down = || Err(ProbeError::Unreachable("connection refused".to_owned()));
    let network = Network {
        token: down(),
        metadata: down(),
    };
    let report = examine(&authenticated(folder.path()), network).await;
    let login = "https://login.microsoftonline.com/botframework.com gives none: connection refused";
    finds(&report, "token", Verdict::Failed, &[login, "proxy"]);
    let setting = "ToBotFromChannelOpenIdMetadataUrl";
    finds(
        &report,
        "channel metadata",
        Verdict::Failed,
        &["connection refused", setting],
    );
    finds(
        &report,
        "emulator metadata",
        Verdict::Failed,
        &["ToBotFromEmulatorOpenIdMetadataUrl"],
    );
    finds(&report, "clock", Verdict::Skipped, &[]);
}

/// Credentials that say this, or have none.
struct Say(Result<Option<&'static str>, &'static str>);

#[async_trait]
impl Credentials for Say {
    async fn authorization(
        &self,
        _: &TokenRequest<'_>,
    ) -> Result<Option<http::HeaderValue>, CredentialsError> {
        self.0
            .map(|header| header.map(http::HeaderValue::from_static))
            .map_err(|words| match words.starts_with("AADSTS") {
                true => CredentialsError::configuration(words),
                false => CredentialsError::new(words),
            })
    }
}

#[tokio::test]
async fn the_servers_credentials_are_probed() {
    for (says, expected) in [
        (Ok(Some("Bearer sesame")), Ok(Answered::default())),
        (
            Ok(None),
            Err(ProbeError::Unreachable("there are no credentials".to_owned())),
        ),
        (
            Err("AADSTS90002: none"),
            Err(ProbeError::Refused("AADSTS90002: none".to_owned())),
        ),
        (
            Err("no connection"),
            Err(ProbeError::Unreachable("no connection".to_owned())),
        ),
    ] {
        let probe = CredentialsProbe::new(Arc::new(Say(says)));
        assert_eq!(probe.token().await, expected);
    }
}

struct Silence;

#[async_trait]
impl TokenProbe for Silence {
    async fn token(&self) -> Result<Answered, ProbeError> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_probe_does_not_wait_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let config = authenticated(folder.path());
    let report = Doctor::new(&config)
        .token_probe(Arc::new(Silence))
        .patience(Duration::from_millis(1))
        .examine()
        .await;
    finds(&report, "token", Verdict::Failed, &["no answer within"]);
    finds(&report, "channel metadata", Verdict::Skipped, &["not fetched"]);
}

#[tokio::test]
async fn the_clock_may_be_off_by_a_little() {
    let folder = tempfile::tempdir().unwrap();
    for (seconds, verdict) in [
        (60, Verdict::Ok),
        (-60, Verdict::Ok),
        (61, Verdict::Warning),
        (-300, Verdict::Warning),
        (301, Verdict::Failed),
        (-301, Verdict::Failed),
    ] {
        let report = examine(&authenticated(folder.path()), off_by(seconds)).await;
        let direction = if seconds > 0 { "ahead" } else { "behind" };
        finds(
            &report,
            "clock",
            verdict,
            &[direction, &seconds.unsigned_abs().to_string()],
        );
    }
    // The nearest counts: one answer may have been on its way for long.
    let network = Network {
        metadata: off_by(-2).metadata,
        ..off_by(500)
    };
    let report = examine(&authenticated(folder.path()), network).await;
    finds(&report, "clock", Verdict::Ok, &["2 s behind"]);
}

#[tokio::test]
async fn an_address_is_free_or_ours() {
    let folder = tempfile::tempdir().unwrap();
    let at = |listen| Config {
        listen,
        ..local(folder.path())
    };
    let open = Config {
        app_id: Some(APP_ID.to_owned()),
        ..at(([0, 0, 0, 0], 0).into())
    };
    finds(
        &examine(&open, well()).await,
        "address",
        Verdict::Ok,
        &["any free port"],
    );
    let refused = at(([0, 0, 0, 0], 3978).into());
    finds(
        &examine(&refused, well()).await,
        "address",
        Verdict::Failed,
        &["local mode refuses", "127.0.0.1:3978"],
    );
    let elsewhere = at(([192, 0, 2, 1], 9).into());
    let elsewhere = Config {
        app_id: Some(APP_ID.to_owned()),
        ..elsewhere
    };
    finds(
        &examine(&elsewhere, well()).await,
        "address",
        Verdict::Failed,
        &["cannot be listened on"],
    );

    let stranger = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = at(stranger.local_addr().unwrap());
    let answer = async {
        let (mut stream, _) = stranger.accept().await.unwrap();
        use tokio::io::AsyncWriteExt as _;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nhello").await.unwrap();
    };
    let (report, ()) = tokio::join!(examine(&taken, well()), answer);
    finds(
        &report,
        "address",
        Verdict::Failed,
        &["another program listens on", "stop it"],
    );
}

#[tokio::test]
async fn the_public_address_is_one() {
    let folder = tempfile::tempdir().unwrap();
    for (address, part) in [
        (None, "not set"),
        (Some("http://127.0.0.1:3978"), "cannot be reached"),
        (Some("https://localhost"), "cannot be reached"),
    ] {
        let config = Config {
            public_url: address.map(str::to_owned),
            ..authenticated(folder.path())
        };
        let report = examine(&config, well()).await;
        finds(
            &report,
            "public address",
            Verdict::Warning,
            &[part, "TIDINGS_PUBLIC_URL"],
        );
        assert_eq!(report.exit_code(), 3);
    }
}

#[tokio::test]
async fn nobody_is_on_a_list_by_accident() {
    let folder = tempfile::tempdir().unwrap();
    let with = |service_hosts: &[&str], hosts: &[&str], callers: &[&str]| {
        let list = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect();
        Config {
            allowed_service_hosts: list(service_hosts),
            allowed_hosts: list(hosts),
            allowed_callers: list(callers),
            ..authenticated(folder.path())
        }
    };
    let good = examine(
        &with(&["smba.example:8443", "8.8.8.8"], &["herald.example"], &["a"]),
        well(),
    )
    .await;
    finds(&good, "service hosts", Verdict::Ok, &["smba.example:8443"]);
    finds(&good, "host names", Verdict::Ok, &["herald.example"]);
    finds(&good, "callers", Verdict::Ok, &["and a"]);
    for private in [
        "10.0.0.1",
        "172.16.0.1:80",
        "192.168.1.1",
        "127.0.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "[::1]:80",
        "[fd00::1]",
        "[fe80::1]",
        "[::ffff:10.0.0.1]",
        "intranet",
        "bots.internal:8080",
    ] {
        let report = examine(&with(&["smba.example", private], &[], &[]), well()).await;
        finds(
            &report,
            "service hosts",
            Verdict::Warning,
            &[private, "TIDINGS_ALLOWED_SERVICE_HOSTS"],
        );
    }
    let report = examine(&with(&["*.example"], &["*"], &["a", "*"]), well()).await;
    finds(&report, "service hosts", Verdict::Failed, &["no wildcards"]);
    finds(&report, "host names", Verdict::Failed, &["no wildcards"]);
    finds(&report, "callers", Verdict::Warning, &["any bot"]);
    let open = Config {
        allowed_hosts: vec!["herald.example".to_owned()],
        ..local(folder.path())
    };
    finds(
        &examine(&open, well()).await,
        "host names",
        Verdict::Warning,
        &["herald.example"],
    );
}

#[test]
fn each_channel_stands_in_the_table_once() {
    for (at, row) in capability::CHANNELS.iter().enumerate() {
        assert_eq!(row.channel_id, row.channel_id.to_lowercase());
        let before = &capability::CHANNELS[..at];
        assert!(
            before.iter().all(|other| other.channel_id != row.channel_id),
            "{}",
            row.channel_id
        );
    }
    assert!(capability::of("MsTeams").is_some_and(|row| row.creates_conversations));
}

#[tokio::test]
async fn an_address_that_others_can_reach_needs_a_key() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = authenticated(folder.path());
    let report = Doctor::new(&config).examine().await;
    assert!(report.findings.iter().all(|finding| finding.check != "api keys"));
    config.listen = "0.0.0.0:0".parse().unwrap();
    let report = Doctor::new(&config).examine().await;
    finds(&report, "api keys", Verdict::Failed, &["tidings keys create"]);
    let database = crate::open_database(&config).unwrap();
    let keys = crate::Keys::open(database.clone(), Arc::new(SystemClock))
        .await
        .unwrap();
    let new = crate::NewKey {
        name: "first".to_owned(),
        scopes: vec![crate::Scope::JobsRead],
        expires_at: None,
    };
    let key = keys.create(new, None).await.unwrap();
    database.close().await;
    let report = Doctor::new(&config).examine().await;
    finds(&report, "api keys", Verdict::Ok, &["there is one"]);
    let database = crate::open_database(&config).unwrap();
    let keys = crate::Keys::open(database.clone(), Arc::new(SystemClock))
        .await
        .unwrap();
    keys.revoke(&key.key.id, None).await.unwrap();
    database.close().await;
    let report = Doctor::new(&config).examine().await;
    finds(&report, "api keys", Verdict::Failed, &["tidings keys create"]);
}
