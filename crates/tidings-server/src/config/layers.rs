//! The places a setting can come from, in their order: flag, environment, `.env`, `tidings.toml`.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::key::{KEYS, Key, PORT, nearest};
use super::{ConfigError, Flags};

/// A value as text, and where it was found.
pub(super) struct Setting {
    pub(super) text: String,
    place: String,
}

impl Setting {
    /// Reads the text with `read`, whose error says what the value must be.
    pub(super) fn parse<T>(&self, read: impl FnOnce(&str) -> Result<T, String>) -> Result<T, ConfigError> {
        read(&self.text).map_err(|problem| ConfigError::Invalid {
            place: self.place.clone(),
            problem,
            value: self.text.clone(),
        })
    }
}

/// All places, read once.
pub(super) struct Layers<E> {
    flags: HashMap<&'static str, String>,
    environment: E,
    dot_env: HashMap<String, String>,
    dot_env_path: PathBuf,
    file: HashMap<String, String>,
    file_path: PathBuf,
}

impl<E: Fn(&str) -> Option<String>> Layers<E> {
    pub(super) fn read(flags: &Flags, environment: E, directory: &Path) -> Result<Self, ConfigError> {
        let given = [
            ("listen", &flags.listen),
            ("database", &flags.database),
            ("log_format", &flags.log_format),
        ];
        let dot_env_path = directory.join(".env");
        let named = flags
            .config
            .clone()
            .or_else(|| environment("TIDINGS_CONFIG").map(PathBuf::from));
        let file_path = directory.join(named.as_deref().unwrap_or(Path::new("tidings.toml")));
        Ok(Self {
            flags: given
                .into_iter()
                .filter_map(|(name, value)| Some((name, value.clone()?)))
                .collect(),
            environment,
            dot_env: read_dot_env(&dot_env_path)?,
            dot_env_path,
            file: read_file(&file_path, named.is_some())?,
            file_path,
        })
    }

    /// The value of `key` from the first place that has it.
    pub(super) fn get(&self, key: &Key) -> Option<Setting> {
        if let (Some(flag), Some(text)) = (key.flag, self.flags.get(key.name)) {
            return Some(Setting {
                text: text.clone(),
                place: format!("--{flag}"),
            });
        }
        let from_environment = |name: &&'static str| {
            (self.environment)(name).map(|text| Setting {
                text,
                place: (*name).to_owned(),
            })
        };
        let from_dot_env = |name: &&'static str| {
            let text = self.dot_env.get(*name)?.clone();
            Some(Setting {
                text,
                place: format!("{}: {name}", self.dot_env_path.display()),
            })
        };
        // PORT is a port and nothing else, wherever it is set.
        key.environment
            .iter()
            .find_map(|name| Some((*name, from_environment(name)?)))
            .or_else(|| {
                key.environment
                    .iter()
                    .find_map(|name| Some((*name, from_dot_env(name)?)))
            })
            .map(|(name, setting)| match name {
                PORT => Setting {
                    text: format!(":{}", setting.text.trim()),
                    ..setting
                },
                _ => setting,
            })
            .or_else(|| {
                let text = self.file.get(key.name)?.clone();
                Some(Setting {
                    text,
                    place: format!("{}: {}", self.file_path.display(), key.name),
                })
            })
    }
}

fn read_dot_env(path: &Path) -> Result<HashMap<String, String>, ConfigError> {
    let Some(bytes) = read_bytes(path, false)? else {
        return Ok(HashMap::new());
    };
    dotenvy::from_read_iter(bytes.as_slice())
        .collect::<Result<_, _>>()
        .map_err(|error| match error {
            dotenvy::Error::LineParse(line, _) => ConfigError::Malformed {
                path: path.to_owned(),
                line: None,
                problem: format!("must have lines NAME=VALUE, but has {line:?}"),
            },
            other => ConfigError::Malformed {
                path: path.to_owned(),
                line: None,
                problem: other.to_string(),
            },
        })
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
                    problem: "must be a string, a whole number or a list of strings".to_owned(),
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
