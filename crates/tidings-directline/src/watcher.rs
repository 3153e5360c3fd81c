//! How news of other nodes reaches the live sockets of this one, where several share the database.
//!
//! The rows are the truth: as long as somebody listens here, the positions of the conversations listened to are read
//! again and again. What a node has committed is seen by sockets on another after a quarter of a second at most, and a
//! socket then reads the history as after a commit of its own node.

use std::sync::Arc;
use std::time::Duration;

use tidings_store::{Database, StoreError, ToColumn, Tx};
use tokio_util::task::AbortOnDropHandle;

use crate::live::LiveSockets;

/// How often the positions are read.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How many conversations one statement looks at. Its text is always the same, so that it is prepared once.
const AT_ONCE: usize = 64;

/// Begins to watch; the end of the answer is the end of that.
pub(crate) fn watch(db: Database, live: Arc<LiveSockets>) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        loop {
            live.somebody_listens().await;
            if let Err(error) = look(&db, &live).await {
                tracing::warn!(%error, "what other nodes have committed could not be read; the next look tries again");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }))
}

async fn look(db: &Database, live: &LiveSockets) -> Result<(), StoreError> {
    for (number, position) in db.read(positions_of(live.conversations())).await? {
        live.committed(number, position);
    }
    Ok(())
}

fn positions_of(
    conversations: Vec<i64>,
) -> impl FnOnce(&Tx<'_>) -> Result<Vec<(i64, i64)>, StoreError> + Send + 'static {
    move |tx| {
        let places: Vec<String> = (1..=AT_ONCE).map(|place| format!("?{place}")).collect();
        let sql = format!(
            "SELECT number, last_position FROM directline_conversations WHERE number IN ({})",
            places.join(", ")
        );
        let mut positions = Vec::with_capacity(conversations.len());
        for some in conversations.chunks(AT_ONCE) {
            // The last one again and again, to fill up.
            let filled = (0..AT_ONCE).map(|index| &some[index.min(some.len() - 1)] as &dyn ToColumn);
            let filled: Vec<&dyn ToColumn> = filled.collect();
            positions.extend(tx.all(&sql, &filled, |row| Ok((row.get(0)?, row.get(1)?)))?);
        }
        Ok(positions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MIGRATIONS;
    use crate::conversation::Conversation;
    use crate::history::History;
    use crate::options::Limits;
    use tidings_activity::Activity;

    #[tokio::test]
    async fn every_conversation_has_its_position_however_many_there_are() {
        let db = Database::temporary([MIGRATIONS]).unwrap();
        for many in [0, 1, 63, 64, 65, 129] {
            let numbers = db
                .write(move |tx| {
                    let mut numbers = Vec::new();
                    for index in 0..many {
                        let id = format!("{many} {index}");
                        let (conversation, _) = Conversation::start(tx, &id, None, None, 0)?;
                        let history = History::new(tx, conversation.number, &id);
                        for _ in 0..=index {
                            let mut said = Activity::message("said");
                            history.append(&mut said, true, None, false, &Limits::default(), 0)?;
                        }
                        numbers.push(conversation.number);
                    }
                    Ok(numbers)
                })
                .await
                .unwrap();
            let mut found = db.read(positions_of(numbers.clone())).await.unwrap();
            found.sort_unstable();
            let expected: Vec<(i64, i64)> = numbers.into_iter().zip(1..).collect();
            assert_eq!(found, expected, "{many}");
        }
    }
}
