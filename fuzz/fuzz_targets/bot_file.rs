//! `.bot` files from anybody: they are refused or read, never a panic, and what is read is written so that it reads
//! the same again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidings_connector::BotFile;

const SECRET: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut file) = BotFile::parse(bytes) else {
        return;
    };
    let json = file.to_json();
    assert_eq!(BotFile::parse(json.as_bytes()).expect("it was written").to_json(), json);
    for secret in [SECRET, "open sesame"] {
        let _refused = file.decrypt(Some(&secret.into()));
    }
    if file.encrypt(&SECRET.into()).is_ok() {
        file.decrypt(Some(&SECRET.into())).expect("it was encrypted");
    }
    for service in file.services() {
        let _found = (service.secrets(), file.app_id(service));
    }
});
