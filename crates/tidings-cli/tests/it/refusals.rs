//! What stands in the way of a start: one line on standard error that says what to do, and an exit code of its own.

use std::net::TcpListener;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::binary::{Served, closed, failure, tidings};

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
            "app_id = 'an-app'\napp_password = 'sesame'\nchannel_metadata_url = 'http://keys.example'",
            "channel_metadata_url: must be an https address",
        ),
        ("app_id = 'an-app'", "set MicrosoftAppPassword, a certificate"),
        ("log = 'loud=='", "TIDINGS_LOG: must be a level"),
        ("database = 'mysql://db/tidings'", "only SQLite and PostgreSQL"),
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
    let closed = closed();
    let list = async |server: &str| {
        let (code, line) = failure(tidings(folder.path()).args(["jobs", "list", "--server", server])).await;
        assert_eq!(code, 69, "{line}");
        line
    };
    let line = list(&format!("http://{closed}")).await;
    assert!(
        line.contains("nothing listens there; start one with `tidings serve`"),
        "{line}"
    );
    for server in [
        "https://127.0.0.1:1",
        "127.0.0.1:1",
        "localhost",
        "/",
        "http://a b",
    ] {
        let line = list(server).await;
        assert!(line.contains("the URL must look like http://"), "{line}");
    }
}

#[tokio::test]
async fn another_server_answers() {
    let folder = tempfile::tempdir().unwrap();
    for (answer, expected) in [
        (
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            "answered 404 Not Found",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
            "is no Tidings server",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi",
            "its answer broke off",
        ),
        ("SSH-2.0-OpenSSH\r\n", "does not speak HTTP"),
    ] {
        let other = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = format!("http://{}", other.local_addr().unwrap());
        let asked = async {
            let (mut call, _) = other.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(call.read_u8().await.unwrap());
            }
            call.write_all(answer.as_bytes()).await.unwrap();
        };
        let mut command = tidings(folder.path());
        let ((code, line), ()) = tokio::join!(
            failure(command.args(["jobs", "list", "--server", &server])),
            asked
        );
        assert_eq!(code, 69, "{line}");
        assert!(line.contains(expected), "{line}");
    }
}
