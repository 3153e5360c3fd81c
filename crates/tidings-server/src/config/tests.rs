mod identity;

use super::*;

struct Place(tempfile::TempDir);

impl Place {
    fn new(files: &[(&str, &str)]) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            std::fs::write(place.0.path().join(name), text).unwrap();
        }
        place
    }

    fn load(&self, flags: &Flags, environment: &[(&str, &str)]) -> Result<Config, String> {
        let environment = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::load_from(flags, environment, self.0.path()).map_err(|error| {
            error
                .to_string()
                .replace(&format!("{}/", self.0.path().display()), "")
        })
    }
}

fn listening(address: &str) -> Config {
    Config {
        listen: address.parse().unwrap(),
        ..Config::default()
    }
}

#[test]
fn the_manual_holds_every_key_with_its_default() {
    let place = Place::new(&[("tidings.toml", Config::MANUAL)]);
    assert_eq!(place.load(&Flags::default(), &[]), Ok(Config::default()));
    let table: toml::Table = toml::from_str(Config::MANUAL).unwrap();
    for key in KEYS {
        assert!(
            table.contains_key(key.name),
            "{} is missing in config.default.toml",
            key.name
        );
        for name in key.environment {
            assert!(
                Config::MANUAL.contains(name),
                "{name} is missing in config.default.toml"
            );
        }
        if let Some(flag) = key.flag {
            assert!(
                Config::MANUAL.contains(&format!("--{flag}")),
                "--{flag} is missing in config.default.toml"
            );
        }
    }
    assert_eq!(table.len(), KEYS.len());
}

#[test]
fn nothing_set_is_the_default() {
    assert_eq!(
        Place::new(&[]).load(&Flags::default(), &[]),
        Ok(Config::default())
    );
}

#[test]
fn flag_wins_over_environment_over_dot_env_over_file() {
    let place = Place::new(&[
        ("tidings.toml", "listen = '127.0.0.1:1001'"),
        (".env", "TIDINGS_LISTEN=127.0.0.1:1002\n"),
    ]);
    let flags = Flags {
        listen: Some("127.0.0.1:1004".to_owned()),
        ..Flags::default()
    };
    let environment = [("TIDINGS_LISTEN", "127.0.0.1:1003")];
    assert_eq!(place.load(&flags, &environment), Ok(listening("127.0.0.1:1004")));
    assert_eq!(
        place.load(&Flags::default(), &environment),
        Ok(listening("127.0.0.1:1003"))
    );
    assert_eq!(
        place.load(&Flags::default(), &[]),
        Ok(listening("127.0.0.1:1002"))
    );
    std::fs::remove_file(place.0.path().join(".env")).unwrap();
    assert_eq!(
        place.load(&Flags::default(), &[]),
        Ok(listening("127.0.0.1:1001"))
    );
}

#[test]
fn port_is_honoured_where_no_address_is_set_beside_it() {
    let place = Place::new(&[(".env", "TIDINGS_LISTEN=127.0.0.1:1002\n")]);
    assert_eq!(
        place.load(&Flags::default(), &[("PORT", "8080")]),
        Ok(listening("127.0.0.1:8080"))
    );
    let both = [("PORT", "8080"), ("TIDINGS_LISTEN", "127.0.0.1:1003")];
    assert_eq!(
        place.load(&Flags::default(), &both),
        Ok(listening("127.0.0.1:1003"))
    );
    let error = place.load(&Flags::default(), &[("PORT", "http")]).unwrap_err();
    assert!(error.starts_with("PORT: must be"), "{error}");
}

#[test]
fn addresses_may_leave_out_the_host() {
    for (text, address) in [
        ("4000", "127.0.0.1:4000"),
        (":4000", "127.0.0.1:4000"),
        ("LocalHost:4000", "127.0.0.1:4000"),
        ("[::1]:4000", "[::1]:4000"),
        ("0.0.0.0:0", "0.0.0.0:0"),
    ] {
        assert_eq!(listen::parse(text), Ok(address.parse().unwrap()), "{text}");
    }
    for text in ["", "example.com:80", "127.0.0.1", "127.0.0.1:65536", "localhost:"] {
        assert!(listen::parse(text).is_err(), "{text}");
    }
}

#[test]
fn an_unknown_key_names_the_nearest() {
    let place = Place::new(&[("tidings.toml", "lisen = '127.0.0.1:1'")]);
    let error = place.load(&Flags::default(), &[]).unwrap_err();
    assert_eq!(
        error,
        r#"tidings.toml: unknown key "lisen"; did you mean "listen"?"#
    );
    let place = Place::new(&[("tidings.toml", "colour = 'green'")]);
    let error = place.load(&Flags::default(), &[]).unwrap_err();
    assert_eq!(
        error,
        r#"tidings.toml: unknown key "colour"; `tidings config` prints every key"#
    );
}

#[test]
fn a_wrong_value_names_its_place() {
    for (file, error) in [
        (
            "log_format = 'xml'",
            r#"tidings.toml: log_format: must be text or json, got "xml""#,
        ),
        (
            "max_connections = 0",
            r#"tidings.toml: max_connections: must be at least 1, got "0""#,
        ),
        (
            "max_connections = -1",
            r#"tidings.toml: max_connections: must be a whole number, got "-1""#,
        ),
        (
            "max_backlog = 0",
            r#"tidings.toml: max_backlog: must be a whole number from 1 to 10000000, got "0""#,
        ),
        (
            "max_tenant_backlog = 10000001",
            r#"tidings.toml: max_tenant_backlog: must be a whole number from 1 to 10000000, got "10000001""#,
        ),
        (
            "send_timeout = 5",
            r#"tidings.toml: send_timeout: must be a duration such as 500ms, 12s or 2m, got "5""#,
        ),
        (
            "send_timeout = '0s'",
            r#"tidings.toml: send_timeout: must be a duration such as 500ms, 12s or 2m, got "0s""#,
        ),
        (
            "database = ''",
            r#"tidings.toml: database: must not be empty, got """#,
        ),
        (
            "listen = true",
            r#"tidings.toml: listen: must be a string, a number or a list of strings, got "boolean""#,
        ),
        (
            "allowed_hosts = ['http://a/']",
            r#"tidings.toml: allowed_hosts: must be host names without scheme, port and path, but has "http://a/", got "http://a/""#,
        ),
        (
            "allowed_service_hosts = ['a/b']",
            r#"tidings.toml: allowed_service_hosts: must be HOST or HOST:PORT without scheme and path, but has "a/b", got "a/b""#,
        ),
    ] {
        let place = Place::new(&[("tidings.toml", file)]);
        assert_eq!(place.load(&Flags::default(), &[]).unwrap_err(), error);
    }
    let place = Place::new(&[(".env", "TIDINGS_LOG_FORMAT=xml\n")]);
    let error = place.load(&Flags::default(), &[]).unwrap_err();
    assert_eq!(
        error,
        r#".env: TIDINGS_LOG_FORMAT: must be text or json, got "xml""#
    );
}

#[test]
fn a_broken_file_names_its_line() {
    let place = Place::new(&[("tidings.toml", "log = 'info'\nlisten =\n")]);
    let error = place.load(&Flags::default(), &[]).unwrap_err();
    assert!(error.starts_with("tidings.toml:2: "), "{error}");
    let place = Place::new(&[(".env", "what is this\n")]);
    let error = place.load(&Flags::default(), &[]).unwrap_err();
    assert!(error.starts_with(".env:1: must be NAME=VALUE"), "{error}");
}

#[test]
fn a_file_named_by_flag_must_exist() {
    let flags = Flags {
        config: Some("other.toml".into()),
        ..Flags::default()
    };
    let error = Place::new(&[]).load(&flags, &[]).unwrap_err();
    assert!(error.starts_with("other.toml cannot be read: "), "{error}");
    let place = Place::new(&[
        ("other.toml", "bot_name = 'Herald'"),
        ("tidings.toml", "bot_name = 'Unread'"),
    ]);
    assert_eq!(place.load(&flags, &[]).unwrap().bot_name, "Herald");
    let named_by_environment = place.load(&Flags::default(), &[("TIDINGS_CONFIG", "other.toml")]);
    assert_eq!(named_by_environment.unwrap().bot_name, "Herald");
}

#[test]
fn lists_are_arrays_in_the_file_and_commas_in_the_environment() {
    let place = Place::new(&[(
        "tidings.toml",
        "allowed_service_hosts = ['a.example', 'b.example:8080']",
    )]);
    let expected = ["a.example", "b.example:8080"];
    assert_eq!(
        place.load(&Flags::default(), &[]).unwrap().allowed_service_hosts,
        expected
    );
    let environment = [("TIDINGS_ALLOWED_SERVICE_HOSTS", "a.example, b.example:8080,")];
    assert_eq!(
        Place::new(&[])
            .load(&Flags::default(), &environment)
            .unwrap()
            .allowed_service_hosts,
        expected
    );
}
