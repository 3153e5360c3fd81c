use std::collections::HashMap;

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
        let found = self
            .worker
            .db
            .read(move |tx| {
                let mut known: HashMap<&(Option<String>, String), _> = HashMap::new();
                let mut found = Vec::with_capacity(wanted.len());
                for one in &wanted {
                    if !known.contains_key(one) {
                        known.insert(one, read::address(tx, one.0.as_deref(), &one.1)?);
                    }
                    found.push(known.get(one).cloned().flatten());
                }
                Ok(found)
            })
            .await?;
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
