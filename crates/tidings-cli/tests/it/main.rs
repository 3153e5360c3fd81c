//! The command as its user meets it: the real binary, started in a folder of its own.

mod binary;
mod command_line;
mod life;
mod refusals;
