//! `.bot` files: what is read, kept, encrypted, decrypted and written.

use std::fs;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use tidings_connector::{BotFile, BotFileError, BotService};

#[path = "../../../../fuzz/src/bot_file.rs"]
mod fuzz;

const ENCRYPTED: &str = include_str!("bot_files/encrypted.bot");
const LEGACY: &str = include_str!("bot_files/legacy.bot");
const SECRET: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn file(json: &str) -> BotFile {
    BotFile::parse(json.as_bytes()).expect("a .bot file")
}

fn service(json: &str) -> BotFile {
    file(&format!(r#"{{"services":[{json}]}}"#))
}

fn secret() -> SecretString {
    SECRET.into()
}

/// Every secret of every service that is set.
fn secrets(file: &BotFile) -> Vec<(String, String)> {
    let all = file.services().iter().flat_map(BotService::secrets);
    all.map(|secret| (secret.field, secret.value.expose_secret().to_owned()))
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

fn named(secrets: &[(&str, &str)]) -> Vec<(String, String)> {
    secrets
        .iter()
        .map(|(field, value)| ((*field).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn what_is_read_is_written_the_same() {
    assert_eq!(file(ENCRYPTED).to_json(), ENCRYPTED);
    let with_mark = format!("\u{feff}{ENCRYPTED}");
    assert_eq!(file(&with_mark).to_json(), ENCRYPTED);
    assert_eq!(file("{}").to_json(), "{}\n");
    assert_eq!(file(r#"{"services":null}"#).services().len(), 0);
}

#[test]
fn a_file_is_decrypted_and_what_is_unknown_stays() {
    let mut decrypted = file(ENCRYPTED);
    assert!(decrypted.is_encrypted());
    decrypted.decrypt(Some(&secret())).unwrap();
    assert!(!decrypted.is_encrypted());
    assert_eq!(
        secrets(&decrypted),
        named(&[
            ("appPassword", "the endpoint password"),
            ("instrumentationKey", "an instrumentation key"),
            ("apiKeys.first", "the first api key"),
        ])
    );
    let json = decrypted.to_json();
    for kept in [
        r#""birds": 12.0,"#,
        r#""hours": 1.50e1"#,
        r#""appPassword": "not ours to read","#,
        r##""colour": "#4a7""##,
        r#""padlock": "","#,
        r#""second": """#,
    ] {
        assert!(json.contains(kept), "{kept} is missing in {json}");
    }
    // Nothing has moved.
    let names = |text: &str| -> Vec<String> {
        text.lines()
            .filter_map(|line| Some(line.split_once(':')?.0.to_owned()))
            .collect()
    };
    assert_eq!(names(&json), names(ENCRYPTED));
}

#[test]
fn each_type_has_its_secrets() {
    for (json, fields) in [
        (
            r#"{"type":"endpoint","appId":"a","appPassword":"p"}"#,
            vec!["appPassword"],
        ),
        (r#"{"type":"abs","appId":"a","tenantId":"t"}"#, vec![]),
        (
            r#"{"type":"luis","authoringKey":"p","subscriptionKey":"p","region":"r"}"#,
            vec!["authoringKey", "subscriptionKey"],
        ),
        (
            r#"{"type":"dispatch","authoringKey":"p","subscriptionKey":"p"}"#,
            vec!["authoringKey", "subscriptionKey"],
        ),
        (
            r#"{"type":"qna","endpointKey":"p","subscriptionKey":"p","kbId":"k"}"#,
            vec!["endpointKey", "subscriptionKey"],
        ),
        (
            r#"{"type":"appInsights","instrumentationKey":"p","apiKeys":{"a":"p","b":"p"}}"#,
            vec!["instrumentationKey", "apiKeys.a", "apiKeys.b"],
        ),
        (
            r#"{"type":"blob","connectionString":"p","container":"c"}"#,
            vec!["connectionString"],
        ),
        (r#"{"type":"cosmosdb","key":"p","endpoint":"e"}"#, vec!["key"]),
        (
            r#"{"type":"generic","url":"u","configuration":{"x":"p"}}"#,
            vec!["configuration.x"],
        ),
        (r#"{"type":"file","path":"p"}"#, vec![]),
        (r#"{"type":"unheard of","key":"k"}"#, vec![]),
        (r#"{"key":"k"}"#, vec![]),
    ] {
        let before = service(json);
        let mut file = before.clone();
        file.encrypt(&secret()).unwrap();
        let encrypted = secrets(&file);
        assert_eq!(
            encrypted
                .iter()
                .map(|(field, _)| field.as_str())
                .collect::<Vec<_>>(),
            fields,
            "{json}"
        );
        for (field, value) in &encrypted {
            assert!(value.contains('!'), "{field} of {json} is {value}");
            assert_eq!(
                file.services()[0].text(field),
                None,
                "{field} is handed out in clear"
            );
        }
        file.decrypt(Some(&secret())).unwrap();
        assert_eq!(
            file.services()[0].secrets().len(),
            before.services()[0].secrets().len()
        );
        assert_eq!(secrets(&file), secrets(&before), "{json}");
    }
}

#[test]
fn empty_secrets_stay_empty() {
    let mut file = service(
        r#"{"type":"qna","endpointKey":"","subscriptionKey":null},{"type":"generic","configuration":null}"#,
    );
    file.encrypt(&secret()).unwrap();
    assert!(file.is_encrypted());
    assert_eq!(secrets(&file), []);
    let json = file.to_json();
    assert!(
        json.contains(r#""endpointKey": "","#) && json.contains(r#""subscriptionKey": null"#),
        "{json}"
    );
    file.decrypt(Some(&secret())).unwrap();
}

#[test]
fn an_encrypted_file_needs_its_secret() {
    let mut file = file(ENCRYPTED);
    for missing in [None, Some(SecretString::from(""))] {
        let error = file.decrypt(missing.as_ref()).unwrap_err();
        assert!(error.to_string().ends_with("secret is missing"), "{error}");
    }
    let other = BotFile::new_secret();
    for wrong in [other.expose_secret(), "short", "not base64 at all", &SECRET[4..]] {
        let error = file.decrypt(Some(&wrong.into())).unwrap_err();
        assert!(error.to_string().ends_with("secret is incorrect"), "{error}");
    }
    assert_eq!(file.to_json(), ENCRYPTED, "a failure changes nothing");
    let mut plain = service(r#"{"type":"endpoint"}"#);
    plain.decrypt(None).unwrap();
}

#[test]
fn damage_looks_like_a_wrong_secret_and_changes_nothing() {
    for (whole, damaged) in [
        // A cipher text cut short, one without its vector, one in clear.
        ("dKyWeXA73atha9//jpM3vQMHtdNv4=", "dKyWeXA73atha9//jpM3vQMHtd"),
        ("AgICAgICAgICAgICAgICAg==!", ""),
        (
            "AwMDAwMDAwMDAwMDAwMDAw==!SGbd8ZM+mrCk7vzeucRBmDQMaGDlmjaabrpASWG6ofg=",
            "in clear",
        ),
        ("BAQEBAQEBAQEBAQEBAQEBA==!", "BAQEBAQEBAQEBAQEBAQEBA==!!"),
        ("AQEBAQEBAQEBAQEBAQEBAQ==!8B9", "AQEBAQEBAQEBAQEBAQEBAQ==!9B9"),
    ] {
        let json = ENCRYPTED.replace(whole, damaged);
        assert_ne!(json, ENCRYPTED);
        let mut file = file(&json);
        let error = file.decrypt(Some(&secret())).unwrap_err();
        assert!(
            matches!(error, BotFileError::SecretIncorrect),
            "{damaged}: {error}"
        );
        assert_eq!(file.to_json(), json);
    }
}

#[test]
fn encrypting_needs_a_whole_key_and_secrets_that_are_texts() {
    let mut plain = service(r#"{"type":"endpoint","appPassword":"p"}"#);
    let error = plain.encrypt(&"password".into()).unwrap_err();
    assert!(matches!(error, BotFileError::SecretUnusable), "{error}");
    assert!(!plain.is_encrypted());
    plain.encrypt(&secret()).unwrap();
    let error = plain.encrypt(&secret()).unwrap_err();
    assert!(matches!(error, BotFileError::Encrypted), "{error}");

    for (json, field) in [
        (
            r#"{"type":"endpoint","appPassword":1}"#,
            "services[0].appPassword",
        ),
        (
            r#"{"type":"file"},{"type":"generic","configuration":{"a":"b","c":[]}}"#,
            "services[1].configuration.c",
        ),
    ] {
        let mut file = service(json);
        let before = file.to_json();
        let error = file.encrypt(&secret()).unwrap_err().to_string();
        assert!(error.contains(field), "{error}");
        assert_eq!(file.to_json(), before);
    }
    let error = service(r#"{"type":"appInsights","apiKeys":"k"}"#)
        .encrypt(&secret())
        .unwrap_err();
    assert!(error.to_string().contains("apiKeys"), "{error}");
}

#[test]
fn a_file_from_before_version_2_is_understood() {
    let mut file = file(LEGACY);
    assert!(file.is_encrypted());
    let error = file.decrypt(Some(&"open barley".into())).unwrap_err();
    assert!(matches!(error, BotFileError::SecretIncorrect), "{error}");
    file.decrypt(Some(&"open sesame".into())).unwrap();
    assert_eq!(
        secrets(&file),
        named(&[
            ("appPassword", "open the gate"),
            ("authoringKey", "luis-authoring"),
            ("endpointKey", "was never encrypted"),
            ("subscriptionKey", "qna-subscription"),
        ])
    );
    let ids: Vec<_> = file
        .services()
        .iter()
        .map(|service| service.id().unwrap())
        .collect();
    assert_eq!(ids, ["1", "2", "3", "4"]);
    let json = file.to_json();
    assert!(!json.contains("secretKey"), "{json}");
    let compact = json.split_whitespace().collect::<String>();
    assert!(compact.contains(r#""serviceIds":["2","3","gone"]"#), "{json}");
    assert!(
        compact.contains(r#""padlock":"""#) && compact.contains(r#""version":"2.0""#),
        "{json}"
    );
    // From here on it is encrypted as of today.
    file.encrypt(&secret()).unwrap();
    file.decrypt(Some(&secret())).unwrap();
    assert_eq!(file.to_json(), json);
}

#[test]
fn damage_in_a_legacy_file_looks_like_a_wrong_secret() {
    for (whole, damaged) in [
        ("f006bf2656\"", "f006bf26\""),
        ("f006bf2656\"", "f006bf265\""),
        ("f006bf2656\"", "f006bf265x\""),
        ("9e5b9626\"", "9e5b9627\""),
    ] {
        let json = LEGACY.replace(whole, damaged);
        assert_ne!(json, LEGACY);
        let error = file(&json).decrypt(Some(&"open sesame".into())).unwrap_err();
        assert!(
            matches!(error, BotFileError::SecretIncorrect),
            "{damaged}: {error}"
        );
    }
}

#[test]
fn the_older_name_of_the_padlock_counts_where_there_is_no_padlock() {
    let padlock = file(ENCRYPTED)
        .to_json()
        .lines()
        .find_map(|line| line.trim().strip_prefix(r#""padlock": ""#)?.strip_suffix("\","))
        .unwrap()
        .to_owned();
    for json in [
        format!(r#"{{"secretKey":"{padlock}"}}"#),
        format!(r#"{{"padlock":"","secretKey":"{padlock}"}}"#),
        format!(r#"{{"padlock":"{padlock}","secretKey":""}}"#),
    ] {
        let mut file = file(&json);
        assert!(file.is_encrypted(), "{json}");
        file.decrypt(Some(&secret())).unwrap();
        assert!(!BotFile::parse(file.to_json().as_bytes()).unwrap().is_encrypted());
    }
}

#[test]
fn services_are_found_by_id_and_then_by_name() {
    let file = service(
        r#"{"type":"endpoint","id":"1","name":"2"},{"type":"endpoint","id":"2","name":"1"},{"type":"file","id":7}"#,
    );
    let found = |name| file.find_service(name).and_then(BotService::id);
    assert_eq!(found("1").as_deref(), Some("1"));
    assert_eq!(found("2").as_deref(), Some("2"));
    assert_eq!(found("7").as_deref(), Some("7"));
    assert_eq!(found("3"), None);
    let file = service(r#"{"id":"1","name":"a"},{"id":"2","name":"b"}"#);
    assert_eq!(
        file.find_service("b").and_then(BotService::id).as_deref(),
        Some("2")
    );
}

#[test]
fn a_new_service_gets_the_next_number() {
    for (ids, next) in [
        ("", "1"),
        (r#"{"id":"9"},{"id":"10"},{"id":"2"}"#, "11"),
        (r#"{"id":12},{"id":"x13"},{"name":"14"}"#, "13"),
        (r#"{"id":"9007199254740991"}"#, "9007199254740992"),
        (r#"{"id":"9007199254740992"}"#, "1"),
    ] {
        let mut file = service(ids);
        assert_eq!(
            file.add_service(BotService::new("file", "notes")).unwrap(),
            next,
            "{ids}"
        );
        assert_eq!(
            file.find_service("notes").and_then(BotService::id).as_deref(),
            Some(next)
        );
    }
    let mut encrypted = file(ENCRYPTED);
    let new = BotService::new("endpoint", "second").with("appPassword", "in clear");
    assert!(matches!(encrypted.add_service(new), Err(BotFileError::Encrypted)));
}

#[test]
fn a_registration_without_an_app_id_has_the_endpoints() {
    let file = service(
        r#"{"type":"abs","id":"1"},{"type":"abs","id":"2","appId":"own"},{"type":"luis","id":"3"},
           {"type":"endpoint","id":"4","appId":"first"},{"type":"endpoint","id":"5","appId":"second"}"#,
    );
    let app_id = |id| file.app_id(file.find_service(id).unwrap());
    assert_eq!(app_id("1").as_deref(), Some("first"));
    assert_eq!(app_id("2").as_deref(), Some("own"));
    assert_eq!(app_id("3"), None);
    assert_eq!(app_id("5").as_deref(), Some("second"));
}

#[test]
fn what_is_no_bot_file_is_refused() {
    for (json, problem) in [
        ("", "no JSON"),
        ("{", "no JSON"),
        ("[]", "must be a JSON object"),
        ("\"sesame\"", "must be a JSON object"),
        (r#"{"services":{}}"#, "services must be a list"),
        (r#"{"services":[{},1]}"#, "services[1] must be an object"),
        (r#"{"padlock":1}"#, "padlock must be a string"),
        (r#"{"secretKey":{}}"#, "secretKey must be a string"),
    ] {
        let error = BotFile::parse(json.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(problem), "{json}: {error}");
        assert!(!error.contains("sesame"), "{error}");
    }
}

#[test]
fn size_and_depth_have_a_limit() {
    let sized = |bytes: usize| format!("{{}}{}", " ".repeat(bytes - 2));
    for (bytes, fits) in [
        (BotFile::MAX_BYTES - 1, true),
        (BotFile::MAX_BYTES, true),
        (BotFile::MAX_BYTES + 1, false),
    ] {
        assert_eq!(BotFile::parse(sized(bytes).as_bytes()).is_ok(), fits, "{bytes}");
    }
    let deep = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
    for (depth, fits) in [
        (BotFile::MAX_DEPTH - 1, true),
        (BotFile::MAX_DEPTH, true),
        (BotFile::MAX_DEPTH + 1, false),
    ] {
        assert_eq!(BotFile::parse(deep(depth).as_bytes()).is_ok(), fits, "{depth}");
    }
}

#[test]
fn debug_shows_no_secret() {
    let file = service(r#"{"type":"endpoint","name":"n","appPassword":"sesame","extra":"sesame"}"#);
    let shown = format!(
        "{file:?} {:?} {:?}",
        file.services(),
        file.services()[0].secrets()
    );
    assert!(
        !shown.contains("sesame") && shown.contains("appPassword"),
        "{shown}"
    );
}

#[test]
fn files_are_loaded_and_saved_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("herald.bot");
    let error = BotFile::load(&path).unwrap_err().to_string();
    assert!(error.contains("herald.bot cannot be read"), "{error}");
    file(ENCRYPTED).save(&path).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), ENCRYPTED);
    let mut decrypted = BotFile::load(&path).unwrap();
    decrypted.decrypt(Some(&secret())).unwrap();
    decrypted.save(&path).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), decrypted.to_json());
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        1,
        "nothing else is left there"
    );
    let error = decrypted.save(&folder.path().join("no/such.bot")).unwrap_err();
    assert!(
        error.to_string().contains("such.bot cannot be written"),
        "{error}"
    );
    // What is written can be read again: {"name": "..."} with its indentation.
    for (bytes, fits) in [
        (BotFile::MAX_BYTES - 1, true),
        (BotFile::MAX_BYTES, true),
        (BotFile::MAX_BYTES + 1, false),
    ] {
        let around = file(r#"{"name":""}"#).to_json().len();
        let long = file(&format!(r#"{{"name":"{}"}}"#, "x".repeat(bytes - around)));
        assert_eq!(long.to_json().len(), bytes);
        assert_eq!(long.save(&path).is_ok(), fits, "{bytes}");
        assert!(BotFile::load(&path).is_ok());
    }
    fs::write(&path, " ".repeat(BotFile::MAX_BYTES + 1)).unwrap();
    assert!(matches!(BotFile::load(&path), Err(BotFileError::TooLarge)));
}

#[cfg(unix)]
#[test]
fn permissions_and_links_are_kept() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    let folder = tempfile::tempdir().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let path = folder.path().join("herald.bot");
    file(ENCRYPTED).save(&path).unwrap();
    assert_eq!(mode(&path), 0o600, "a new file is for its owner");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let link = folder.path().join("link.bot");
    symlink(&path, &link).unwrap();
    file("{}").save(&link).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "{}\n");
    assert_eq!(mode(&path), 0o640);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
}

#[test]
fn the_first_file_of_a_folder_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let error = BotFile::load_from_folder(folder.path()).unwrap_err().to_string();
    assert!(error.starts_with("there is no .bot file in "), "{error}");
    for (name, text) in [
        ("b.bot", r#"{"name":"second"}"#),
        ("a.bot", r#"{"name":"first"}"#),
        ("0.json", "{}"),
        ("A.txt", ""),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let first = BotFile::load_from_folder(folder.path()).unwrap();
    assert_eq!(first.name().as_deref(), Some("first"));
}

/// The seeds of the fuzz target, with what it holds true of them.
#[test]
fn the_fuzz_corpus_holds() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/bot_file");
    let mut files = 0;
    for entry in fs::read_dir(&corpus).unwrap() {
        fuzz::check(&fs::read(entry.unwrap().path()).unwrap());
        files += 1;
    }
    assert!(files >= 8, "{files} seeds");
}
