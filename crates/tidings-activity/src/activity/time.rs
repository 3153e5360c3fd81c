use jiff::fmt::temporal::Pieces;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::Activity;

impl Activity {
    /// When the activity was sent; None when `timestamp` is absent or no ISO 8601 instant.
    pub fn sent_at(&self) -> Option<Timestamp> {
        self.timestamp.as_deref()?.parse().ok()
    }

    /// When the activity was sent, on the sender's clock; None when `localTimestamp` is absent or lacks an offset.
    ///
    /// The zone is `localTimezone` when that is a known IANA name, else the bare offset.
    pub fn sent_at_local(&self) -> Option<Zoned> {
        let text = self.local_timestamp.as_deref()?;
        let instant: Timestamp = text.parse().ok()?;
        let named = self
            .local_timezone
            .as_deref()
            .and_then(|name| TimeZone::get(name).ok());
        let zone = match named {
            Some(zone) => zone,
            None => TimeZone::fixed(Pieces::parse(text).ok()?.to_numeric_offset()?),
        };
        Some(instant.to_zoned(zone))
    }

    /// When the activity is of no use any more; None when `expiration` is absent or no ISO 8601 instant.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.expiration.as_deref()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(timestamp: &str, zone: Option<&str>) -> Option<String> {
        let activity = Activity {
            local_timestamp: Some(timestamp.to_owned()),
            local_timezone: zone.map(str::to_owned),
            ..Activity::typing()
        };
        activity.sent_at_local().map(|zoned| zoned.to_string())
    }

    #[test]
    fn local_time_keeps_offset_or_zone() {
        let sent = "2026-03-29T01:30:00.123-03:30";
        assert_eq!(
            local(sent, None).as_deref(),
            Some("2026-03-29T01:30:00.123-03:30[-03:30]")
        );
        assert_eq!(
            local(sent, Some("Europe/Berlin")).as_deref(),
            Some("2026-03-29T07:00:00.123+02:00[Europe/Berlin]"),
        );
        assert_eq!(local(sent, Some("No/Where")), local(sent, None));
        assert_eq!(local("2026-03-29T01:30:00", Some("Europe/Berlin")), None);
        assert_eq!(local("soon", None), None);
    }

    #[test]
    fn instants_are_read_when_asked_for() {
        let activity = Activity {
            timestamp: Some("2026-01-02T03:04:05.6789Z".to_owned()),
            expiration: Some("tomorrow".to_owned()),
            ..Activity::typing()
        };
        assert_eq!(
            activity.sent_at().map(|at| at.to_string()).as_deref(),
            Some("2026-01-02T03:04:05.6789Z")
        );
        assert_eq!(activity.expires_at(), None);
    }
}
