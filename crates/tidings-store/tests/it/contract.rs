//! The storage contract on each backend.

mod memory {
    use tidings_store::MemoryStorage;

    async fn make() -> MemoryStorage {
        MemoryStorage::new()
    }

    tidings_store::storage_contract!(make, atomic);
}

mod sqlite {
    use tidings_store::Database;

    async fn make() -> Database {
        Database::temporary([]).unwrap()
    }

    tidings_store::storage_contract!(make, atomic);
}

mod postgres {
    use tidings_store::Database;
    use tidings_store::test_postgres::TestPostgres;

    async fn make() -> Database {
        Database::open(TestPostgres::shared().options()).unwrap()
    }

    tidings_store::storage_contract!(make, atomic);
}
