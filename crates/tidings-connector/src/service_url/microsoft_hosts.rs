//! The hosts on which Microsoft's channels have their connectors.
//!
//! Whoever answers on one of these names receives the bot's token, so each stands here with its reason. Microsoft's own
//! list (`OutboundHostValidator` of the Agents SDKs) also has hosts that only keep files (graph.microsoft.com,
//! sharepoint.com, svc.ms, blob.core.windows.net). They are no connectors, and on two of them anybody can rent a name.

/// Exact names.
const HOSTS: [&str; 1] = [
    // Teams and Skype. Never `*.trafficmanager.net`: there anybody can rent a name.
    "smba.trafficmanager.net",
];

/// Domains, each host below which is Microsoft's. The domain itself is not meant.
const DOMAINS: [&str; 7] = [
    // `webchat.`, `directline.`, `slack.`, `facebook.`, `europe.`, ...: all channels of the public cloud.
    ".botframework.com",
    // The same for the US government, under both names that its documentation and its token audience use.
    ".botframework.azure.us",
    ".botframework.us",
    // The same in China.
    ".botframework.azure.cn",
    // `smba.infra.gcc.`: Teams in the US government's community cloud, and `*.ng.msg.` of older conversations.
    ".teams.microsoft.com",
    // `smba.infra.gov.`, `smba.infra.dod.`: Teams in GCC High and for the Department of Defense.
    ".teams.microsoft.us",
    // Teams in China, operated by 21Vianet.
    ".teams.microsoftonline.cn",
];

/// What is said about a host that is none of these.
pub(super) const RULE: &str = "a token is sent only to Microsoft's channels (smba.trafficmanager.net and the hosts of \
     botframework.com, teams.microsoft.com and their sovereign clouds, by https on port 443)";

/// Whether `host`, in lower case, is one of Microsoft's connectors.
pub(super) fn includes(host: &str) -> bool {
    HOSTS.contains(&host)
        || DOMAINS
            .iter()
            .any(|domain| host.ends_with(domain) && host.len() > domain.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_exact_and_domains_end_at_a_dot() {
        for host in [
            "smba.trafficmanager.net",
            "webchat.botframework.com",
            "a.b.botframework.com",
            "directline.botframework.azure.us",
            "api.botframework.us",
            "webchat.botframework.azure.cn",
            "smba.infra.gcc.teams.microsoft.com",
            "smba.infra.dod.teams.microsoft.us",
            "smba.infra.gov.teams.microsoft.us",
            "x.teams.microsoftonline.cn",
        ] {
            assert!(includes(host), "{host}");
        }
        for host in [
            "",
            "trafficmanager.net",
            "evil.trafficmanager.net",
            "x.smba.trafficmanager.net",
            "smba.trafficmanager.net.",
            "smba.trafficmanager.net.evil.example",
            "botframework.com",
            ".botframework.com",
            "evilbotframework.com",
            "botframework.com.evil.example",
            "azure.us",
            "evil.azure.us",
            "microsoft.com",
            "evil.microsoft.com",
            "evil.blob.core.windows.net",
            "evil.sharepoint.com",
            "127.0.0.1",
        ] {
            assert!(!includes(host), "{host}");
        }
    }
}
