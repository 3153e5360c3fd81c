//! The page: `console/` built into `console/dist`, which the server embeds.

use anyhow::{Result, ensure};

use crate::prerequisite;
use crate::stamp::Stamp;
use crate::step::{Steps, npm};

/// Builds the page if its sources changed since it was last built.
pub(crate) fn build() -> Result<()> {
    build_as_steps(&mut Steps::default())
}

/// The same, as steps of a longer run.
pub(crate) fn build_as_steps(steps: &mut Steps) -> Result<()> {
    prerequisite::node()?;
    let console = crate::root().join("console");
    let dist = console.join("dist");
    install(steps, "console")?;
    let sources = [
        "src",
        "public",
        "index.html",
        "vite.config.ts",
        "tsconfig.json",
        "package-lock.json",
    ];
    let sources: Vec<_> = sources.iter().map(|name| console.join(name)).collect();
    let stamp = Stamp::of(dist.join(".stamp"), &sources)?;
    if !stamp.is_fresh() {
        steps.quiet(
            "page: vite build",
            &mut npm("console", &["run", "build", "--silent"]),
        )?;
        stamp.keep()?;
    }
    // A page that silently is not there must not ship.
    ensure!(
        dist.join("index.html").is_file(),
        "the page was built, but console/dist/index.html is not there"
    );
    Ok(())
}

/// `npm ci` in a folder, if its lock file changed since the last time.
pub(crate) fn install(steps: &mut Steps, folder: &str) -> Result<()> {
    let home = crate::root().join(folder);
    let stamp = Stamp::of(
        home.join("node_modules/.stamp"),
        &[home.join("package-lock.json")],
    )?;
    if !stamp.is_fresh() {
        let args = [
            "ci",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
        ];
        steps.quiet(&format!("{folder}: npm ci"), &mut npm(folder, &args))?;
        stamp.keep()?;
    }
    Ok(())
}
