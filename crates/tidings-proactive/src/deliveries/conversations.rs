use tidings_bot::{Conversation, Identity};

use crate::error::ProactiveError;
use crate::ledger::read;
use crate::proactive::Proactive;

impl Proactive {
    /// As [`conversation`](Self::conversation), for many at once: each of `wanted` is the id of a conversation and, where
    /// it is known, that of its channel. `None` in the place of one that is not known here.
    ///
    /// # Errors
    /// The database refused, or what is on record cannot be read.
    pub async fn conversations(
        &self,
        wanted: Vec<(Option<String>, String)>,
    ) -> Result<Vec<Option<Conversation>>, ProactiveError> {
        let db = &self.worker.db;
        let found = db.read(move |tx| read::addresses(tx, &wanted)).await?;
        let unreadable = |source| ProactiveError::Unreadable {
            what: "address of a conversation".to_owned(),
            source,
        };
        let conversation = |(reference, identity): (String, Option<String>)| {
            Ok(Conversation::new(
                serde_json::from_str(&reference).map_err(unreadable)?,
                Identity::from_json(identity.as_deref()).map_err(unreadable)?,
            ))
        };
        found
            .into_iter()
            .map(|address| address.map(conversation).transpose())
            .collect()
    }
}
