//! How a PostgreSQL database is backed up: by its own tool. This names the command, and never a password.

use std::path::Path;

/// What a parameter of the URL may hold that nobody else should read.
const SECRET_PARAMETERS: [&str; 2] = ["password", "sslpassword"];

/// The schema with our tables, unless the URL names another.
const SCHEMA: &str = "tidings";

/// The URL of a PostgreSQL database as its own tools take it, without its passwords, and our schema in it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Url {
    text: String,
    schema: String,
}

impl Url {
    /// `None` for any other database.
    pub(crate) fn of(database: &str) -> Option<Url> {
        let (scheme, rest) = database.split_once("://")?;
        if !matches!(scheme, "postgres" | "postgresql") {
            return None;
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        if rest[end..].contains('@') {
            // A password with a '/' or a '?' that should have been escaped, perhaps: nobody knows where it ends.
            return Some(Url {
                text: format!("{scheme}://USER@HOST/DATABASE"),
                schema: SCHEMA.to_owned(),
            });
        }
        let (user, rest) = match rest.rsplit_once('@') {
            Some((userinfo, rest)) => (userinfo.split(':').next().filter(|user| !user.is_empty()), rest),
            None => (None, rest),
        };
        let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let mut schema = SCHEMA;
        let mut shown = Vec::new();
        for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            // A parameter of ours: their tools do not know it.
            if name == "schema" {
                schema = value;
            } else if !SECRET_PARAMETERS.contains(&name.to_ascii_lowercase().as_str()) {
                shown.push(parameter);
            }
        }
        let mut url = format!("{scheme}://");
        if let Some(user) = user {
            url.push_str(user);
            url.push('@');
        }
        url.push_str(place);
        if !shown.is_empty() {
            url.push('?');
            url.push_str(&shown.join("&"));
        }
        Some(Url {
            text: url,
            schema: schema.to_owned(),
        })
    }

    /// The command that copies the database into the file `to`, and where the password goes.
    pub(crate) fn advice(&self, to: &Path) -> String {
        format!(
            "PostgreSQL makes the copy itself, also while servers run: pg_dump --format=custom --schema={} --file={} \
             --dbname={} (it asks for the password, or takes it from ~/.pgpass or PGPASSWORD)",
            quoted(&self.schema),
            quoted(&to.to_string_lossy()),
            quoted(&self.text),
        )
    }
}

/// As a shell takes it for one word.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/:@._-+%=,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(url: &str) -> String {
        Url::of(url).unwrap().text
    }

    #[test]
    fn no_password_is_shown() {
        assert_eq!(
            shown("postgres://me:sesame@db:5432/tidings"),
            "postgres://me@db:5432/tidings"
        );
        assert_eq!(shown("postgresql://me@db/tidings"), "postgresql://me@db/tidings");
        assert_eq!(shown("postgres://db"), "postgres://db");
        assert_eq!(
            shown(
                "postgres://a,b:5433/tidings?password=sesame&target_session_attrs=read-write&SSLPASSWORD=sesame"
            ),
            "postgres://a,b:5433/tidings?target_session_attrs=read-write"
        );
        for url in [
            "postgres://me:ses@me/sesame?sesame@db/tidings",
            "postgres://:sesame@db/tidings",
            "postgres:///tidings?password=sesame",
            "postgres:///tidings?password=sesame@sesame",
        ] {
            assert!(!shown(url).contains("sesame"), "{}", shown(url));
        }
    }

    #[test]
    fn other_databases_are_not_meant() {
        for url in ["sqlite://tidings.db", "tidings.db", "mysql://db/tidings"] {
            assert_eq!(Url::of(url), None, "{url}");
        }
    }

    #[test]
    fn the_command_can_be_pasted() {
        let url =
            Url::of("postgres://me:sesame@db/tidings?sslmode=require&schema=bot&connect_timeout=5").unwrap();
        let advice = url.advice(Path::new("my copy's.dump"));
        assert!(
            advice.contains(
                r"pg_dump --format=custom --schema=bot --file='my copy'\''s.dump' --dbname='postgres://me@db/tidings?sslmode=require&connect_timeout=5' ("
            ),
            "{advice}"
        );
    }
}
