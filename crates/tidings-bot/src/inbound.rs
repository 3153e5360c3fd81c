//! What comes into the adapter and what goes back.

use tidings_activity::{Activity, InvokeResponse, Raw};

use crate::identity::Identity;

/// An activity as it arrived, with who brought it.
#[derive(Debug, Clone)]
pub struct Inbound {
    /// What arrived.
    pub activity: Activity,
    /// Who brought it, as the host proved it.
    pub identity: Identity,
}

impl Inbound {
    /// An activity that nobody had to prove anything for (local mode, tests).
    pub fn anonymous(activity: Activity) -> Self {
        Self {
            activity,
            identity: Identity::anonymous(),
        }
    }
}

/// What the host answers to the POST that brought the activity.
#[derive(Debug, Clone, PartialEq)]
pub struct TurnResponse {
    /// The HTTP status.
    pub status: u16,
    /// The JSON body, if there is one: an invoke's result, or `{"activities":[...]}` for `expectReplies`.
    pub body: Option<Raw>,
}

impl TurnResponse {
    /// 200 with no body: what an ordinary activity is answered with.
    pub fn ok() -> Self {
        Self {
            status: 200,
            body: None,
        }
    }

    /// 202 with no body: the activity is stored, and its turn goes on or comes whatever happens.
    pub fn accepted() -> Self {
        Self {
            status: 202,
            body: None,
        }
    }
}

impl From<InvokeResponse> for TurnResponse {
    fn from(response: InvokeResponse) -> Self {
        Self {
            status: response.status,
            body: response.body,
        }
    }
}
