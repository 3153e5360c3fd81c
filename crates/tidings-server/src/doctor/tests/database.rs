//! The check of the database.

use tidings_store::Database;

use super::*;

#[tokio::test]
async fn a_database_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("text"), "x".repeat(600)).unwrap();
    for (database, part) in [
        ("missing/tidings.db", "does not exist"),
        ("text", "is not an SQLite database"),
        (".", "cannot be read"),
    ] {
        let config = Config {
            database: folder.path().join(database).display().to_string(),
            ..local(folder.path())
        };
        finds(
            &examine(&config, well()).await,
            "database",
            Verdict::Failed,
            &[part],
        );
    }
    let config = Config {
        database: "postgres://user:sesame@host/db".to_owned(),
        ..local(folder.path())
    };
    finds(
        &examine(&config, well()).await,
        "database",
        Verdict::Failed,
        &["PostgreSQL"],
    );
}

#[tokio::test]
async fn a_database_in_use_is_trouble_unless_a_server_runs() {
    let folder = tempfile::tempdir().unwrap();
    let config = local(folder.path());
    let database = Database::open(crate::database::database_options(&config).unwrap()).unwrap();
    let report = examine(&config, well()).await;
    finds(
        &report,
        "database",
        Verdict::Failed,
        &["is in use by", "does not listen", "stop that process"],
    );
    database.close().await;
    finds(
        &examine(&config, well()).await,
        "database",
        Verdict::Ok,
        &["can be written"],
    );
}

#[cfg(unix)]
#[tokio::test]
async fn a_postgresql_database_may_be_in_use_by_others() {
    let folder = tempfile::tempdir().unwrap();
    let url = tidings_store::test_postgres::TestPostgres::shared().url();
    let config = Config {
        database: url.replace("tidings@", "tidings:sesame@"),
        ..local(folder.path())
    };
    let report = examine(&config, well()).await;
    finds(&report, "database", Verdict::Ok, &["makes its tables"]);
    let database = crate::open_database(&config).unwrap();
    let report = examine(&config, well()).await;
    finds(&report, "database", Verdict::Ok, &["has the tables"]);
    database.close().await;
}
