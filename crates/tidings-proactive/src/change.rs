//! Updates and deletions that are owed: deliveries like any other, to the engine's own handlers.

use serde::{Deserialize, Serialize};
use tidings_activity::Activity;

use crate::enqueue::write;
use crate::error::ProactiveError;
use crate::ledger::Content;

/// What is done at the channel to the activity that it knows by an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is replaced.
    Update,
    /// It is deleted.
    Delete,
}

impl Change {
    /// The name under which a delivery of it stands where others have their handler's.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Change::Update => "activity.update",
            Change::Delete => "activity.delete",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        [Change::Update, Change::Delete]
            .into_iter()
            .find(|change| change.name() == name)
    }

    /// The delivery that replaces the activity with the id that `activity` has.
    pub(crate) fn update(activity: &Activity) -> Result<Content, ProactiveError> {
        Ok(Content::Handler {
            name: Change::Update.name().to_owned(),
            payload: write("activity", activity)?,
        })
    }

    /// The delivery that deletes the activity with this id.
    pub(crate) fn delete(id: Option<String>) -> Result<Content, ProactiveError> {
        Ok(Content::Handler {
            name: Change::Delete.name().to_owned(),
            payload: write("id", &Named { id })?,
        })
    }

    /// The activity of a payload, with the id; for a deletion there is nothing else in it.
    ///
    /// # Errors
    /// A sentence: it is no activity, or has no id.
    pub(crate) fn read(self, payload: &str) -> Result<Activity, String> {
        let read = match self {
            Change::Update => serde_json::from_str(payload),
            Change::Delete => serde_json::from_str(payload).map(|Named { id }| Activity {
                id,
                ..Activity::default()
            }),
        };
        let activity: Activity =
            read.map_err(|error| format!("it is not what {} takes: {error}", self.name()))?;
        match activity.id.as_deref() {
            None | Some("") => Err(format!("{} needs the id of what is there", self.name())),
            Some(_) => Ok(activity),
        }
    }
}

/// What is deleted.
#[derive(Debug, Deserialize, Serialize)]
struct Named {
    id: Option<String>,
}
