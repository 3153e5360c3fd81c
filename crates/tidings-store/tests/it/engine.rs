use tidings_store::test_postgres::TestPostgres;
use tidings_store::{Database, DatabaseOptions, Migrations};

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

    pub(crate) fn open(self, components: impl IntoIterator<Item = Migrations>) -> Database {
        let options = components
            .into_iter()
            .fold(self.options(), DatabaseOptions::component);
        Database::open(options).unwrap()
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
