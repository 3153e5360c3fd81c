//! One command of a longer run: shown while it works, told when it fails, timed for the summary.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};

/// The steps of one run, with the time each took.
#[derive(Default)]
pub(crate) struct Steps {
    taken: Vec<(String, Duration)>,
}

impl Steps {
    /// Runs a command whose output is worth reading as it comes.
    pub(crate) fn loud(&mut self, name: &str, command: &mut Command) -> Result<()> {
        println!("\n==> {name}");
        self.time(name, |_| {
            let status = command.status().with_context(|| cannot_start(command))?;
            if !status.success() {
                bail!("{name} failed ({status}); the command was: {}", spelled(command));
            }
            Ok(())
        })
    }

    /// Runs a command that says nothing worth reading unless it fails; a spinner shows that it lives.
    pub(crate) fn quiet(&mut self, name: &str, command: &mut Command) -> Result<()> {
        println!("\n==> {name}");
        let log = crate::target()
            .join("xtask")
            .join(format!("{}.log", name.replace([' ', '/'], "-")));
        std::fs::create_dir_all(log.parent().unwrap_or(Path::new(".")))?;
        let out = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        self.time(name, |spinner| {
            spinner.enable_steady_tick(Duration::from_millis(120));
            let status = command
                .stdin(Stdio::null())
                .stdout(out.try_clone()?)
                .stderr(out)
                .status()
                .with_context(|| cannot_start(command))?;
            if !status.success() {
                let text = std::fs::read_to_string(&log).unwrap_or_default();
                let tail: Vec<&str> = text.lines().rev().take(60).collect();
                for line in tail.into_iter().rev() {
                    eprintln!("    {line}");
                }
                bail!("{name} failed ({status}); the command was: {}", spelled(command));
            }
            Ok(())
        })
    }

    fn time(&mut self, name: &str, work: impl FnOnce(&ProgressBar) -> Result<()>) -> Result<()> {
        let spinner = ProgressBar::new_spinner().with_message(name.to_owned());
        if let Ok(style) = ProgressStyle::with_template("    {spinner} {msg} {elapsed}") {
            spinner.set_style(style);
        }
        let since = Instant::now();
        let done = work(&spinner);
        spinner.finish_and_clear();
        self.taken.push((name.to_owned(), since.elapsed()));
        done
    }

    /// Prints what each step took.
    pub(crate) fn summary(&self) {
        let width = self.taken.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        println!();
        for (name, took) in &self.taken {
            println!("    {name:width$}  {:>7.1} s", took.as_secs_f64());
        }
        let total: Duration = self.taken.iter().map(|(_, took)| *took).sum();
        println!("    {:width$}  {:>7.1} s", "all", total.as_secs_f64());
    }
}

/// The command as a person would type it.
fn spelled(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|arg| arg.to_string_lossy().into_owned()));
    words.join(" ")
}

fn cannot_start(command: &Command) -> String {
    format!(
        "cannot start {}: is it installed and on the PATH?",
        command.get_program().to_string_lossy()
    )
}

/// `cargo` with these arguments, in the root of the checkout.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(crate::root());
    command
}

/// `npm` with these arguments, in a folder of the checkout.
pub(crate) fn npm(folder: &str, args: &[&str]) -> Command {
    let mut command = Command::new("npm");
    command.args(args).current_dir(crate::root().join(folder));
    command
}
