//! The bot as its users see it: every row of its table of commands, with the real job log and the real worker.

mod commands;
mod completion;
mod crowd;
mod window;
