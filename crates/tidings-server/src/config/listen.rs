//! Reading an address to listen on.

use std::net::{Ipv4Addr, SocketAddr};

/// The port of the Bot Framework's own samples and of the Emulator's default bot address.
pub(crate) const DEFAULT_PORT: u16 = 3978;

/// Reads `ADDRESS:PORT`, `localhost:PORT`, `:PORT` or `PORT`; what leaves out the address means 127.0.0.1.
pub(crate) fn parse(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
    match port.parse::<u16>() {
        Ok(port) if host.is_empty() || host.eq_ignore_ascii_case("localhost") => {
            Ok((Ipv4Addr::LOCALHOST, port).into())
        }
        _ => Err("must be ADDRESS:PORT such as 127.0.0.1:3978, localhost:PORT or a port".to_owned()),
    }
}
