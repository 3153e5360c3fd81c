//! What a user heard from the bot.

use std::ops::Deref;

use tidings_activity::Activity;

/// What a user heard from the bot, in order.
#[derive(Debug, Clone, Default, PartialEq)]
#[must_use = "what the bot said is to be looked at"]
pub struct Heard {
    activities: Vec<Activity>,
}

impl Heard {
    pub(super) fn new(activities: Vec<Activity>) -> Self {
        Self { activities }
    }

    /// The texts of those activities that have one.
    pub fn texts(&self) -> Vec<&str> {
        self.activities
            .iter()
            .filter_map(|activity| activity.text.as_deref())
            .collect()
    }

    /// Checks that the bot said exactly `text`, once, and nothing else.
    ///
    /// # Panics
    /// When it did not.
    #[track_caller]
    pub fn assert_reply(&self, text: &str) {
        self.assert_replies(&[text]);
    }

    /// Checks that the bot said exactly `texts`, in this order, and nothing else.
    ///
    /// # Panics
    /// When it did not.
    #[track_caller]
    pub fn assert_replies(&self, texts: &[&str]) {
        assert_eq!(self.texts(), texts, "the bot said something else");
        assert_eq!(
            self.activities.len(),
            texts.len(),
            "the bot sent something without text: {:?}",
            self.activities
        );
    }

    /// Checks that the bot sent nothing.
    ///
    /// # Panics
    /// When it did.
    #[track_caller]
    pub fn assert_silent(&self) {
        assert!(self.activities.is_empty(), "the bot sent {:?}", self.activities);
    }
}

impl Deref for Heard {
    type Target = [Activity];

    fn deref(&self) -> &[Activity] {
        &self.activities
    }
}
