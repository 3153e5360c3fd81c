//! `.bot` files on disk.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::{BotFile, BotFileError};

pub(super) fn read(path: &Path) -> Result<Vec<u8>, BotFileError> {
    let unreadable = |source| BotFileError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    // One byte more than is allowed shows that there is more.
    File::open(path)
        .map_err(unreadable)?
        .take(BotFile::MAX_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    Ok(bytes)
}

/// The first `*.bot` in the order of their names.
pub(super) fn first_in(folder: &Path) -> Result<PathBuf, BotFileError> {
    let unreadable = |source| BotFileError::Unreadable {
        path: folder.to_owned(),
        source,
    };
    let mut first: Option<PathBuf> = None;
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "bot")
            && first.as_ref().is_none_or(|first| path < *first)
        {
            first = Some(path);
        }
    }
    first.ok_or_else(|| BotFileError::NoneInFolder {
        folder: folder.to_owned(),
    })
}

/// Writes by way of a new file in the same folder, which then takes the name.
pub(super) fn write(path: &Path, text: &str) -> Result<(), BotFileError> {
    if text.len() > BotFile::MAX_BYTES {
        return Err(BotFileError::TooLarge);
    }
    let replace = || {
        // The file that a link points to is replaced, not the link.
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let folder = match target.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let mut new = tempfile::Builder::new()
            .prefix(".")
            .suffix(".tmp")
            .tempfile_in(folder)?;
        if let Ok(old) = fs::metadata(&target) {
            new.as_file().set_permissions(old.permissions())?;
        }
        new.write_all(text.as_bytes())?;
        new.as_file().sync_all()?;
        new.persist(&target).map_err(|error| error.error)?;
        Ok(())
    };
    replace().map_err(|source| BotFileError::Unwritable {
        path: path.to_owned(),
        source,
    })
}
