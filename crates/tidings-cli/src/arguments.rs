//! What can be said on the command line, and the help that teaches it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use tidings_server::Flags;

use crate::bot_file::BotFileCommand;
use crate::doctor::Examine;

const EXAMPLES: &str = "\
Examples:
  tidings                                    serve the bot; open http://127.0.0.1:3978
  tidings serve --listen 127.0.0.1:4000      on another port
  tidings serve --database /var/lib/bot.db   keep everything there
  tidings jobs list                          the job log of the running server
  tidings doctor                             what is wrong with the configuration
  tidings bot-file show herald.bot           what a .bot file holds
  tidings config > tidings.toml              every setting with its default, to edit

Environment (also read from the file .env; flags win):
  TIDINGS_LISTEN, PORT             where to listen
  TIDINGS_DATABASE                 where everything is kept
  TIDINGS_CONFIG                   the file to read in place of tidings.toml
  TIDINGS_ALLOWED_HOSTS            names for Host and Origin beside loopback ones
  TIDINGS_ALLOWED_SERVICE_HOSTS    hosts the bot may send to beside loopback ones
  MicrosoftAppId, MicrosoftAppPassword, MicrosoftAppType, MicrosoftAppTenantId
                                   the bot's registration; without one, local mode
  botFilePath, botFileSecret       a .bot file to read the registration from
  TIDINGS_LOG, TIDINGS_LOG_FORMAT  what is logged (info, debug, ...), and as text or json
  NO_COLOR                         no colours
`tidings config` prints the rest.

Exit codes:
  0   stopped as asked
  2   wrong arguments
  65  the file is not a database, or one of a newer version
  66  the file named cannot be read
  69  the address is taken, or no server answers
  73  the database or the file named cannot be read or written
  74  the disk is full or fails
  75  the database is in use by another process
  77  the secret of a .bot file is missing or incorrect
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

/// Flags of `tidings jobs list`.
#[derive(Debug, Args)]
pub(crate) struct JobsList {
    /// The server to ask [default: the address this directory's configuration listens on]
    #[arg(long, value_name = "URL")]
    pub(crate) server: Option<String>,
    /// How many, newest first
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=500))]
    pub(crate) limit: u16,
    /// Print the server's JSON in place of a table
    #[arg(long)]
    pub(crate) json: bool,
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
    fn flags_work_without_the_command() {
        let arguments = Arguments::parse_from(["tidings", "--listen", "4000"]);
        assert!(arguments.command.is_none());
        assert_eq!(arguments.serve.flags().listen.as_deref(), Some("4000"));
    }
}
