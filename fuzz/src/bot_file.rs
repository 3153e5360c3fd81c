//! What holds of a `.bot` file from anybody. The fuzz target and the test that replays its corpus share it.

use tidings_connector::BotFile;

/// The secret, and the password of the older file, that the corpus is encrypted with.
const SECRETS: [&str; 2] = ["AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "open sesame"];

/// Reads the file, or not; what is read is written so that it reads the same again, and what is encrypted decrypts.
pub(crate) fn check(bytes: &[u8]) {
    let Ok(mut file) = BotFile::parse(bytes) else {
        return;
    };
    let json = file.to_json();
    let again = BotFile::parse(json.as_bytes()).map(|again| again.to_json());
    // Indented, it may have become too large.
    assert!(json.len() > BotFile::MAX_BYTES || again.is_ok_and(|again| again == json));
    for secret in SECRETS {
        let _refused = file.decrypt(Some(&secret.into()));
    }
    let clear = file.to_json();
    if file.encrypt(&SECRETS[0].into()).is_ok() {
        assert!(file.is_encrypted());
        file.decrypt(Some(&SECRETS[0].into()))
            .expect("it has just been encrypted");
        let opened = file.to_json();
        // The padlock is there now, and empty.
        assert!(opened == clear || opened.contains("\"padlock\": \"\""));
    }
    for service in file.services() {
        let _found = (service.secrets(), file.app_id(service), format!("{service:?}"));
    }
}
