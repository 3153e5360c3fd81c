//! Encrypted connections.

use std::path::Path;

use tidings_store::test_postgres::{TestPostgres, TestPostgresOptions};
use tidings_store::{Database, DatabaseOptions, OpenError};

/// Who has signed the certificate of `localhost`.
fn authority() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls");
    folder.join("ca.pem").display().to_string()
}

/// A server that can encrypt, and lets nobody in through TCP who does not.
fn server() -> TestPostgres {
    TestPostgresOptions::default()
        .tcp()
        .setting("ssl=on")
        .file("server.crt", include_str!("../../tls/server.pem"))
        .file("server.key", include_str!("../../tls/server.key"))
        .access("local all all trust\nhostssl all all 127.0.0.1/32 trust\n")
        .start()
}

fn open(server: &TestPostgres, host: &str, options: &str) -> Result<Database, OpenError> {
    let url = format!("postgres://tidings@{host}:{}/postgres?{options}", server.port());
    Database::open(DatabaseOptions::from_url(&url)?)
}

async fn is_encrypted(database: &Database) -> bool {
    let encrypted = database.read(|tx| {
        tx.first(
            "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
            &[],
            |row| row.get(0),
        )
    });
    encrypted.await.unwrap().unwrap()
}

#[tokio::test]
async fn each_mode_asks_for_what_it_says() {
    let server = server();
    let ca = authority();
    for options in [
        String::new(),
        "sslmode=prefer".to_owned(),
        format!("sslmode=require&sslrootcert={ca}"),
        format!("sslmode=verify-full&sslrootcert={ca}"),
    ] {
        let database = open(&server, "localhost", &options).unwrap();
        assert!(is_encrypted(&database).await, "{options}");
    }
    // An authority that nobody trusts, and another name than the certificate's.
    for (host, options) in [
        ("localhost", "sslmode=require".to_owned()),
        ("localhost", "sslmode=verify-full".to_owned()),
        ("127.0.0.1", format!("sslmode=verify-full&sslrootcert={ca}")),
        (
            "localhost",
            "sslmode=verify-full&sslrootcert=/nowhere/ca.pem".to_owned(),
        ),
    ] {
        let error = open(&server, host, &options).unwrap_err();
        assert!(
            matches!(error, OpenError::Tls { .. }),
            "{host} {options}: {error}"
        );
    }
    let error = open(&server, "localhost", "sslmode=disable").unwrap_err();
    assert!(matches!(error, OpenError::LoginRefused { .. }), "{error}");
}

#[tokio::test]
async fn a_server_that_cannot_encrypt_is_refused_where_that_is_asked() {
    let server = TestPostgresOptions::default().tcp().start();
    let database = open(&server, "localhost", "sslmode=prefer").unwrap();
    assert!(!is_encrypted(&database).await);
    let error = open(&server, "localhost", "sslmode=require").unwrap_err();
    assert!(matches!(error, OpenError::Tls { .. }), "{error}");
}
