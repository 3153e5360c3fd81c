//! The allow lists: nobody on them by accident.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use super::Finding;
use crate::config::Config;

pub(super) fn check(config: &Config) -> Vec<Finding> {
    let mut findings = vec![services(config), names(config)];
    if config.app_id.is_some() {
        findings.push(callers(config));
    }
    findings
}

fn services(config: &Config) -> Finding {
    const CHECK: &str = "service hosts";
    const SETTING: &str = "TIDINGS_ALLOWED_SERVICE_HOSTS";
    if let Some(wildcard) = first(&config.allowed_service_hosts, |host| host.contains('*')) {
        return Finding::failed(
            CHECK,
            format!("{wildcard:?} allows nothing: there are no wildcards"),
            format!("name each host in {SETTING}"),
        );
    }
    // Where there are tokens, a host on the list gets them.
    if config.app_id.is_some()
        && let Some(private) = first(&config.allowed_service_hosts, is_private)
    {
        return Finding::warning(
            CHECK,
            format!("{private:?} is on a private network, and the bot's tokens may be sent there"),
            format!("take it out of {SETTING} unless your own channel runs there"),
        );
    }
    let default = if config.app_id.is_some() {
        "the channels' own hosts"
    } else {
        "this machine"
    };
    Finding::ok(CHECK, and_listed(default, &config.allowed_service_hosts))
}

fn names(config: &Config) -> Finding {
    const CHECK: &str = "host names";
    if let Some(wildcard) = first(&config.allowed_hosts, |host| host.contains('*')) {
        return Finding::failed(
            CHECK,
            format!("{wildcard:?} allows nothing: there are no wildcards"),
            "name each host in TIDINGS_ALLOWED_HOSTS",
        );
    }
    if config.app_id.is_none() && !config.allowed_hosts.is_empty() {
        return Finding::warning(
            CHECK,
            format!(
                "pages and names beside this machine's may read the chats of local mode: {}",
                config.allowed_hosts.join(", ")
            ),
            "empty TIDINGS_ALLOWED_HOSTS unless a proxy of your own needs it",
        );
    }
    Finding::ok(CHECK, and_listed("this machine", &config.allowed_hosts))
}

fn callers(config: &Config) -> Finding {
    const CHECK: &str = "callers";
    if first(&config.allowed_callers, |caller| caller == "*").is_some() {
        return Finding::warning(
            CHECK,
            "any bot of any tenant may call this one as a skill",
            "list the app ids of your own bots in TIDINGS_ALLOWED_CALLERS in place of *",
        );
    }
    Finding::ok(CHECK, and_listed("the channels", &config.allowed_callers))
}

fn first(list: &[String], is: impl Fn(&str) -> bool) -> Option<&String> {
    list.iter().find(|item| is(item))
}

fn and_listed(default: &str, list: &[String]) -> String {
    if list.is_empty() {
        return default.to_owned();
    }
    format!("{default} and {}", list.join(", "))
}

/// Whether an entry, HOST or HOST:PORT, is an address of a private network or a name that only has a meaning in one.
fn is_private(entry: &str) -> bool {
    let Ok(url) = Url::parse(&format!("http://{entry}/")) else {
        return false;
    };
    match url.host() {
        Some(Host::Ipv4(address)) => is_private_v4(address),
        Some(Host::Ipv6(address)) => is_private_v6(address),
        Some(Host::Domain(name)) => {
            !name.contains('.')
                || [".local", ".internal", ".localhost", ".lan"]
                    .iter()
                    .any(|end| name.ends_with(end))
        }
        None => false,
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_unspecified()
        // Shared by the customers of a provider.
        || (first == 100 && (64..128).contains(&second))
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_private_v4(address),
        IpAddr::V6(address) => {
            address.is_loopback()
                || address.is_unspecified()
                || address.is_unique_local()
                || address.is_unicast_link_local()
        }
    }
}
