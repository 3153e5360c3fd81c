use tempfile::TempDir;
use tidings_store::test_postgres::TestPostgres;
use tidings_store::{Database, DatabaseOptions, Migrations};

use crate::notes;

/// What a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    /// An empty database of its own. PostgreSQL writes on one thread, in the order in which operations are queued.
    pub(crate) fn options(self) -> DatabaseOptions {
        match self {
            Engine::Sqlite => DatabaseOptions::temporary(),
            Engine::Postgres => TestPostgres::shared().options().writers(1),
        }
    }

    /// A database that may be opened again and again.
    pub(crate) fn home(self) -> Home {
        match self {
            Engine::Sqlite => {
                let folder = tempfile::tempdir().unwrap();
                Home {
                    options: notes::options(&folder),
                    _folder: Some(folder),
                }
            }
            Engine::Postgres => Home {
                options: self.options().component(notes::NOTES),
                _folder: None,
            },
        }
    }

    pub(crate) fn open(self, components: impl IntoIterator<Item = Migrations>) -> Database {
        let options = components
            .into_iter()
            .fold(self.options(), DatabaseOptions::component);
        Database::open(options).unwrap()
    }
}

/// A place for notes that stays.
pub(crate) struct Home {
    options: DatabaseOptions,
    _folder: Option<TempDir>,
}

impl Home {
    pub(crate) fn options(&self) -> DatabaseOptions {
        self.options.clone()
    }
}

/// Makes two tests of each case: one on SQLite, one on PostgreSQL.
macro_rules! on_both_engines {
    ($($case:ident)+) => {
        mod sqlite {
            $(
                #[tokio::test]
                async fn $case() {
                    super::$case($crate::engine::Engine::Sqlite).await;
                }
            )+
        }

        mod postgres {
            $(
                #[tokio::test]
                async fn $case() {
                    super::$case($crate::engine::Engine::Postgres).await;
                }
            )+
        }
    };
}

pub(crate) use on_both_engines;
