//! The seeds of the fuzz targets, and what the fuzzer found, through the same code as in `fuzz/`.

use std::fs;
use std::path::Path;

use tidings_connector::jwt::{Caller, CallerKind, Refusal};

use self::door::Door;

#[expect(unreachable_pub, reason = "a file of the fuzz targets")]
#[path = "../../../../../fuzz/src/door.rs"]
mod door;

type Verdict = Option<Result<Caller, Refusal>>;

/// The verdict on each file of a target's corpus, by the file's name.
fn replay(target: &str, verdict: impl Fn(&[u8]) -> Verdict) -> Vec<(String, Verdict)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target);
    let mut verdicts: Vec<_> = fs::read_dir(&folder)
        .expect("the corpus is there")
        .map(|entry| {
            let entry = entry.expect("an entry");
            let name = entry.file_name().to_string_lossy().into_owned();
            let data = fs::read(entry.path()).expect("a file");
            (name, verdict(&data))
        })
        .collect();
    verdicts.sort_by(|one, other| one.0.cmp(&other.0));
    verdicts
}

#[test]
fn no_header_is_too_strange() {
    let door = Door::new();
    let verdicts = replay("authorization_header", |data| door.authorization_header(data));
    assert!(verdicts.len() >= 16);
    for (name, verdict) in verdicts {
        assert!(!matches!(verdict, Some(Ok(_))), "{name} has no signature");
    }
}

#[test]
fn no_token_is_too_strange() {
    let door = Door::new();
    let verdicts = replay("jwt", |data| door.jwt(data));
    assert!(verdicts.len() >= 16);
    for (name, kind) in [
        ("channel", CallerKind::Channel),
        ("emulator-v1", CallerKind::Emulator),
        ("emulator-v2", CallerKind::Emulator),
        ("skill", CallerKind::Skill),
    ] {
        let verdict = verdicts.iter().find(|(of, _)| of == name);
        let Some((_, Some(Ok(caller)))) = verdict else {
            panic!("{name} leads to the end of the way: {verdict:?}");
        };
        assert_eq!(caller.kind, kind);
    }
}
