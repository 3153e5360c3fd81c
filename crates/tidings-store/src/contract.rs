//! The contract of [`Storage`](crate::Storage) as cases, one function each: [`storage_contract!`](crate::storage_contract)
//! makes a test of every one. A case panics where the backend breaks the contract.
#![expect(
    clippy::missing_panics_doc,
    reason = "a case fails its test by panicking, as the module says"
)]

mod atomicity;
mod documents;
mod etags;
mod limits;

pub use atomicity::*;
pub use documents::*;
pub use etags::*;
pub use limits::*;

/// Proves a [`Storage`](crate::Storage) backend: one `#[tokio::test]` per case of the contract.
///
/// The argument is an `async fn() -> impl Storage`. With `, atomic` after it, the cases of a backend that writes all
/// changes of one call or none are added. Every case uses keys of its own, so the cases may share one store, but not run
/// twice on it. The calling crate needs `tokio` with its `macros` and `rt` features.
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
    (@cases $make:path: $($case:ident)+) => {
        $(
            #[tokio::test]
            async fn $case() {
                $crate::contract::$case($make().await).await;
            }
        )+
    };
    ($make:path) => {
        $crate::storage_contract! { @cases $make:
            a_missing_document_is_left_out
            nothing_to_do_is_fine
            a_created_document_is_read_back
            an_update_replaces_the_whole_document
            a_deleted_document_is_gone
            deleting_a_missing_document_is_fine
            keys_that_look_special_are_kept_apart
            keys_differ_by_case_and_by_composition
            json_values_come_back_as_they_went
            many_documents_at_once
            a_key_asked_for_twice_is_read_once
            keys_are_limited
            documents_are_limited
            a_write_returns_the_etag_that_a_read_shows
            every_write_gives_a_new_etag
            the_etag_just_read_admits_a_write
            a_stale_etag_conflicts
            no_etag_and_the_wildcards_write_whatever_is_there
            an_invented_etag_conflicts
            a_stale_etag_conflicts_on_a_deleted_document
            an_etag_never_returns_after_delete_and_create
            an_etag_conflicts_where_nothing_was_ever_kept
            absent_creates_only_once
            a_conflict_leaves_the_document_alone
            fifty_tasks_count_to_fifty
            one_of_many_creators_wins
        }
    };
    ($make:path, atomic) => {
        $crate::storage_contract!($make);
        $crate::storage_contract! { @cases $make:
            a_conflict_keeps_nothing_of_its_call
            an_invalid_change_keeps_nothing_of_its_call
            changes_of_one_key_apply_in_order
            the_second_change_of_a_key_meets_the_etag_of_the_first
        }
    };
}
