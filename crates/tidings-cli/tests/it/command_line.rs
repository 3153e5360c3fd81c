//! Help, version, settings, and what clap says to a typing error.

use crate::binary::{Served, output, tidings};

async fn printed(arguments: &[&str]) -> (Option<i32>, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let output = output(tidings(folder.path()).args(arguments)).await;
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn help_teaches() {
    for arguments in [["--help"].as_slice(), &["serve", "--help"]] {
        let (code, help, _) = printed(arguments).await;
        assert_eq!(code, Some(0));
        for part in [
            "--listen",
            "--database",
            "--config",
            "--log-format",
            "Examples:",
            "TIDINGS_LISTEN",
            "PORT",
            "NO_COLOR",
            "Exit codes:",
        ] {
            assert!(help.contains(part), "{part} is missing in {help}");
        }
    }
    let (_, help, _) = printed(&["jobs", "list", "--help"]).await;
    assert!(help.contains("--json") && help.contains("--server"), "{help}");
}

#[tokio::test]
async fn the_version_is_the_packages() {
    let (code, version, _) = printed(&["--version"]).await;
    assert_eq!(
        (code, version),
        (Some(0), format!("tidings {}\n", env!("CARGO_PKG_VERSION")))
    );
}

#[tokio::test]
async fn a_typing_error_is_answered_with_a_suggestion() {
    let (code, _, message) = printed(&["serv"]).await;
    assert_eq!(code, Some(2));
    assert!(message.contains("'serve'"), "{message}");
    let (code, _, message) = printed(&["serve", "--lisen", "4000"]).await;
    assert_eq!(code, Some(2));
    assert!(message.contains("'--listen'"), "{message}");
}

#[tokio::test]
async fn the_printed_settings_are_a_valid_file() {
    let (code, settings, _) = printed(&["config"]).await;
    assert_eq!(code, Some(0));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tidings.toml"), settings).unwrap();
    let served = Served::start(&folder).await;
    served.signal("TERM").await;
    assert_eq!(served.ended().await, Some(0));
}

#[tokio::test]
async fn jobs_are_listed_as_a_table_and_as_json() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(&folder).await;
    let list = async |more: &[&str]| {
        let output = output(
            tidings(folder.path())
                .args(["jobs", "list", "--server", &served.base])
                .args(more),
        )
        .await;
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(list(&[]).await, "The job log is empty.\n");
    assert_eq!(served.say("run").await.0, 200);
    let table = list(&[]).await;
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 2, "{table}");
    assert!(
        lines[0].contains("JOB") && lines[1].contains("running"),
        "{table}"
    );
    let json: serde_json::Value = serde_json::from_str(&list(&["--json"]).await).unwrap();
    assert_eq!(json["total"], 1);
}
