//! The address of metadata or keys.

use http::Uri;
use url::{Host, Url};

/// Checks an address from which keys are taken: whoever answers there decides who is let in, so it is `https`, or
/// `http` to this machine.
pub(super) fn metadata_url(text: &str) -> Result<Uri, &'static str> {
    let url = Url::parse(text).map_err(|_| "is not a URL")?;
    let is_loopback = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    match url.scheme() {
        "https" => {}
        "http" if is_loopback => {}
        "http" => return Err("must be https (http is for 127.0.0.1, [::1] and localhost only)"),
        _ => return Err("must be an https URL"),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user name or password");
    }
    url.as_str()
        .parse()
        .map_err(|_| "is not a URL that HTTP can carry")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_anywhere_and_http_to_this_machine() {
        for url in [
            "https://login.botframework.com/v1/.well-known/openidconfiguration",
            "http://127.0.0.1:5555/x",
            "http://127.9.9.9/x?y",
            "http://[::1]:1/",
            "HTTP://LocalHost:1",
        ] {
            assert!(metadata_url(url).is_ok(), "{url}");
        }
        for (url, complaint) in [
            ("", "is not a URL"),
            ("login.botframework.com", "is not a URL"),
            ("http://login.botframework.com/", "must be https"),
            ("http://localhost.example.com/", "must be https"),
            ("http://10.0.0.1/", "must be https"),
            ("ftp://127.0.0.1/", "must be an https URL"),
            ("file:///etc/passwd", "must be an https URL"),
            ("https://user@example.com/", "must not hold a user name"),
        ] {
            let error = metadata_url(url).expect_err(url);
            assert!(error.starts_with(complaint), "{url}: {error}");
        }
    }
}
