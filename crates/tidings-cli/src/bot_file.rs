//! `tidings bot-file`: look into a `.bot` file, decrypt it, encrypt it.

mod shown;

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use secrecy::{ExposeSecret, SecretString};
use tidings_connector::{BotFile, BotFileError, BotService};

use crate::{Failure, print};

/// The name of the secret in the environment, as the Bot Framework has it.
const SECRET_VARIABLE: &str = "botFileSecret";
/// The largest file with a secret that is read; secrets have 44 bytes.
const MAX_SECRET_BYTES: u64 = 4096;

const HELP: &str = "\
The secret of an encrypted file comes from --secret-file, --secret (which others on this machine can see in the list
of processes), or the environment variable botFileSecret.

Exit codes:
  0   done
  2   wrong arguments
  65  the file is not a .bot file, or encrypted already
  66  the file cannot be read
  73  the file cannot be written
  77  the secret is missing or incorrect";

#[derive(Debug, Subcommand)]
#[command(after_help = HELP)]
pub(crate) enum BotFileCommand {
    /// List the services in a .bot file; secrets are never shown
    #[command(after_help = HELP)]
    Show(Show),
    /// Print a .bot file with its secrets in clear
    #[command(after_help = HELP)]
    Decrypt(Decrypt),
    /// Print a .bot file with its secrets encrypted
    #[command(after_help = HELP)]
    Encrypt(Encrypt),
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The .bot file
    file: PathBuf,
    #[command(flatten)]
    secret: Secret,
    /// Print JSON in place of a table
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Decrypt {
    /// The .bot file
    file: PathBuf,
    #[command(flatten)]
    secret: Secret,
    /// Change the file in place of printing it
    #[arg(long)]
    in_place: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Encrypt {
    /// The .bot file
    file: PathBuf,
    #[command(flatten)]
    secret: Secret,
    /// Encrypt with a new secret and print it, once: to standard output with --in-place, else to standard error
    #[arg(long, conflicts_with_all = ["secret", "secret_file"])]
    new_secret: bool,
    /// Change the file in place of printing it
    #[arg(long)]
    in_place: bool,
}

#[derive(Debug, Args)]
struct Secret {
    /// The file's secret: base64 of 32 bytes, or the password of a file from before version 2.0
    #[arg(
        long,
        value_name = "SECRET",
        conflicts_with = "secret_file",
        hide_env_values = true
    )]
    secret: Option<SecretString>,
    /// A file that holds the secret and nothing else
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
}

impl Secret {
    /// The secret from the first place that has one.
    fn read(&self) -> Result<Option<SecretString>, Failure> {
        if let Some(path) = &self.secret_file {
            return read_secret(path).map(Some);
        }
        let from_environment = || std::env::var(SECRET_VARIABLE).ok().map(SecretString::from);
        Ok(self
            .secret
            .clone()
            .or_else(from_environment)
            .filter(|secret| !secret.expose_secret().is_empty()))
    }
}

fn read_secret(path: &Path) -> Result<SecretString, Failure> {
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_SECRET_BYTES).read_to_string(&mut text))
        .map_err(|source| BotFileError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
    Ok(text.trim().into())
}

pub(crate) fn run(command: &BotFileCommand) -> Result<(), Failure> {
    match command {
        BotFileCommand::Show(arguments) => show(arguments),
        BotFileCommand::Decrypt(arguments) => decrypt(arguments),
        BotFileCommand::Encrypt(arguments) => encrypt(arguments),
    }
}

fn show(arguments: &Show) -> Result<(), Failure> {
    let file = BotFile::load(&arguments.file)?;
    let secret = arguments.secret.read()?;
    let tried = match &secret {
        Some(secret) if file.is_encrypted() => Some(file.clone().decrypt(Some(secret))),
        _ => None,
    };
    let fits = tried.as_ref().map(Result::is_ok);
    print(&if arguments.json {
        shown::json(&file, fits)
    } else {
        shown::table(&file, fits)
    })?;
    tried.unwrap_or(Ok(())).map_err(Failure::from)
}

fn decrypt(arguments: &Decrypt) -> Result<(), Failure> {
    let mut file = BotFile::load(&arguments.file)?;
    let was_encrypted = file.is_encrypted();
    file.decrypt(arguments.secret.read()?.as_ref())?;
    if !arguments.in_place {
        return print(&file.to_json());
    }
    let name = arguments.file.display();
    if !was_encrypted {
        return print(&format!("{name} is not encrypted.\n"));
    }
    file.save(&arguments.file)?;
    print(&format!("{name} is decrypted: {}.\n", count(&file)))
}

fn encrypt(arguments: &Encrypt) -> Result<(), Failure> {
    let mut file = BotFile::load(&arguments.file)?;
    let secret = if arguments.new_secret {
        BotFile::new_secret()
    } else {
        arguments.secret.read()?.ok_or_else(|| {
            Failure::Secret(
                "a secret to encrypt with is missing: give one with --secret-file or botFileSecret, or have one \
                 made with --new-secret"
                    .to_owned(),
            )
        })?
    };
    file.encrypt(&secret)?;
    if arguments.new_secret {
        // Before the file changes: what is encrypted with a secret that nobody has seen is lost.
        tell(secret.expose_secret(), arguments.in_place)?;
    }
    if !arguments.in_place {
        return print(&file.to_json());
    }
    file.save(&arguments.file)?;
    if arguments.new_secret {
        return Ok(());
    }
    print(&format!(
        "{} is encrypted: {}.\n",
        arguments.file.display(),
        count(&file)
    ))
}

fn tell(secret: &str, to_standard_output: bool) -> Result<(), Failure> {
    let told = if to_standard_output {
        let mut out = std::io::stdout();
        writeln!(out, "{secret}").and_then(|()| out.flush())
    } else {
        writeln!(
            std::io::stderr(),
            "tidings: the file's secret, shown only here: {secret}"
        )
    };
    told.map_err(|error| {
        Failure::Other(format!(
            "the new secret cannot be printed, so nothing was done: {error}"
        ))
    })
}

fn count(file: &BotFile) -> String {
    let set = file
        .services()
        .iter()
        .flat_map(BotService::secrets)
        .filter(|secret| !secret.value.expose_secret().is_empty());
    match set.count() {
        1 => "1 secret".to_owned(),
        secrets => format!("{secrets} secrets"),
    }
}
