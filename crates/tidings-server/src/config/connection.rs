//! `connections__<name>__settings__<setting>`: how the Agents SDK names a bot's app registration (protocol, section 6).

use std::collections::BTreeMap;

use super::ConfigError;
use super::names::Names;

/// The connection that counts where there are several.
const DEFAULT: &str = "serviceConnection";

/// The parts of the name of a connection's setting; the words of it are in any case.
fn parts(variable: &str) -> Option<(&str, &str)> {
    let mut parts = variable.split("__");
    let (connections, name, settings, setting) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let fits = connections.eq_ignore_ascii_case("connections")
        && settings.eq_ignore_ascii_case("settings")
        && !name.is_empty()
        && parts.next().is_none();
    fits.then_some((name, setting))
}

/// The name of the setting's variable.
pub(super) fn variable(connection: &str, setting: &str) -> String {
    format!("connections__{connection}__settings__{setting}")
}

/// The connection that the bot's app id and secret are read from: of those with a client id the one of `app_id`, if
/// that is set elsewhere; else the only one; else the one named `serviceConnection`.
pub(super) fn choose(environments: [&Names; 2], app_id: Option<&str>) -> Result<Option<String>, ConfigError> {
    // By the name in small letters: the one as written, and the client id. The process's environment wins.
    let mut found: BTreeMap<String, (&str, &str)> = BTreeMap::new();
    for names in environments {
        let mut here: Vec<_> = names.iter().collect();
        here.sort_unstable();
        for (written, value) in here {
            match parts(written) {
                Some((name, setting))
                    if setting.eq_ignore_ascii_case("clientId") && !value.trim().is_empty() =>
                {
                    found
                        .entry(name.to_ascii_lowercase())
                        .or_insert((name, value.trim()));
                }
                _ => {}
            }
        }
    }
    if let Some(app_id) = app_id {
        let own = found
            .values()
            .find(|(_, client_id)| client_id.eq_ignore_ascii_case(app_id.trim()));
        return Ok(own.map(|(name, _)| (*name).to_owned()));
    }
    let default = found.get(&DEFAULT.to_ascii_lowercase());
    match (default, found.len()) {
        (Some((name, _)), _) => Ok(Some((*name).to_owned())),
        (None, 0) => Ok(None),
        (None, 1) => Ok(found.values().next().map(|(name, _)| (*name).to_owned())),
        (None, _) => {
            let names: Vec<&str> = found.values().map(|(name, _)| *name).collect();
            Err(ConfigError::Incomplete(format!(
                "there are several connections__<name>__settings__clientId ({}) and none of them is called {DEFAULT}: \
                 say which app id is the bot's with MicrosoftAppId",
                names.join(", ")
            )))
        }
    }
}
