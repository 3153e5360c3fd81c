//! Updates and deletions that are owed: deliveries like any other, to the engine's own handlers.

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

    /// The delivery that brings the change, whose payload is an activity with the id.
    pub(crate) fn of(self, activity: &Activity) -> Result<Content, ProactiveError> {
        Ok(Content::Handler {
            name: self.name().to_owned(),
            payload: write("activity", activity)?,
        })
    }
}
