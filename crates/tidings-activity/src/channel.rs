//! The ids of the channels, as they stand in `channelId`.

/// Amazon Alexa.
pub const ALEXA: &str = "alexa";
/// Another agent, by the agent-to-agent protocol.
pub const A2A: &str = "a2a";
/// Agents calling agents.
pub const AGENTS: &str = "agents";
/// The console.
pub const CONSOLE: &str = "console";
/// Cortana.
pub const CORTANA: &str = "cortana";
/// Direct Line.
pub const DIRECTLINE: &str = "directline";
/// Direct Line Speech.
pub const DIRECTLINE_SPEECH: &str = "directlinespeech";
/// E-mail.
pub const EMAIL: &str = "email";
/// The Bot Framework Emulator.
pub const EMULATOR: &str = "emulator";
/// Facebook Messenger.
pub const FACEBOOK: &str = "facebook";
/// The `GroupMe` messenger.
pub const GROUPME: &str = "groupme";
/// Kik.
pub const KIK: &str = "kik";
/// LINE.
pub const LINE: &str = "line";
/// Microsoft 365 extensions.
pub const M365_EXTENSIONS: &str = "m365extensions";
/// A client of the model context protocol.
pub const MCP: &str = "mcp";
/// Microsoft Teams.
pub const MSTEAMS: &str = "msteams";
/// Dynamics 365 Omnichannel.
pub const OMNICHANNEL: &str = "omnichannel";
/// Outlook.
pub const OUTLOOK: &str = "outlook";
/// Copilot Studio, formerly Power Virtual Agents.
pub const PVA_STUDIO: &str = "pva-studio";
/// Skype.
pub const SKYPE: &str = "skype";
/// Skype for Business.
pub const SKYPE_FOR_BUSINESS: &str = "skypeforbusiness";
/// Slack.
pub const SLACK: &str = "slack";
/// Text messages.
pub const SMS: &str = "sms";
/// Telegram.
pub const TELEGRAM: &str = "telegram";
/// Telephony.
pub const TELEPHONY: &str = "telephony";
/// Tests.
pub const TEST: &str = "test";
/// Text messages through Twilio.
pub const TWILIO_SMS: &str = "twilio-sms";
/// Web Chat.
pub const WEBCHAT: &str = "webchat";
