//! What `tidings serve` says when it is ready.

/// Where everything is, for a person to read and click.
pub(crate) fn banner(base_url: &str, local_channel: bool, database: &str) -> String {
    let direct_line = match local_channel {
        true => format!("direct line  {base_url}/v3/directline\n  "),
        false => String::new(),
    };
    format!(
        "Tidings {version} is ready.\n\n  \
         page         {base_url}/\n  \
         bot          {base_url}/api/messages\n  \
         {direct_line}database     {database}\n\n\
         Ctrl-C stops it.\n",
        version = env!("CARGO_PKG_VERSION"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_the_addresses_and_the_file() {
        let text = banner("http://127.0.0.1:3978", true, "/var/lib/tidings.db");
        for part in [
            "http://127.0.0.1:3978/\n",
            "http://127.0.0.1:3978/api/messages\n",
            "http://127.0.0.1:3978/v3/directline\n",
            " /var/lib/tidings.db\n",
        ] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
        let text = banner("http://127.0.0.1:3978", false, "/var/lib/tidings.db");
        assert!(!text.contains("directline"), "{text}");
    }
}
