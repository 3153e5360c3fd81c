//! One conversation: whether a message to it would arrive. Nothing is sent.

use jiff::Timestamp;
use tidings_activity::{ConversationReference, channel};
use tidings_connector::AppType;
use tidings_proactive::last_reference;
use tidings_store::Inspection;

use super::app::is_guid;
use super::capability::{self, SpeakFirst};
use super::{Doctor, Finding};
use crate::config::Config;

/// A reference that is older is doubtful: users leave, and serviceUrls move.
const OLD_DAYS: i64 = 30;
const SECONDS_PER_DAY: i64 = 24 * 60 * 60;

pub(super) fn check(
    doctor: &Doctor<'_>,
    conversation_id: &str,
    inspection: Option<&Inspection>,
) -> Vec<Finding> {
    const CHECK: &str = "target";
    let found = inspection.map(|inspection| inspection.read(|tx| last_reference(tx, conversation_id)));
    let stored = match found.unwrap_or(Ok(None)) {
        Ok(Some(Some(stored))) => stored,
        Ok(None) => {
            return vec![Finding::failed(
                CHECK,
                "there is no database to find the conversation in",
                "name the server's database with TIDINGS_DATABASE or --database",
            )];
        }
        Ok(Some(None)) => {
            return vec![Finding::failed(
                CHECK,
                format!("nothing is on record about the conversation {conversation_id:?}"),
                "take the id from the job log (`tidings jobs list`); the user must have spoken to the bot there",
            )];
        }
        Err(error) => {
            return vec![Finding::failed(
                CHECK,
                format!("the conversation cannot be looked up: {error}"),
                "check the database",
            )];
        }
    };
    let reference = &stored.reference;
    let channel_id = reference.channel_id.as_deref().unwrap_or_default();
    let mut findings = vec![
        Finding::ok(CHECK, format!("{conversation_id:?} on channel {channel_id:?}")),
        can_speak_first(channel_id),
        age(stored.stored_at, doctor.clock.now()),
        service_url(doctor, reference),
    ];
    findings.extend(bot(doctor.config, reference));
    findings.extend(tenant(doctor.config, reference));
    findings
}

fn can_speak_first(channel_id: &str) -> Finding {
    const CHECK: &str = "target channel";
    let Some(capability) = capability::of(channel_id) else {
        return Finding::warning(
            CHECK,
            format!("{channel_id:?} is not a channel of which is known whether a bot can speak first there"),
            "try it with a message to yourself",
        );
    };
    let again = if capability.creates_conversations {
        "; if the conversation is gone, the bot can begin another"
    } else {
        "; if the conversation is gone, the user must write first"
    };
    match capability.speak_first {
        SpeakFirst::Yes => Finding::ok(CHECK, format!("{channel_id} takes messages at any time{again}")),
        SpeakFirst::If(condition) => Finding::ok(
            CHECK,
            format!("{channel_id} takes messages if {condition}{again}"),
        ),
        SpeakFirst::No(reason) => Finding::failed(
            CHECK,
            format!("{channel_id} takes no messages that the bot begins: {reason}"),
            "reach the user on another channel",
        ),
    }
}

fn age(stored_at: Timestamp, now: Timestamp) -> Finding {
    const CHECK: &str = "target age";
    let seconds = (now.as_second() - stored_at.as_second()).max(0);
    let says = match seconds / SECONDS_PER_DAY {
        0 => "heard of within the last day".to_owned(),
        1 => "heard of a day ago".to_owned(),
        days => format!("heard of {days} days ago"),
    };
    if seconds > OLD_DAYS * SECONDS_PER_DAY {
        return Finding::warning(
            CHECK,
            format!("{says}: the user may have left, and the serviceUrl may have moved"),
            "have the user write to the bot once, which renews what is on record",
        );
    }
    Finding::ok(CHECK, says)
}

fn service_url(doctor: &Doctor<'_>, reference: &ConversationReference) -> Finding {
    const CHECK: &str = "target address";
    let Some(service_url) = reference.service_url.as_deref().filter(|url| !url.is_empty()) else {
        return Finding::failed(
            CHECK,
            "there is no serviceUrl on record",
            "have the user write to the bot once",
        );
    };
    // The rest is the key to the bot's side of it.
    if let Some((own, _key)) = service_url.split_once("/local/")
        && doctor.config.local_channel_is_on()
    {
        return Finding::ok(CHECK, format!("{own}/local/, the local channel of this server"));
    }
    match doctor.service_urls.check(service_url) {
        Ok(()) => Finding::ok(CHECK, service_url),
        Err(error) => Finding::failed(
            CHECK,
            format!("{service_url}: {error}"),
            "add its host to TIDINGS_ALLOWED_SERVICE_HOSTS if it is the channel's",
        ),
    }
}

/// In Teams the bot's id is its app id behind `28:`.
fn bot(config: &Config, reference: &ConversationReference) -> Option<Finding> {
    const CHECK: &str = "target bot";
    let app_id = config.app_id.as_deref()?;
    let on_record = reference.bot.as_ref()?.id.as_deref()?.strip_prefix("28:")?;
    Some(if on_record.eq_ignore_ascii_case(app_id) {
        Finding::ok(CHECK, "the conversation is with this bot")
    } else {
        Finding::failed(
            CHECK,
            format!("the conversation is with the bot {on_record}, and this is {app_id}"),
            "use the database of this bot, or MicrosoftAppId of that one",
        )
    })
}

fn tenant(config: &Config, reference: &ConversationReference) -> Option<Finding> {
    const CHECK: &str = "target tenant";
    config.app_id.as_ref()?;
    if config.app_type == AppType::MultiTenant {
        return None;
    }
    // A tenant's domain cannot be compared with its id.
    let own = config.app_tenant_id.as_deref().filter(|own| is_guid(own))?;
    let theirs = reference
        .conversation
        .as_ref()
        .and_then(|conversation| conversation.tenant_id.as_deref());
    match theirs {
        Some(theirs) if theirs.eq_ignore_ascii_case(own) => {
            Some(Finding::ok(CHECK, "the conversation is in the bot's tenant"))
        }
        Some(theirs) => Some(Finding::failed(
            CHECK,
            format!("the conversation is in the tenant {theirs}, and the bot is of {own} only"),
            "register the bot for more tenants, or install a bot of that tenant",
        )),
        // Only Teams tells the tenant.
        None if reference.channel_id.as_deref() == Some(channel::MSTEAMS) => Some(Finding::warning(
            CHECK,
            "it is not on record which tenant the conversation is in",
            "have the user write to the bot once",
        )),
        None => None,
    }
}
