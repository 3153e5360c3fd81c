//! `.bot` files: how bots of 2018 kept their app id, their password and the keys of the services they use.

mod encryption;
mod error;
mod file;
mod legacy;
mod object;
mod secret_field;
mod service;

use std::fmt;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use serde_json::value::RawValue;

use encryption::Key;
pub use error::BotFileError;
use legacy::LegacyKey;
use object::Object;
pub use secret_field::BotFileSecret;
use secret_field::{LEGACY, SecretField, secret_fields};
pub use service::BotService;

/// A `.bot` file (protocol, section 6): deprecated, and still what many bots are configured with.
///
/// What is not understood is kept, in its order: unknown services and unknown properties survive loading and saving.
/// A file is encrypted when its `padlock` (`secretKey` in older files) is not empty; then the secrets of its services
/// are cipher texts until [`decrypt`](Self::decrypt).
///
/// The encryption is AES-256-CBC without authentication, as the format demands: it keeps secrets from readers and does
/// not notice a clever change. Every failure to decrypt is the same [`BotFileError::SecretIncorrect`], so that an answer
/// to a made-up cipher text tells nothing about it.
///
/// ```
/// use secrecy::ExposeSecret;
/// use tidings_connector::BotFile;
///
/// # fn main() -> Result<(), tidings_connector::BotFileError> {
/// let mut file = BotFile::parse(
///     br#"{"name": "herald", "padlock": "", "version": "2.0", "services": [
///         {"type": "endpoint", "id": "1", "name": "production", "appId": "a", "appPassword": "p"}]}"#,
/// )?;
/// let secret = BotFile::new_secret();
/// file.encrypt(&secret)?;
/// assert!(file.is_encrypted());
/// file.decrypt(Some(&secret))?;
/// let endpoint = file.find_service("production").expect("it is in the file");
/// assert_eq!(endpoint.secret("appPassword").expect("it is set").expose_secret(), "p");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct BotFile {
    /// All members; the value of `services` in it is not used.
    members: Object,
    services: Vec<BotService>,
}

impl BotFile {
    /// The largest file that is read, in bytes. Real ones have a few thousand.
    pub const MAX_BYTES: usize = 256 * 1024;
    /// How deep objects and lists may be nested.
    pub const MAX_DEPTH: usize = 32;

    /// Reads the text of a file. Nothing is decrypted.
    ///
    /// # Errors
    ///
    /// It is too large, nested too deep or no JSON, or its parts are not what they must be.
    pub fn parse(bytes: &[u8]) -> Result<Self, BotFileError> {
        if bytes.len() > Self::MAX_BYTES {
            return Err(BotFileError::TooLarge);
        }
        // Files written by .NET may begin with a byte order mark.
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
        if object::depth(bytes) > Self::MAX_DEPTH {
            return Err(BotFileError::TooDeep);
        }
        let mut members: Object = serde_json::from_slice(bytes)?;
        let services = match members.get("services") {
            Some(list) if list.get() != "null" => {
                let list: Vec<Box<RawValue>> = serde_json::from_str(list.get())
                    .map_err(|_| BotFileError::malformed("services must be a list"))?;
                list.iter()
                    .enumerate()
                    .map(|(at, service)| {
                        serde_json::from_str(service.get())
                            .map(BotService)
                            .map_err(|_| BotFileError::malformed(format!("services[{at}] must be an object")))
                    })
                    .collect::<Result<_, _>>()?
            }
            _ => Vec::new(),
        };
        for name in ["padlock", "secretKey"] {
            if members
                .get(name)
                .is_some_and(|value| !value.get().starts_with('"') && value.get() != "null")
            {
                return Err(BotFileError::malformed(format!("{name} must be a string")));
            }
        }
        // Older files have the same thing under the name secretKey.
        let old = members.text("secretKey").filter(|old| !old.is_empty());
        if let Some(old) = old
            && members.text("padlock").is_none_or(|padlock| padlock.is_empty())
        {
            if members.get("padlock").is_none() {
                members.rename("secretKey", "padlock");
            } else {
                members.remove("secretKey");
            }
            members.set_text("padlock", &old);
        }
        Ok(Self { members, services })
    }

    /// The file's text, indented by four spaces, with a new line at its end. Holds the secrets in clear unless the file
    /// [is encrypted](Self::is_encrypted).
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut members = self.members.clone();
        if !self.services.is_empty() || members.get("services").is_some() {
            members.set_objects("services", self.services.iter().map(|service| &service.0));
        }
        object::indented(&members.to_json())
    }

    /// The bot's name.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        self.members.text("name")
    }

    /// What the bot is.
    #[must_use]
    pub fn description(&self) -> Option<String> {
        self.members.text("description")
    }

    /// Whether the secrets are cipher texts.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.padlock().is_some()
    }

    /// The services, in the order of the file.
    #[must_use]
    pub fn services(&self) -> &[BotService] {
        &self.services
    }

    /// The service with this id, else the first one with this name.
    #[must_use]
    pub fn find_service(&self, name_or_id: &str) -> Option<&BotService> {
        let with = |of: fn(&BotService) -> Option<String>| {
            self.services
                .iter()
                .find(|service| of(service).as_deref() == Some(name_or_id))
        };
        with(BotService::id).or_else(|| with(BotService::name))
    }

    /// The app id of `service`; an Azure registration (`abs`) without one has that of the first endpoint.
    #[must_use]
    pub fn app_id(&self, service: &BotService) -> Option<String> {
        let own = service.text("appId").filter(|id| !id.is_empty());
        if own.is_some() || service.kind().as_deref() != Some("abs") {
            return own;
        }
        self.services
            .iter()
            .find(|service| service.kind().as_deref() == Some("endpoint"))
            .and_then(|endpoint| endpoint.text("appId"))
            .filter(|id| !id.is_empty())
    }

    /// Adds a service under a new id, one above the largest number among the ids, and returns that id.
    ///
    /// # Errors
    ///
    /// The file is encrypted: the secrets of `service` would stand in it in clear.
    pub fn add_service(&mut self, mut service: BotService) -> Result<String, BotFileError> {
        if self.is_encrypted() {
            return Err(BotFileError::Encrypted);
        }
        let id = next_id(&self.services);
        service.0.set_text("id", &id);
        self.services.push(service);
        Ok(id)
    }

    /// A new random secret: base64 of 32 bytes.
    #[must_use]
    pub fn new_secret() -> SecretString {
        encryption::new_secret()
    }

    /// Encrypts every secret, each with its own initialization vector, and sets the padlock. Empty values stay empty.
    ///
    /// # Errors
    ///
    /// The file is encrypted already, `secret` is not base64 of 32 bytes, or a secret in the file is not a string.
    /// Nothing has changed then.
    pub fn encrypt(&mut self, secret: &SecretString) -> Result<(), BotFileError> {
        if self.is_encrypted() {
            return Err(BotFileError::Encrypted);
        }
        let key = Key::of(secret).ok_or(BotFileError::SecretUnusable)?;
        let services = self.with_secrets(secret_fields, |text| Ok(key.encrypt(text)))?;
        let padlock = key.encrypt(&uuid::Uuid::new_v4().to_string());
        self.services = services;
        self.members.set_text("padlock", &padlock);
        Ok(())
    }

    /// Decrypts every secret and takes the padlock off; a file that is not encrypted stays as it is.
    ///
    /// A file from before version 2.0 (AES-192 with a key made from a password by MD5, hexadecimal) is understood too; its
    /// services get new ids, 1, 2, 3 and so on, in `serviceIds` of a `dispatch` service as well.
    ///
    /// # Errors
    ///
    /// [`BotFileError::SecretMissing`], or [`BotFileError::SecretIncorrect`] for whatever does not decrypt. Nothing has
    /// changed then.
    pub fn decrypt(&mut self, secret: Option<&SecretString>) -> Result<(), BotFileError> {
        let Some(padlock) = self.padlock() else {
            return Ok(());
        };
        let secret = secret
            .filter(|secret| !secret.expose_secret().is_empty())
            .ok_or(BotFileError::SecretMissing)?;
        if legacy::is_legacy(&padlock) {
            return self.decrypt_legacy(&padlock, secret);
        }
        let key = Key::of(secret).ok_or(BotFileError::SecretIncorrect)?;
        key.decrypt(&padlock)?;
        self.services = self.with_secrets(secret_fields, |text| key.decrypt(text))?;
        self.members.set_text("padlock", "");
        Ok(())
    }

    fn decrypt_legacy(&mut self, padlock: &str, secret: &SecretString) -> Result<(), BotFileError> {
        let key = LegacyKey::of(secret);
        key.decrypt(padlock)?;
        let services = self.with_secrets(|kind| secret_field::of(LEGACY, kind), |text| key.decrypt(text))?;
        self.services = legacy::with_new_ids(services);
        self.members.set_text("padlock", "");
        self.members.set_text("version", "2.0");
        Ok(())
    }

    fn padlock(&self) -> Option<String> {
        self.members.text("padlock").filter(|padlock| !padlock.is_empty())
    }

    /// The services with `change` made to each secret that is not empty.
    fn with_secrets(
        &self,
        fields: impl Fn(&str) -> &'static [SecretField],
        change: impl Fn(&str) -> Result<String, BotFileError>,
    ) -> Result<Vec<BotService>, BotFileError> {
        let mut services = self.services.clone();
        for (at, service) in services.iter_mut().enumerate() {
            for field in fields(&service.kind().unwrap_or_default()) {
                field
                    .change(&mut service.0, &change)
                    .map_err(|error| error.within(at))?;
            }
        }
        Ok(services)
    }

    /// Reads the file at `path`. Nothing is decrypted.
    ///
    /// # Errors
    ///
    /// It cannot be read, or as [`parse`](Self::parse).
    pub fn load(path: &Path) -> Result<Self, BotFileError> {
        Self::parse(&file::read(path)?)
    }

    /// Reads the first `*.bot` of `folder`, by the order of their names. Nothing is decrypted.
    ///
    /// # Errors
    ///
    /// There is none, or as [`load`](Self::load).
    pub fn load_from_folder(folder: &Path) -> Result<Self, BotFileError> {
        Self::load(&file::first_in(folder)?)
    }

    /// Writes the file to `path`: whole or not at all, by way of a new file beside it. An existing file keeps its
    /// permissions; a new one is for its owner only.
    ///
    /// # Errors
    ///
    /// It cannot be written, or would be too large to be read again; what was there before is there still.
    pub fn save(&self, path: &Path) -> Result<(), BotFileError> {
        file::write(path, &self.to_json())
    }
}

/// One above the largest number among the ids. Larger numbers than JavaScript counts exactly are names, not numbers.
fn next_id(services: &[BotService]) -> String {
    let largest = services
        .iter()
        .filter_map(|service| service.id()?.parse::<u64>().ok())
        .filter(|id| *id < (1 << 53))
        .max();
    (largest.unwrap_or(0) + 1).to_string()
}

/// Without the services' properties: they hold secrets.
impl fmt::Debug for BotFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BotFile")
            .field("name", &self.name())
            .field("encrypted", &self.is_encrypted())
            .field("services", &self.services)
            .finish_non_exhaustive()
    }
}
