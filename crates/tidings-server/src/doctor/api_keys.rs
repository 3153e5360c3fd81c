//! The keys of the API: where others can reach it, there must be one.

use jiff::Timestamp;
use tidings_store::Inspection;

use super::Finding;
use crate::config::Config;
use crate::keys::is_any_live;

/// `None` where none is needed: in local mode, and on a loopback address.
pub(super) fn check(config: &Config, inspection: Option<&Inspection>, now: Timestamp) -> Option<Finding> {
    const CHECK: &str = "api keys";
    if config.app_id.is_none() || config.listen.ip().is_loopback() {
        return None;
    }
    // A database without the table has no key either.
    let is_there = inspection.map(|inspection| inspection.read(|tx| is_any_live(tx, now)));
    if matches!(is_there, Some(Ok(Some(true)))) {
        return Some(Finding::ok(CHECK, "there is one"));
    }
    Some(Finding::failed(
        CHECK,
        format!(
            "there is none yet, and {} can be reached from other machines, so the server would not start",
            config.listen
        ),
        "make one with `tidings keys create --scope jobs:read --scope jobs:write`",
    ))
}
