//! What can be said on the command line, and the help that teaches it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use jiff::{SignedDuration, Span, SpanRelativeTo};
use secrecy::SecretString;
use tidings_server::{Flags, Scope};

use crate::backup::BackUp;
use crate::bot_file::BotFileCommand;
use crate::deliveries::DeliveriesCommand;
use crate::doctor::Examine;
use crate::limits::LimitsCommand;

const EXAMPLES: &str = "\
Examples:
  tidings                                    serve the bot; open http://127.0.0.1:3978
  tidings serve --listen 127.0.0.1:4000      on another port
  tidings serve --database /var/lib/bot.db   keep everything there
  tidings serve --database postgres://bot@db.example/bots
                                             one of many servers that share everything
  tidings jobs list                          the job log of the running server
  tidings deliveries list --state dead       what nobody was told, and why
  tidings deliveries show 17                 one message from its acceptance to its end
  tidings limits set sms lane 1/1s           one message a second to each conversation
  tidings keys create --scope jobs:write     a key for the API, shown once
  tidings backup --to /backup/tidings.db     a copy of the database, also while a server runs
  tidings doctor                             what is wrong with the configuration
  tidings bot-file show herald.bot           what a .bot file holds
  tidings config > tidings.toml              every setting with its default, to edit

Environment (also read from the file .env; flags win):
  TIDINGS_LISTEN, PORT             where to listen
  TIDINGS_DATABASE                 where everything is kept
  TIDINGS_CONFIG                   the file to read in place of tidings.toml
  TIDINGS_ALLOWED_HOSTS            names for Host and Origin beside loopback ones
  TIDINGS_ALLOWED_SERVICE_HOSTS    further hosts the bot may send to
  TIDINGS_API_KEY                  the key for the API of a server that asks for one (environment only)
  MicrosoftAppId, MicrosoftAppPassword, MicrosoftAppType, MicrosoftAppTenantId
                                   the bot's registration; without one, local mode
  botFilePath, botFileSecret       a .bot file to read the registration from
  TIDINGS_LOG, TIDINGS_LOG_FORMAT  what is logged (info, debug, ...), and as text or json
  NO_COLOR                         no colours
`tidings config` prints the rest.

Exit codes:
  0   stopped as asked
  2   wrong arguments
  65  the database is none of ours, or one of a newer version
  66  the file named cannot be read
  69  the address is taken, or no server answers, or not the database's
  73  the database or the file named cannot be read or written
  74  the disk is full or fails
  75  the database is in use by another process
  77  the server wants another API key, the database's server another login, or the secret of a .bot file is missing or
      incorrect
  78  wrong configuration
  1   anything else";

/// A bot that speaks first.
///
/// Serves the bot, its durable jobs and notices, a local Direct Line channel and a page with chat windows, from one
/// process and one SQLite file. Without a command it serves.
#[derive(Debug, Parser)]
#[command(name = "tidings", version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) serve: Serve,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the bot, the local channel and the page (the default)
    #[command(after_help = EXAMPLES)]
    Serve(Serve),
    /// Look at the jobs of a running server
    #[command(subcommand)]
    Jobs(JobsCommand),
    /// See what was sent to whom, and why something was not; retry, cancel, pause
    #[command(subcommand, after_help = crate::deliveries::EXAMPLES)]
    Deliveries(DeliveriesCommand),
    /// Say how often a channel may be called: for each conversation, for each tenant
    #[command(subcommand, after_help = crate::limits::EXAMPLES)]
    Limits(LimitsCommand),
    /// Make, list and revoke keys for the API
    #[command(subcommand)]
    Keys(KeysCommand),
    /// See what was changed through the API
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Copy the database, also while a server runs
    Backup(BackUp),
    /// Say what is wrong with the configuration, before a user notices
    Doctor(Examine),
    /// Look into a .bot file, decrypt or encrypt it
    #[command(subcommand)]
    BotFile(BotFileCommand),
    /// Print every setting with its default and meaning, as a tidings.toml
    Config,
}

/// Flags of `tidings serve`.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        help = "Where to listen [default: 127.0.0.1:3978; environment: TIDINGS_LISTEN or PORT]"
    )]
    listen: Option<String>,
    #[arg(
        long,
        value_name = "URL",
        help = "Where everything is kept [default: sqlite://tidings.db; environment: TIDINGS_DATABASE]"
    )]
    database: Option<String>,
    #[arg(
        long,
        value_name = "FILE",
        help = "The file with settings [default: tidings.toml if it is there; environment: TIDINGS_CONFIG]"
    )]
    config: Option<PathBuf>,
    #[arg(
        long,
        value_name = "FORMAT",
        help = "How log lines look, text or json [default: text; environment: TIDINGS_LOG_FORMAT]"
    )]
    log_format: Option<String>,
}

impl Serve {
    pub(crate) fn flags(&self) -> Flags {
        Flags {
            listen: self.listen.clone(),
            database: self.database.clone(),
            log_format: self.log_format.clone(),
            config: self.config.clone(),
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum JobsCommand {
    /// List the newest jobs
    List(JobsList),
}

/// Which server to ask, and with which key.
#[derive(Debug, Args)]
pub(crate) struct Access {
    /// The server to ask [default: the address this directory's configuration listens on]
    #[arg(long, value_name = "URL")]
    pub(crate) server: Option<String>,
    /// The key for a server that asks for one; better in the environment, where other users do not see it
    #[arg(long, value_name = "KEY", env = "TIDINGS_API_KEY", hide_env_values = true)]
    pub(crate) key: Option<SecretString>,
}

/// Which server to ask, or which database to open where none runs.
#[derive(Debug, Args)]
pub(crate) struct Place {
    #[command(flatten)]
    pub(crate) access: Access,
    /// The database to open, in place of asking a server [default: this directory's, where no server runs]
    #[arg(long, value_name = "URL", conflicts_with = "server")]
    pub(crate) database: Option<String>,
    /// The file with settings [default: tidings.toml if it is there]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print JSON in place of text for people
    #[arg(long)]
    pub(crate) json: bool,
}

impl Place {
    pub(crate) fn flags(&self) -> Flags {
        Flags {
            database: self.database.clone(),
            config: self.config.clone(),
            ..Flags::default()
        }
    }
}

/// Flags of `tidings jobs list`.
#[derive(Debug, Args)]
pub(crate) struct JobsList {
    #[command(flatten)]
    pub(crate) access: Access,
    /// How many, newest first
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=500))]
    pub(crate) limit: u16,
    /// Print the server's JSON in place of a table
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make a key and print it, this once
    Create(KeysCreate),
    /// List the keys, newest first
    List(Place),
    /// Revoke a key at once and for good
    Revoke(KeysRevoke),
}

/// Flags of `tidings keys create`.
#[derive(Debug, Args)]
pub(crate) struct KeysCreate {
    /// What the key may do: jobs:read, jobs:write, deliveries:read, deliveries:write, keys:read, keys:write, audit:read,
    /// metrics:read; may be repeated
    #[arg(long = "scope", value_name = "SCOPE", required = true)]
    pub(crate) scopes: Vec<Scope>,
    /// What the key is for
    #[arg(long, value_name = "NAME", default_value = "unnamed")]
    pub(crate) name: String,
    /// How long it opens, such as 90d or 12h [default: until it is revoked]
    #[arg(long, value_name = "DURATION", value_parser = life)]
    pub(crate) expires: Option<SignedDuration>,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// Flags of `tidings keys revoke`.
#[derive(Debug, Args)]
pub(crate) struct KeysRevoke {
    /// The id of the key, as the list shows it; the key itself will do too
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// List what was changed, newest first
    List(AuditList),
}

/// Flags of `tidings audit list`.
#[derive(Debug, Args)]
pub(crate) struct AuditList {
    /// How many, newest first
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=500))]
    pub(crate) limit: u16,
    /// Only what came before, as the list before says
    #[arg(long, value_name = "CURSOR", value_parser = clap::value_parser!(i64).range(1..))]
    pub(crate) cursor: Option<i64>,
    #[command(flatten)]
    pub(crate) place: Place,
}

fn life(text: &str) -> Result<SignedDuration, String> {
    text.parse::<Span>()
        .and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()))
        .ok()
        .filter(SignedDuration::is_positive)
        .ok_or_else(|| "must be a duration such as 90d, 2w or 12h".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_life_is_a_positive_duration() {
        let hours = |text| life(text).map(|life| life.as_hours());
        assert_eq!(hours("90d"), Ok(90 * 24));
        assert_eq!(hours("2w"), Ok(14 * 24));
        assert_eq!(hours("12h"), Ok(12));
        for text in ["", "90", "0d", "-1d", "1 year", "1mo", "d"] {
            assert!(life(text).is_err(), "{text}");
        }
    }

    #[test]
    fn flags_work_without_the_command() {
        let arguments = Arguments::parse_from(["tidings", "--listen", "4000"]);
        assert!(arguments.command.is_none());
        assert_eq!(arguments.serve.flags().listen.as_deref(), Some("4000"));
    }
}
