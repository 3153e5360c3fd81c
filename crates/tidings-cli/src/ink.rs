//! Colours, for terminals whose user wants them.

use std::io::IsTerminal;

use comfy_table::{Cell, Color};

/// Whether standard output has colours: it is a terminal, and `NO_COLOR` is not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ink {
    Plain,
    Coloured,
}

impl Ink {
    pub(crate) fn of_stdout() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        match wanted && std::io::stdout().is_terminal() {
            true => Ink::Coloured,
            false => Ink::Plain,
        }
    }

    /// The state of a delivery, in a cell.
    pub(crate) fn state_cell(self, state: &str) -> Cell {
        match (self, shade(state)) {
            (Ink::Coloured, Some((color, _))) => Cell::new(state).fg(color),
            _ => Cell::new(state),
        }
    }

    /// Text in the colour of a delivery's state.
    pub(crate) fn of_state(self, state: &str, text: &str) -> String {
        match (self, shade(state)) {
            (Ink::Coloured, Some((_, code))) => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            _ => text.to_owned(),
        }
    }

    /// Text that matters less.
    pub(crate) fn faint(self, text: &str) -> String {
        match self {
            Ink::Plain => text.to_owned(),
            Ink::Coloured => format!("\u{1b}[2m{text}\u{1b}[0m"),
        }
    }
}

/// Green arrived, red did not, yellow needs patience or a decision; the rest is as any text.
fn shade(state: &str) -> Option<(Color, u8)> {
    match state {
        "delivered" => Some((Color::DarkGreen, 32)),
        "dead" | "expired" | "refused" => Some((Color::DarkRed, 31)),
        "unknown" | "retryable" | "held" => Some((Color::DarkYellow, 33)),
        "sending" | "scheduled" => Some((Color::DarkCyan, 36)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_have_colours_where_colours_are_wanted() {
        assert_eq!(
            Ink::Coloured.of_state("dead", "dead (rejected)"),
            "\u{1b}[31mdead (rejected)\u{1b}[0m"
        );
        assert_eq!(Ink::Coloured.of_state("cancelled", "cancelled"), "cancelled");
        assert_eq!(Ink::Plain.of_state("dead", "dead"), "dead");
        assert_eq!(
            (Ink::Plain.faint("x"), Ink::Coloured.faint("x")),
            ("x".to_owned(), "\u{1b}[2mx\u{1b}[0m".to_owned())
        );
    }
}
