//! What `tidings serve` says when it is ready.

use std::path::Path;

/// Where everything is, for a person to read and click.
pub(crate) fn banner(base_url: &str, database: &Path) -> String {
    let database = std::path::absolute(database).unwrap_or_else(|_| database.to_owned());
    format!(
        "Tidings {version} is ready.\n\n  \
         page         {base_url}/\n  \
         bot          {base_url}/api/messages\n  \
         direct line  {base_url}/v3/directline\n  \
         database     {database}\n\n\
         Ctrl-C stops it.\n",
        version = env!("CARGO_PKG_VERSION"),
        database = database.display(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_the_addresses_and_the_file() {
        let text = banner("http://127.0.0.1:3978", Path::new("/var/lib/tidings.db"));
        for part in [
            "http://127.0.0.1:3978/\n",
            "http://127.0.0.1:3978/api/messages\n",
            " /var/lib/tidings.db\n",
        ] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
    }
}
