//! Reading the values of settings. The error says what a value must be.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;
use tidings_connector::Cloud;
use url::{Host, Url};

/// When a channel gives up waiting for the answer to an activity (protocol, section 3.2).
const CHANNEL_GIVES_UP: Duration = Duration::from_secs(15);

pub(super) fn not_empty(text: &str) -> Result<String, String> {
    if text.is_empty() {
        Err("must not be empty".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

pub(super) fn number<N: FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| "must be a whole number".to_owned())
}

pub(super) fn at_least_one(text: &str) -> Result<usize, String> {
    match number(text)? {
        0 => Err("must be at least 1".to_owned()),
        number => Ok(number),
    }
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    text.parse::<jiff::SignedDuration>()
        .ok()
        .and_then(|duration| duration.try_into().ok())
        .filter(|duration: &Duration| !duration.is_zero())
        .ok_or_else(|| "must be a duration such as 500ms, 12s or 2m".to_owned())
}

pub(super) fn slow_turn(text: &str) -> Result<Duration, String> {
    let after = duration(text)?;
    if after < CHANNEL_GIVES_UP {
        Ok(after)
    } else {
        Err("must be less than 15s, after which a channel gives up and sends the activity again".to_owned())
    }
}

/// Shorter ones end in the pauses of a busy machine; longer ones keep people waiting.
pub(super) fn lease(text: &str) -> Result<Duration, String> {
    let lease = duration(text)?;
    if (Duration::from_secs(1)..=Duration::from_secs(600)).contains(&lease) {
        Ok(lease)
    } else {
        Err("must be a duration from 1s to 10m".to_owned())
    }
}

pub(super) fn backlog(text: &str) -> Result<u32, String> {
    number(text)
        .ok()
        .filter(|backlog| (1..=10_000_000).contains(backlog))
        .ok_or_else(|| "must be a whole number from 1 to 10000000".to_owned())
}

/// What is younger than a dedupe key may not be forgotten.
pub(super) fn retention(text: &str) -> Result<Duration, String> {
    let retention = duration(text)?;
    if retention >= Duration::from_hours(7 * 24) {
        Ok(retention)
    } else {
        Err("must be at least 168h, as long as dedupe keys are remembered".to_owned())
    }
}

/// `None` is "as the mode has it".
pub(super) fn switch(text: &str) -> Result<Option<bool>, String> {
    let is = |words: &[&str]| words.iter().any(|word| text.trim().eq_ignore_ascii_case(word));
    match text {
        _ if is(&["auto"]) => Ok(None),
        _ if is(&["on", "true", "1"]) => Ok(Some(true)),
        _ if is(&["off", "false", "0"]) => Ok(Some(false)),
        _ => Err("must be auto, on or off".to_owned()),
    }
}

pub(super) fn hosts(text: &str) -> Result<Vec<String>, String> {
    listed(text)
        .map(|host| match Host::parse(host) {
            Ok(parsed) => Ok(parsed.to_string()),
            Err(_) => Err(format!(
                "must be host names without scheme, port and path, but has {host:?}"
            )),
        })
        .collect()
}

pub(super) fn hosts_with_ports(text: &str) -> Result<Vec<String>, String> {
    listed(text)
        .map(|host| match Url::parse(&format!("http://{host}/")) {
            Ok(url) if url.path() == "/" && url.username().is_empty() && !host.contains(['?', '#']) => {
                Ok(host.to_owned())
            }
            _ => Err(format!(
                "must be HOST or HOST:PORT without scheme and path, but has {host:?}"
            )),
        })
        .collect()
}

pub(super) fn list(text: &str) -> Vec<String> {
    listed(text).map(str::to_owned).collect()
}

fn listed(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// An address that may be trusted with tokens and keys: https, or http on this machine.
pub(super) fn address(text: &str) -> Result<String, String> {
    let text = text.trim();
    let problem = || "must be an https address (http only on a loopback address)".to_owned();
    let url = Url::parse(text).map_err(|_| problem())?;
    let fits = match url.scheme() {
        "https" => url.host().is_some(),
        "http" => url.host().is_some_and(|host| is_loopback(&host)),
        _ => false,
    };
    if !fits {
        return Err(problem());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not have a user name or a password in it".to_owned());
    }
    Ok(text.to_owned())
}

/// An address that something is put behind.
pub(super) fn base_address(text: &str) -> Result<String, String> {
    let address = address(text)?;
    if address.contains(['?', '#']) {
        return Err("must be an address without ? and #".to_owned());
    }
    Ok(address.trim_end_matches('/').to_owned())
}

/// Where traces are collected: often a neighbour in a private network, so plain http will do.
pub(super) fn collector(text: &str) -> Result<String, String> {
    let text = text.trim();
    let fits = Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.host().is_some()
            && url.username().is_empty()
            && url.password().is_none()
    });
    if !fits || text.contains(['?', '#']) {
        return Err("must be an address such as http://localhost:4318, without user, ? and #".to_owned());
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// Headers as OpenTelemetry writes them: `name=value,name=value`, percent-encoded.
pub(crate) fn header_list(text: &str) -> Result<Vec<(String, String)>, String> {
    listed(text)
        .map(|item| {
            let (name, value) = item.split_once('=')?;
            let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
            let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
            HeaderValue::from_str(&value).ok()?;
            Some((name.to_string(), value.into_owned()))
        })
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| "must be headers as name=value, separated by commas".to_owned())
}

/// A share of a whole.
pub(super) fn ratio(text: &str) -> Result<f64, String> {
    text.trim()
        .parse()
        .ok()
        .filter(|ratio| (0.0..=1.0).contains(ratio))
        .ok_or_else(|| "must be a number from 0 to 1, such as 0.1".to_owned())
}

pub(super) fn cloud(text: &str) -> Result<Cloud, String> {
    Cloud::of_channel_service(text.trim()).ok_or_else(|| {
        "must be empty for the public cloud, https://botframework.azure.us, or https://botframework.azure.cn"
            .to_owned()
    })
}

/// Older SDKs want the scope with `/.default`, newer ones without.
pub(super) fn scope(text: &str) -> String {
    let text = text.trim();
    text.strip_suffix("/.default").unwrap_or(text).to_owned()
}

pub(crate) fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Ipv4(address) => Ipv4Addr::is_loopback(address),
        Host::Ipv6(address) => Ipv6Addr::is_loopback(address),
        Host::Domain(name) => *name == "localhost",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collectors_may_be_anywhere() {
        assert_eq!(collector(" http://otel:4318/ ").unwrap(), "http://otel:4318");
        assert_eq!(
            collector("https://traces.example/otlp").unwrap(),
            "https://traces.example/otlp"
        );
        for text in [
            "otel:4318",
            "grpc://otel:4317",
            "http://",
            "http://me:p@otel",
            "http://otel?a",
            "http://otel#a",
        ] {
            assert!(collector(text).is_err(), "{text}");
        }
    }

    #[test]
    fn headers_are_names_with_values() {
        let headers = header_list("api-key=se%3Dsame, X-Team = a b").unwrap();
        let expected = [("api-key", "se=same"), ("x-team", "a b")];
        assert_eq!(
            headers,
            expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
        assert_eq!(header_list("").unwrap(), []);
        for text in ["sesame", "a b=c", "a=%0a", "=b", "a=%ff"] {
            let error = header_list(text).unwrap_err();
            assert!(!error.contains(text), "{error}");
        }
    }

    #[test]
    fn a_share_is_from_nothing_to_all() {
        assert_eq!(ratio("0.25"), Ok(0.25));
        for text in ["", "2", "-0.1", "NaN", "half"] {
            assert!(ratio(text).is_err(), "{text}");
        }
    }

    #[test]
    fn addresses_are_https_or_on_this_machine() {
        for text in [
            "https://login.example/tenant",
            "HTTPS://login.example",
            "http://127.0.0.1:9/x",
            "http://localhost",
            "http://[::1]:1",
        ] {
            assert_eq!(address(text).as_deref(), Ok(text));
        }
        for text in [
            "",
            "login.example",
            "http://login.example",
            "http://10.0.0.1",
            "http://localhost.example",
            "ftp://localhost",
            "https://",
            "https://user@login.example",
            "https://:pw@login.example",
        ] {
            assert!(address(text).is_err(), "{text}");
        }
        assert_eq!(
            base_address(" https://a.example/b/ ").as_deref(),
            Ok("https://a.example/b")
        );
        assert!(base_address("https://a.example?x").is_err());
    }

    #[test]
    fn a_slow_turn_is_acknowledged_before_the_channel_gives_up() {
        assert_eq!(slow_turn("14999ms"), Ok(Duration::from_millis(14_999)));
        for text in ["15s", "15001ms", "0s", "-1s", ""] {
            assert!(slow_turn(text).is_err(), "{text}");
        }
    }

    #[test]
    fn switches_are_read_as_people_write_them() {
        for (text, switched) in [
            ("auto", None),
            ("on", Some(true)),
            ("True", Some(true)),
            ("1", Some(true)),
            ("OFF", Some(false)),
            ("false", Some(false)),
            ("0", Some(false)),
        ] {
            assert_eq!(switch(text), Ok(switched), "{text}");
        }
        assert!(switch("perhaps").is_err());
    }
}
