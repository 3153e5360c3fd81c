//! `tidings keys`: make, list and revoke keys for the API.

use std::io::Write;

use http::Method;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use tidings_server::{NewKey, Scope, Use};

use crate::arguments::{KeysCommand, KeysCreate, KeysRevoke, Place};
use crate::place::{Found, keys};
use crate::request::Ask;
use crate::table::{aligned, or_dash, seconds};
use crate::{Failure, print, runtime};

#[derive(Deserialize)]
struct Ring {
    keys: Vec<Key>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Key {
    id: String,
    name: String,
    scopes: Vec<String>,
    state: String,
    created_at: String,
    expires_at: Option<String>,
    last_used_at: Option<String>,
}

#[derive(Deserialize)]
struct Created {
    key: String,
    #[serde(flatten)]
    listed: Key,
}

pub(crate) fn run(command: KeysCommand) -> Result<(), Failure> {
    runtime()?.block_on(async {
        match command {
            KeysCommand::Create(create) => self::create(create).await,
            KeysCommand::List(place) => list(&place).await,
            KeysCommand::Revoke(revoke) => self::revoke(&revoke).await,
        }
    })
}

async fn create(arguments: KeysCreate) -> Result<(), Failure> {
    let place = &arguments.place;
    let expires_at = match arguments.expires {
        None => None,
        Some(life) => Some(
            Timestamp::now()
                .checked_add(life)
                .map_err(|_| Failure::Other("--expires is too far in the future".to_owned()))?,
        ),
    };
    let scopes: Vec<&str> = arguments.scopes.iter().map(|scope| scope.as_str()).collect();
    let ask = Ask {
        method: Method::POST,
        target: "/api/v1/keys".to_owned(),
        body: Some(json!({ "name": arguments.name, "scopes": scopes, "expiresAt": expires_at.map(|at| at.to_string()) }).to_string()),
    };
    let (text, created) = match place.find(ask, Scope::KeysWrite, true).await? {
        Found::Server(api, body) => {
            let created = api.read(&body)?;
            (body, created)
        }
        Found::Database(database) => {
            let new = NewKey {
                name: arguments.name,
                scopes: arguments.scopes,
                expires_at,
            };
            let record = Use::command(Scope::KeysWrite, "tidings keys create");
            let created = keys(&database)
                .await?
                .create(new, Some(record))
                .await
                .map_err(|error| Failure::Other(format!("no key was made: {error}")))?;
            database.close().await;
            own(created.to_json())?
        }
    };
    if place.json {
        return print(&format!("{}\n", text.trim_end()));
    }
    let Created { key, listed } = created;
    print(&format!("{key}\n"))?;
    // The key alone is on standard output, for a script to keep.
    let _unheard = writeln!(std::io::stderr(), "{}", explained(&listed));
    Ok(())
}

fn explained(key: &Key) -> String {
    let until = match &key.expires_at {
        Some(at) => format!("until {}", seconds(at)),
        None => "until it is revoked".to_owned(),
    };
    format!(
        "This is the key {} ({}) for {}, {until}. It is kept nowhere: keep it now.",
        key.id,
        key.name,
        key.scopes.join(", ")
    )
}

async fn list(place: &Place) -> Result<(), Failure> {
    let (text, ring): (String, Ring) = match place
        .find(Ask::get("/api/v1/keys"), Scope::KeysRead, false)
        .await?
    {
        Found::Server(api, body) => {
            let ring = api.read(&body)?;
            (body, ring)
        }
        Found::Database(database) => {
            let listed = keys(&database)
                .await?
                .list()
                .await
                .map_err(|error| Failure::Other(format!("the keys cannot be read: {error}")))?;
            database.close().await;
            own(json!({ "keys": listed }))?
        }
    };
    if place.json {
        return print(&format!("{}\n", text.trim_end()));
    }
    print(&table(&ring))
}

fn table(ring: &Ring) -> String {
    if ring.keys.is_empty() {
        return "There is no key yet; `tidings keys create --scope jobs:read` makes one.\n".to_owned();
    }
    let rows = ring.keys.iter().map(|key| {
        [
            key.id.clone(),
            key.name.clone(),
            key.state.clone(),
            key.scopes.join(" "),
            seconds(&key.created_at),
            or_dash(key.expires_at.as_deref().map(seconds)),
            or_dash(key.last_used_at.as_deref().map(seconds)),
        ]
    });
    aligned(
        ["ID", "NAME", "STATE", "SCOPES", "CREATED", "EXPIRES", "LAST USED"],
        rows,
    )
}

async fn revoke(arguments: &KeysRevoke) -> Result<(), Failure> {
    let place = &arguments.place;
    let id = id_of(&arguments.id)?;
    let ask = Ask {
        method: Method::DELETE,
        target: format!("/api/v1/keys/{id}"),
        body: None,
    };
    let (text, key): (String, Key) = match place.find(ask, Scope::KeysWrite, false).await? {
        Found::Server(api, body) => {
            let key = api.read(&body)?;
            (body, key)
        }
        Found::Database(database) => {
            let record = Use::command(Scope::KeysWrite, "tidings keys revoke");
            let revoked = keys(&database)
                .await?
                .revoke(id, Some(record))
                .await
                .map_err(|error| Failure::Other(format!("the key was not revoked: {error}")))?;
            database.close().await;
            let Some(revoked) = revoked else {
                return Err(Failure::Other(format!(
                    "no key has the id {id}; `tidings keys list` shows those there are"
                )));
            };
            own(json!(revoked))?
        }
    };
    if place.json {
        return print(&format!("{}\n", text.trim_end()));
    }
    print(&format!("The key {} ({}) is revoked.\n", key.id, key.name))
}

/// The id, also of a whole key: whoever has only that wants it revoked most.
fn id_of(text: &str) -> Result<&str, Failure> {
    let id = text
        .strip_prefix("tid_")
        .map_or(text, |rest| rest.split('_').next().unwrap_or(rest));
    if !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Ok(id);
    }
    Err(Failure::Other(
        "the id of a key has only letters and digits; `tidings keys list` shows it".to_owned(),
    ))
}

/// What this command has made itself, as text and as it is read from a server.
fn own<T: serde::de::DeserializeOwned>(value: Value) -> Result<(String, T), Failure> {
    let text = value.to_string();
    let read = serde_json::from_value(value).map_err(|error| Failure::Other(error.to_string()))?;
    Ok((text, read))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_aligned() {
        let ring = serde_json::from_value(json!({ "keys": [
            { "id": "0a1b2c3d4e5f", "name": "CI of the reports", "state": "live", "scopes": ["jobs:read", "jobs:write"],
              "createdAt": "2026-11-27T12:00:00.25Z", "expiresAt": null, "revokedAt": null, "lastUsedAt": "2026-11-27T12:01:00Z" },
            { "id": "ffffffffffff", "name": "page", "state": "revoked", "scopes": ["jobs:read"],
              "createdAt": "2026-11-26T12:00:00Z", "expiresAt": "2027-01-01T00:00:00Z", "revokedAt": "2026-11-27T12:00:00Z",
              "lastUsedAt": null }
        ] }))
        .unwrap();
        let text = table(&ring);
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        assert_eq!(lines.len(), 3, "{text}");
        let column = lines[0].find("SCOPES").unwrap();
        assert!(lines[1][column..].starts_with("jobs:read jobs:write"), "{text}");
        assert!(lines[2].ends_with("2027-01-01T00:00:00Z  -"), "{text}");
        assert!(table(&Ring { keys: Vec::new() }).contains("tidings keys create"));
    }

    #[test]
    fn a_whole_key_is_as_good_as_its_id() {
        assert_eq!(id_of("0a1b2c3d4e5f").unwrap(), "0a1b2c3d4e5f");
        assert_eq!(id_of("tid_0a1b2c3d4e5f_00ff").unwrap(), "0a1b2c3d4e5f");
        for text in ["", "tid_", "a/b", "a b", "../jobs"] {
            assert!(id_of(text).is_err(), "{text}");
        }
    }
}
