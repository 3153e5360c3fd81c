//! The places a setting can come from, in their order: flag, environment, `.env`, `tidings.toml`, `.bot` file.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::bot_file::BotFileLayer;
use super::key::{APP_ID, BOT_FILE, BOT_FILE_ENDPOINT, BOT_FILE_SECRET, KEYS, Key, PORT, nearest};
use super::names::Names;
use super::{ConfigError, Flags, connection};

/// A value as text, and where it was found.
pub(super) struct Setting {
    text: String,
    place: String,
    secret: bool,
    /// Whether it was found under the Agents SDK's name.
    pub(super) of_connection: bool,
}

impl Setting {
    pub(super) fn new(text: impl Into<String>, place: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            place: place.into(),
            secret: false,
            of_connection: false,
        }
    }

    /// The same, never shown.
    pub(super) fn secret(self) -> Self {
        Self { secret: true, ..self }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Flag, variable or file and key.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Reads the text with `read`, whose error says what the value must be.
    pub(super) fn parse<'a, T>(
        &'a self,
        read: impl FnOnce(&'a str) -> Result<T, String>,
    ) -> Result<T, ConfigError> {
        read(&self.text).map_err(|problem| {
            let place = self.place.clone();
            if self.secret {
                ConfigError::InvalidSecret { place, problem }
            } else {
                ConfigError::Invalid {
                    place,
                    problem,
                    value: self.text.clone(),
                }
            }
        })
    }
}

/// All places, read once.
pub(super) struct Layers {
    flags: HashMap<&'static str, String>,
    environment: Names,
    dot_env: Names,
    dot_env_path: PathBuf,
    file: HashMap<String, String>,
    file_path: PathBuf,
    /// The Agents SDK's connection that counts.
    connection: Option<String>,
    bot_file: Option<BotFileLayer>,
}

impl Layers {
    pub(super) fn read(flags: &Flags, environment: Names, directory: &Path) -> Result<Self, ConfigError> {
        let given = [
            ("listen", &flags.listen),
            ("database", &flags.database),
            ("log_format", &flags.log_format),
        ];
        let dot_env_path = directory.join(".env");
        let named = flags.config.clone().or_else(|| {
            environment
                .get("TIDINGS_CONFIG")
                .map(|(_, path)| PathBuf::from(path))
        });
        let file_path = directory.join(named.as_deref().unwrap_or(Path::new("tidings.toml")));
        let mut layers = Self {
            flags: given
                .into_iter()
                .filter_map(|(name, value)| Some((name, value.clone()?)))
                .collect(),
            environment,
            dot_env: read_dot_env(&dot_env_path)?,
            dot_env_path,
            file: read_file(&file_path, named.is_some())?,
            file_path,
            connection: None,
            bot_file: None,
        };
        let app_id = layers
            .named(&layers.environment, "", &APP_ID)
            .or_else(|| layers.named(&layers.dot_env, "", &APP_ID));
        layers.connection = connection::choose(
            [&layers.environment, &layers.dot_env],
            app_id.as_ref().map(Setting::text),
        )?;
        if let Some(file) = layers.get(&BOT_FILE) {
            let secret = layers.get(&BOT_FILE_SECRET);
            let endpoint = layers.get(&BOT_FILE_ENDPOINT);
            let layer = BotFileLayer::read(&file, directory, secret.as_ref(), endpoint.as_ref())?;
            // Another bot's password would be sent beside this one's app id.
            let app_id = layers.get(&APP_ID);
            layers.bot_file = layer.filter(|layer| {
                app_id.is_none_or(|app_id| app_id.text().trim().eq_ignore_ascii_case(layer.app_id()))
            });
        }
        Ok(layers)
    }

    /// The value of `key` from the first place that has it.
    pub(super) fn get(&self, key: &Key) -> Option<Setting> {
        let counts = |setting: &Setting| !key.optional || !setting.text.trim().is_empty();
        let setting = self
            .flag(key)
            .filter(counts)
            .or_else(|| self.named(&self.environment, "", key))
            .or_else(|| self.named(&self.dot_env, &format!("{}: ", self.dot_env_path.display()), key))
            .or_else(|| self.in_file(key).filter(counts))
            .or_else(|| self.bot_file.as_ref()?.get(key.name))?;
        Some(if key.secret { setting.secret() } else { setting })
    }

    fn flag(&self, key: &Key) -> Option<Setting> {
        let flag = key.flag?;
        Some(Setting::new(self.flags.get(key.name)?, format!("--{flag}")))
    }

    fn in_file(&self, key: &Key) -> Option<Setting> {
        let place = format!("{}: {}", self.file_path.display(), key.name);
        Some(Setting::new(self.file.get(key.name)?, place))
    }

    /// The value of `key` in one environment: the Bot Framework's names and ours before the Agents SDK's.
    fn named(&self, names: &Names, place: &str, key: &Key) -> Option<Setting> {
        let counts = |value: &str| !key.optional || !value.trim().is_empty();
        let own = key.environment.iter().find_map(|name| {
            let (written, value) = names.get(name)?;
            // PORT is a port and nothing else, wherever it is set.
            let text = match *name {
                PORT => format!(":{}", value.trim()),
                _ => value.to_owned(),
            };
            counts(value).then(|| Setting::new(text, format!("{place}{written}")))
        });
        own.or_else(|| {
            let variable = connection::variable(self.connection.as_deref()?, key.connection?);
            let (written, value) = names.get(&variable)?;
            counts(value).then(|| Setting {
                of_connection: true,
                ..Setting::new(value, format!("{place}{written}"))
            })
        })
    }
}

fn read_dot_env(path: &Path) -> Result<Names, ConfigError> {
    let Some(bytes) = read_bytes(path, false)? else {
        return Ok(Names::new([]));
    };
    dotenvy::from_read_iter(bytes.as_slice())
        .collect::<Result<Vec<_>, _>>()
        .map(Names::new)
        .map_err(|error| match error {
            // The line itself may hold a secret, and is not shown.
            dotenvy::Error::LineParse(line, _) => ConfigError::Malformed {
                path: path.to_owned(),
                line: line_of(&bytes, &line),
                problem: "must be NAME=VALUE, with quotes around a value that has spaces or # in it"
                    .to_owned(),
            },
            dotenvy::Error::Io(source) => ConfigError::Unreadable {
                path: path.to_owned(),
                source,
            },
            _ => ConfigError::Malformed {
                path: path.to_owned(),
                line: None,
                problem: "cannot be read".to_owned(),
            },
        })
}

/// The number of the line that begins with the first line of `text`.
fn line_of(bytes: &[u8], text: &str) -> Option<usize> {
    let wanted = text.lines().next()?.trim();
    String::from_utf8_lossy(bytes)
        .lines()
        .position(|line| line.trim() == wanted)
        .map(|at| at + 1)
}

fn read_file(path: &Path, required: bool) -> Result<HashMap<String, String>, ConfigError> {
    let Some(bytes) = read_bytes(path, required)? else {
        return Ok(HashMap::new());
    };
    let malformed = |line, problem: String| ConfigError::Malformed {
        path: path.to_owned(),
        line,
        problem,
    };
    let text = String::from_utf8(bytes).map_err(|_| malformed(None, "is not UTF-8 text".to_owned()))?;
    let table: toml::Table = toml::from_str(&text).map_err(|error| {
        let line = error
            .span()
            .map(|span| 1 + text[..span.start].matches('\n').count());
        malformed(line, error.message().replace('\n', " "))
    })?;
    table
        .into_iter()
        .map(|(name, value)| {
            if !KEYS.iter().any(|key| key.name == name) {
                let nearest = nearest(&name);
                return Err(ConfigError::UnknownKey {
                    path: path.to_owned(),
                    key: name,
                    nearest,
                });
            }
            match as_text(&value) {
                Some(text) => Ok((name, text)),
                None => Err(ConfigError::Invalid {
                    place: format!("{}: {name}", path.display()),
                    problem: "must be a string, a number or a list of strings".to_owned(),
                    value: value.type_str().to_owned(),
                }),
            }
        })
        .collect()
}

fn as_text(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Array(items) => Some(
            items
                .iter()
                .map(toml::Value::as_str)
                .collect::<Option<Vec<_>>>()?
                .join(","),
        ),
        _ => None,
    }
}

fn read_bytes(path: &Path, required: bool) -> Result<Option<Vec<u8>>, ConfigError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound && !required => Ok(None),
        Err(source) => Err(ConfigError::Unreadable {
            path: path.to_owned(),
            source,
        }),
    }
}
