//! `.bot` files from anybody.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../src/bot_file.rs"]
mod bot_file;

fuzz_target!(|data: &[u8]| bot_file::check(data));
