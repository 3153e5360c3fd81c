//! How long one inbound activity takes to decode, and to encode again.

fn main() {}
