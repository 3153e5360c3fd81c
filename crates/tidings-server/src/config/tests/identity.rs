//! Who the bot is: the Bot Framework's names, the Agents SDK's, `.bot` files, and what must go together.

use secrecy::{ExposeSecret, SecretString};
use tidings_connector::{BotFile, BotService};

use super::*;

const APP: (&str, &str) = ("MicrosoftAppId", "5c1d2f1e-8a1b-4a53-9d0e-3f6f5e2d1c0b");
const PASSWORD: (&str, &str) = ("MicrosoftAppPassword", "sesame");

fn load(environment: &[(&str, &str)]) -> Result<Config, String> {
    Place::new(&[]).load(&Flags::default(), environment)
}

fn password(config: &Config) -> Option<String> {
    let password = config.app_password.as_ref()?;
    Some(password.expose_secret().to_owned())
}

fn id_and_password(config: &Config) -> (Option<&str>, Option<String>) {
    (config.app_id.as_deref(), password(config))
}

fn pair<'a>(id: &'a str, password: &str) -> (Option<&'a str>, Option<String>) {
    (Some(id), Some(password.to_owned()))
}

#[test]
fn the_bot_frameworks_names_make_a_registration() {
    let config = load(&[
        APP,
        PASSWORD,
        ("MicrosoftAppType", "singletenant"),
        ("MicrosoftAppTenantId", " 0f3b2c8e-6f0a-4f57-9f0b-2c7a5d1e9b64 "),
        ("ChannelService", "https://botframework.azure.us"),
        ("TIDINGS_ALLOWED_CALLERS", "a, b"),
        ("TIDINGS_PUBLIC_URL", "https://herald.example/"),
        ("TIDINGS_SLOW_TURN_AFTER", "3s"),
    ])
    .unwrap();
    let registration = config.registration().unwrap();
    assert_eq!(registration.app_id, APP.1);
    assert_eq!(registration.app_type, AppType::SingleTenant);
    assert_eq!(
        registration.tenant_id.as_deref(),
        Some("0f3b2c8e-6f0a-4f57-9f0b-2c7a5d1e9b64")
    );
    assert_eq!(config.cloud, Cloud::us_government());
    assert_eq!(config.allowed_callers, ["a", "b"]);
    assert_eq!(config.public_url.as_deref(), Some("https://herald.example"));
    assert_eq!(config.slow_turn_after, Duration::from_secs(3));
    assert!(!config.local_channel_is_on());
    assert!(Config::default().local_channel_is_on() && Config::default().registration().is_none());
}

#[test]
fn names_of_the_bot_framework_are_found_in_any_case() {
    let config = load(&[("MICROSOFTAPPID", "a"), ("microsoftapppassword", "p")]).unwrap();
    assert_eq!(id_and_password(&config), pair("a", "p"));
    let config = load(&[
        ("MICROSOFTAPPID", "b"),
        ("MicrosoftAppId", "a"),
        ("MicrosoftAppPassword", "p"),
    ])
    .unwrap();
    assert_eq!(id_and_password(&config), pair("a", "p"));
}

#[test]
fn an_empty_value_leaves_it_to_the_next_place() {
    let place = Place::new(&[
        (
            ".env",
            "MicrosoftAppId=\nMicrosoftAppPassword='p$1#'\nMicrosoftAppType=\n",
        ),
        ("tidings.toml", "app_id = 'a'\napp_password = 'q'"),
    ]);
    let config = place.load(&Flags::default(), &[("MicrosoftAppId", " ")]).unwrap();
    assert_eq!(id_and_password(&config), pair("a", "p$1#"));
    assert_eq!(config.app_type, AppType::MultiTenant);
}

#[test]
fn addresses_of_the_cloud_are_replaced_one_by_one() {
    let config = load(&[
        ("ToChannelFromBotLoginUrl", "https://login.example/tenant/"),
        ("ToChannelFromBotOAuthScope", "https://api.example/.default"),
        ("ToBotFromChannelTokenIssuer", "https://issuer.example"),
        ("BotOpenIdMetadata", "http://127.0.0.1:9/second"),
        ("ToBotFromChannelOpenIdMetadataUrl", "http://127.0.0.1:9/first"),
        ("ToBotFromEmulatorOpenIdMetadataUrl", "https://emulator.example/m"),
        ("OAuthApiEndpoint", "https://oauth.example"),
        ("CallerId", "urn:example"),
    ])
    .unwrap();
    let cloud = config.cloud;
    for (value, expected) in [
        (cloud.login_url, "https://login.example/tenant"),
        (cloud.oauth_scope, "https://api.example"),
        (cloud.channel_issuer, "https://issuer.example"),
        (cloud.channel_metadata_url, "http://127.0.0.1:9/first"),
        (cloud.emulator_metadata_url, "https://emulator.example/m"),
        (cloud.oauth_url, "https://oauth.example"),
        (cloud.caller_id, "urn:example"),
    ] {
        assert_eq!(value, expected);
    }
    let error = load(&[("ToChannelFromBotLoginUrl", "http://login.example")]).unwrap_err();
    assert_eq!(
        error,
        r#"ToChannelFromBotLoginUrl: must be an https address (http only on a loopback address), got "http://login.example""#
    );
    let error = load(&[("ChannelService", "https://example.com")]).unwrap_err();
    assert!(
        error.starts_with("ChannelService: must be empty for the public cloud"),
        "{error}"
    );
}

#[test]
fn a_connection_of_the_agents_sdk_is_a_registration() {
    let config = load(&[
        ("connections__mine__settings__clientId", "a"),
        ("CONNECTIONS__MINE__SETTINGS__CLIENTSECRET", "p"),
    ])
    .unwrap();
    assert_eq!(id_and_password(&config), pair("a", "p"));
    assert_eq!(config.app_type, AppType::MultiTenant);
    let with_tenant = [
        ("connections__mine__settings__clientId", "a"),
        ("connections__mine__settings__clientSecret", "p"),
        ("connections__mine__settings__tenantId", "t"),
    ];
    let config = load(&with_tenant).unwrap();
    assert_eq!(
        (config.app_type, config.app_tenant_id.as_deref()),
        (AppType::SingleTenant, Some("t"))
    );
    let config = load(&[with_tenant.as_slice(), &[("MicrosoftAppType", "MultiTenant")]].concat()).unwrap();
    assert_eq!(config.app_type, AppType::MultiTenant);
}

#[test]
fn of_several_connections_the_default_one_counts() {
    let two = [
        ("connections__a__settings__clientId", "a"),
        ("connections__a__settings__clientSecret", "pa"),
        ("connections__B__settings__clientId", "b"),
        ("connections__B__settings__clientSecret", "pb"),
        // Without a client id it is none.
        ("connections__graph__settings__scopes", "s"),
        ("connectionsMap__0__connection", "a"),
    ];
    let error = load(&two).unwrap_err();
    assert!(
        error.contains("(a, B)") && error.contains("serviceConnection") && error.contains("MicrosoftAppId"),
        "{error}"
    );
    let default = [
        ("connections__ServiceConnection__settings__clientId", "c"),
        ("connections__ServiceConnection__settings__clientSecret", "pc"),
    ];
    let config = load(&[two.as_slice(), &default].concat()).unwrap();
    assert_eq!(id_and_password(&config), pair("c", "pc"));
    // MicrosoftAppId says which, and of no other connection the secret is read.
    let config = load(&[two.as_slice(), &default, &[("MicrosoftAppId", "B")]].concat()).unwrap();
    assert_eq!(id_and_password(&config), pair("B", "pb"));
    let error = load(&[two.as_slice(), &default, &[("MicrosoftAppId", "d")]].concat()).unwrap_err();
    assert!(
        error.starts_with(r#"MicrosoftAppId is "d", but nothing proves"#),
        "{error}"
    );
}

#[test]
fn names_of_the_bot_framework_win_over_connections() {
    let place = Place::new(&[(".env", "connections__x__settings__clientId=b\nMicrosoftAppId=a\n")]);
    let config = place
        .load(
            &Flags::default(),
            &[
                ("MicrosoftAppPassword", "p"),
                ("connections__x__settings__clientSecret", "q"),
            ],
        )
        .unwrap();
    assert_eq!(id_and_password(&config), pair("a", "p"));
}

/// A file with two endpoints, encrypted with the secret that is returned.
fn bot_file(place: &Place) -> SecretString {
    let mut file = BotFile::parse(b"{}").unwrap();
    for (kind, name, id, password) in [
        ("abs", "registration", "", ""),
        ("endpoint", "development", "", ""),
        ("endpoint", "staging", "staging-app", "staging-password"),
        ("endpoint", "production", "production-app", "production-password"),
    ] {
        let service = BotService::new(kind, name)
            .with("appId", id)
            .with("appPassword", password);
        file.add_service(service).unwrap();
    }
    let gov = BotService::new("endpoint", "government")
        .with("appId", "gov-app")
        .with("appPassword", "gov-password")
        .with("channelService", "https://botframework.azure.us");
    file.add_service(gov).unwrap();
    let secret = BotFile::new_secret();
    file.encrypt(&secret).unwrap();
    file.save(&place.0.path().join("herald.bot")).unwrap();
    secret
}

#[test]
fn a_bot_of_2018_starts_with_path_and_secret_only() {
    let place = Place::new(&[]);
    let secret = bot_file(&place);
    let from_file = [
        ("botFilePath", "./herald.bot"),
        ("botFileSecret", secret.expose_secret()),
    ];
    let load = |more: &[(&str, &str)]| place.load(&Flags::default(), &[&from_file, more].concat());
    assert_eq!(
        id_and_password(&load(&[]).unwrap()),
        pair("staging-app", "staging-password")
    );
    for (wanted, app) in [
        ("production", "production-app"),
        ("4", "production-app"),
        ("3", "staging-app"),
    ] {
        let config = load(&[("TIDINGS_BOT_FILE_ENDPOINT", wanted)]).unwrap();
        assert_eq!(config.app_id.as_deref(), Some(app), "{wanted}");
    }
    let local = load(&[("TIDINGS_BOT_FILE_ENDPOINT", "development")]).unwrap();
    assert_eq!(local, Config::default());
    let gov = load(&[("TIDINGS_BOT_FILE_ENDPOINT", "government")]).unwrap();
    assert_eq!(gov.cloud, Cloud::us_government());
    let error = load(&[("TIDINGS_BOT_FILE_ENDPOINT", "registration")]).unwrap_err();
    assert!(
        error.contains("which has: development, staging, production, government"),
        "{error}"
    );
}

#[test]
fn the_bot_file_is_the_lowest_place_and_one_identity() {
    let place = Place::new(&[("tidings.toml", "app_password = 'from the file'")]);
    let secret = bot_file(&place);
    let from_file = [
        ("botFilePath", "herald.bot"),
        ("botFileSecret", secret.expose_secret()),
    ];
    let load = |more: &[(&str, &str)]| place.load(&Flags::default(), &[&from_file, more].concat());
    assert_eq!(
        id_and_password(&load(&[]).unwrap()),
        pair("staging-app", "from the file")
    );
    // The password of another bot is not sent beside this app id.
    std::fs::remove_file(place.0.path().join("tidings.toml")).unwrap();
    let error = load(&[("MicrosoftAppId", "another-app")]).unwrap_err();
    assert!(error.contains("nothing proves"), "{error}");
    let config = load(&[("MicrosoftAppId", "STAGING-APP")]).unwrap();
    assert_eq!(id_and_password(&config), pair("STAGING-APP", "staging-password"));
}

#[test]
fn a_bot_file_that_cannot_be_used_says_why() {
    let place = Place::new(&[("broken.bot", "{")]);
    bot_file(&place);
    for (path, secret, says) in [
        (
            "none.bot",
            "",
            "botFilePath names none.bot: none.bot cannot be read",
        ),
        (
            "broken.bot",
            "",
            "botFilePath names broken.bot: the .bot file cannot be understood",
        ),
        (
            "herald.bot",
            "",
            "botFilePath names herald.bot: the .bot file is encrypted and its secret is missing; set it with botFileSecret",
        ),
        (
            "herald.bot",
            "sesame",
            "its secret is incorrect; check botFileSecret",
        ),
    ] {
        let environment = [("botFilePath", path), ("botFileSecret", secret)];
        let error = place.load(&Flags::default(), &environment).unwrap_err();
        assert!(error.contains(says), "{error}");
        assert!(!error.contains("sesame"), "{error}");
    }
}

#[test]
fn each_credential_is_enough() {
    let credential = |more: &[(&str, &str)]| {
        let config = load(&[&[APP], more].concat()).unwrap();
        format!("{:?}", config.credential().unwrap())
    };
    assert!(credential(&[PASSWORD]).starts_with("Password("));
    let certificate = credential(&[
        ("CertificateThumbprint", "0af1"),
        ("CertificatePrivateKey", r"-----BEGIN\nsesame"),
        PASSWORD,
    ]);
    assert!(
        certificate.starts_with("Certificate {") && certificate.contains("Inline("),
        "{certificate}"
    );
    assert!(!certificate.contains("sesame"), "{certificate}");
    let file = ("TIDINGS_CERTIFICATE_FILE", "bot.pem");
    assert!(credential(&[file]).contains("WithCertificate"));
    assert!(credential(&[file, ("TIDINGS_CERTIFICATE_KEY_FILE", "key.pem")]).contains("File(\"key.pem\")"));
    assert!(credential(&[("TIDINGS_FEDERATED_TOKEN_FILE", "token"), PASSWORD]).starts_with("Federated {"));
    assert!(credential(&[("TIDINGS_FEDERATED_CLIENT_ID", "m")]).starts_with("Federated {"));
    let identity = [
        ("MicrosoftAppType", "UserAssignedMsi"),
        ("MicrosoftAppTenantId", "t"),
    ];
    assert_eq!(credential(&identity), "ManagedIdentity");
    let config = load(&[APP, file, ("CertificatePrivateKey", r"a\nb")]).unwrap();
    assert_eq!(config.certificate_key.unwrap().expose_secret(), "a\nb");
}

#[test]
fn what_does_not_go_together_says_what_to_set() {
    let key = ("CertificatePrivateKey", "sesame");
    for (environment, says) in [
        (
            [APP].as_slice(),
            [
                "MicrosoftAppPassword",
                "TIDINGS_CERTIFICATE_FILE",
                "UserAssignedMsi",
            ]
            .as_slice(),
        ),
        (
            &[PASSWORD],
            &["MicrosoftAppPassword is set", "MicrosoftAppId is not"],
        ),
        (
            &[APP, PASSWORD, ("MicrosoftAppType", "SingleTenant")],
            &["MicrosoftAppType is SingleTenant", "MicrosoftAppTenantId"],
        ),
        (
            &[APP, ("MicrosoftAppType", "UserAssignedMsi")],
            &["MicrosoftAppType is UserAssignedMsi", "MicrosoftAppTenantId"],
        ),
        (
            &[APP, PASSWORD, ("MicrosoftAppType", "Multi")],
            &["MicrosoftAppType: must be MultiTenant, SingleTenant or UserAssignedMsi"],
        ),
        (
            &[APP, key],
            &["TIDINGS_CERTIFICATE_FILE", "CertificateThumbprint"],
        ),
        (
            &[APP, ("CertificateThumbprint", "0af1")],
            &["CertificatePrivateKey", "TIDINGS_CERTIFICATE_KEY_FILE"],
        ),
        (
            &[
                APP,
                key,
                ("TIDINGS_CERTIFICATE_KEY_FILE", "k"),
                ("CertificateThumbprint", "0af1"),
            ],
            &["both CertificatePrivateKey and TIDINGS_CERTIFICATE_KEY_FILE"],
        ),
        (
            &[APP, PASSWORD, ("TIDINGS_LOCAL_CHANNEL", "on")],
            &["TIDINGS_DIRECT_LINE_SECRET"],
        ),
        (
            &[("TIDINGS_SLOW_TURN_AFTER", "15s")],
            &["TIDINGS_SLOW_TURN_AFTER: must be less than 15s"],
        ),
        (
            &[("TIDINGS_PUBLIC_URL", "http://herald.example")],
            &["TIDINGS_PUBLIC_URL: must be an https address"],
        ),
        (
            &[("TIDINGS_LOCAL_CHANNEL", "maybe")],
            &["must be auto, on or off"],
        ),
    ] {
        let error = load(environment).unwrap_err();
        for part in says {
            assert!(error.contains(part), "{part} is missing in {error}");
        }
        assert!(!error.contains("sesame"), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

#[test]
fn no_secret_is_ever_shown() {
    let secrets = [
        APP,
        PASSWORD,
        ("CertificateThumbprint", "0af1"),
        ("CertificatePrivateKey", "sesame"),
        ("TIDINGS_DIRECT_LINE_SECRET", "sesame"),
        ("TIDINGS_LOCAL_CHANNEL", "on"),
        ("TIDINGS_DATABASE", "postgres://bot:sesame@db.example/bots"),
    ];
    let config = load(&secrets).unwrap();
    assert!(config.local_channel_is_on());
    let shown = format!("{config:?} {:?}", config.credential());
    assert!(!shown.contains("sesame"), "{shown}");
    for (file, text) in [
        (".env", "MicrosoftAppPassword=sesame barley\n"),
        (".env", "MicrosoftAppPassword 'sesame\n"),
        ("tidings.toml", "app_password = sesame"),
        ("tidings.toml", "app_password = 'sesame"),
        ("tidings.toml", "app_password = ['sesame', 1]"),
        ("tidings.toml", "app_password = { sesame = 1 }"),
    ] {
        let error = Place::new(&[(file, text)])
            .load(&Flags::default(), &[])
            .unwrap_err();
        assert!(error.starts_with(file), "{error}");
        assert!(!error.contains("sesame"), "{error}");
    }
    let setting = Setting::new("sesame", "here").secret();
    let refused = setting
        .parse(|_| Err::<(), _>("must not be".to_owned()))
        .unwrap_err();
    assert_eq!(refused.to_string(), "here: must not be");
    for key in KEYS.iter().filter(|key| {
        ["password", "secret", "certificate_key"]
            .iter()
            .any(|word| key.name.ends_with(word))
    }) {
        assert!(key.secret, "{}", key.name);
    }
}
