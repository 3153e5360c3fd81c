//! One service of a `.bot` file.

use std::fmt;

use secrecy::SecretString;

use super::object::Object;
use super::secret_field::{BotFileSecret, secret_fields};

/// One service of a `.bot` file: an endpoint of the bot, or something it uses. All its properties are kept, in their
/// order, whether its type is known or not.
#[derive(Clone)]
pub struct BotService(pub(super) Object);

impl BotService {
    /// A service of this type (`endpoint`, `luis`, ...) and name.
    #[must_use]
    pub fn new(kind: &str, name: &str) -> Self {
        Self(Object::default()).with("type", kind).with("name", name)
    }

    /// This service with the property `name` set to `text`.
    #[must_use]
    pub fn with(mut self, name: &str, text: &str) -> Self {
        self.0.set_text(name, text);
        self
    }

    /// The `type`.
    #[must_use]
    pub fn kind(&self) -> Option<String> {
        self.0.text("type")
    }

    /// The `id`; one that is a number is given as its text.
    #[must_use]
    pub fn id(&self) -> Option<String> {
        let id = self.0.get("id")?.get();
        let number = id.starts_with(|first: char| first == '-' || first.is_ascii_digit());
        if number {
            Some(id.to_owned())
        } else {
            self.0.text("id")
        }
    }

    /// The `name`.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        self.0.text("name")
    }

    /// A property that is a string and not a secret.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        if self.is_secret(name) {
            return None;
        }
        self.0.text(name)
    }

    /// A secret property of this service that is set, as `appPassword` or `configuration.key1`. While the file is
    /// encrypted it is the cipher text.
    #[must_use]
    pub fn secret(&self, field: &str) -> Option<SecretString> {
        use secrecy::ExposeSecret as _;

        self.secrets()
            .into_iter()
            .find(|secret| secret.field == field)
            .map(|secret| secret.value)
            .filter(|value| !value.expose_secret().is_empty())
    }

    /// Every secret of this service, empty ones too.
    #[must_use]
    pub fn secrets(&self) -> Vec<BotFileSecret> {
        secret_fields(&self.kind().unwrap_or_default())
            .iter()
            .flat_map(|field| field.values(&self.0))
            .collect()
    }

    fn is_secret(&self, name: &str) -> bool {
        secret_fields(&self.kind().unwrap_or_default())
            .iter()
            .any(|field| field.name() == name)
    }
}

/// Without the properties: they hold secrets.
impl fmt::Debug for BotService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BotService")
            .field("type", &self.kind())
            .field("id", &self.id())
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}
