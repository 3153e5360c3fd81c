//! `tidings bot-file`.

use std::fs;

use tempfile::TempDir;
use tokio::process::Command;

use crate::binary::{failure, output, tidings};

const SECRET: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const PLAIN: &str = r#"{"name":"herald","services":[{"type":"endpoint","id":"1","name":"live","appPassword":"sesame","extra":[1]}],"padlock":""}"#;

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("herald.bot"), PLAIN).unwrap();
    folder
}

fn bot_file(folder: &TempDir, arguments: &[&str]) -> Command {
    let mut command = tidings(folder.path());
    command
        .env_remove("botFileSecret")
        .arg("bot-file")
        .args(arguments);
    command
}

async fn printed(command: &mut Command) -> (String, String) {
    let output = output(command).await;
    let text = |bytes| String::from_utf8(bytes).unwrap();
    assert!(output.status.success(), "{}", text(output.stderr));
    (text(output.stdout), text(output.stderr))
}

fn on_disk(folder: &TempDir) -> String {
    fs::read_to_string(folder.path().join("herald.bot")).unwrap()
}

#[tokio::test]
async fn a_file_goes_there_and_back() {
    let folder = folder();
    let (encrypted, _) =
        printed(bot_file(&folder, &["encrypt", "herald.bot"]).env("botFileSecret", SECRET)).await;
    assert!(
        !encrypted.contains("sesame") && encrypted.contains("\"padlock\": \""),
        "{encrypted}"
    );
    assert_eq!(on_disk(&folder), PLAIN, "printing changes nothing");
    fs::write(folder.path().join("herald.bot"), &encrypted).unwrap();
    fs::write(folder.path().join("secret"), format!("{SECRET}\n")).unwrap();
    let (decrypted, _) = printed(&mut bot_file(
        &folder,
        &["decrypt", "herald.bot", "--secret-file", "secret"],
    ))
    .await;
    assert!(decrypted.contains("\"appPassword\": \"sesame\""), "{decrypted}");
    assert_eq!(on_disk(&folder), encrypted);
    let (told, _) = printed(&mut bot_file(
        &folder,
        &["decrypt", "herald.bot", "--in-place", "--secret", SECRET],
    ))
    .await;
    assert_eq!(told, "herald.bot is decrypted: 1 secret.\n");
    assert_eq!(on_disk(&folder), decrypted);
    let (told, _) = printed(&mut bot_file(&folder, &["decrypt", "herald.bot", "--in-place"])).await;
    assert_eq!(told, "herald.bot is not encrypted.\n");
    let (told, _) = printed(&mut bot_file(
        &folder,
        &["encrypt", "herald.bot", "--in-place", "--secret", SECRET],
    ))
    .await;
    assert_eq!(told, "herald.bot is encrypted: 1 secret.\n");
    assert_ne!(on_disk(&folder), encrypted, "vectors are never used twice");
}

#[tokio::test]
async fn a_new_secret_is_told_once() {
    let folder = folder();
    let (file, secret) = printed(&mut bot_file(&folder, &["encrypt", "herald.bot", "--new-secret"])).await;
    assert!(
        file.contains("padlock") && secret.starts_with("tidings: "),
        "{file} {secret}"
    );
    let (secret, _) = printed(&mut bot_file(
        &folder,
        &["encrypt", "herald.bot", "--new-secret", "--in-place"],
    ))
    .await;
    let (decrypted, _) = printed(&mut bot_file(
        &folder,
        &["decrypt", "herald.bot", "--secret", secret.trim()],
    ))
    .await;
    assert!(decrypted.contains("sesame"), "{decrypted}");
}

#[tokio::test]
async fn show_never_shows_a_secret() {
    let folder = folder();
    let (table, _) = printed(&mut bot_file(&folder, &["show", "herald.bot"])).await;
    assert!(
        table.contains("appPassword set") && !table.contains("sesame"),
        "{table}"
    );
    printed(&mut bot_file(
        &folder,
        &["encrypt", "herald.bot", "--in-place", "--secret", SECRET],
    ))
    .await;
    let (table, _) = printed(&mut bot_file(&folder, &["show", "herald.bot"])).await;
    assert!(
        table.contains("\nencrypted\n") && table.contains("appPassword encrypted"),
        "{table}"
    );
    let (json, _) = printed(&mut bot_file(
        &folder,
        &["show", "herald.bot", "--json", "--secret", SECRET],
    ))
    .await;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json["encrypted"], &json["secretFits"]),
        (&true.into(), &true.into())
    );
    let wrong = output(bot_file(&folder, &["show", "herald.bot"]).env("botFileSecret", "wrong")).await;
    assert_eq!(wrong.status.code(), Some(77));
    assert!(
        String::from_utf8(wrong.stdout)
            .unwrap()
            .contains("the secret does not fit")
    );
}

#[tokio::test]
async fn what_cannot_be_done_is_said_in_one_line() {
    let folder = folder();
    fs::write(folder.path().join("broken.bot"), "{").unwrap();
    fs::write(
        folder.path().join("locked.bot"),
        r#"{"padlock":"AAECAwQFBgcICQoLDA0ODw==!6H5G+J59TZQMdlkJH18ekw=="}"#,
    )
    .unwrap();
    for (arguments, code, says) in [
        (["show", "none.bot"].as_slice(), 66, "none.bot cannot be read"),
        (&["show", "broken.bot"], 65, "no JSON at line 1"),
        (
            &["decrypt", "locked.bot"],
            77,
            "secret is missing: give it with --secret-file",
        ),
        (
            &["decrypt", "locked.bot", "--secret", "wrong"],
            77,
            "secret is incorrect",
        ),
        (
            &["decrypt", "locked.bot", "--secret-file", "none"],
            66,
            "none cannot be read",
        ),
        (
            &["encrypt", "locked.bot", "--secret", SECRET],
            65,
            "encrypted already",
        ),
        (&["encrypt", "herald.bot"], 77, "--new-secret"),
        (
            &["encrypt", "herald.bot", "--secret", "short"],
            77,
            "32 random bytes",
        ),
    ] {
        let (failed, line) = failure(&mut bot_file(&folder, arguments)).await;
        assert_eq!(failed, code, "{arguments:?}: {line}");
        assert!(line.contains(says), "{arguments:?}: {line}");
    }
    let two = output(&mut bot_file(
        &folder,
        &["decrypt", "herald.bot", "--secret", "a", "--secret-file", "b"],
    ))
    .await;
    assert_eq!(two.status.code(), Some(2));
}
