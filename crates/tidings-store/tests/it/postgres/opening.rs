//! Each way in which a server cannot be used is told apart, in one line that says what to do and shows no password.

use tidings_store::test_postgres::{TestPostgres, TestPostgresOptions};
use tidings_store::{Database, DatabaseOptions, OpenError};

use crate::notes;

fn error_of(url: &str) -> OpenError {
    let error = Database::open(DatabaseOptions::from_url(url).unwrap()).expect_err("it must not open");
    let line = error.to_string();
    assert!(
        !line.contains('\n') && line.contains(':') && line.len() < 400,
        "{line}"
    );
    assert!(!format!("{line} {error:?}").contains("s3cret"), "{line}");
    error
}

#[test]
fn a_server_that_is_not_there() {
    let error = error_of("postgres://ana:s3cret@127.0.0.1:1/bots");
    assert!(
        matches!(&error, OpenError::Unreachable { server, .. } if server == "127.0.0.1:1"),
        "{error}"
    );
    let folder = tempfile::tempdir().unwrap();
    let error = error_of(&format!(
        "postgres://ana:s3cret@/bots?host={}",
        folder.path().display()
    ));
    assert!(error.to_string().contains(".s.PGSQL.5432"), "{error}");
    let error = error_of("postgres://ana:s3cret@host.invalid/bots");
    assert!(matches!(error, OpenError::Unreachable { .. }), "{error}");
}

#[test]
fn a_wrong_password_a_missing_one_and_an_unknown_user() {
    let server = TestPostgresOptions::default()
        .access("local all tidings trust\nlocal all all scram-sha-256\n")
        .start();
    server.sql("CREATE ROLE ana LOGIN PASSWORD 's3cret-right'");
    for user in ["ana:s3cret-wrong@", "ana@", "eve:s3cret@"] {
        let error = error_of(&server.url_for(user, "postgres"));
        assert!(matches!(error, OpenError::LoginRefused { .. }), "{user}: {error}");
    }
    // The right one, without the right to create a schema, and then with it.
    let url = server.url_for("ana:s3cret-right@", "postgres");
    let error = error_of(&url);
    assert!(error.to_string().contains("permission denied"), "{error}");
    let error = Database::inspect(DatabaseOptions::from_url(&url).unwrap()).unwrap_err();
    assert!(error.to_string().contains("may not create"), "{error}");
    server.sql("CREATE SCHEMA tidings AUTHORIZATION ana");
    Database::inspect(DatabaseOptions::from_url(&url).unwrap()).unwrap();
    let database = Database::open(DatabaseOptions::from_url(&url).unwrap()).unwrap();
    assert!(!format!("{database:?} {}", database.location()).contains("s3cret"));
}

#[test]
fn a_database_that_is_not_there_or_holds_no_unicode() {
    let server = TestPostgres::shared();
    let error = error_of(&server.url_for("tidings@", "nowhere"));
    assert!(
        matches!(&error, OpenError::NoSuchDatabase { name, .. } if name == "nowhere"),
        "{error}"
    );
    assert!(error.to_string().contains("createdb nowhere"), "{error}");
    server.sql("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
    let error = error_of(&server.url_for("tidings@", "latin"));
    assert!(
        matches!(&error, OpenError::Encoding { encoding, .. } if encoding == "LATIN1"),
        "{error}"
    );
}

#[test]
fn a_server_that_takes_no_more_connections() {
    let server = TestPostgresOptions::default()
        .setting("max_connections=4")
        .setting("superuser_reserved_connections=0")
        .setting("max_wal_senders=0")
        .start();
    let hold: Vec<Database> = (0..4)
        .map_while(|_| Database::open(server.options()).ok())
        .collect();
    assert!(!hold.is_empty());
    let error = error_of(&server.url());
    assert!(error.to_string().contains("53300"), "{error}");
}

#[tokio::test]
async fn a_look_changes_nothing_and_reads_beside_the_nodes() {
    let server = TestPostgres::shared();
    let options = server.options().component(notes::NOTES);
    let inspection = Database::inspect(options.clone()).unwrap();
    assert!(!inspection.exists() && inspection.path().is_none() && inspection.holder().is_none());
    assert!(inspection.read(notes::texts).unwrap().is_none());
    let database = Database::open(options.clone()).unwrap();
    notes::add(database.clone(), "first").await.unwrap();
    let inspection = Database::inspect(options.clone()).unwrap();
    assert!(inspection.exists());
    assert_eq!(inspection.location(), database.location());
    assert_eq!(inspection.read(notes::texts).unwrap().unwrap(), ["first"]);
    assert!(inspection.read(|tx| notes::insert(tx, "no")).is_err());
    drop(inspection);
    // Whatever would keep it from being opened is found.
    let error = Database::inspect(server.options().schema("pg_catalog").unwrap_or(options)).map(drop);
    assert!(error.is_ok());
}
