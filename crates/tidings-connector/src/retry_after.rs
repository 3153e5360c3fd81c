//! `Retry-After` (RFC 9110, 10.2.3): seconds or an HTTP date.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};

/// No connector means more than that; the published Teams limits look back one hour.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// How long the answer asks us to wait, at most [`LONGEST_WAIT`]. `None` if it does not say or we cannot read it.
///
/// A date is compared with the answer's own `Date` where there is one, so that a wrong clock on either side does not
/// matter, else with `now`.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // All digits, so the only way not to parse is to be too big.
        return Some(value.parse().map_or(LONGEST_WAIT, |seconds| {
            Duration::from_secs(seconds).min(LONGEST_WAIT)
        }));
    }
    let until = httpdate::parse_http_date(value).ok()?;
    let from = headers
        .get(DATE)
        .and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok())
        .unwrap_or(now);
    Some(
        until
            .duration_since(from)
            .unwrap_or(Duration::ZERO)
            .min(LONGEST_WAIT),
    )
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn wait(value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(
            RETRY_AFTER,
            HeaderValue::from_bytes(value.as_bytes()).expect("a header value"),
        );
        let now = httpdate::parse_http_date("Sun, 22 Nov 2026 10:00:00 GMT").expect("a date");
        retry_after(&headers, now)
    }

    #[test]
    fn reads_seconds() {
        assert_eq!(wait("0"), Some(Duration::ZERO));
        assert_eq!(wait(" 17 "), Some(Duration::from_secs(17)));
        assert_eq!(wait("0007"), Some(Duration::from_secs(7)));
    }

    #[test]
    fn is_bounded_at_a_day() {
        assert_eq!(wait("86399"), Some(Duration::from_secs(86_399)));
        assert_eq!(wait("86400"), Some(LONGEST_WAIT));
        assert_eq!(wait("86401"), Some(LONGEST_WAIT));
        assert_eq!(wait("18446744073709551615"), Some(LONGEST_WAIT));
        assert_eq!(wait(&"9".repeat(4_000)), Some(LONGEST_WAIT));
        assert_eq!(wait("Fri, 31 Dec 9999 23:59:59 GMT"), Some(LONGEST_WAIT));
    }

    #[test]
    fn reads_all_three_forms_of_a_date() {
        let minute = Some(Duration::from_secs(60));
        assert_eq!(wait("Sun, 22 Nov 2026 10:01:00 GMT"), minute);
        assert_eq!(wait("Sunday, 22-Nov-26 10:01:00 GMT"), minute);
        assert_eq!(wait("Sun Nov 22 10:01:00 2026"), minute);
        assert_eq!(wait("Sun, 22 Nov 2026 09:59:00 GMT"), Some(Duration::ZERO));
        assert_eq!(wait("Thu, 01 Jan 1970 00:00:00 GMT"), Some(Duration::ZERO));
    }

    #[test]
    fn prefers_the_connectors_own_clock() {
        let mut headers = HeaderMap::new();
        headers.insert(
            RETRY_AFTER,
            HeaderValue::from_static("Sun, 22 Nov 2026 12:00:30 GMT"),
        );
        headers.insert(DATE, HeaderValue::from_static("Sun, 22 Nov 2026 12:00:00 GMT"));
        let now = httpdate::parse_http_date("Sun, 22 Nov 2026 10:00:00 GMT").expect("a date");
        assert_eq!(retry_after(&headers, now), Some(Duration::from_secs(30)));
    }

    #[test]
    fn leaves_out_what_it_cannot_read() {
        for value in [
            "",
            " ",
            "-1",
            "+1",
            "1.5",
            "1e9",
            "soon",
            "NaN",
            "Sun, 99 Nov 2026 10:00:00 GMT",
            "\u{fc}",
        ] {
            assert_eq!(wait(value), None, "{value:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), SystemTime::UNIX_EPOCH), None);
    }
}
