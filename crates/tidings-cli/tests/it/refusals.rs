//! What stands in the way of a start: one line on standard error that says what to do, and an exit code of its own.

use std::net::TcpListener;

use crate::binary::{Served, failure, tidings};

#[tokio::test]
async fn the_port_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, line) = failure(tidings(folder.path()).args(["serve", "--listen", &address])).await;
    assert_eq!(code, 69);
    assert!(
        line.starts_with(&format!("tidings: {address} is taken: ")),
        "{line}"
    );
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        0,
        "a refused start leaves nothing behind"
    );
}

#[tokio::test]
async fn the_database_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(&folder).await;
    let (code, line) = failure(tidings(folder.path()).args(["--listen", "127.0.0.1:0"])).await;
    assert_eq!(code, 75, "{line}");
    assert!(line.contains("tidings.db"), "{line}");
    assert_eq!(served.say("run").await.0, 200);
}

#[tokio::test]
async fn the_database_is_none() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tidings.db"), "Dear reader, ".repeat(1000)).unwrap();
    let (code, line) = failure(tidings(folder.path()).args(["--listen", "127.0.0.1:0"])).await;
    assert_eq!(code, 65, "{line}");
    let (code, line) = failure(tidings(folder.path()).args(["--listen", "0", "--database", "."])).await;
    assert!(code == 73 || code == 65, "{code} {line}");
    let (code, line) =
        failure(tidings(folder.path()).args(["--listen", "0", "--database", "no/such/folder.db"])).await;
    assert_eq!(code, 73, "{line}");
}

#[tokio::test]
async fn the_settings_are_wrong() {
    let folder = tempfile::tempdir().unwrap();
    for (settings, expected) in [
        ("lisen = '127.0.0.1:0'", "did you mean \"listen\"?"),
        ("listen = '0.0.0.0:3978'", "listen on 127.0.0.1:3978"),
        ("listen = ", "tidings.toml:1: "),
        (
            "app_id = 'an-app'",
            "authenticated mode is not in this version yet",
        ),
        ("log = 'loud=='", "TIDINGS_LOG: must be a level"),
        ("database = 'postgres://db/tidings'", "PostgreSQL"),
    ] {
        std::fs::write(folder.path().join("tidings.toml"), settings).unwrap();
        let (code, line) = failure(&mut tidings(folder.path())).await;
        assert_eq!(code, 78, "{line}");
        assert!(line.contains(expected), "{line}");
    }
    std::fs::remove_file(folder.path().join("tidings.toml")).unwrap();
    let (code, line) = failure(tidings(folder.path()).env("MicrosoftAppId", "an-app")).await;
    assert_eq!(code, 78, "{line}");
    let (code, line) = failure(tidings(folder.path()).env("PORT", "http")).await;
    assert_eq!(code, 78, "{line}");
    std::fs::write(folder.path().join(".env"), "TIDINGS_LOG_FORMAT=xml\n").unwrap();
    let (code, line) = failure(&mut tidings(folder.path())).await;
    assert_eq!(code, 78, "{line}");
    assert!(
        line.contains(".env: TIDINGS_LOG_FORMAT: must be text or json"),
        "{line}"
    );
}

#[tokio::test]
async fn no_server_answers() {
    let folder = tempfile::tempdir().unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (code, line) =
        failure(tidings(folder.path()).args(["jobs", "list", "--server", &format!("http://{closed}")])).await;
    assert_eq!(code, 69);
    assert!(line.contains("start one with `tidings serve`"), "{line}");
}
