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
}

/// What is deleted.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Named {
    id: Option<String>,
}

impl Named {
    /// An activity with nothing but the id.
    pub(crate) fn into_activity(self) -> Activity {
        Activity {
            id: self.id,
            ..Activity::default()
        }
    }
}
