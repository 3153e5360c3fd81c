//! The life of the process: start, stop, kill, restart, a full disk.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::binary::{PATIENCE, Served, tidings};

#[tokio::test]
async fn the_banner_names_page_bot_and_database() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(&folder).await;
    let database = folder.path().canonicalize().unwrap().join("tidings.db");
    assert!(
        served.banner.contains(&format!("{}/api/messages", served.base)),
        "{}",
        served.banner
    );
    assert!(
        served.banner.contains(&database.display().to_string()),
        "{}",
        served.banner
    );
    for (path, status) in [("/", 200), ("/healthz", 200), ("/readyz", 200)] {
        let response = served
            .client
            .get(format!("{}{path}", served.base))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status().as_u16(), status, "{path}");
    }
    assert_eq!(served.say("nonsense").await.1.len(), 1);
}

#[tokio::test]
async fn each_stop_signal_ends_it_with_success() {
    for signal in ["TERM", "INT"] {
        let folder = tempfile::tempdir().unwrap();
        let served = Served::start(&folder).await;
        served.signal(signal).await;
        assert_eq!(served.ended().await, Some(0), "{signal}");
        let left: Vec<_> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|file| file.unwrap().file_name())
            .collect();
        assert!(
            !left.iter().any(|name| name.to_string_lossy().ends_with("-wal")),
            "not closed cleanly: {left:?}"
        );
    }
}

#[tokio::test]
async fn a_running_turn_finishes_after_sigterm() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(&folder).await;
    let channel = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let activity = json!({
        "type": "message",
        "id": "m-1",
        "channelId": "test",
        "serviceUrl": format!("http://{}", channel.local_addr().unwrap()),
        "from": { "id": "user" },
        "recipient": { "id": "bot" },
        "conversation": { "id": "conversation" },
        "text": "hello",
    });
    let turn = served.post(&activity);
    let slow_channel = async {
        let (mut call, _) = channel.accept().await.unwrap();
        let mut head = [0; 16];
        call.read_exact(&mut head).await.unwrap();
        // The reply is on its way: the turn runs.
        served.signal("TERM").await;
        refuses_new_turns(&served).await;
        call.write_all(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{\"id\":\"1\"}",
        )
        .await
        .unwrap();
        call
    };
    let ((status, _), _call) = tokio::time::timeout(PATIENCE, async { tokio::join!(turn, slow_channel) })
        .await
        .unwrap();
    assert_eq!(status, 200);
    assert_eq!(served.ended().await, Some(0));
}

async fn refuses_new_turns(served: &Served) {
    loop {
        let response = served
            .client
            .get(format!("{}/readyz", served.base))
            .send()
            .await
            .unwrap();
        if response.status().as_u16() == 503 {
            return;
        }
    }
}

#[tokio::test]
async fn kill_and_restart_keep_the_jobs() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(&folder).await;
    let (status, replies) = served.say("run").await;
    assert_eq!((status, replies.len()), (200, 1));
    let before = served.jobs().await;
    assert_eq!(before["total"], 1);
    served.signal("KILL").await;
    assert_eq!(served.ended().await, None);
    let served = Served::start(&folder).await;
    assert_eq!(served.jobs().await, before);
    let number = before["jobs"][0]["number"].as_u64().unwrap();
    assert_eq!(
        served.say(&format!("done {number}")).await.1,
        [format!("Completing job {number}.")]
    );
}

#[tokio::test]
async fn a_full_database_fails_the_turn_and_not_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = tidings(folder.path());
    command
        .args(["--listen", "127.0.0.1:0"])
        .env("TIDINGS_DATABASE_MAX_PAGES", "80")
        .env("TIDINGS_LOG", "off");
    let served = Served::start_as(&mut command).await;
    let mut started = 0;
    let full = async {
        // The bot apologises for a turn that fails.
        while served.say("run").await.1[0].starts_with("We're starting job") {
            started += 1;
        }
    };
    tokio::time::timeout(PATIENCE, full)
        .await
        .expect("the database never became full");
    assert!(started > 0);
    assert_eq!(served.jobs().await["total"], started);
    assert_eq!(served.say("nonsense").await.0, 200);
    served.signal("TERM").await;
    assert_eq!(served.ended().await, Some(0));
}
