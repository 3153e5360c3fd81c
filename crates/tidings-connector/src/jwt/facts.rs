//! What the activity says about where it comes from.

use tidings_activity::Activity;

/// What a token is compared with: two fields of the activity in the body, which nobody has vouched for yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts<'a> {
    /// `channelId`.
    pub channel_id: Option<&'a str>,
    /// `serviceUrl`.
    pub service_url: Option<&'a str>,
}

impl<'a> Facts<'a> {
    /// Those of `activity`.
    #[must_use]
    pub fn of(activity: &'a Activity) -> Self {
        Self {
            channel_id: activity.channel_id.as_deref(),
            service_url: activity.service_url.as_deref(),
        }
    }
}
