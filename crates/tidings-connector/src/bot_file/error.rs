//! Why a `.bot` file cannot be used.

use std::path::PathBuf;

/// Why a `.bot` file cannot be used. No message holds a secret or a cipher text.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BotFileError {
    /// It has more than [`BotFile::MAX_BYTES`](super::BotFile::MAX_BYTES).
    #[error("the .bot file is larger than {} KiB", super::BotFile::MAX_BYTES / 1024)]
    TooLarge,
    /// Objects and lists in it are nested deeper than [`BotFile::MAX_DEPTH`](super::BotFile::MAX_DEPTH).
    #[error("the .bot file is nested deeper than {} levels", super::BotFile::MAX_DEPTH)]
    TooDeep,
    /// It is no JSON object, or a part of it is not what it must be.
    #[error("the .bot file cannot be understood: {problem}")]
    Malformed {
        /// What is wrong, and where.
        problem: String,
    },
    /// A secret in it is neither a string nor null.
    #[error("the .bot file cannot be understood: {field} must be a string")]
    NotText {
        /// Where it stands, as `services[0].appPassword`.
        field: String,
    },
    /// It cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// It cannot be written.
    #[error("{} cannot be written: {source}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// A folder has no `.bot` file.
    #[error("there is no .bot file in {}", folder.display())]
    NoneInFolder {
        /// The folder.
        folder: PathBuf,
    },
    /// It is encrypted, and what was asked for needs it in clear.
    #[error("the .bot file is encrypted already")]
    Encrypted,
    /// It is encrypted, and no secret was given.
    #[error("the .bot file is encrypted and its secret is missing")]
    SecretMissing,
    /// Something in it does not decrypt, for whatever reason: all of them look alike from here.
    #[error("the .bot file cannot be decrypted: it is damaged, or its secret is incorrect")]
    SecretIncorrect,
    /// A secret to encrypt with is not base64 of 32 bytes.
    #[error("a secret to encrypt with must be the base64 text of 32 random bytes")]
    SecretUnusable,
}

impl BotFileError {
    pub(super) fn malformed(problem: impl Into<String>) -> Self {
        Self::Malformed {
            problem: problem.into(),
        }
    }

    /// The same error, told from the file's root where it was told from the service at this place.
    pub(super) fn within(self, at: usize) -> Self {
        match self {
            Self::NotText { field } => Self::NotText {
                field: format!("services[{at}].{field}"),
            },
            other => other,
        }
    }
}

impl From<serde_json::Error> for BotFileError {
    fn from(error: serde_json::Error) -> Self {
        // The message of a wrong type could quote what stands there, which may be a secret.
        Self::malformed(match error.classify() {
            serde_json::error::Category::Data => "it must be a JSON object".to_owned(),
            _ => format!("it is no JSON at line {} column {}", error.line(), error.column()),
        })
    }
}
