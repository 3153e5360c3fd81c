//! The metadata of the keys that inbound tokens are signed with.

use jiff::Timestamp;

use super::{Doctor, Finding};

pub(super) async fn check(doctor: &Doctor<'_>, dates: &mut Vec<(Timestamp, Timestamp)>) -> Vec<Finding> {
    if doctor.config.app_id.is_none() {
        return vec![Finding::skipped("metadata", "local mode needs none")];
    }
    let cloud = &doctor.config.cloud;
    let mut findings = Vec::new();
    for (check, url, setting) in [
        (
            "channel metadata",
            &cloud.channel_metadata_url,
            "ToBotFromChannelOpenIdMetadataUrl",
        ),
        (
            "emulator metadata",
            &cloud.emulator_metadata_url,
            "ToBotFromEmulatorOpenIdMetadataUrl",
        ),
    ] {
        let Some(probe) = &doctor.metadata else {
            findings.push(Finding::skipped(check, format!("not fetched from {url}")));
            continue;
        };
        findings.push(match doctor.patiently(probe.metadata(url)).await {
            Ok(answered) => {
                dates.extend(answered.date);
                Finding::ok(check, url)
            }
            Err(error) => Finding::failed(
                check,
                format!("{url} gives none: {error}"),
                format!(
                    "let this machine reach that address over HTTPS (proxy, firewall), or check {setting}"
                ),
            ),
        });
    }
    findings
}
