//! Why a configuration could not be read: one line that names the place and what to do.

use std::fmt;
use std::path::PathBuf;

use tidings_connector::BotFileError;

/// Why the configuration could not be read. Each message is one line that says what to change.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// `tidings.toml` has a key that does not exist.
    #[error("{}: unknown key {key:?}{}", path.display(), Nearest(*nearest))]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The key as written.
        key: String,
        /// The known key that was probably meant.
        nearest: Option<&'static str>,
    },
    /// A value does not fit its key.
    #[error("{place}: {problem}, got {value:?}")]
    Invalid {
        /// Flag, variable or file and key.
        place: String,
        /// What the value must be.
        problem: String,
        /// The value as written.
        value: String,
    },
    /// A secret does not fit its key; its value is not shown.
    #[error("{place}: {problem}")]
    InvalidSecret {
        /// Flag, variable or file and key.
        place: String,
        /// What the value must be.
        problem: String,
    },
    /// Settings do not go together, or one is missing beside others. The text names them and what to do.
    #[error("{0}")]
    Incomplete(String),
    /// The `.bot` file cannot be used.
    #[error("{place} names {}: {source}{}", path.display(), Advice(source))]
    BotFile {
        /// Where the file is named.
        place: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: BotFileError,
    },
    /// A file is not in its format.
    #[error("{}{}: {problem}", path.display(), Line(*line))]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, where it is known.
        line: Option<usize>,
        /// What is wrong there.
        problem: String,
    },
    /// A file is there and cannot be read, or was named with `--config` and is not there.
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
}

struct Nearest(Option<&'static str>);

impl fmt::Display for Nearest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(key) => write!(f, "; did you mean {key:?}?"),
            None => f.write_str("; `tidings config` prints every key"),
        }
    }
}

struct Advice<'a>(&'a BotFileError);

impl fmt::Display for Advice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            BotFileError::SecretMissing => "; set it with botFileSecret",
            BotFileError::SecretIncorrect => "; check botFileSecret",
            _ => "",
        })
    }
}

struct Line(Option<usize>);

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |line| write!(f, ":{line}"))
    }
}
