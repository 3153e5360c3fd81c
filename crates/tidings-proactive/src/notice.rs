//! What the creator of a job is told when it is complete.

use tidings_activity::{Activity, InputHint};

/// The message for the creator of a job: a text, or a whole activity.
///
/// ```
/// # use tidings_proactive::Notice;
/// let notice: Notice = "Your report is ready.".into();
/// ```
#[derive(Clone, Debug)]
pub struct Notice(pub(crate) Activity);

impl From<Activity> for Notice {
    fn from(activity: Activity) -> Self {
        Notice(activity)
    }
}

impl From<String> for Notice {
    fn from(text: String) -> Self {
        Notice(Activity::message(text).with_input_hint(InputHint::AcceptingInput))
    }
}

impl From<&str> for Notice {
    fn from(text: &str) -> Self {
        Notice::from(text.to_owned())
    }
}
