//! `tidings doctor`.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;
use tidings_connector::test_idp::TestIdp;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::binary::{Served, output, tidings};

const APP_ID: &str = "5c1d2f1e-8a1b-4a53-9d0e-3f6f5e2d1c0b";

fn doctor(folder: &TempDir, arguments: &[&str]) -> Command {
    let mut command = tidings(folder.path());
    command
        .args(["doctor", "--listen", "127.0.0.1:0"])
        .args(arguments);
    command
}

async fn examined(command: &mut Command) -> (Option<i32>, String) {
    let output = output(command).await;
    assert!(
        output.stderr.is_empty(),
        "{:?}",
        String::from_utf8_lossy(&output.stderr)
    );
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

/// Grants everybody a token.
async fn token_endpoint() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let body = r#"{"token_type":"Bearer","expires_in":3600,"access_token":"granted"}"#;
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = BufReader::new(&mut stream).lines();
            while request
                .next_line()
                .await
                .unwrap()
                .is_some_and(|line| !line.is_empty())
            {}
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
            // What is left of the request, so that the answer is not cut off.
            while stream.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {}
        }
    });
    base
}

#[tokio::test]
async fn a_fresh_folder_is_well_and_stays_empty() {
    let folder = tempfile::tempdir().unwrap();
    let (code, text) = examined(&mut doctor(&folder, &[])).await;
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.ends_with("\nAll is well.\n") && !text.contains('\u{1b}'),
        "{text}"
    );
    assert!(
        text.contains("tidings.db is not there yet and can be created"),
        "{text}"
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_running_server_is_no_trouble() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(&folder).await;
    assert_eq!(served.say("run").await.0, 200);
    let address = served.base.trim_start_matches("http://");
    let arguments = [
        "doctor",
        "--listen",
        address,
        "--target",
        "conversation",
        "--json",
    ];
    let (code, json) = examined(tidings(folder.path()).args(arguments)).await;
    let report: Value = serde_json::from_str(&json).unwrap();
    let says = |check: &str| {
        let findings = report["findings"].as_array().unwrap();
        let finding = findings.iter().find(|finding| finding["check"] == check);
        finding.unwrap_or_else(|| panic!("no {check} in {json}"))["says"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!((code, &report["verdict"]), (Some(0), &"ok".into()), "{json}");
    assert!(says("database").contains("a running server"), "{json}");
    assert!(
        says("address").starts_with("a Tidings server listens on"),
        "{json}"
    );
    assert!(says("target").contains("\"test\""), "{json}");
    assert_eq!(says("target address"), "http://127.0.0.1:1");
}

#[tokio::test]
async fn the_exit_code_says_it_all() {
    let folder = tempfile::tempdir().unwrap();
    let (provider, keys) = (token_endpoint().await, TestIdp::start().await);
    let cloud = keys.cloud();
    let configured = |arguments: &[&str]| {
        let mut command = doctor(&folder, arguments);
        command
            .env("ToBotFromChannelOpenIdMetadataUrl", &cloud.channel_metadata_url)
            .env("ToBotFromEmulatorOpenIdMetadataUrl", &cloud.emulator_metadata_url)
            .env("ToChannelFromBotLoginUrl", format!("{provider}/botframework.com"))
            .env("MicrosoftAppId", APP_ID)
            .env("MicrosoftAppPassword", "sesame");
        command
    };
    // Warnings: the public address is not set.
    let (code, text) = examined(&mut configured(&[])).await;
    assert_eq!(code, Some(3), "{text}");
    assert!(
        text.contains("Fix: set TIDINGS_PUBLIC_URL")
            && text.contains("obtained with the client secret")
            && !text.contains("sesame"),
        "{text}"
    );
    let (code, text) = examined(&mut configured(&["--target", "nowhere"])).await;
    assert_eq!(code, Some(1), "{text}");
    let (code, text) = examined(configured(&[]).env("MicrosoftAppType", "SingleTenant")).await;
    assert_eq!(code, Some(78), "{text}");
    assert!(
        text.starts_with("failed  configuration  MicrosoftAppType is SingleTenant"),
        "{text}"
    );
    let (code, json) = examined(configured(&["--json"]).env("MicrosoftAppPassword", "")).await;
    assert_eq!(code, Some(78), "{json}");
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["verdict"], "failed");
}
