//! Activities kept in memory instead of being sent.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use tidings_activity::{Activity, ConversationReference, ResourceResponse};

use super::Outbound;
use crate::error::{Error, Result};

/// Keeps what a turn sends, as for `expectReplies`, where the replies travel in the HTTP response. Nothing
/// gets an id.
#[derive(Debug, Default)]
pub struct Collector {
    activities: Mutex<Vec<Activity>>,
}

impl Collector {
    /// What was collected so far, in order; the collector is empty afterwards.
    pub fn take(&self) -> Vec<Activity> {
        std::mem::take(&mut self.activities.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What was collected so far, in order; it stays.
    pub(crate) fn collected(&self) -> Vec<Activity> {
        self.activities
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

#[async_trait]
impl Outbound for Collector {
    async fn send(&self, activity: &Activity) -> Result<ResourceResponse> {
        self.activities
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(activity.clone());
        Ok(ResourceResponse::default())
    }

    async fn update(&self, _activity: &Activity) -> Result<ResourceResponse> {
        Err(Error::msg(
            "an activity cannot be updated in a turn whose replies are collected (expectReplies)",
        ))
    }

    async fn delete(&self, _reference: &ConversationReference) -> Result<()> {
        Err(Error::msg(
            "an activity cannot be deleted in a turn whose replies are collected (expectReplies)",
        ))
    }
}
