//! Memory, SQLite, PostgreSQL and a model answer any sequence of calls alike.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use serde_json::json;
use tidings_store::{Database, Document, ETag, MemoryStorage, Storage, StorageError};
use tokio::runtime::Builder;

use crate::engine::Engine;

/// Which eTag a change carries.
#[derive(Clone, Debug)]
enum Guard {
    Unguarded,
    Empty,
    Any,
    Absent,
    Invented,
    /// One that some key was given before, by the number of its write.
    Issued {
        write: prop::sample::Index,
    },
    /// The one the key has now, if any.
    Current,
}

#[derive(Clone, Debug)]
enum Call {
    Write(Vec<(u8, Guard, u32)>),
    Delete(Vec<u8>),
}

fn guard() -> impl Strategy<Value = Guard> {
    prop_oneof![
        1 => Just(Guard::Unguarded),
        1 => Just(Guard::Empty),
        1 => Just(Guard::Any),
        1 => Just(Guard::Absent),
        1 => Just(Guard::Invented),
        3 => any::<prop::sample::Index>().prop_map(|write| Guard::Issued { write }),
        5 => Just(Guard::Current),
    ]
}

fn call() -> impl Strategy<Value = Call> {
    let key = 0..4_u8;
    prop_oneof![
        4 => prop::collection::vec((key.clone(), guard(), any::<u32>()), 1..4).prop_map(Call::Write),
        1 => prop::collection::vec(key, 1..3).prop_map(Call::Delete),
    ]
}

/// A key's value and the number of the write that gave it.
type Model = BTreeMap<u8, (u32, usize)>;

/// The name of a key in a sequence of calls: they share one database.
fn name(sequence: u64, key: u8) -> String {
    format!("{sequence}/key/{key}")
}

/// What the contract says that a write does: the new state, or the key that conflicts.
fn expect(
    model: &Model,
    writes: usize,
    changes: &[(u8, Guard, u32)],
    issued: &[(u8, usize)],
) -> Result<Model, u8> {
    let mut next = model.clone();
    for (number, (key, guard, value)) in (writes..).zip(changes) {
        let current = next.get(key).map(|(_, write)| *write);
        let admitted = match guard {
            Guard::Unguarded | Guard::Empty | Guard::Any => true,
            Guard::Absent => current.is_none(),
            Guard::Invented => false,
            Guard::Issued { .. } if issued.is_empty() => true,
            Guard::Issued { write } => current == Some(issued[write.index(issued.len())].1),
            // The one before the call: a change earlier in the call has replaced it.
            Guard::Current => match model.get(key) {
                Some((_, write)) => current == Some(*write),
                None => true,
            },
        };
        if !admitted {
            return Err(*key);
        }
        next.insert(*key, (*value, number));
    }
    Ok(next)
}

/// A backend under test, with the eTag it issued for each write of the model.
struct Backend<S> {
    sequence: u64,
    storage: S,
    etags: HashMap<usize, ETag>,
}

impl<S: Storage> Backend<S> {
    fn new(sequence: u64, storage: S) -> Backend<S> {
        Backend {
            sequence,
            storage,
            etags: HashMap::new(),
        }
    }

    async fn write(
        &mut self,
        model: &Model,
        writes: usize,
        changes: &[(u8, Guard, u32)],
        issued: &[(u8, usize)],
    ) -> Result<(), StorageError> {
        let changes = changes.iter().map(|(key, guard, value)| {
            let etag = match guard {
                Guard::Unguarded => None,
                Guard::Empty => Some(ETag::new("")),
                Guard::Any => Some(ETag::any()),
                Guard::Absent => Some(ETag::absent()),
                Guard::Invented => Some(ETag::new("invented")),
                Guard::Issued { .. } if issued.is_empty() => None,
                Guard::Issued { write } => Some(self.etags[&issued[write.index(issued.len())].1].clone()),
                Guard::Current => model.get(key).map(|(_, write)| self.etags[write].clone()),
            };
            let document = Document::encode(&json!({ "value": value })).unwrap();
            (name(self.sequence, *key), Document { etag, ..document })
        });
        let written = self.storage.write(changes.collect()).await?;
        self.etags
            .extend((writes..).zip(written.into_iter().map(|(_, etag)| etag)));
        Ok(())
    }

    async fn assert_holds(&self, model: &Model) {
        let names: Vec<String> = (0..4).map(|key| name(self.sequence, key)).collect();
        let keys: Vec<&str> = names.iter().map(String::as_str).collect();
        let found = self.storage.read(&keys).await.unwrap();
        let expected: HashMap<String, Document> = model
            .iter()
            .map(|(key, (value, write))| {
                let document = Document::encode(&json!({ "value": value })).unwrap();
                (
                    name(self.sequence, *key),
                    document.with_etag(self.etags[write].clone()),
                )
            })
            .collect();
        assert_eq!(found, expected);
    }
}

async fn play(calls: Vec<Call>, sequence: u64, on_postgres: Database) {
    let mut model = Model::new();
    // Each write that was kept, with its key.
    let mut issued: Vec<(u8, usize)> = Vec::new();
    let mut writes = 0;
    let mut memory = Backend::new(sequence, MemoryStorage::new());
    let mut sqlite = Backend::new(sequence, Database::temporary([]).unwrap());
    let mut postgres = Backend::new(sequence, on_postgres);
    for call in calls {
        match call {
            Call::Write(changes) => {
                let expected = expect(&model, writes, &changes, &issued);
                let answers = [
                    memory.write(&model, writes, &changes, &issued).await,
                    sqlite.write(&model, writes, &changes, &issued).await,
                    postgres.write(&model, writes, &changes, &issued).await,
                ];
                for answer in answers {
                    match (&expected, answer) {
                        (Ok(_), Ok(())) => {}
                        (Err(key), Err(StorageError::Conflict { key: named })) => {
                            assert_eq!(named, name(sequence, *key));
                        }
                        (expected, answer) => panic!("{changes:?}: expected {expected:?}, got {answer:?}"),
                    }
                }
                if let Ok(next) = expected {
                    model = next;
                    issued.extend(changes.iter().map(|(key, ..)| *key).zip(writes..));
                    writes += changes.len();
                }
            }
            Call::Delete(keys) => {
                let names: Vec<String> = keys.iter().map(|key| name(sequence, *key)).collect();
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                memory.storage.delete(&names).await.unwrap();
                sqlite.storage.delete(&names).await.unwrap();
                postgres.storage.delete(&names).await.unwrap();
                model.retain(|key, _| !keys.contains(key));
            }
        }
        memory.assert_holds(&model).await;
        sqlite.assert_holds(&model).await;
        postgres.assert_holds(&model).await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn memory_sqlite_and_postgres_answer_as_the_model(calls in prop::collection::vec(call(), 1..24)) {
        static SEQUENCES: AtomicU64 = AtomicU64::new(0);
        static POSTGRES: LazyLock<Database> = LazyLock::new(|| Engine::Postgres.open([]));
        let sequence = SEQUENCES.fetch_add(1, Ordering::Relaxed);
        let play = play(calls, sequence, POSTGRES.clone());
        Builder::new_current_thread().build().unwrap().block_on(play);
    }
}
