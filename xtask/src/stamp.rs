//! Stamps: a fingerprint of files, kept beside what was made from them, so that unchanged work is not done again.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Remembers what a product was last made from.
pub(crate) struct Stamp {
    file: PathBuf,
    fingerprint: String,
}

impl Stamp {
    /// The fingerprint of these files and folders as they are now; the stamp is kept in `file`.
    pub(crate) fn of(file: PathBuf, sources: &[PathBuf]) -> Result<Self> {
        let mut hasher = DefaultHasher::new();
        for source in sources {
            add(source, &mut hasher)?;
        }
        Ok(Self {
            file,
            fingerprint: format!("{:016x}", hasher.finish()),
        })
    }

    /// Whether the sources are the same as when [`Stamp::keep`] was last called.
    pub(crate) fn is_fresh(&self) -> bool {
        fs::read_to_string(&self.file).is_ok_and(|kept| kept == self.fingerprint)
    }

    /// Says that the product is made from these sources.
    pub(crate) fn keep(&self) -> Result<()> {
        if let Some(folder) = self.file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&self.file, &self.fingerprint)
            .with_context(|| format!("cannot write {}", self.file.display()))
    }
}

fn add(path: &Path, hasher: &mut DefaultHasher) -> Result<()> {
    path.to_string_lossy().hash(hasher);
    if path.is_dir() {
        let mut entries: Vec<PathBuf> = fs::read_dir(path)
            .with_context(|| format!("cannot list {}", path.display()))?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()?;
        entries.sort();
        for entry in entries {
            add(&entry, hasher)?;
        }
    } else if path.exists() {
        fs::read(path)
            .with_context(|| format!("cannot read {}", path.display()))?
            .hash(hasher);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_fresh_until_a_source_changes() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("src");
        fs::create_dir(&source).unwrap();
        fs::write(source.join("a.ts"), "one").unwrap();
        let stamp = || Stamp::of(folder.path().join("out/stamp"), std::slice::from_ref(&source)).unwrap();

        assert!(!stamp().is_fresh());
        stamp().keep().unwrap();
        assert!(stamp().is_fresh());

        fs::write(source.join("a.ts"), "two").unwrap();
        assert!(!stamp().is_fresh());
        stamp().keep().unwrap();
        fs::write(source.join("b.ts"), "new").unwrap();
        assert!(!stamp().is_fresh());
    }
}
