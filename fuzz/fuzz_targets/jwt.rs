//! What a token says, in base64url that is right, some of it signed.

#![no_main]

use std::cell::OnceCell;

use libfuzzer_sys::fuzz_target;

#[allow(dead_code, reason = "the other target asks for the rest")]
#[path = "../src/door.rs"]
mod door;

thread_local! {
    static DOOR: OnceCell<door::Door> = const { OnceCell::new() };
}

fuzz_target!(|data: &[u8]| {
    DOOR.with(|door| door.get_or_init(door::Door::new).jwt(data));
});
