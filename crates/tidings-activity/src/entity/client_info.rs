use super::entity_view;
use crate::wire::wire;

wire! {
    /// What Teams tells about the sender's client.
    pub struct ClientInfo {
        /// The language, as a BCP-47 tag.
        pub locale: Option<String> = "locale",
        /// The country.
        pub country: Option<String> = "country",
        /// The platform, such as `Windows` or `iOS`.
        pub platform: Option<String> = "platform",
        /// The IANA time zone.
        pub timezone: Option<String> = "timezone",
    }
}

entity_view!(ClientInfo = "clientInfo");
