//! What stands in the way of a start is one line that says what to do.

use tidings_server::{Config, Server, StartError};
use tokio::net::TcpListener;

use crate::harness::{bot, database};

async fn refused(config: &Config) -> (u8, String) {
    let error: StartError = Server::bind(config, bot())
        .await
        .expect_err("the server must not start");
    let message = error.to_string();
    assert!(!message.contains('\n'), "{message}");
    (error.exit_code(), message)
}

fn config(folder: &tempfile::TempDir) -> Config {
    Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        database: database(folder.path()),
        ..Config::default()
    }
}

#[tokio::test]
async fn only_loopback_addresses_in_local_mode() {
    let folder = tempfile::tempdir().unwrap();
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:3978"] {
        let (code, message) = refused(&Config {
            listen: listen.parse().unwrap(),
            ..config(&folder)
        })
        .await;
        assert_eq!(code, 78, "{message}");
        assert!(message.contains("listen on 127.0.0.1:"), "{message}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn an_app_id_without_a_credential_is_not_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let (code, message) = refused(&Config {
        app_id: Some("an-app".to_owned()),
        ..config(&folder)
    })
    .await;
    assert_eq!(code, 78);
    assert!(message.contains("nothing proves that this is it"), "{message}");
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listen = taken.local_addr().unwrap();
    let (code, message) = refused(&Config {
        listen,
        ..config(&folder)
    })
    .await;
    assert_eq!(code, 69);
    assert!(message.starts_with(&format!("{listen} is taken: ")), "{message}");
}

#[tokio::test]
async fn a_database_in_use_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder);
    let _server = Server::bind(&config, bot()).await.unwrap();
    let (code, message) = refused(&config).await;
    assert_eq!(code, 75, "{message}");
    assert!(message.contains("tidings.db"), "{message}");
}

#[tokio::test]
async fn what_is_no_database_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("tidings.db"),
        "This is a letter, not a database. ".repeat(100),
    )
    .unwrap();
    let (code, message) = refused(&config(&folder)).await;
    assert_eq!(code, 65, "{message}");
    assert!(message.contains("tidings.db"), "{message}");
}

#[tokio::test]
async fn a_missing_folder_a_full_disk_no_server_and_another_kind_of_database() {
    let folder = tempfile::tempdir().unwrap();
    let (code, message) = refused(&Config {
        database: "/no/such/folder/tidings.db".to_owned(),
        ..config(&folder)
    })
    .await;
    assert_eq!(code, 73, "{message}");
    let (code, message) = refused(&Config {
        database_max_pages: Some(3),
        ..config(&folder)
    })
    .await;
    assert_eq!(code, 74, "{message}");
    for (database, expected) in [
        ("postgres://bot:sesame@127.0.0.1:1/tidings", 69),
        ("mysql://bot:sesame@127.0.0.1/tidings", 78),
    ] {
        let (code, message) = refused(&Config {
            database: database.to_owned(),
            ..config(&folder)
        })
        .await;
        assert_eq!(code, expected, "{message}");
        assert!(!message.contains("sesame"), "{message}");
    }
}
