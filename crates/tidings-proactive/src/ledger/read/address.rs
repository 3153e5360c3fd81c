//! Where conversations are, by their ids.

use std::collections::HashMap;

use tidings_store::{ColumnRef, Dialect, List, Row, StoreError, ToColumn as _, Tx, params};

// Not `max(id)`: for that PostgreSQL may walk all lanes from the newest down.
const OF_NEWEST: &str = "SELECT reference, identity FROM lane_addresses
     WHERE lane_id = (SELECT max(id + 0) FROM lanes WHERE conversation_id = ?1)";
const OF_CHANNEL: &str = "SELECT reference, identity FROM lane_addresses
     WHERE lane_id = (SELECT id FROM lanes WHERE conversation_id = ?1 AND channel_id = ?2)";

/// A conversation's id and, where it is known, that of its channel.
pub(crate) type Name = (Option<String>, String);

/// A reference and an identity, as JSON.
pub(crate) type Address = (String, Option<String>);

/// The address of a conversation; of several channels that of the newest lane.
pub(crate) fn address(
    tx: &Tx<'_>,
    channel_id: Option<&str>,
    conversation_id: &str,
) -> Result<Option<Address>, StoreError> {
    let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
    match channel_id {
        None => tx.first(OF_NEWEST, params![conversation_id], read),
        Some(channel_id) => tx.first(OF_CHANNEL, params![conversation_id, channel_id], read),
    }
}

/// The address of each of these; one name may come several times.
pub(crate) fn addresses(tx: &Tx<'_>, wanted: &[Name]) -> Result<Vec<Option<Address>>, StoreError> {
    // That of many is planned anew each time there, which takes longer than to run it for one.
    if tx.dialect() == Dialect::Postgres && wanted.len() > 1 {
        return addresses_at_once(tx, wanted);
    }
    let mut known: HashMap<&Name, Option<Address>> = HashMap::new();
    let mut found = Vec::with_capacity(wanted.len());
    for name in wanted {
        if !known.contains_key(name) {
            known.insert(name, address(tx, name.0.as_deref(), &name.1)?);
        }
        found.push(known.get(name).cloned().flatten());
    }
    Ok(found)
}

fn addresses_at_once(tx: &Tx<'_>, wanted: &[Name]) -> Result<Vec<Option<Address>>, StoreError> {
    let channels: List<'_> = wanted.iter().map(|(channel, _)| channel.to_column()).collect();
    let conversations: List<'_> = wanted.iter().map(|(_, id)| ColumnRef::Text(id)).collect();
    let mut found = vec![None; wanted.len()];
    tx.all(
        "SELECT nth, reference, identity
         FROM unnest(CAST(?1 AS TEXT[]), CAST(?2 AS TEXT[])) WITH ORDINALITY AS wanted (channel, conversation, nth)
         CROSS JOIN LATERAL (
             SELECT max(id + 0) AS lane FROM lanes
             WHERE conversation_id = conversation AND (channel IS NULL OR channel_id = channel)) AS newest
         JOIN lane_addresses ON lane_id = lane",
        params![channels, conversations],
        |row| {
            let nth = usize::try_from(row.get::<i64>(0)?).map_err(StoreError::other)?;
            if let Some(found) = found.get_mut(nth - 1) {
                *found = Some((row.get(1)?, row.get(2)?));
            }
            Ok(())
        },
    )?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use tidings_store::Database;

    use super::*;
    use crate::MIGRATIONS;
    use crate::test_ledger::{lane, write};

    #[tokio::test]
    async fn each_is_found_as_it_is_alone() {
        let mut places = vec![Database::temporary([MIGRATIONS]).unwrap()];
        #[cfg(unix)]
        places.push(crate::test_ledger::on_postgres());
        for database in places {
            write(&database, |tx| {
                for (channel, conversation) in [("one", "a"), ("two", "a"), ("one", "b")] {
                    let lane = lane(tx, channel, conversation);
                    tx.execute(
                        "UPDATE lane_addresses SET reference = ?2, identity = ?3 WHERE lane_id = ?1",
                        params![
                            lane,
                            format!("{channel} {conversation}"),
                            (lane == 2).then_some("somebody")
                        ],
                    )?;
                }
                let names = [
                    (None, "a"),
                    (Some("one"), "a"),
                    (Some("two"), "b"),
                    (None, "c"),
                    (None, "b"),
                    (None, "a"),
                ];
                let names: Vec<Name> = names
                    .map(|(channel, id): (Option<&str>, _)| (channel.map(str::to_owned), id.to_owned()))
                    .into();
                let found = addresses(tx, &names)?;
                for (name, found) in names.iter().zip(&found) {
                    assert_eq!(found, &address(tx, name.0.as_deref(), &name.1)?, "{name:?}");
                }
                let newest = Some(("two a".to_owned(), Some("somebody".to_owned())));
                assert_eq!(found[0], newest);
                assert_eq!(
                    found.iter().map(Option::is_some).collect::<Vec<_>>(),
                    [true, true, false, false, true, true]
                );
                assert!(addresses(tx, &[])?.is_empty());
                Ok(())
            })
            .await;
        }
    }
}
