//! Relative links in the Markdown files: each must lead to a file of the repository.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Fails with a list of the links that lead nowhere.
pub(crate) fn check() -> Result<()> {
    let root = crate::root();
    let mut dead = Vec::new();
    for file in markdown_files(&root)? {
        let path = root.join(&file);
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let folder = path.parent().unwrap_or(&root);
        for target in relative_links(&text) {
            if !folder.join(&target).exists() {
                dead.push(format!("{}: {target}", file.display()));
            }
        }
    }
    if dead.is_empty() {
        Ok(())
    } else {
        bail!("links that lead nowhere:\n  {}", dead.join("\n  "))
    }
}

fn markdown_files(root: &Path) -> Result<Vec<PathBuf>> {
    let args = ["ls-files", "--cached", "--others", "--exclude-standard", "*.md"];
    let out = Command::new("git")
        .args(args)
        .current_dir(root)
        .output()
        .context("git lists the files")?;
    let names = String::from_utf8_lossy(&out.stdout);
    Ok(names
        .lines()
        .map(PathBuf::from)
        .filter(|name| root.join(name).exists())
        .collect())
}

/// The targets of `[text](target)` that are neither addresses nor anchors, without their anchor.
fn relative_links(text: &str) -> Vec<String> {
    let mut links = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        for rest in line.split("](").skip(1) {
            let Some(target) = rest.split([')', ' ']).next() else {
                continue;
            };
            let file = target.split('#').next().unwrap_or_default();
            if !file.is_empty() && !file.contains("://") && !file.starts_with("mailto:") {
                links.push(file.to_owned());
            }
        }
    }
    links
}

#[cfg(test)]
mod tests {
    use super::relative_links;

    #[test]
    fn finds_relative_targets_only() {
        let text = "See [a](docs/a.md), [b](https://example.org/b), [c](#here) and [d](d.md#part).\n\
                    ```\n[not](a-link.md)\n```\n![picture](images/p.png)";
        assert_eq!(relative_links(text), ["docs/a.md", "d.md", "images/p.png"]);
    }
}
