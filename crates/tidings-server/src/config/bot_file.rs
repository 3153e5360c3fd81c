//! The lowest place: the endpoint in a `.bot` file.

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use tidings_connector::{BotFile, BotFileError, BotService};

use super::ConfigError;
use super::layers::Setting;

/// What the bot's endpoint in a `.bot` file says.
pub(super) struct BotFileLayer {
    path: PathBuf,
    app_id: String,
    app_password: Option<SecretString>,
    channel_service: Option<String>,
}

impl BotFileLayer {
    /// Reads the file. `None` if it has no endpoint with an app id, as those that were only ever run locally.
    ///
    /// The endpoint is the one of this name or id; without one, the first that has an app id.
    pub(super) fn read(
        file: &Setting,
        directory: &Path,
        secret: Option<&Setting>,
        endpoint: Option<&Setting>,
    ) -> Result<Option<Self>, ConfigError> {
        let path = directory.join(file.text());
        let failed = |source: BotFileError| ConfigError::BotFile {
            place: file.place().to_owned(),
            path: path.clone(),
            source,
        };
        let mut file = BotFile::load(&path).map_err(failed)?;
        file.decrypt(secret.map(|secret| secret.text().into()).as_ref())
            .map_err(failed)?;
        let endpoints: Vec<&BotService> = file
            .services()
            .iter()
            .filter(|service| service.kind().as_deref() == Some("endpoint"))
            .collect();
        let chosen = match endpoint {
            Some(wanted) => wanted.parse(|wanted| choose(&endpoints, wanted)).map(Some)?,
            None => endpoints
                .iter()
                .find(|endpoint| file.app_id(endpoint).is_some())
                .copied(),
        };
        Ok(chosen.and_then(|endpoint| {
            Some(Self {
                app_id: file.app_id(endpoint)?.trim().to_owned(),
                app_password: endpoint.secret("appPassword"),
                channel_service: endpoint
                    .text("channelService")
                    .filter(|service| !service.is_empty()),
                path: path.clone(),
            })
        }))
    }

    pub(super) fn app_id(&self) -> &str {
        &self.app_id
    }

    /// The value of the key `name`.
    pub(super) fn get(&self, name: &str) -> Option<Setting> {
        let (field, text) = match name {
            "app_id" => ("appId", self.app_id.clone()),
            "app_password" => (
                "appPassword",
                self.app_password.as_ref()?.expose_secret().to_owned(),
            ),
            "channel_service" => ("channelService", self.channel_service.clone()?),
            _ => return None,
        };
        Some(Setting::new(text, format!("{}: {field}", self.path.display())))
    }
}

fn choose<'a>(endpoints: &[&'a BotService], wanted: &str) -> Result<&'a BotService, String> {
    let with = |of: fn(&BotService) -> Option<String>| {
        endpoints
            .iter()
            .find(|endpoint| of(endpoint).as_deref() == Some(wanted))
            .copied()
    };
    with(BotService::id)
        .or_else(|| with(BotService::name))
        .ok_or_else(|| {
            let names: Vec<String> = endpoints.iter().filter_map(|endpoint| endpoint.name()).collect();
            format!(
                "must be the name or id of an endpoint in the .bot file, which has: {}",
                names.join(", ")
            )
        })
}
