//! How long and how hard a run is.

use crate::dice::Dice;

/// The seed of this run, and how often the process is killed in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) seed: u64,
    pub(crate) kills: u32,
}

impl Settings {
    /// As the environment says, or else `kills` kills.
    pub(crate) fn of_environment(kills: u32) -> Self {
        Self {
            seed: number("TIDINGS_CRASH_SEED").unwrap_or(1),
            kills: number("TIDINGS_CRASH_KILLS").map_or(kills, |kills| u32::try_from(kills).unwrap()),
        }
    }

    pub(crate) fn dice(self, name: &str) -> Dice {
        Dice::new(self.seed, name)
    }
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is {text}: set a number")),
    )
}
