//! Which properties of which services are secret: the table of the protocol's section 6.

use secrecy::SecretString;

use super::BotFileError;
use super::object::Object;

/// One secret of a service, as it stands in the file.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BotFileSecret {
    /// The property, as `appPassword` or `configuration.key1`.
    pub field: String,
    /// Its value: a cipher text while the file is encrypted; empty if it is not set.
    pub value: SecretString,
}

/// A property whose value is secret, or whose members' values are.
#[derive(Clone, Copy)]
pub(super) enum SecretField {
    Property(&'static str),
    EachOf(&'static str),
}

use SecretField::{EachOf, Property};

type Table = &'static [(&'static str, &'static [SecretField])];

const KINDS: Table = &[
    ("endpoint", &[Property("appPassword")]),
    ("luis", &[Property("authoringKey"), Property("subscriptionKey")]),
    (
        "dispatch",
        &[Property("authoringKey"), Property("subscriptionKey")],
    ),
    ("qna", &[Property("endpointKey"), Property("subscriptionKey")]),
    (
        "appInsights",
        &[Property("instrumentationKey"), EachOf("apiKeys")],
    ),
    ("blob", &[Property("connectionString")]),
    ("cosmosdb", &[Property("key")]),
    ("generic", &[EachOf("configuration")]),
];

/// What was encrypted before version 2.0.
pub(super) const LEGACY: Table = &[
    ("endpoint", &[Property("appPassword")]),
    ("luis", &[Property("authoringKey"), Property("subscriptionKey")]),
    (
        "dispatch",
        &[Property("authoringKey"), Property("subscriptionKey")],
    ),
    ("qna", &[Property("subscriptionKey")]),
];

/// The secrets of a service of this type; none for types that are not known.
pub(super) fn secret_fields(kind: &str) -> &'static [SecretField] {
    of(KINDS, kind)
}

pub(super) fn of(table: Table, kind: &str) -> &'static [SecretField] {
    table
        .iter()
        .find(|(known, _)| *known == kind)
        .map_or(&[], |(_, fields)| fields)
}

impl SecretField {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Property(name) | EachOf(name) => name,
        }
    }

    /// Replaces each value that is set by what `change` makes of it.
    pub(super) fn change(
        self,
        service: &mut Object,
        change: &impl Fn(&str) -> Result<String, BotFileError>,
    ) -> Result<(), BotFileError> {
        match self {
            Property(name) => change_text(service, name, change),
            EachOf(name) => {
                let Some(mut inner) = inner(service, name)? else {
                    return Ok(());
                };
                let members: Vec<String> = inner.names().map(str::to_owned).collect();
                for member in &members {
                    change_text(&mut inner, member, change).map_err(|error| match error {
                        BotFileError::NotText { field } => not_text(format!("{name}.{field}")),
                        other => other,
                    })?;
                }
                service.set_object(name, &inner);
                Ok(())
            }
        }
    }

    /// The values as they stand there. What is no string is left out.
    pub(super) fn values(self, service: &Object) -> Vec<BotFileSecret> {
        let secret = |field: String, value: Option<String>| {
            Some(BotFileSecret {
                field,
                value: value?.into(),
            })
        };
        match self {
            Property(name) => secret(name.to_owned(), service.text(name)).into_iter().collect(),
            EachOf(name) => match inner(service, name) {
                Ok(Some(inner)) => inner
                    .names()
                    .filter_map(|member| secret(format!("{name}.{member}"), inner.text(member)))
                    .collect(),
                _ => Vec::new(),
            },
        }
    }
}

fn inner(service: &Object, name: &str) -> Result<Option<Object>, BotFileError> {
    match service.get(name) {
        None => Ok(None),
        Some(value) if value.get() == "null" => Ok(None),
        Some(value) => serde_json::from_str(value.get())
            .map(Some)
            .map_err(|_| BotFileError::malformed(format!("{name} of a service must be an object"))),
    }
}

fn change_text(
    object: &mut Object,
    name: &str,
    change: impl Fn(&str) -> Result<String, BotFileError>,
) -> Result<(), BotFileError> {
    let Some(value) = object.get(name).filter(|value| value.get() != "null") else {
        return Ok(());
    };
    let text: String = serde_json::from_str(value.get()).map_err(|_| not_text(name.to_owned()))?;
    if !text.is_empty() {
        object.set_text(name, &change(&text)?);
    }
    Ok(())
}

fn not_text(field: String) -> BotFileError {
    BotFileError::NotText { field }
}
