//! The contract of [`Storage`](crate::Storage) as cases, one function each: [`storage_contract!`](crate::storage_contract)
//! makes a test of every one.

/// Proves a [`Storage`](crate::Storage) backend: one `#[tokio::test]` per case of the contract.
///
/// The argument is an `async fn() -> impl Storage`. With `, atomic` after it, the cases of a backend that writes all
/// changes of one call or none are added. The cases use keys of their own, so a store may be shared among them. The
/// calling crate needs `tokio` with its `macros` feature.
///
/// ```
/// mod memory {
///     async fn make() -> tidings_store::MemoryStorage {
///         tidings_store::MemoryStorage::new()
///     }
///
///     tidings_store::storage_contract!(make, atomic);
/// }
/// ```
#[macro_export]
macro_rules! storage_contract {
    ($make:path) => {};
    ($make:path, atomic) => {};
}
