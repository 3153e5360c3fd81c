//! A `.bot` file without its secrets, for people and for programs.

use comfy_table::{ContentArrangement, Table, presets};
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};
use tidings_connector::{BotFile, BotFileSecret, BotService};

/// The services as a table. `fits` tells whether a secret that was given decrypts the file.
pub(super) fn table(file: &BotFile, fits: Option<bool>) -> String {
    let mut title = harmless(file.name().as_deref().unwrap_or("(without a name)"));
    if let Some(description) = file.description().filter(|text| !text.is_empty()) {
        title = format!("{title}: {}", harmless(&description));
    }
    let state = match (file.is_encrypted(), fits) {
        (false, _) => "not encrypted: the secrets stand in it in clear",
        (true, None) => "encrypted",
        (true, Some(true)) => "encrypted, and the secret fits",
        (true, Some(false)) => "encrypted, and the secret does not fit",
    };
    if file.services().is_empty() {
        return format!("{title}\n{state}\nThere are no services in it.\n");
    }
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["ID", "TYPE", "NAME", "APP ID", "ENDPOINT", "SECRETS"]);
    for service in file.services() {
        let or_dash = |text: Option<String>| {
            text.filter(|text| !text.is_empty())
                .map_or_else(|| "-".to_owned(), |text| harmless(&text))
        };
        let secrets: Vec<String> = service
            .secrets()
            .iter()
            .map(|secret| format!("{} {}", harmless(&secret.field), state_of(secret, file)))
            .collect();
        table.add_row([
            or_dash(service.id()),
            or_dash(service.kind()),
            or_dash(service.name()),
            or_dash(file.app_id(service)),
            or_dash(service.text("endpoint")),
            or_dash(Some(secrets.join(", "))),
        ]);
    }
    format!("{title}\n{state}\n\n{}\n", table.trim_fmt())
}

/// The services as JSON.
pub(super) fn json(file: &BotFile, fits: Option<bool>) -> String {
    let service = |service: &BotService| {
        let secrets: Map<String, Value> = service
            .secrets()
            .iter()
            .map(|secret| (secret.field.clone(), state_of(secret, file).into()))
            .collect();
        json!({
            "id": service.id(),
            "type": service.kind(),
            "name": service.name(),
            "appId": file.app_id(service),
            "endpoint": service.text("endpoint"),
            "secrets": secrets,
        })
    };
    let value = json!({
        "name": file.name(),
        "description": file.description(),
        "encrypted": file.is_encrypted(),
        "secretFits": fits,
        "services": file.services().iter().map(service).collect::<Vec<_>>(),
    });
    format!("{value:#}\n")
}

fn state_of(secret: &BotFileSecret, file: &BotFile) -> &'static str {
    match (secret.value.expose_secret().is_empty(), file.is_encrypted()) {
        (true, _) => "empty",
        (false, true) => "encrypted",
        (false, false) => "set",
    }
}

/// Without what a terminal would obey.
fn harmless(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(json: &str) -> BotFile {
        BotFile::parse(json.as_bytes()).unwrap()
    }

    #[test]
    fn secrets_are_named_and_not_shown() {
        let file = file(
            r#"{"name":"herald","description":"speaks first","services":[
                {"type":"endpoint","id":"1","name":"live","appId":"5c1d","appPassword":"sesame","endpoint":"https://herald.example"},
                {"type":"generic","id":"2","configuration":{"key":"sesame","none":""}},
                {"type":"strange","key":"sesame"}]}"#,
        );
        let text = table(&file, None);
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        assert_eq!(lines[0], "herald: speaks first");
        assert_eq!(lines[1], "not encrypted: the secrets stand in it in clear");
        let column = lines[3].find("SECRETS").unwrap();
        assert_eq!(&lines[4][column..], "appPassword set");
        assert_eq!(
            &lines[5][column..],
            "configuration.key set, configuration.none empty"
        );
        assert_eq!(&lines[6][column..], "-");
        let json = json(&file, None);
        let value: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["services"][0]["secrets"]["appPassword"], "set");
        assert_eq!(value["secretFits"], Value::Null);
        assert!(!text.contains("sesame") && !json.contains("sesame"));
    }

    #[test]
    fn a_terminal_is_told_nothing() {
        let text = table(
            &file(r#"{"name":"\u001b[2Jherald","services":[{"name":"a\nb"}]}"#),
            None,
        );
        assert!(
            !text.contains('\u{1b}') && text.contains("a\u{fffd}b"),
            "{text:?}"
        );
    }
}
